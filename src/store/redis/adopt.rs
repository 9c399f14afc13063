//! What an operator decides about a board that is not as it was left.

use std::{collections::BTreeMap, fmt};

use redis::{Value, aio::MultiplexedConnection};

use super::{
    connect::connect,
    fault::Fault,
    load::{self, load},
    record::{Logged, number, rules_text, season_text, settings_text},
    scan::{entries_page, keys_page},
    servers::Servers,
    stored_log::{SCHEMA, StoredLog, random_epoch},
};
use crate::{
    board::{BoardId, Settings, State, UserId},
    store::StoreError,
};

/// How many users one call of a script is given: while it runs, Redis serves nobody else,
/// and it has to end before a call is given up.
const AT_ONCE: usize = 1000;

/// What is left of a board, and what it would be if it went on with that.
pub struct Survey {
    board: StoredLog,
    connection: MultiplexedConnection,
    /// What is wrong, if anything is.
    wrong: Option<String>,
    /// The fields epoch and seq of meta; empty if they are missing.
    found: [String; 2],
    users: u64,
    /// Users whose past on a board is gone.
    without_past: Vec<(BoardId, Vec<UserId>)>,
    entries: u64,
    /// The last entry.
    last: u64,
    /// The last one before entries that are missing, if any are.
    torn_after: Option<u64>,
    /// As far as ranks are known.
    ranked_through: u64,
}

/// What is stored of a board as a whole, as far as it is.
struct Meta {
    epoch: String,
    seq: Option<u64>,
    ranked_through: Option<u64>,
}

impl Survey {
    /// Looks at what is left. Nothing is changed.
    ///
    /// # Errors
    /// If Redis cannot be reached, or what is there is of another program, of a later
    /// version, under other rules or being migrated.
    pub async fn take(servers: &Servers, main: &Settings) -> Result<Survey, StoreError> {
        let board = StoredLog::new(servers, main);
        let survey = Survey::try_take(board).await;
        survey.map_err(|fault| fault.at(servers.to_string()))
    }

    async fn try_take(board: StoredLog) -> Result<Survey, Fault> {
        let mut connection = connect(&board.servers, &board.keys).await?.commands;
        let wrong = match board.find(&mut connection).await {
            Ok(Some(_)) => None,
            Ok(None) => board
                .check_empty(&mut connection)
                .await
                .err()
                .map(|it| it.to_string()),
            Err(Fault::Lost(wrong)) => Some(wrong),
            Err(fault) => return Err(fault),
        };
        let meta = meta(&mut connection, &board).await?;
        let (users, reached, without_past) = users(&mut connection, &board).await?;
        let log = log(&mut connection, &board, meta.ranked_through).await?;
        let last = meta.seq.into_iter().chain([log.last, reached]).max();
        let last = last.unwrap_or_default();
        // The entries after that are needed to know ranks.
        let is_whole = log.torn_after.is_none() && log.last == last;
        let ranked_through = meta
            .ranked_through
            .filter(|ranked| is_whole && *ranked <= last);
        let torn_after = match meta.ranked_through {
            Some(ranked) if ranked < last && !is_whole => Some(log.torn_after.unwrap_or(log.last)),
            _ => None,
        };
        Ok(Survey {
            wrong,
            found: [
                meta.epoch,
                meta.seq.map(|seq| seq.to_string()).unwrap_or_default(),
            ],
            users,
            without_past,
            entries: log.entries,
            last,
            torn_after,
            ranked_through: ranked_through.unwrap_or(last),
            board,
            connection,
        })
    }

    /// Begins a new epoch with what is left. Nodes that run load it.
    ///
    /// # Errors
    /// If Redis cannot be reached, or the board has changed since it was looked at.
    pub async fn adopt(mut self) -> Result<(), StoreError> {
        let servers = self.board.servers.to_string();
        self.try_adopt().await.map_err(|fault| fault.at(servers))
    }

    async fn try_adopt(&mut self) -> Result<(), Fault> {
        let changed = || {
            Err(Fault::Unusable(
                "the board has changed meanwhile: look again at what would be done".into(),
            ))
        };
        // Before the new epoch: should this end halfway, the next attempt finds the rest.
        for (board, users) in &self.without_past {
            for users in users.chunks(AT_ONCE) {
                let mut call = self.board.call(&self.board.scripts.forget);
                call.arg(&self.found).arg(board.as_str());
                for user in users {
                    call.arg(&user.0[..]);
                }
                let is_same: bool = call.invoke_async(&mut self.connection).await?;
                if !is_same {
                    return changed();
                }
            }
        }
        let mut call = self.board.call(&self.board.scripts.adopt);
        call.arg(&self.found)
            .arg(SCHEMA)
            .arg(random_epoch().to_string())
            .arg(self.last)
            .arg(self.ranked_through)
            .arg(rules_text(&self.board.main))
            .arg(settings_text(&self.board.main));
        let adopted: bool = call.invoke_async(&mut self.connection).await?;
        if !adopted {
            return changed();
        }
        // A node could not either, if this fails.
        let loaded = load(&mut self.connection, &self.board).await?;
        self.write_seasons(&loaded.opened.state).await
    }

