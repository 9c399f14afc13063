//! What is read when a board is opened, and when it must be read again.

use std::collections::{HashMap, HashSet, VecDeque};

use redis::{Value, aio::MultiplexedConnection};

use super::{
    connect::{Link, connect},
    derived_board,
    fault::Fault,
    keys::Keys,
    meta::{Meta, meta},
    recent::{Known, Recent},
    record::{
        Logged, Member, array, bytes, id_of, member, number, pairs, read_head, read_membership,
        read_profile, read_team, split, stored_announcement, stored_member, stored_standing, text,
    },
    scan::{PAGE, entries_page, hash_in_pages, next_page, scan},
    stored_log::StoredLog,
    time::now,
};
use crate::{
    board::{
        Announcement, BoardHead, BoardId, Epoch, Fact, Membership, Person, Profile, Seq, State,
        StoredBoard, StoredMember, StoredStanding, StoredState, Team, UserId,
    },
    store::{Fold, Opened},
};

/// How often the log may be trimmed while it is read.
const ATTEMPTS: usize = 3;

/// What a node knows of the log that it follows.
#[derive(Clone)]
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

/// Connects, and loads all boards; a log is begun if there is none.
pub(super) async fn open(log: &StoredLog) -> Result<(Link, Loaded), Fault> {
    let mut link = connect(&log.servers, &log.keys).await?;
    let connection = &mut link.commands;
    if log.find_taken_over(connection).await?.is_none() {
        log.create(connection).await?;
    }
    let loaded = load(connection, log).await?;
    Ok((link, loaded))
}

/// Loads all boards as they were at `ranked_through`, and folds the rest of the log: so
/// ranks come out as they were answered.
///
/// Others go on writing meanwhile. What people have may be newer than `ranked_through`, but
/// whatever changed it is on the log after it, with what was before.
pub(super) async fn load(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
) -> Result<Loaded, Fault> {
    let mut fault = Fault::Changed;
    for _ in 0..ATTEMPTS {
        match try_load(connection, log).await {
            Err(found @ (Fault::Gap(_) | Fault::Changed)) => fault = found,
            result => return result,
        }
    }
    Err(fault)
}

async fn try_load(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
) -> Result<Loaded, Fault> {
    let keys = &log.keys;
    let (from, heads) = heads(connection, log).await?;
    let mut found = Found {
        ranked_through: from.ranked_through,
        members: users(connection, &keys.users).await?,
        memberships: memberships(connection, &keys.hash("membership")).await?,
        hidden: hidden(connection, &keys.hash("hidden")).await?,
        teams: teams(connection, &keys.hash("teams")).await?,
        fed: Vec::new(),
        derived: Vec::new(),
        deleted: deleted(connection, keys).await?,
    };
    for head in parents_first(heads) {
        if head.settings.derivation().is_some() {
            found
                .derived
                .extend(derived_board::read(connection, log, &head.id, None).await?);
        } else if head.id == BoardId::default() {
            found.fed.push((head, HashMap::new()));
        } else {
            let key = keys.standings(&head.id);
            let standings = standings(connection, &key).await?.into_iter();
            found
                .fed
                .push((head, standings.map(|it| (it.user, it)).collect()));
        }
    }
    let mut announcements = valid_announcements(connection, &keys.announcements).await?;
    let mut revoked = revoked(connection, &keys.revoked).await?;
    let to = meta(connection, &keys.meta).await?;
    if to.epoch != from.epoch {
        return Err(Fault::Changed);
    }
    let last = entry(connection, &keys.log, from.ranked_through).await?;
    let mut rest = entries(connection, &keys.log, from.ranked_through, to.seq).await?;
    read_created(connection, log, &mut found, &mut rest).await?;
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
    // A million users take a while.
    let folded = tokio::task::spawn_blocking(move || found.fold(rest)).await;
    let (state, recent) = folded.map_err(|_| Fault::Unreachable("the runtime ends".into()))?;
    Ok(Loaded {
        opened: Opened {
            epoch: from.epoch,
            state,
            announcements,
            revoked,
        },
        following,
        recent,
    })
}

/// People and teams before the first entry that the log still has, and all entries.
pub(super) async fn from_the_first(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
) -> Result<(Vec<Person>, Vec<Team>, Vec<Logged>), Fault> {
    let keys = &log.keys;
    let teams = teams(connection, &keys.hash("teams")).await?;
    if before_first(connection, log).await? == 0 {
        let all = entries(connection, &keys.log, 0, 0).await?;
        return Ok((Vec::new(), teams, all));
    }
    // People first, because the log is trimmed while they are read.
    let mut found = Found {
        ranked_through: 0,
        members: users(connection, &keys.users).await?,
        memberships: memberships(connection, &keys.hash("membership")).await?,
        hidden: hidden(connection, &keys.hash("hidden")).await?,
        teams: Vec::new(),
        fed: Vec::new(),
        derived: Vec::new(),
        deleted: Vec::new(),
    };
    let before = before_first(connection, log).await?;
    let rest = entries(connection, &keys.log, before, before).await?;
    found.go_back(&rest);
    let (people, _) = found.people();
    Ok((people, teams, rest))
}

