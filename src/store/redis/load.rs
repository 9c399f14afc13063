//! What is read when a board is opened, and when it must be read again.

use std::collections::HashMap;

use redis::{Cmd, Value, aio::MultiplexedConnection};

use super::{
    connect::{Link, connect},
    fault::Fault,
    meta::meta,
    recent::{Folded, Recent},
    record::{
        Before, Logged, array, bytes, id_of, member, number, pairs, stored_announcement, text,
    },
    scan::next_page,
    stored_board::StoredBoard,
    time::now,
};
use crate::{
    board::{Announcement, Board, Epoch, Fact, Member, Profile, Timestamp, UserId},
    store::Opened,
};

/// Entries, and users, that are read at once.
const PAGE: usize = 1000;
/// How often the log may be trimmed while it is read.
const ATTEMPTS: usize = 3;

/// What a node knows of the log that it follows.
pub(super) struct Following {
    pub(super) epoch: Epoch,
    /// The last entry that was folded, 0 for none.
    pub(super) folded: u64,
    /// The nonce of that entry, if it is known.
    pub(super) nonce: Option<u64>,
    /// When the epoch was begun by a command, by Redis's clock; 0 if it was not.
    pub(super) decided: u64,
}

/// A board that was loaded, and where its log goes on.
pub(super) struct Loaded {
    pub(super) opened: Opened,
    pub(super) following: Following,
    pub(super) recent: Recent,
}

/// Connects, and loads the board, which is made if nothing of it is there.
pub(super) async fn open(board: &StoredBoard) -> Result<(Link, Loaded), Fault> {
    let mut link = connect(&board.servers, &board.keys).await?;
    let connection = &mut link.commands;
    if board.find(connection).await?.is_none() {
        board.create(connection).await?;
    }
    let loaded = load(connection, board).await?;
    Ok((link, loaded))
}

/// Loads the board as it was at `ranked_through`, and folds the rest of the log: so its
/// ranks come out as they were answered.
///
/// Others go on writing meanwhile. The users' records may be newer than
/// `ranked_through`, but whatever changed one is on the log after it, with how the
/// user stood before.
pub(super) async fn load(
    connection: &mut MultiplexedConnection,
    board: &StoredBoard,
) -> Result<Loaded, Fault> {
    let mut fault = Fault::Changed;
    for _ in 0..ATTEMPTS {
        match try_load(connection, board).await {
            Err(found @ (Fault::Gap(_) | Fault::Changed)) => fault = found,
            result => return result,
        }
    }
    Err(fault)
}

async fn try_load(
    connection: &mut MultiplexedConnection,
    board: &StoredBoard,
) -> Result<Loaded, Fault> {
    let keys = &board.keys;
    let from = meta(connection, &keys.meta).await?;
    let members = users(connection, &keys.users).await?;
    let mut announcements = valid_announcements(connection, &keys.announcements).await?;
    let mut revoked = revoked(connection, &keys.revoked).await?;
    let to = meta(connection, &keys.meta).await?;
    if to.epoch != from.epoch {
        return Err(Fault::Changed);
    }
    let last = entry(connection, &keys.log, from.ranked_through).await?;
    let rest = entries(connection, &keys.log, from.ranked_through, to.seq).await?;
    // What was written since those were read is on the log, and nowhere else for us.
    let now = now(connection).await?;
    for logged in &rest {
        match &logged.entry.fact {
            Fact::TokensRevoked { user, issued_until } => revoked.push((*user, *issued_until)),
            Fact::Announced(new)
                if new.until > now && announcements.iter().all(|known| known.id != new.id) =>
            {
                announcements.push(new.clone());
            }
            _ => {}
        }
    }
    let revoked = furthest(revoked);

    let mut following = Following {
        epoch: from.epoch,
        folded: from.ranked_through,
        nonce: last.as_ref().map(|last| last.nonce),
        decided: from.decided,
    };
    if let Some(last) = rest.last() {
        following.folded = last.entry.seq.get();
        following.nonce = Some(last.nonce);
    }
    let changed = last.map_or(Timestamp::default(), |last| last.entry.at);
    let rules = board.rules;
    // A million users take a while.
    let fold = move || {
        let members = members_before(members, &rest);
        let mut board = Board::load(rules, from.ranked_through, changed, members);
        let mut recent = Recent::after(from.ranked_through);
        for Logged { entry, action, .. } in rest {
            let applied = board.apply(&entry);
            recent.push(Folded {
                entry,
                action,
                applied,
            });
        }
        (board, recent)
    };
    let folded = tokio::task::spawn_blocking(fold).await;
    let (board, recent) = folded.map_err(|_| Fault::Unreachable("the runtime ends".into()))?;
    Ok(Loaded {
        opened: Opened {
            epoch: from.epoch,
            board,
            announcements,
            revoked,
        },
        following,
        recent,
    })
}

/// Each user once, with the latest moment.
fn furthest(revoked: Vec<(UserId, u64)>) -> Vec<(UserId, u64)> {
    let mut furthest = HashMap::new();
    for (user, issued_until) in revoked {
        let until: &mut u64 = furthest.entry(user).or_default();
        *until = issued_until.max(*until);
    }
    furthest.into_iter().collect()
}

/// The entry with this number, if it is still there.
pub(super) async fn entry(
    connection: &mut MultiplexedConnection,
    log: &str,
    seq: u64,
) -> Result<Option<Logged>, Fault> {
    let id = format!("{seq}-0");
    let found: Value = redis::cmd("XRANGE")
        .arg(&[log, &id, &id])
        .query_async(connection)
        .await?;
    Ok(Logged::read_all(&found)?.pop())
}

