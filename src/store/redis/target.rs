//! A board that is written to Redis, record by record.

use std::collections::HashMap;

use rand::RngExt;
use redis::aio::MultiplexedConnection;

use super::{
    connect::connect,
    eviction,
    fault::Fault,
    finals,
    load::load,
    read_records::read,
    recent::member_text as team_member_text,
    record::{
        Member, board_standing_text, counted_text, entry_fields, grouping_text, head_text,
        member_text, membership_text, point_text, profile_text, rules_text, season_text,
        stored_announcement_text,
    },
    retained::retained,
    scan::keys_page,
    servers::Servers,
    stored_log::{SCHEMA, StoredLog, random_epoch},
    time,
};
use crate::{
    board::{BoardId, Epoch, Fact, Settings, Timestamp, UserId},
    store::{
        Opened, StoreError,
        records::{Head, Lasting, Record},
    },
};

/// Words of commands that are sent at once.
const WORDS: usize = 8192;
/// Words of one command: a script can hand over no more than some thousands.
const LONGEST: usize = 1000;
/// What ends within this time is moved, and not looked for afterwards: an hour, in
/// milliseconds.
const MARGIN: u64 = 3_600_000;

/// A board that is written to Redis, and that nobody can open meanwhile.
pub(in crate::store) struct Target {
    board: StoredLog,
    connection: MultiplexedConnection,
    head: Head,
    /// By Redis's clock.
    began: Timestamp,
    /// Names this migration.
    claim: String,
    nonce: u64,
    /// When the first entry was taken, and the last.
    first: Option<Timestamp>,
    last: Timestamp,
    /// People whose records are written when it is known what they have on `main`.
    people: HashMap<UserId, Member>,
    /// Commands that are still to be sent.
    batch: Vec<Vec<u8>>,
}

impl Target {
    /// Claims a board, and deletes what is there; `None` if that is a board that may
    /// not be replaced.
    pub(in crate::store) async fn claim(
        servers: &Servers,
        main: &Settings,
        head: Head,
        replace: bool,
    ) -> Result<Option<Target>, StoreError> {
        let board = StoredLog::new(servers, main);
        let claimed = Target::try_claim(board, head, replace).await;
        claimed.map_err(|fault| fault.at(servers.to_string()))
    }