/// The entry before the first one that the log still has.
async fn before_first(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
) -> Result<u64, Fault> {
    let first: Value = redis::cmd("XRANGE")
        .arg(&[log.keys.log.as_str(), "-", "+", "COUNT", "1"])
        .query_async(connection)
        .await?;
    let first = Logged::read_all(&first)?.pop();
    Ok(first.map_or(0, |first| first.entry.seq.get() - 1))
}

/// Each board after the one that it is derived from, so that it is read later.
fn parents_first(heads: Vec<BoardHead>) -> Vec<BoardHead> {
    let of = |head: &BoardHead| head.settings.derivation().map(|it| it.of.clone());
    let parents: HashMap<BoardId, Option<BoardId>> = heads
        .iter()
        .map(|head| (head.id.clone(), of(head)))
        .collect();
    let depth = |head: &BoardHead| {
        let mut depth = 0;
        let mut parent = of(head);
        // There is no circle, and a chain is no longer than there are boards.
        while let Some(id) = parent.filter(|_| depth < parents.len()) {
            depth += 1;
            parent = parents.get(&id).cloned().flatten();
        }
        depth
    };
    let mut heads = heads;
    heads.sort_by_cached_key(depth);
    heads
}

/// Reads derived boards that were created after boards were looked for, and as much more of the
/// log as these are ahead.
async fn read_created(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
    found: &mut Found,
    rest: &mut Vec<Logged>,
) -> Result<(), Fault> {
    let mut looked_at = 0;
    while looked_at < rest.len() {
        for logged in &rest[looked_at..] {
            let Fact::BoardChanged {
                board, settings, ..
            } = &logged.entry.fact
            else {
                continue;
            };
            let created_by = logged.entry.seq.get();
            let is_read = |it: &StoredBoard| it.head.id == *board && it.as_of >= created_by;
            if settings.derivation().is_some() && !found.derived.iter().any(is_read) {
                let made = derived_board::read(connection, log, board, Some(created_by)).await?;
                found.derived.extend(made);
            }
        }
        looked_at = rest.len();
        let last = rest
            .last()
            .map_or(found.ranked_through, |it| it.entry.seq.get());
        let ahead = found.derived.iter().map(|board| board.as_of).max();
        if let Some(ahead) = ahead.filter(|ahead| *ahead > last) {
            rest.extend(entries(connection, &log.keys.log, last, ahead).await?);
        }
    }
    Ok(())
}

/// What was read: boards as of `ranked_through`, and the rest as of some moments after that.
struct Found {
    ranked_through: u64,
    members: HashMap<UserId, Member>,
    memberships: HashMap<UserId, Membership>,
    hidden: HashSet<UserId>,
    teams: Vec<Team>,
    /// Boards that are not derived, with what people have but for `main`.
    fed: Vec<(BoardHead, HashMap<UserId, StoredStanding>)>,
    derived: Vec<StoredBoard>,
    /// Of ids of deleted boards, the number from which another one counts on.
    deleted: Vec<(BoardId, u64)>,
}

impl Found {
    /// The state as of the last entry, and what the rest of the log did.
    fn fold(mut self, rest: Vec<Logged>) -> (State, Recent) {
        self.go_back(&rest);
        // They fit to the people of the moment as of which they are.
        let ranked = self.ranked_through;
        let (now, mut later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.derived)
            .into_iter()
            .partition(|board| board.as_of <= ranked);
        later.sort_by_key(|board| board.as_of);
        let mut derived = VecDeque::from(later);
        let mut recent = Recent::after(self.ranked_through);
        let mut state = self.state(now);
        let mut folded_through = recent.ranked_through();
        for Logged { entry, action, .. } in rest {
            while let Some(board) = derived.pop_front_if(|it| it.as_of <= folded_through) {
                recent.forget_board(&board.head.id);
                state.put_board(board);
            }
            folded_through = entry.seq.get();
            let folded = Fold::fold(&mut state, std::slice::from_ref(&entry));
            recent.push(Known {
                entry,
                action,
                folded: folded.into_iter().next().unwrap_or_default(),
            });
        }
        for board in derived {
            recent.forget_board(&board.head.id);
            state.put_board(board);
        }
        (state, recent)
    }

