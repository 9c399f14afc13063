//! Reading a board in Redis, record by record.

use redis::{Pipeline, Value, aio::MultiplexedConnection};

use super::{
    fault::Fault,
    finals, load,
    record::{array, bytes_text, id_of, number, pairs, read_counted, read_point, text},
    scan::{entries_page, keys_page},
    stored_log::StoredLog,
};
use crate::{
    board::{BoardId, Person, StoredStanding, Timestamp, UserId},
    store::{
        StoreError,
        records::{Limited, Record},
    },
};

/// Reads all records of a board.
pub(super) async fn read(
    connection: &mut MultiplexedConnection,
    board: &StoredLog,
    mut each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
) -> Result<(), Fault> {
    let keys = &board.keys;
    let mut each = async |record| each(record).await.map_err(Fault::Foreign);

    let mut memberships = load::memberships(connection, &keys.hash("membership")).await?;
    let hidden = load::hidden(connection, &keys.hash("hidden")).await?;
    let main = BoardId::default();
    let mut cursor = Some("0".to_owned());
    while let Some(from) = cursor {
        let (members, next) = load::users_page(connection, &keys.users, &from).await?;
        for member in members {
            let membership = memberships.remove(&member.id);
            each(Record::Person(Person {
                id: member.id,
                profile: member.profile,
                registered: member.registered,
                membership: membership.map(Box::new),
                hidden: hidden.contains(&member.id),
            }))
            .await?;
            if let Some(standing) = member.standing {
                let standing = StoredStanding {
                    user: member.id,
                    standing,
                    best: member.best,
                };
                each(Record::Standing(main.clone(), standing)).await?;
            }
        }
        cursor = next;
    }
    for team in load::teams(connection, &keys.hash("teams")).await? {
        each(Record::Team(team)).await?;
    }
    for (board, first) in load::deleted(connection, keys).await? {
        each(Record::Deleted(board, first)).await?;
    }
    let (_, heads) = load::heads(connection, board).await?;
    for head in &heads {
        let id = &head.id;
        each(Record::Board(head.clone())).await?;
        for standing in load::standings(connection, &keys.standings(id)).await? {
            each(Record::Standing(id.clone(), standing)).await?;
        }
        for member in load::team_members(connection, &keys.members(id)).await? {
            each(Record::TeamMember(id.clone(), member)).await?;
        }
        for of in 1..=head.seasons.ended {
            let standings = finals::all(connection, &keys.finals(id), of).await?;
            if let Some(standings) = standings {
                each(Record::Final(id.clone(), standings)).await?;
            }
        }
    }

    let mut last = 0;
    loop {
        let page = entries_page(connection, &keys.log, last).await?;
        let Some(end) = page.last() else {
            break;
        };
        last = end.entry.seq.get();
        for logged in page {
            each(Record::Entry(logged.entry, logged.action)).await?;
        }
    }

    for head in &heads {
        let Some(prefix) = load::histories(connection, board, &head.id).await? else {
            continue;
        };
        let mut cursor = Some("0".to_owned());
        while let Some(from) = cursor {
            let (found, next) = keys_page(connection, &prefix, &from).await?;
            let lists = ask_of_each(connection, &found, |pipe, key| {
                pipe.cmd("LRANGE").arg(key).arg(0).arg(-1);
            });
            let lists = lists.await?;
            for (key, list) in found.iter().zip(lists) {
                let user = UserId(id_of(&key[prefix.len()..])?);
                let points = array(&list)?.iter();
                let points = points.map(|point| read_point(text(point)?));
                let points = points.collect::<Result<_, _>>()?;
                each(Record::History(head.id.clone(), user, points)).await?;
            }
            cursor = next;
        }
    }

    let prefix = keys.action("");
    let remembered = board.servers.retention.actions.as_millis() as u64;
    let mut cursor = Some("0".to_owned());
    while let Some(from) = cursor {
        let (found, next) = keys_page(connection, &prefix, &from).await?;
        let records = ask_of_each(connection, &found, |pipe, key| {
            pipe.cmd("GET").arg(key).cmd("PEXPIRETIME").arg(key);
        });
        let records = records.await?;
        for (key, [record, ends]) in found.iter().zip(records.as_chunks().0) {
            // One may have expired in between.
            let (Value::BulkString(record), Value::Int(ends)) = (record, ends) else {
                continue;
            };
            let ends = u64::try_from(*ends).unwrap_or_default();
            let at = Timestamp(ends.saturating_sub(remembered));
            let counted = read_counted(&key[prefix.len()..], record, at)?;
            each(Record::Counted(counted)).await?;
        }
        cursor = next;
    }

    for (seq, announcement) in load::announcements(connection, &keys.announcements).await? {
        each(Record::Announced(seq, announcement)).await?;
    }
    for (user, until) in load::revoked(connection, &keys.revoked).await? {
        each(Record::Revoked(user, until)).await?;
    }

    let prefix = keys.limits();
    let mut cursor = Some("0".to_owned());
    while let Some(from) = cursor {
        let (found, next) = keys_page(connection, &prefix, &from).await?;
        let sets = ask_of_each(connection, &found, |pipe, key| {
            pipe.cmd("ZRANGE").arg(key).arg(&["0", "-1", "WITHSCORES"]);
        });
        let sets = sets.await?;
        for (key, set) in found.iter().zip(sets) {
            let (user, action_type) = limited_key(&key[prefix.len()..])?;
            for [seq, at] in pairs(&set)? {
                let limited = Limited {
                    user,
                    action_type: action_type.into(),
                    at: Timestamp(number(text(at)?)?),
                    seq: number(text(seq)?)?,
                };
                each(Record::Limited(limited)).await?;
            }
        }
        cursor = next;
    }
    Ok(())
}

/// Asks about all of these keys at once.
pub(super) async fn ask_of_each(
    connection: &mut MultiplexedConnection,
    keys: &[Vec<u8>],
    ask: impl Fn(&mut Pipeline, &[u8]),
) -> Result<Vec<Value>, Fault> {
    // Of nothing, nothing may be asked.
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut pipe = redis::pipe();
    for key in keys {
        ask(&mut pipe, key);
    }
    Ok(pipe.query_async(connection).await?)
}

/// Whose limits a key is about, and of which type, from what follows `limited:`.
fn limited_key(name: &[u8]) -> Result<(UserId, &str), Fault> {
    let damaged = || Fault::Damaged("the key of a limit");
    let (user, rest) = name.split_at_checked(16).ok_or_else(damaged)?;
    let action_type = rest.strip_prefix(b":").ok_or_else(damaged)?;
    Ok((UserId(id_of(user)?), bytes_text(action_type)?))
}