    /// Which seasons run, by all entries: the script knows those of the boards as they were when
    /// they were written last.
    async fn write_seasons(&mut self, state: &State) -> Result<(), Fault> {
        let key = self.board.keys.hash("seasons");
        let mut pipe = redis::pipe();
        pipe.atomic().del(&key).ignore();
        for board in state.boards() {
            if let Some(season) = board.season() {
                let (id, text) = (board.id().as_str(), season_text(season));
                pipe.hset(&key, id, text).ignore();
            }
        }
        Ok(pipe.query_async(&mut self.connection).await?)
    }
}

/// As lines: what was found, and what will be done.
impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Survey {
            users,
            entries,
            last,
            ..
        } = self;
        writeln!(f, "In {}:", self.board.servers)?;
        match &self.wrong {
            Some(wrong) => writeln!(f, "  wrong: {wrong}")?,
            None => writeln!(f, "  nothing that can be seen there is wrong")?,
        }
        writeln!(
            f,
            "  left: {users} users, and {entries} entries of the log up to {last}"
        )?;
        if let Some(after) = self.torn_after {
            writeln!(f, "  missing: entries of the log after {after}")?;
        }
        match self.without_past.iter().map(|(_, users)| users.len()).sum() {
            0 => {}
            many => writeln!(f, "  missing: the past of {many} users")?,
        }
        write!(
            f,
            "podium adopt takes this as the board: it begins a new epoch after entry {last}, and \
             all servers show this board from then on, whatever they showed before. It deletes \
             nothing. What is missing stays missing: users have to be registered again, actions \
             that are sent again count again if their ids are gone, and a past that is gone \
             begins anew."
        )
    }
}

async fn meta(connection: &mut MultiplexedConnection, board: &StoredLog) -> Result<Meta, Fault> {
    let names = [
        "schema",
        "epoch",
        "deciding",
        "seq",
        "ranked_through",
        "migrating",
        "claimed",
    ];
    let mut get = redis::cmd("HMGET");
    let fields: Vec<Option<String>> = get
        .arg(&board.keys.meta)
        .arg(&names)
        .query_async(connection)
        .await?;
    let field = |name: &str| {
        let at = names.iter().position(|known| *known == name)?;
        fields.get(at)?.as_deref()
    };
    if let Some(schema) = field("schema").and_then(|schema| schema.parse().ok())
        && schema > SCHEMA
    {
        return Err(board.too_new(schema));
    }
    // A later program has that for early ones.
    let is_early = field("schema") == Some("1");
    if field("claimed").is_some() || is_early && field("migrating").is_some() {
        return Err(Fault::Foreign(StoreError::Migrating(
            board.servers.to_string(),
        )));
    }
    if let Some(deciding) = field("deciding") {
        board.check_rule(deciding)?;
    }
    Ok(Meta {
        epoch: field("epoch").unwrap_or_default().to_owned(),
        seq: field("seq").map(number).transpose()?,
        ranked_through: field("ranked_through").map(number).transpose()?,
    })
}

/// How many users there are, the last entry by which one of them stands where they do, and
/// those whose past on a board is gone.
async fn users(
    connection: &mut MultiplexedConnection,
    board: &StoredLog,
) -> Result<(u64, u64, Vec<(BoardId, Vec<UserId>)>), Fault> {
    let (mut count, mut reached, mut gone) = (0, 0, Vec::new());
    let main = BoardId::default();
    let mut cursor = Some("0".to_owned());
    while let Some(from) = cursor {
        let (members, next) = load::users_page(connection, &board.keys.users, &from).await?;
        count += members.len() as u64;
        let standings = members.iter().filter_map(|member| member.standing);
        reached = standings.map(|it| it.reached.get()).fold(reached, u64::max);
        let acted = members.iter().filter(|member| member.best.is_some());
        let acted: Vec<UserId> = acted.map(|member| member.id).collect();
        let prefix = board.keys.histories(&main, "0");
        gone.extend(without_past(connection, &prefix, acted).await?);
        cursor = next;
    }
    let mut all = vec![(main.clone(), gone)];
    for id in load::fed_boards(connection, board).await? {
        let standings = load::standings(connection, &board.keys.standings(&id)).await?;
        let Some(prefix) = load::histories(connection, board, &id).await? else {
            continue;
        };
        reached = standings
            .iter()
            .map(|it| it.standing.reached.get())
            .fold(reached, u64::max);
        let acted: Vec<UserId> = standings
            .iter()
            .filter(|it| it.best.is_some())
            .map(|it| it.user)
            .collect();
        let mut gone = Vec::new();
        for acted in acted.chunks(AT_ONCE) {
            gone.extend(without_past(connection, &prefix, acted.to_vec()).await?);
        }
        all.push((id, gone));
    }
    Ok((count, reached, all))
}