/// All entries after one, to this one at least.
async fn entries(
    connection: &mut MultiplexedConnection,
    log: &str,
    after: u64,
    to: u64,
) -> Result<Vec<Logged>, Fault> {
    let mut entries: Vec<Logged> = Vec::new();
    let mut last = after;
    loop {
        let page = entries_page(connection, log, last).await?;
        let count = page.len();
        for logged in page {
            if logged.entry.seq.get() != last + 1 {
                return Err(Fault::Gap(last));
            }
            last += 1;
            entries.push(logged);
        }
        if count < PAGE {
            break;
        }
    }
    if last < to {
        Err(Fault::Gap(last))
    } else {
        Ok(entries)
    }
}

/// Entries after one: none only if there are no more.
pub(super) async fn entries_page(
    connection: &mut MultiplexedConnection,
    log: &str,
    after: u64,
) -> Result<Vec<Logged>, Fault> {
    let page: Value = redis::cmd("XRANGE")
        .arg(&[log, &format!("({after}-0"), "+", "COUNT"])
        .arg(PAGE)
        .query_async(connection)
        .await?;
    Logged::read_all(&page)
}

async fn users(
    connection: &MultiplexedConnection,
    key: &str,
) -> Result<HashMap<UserId, Member>, Fault> {
    let page = |cursor: &str| {
        let scan = scan(key, cursor);
        let mut connection = connection.clone();
        tokio::spawn(async move { scan.query_async::<Value>(&mut connection).await })
    };
    let mut users = HashMap::new();
    let mut coming = Some(page("0"));
    while let Some(page_now) = coming.take() {
        let found = page_now.await;
        let found = found.map_err(|_| Fault::Unreachable("the runtime ends".into()))??;
        let [next, records] = array(&found)? else {
            return Err(Fault::Damaged("an answer of another form"));
        };
        // Redis looks for the next ones while these are read.
        coming = next_page(next)?.map(|next| page(&next));
        users.extend(members(records)?.into_iter().map(|it| (it.id, it)));
    }
    Ok(users)
}

/// Users from a cursor on, which is `0` at first, and where the next page begins. Some
/// may come twice.
pub(super) async fn users_page(
    connection: &mut MultiplexedConnection,
    key: &str,
    cursor: &str,
) -> Result<(Vec<Member>, Option<String>), Fault> {
    let page: Value = scan(key, cursor).query_async(connection).await?;
    let [next, records] = array(&page)? else {
        return Err(Fault::Damaged("an answer of another form"));
    };
    Ok((members(records)?, next_page(next)?))
}

fn scan(key: &str, cursor: &str) -> Cmd {
    let mut scan = redis::cmd("HSCAN");
    scan.arg(&[key, cursor, "COUNT"]).arg(PAGE);
    scan
}

fn members(records: &Value) -> Result<Vec<Member>, Fault> {
    let records = pairs(records)?.iter();
    let members = records.map(|[id, record]| member(bytes(id)?, bytes(record)?));
    members.collect()
}

/// All users as they were before `rest` was written, from how they are now.
fn members_before(mut users: HashMap<UserId, Member>, rest: &[Logged]) -> Vec<Member> {
    // The first entry about a user knows how they stood.
    let mut before: HashMap<UserId, Before> = HashMap::new();
    for logged in rest {
        if let Fact::UserChanged { user, .. }
        | Fact::Action { user, .. }
        | Fact::UserDeleted { user } = logged.entry.fact
        {
            before.entry(user).or_insert(logged.before);
        }
    }
    for (user, before) in before {
        let Some(standing) = before else {
            // Registered by that entry.
            users.remove(&user);
            continue;
        };
        // A user who was deleted since has no record any more, and will be deleted again:
        // a nameless user stands in for them.
        let member = users.entry(user).or_insert_with(|| Member {
            id: user,
            profile: Profile {
                username: "".into(),
                avatar: None,
            },
            standing: None,
            best: None,
        });
        member.standing = standing;
    }
    users.into_values().collect()
}

/// Those that are or will be valid, in the order of the log.
async fn valid_announcements(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> Result<Vec<Announcement>, Fault> {
    let now = now(connection).await?;
    let mut valid = announcements(connection, key).await?;
    valid.retain(|(_, announcement)| announcement.until > now);
    valid.sort_unstable_by_key(|(seq, _)| *seq);
    Ok(valid
        .into_iter()
        .map(|(_, announcement)| announcement)
        .collect())
}

/// All that are stored, with the numbers of their entries, in no order.
pub(super) async fn announcements(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> Result<Vec<(u64, Announcement)>, Fault> {
    let records = hash(connection, key).await?;
    let records = pairs(&records)?.iter();
    records
        .map(|[id, record]| stored_announcement(bytes(id)?, bytes(record)?))
        .collect()
}

pub(super) async fn revoked(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> Result<Vec<(UserId, u64)>, Fault> {
    let records = hash(connection, key).await?;
    let revoked = pairs(&records)?.iter();
    revoked
        .map(|[id, until]| Ok((UserId(id_of(bytes(id)?)?), number(text(until)?)?)))
        .collect()
}

/// All fields of a hash, with their values.
async fn hash(connection: &mut MultiplexedConnection, key: &str) -> Result<Value, Fault> {
    Ok(redis::cmd("HGETALL")
        .arg(key)
        .query_async(connection)
        .await?)
}