    /// Takes people and what they have back to what they were before the rest of the log.
    fn go_back(&mut self, rest: &[Logged]) {
        // The first entry about each knows what was before it.
        let mut seen: HashSet<(&BoardId, UserId)> = HashSet::new();
        let (mut grouped, mut hidden): (HashSet<UserId>, HashSet<UserId>) = Default::default();
        let main = BoardId::default();
        for logged in rest {
            match &logged.entry.fact {
                Fact::UserChanged { user, .. } => {
                    if self.is_registered_by(*user, logged) {
                        if grouped.insert(*user) {
                            self.memberships.remove(user);
                        }
                        if hidden.insert(*user) {
                            self.hidden.remove(user);
                        }
                    }
                    if seen.insert((&main, *user)) {
                        self.main_before(*user, logged);
                    }
                }
                Fact::UserDeleted { user } => {
                    if grouped.insert(*user) {
                        let was = logged.was.clone().unwrap_or_default();
                        self.memberships.insert(*user, was);
                    }
                    if !hidden.insert(*user) {
                    } else if logged.was_hidden {
                        self.hidden.insert(*user);
                    } else {
                        self.hidden.remove(user);
                    }
                    if seen.insert((&main, *user)) {
                        self.main_before(*user, logged);
                    }
                    for (head, standings) in &mut self.fed {
                        let had = logged.had.iter().find(|(board, _)| *board == head.id);
                        if let Some((board, standing)) = had
                            && seen.insert((board, *user))
                        {
                            let before = StoredStanding {
                                user: *user,
                                standing: *standing,
                                best: None,
                            };
                            standings.insert(*user, before);
                        }
                    }
                }
                Fact::UserGrouped { user, .. } => {
                    if grouped.insert(*user)
                        && let Some(was) = &logged.was
                    {
                        self.memberships.insert(*user, was.clone());
                    }
                }
                Fact::UserHidden {
                    user, hidden: now, ..
                } => {
                    if !hidden.insert(*user) {
                    } else if *now {
                        self.hidden.remove(user);
                    } else {
                        self.hidden.insert(*user);
                    }
                }
                Fact::Action(action) => {
                    if !seen.insert((&action.board, action.user)) {
                        continue;
                    }
                    if action.board == main {
                        self.main_before(action.user, logged);
                    } else if let Some((_, standings)) = self
                        .fed
                        .iter_mut()
                        .find(|(head, _)| head.id == action.board)
                    {
                        board_before(standings, action.user, logged);
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes a user back to how they stood on `main` before an entry, or were not there.
    fn main_before(&mut self, user: UserId, logged: &Logged) {
        let standing = match logged.before {
            _ if self.is_registered_by(user, logged) => {
                self.members.remove(&user);
                return;
            }
            Some(standing) => standing,
            // Nobody is ranked by it.
            None => self.members.get(&user).and_then(|member| member.standing),
        };
        // A user who was deleted since has no record any more, and will be deleted again:
        // a nameless user stands in for them.
        let member = self.members.entry(user).or_insert_with(|| Member {
            id: user,
            profile: Profile {
                username: "".into(),
                avatar: None,
            },
            standing: None,
            best: None,
            registered: Seq::FIRST,
        });
        member.standing = standing;
    }

    /// Was a user registered by this entry?
    fn is_registered_by(&self, user: UserId, logged: &Logged) -> bool {
        let is_new = matches!(logged.entry.fact, Fact::UserChanged { .. });
        if logged.knows_before {
            return is_new && logged.before.is_none();
        }
        let member = self.members.get(&user);
        is_new && member.is_some_and(|member| member.registered == logged.entry.seq)
    }

    fn state(mut self, derived: Vec<StoredBoard>) -> State {
        let main = BoardId::default();
        let mut boards = Vec::new();
        for (head, standings) in std::mem::take(&mut self.fed) {
            let standings = if head.id == main {
                let has = self.members.values().filter_map(|member| {
                    Some(StoredStanding {
                        user: member.id,
                        standing: member.standing?,
                        best: member.best,
                    })
                });
                has.collect()
            } else {
                standings.into_values().collect()
            };
            boards.push(StoredBoard {
                head,
                as_of: 0,
                standings,
                members: Vec::new(),
            });
        }
        boards.extend(derived);
        let seq = self.ranked_through;
        let deleted = std::mem::take(&mut self.deleted);
        let (people, teams) = self.people();
        State::load(StoredState {
            seq,
            people,
            teams,
            boards,
            deleted,
        })
    }

    fn people(mut self) -> (Vec<Person>, Vec<Team>) {
        let people = self.members.into_values().map(|member| Person {
            id: member.id,
            profile: member.profile,
            registered: member.registered,
            membership: self
                .memberships
                .remove(&member.id)
                .filter(|it| *it != Membership::default())
                .map(Box::new),
            hidden: self.hidden.contains(&member.id),
        });
        (people.collect(), self.teams)
    }
}

/// Takes a user back to what they had on a board before an entry.
fn board_before(standings: &mut HashMap<UserId, StoredStanding>, user: UserId, logged: &Logged) {
    match logged.before.flatten() {
        None => _ = standings.remove(&user),
        Some(standing) => {
            let it = standings.entry(user).or_insert(StoredStanding {
                user,
                standing,
                best: None,
            });
            it.standing = standing;
        }
    }
}

/// What is stored of the log as a whole, and of each board without those who stand on it, as
/// of one moment.
pub(super) async fn heads(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
) -> Result<(Meta, Vec<BoardHead>), Fault> {
    let mut call = log.scripts.heads.prepare_invoke();
    call.key(&log.keys.meta);
    let found: Value = call.invoke_async(connection).await?;
    let [epoch, seq, ranked_through, decided, boards] = array(&found)? else {
        return Err(Fault::Damaged("an answer of another form"));
    };
    if *epoch == Value::Nil {
        return Err(Fault::Changed);
    }
    let meta = Meta::read(epoch, seq, ranked_through, decided)?;
    let boards = pairs(boards)?.iter();
    let heads = boards.map(|[id, head]| read_head(text(id)?, text(head)?));
    Ok((meta, heads.collect::<Result<_, Fault>>()?))
}

/// What people have on a board that is not `main`.
pub(super) async fn standings(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> Result<Vec<StoredStanding>, Fault> {
    let mut standings = Vec::new();
    for [user, record] in hash_in_pages(connection, key).await?.as_chunks().0 {
        standings.extend(stored_standing(user, record)?);
    }
    Ok(standings)
}

/// What people have on a board of teams.
pub(super) async fn team_members(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> Result<Vec<StoredMember>, Fault> {
    let found = hash_in_pages(connection, key).await?;
    let found = found.as_chunks().0.iter();
    found
        .map(|[field, record]| stored_member(field, record))
        .collect()
}

/// What people belong to.
pub(super) async fn memberships(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> Result<HashMap<UserId, Membership>, Fault> {
    let found = hash_in_pages(connection, key).await?;
    let found = found.as_chunks().0.iter();
    let read = |[user, record]: &[Value; 2]| {
        Ok((
            UserId(id_of(bytes(user)?)?),
            read_membership(text(record)?)?,
        ))
    };
    found.map(read).collect()
}

/// Who is hidden.
pub(super) async fn hidden(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> Result<HashSet<UserId>, Fault> {
    let found = hash_in_pages(connection, key).await?;
    let found = found.as_chunks().0.iter();
    found
        .map(|[user, _]| Ok(UserId(id_of(bytes(user)?)?)))
        .collect()
}

/// Of ids of deleted boards, the number from which another one counts on.
pub(super) async fn deleted(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
) -> Result<Vec<(BoardId, u64)>, Fault> {
    let found = hash_in_pages(connection, &keys.hash("deleted")).await?;
    let found = found.as_chunks().0.iter();
    let read = |[id, first]: &[Value; 2]| {
        let id = BoardId::new(text(id)?).ok_or(Fault::Damaged("the id of a board"))?;
        Ok((id, number(text(first)?)?))
    };
    found.map(read).collect()
}

/// All teams.
pub(super) async fn teams(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> Result<Vec<Team>, Fault> {
    let found = hash_in_pages(connection, key).await?;
    let found = found.as_chunks().0.iter();
    let read = |[id, profile]: &[Value; 2]| {
        Ok(Team {
            id: read_team(text(id)?)?,
            profile: read_profile(text(profile)?)?,
        })
    };
    found.map(read).collect()
}

/// All boards that are not derived, but for `main`.
pub(super) async fn fed_boards(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
) -> Result<Vec<BoardId>, Fault> {
    let found = hash_in_pages(connection, &log.keys.hash("rules")).await?;
    let mut boards = Vec::new();
    for [board, rules] in found.as_chunks().0 {
        let board = BoardId::new(text(board)?).ok_or(Fault::Damaged("the id of a board"))?;
        if text(rules)?.ends_with(" -") && board != BoardId::default() {
            boards.push(board);
        }
    }
    Ok(boards)
}

/// What the keys of all histories of a board begin with; `None` for one that has none.
pub(super) async fn histories(
    connection: &mut MultiplexedConnection,
    log: &StoredLog,
    board: &BoardId,
) -> Result<Option<Vec<u8>>, Fault> {
    let rules: Option<String> = redis::cmd("HGET")
        .arg(&[log.keys.hash("rules").as_str(), board.as_str()])
        .query_async(connection)
        .await?;
    let created = rules.as_deref().map(split).transpose()?;
    Ok(created.map(|(created, _)| log.keys.histories(board, created)))
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

fn members(records: &Value) -> Result<Vec<Member>, Fault> {
    let records = pairs(records)?.iter();
    let members = records.map(|[id, record]| member(bytes(id)?, bytes(record)?));
    members.collect()
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