/// Whose history is gone, whose key begins in this way.
async fn without_past(
    connection: &mut MultiplexedConnection,
    prefix: &[u8],
    acted: Vec<UserId>,
) -> Result<Vec<UserId>, Fault> {
    // Of nothing, nothing may be asked.
    if acted.is_empty() {
        return Ok(acted);
    }
    // A best rank is written together with the first point of a history.
    let mut pipe = redis::pipe();
    for user in &acted {
        pipe.cmd("EXISTS").arg([prefix, &user.0[..]].concat());
    }
    let found: Vec<bool> = pipe.query_async(connection).await?;
    let gone = acted.into_iter().zip(found);
    Ok(gone
        .filter(|(_, is_there)| !is_there)
        .map(|(user, _)| user)
        .collect())
}

/// What is left of a log.
struct Log {
    entries: u64,
    last: u64,
    torn_after: Option<u64>,
}

async fn log(
    connection: &mut MultiplexedConnection,
    board: &StoredLog,
    ranked_through: Option<u64>,
) -> Result<Log, Fault> {
    let key = &board.keys.log;
    let entries = redis::cmd("XLEN").arg(key).query_async(connection).await?;
    let mut get = redis::cmd("XREVRANGE");
    let last: Value = get
        .arg(&[key.as_str(), "+", "-", "COUNT", "1"])
        .query_async(connection)
        .await?;
    let last = Logged::read_all(&last)?.pop();
    let last = last.map_or(0, |last| last.entry.seq.get());
    let mut torn_after = None;
    let mut at = ranked_through.unwrap_or(last);
    while at < last && torn_after.is_none() {
        let page = entries_page(connection, key, at).await?;
        if page.is_empty() {
            break;
        }
        for logged in page {
            if logged.entry.seq.get() != at + 1 {
                torn_after = Some(at);
                break;
            }
            at += 1;
        }
    }
    Ok(Log {
        entries,
        last,
        torn_after,
    })
}

/// All that is in Redis under the name of a board, and would be deleted.
pub struct Reset {
    board: StoredLog,
    connection: MultiplexedConnection,
    /// How many keys there are of each type.
    kinds: BTreeMap<String, u64>,
}

impl Reset {
    /// Looks at what is there. Nothing is changed.
    ///
    /// # Errors
    /// If Redis cannot be reached.
    pub async fn plan(servers: &Servers, main: &Settings) -> Result<Reset, StoreError> {
        let board = StoredLog::new(servers, main);
        let plan = Reset::try_plan(board).await;
        plan.map_err(|fault| fault.at(servers.to_string()))
    }

    async fn try_plan(board: StoredLog) -> Result<Reset, Fault> {
        let mut connection = connect(&board.servers, &board.keys).await?.commands;
        let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
        let mut cursor = Some("0".to_owned());
        while let Some(from) = cursor {
            let (keys, next) = keys_page(&mut connection, board.keys.prefix(), &from).await?;
            for key in keys {
                let name = &key[board.keys.prefix().len()..];
                let kind = name.split(|byte| *byte == b':').next().unwrap_or_default();
                let kind = kind.escape_ascii().to_string();
                *kinds.entry(kind).or_default() += 1;
            }
            cursor = next;
        }
        Ok(Reset {
            board,
            connection,
            kinds,
        })
    }

    /// Deletes all of it, and begins a new epoch with an empty board. Nodes that run show
    /// that.
    ///
    /// # Errors
    /// If Redis cannot be reached, or the user may not do that.
    pub async fn run(mut self) -> Result<(), StoreError> {
        let servers = self.board.servers.to_string();
        self.try_run().await.map_err(|fault| fault.at(servers))
    }

    async fn try_run(&mut self) -> Result<(), Fault> {
        let (board, connection) = (&self.board, &mut self.connection);
        let mut cursor = Some("0".to_owned());
        while let Some(from) = cursor {
            let (keys, next) = keys_page(connection, board.keys.prefix(), &from).await?;
            if !keys.is_empty() {
                let mut unlink = redis::cmd("UNLINK");
                unlink.arg(keys).exec_async(connection).await?;
            }
            cursor = next;
        }
        // Another node may have made one already.
        let made = match board.find(connection).await? {
            Some(made) => made,
            None => board.create(connection).await?,
        };
        let mut call = board.call(&board.scripts.adopt);
        call.arg(made.epoch.to_string())
            .arg(made.seq)
            .arg(SCHEMA)
            .arg(random_epoch().to_string())
            .arg(made.seq)
            .arg(made.ranked_through)
            .arg(rules_text(&board.main))
            .arg(settings_text(&board.main));
        let adopted: bool = call.invoke_async(connection).await?;
        if adopted {
            return Ok(());
        }
        Err(Fault::Unusable(
            "another node wrote to the board meanwhile: try again".into(),
        ))
    }
}

/// As lines: what is there, and what will be done.
impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.board.keys.prefix().escape_ascii();
        writeln!(f, "In {}:", self.board.servers)?;
        for (kind, count) in &self.kinds {
            writeln!(f, "  {count} keys {prefix}{kind}")?;
        }
        write!(
            f,
            "podium reset deletes all keys that begin with {prefix}, with all users, scores and \
             remembered actions, and begins an empty board, which all servers show from then on. \
             This cannot be undone."
        )
    }
}
