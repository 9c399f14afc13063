//! A derived board that is read from Redis. What people have on it changes with the ranks that
//! nodes write, and the log does not say what was before. So a large one, which cannot be read
//! at once, is read in pages, and then once more of all who have changed since the first.

use std::collections::{HashMap, HashSet};

use redis::{Value, aio::MultiplexedConnection};

use super::{
    fault::Fault,
    record::{
        array, number, pairs, read_head, read_membership, stored_member, stored_standing, text,
    },
    scan::{entries_page, hash_in_pages},
    stored_log::StoredLog,
};
use crate::board::{
    BoardHead, BoardId, Fact, StoredBoard, StoredMember, StoredStanding, TeamId, UserId,
};

/// So many are read at once, while Redis does nothing else.
const AT_ONCE: usize = 2000;
/// How often a board may change as a whole while it is read.
const ATTEMPTS: usize = 5;

/// A derived board, if it is there; if an entry is given, the one that was created by that.
pub(super) async fn read(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
    id: &BoardId,
    created_by: Option<u64>,
) -> Result<Option<StoredBoard>, Fault> {
    for _ in 0..ATTEMPTS {
        let mut board = Reading {
            log,
            id,
            created_by,
            standings: HashMap::new(),
            members: HashMap::new(),
            changed: HashSet::new(),
            teams: HashMap::new(),
        };
        match board.read(connection).await? {
            Outcome::Gone => return Ok(None),
            Outcome::Whole(board) => return Ok(Some(board)),
            Outcome::Anew => {}
        }
    }
    Err(Fault::Changed)
}

enum Outcome {
    Gone,
    Whole(StoredBoard),
    /// A season has ended, or the board is another one.
    Anew,
}

struct Reading<'a> {
    log: &'a StoredLog,
    id: &'a BoardId,
    created_by: Option<u64>,
    standings: HashMap<UserId, StoredStanding>,
    members: HashMap<(UserId, TeamId), StoredMember>,
    /// Who may have something else by now.
    changed: HashSet<UserId>,
    /// In which teams they may have been.
    teams: HashMap<UserId, HashSet<TeamId>>,
}

/// What the script has returned.
struct Answer {
    as_of: u64,
    head: BoardHead,
    is_whole: bool,
    standings: Value,
    members: Value,
}

impl Reading<'_> {
    async fn read(&mut self, connection: &mut MultiplexedConnection) -> Result<Outcome, Fault> {
        let Some(first) = self.ask(connection).await? else {
            return Ok(Outcome::Gone);
        };
        let mut through = first.as_of;
        if first.is_whole {
            return self.whole(first).map(Outcome::Whole);
        }
        let keys = &self.log.keys;
        let found = hash_in_pages(connection, &keys.standings(self.id)).await?;
        for [user, record] in found.as_chunks().0 {
            let standing = stored_standing(user, record)?;
            self.standings.extend(standing.map(|it| (it.user, it)));
        }
        let found = hash_in_pages(connection, &keys.members(self.id)).await?;
        for [field, record] in found.as_chunks().0 {
            let member = stored_member(field, record)?;
            self.members.insert((member.user, member.team), member);
        }
        loop {
            if !self.follow(connection, &mut through).await? {
                return Ok(Outcome::Anew);
            }
            let Some(answer) = self.ask(connection).await? else {
                return Ok(Outcome::Gone);
            };
            if answer.as_of <= through {
                return self.whole(answer).map(Outcome::Whole);
            }
        }
    }

    async fn ask(&self, connection: &mut MultiplexedConnection) -> Result<Option<Answer>, Fault> {
        let created_by = self.created_by.map(|entry| entry.to_string());
        let mut call = self.log.scripts.board.prepare_invoke();
        call.key(&self.log.keys.meta)
            .arg(self.id.as_str())
            .arg(created_by.unwrap_or_default())
            .arg(AT_ONCE)
            .arg(self.changed.len());
        for user in &self.changed {
            call.arg(&user.0[..]);
        }
        for (user, teams) in &self.teams {
            for team in teams {
                call.arg([user.0, team.0].concat());
            }
        }
        let found: Value = call.invoke_async(connection).await?;
        if found == Value::Nil {
            return Ok(None);
        }
        let [as_of, head, is_whole, standings, members] = array(&found)? else {
            return Err(Fault::Damaged("an answer of another form"));
        };
        Ok(Some(Answer {
            as_of: number(text(as_of)?)?,
            head: read_head(self.id.as_str(), text(head)?)?,
            is_whole: *is_whole == Value::Int(1),
            standings: standings.clone(),
            members: members.clone(),
        }))
    }

    /// Notes who may have something else than what was read, by the entries after `through`;
    /// `false` if that are all.
    async fn follow(
        &mut self,
        connection: &mut MultiplexedConnection,
        through: &mut u64,
    ) -> Result<bool, Fault> {
        let mut new: HashSet<UserId> = HashSet::new();
        loop {
            let page = entries_page(connection, &self.log.keys.log, *through).await?;
            if page.is_empty() {
                break;
            }
            for logged in page {
                if logged.entry.seq.get() != *through + 1 {
                    return Err(Fault::Gap(*through));
                }
                *through += 1;
                match &logged.entry.fact {
                    Fact::Action(action) => _ = new.insert(action.user),
                    Fact::UserDeleted { user } => {
                        new.insert(*user);
                        let before = logged.was.and_then(|was| was.team);
                        self.teams.entry(*user).or_default().extend(before);
                    }
                    Fact::UserGrouped { user, team, .. } => {
                        new.insert(*user);
                        let before = logged.was.and_then(|was| was.team);
                        let teams = self.teams.entry(*user).or_default();
                        teams.extend(before.into_iter().chain(*team));
                    }
                    Fact::SeasonEnded { board, .. } | Fact::BoardDeleted { board }
                        if board == self.id =>
                    {
                        return Ok(false);
                    }
                    _ => {}
                }
            }
        }
        new.retain(|user| !self.changed.contains(user));
        self.changed.extend(&new);
        for (user, team) in self.members.keys().filter(|(user, _)| new.contains(user)) {
            self.teams.entry(*user).or_default().insert(*team);
        }
        for user in new {
            let belongs: Value = redis::cmd("HGET")
                .arg(self.log.keys.hash("membership"))
                .arg(&user.0[..])
                .query_async(connection)
                .await?;
            if belongs != Value::Nil {
                let team = read_membership(text(&belongs)?)?.team;
                self.teams.entry(user).or_default().extend(team);
            }
        }
        Ok(true)
    }

    /// The board with what the script has returned.
    fn whole(&mut self, answer: Answer) -> Result<StoredBoard, Fault> {
        for user in &self.changed {
            self.standings.remove(user);
        }
        for [user, record] in pairs(&answer.standings)? {
            if *record != Value::Nil {
                let standing = stored_standing(user, record)?;
                self.standings.extend(standing.map(|it| (it.user, it)));
            }
        }
        self.members
            .retain(|(user, _), _| !self.changed.contains(user));
        for [field, record] in pairs(&answer.members)? {
            if *record != Value::Nil {
                let member = stored_member(field, record)?;
                self.members.insert((member.user, member.team), member);
            }
        }
        Ok(StoredBoard {
            head: answer.head,
            as_of: answer.as_of,
            standings: self.standings.drain().map(|(_, it)| it).collect(),
            members: self.members.drain().map(|(_, it)| it).collect(),
        })
    }
}
