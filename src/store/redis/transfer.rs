//! A board in Redis, record by record: read from it, or written to it.

use rand::RngExt;
use redis::{Pipeline, Value, aio::MultiplexedConnection};

use super::{
    call::{self, Answer},
    connect::connect,
    eviction,
    fault::Fault,
    load::{self, Loaded, load},
    meta::meta,
    record::{
        action_point, array, bytes, bytes_text, counted_text, entry_fields, id_of, member_text,
        number, pairs, read_counted, read_point, stored_announcement_text, text,
    },
    scan::keys_page,
    servers::Servers,
    stored_board::{SCHEMA, StoredBoard, random_epoch},
    time,
};
use crate::{
    board::{BoardId, Epoch, Fact, Rules, Timestamp, UserId},
    store::{
        ActionId, Opened, RecentAction, StoreError,
        transfer::{Counted, Head, Lasting, Limited, Record},
    },
};

/// Ranks that are written at once.
const RANKS: usize = 1024;
/// Words of commands that are sent at once.
const WORDS: usize = 8192;
/// Words of one command: a script can hand over no more than some thousands.
const LONGEST: usize = 1000;
/// What ends within this time is moved, and not looked for afterwards: an hour, in
/// milliseconds.
const MARGIN: u64 = 3_600_000;

/// A board that is read from Redis.
pub(in crate::store) struct Source {
    board: StoredBoard,
    connection: MultiplexedConnection,
    head: Head,
}

impl Source {
    /// Loads a board, when all its ranks are written; `None` if it is not there.
    pub(in crate::store) async fn open(
        servers: &Servers,
        board: &BoardId,
        rules: Rules,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        let board = StoredBoard::new(servers, board, rules);
        let opened = Source::try_open(board, true).await;
        opened.map_err(|fault| fault.at(servers.to_string()))
    }

    /// Loads a board, and writes nothing; `None` if it is not there.
    pub(in crate::store) async fn peek(
        servers: &Servers,
        board: &BoardId,
        rules: Rules,
    ) -> Result<Option<(Opened, Source)>, StoreError> {
        let board = StoredBoard::new(servers, board, rules);
        let opened = Source::try_open(board, false).await;
        opened.map_err(|fault| fault.at(servers.to_string()))
    }

    async fn try_open(
        board: StoredBoard,
        with_ranks: bool,
    ) -> Result<Option<(Opened, Source)>, Fault> {
        let mut connection = connect(&board.servers, &board.keys).await?.commands;
        if board.find(&mut connection).await?.is_none() {
            return Ok(None);
        }
        let mut loaded = load(&mut connection, &board).await?;
        let epoch = loaded.opened.epoch;
        if with_ranks {
            write_ranks(&mut connection, &board, &mut loaded).await?;
        }
        let source = Source {
            head: Head {
                epoch,
                seq: loaded.opened.board.seq(),
            },
            board,
            connection,
        };
        Ok(Some((loaded.opened, source)))
    }

    /// Has nobody written to it since it was opened?
    pub(in crate::store) async fn is_as_it_was(&mut self) -> Result<bool, StoreError> {
        let found = meta(&mut self.connection, &self.board.keys.meta).await;
        let found = found.map_err(|fault| fault.at(self.board.servers.to_string()))?;
        Ok((found.epoch, found.seq) == (self.head.epoch, self.head.seq))
    }

    pub(in crate::store) async fn read(
        &mut self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let read = read(&mut self.connection, &self.board, each).await;
        read.map_err(|fault| fault.at(self.board.servers.to_string()))
    }

    /// What was counted under each of these ids, as far as it is remembered.
    pub(in crate::store) async fn counted(
        &mut self,
        ids: &[ActionId],
    ) -> Result<Vec<Option<Counted>>, StoreError> {
        let counted = self.try_counted(ids).await;
        counted.map_err(|fault| fault.at(self.board.servers.to_string()))
    }