    async fn try_claim(
        board: StoredLog,
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
            first: None,
            last: Timestamp::default(),
            people: HashMap::new(),
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
    pub(in crate::store) fn retain(&self, record: Record) -> Option<Record> {
        retained(
            record,
            &self.board.servers.retention,
            self.head.seq,
            self.began,
        )
    }

    pub(in crate::store) async fn write(&mut self, record: Record) -> Result<(), StoreError> {
        let written = self.try_write(record).await;
        written.map_err(|fault| fault.at(self.board.servers.to_string()))
    }

    async fn try_write(&mut self, record: Record) -> Result<(), Fault> {
        let keys = &self.board.keys;
        match record {
            Record::Person(person) => {
                if let Some(membership) = &person.membership {
                    let text = membership_text(membership.team, &membership.groups);
                    let key = keys.hash("membership");
                    self.set(key, person.id.0.to_vec(), text).await?;
                }
                if person.hidden {
                    let key = self.board.keys.hash("hidden");
                    self.set(key, person.id.0.to_vec(), "1".into()).await?;
                }
                let member = Member {
                    id: person.id,
                    profile: person.profile,
                    standing: None,
                    best: None,
                    registered: person.registered,
                };
                self.people.insert(member.id, member);
                Ok(())
            }
            Record::Team(team) => {
                let id = team.id.to_string().into_bytes();
                let key = keys.hash("teams");
                self.set(key, id, profile_text(&team.profile)).await
            }
            Record::Board(head) => {
                let id = head.id.as_str().as_bytes().to_vec();
                if let Some(season) = head.seasons.running() {
                    let key = keys.hash("seasons");
                    self.set(key, id.clone(), season_text(season)).await?;
                }
                if head.is_used {
                    let key = self.board.keys.hash("used");
                    self.set(key, id.clone(), "1".into()).await?;
                }
                let rules = format!("0 {}", rules_text(&head.settings));
                self.set(self.board.keys.hash("rules"), id.clone(), rules)
                    .await?;
                let key = self.board.keys.hash("boards");
                self.set(key, id, head_text(&head)).await
            }
            Record::Standing(board, it) if board == BoardId::default() => {
                if let Some(member) = self.people.get_mut(&it.user) {
                    member.standing = Some(it.standing);
                    member.best = it.best;
                }
                Ok(())
            }
            Record::Standing(board, it) => {
                let text = board_standing_text(it.standing, it.best);
                self.set(keys.standings(&board), it.user.0.to_vec(), text)
                    .await
            }
            Record::TeamMember(board, it) => {
                let field = [it.user.0, it.team.0].concat();
                self.send([
                    b"HSET".to_vec(),
                    keys.members(&board).into_bytes(),
                    field,
                    team_member_text(it.standing),
                ])
                .await
            }
            Record::Final(board, standings) => {
                let key = keys.finals(&board);
                for (field, value) in finals::fields(&standings) {
                    let key = key.clone().into_bytes();
                    self.send([b"HSET".to_vec(), key, field, value]).await?;
                }
                Ok(())
            }
            Record::Deleted(board, first) => {
                let id = board.as_str().as_bytes().to_vec();
                self.set(keys.hash("deleted"), id, first.to_string()).await
            }
            Record::Entry(entry, id) => {
                self.first.get_or_insert(entry.at);
                self.last = entry.at;
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
                self.send(words).await?;
                match &entry.fact {
                    Fact::UserGrouped { user, team, groups } => {
                        let text = grouping_text(&entry, &membership_text(*team, groups));
                        let key = self.board.keys.groupings(*user);
                        self.send([b"RPUSH".to_vec(), key, text.into_bytes()]).await
                    }
                    Fact::UserDeleted { user } => {
                        let key = self.board.keys.groupings(*user);
                        self.send([b"DEL".to_vec(), key]).await
                    }
                    _ => Ok(()),
                }
            }
            Record::History(board, user, points) => {
                let key = keys.history(&board, user);
                for points in points.chunks(LONGEST) {
                    let mut words = vec![b"RPUSH".to_vec(), key.clone()];
                    words.extend(points.iter().map(|(number, past)| {
                        format!("{number} {}", point_text(past)).into_bytes()
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

    /// Sets a field of a hash.
    async fn set(&mut self, key: String, field: Vec<u8>, value: String) -> Result<(), Fault> {
        let words = [
            b"HSET".to_vec(),
            key.into_bytes(),
            field,
            value.into_bytes(),
        ];
        self.send(words).await
    }

    /// Writes what the board is as a whole, and loads it as a node does.
    pub(in crate::store) async fn complete(&mut self) -> Result<Opened, StoreError> {
        let completed = self.try_complete().await;
        completed.map_err(|fault| fault.at(self.board.servers.to_string()))
    }

    async fn try_complete(&mut self) -> Result<Opened, Fault> {
        for member in std::mem::take(&mut self.people).into_values() {
            let users = self.board.keys.users.clone();
            self.set(users, member.id.0.to_vec(), member_text(&member))
                .await?;
        }
        let seq = self.head.seq.to_string();
        self.send([
            b"HSET".to_vec(),
            self.board.keys.meta.clone().into_bytes(),
            b"epoch".to_vec(),
            self.head.epoch.to_string().into_bytes(),
            b"deciding".to_vec(),
            b"log".to_vec(),
            b"seq".to_vec(),
            seq.clone().into_bytes(),
            b"ranked_through".to_vec(),
            seq.into_bytes(),
            b"began".to_vec(),
            self.first.unwrap_or(self.began).0.to_string().into_bytes(),
            b"at".to_vec(),
            self.last.0.to_string().into_bytes(),
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