    async fn try_counted(&mut self, ids: &[ActionId]) -> Result<Vec<Option<Counted>>, Fault> {
        let keys = ids.iter().map(|id| self.board.keys.action(id.as_str()));
        let keys: Vec<_> = keys.collect();
        let asked = ask_of_each(&mut self.connection, &keys, |pipe, key| {
            pipe.cmd("GET").arg(key);
        });
        let found = asked.await?;
        let read = |(id, record): (&ActionId, &Value)| match record {
            Value::Nil => Ok(None),
            // When it was counted is not asked for.
            record => read_counted(id.as_str().as_bytes(), bytes(record)?, Timestamp(0)).map(Some),
        };
        ids.iter().zip(&found).map(read).collect()
    }
}

/// Writes the ranks that no node has written.
async fn write_ranks(
    connection: &mut MultiplexedConnection,
    board: &StoredBoard,
    loaded: &mut Loaded,
) -> Result<(), Fault> {
    let recent = &mut loaded.recent;
    while recent.is_ahead() {
        let nonce = rand::rng().random();
        let retention = &board.servers.retention;
        let arguments = call::begin(&loaded.following, nonce, retention, recent, RANKS);
        let mut call = board.call(&board.scripts.append);
        let answer: Value = call.arg(arguments).invoke_async(connection).await?;
        let known = recent.ranked_through();
        recent.observe(Answer::read(&answer)?.ranked_through);
        // They were read as far as Redis reported, so only another can have set it back.
        if recent.ranked_through() == known {
            return Err(Fault::Unusable(format!(
                "it says no longer that it knows ranks up to {known}, so something else wrote to \
                 it, or it lost what was written last: stop all nodes that use it, and run podium \
                 migrate again"
            )));
        }
    }
    Ok(())
}

async fn read(
    connection: &mut MultiplexedConnection,
    board: &StoredBoard,
    mut each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
) -> Result<(), Fault> {
    let keys = &board.keys;
    let mut each = async |record| each(record).await.map_err(Fault::Foreign);

    let mut cursor = Some("0".to_owned());
    while let Some(from) = cursor {
        let (members, next) = load::users_page(connection, &keys.users, &from).await?;
        for member in members {
            each(Record::Member(member)).await?;
        }
        cursor = next;
    }

    let mut last = 0;
    loop {
        let page = load::entries_page(connection, &keys.log, last).await?;
        let Some(end) = page.last() else {
            break;
        };
        last = end.entry.seq.get();
        for logged in page {
            each(Record::Entry(logged.entry, logged.action)).await?;
        }
    }

    let prefix = keys.histories();
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
            each(Record::History(user, points.collect::<Result<_, _>>()?)).await?;
        }
        cursor = next;
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
async fn ask_of_each(
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

/// A board that is written to Redis, and that nobody can open meanwhile.
pub(in crate::store) struct Target {
    board: StoredBoard,
    connection: MultiplexedConnection,
    head: Head,
    /// By Redis's clock.
    began: Timestamp,
    /// Names this migration.
    claim: String,
    nonce: u64,
    /// Commands that are still to be sent.
    batch: Vec<Vec<u8>>,
}

impl Target {
    /// Claims a board, and deletes what is there; `None` if that is a board that may
    /// not be replaced.
    pub(in crate::store) async fn claim(
        servers: &Servers,
        board: &BoardId,
        rules: Rules,
        head: Head,
        replace: bool,
    ) -> Result<Option<Target>, StoreError> {
        let board = StoredBoard::new(servers, board, rules);
        let claimed = Target::try_claim(board, head, replace).await;
        claimed.map_err(|fault| fault.at(servers.to_string()))
    }

    async fn try_claim(
        board: StoredBoard,
        mut head: Head,
        replace: bool,
    ) -> Result<Option<Target>, Fault> {
        let link = connect(&board.servers, &board.keys).await?;
        if let Some(why) = eviction::possible(&link.info) {
            return Err(Fault::Unusable(why));
        }
        let mut connection = link.commands;
        let claim = random_epoch().to_string();
        if !replace
            && board
                .find(&mut connection)
                .await
                .is_ok_and(|it| it.is_none())
        {
            // Nothing is deleted that may be left of a board.
            board.check_empty(&mut connection).await?;
        }
        let mut call = board.call(&board.scripts.claim);
        call.arg(SCHEMA).arg(&claim).arg(u8::from(replace));
        let (schema, seq): (usize, u64) = call.invoke_async(&mut connection).await?;
        if schema > SCHEMA {
            return Err(board.too_new(schema));
        }
        if seq > 0 && !replace {
            return Ok(None);
        }
        if seq > 0 {
            head.epoch = random_epoch();
        }
        let began = time::now(&mut connection).await?;
        let mut target = Target {
            board,
            connection,
            head,
            began,
            claim,
            nonce: rand::rng().random(),
            batch: Vec::new(),
        };
        target.clear().await?;
        Ok(Some(target))
    }

    /// Deletes all keys of the board but the one that names the migration.
    async fn clear(&mut self) -> Result<(), Fault> {
        let prefix = self.board.keys.prefix().to_vec();
        let mut cursor = Some("0".to_owned());
        while let Some(from) = cursor {
            let (found, next) = keys_page(&mut self.connection, &prefix, &from).await?;
            for key in found {
                if key != self.board.keys.meta.as_bytes() {
                    self.send([b"UNLINK".to_vec(), key]).await?;
                }
            }
            cursor = next;
        }
        self.flush().await
    }

    pub(in crate::store) fn epoch(&self) -> Epoch {
        self.head.epoch
    }

    pub(in crate::store) fn lasting(&self) -> Lasting {
        let actions = self.remembered();
        Lasting {
            until: Timestamp(self.began.0 + MARGIN.min(actions / 2)),
            actions,
        }
    }

    /// How long ids of actions are known, in milliseconds.
    fn remembered(&self) -> u64 {
        self.board.servers.retention.actions.as_millis() as u64
    }

    /// What a node would have retained of a record.
    pub(in crate::store) fn keep(&self, record: Record) -> Option<Record> {
        let retention = &self.board.servers.retention;
        let is_kept = match &record {
            Record::Entry(entry, id) => {
                let is_late = entry.seq.get() + retention.entries.get() > self.head.seq;
                // Of an action without one, a history has told it.
                is_late && (id.is_some() || !matches!(entry.fact, Fact::Action { .. }))
            }
            Record::Counted(counted) => {
                counted.at.0.saturating_add(self.remembered()) > self.began.0
            }
            Record::Announced(_, announcement) => announcement.until > self.began,
            Record::Limited(limited) => limited.until() > self.began,
            Record::Member(_) | Record::Revoked(..) => true,
            Record::History(..) => {
                let Record::History(user, points) = record else {
                    return None;
                };
                return Some(Record::History(user, thin(points, retention.history.get())));
            }
        };
        is_kept.then_some(record)
    }

    pub(in crate::store) async fn write(&mut self, record: Record) -> Result<(), StoreError> {
        let written = self.try_write(record).await;
        written.map_err(|fault| fault.at(self.board.servers.to_string()))
    }

    async fn try_write(&mut self, record: Record) -> Result<(), Fault> {
        let keys = &self.board.keys;
        match record {
            Record::Member(member) => {
                let text = member_text(&member).into_bytes();
                let users = keys.users.clone().into_bytes();
                self.send([b"HSET".to_vec(), users, member.id.0.to_vec(), text])
                    .await
            }
            Record::Entry(entry, id) => {
                let mut words = vec![
                    b"XADD".to_vec(),
                    keys.log.clone().into_bytes(),
                    format!("{}-0", entry.seq.get()).into_bytes(),
                ];
                words.extend(entry_fields(
                    &entry,
                    id.as_deref(),
                    self.head.epoch,
                    self.nonce,
                ));
                self.send(words).await
            }
            Record::History(user, points) => {
                let key = keys.history(user);
                for points in points.chunks(LONGEST) {
                    let mut words = vec![b"RPUSH".to_vec(), key.clone()];
                    words.extend(points.iter().map(|(number, action)| {
                        format!("{number} {}", action_point(action)).into_bytes()
                    }));
                    self.send(words).await?;
                }
                Ok(())
            }
            Record::Counted(counted) => {
                let ends = counted.at.0.saturating_add(self.remembered());
                self.send([
                    b"SET".to_vec(),
                    self.board.keys.action(&counted.id),
                    counted_text(&counted),
                    b"PXAT".to_vec(),
                    ends.to_string().into_bytes(),
                ])
                .await
            }
            Record::Announced(seq, announcement) => {
                self.send([
                    b"HSET".to_vec(),
                    keys.announcements.clone().into_bytes(),
                    announcement.id.0.to_vec(),
                    stored_announcement_text(seq, &announcement).into_bytes(),
                ])
                .await
            }
            Record::Revoked(user, until) => {
                self.send([
                    b"HSET".to_vec(),
                    keys.revoked.clone().into_bytes(),
                    user.0.to_vec(),
                    until.to_string().into_bytes(),
                ])
                .await
            }
            Record::Limited(limited) => {
                let key = keys.limited(limited.user, &limited.action_type);
                let number = |number: u64| number.to_string().into_bytes();
                self.send([
                    b"ZADD".to_vec(),
                    key.clone(),
                    number(limited.at.0),
                    number(limited.seq),
                ])
                .await?;
                // They come in order, so that the last says when all have ended.
                let ends = number(limited.until().0);
                self.send([b"PEXPIREAT".to_vec(), key, ends]).await
            }
        }
    }

    /// Writes what the board is as a whole, and loads it as a node does.
    pub(in crate::store) async fn complete(&mut self) -> Result<Opened, StoreError> {
        let completed = self.try_complete().await;
        completed.map_err(|fault| fault.at(self.board.servers.to_string()))
    }

    async fn try_complete(&mut self) -> Result<Opened, Fault> {
        let seq = self.head.seq.to_string();
        self.send([
            b"HSET".to_vec(),
            self.board.keys.meta.clone().into_bytes(),
            b"epoch".to_vec(),
            self.head.epoch.to_string().into_bytes(),
            b"deciding".to_vec(),
            self.board.rules.deciding().into(),
            b"seq".to_vec(),
            seq.clone().into_bytes(),
            b"ranked_through".to_vec(),
            seq.into_bytes(),
        ])
        .await?;
        self.flush().await?;
        Ok(load(&mut self.connection, &self.board).await?.opened)
    }

    pub(in crate::store) async fn read(
        &mut self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let read = read(&mut self.connection, &self.board, each).await;
        read.map_err(|fault| fault.at(self.board.servers.to_string()))
    }

    /// Lets others open the board.
    pub(in crate::store) async fn set_free(mut self) -> Result<(), StoreError> {
        let servers = self.board.servers.to_string();
        let freed = async {
            self.flush().await?;
            let mut call = self.board.call(&self.board.scripts.free);
            call.arg(&self.claim);
            Ok(call.invoke_async(&mut self.connection).await?)
        };
        freed.await.map_err(|fault: Fault| fault.at(servers))
    }

    /// Adds a command to those that are sent together.
    async fn send(&mut self, words: impl IntoIterator<Item = Vec<u8>>) -> Result<(), Fault> {
        let length = self.batch.len();
        self.batch.push(Vec::new());
        self.batch.extend(words);
        let words = self.batch.len() - length - 1;
        self.batch[length] = words.to_string().into_bytes();
        if self.batch.len() < WORDS {
            return Ok(());
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let mut call = self.board.scripts.restore.prepare_invoke();
        call.key(&self.board.keys.meta).arg(&self.claim).arg(batch);
        Ok(call.invoke_async(&mut self.connection).await?)
    }
}

/// What is left of a history after it was thinned out as often as `append.lua` would
/// have done.
fn thin(points: Vec<(u64, RecentAction)>, longest: u64) -> Vec<(u64, RecentAction)> {
    let mut kept = Vec::new();
    for point in points {
        kept.push(point);
        if kept.len() as u64 > longest {
            let length = kept.len();
            let mut number = 0;
            kept.retain(|_| {
                number += 1;
                2 * number > length || number % 2 == 1
            });
        }
    }
    kept
}
