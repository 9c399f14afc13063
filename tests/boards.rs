//! Boards against a naive oracle that reads the whole log for every question; and derived
//! boards made after the fact against those that were there from the start.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    sync::Arc,
};

use podium::board::{
    Action, BoardHead, BoardId, Derivation, Direction, Effect, Effects, Every, Fact,
    FinalStandings, GroupId, LogEntry, Operator, Order, Period, Profile, Replay, Rules, Score,
    Scores, Seq, Settings, Source, State, StoredBoard, StoredChange, TeamId, TeamScore, Ties,
    Timestamp, UserId, What, Who,
};
use proptest::{collection::vec, option, prelude::*};

const PEOPLE: u8 = 8;
const TEAMS: u8 = 3;
const TYPES: [&str; 3] = ["goal", "quiz", "run"];
/// How long a season lasts in these tests, whatever a calendar says.
const SEASON: u64 = 50;
/// When the boards end that do: one within a season, one with it.
const ENDS: [u64; 2] = [170, 150];

fn user(n: u8) -> UserId {
    UserId([n; 16])
}

fn team(n: u8) -> TeamId {
    TeamId([0xA0 + n; 16])
}

fn group(n: u8) -> GroupId {
    GroupId(["red", "blue"][usize::from(n % 2)].into())
}

fn id(name: &str) -> BoardId {
    BoardId::new(name).expect("is an id")
}

fn profile(name: String) -> Profile {
    Profile {
        username: name.into(),
        avatar: None,
    }
}

fn rules(operator: Operator, direction: Direction, tiebreak: Option<Direction>) -> Rules {
    Rules {
        order: Order {
            direction,
            tiebreak,
            ties: Ties::Competition,
        },
        operator,
        top: 10,
    }
}

/// Boards that are fed, by name.
fn fed() -> Vec<(BoardId, Settings)> {
    use Direction::{HighestFirst, LowestFirst};
    let board = |name, everyone, rules| {
        let settings = Settings {
            rules,
            everyone,
            ..Settings::default()
        };
        let ends = (name == "cup").then_some(Timestamp(ENDS[0]));
        (id(name), Settings { ends, ..settings })
    };
    vec![
        board("cup", true, rules(Operator::Sum, HighestFirst, None)),
        board("main", true, rules(Operator::Sum, HighestFirst, None)),
        board(
            "best",
            false,
            rules(Operator::Best, LowestFirst, Some(HighestFirst)),
        ),
        board("latest", false, rules(Operator::Latest, HighestFirst, None)),
        board(
            "solved",
            true,
            rules(Operator::Count, HighestFirst, Some(LowestFirst)),
        ),
    ]
}

/// Boards that are derived from those, each in another way.
fn derived() -> Vec<(BoardId, Settings)> {
    let plain = |of: &str| Derivation {
        of: id(of),
        types: None,
        group: None,
        team: None,
        period: None,
    };
    let period = || {
        Some(Period {
            every: Every::Week,
            zone: "Europe/Berlin".into(),
            starts: None,
        })
    };
    let best = |k| Some(TeamScore::Best(NonZeroU32::new(k).expect("not 0")));
    let types = |names: &[&str]| Some(names.iter().map(|&name| name.into()).collect());
    let derivations = [
        (
            "goals",
            "main",
            Derivation {
                types: types(&["goal"]),
                ..plain("main")
            },
        ),
        (
            "red",
            "main",
            Derivation {
                group: Some(group(0)),
                ..plain("main")
            },
        ),
        (
            "red-goals",
            "main",
            Derivation {
                types: types(&["goal", "run"]),
                ..plain("red")
            },
        ),
        (
            "teams",
            "main",
            Derivation {
                team: Some(TeamScore::Sum),
                ..plain("main")
            },
        ),
        (
            "best-two",
            "main",
            Derivation {
                team: best(2),
                ..plain("main")
            },
        ),
        (
            "fastest-two",
            "best",
            Derivation {
                team: best(2),
                ..plain("best")
            },
        ),
        (
            "solved-teams",
            "solved",
            Derivation {
                team: best(3),
                ..plain("solved")
            },
        ),
        (
            "weekly",
            "main",
            Derivation {
                period: period(),
                ..plain("main")
            },
        ),
        (
            "weekly-best",
            "best",
            Derivation {
                period: period(),
                ..plain("best")
            },
        ),
        (
            "weekly-red-team-goals",
            "main",
            Derivation {
                period: period(),
                team: best(1),
                ..plain("red-goals")
            },
        ),
        ("sprint", "main", plain("main")),
        (
            "weekly-until",
            "main",
            Derivation {
                period: period(),
                ..plain("main")
            },
        ),
        (
            "weekly-sprint",
            "cup",
            Derivation {
                period: period(),
                team: best(2),
                ..plain("cup")
            },
        ),
        (
            "weekly-latest",
            "latest",
            Derivation {
                period: period(),
                types: types(&["run"]),
                ..plain("latest")
            },
        ),
    ];
    let ends = |name: &str| match name {
        "sprint" | "weekly-until" => Some(ENDS[0]),
        "weekly-sprint" => Some(ENDS[1]),
        _ => None,
    };
    let fed: HashMap<BoardId, Settings> = fed().into_iter().collect();
    let settings = |(name, root, derivation): (&str, &str, Derivation)| {
        let settings = Settings {
            rules: fed[&id(root)].rules,
            source: Source::Derived(derivation),
            everyone: name == "weekly",
            ends: ends(name).map(Timestamp),
            ..Settings::default()
        };
        (id(name), settings)
    };
    derivations.into_iter().map(settings).collect()
}

/// What somebody wants to happen.
#[derive(Clone, Debug)]
enum Wish {
    Register(u8),
    Group(u8, Option<u8>, u8),
    Hide(u8, bool),
    Delete(u8),
    NameTeam(u8),
    Act(u8, usize, usize, i64, i64),
    Wait(u64),
    /// The order of a board is the other way round.
    TurnRound(usize),
}

fn wish() -> impl Strategy<Value = Wish> {
    let person = 0..PEOPLE;
    prop_oneof![
        3 => person.clone().prop_map(Wish::Register),
        2 => (person.clone(), option::of(0..TEAMS), 0..4u8).prop_map(|(n, team, groups)| Wish::Group(n, team, groups)),
        1 => (person.clone(), any::<bool>()).prop_map(|(n, hidden)| Wish::Hide(n, hidden)),
        1 => person.clone().prop_map(Wish::Delete),
        1 => (0..TEAMS).prop_map(Wish::NameTeam),
        12 => (person, 0..5usize, 0..3usize, points(), -3..3i64)
            .prop_map(|(n, board, kind, points, tiebreak)| Wish::Act(n, board, kind, points, tiebreak)),
        2 => (0..80u64).prop_map(Wish::Wait),
        1 => (0..TURNED.len()).prop_map(Wish::TurnRound),
    ]
}

/// Boards whose scores do not depend on their order, and which have no seasons.
const TURNED: [&str; 4] = ["main", "latest", "goals", "best-two"];

fn points() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => -3i64..5,
        1 => Just(Score::MAX.points()),
        1 => Just(Score::MIN.points()),
    ]
}

/// A log, and what follows from it: what a store does, with one clock.
struct Log {
    entries: Vec<LogEntry>,
    state: State,
    now: u64,
    finals: BTreeMap<BoardId, Vec<Arc<FinalStandings>>>,
    /// What a store has written of boards.
    tables: BTreeMap<BoardId, StoredBoard>,
}

impl Log {
    fn new() -> Log {
        let mut log = Log {
            entries: Vec::new(),
            state: State::default(),
            now: 7,
            finals: BTreeMap::new(),
            tables: BTreeMap::new(),
        };
        for n in 0..TEAMS {
            log.write(Fact::TeamChanged {
                team: team(n),
                profile: profile(format!("team {n}")),
            });
        }
        log
    }

    fn write(&mut self, fact: Fact) {
        self.write_at(self.now, fact);
    }

    fn entry(&self, at: u64, fact: Fact) -> LogEntry {
        LogEntry {
            seq: Seq::new(self.entries.len() as u64 + 1).unwrap(),
            at: Timestamp(at),
            fact,
        }
    }

    fn write_at(&mut self, at: u64, fact: Fact) {
        let entry = self.entry(at, fact);
        let Effects { shown, stored } = self.state.apply(&entry);
        for change in stored {
            self.store(change);
        }
        for Effect { board, what } in shown {
            if let What::Ended(standings) | What::Final(standings) = what {
                self.finals.entry(board).or_default().push(standings);
            }
        }
        self.entries.push(entry);
    }

    /// Writes what has changed, as a store does.
    fn store(&mut self, change: StoredChange) {
        let tables = &mut self.tables;
        match change {
            StoredChange::Board(head) => {
                let empty = |head: BoardHead| StoredBoard {
                    head,
                    as_of: 0,
                    standings: Vec::new(),
                    members: Vec::new(),
                };
                let id = head.id.clone();
                let board = tables.entry(id).or_insert_with(|| empty(head.clone()));
                board.head = head;
            }
            StoredChange::BoardDeleted(id, _) => _ = tables.remove(&id),
            StoredChange::SeasonEnded { goes_on: false, .. } => {}
            StoredChange::SeasonEnded { board: id, .. } => {
                let board = tables.get_mut(&id).expect("it was created");
                board.standings.clear();
                board.members.clear();
            }
            StoredChange::Standing(id, standing) => {
                let board = tables.get_mut(&id).expect("it was created");
                board.standings.retain(|it| it.user != standing.user);
                board.standings.push(standing);
            }
            StoredChange::Member(id, member) => {
                let board = tables.get_mut(&id).expect("it was created");
                board
                    .members
                    .retain(|it| (it.user, it.team) != (member.user, member.team));
                board.members.push(member);
            }
            StoredChange::Removed(id, user, _) => {
                let board = tables.get_mut(&id).expect("it was created");
                board.standings.retain(|it| it.user != user);
                board.members.retain(|it| it.user != user);
            }
        }
    }

    /// The state as it is loaded when a store is opened.
    fn reopened(&self) -> State {
        let mut stored = self.state.stored();
        for board in &mut stored.boards {
            *board = self.tables[&board.head.id].clone();
        }
        State::load(stored)
    }

    /// When seasons end, from the first entry of the log on to the one that runs.
    fn borders(&self, settings: &Settings) -> Vec<Timestamp> {
        if settings.period().is_none() {
            return Vec::new();
        }
        let ends = settings.ends.map_or(u64::MAX, |ends| ends.0);
        let first = self.entries[0].at.0 / SEASON;
        let last = self.now.min(ends - 1) / SEASON;
        (first..=last)
            .map(|n| Timestamp(ends.min((n + 1) * SEASON)))
            .collect()
    }

    /// When the season ends that begins at this border.
    fn next_border(&self, id: &BoardId, border: u64) -> Option<Timestamp> {
        let settings = self.state.board(id).unwrap().settings();
        let ends = settings.ends.map_or(u64::MAX, |ends| ends.0);
        let goes_on = settings.period().is_some() && border < ends;
        goes_on.then_some(Timestamp(ends.min(border + SEASON)))
    }

    fn create(&mut self, id: &BoardId, settings: &Settings) {
        self.end_seasons();
        let settings = Arc::new(settings.clone());
        let borders = self.borders(&settings);
        let fact = Fact::BoardChanged {
            board: id.clone(),
            settings: settings.clone(),
            borders: borders.clone().into(),
        };
        if settings.derivation().is_none() {
            return self.write(fact);
        }
        // As a store does that has the log from its first entry on.
        let mut replay = Replay::new(id.clone(), settings, borders, &self.state);
        let mut finals = Vec::new();
        for entry in &self.entries {
            finals.extend(replay.apply(entry));
        }
        let entry = self.entry(self.now, fact);
        let (board, ended) = replay.finish(&entry).expect("it is there");
        finals.extend(ended);
        if !finals.is_empty() {
            self.finals.insert(id.clone(), finals);
        }
        self.tables.insert(id.clone(), board.clone());
        for change in self.state.create(&entry, board).stored {
            self.store(change);
        }
        self.entries.push(entry);
    }

    /// The settings of a board the other way round, if it is there.
    fn turned_round(&self, board: usize) -> Option<(BoardId, Settings)> {
        let id = id(TURNED[board]);
        let mut settings = Settings::clone(self.state.board(&id)?.settings());
        let order = &mut settings.rules.order;
        order.direction = match order.direction {
            Direction::HighestFirst => Direction::LowestFirst,
            Direction::LowestFirst => Direction::HighestFirst,
        };
        Some((id, settings))
    }

    /// Borders that have been passed are on the log before anything else.
    fn end_seasons(&mut self) {
        loop {
            let due = self
                .state
                .next_border()
                .filter(|(ends, _)| ends.0 <= self.now);
            let Some((Timestamp(ends), board)) = due else {
                return;
            };
            let board = board.clone();
            let next = self.next_border(&board, ends);
            let at = ends.max(self.entries.last().map_or(0, |last| last.at.0));
            self.write_at(at, Fact::SeasonEnded { board, next });
        }
    }

    fn wish(&mut self, wish: &Wish) {
        self.now += 1;
        if let Wish::Wait(time) = wish {
            self.now += time;
        }
        self.end_seasons();
        let is_known = |n: &u8| self.state.directory().person(user(*n)).is_some();
        match wish {
            Wish::Register(n) => self.write(Fact::UserChanged {
                user: user(*n),
                profile: profile(format!("person {n} of {}", self.now)),
            }),
            Wish::NameTeam(n) => self.write(Fact::TeamChanged {
                team: team(*n),
                profile: profile(format!("team {n} of {}", self.now)),
            }),
            Wish::Group(n, of, groups) if is_known(n) => {
                let groups = (0..2).filter(|bit| groups >> bit & 1 == 1).map(group);
                self.write(Fact::UserGrouped {
                    user: user(*n),
                    team: of.map(team),
                    groups: groups.collect(),
                });
            }
            Wish::Hide(n, hidden) if is_known(n) => {
                self.write(Fact::UserHidden {
                    user: user(*n),
                    hidden: *hidden,
                    reason: None,
                });
            }
            Wish::Delete(n) if is_known(n) => self.write(Fact::UserDeleted { user: user(*n) }),
            Wish::Act(n, board, kind, points, tiebreak) if is_known(n) => {
                let (board, settings) = fed().swap_remove(*board);
                if settings.ends.is_some_and(|ends| ends.0 <= self.now) {
                    return;
                }
                let stored = self
                    .state
                    .board(&board)
                    .unwrap()
                    .stored(self.state.directory());
                let standings = stored.standings.iter();
                let mut before = standings
                    .filter(|it| it.user == user(*n))
                    .map(|it| it.standing.scores());
                if let Some(scores) = settings.rules.after(before.next(), *points, *tiebreak) {
                    self.write(Fact::Action(Action {
                        board,
                        user: user(*n),
                        action_type: TYPES[*kind].into(),
                        increase: *points,
                        tiebreak_increase: *tiebreak,
                        scores,
                    }));
                }
            }
            _ => {}
        }
    }
}

/// The rows of a board, best first: who, rank, scores.
type Rows = Vec<(Who, u64, Scores)>;

fn rows(state: &State, id: &BoardId) -> Rows {
    let board = state.board(id).expect("it is there");
    let rows = board.rows(state.directory(), 0..usize::MAX);
    rows.map(|row| (row.who, row.rank, row.scores)).collect()
}

/// Who is registered, as the log says at its end.
#[derive(Clone, Default)]
struct NaivePerson {
    registered: u64,
    team: Option<TeamId>,
    groups: Vec<GroupId>,
    hidden: bool,
}

/// A result, as it counted when it was accepted.
struct NaiveAction<'a> {
    seq: u64,
    at: u64,
    user: UserId,
    action: &'a Action,
    team: Option<TeamId>,
    groups: Vec<GroupId>,
}

/// Reads the whole log for one board, in its season that runs.
fn naive(entries: &[LogEntry], id: &BoardId, all: &HashMap<BoardId, Settings>) -> Rows {
    let mut people: BTreeMap<UserId, NaivePerson> = BTreeMap::new();
    let mut actions: Vec<NaiveAction<'_>> = Vec::new();
    for entry in entries {
        match &entry.fact {
            Fact::UserChanged { user, .. } => {
                let registered = entry.seq.get();
                people.entry(*user).or_insert(NaivePerson {
                    registered,
                    ..NaivePerson::default()
                });
            }
            Fact::UserGrouped { user, team, groups } => {
                let person = people.get_mut(user).unwrap();
                (person.team, person.groups) = (*team, groups.to_vec());
            }
            Fact::UserHidden { user, hidden, .. } => people.get_mut(user).unwrap().hidden = *hidden,
            Fact::UserDeleted { user } => {
                people.remove(user);
                actions.retain(|it| it.user != *user);
            }
            Fact::Action(action) => {
                let person = &people[&action.user];
                actions.push(NaiveAction {
                    seq: entry.seq.get(),
                    at: entry.at.0,
                    user: action.user,
                    action,
                    team: person.team,
                    groups: person.groups.clone(),
                });
            }
            _ => {}
        }
    }
    let last = entries.last().expect("teams are registered").at.0;
    let settings = &all[id];
    let (mut root, mut by_team, mut is_periodic) = (id.clone(), None, false);
    let mut last = last;
    while let Some(it) = all[&root].derivation() {
        if let Some(ends) = all[&root].ends {
            // It stays as it was.
            actions.retain(|action| action.at < ends.0);
            last = last.min(ends.0 - 1);
        }
        by_team = by_team.or(it.team);
        is_periodic |= it.period.is_some();
        if let Some(types) = &it.types {
            actions.retain(|action| types.contains(&action.action.action_type));
        }
        if let Some(group) = &it.group {
            actions.retain(|action| action.groups.contains(group));
        }
        root = it.of.clone();
    }
    actions.retain(|action| action.action.board == root);
    if is_periodic {
        actions.retain(|action| action.at / SEASON == last / SEASON);
    }
    if by_team.is_some() {
        actions.retain(|action| action.team.is_some());
    }

    // What each has, by team where teams stand: scores, and since which entry.
    let mut results: BTreeMap<(Option<TeamId>, UserId), (Scores, u64)> = BTreeMap::new();
    if settings.everyone {
        for (user, person) in &people {
            results.insert((None, *user), (Scores::default(), person.registered));
        }
    }
    for it in &actions {
        let key = (by_team.and(it.team), it.user);
        let before = results.get(&key).copied();
        let scores = before.map(|(scores, _)| scores);
        let next = settings.rules.after_within_range(
            scores,
            it.action.increase,
            it.action.tiebreak_increase,
        );
        if scores != Some(next) {
            results.insert(key, (next, it.seq));
        }
    }
    results.retain(|(_, user), _| !people[user].hidden);

    let order = settings.rules.order;
    let better = |a: &(Scores, u64), b: &(Scores, u64)| {
        if order.is_better(a.0, b.0) {
            std::cmp::Ordering::Less
        } else if order.is_better(b.0, a.0) {
            std::cmp::Ordering::Greater
        } else {
            a.1.cmp(&b.1)
        }
    };
    let mut standings: Vec<(Who, (Scores, u64))> = Vec::new();
    if let Some(score) = by_team {
        let mut teams: BTreeMap<TeamId, Vec<(Scores, u64)>> = BTreeMap::new();
        for ((team, _), result) in results {
            teams.entry(team.unwrap()).or_default().push(result);
        }
        for (team, mut members) in teams {
            members.sort_by(better);
            if let TeamScore::Best(most) = score {
                let most = most.get() as usize;
                if members.len() < most && order.direction == Direction::LowestFirst {
                    continue;
                }
                members.truncate(most);
            }
            let sum = |score: fn(&Scores) -> Score| {
                let sum: i128 = members
                    .iter()
                    .map(|(it, _)| i128::from(score(it).points()))
                    .sum();
                let (least, most) = (Score::MIN.points().into(), Score::MAX.points().into());
                Score::new(sum.clamp(least, most) as i64).unwrap()
            };
            let scores = Scores {
                score: sum(|it| it.score),
                tiebreak: sum(|it| it.tiebreak),
            };
            let reached = members.iter().map(|(_, reached)| *reached).max().unwrap();
            standings.push((Who::Team(team), (scores, reached)));
        }
    } else {
        standings.extend(
            results
                .into_iter()
                .map(|((_, user), it)| (Who::User(user), it)),
        );
    }
    standings.sort_by(|(_, a), (_, b)| better(a, b));
    let mut rows: Rows = Vec::new();
    for (place, (who, (scores, _))) in standings.into_iter().enumerate() {
        // All of these boards give equal scores the same rank.
        let rank = match rows.last() {
            Some((_, rank, above)) if *above == scores => *rank,
            _ => place as u64 + 1,
        };
        rows.push((who, rank, scores));
    }
    rows
}

/// What a store keeps, in an order that is always the same.
fn sorted(mut board: StoredBoard) -> StoredBoard {
    board.standings.sort_by_key(|it| it.user);
    board.members.sort_by_key(|it| (it.team, it.user));
    // Whether nobody was told of it for lack of a board is another matter.
    board.head.changed = Timestamp::default();
    board.as_of = 0;
    board
}

/// A board that is being made while another one is changed from which it follows.
#[test]
fn a_replay_knows_whether_it_still_counts_the_same() {
    let mut log = Log::new();
    for (id, settings) in fed() {
        log.create(&id, &settings);
    }
    let derived: HashMap<_, _> = derived().into_iter().collect();
    let settings = Arc::new(derived[&id("red-goals")].clone());
    let replay = |log: &Log| Replay::new(id("red-goals"), settings.clone(), vec![], &log.state);
    log.create(&id("red"), &derived[&id("red")]);
    let begun = replay(&log);
    log.create(&id("goals"), &derived[&id("goals")]);
    assert!(begun.follows_as(&replay(&log)), "of another board");
    let red = Settings {
        ends: Some(Timestamp(99)),
        ..derived[&id("red")].clone()
    };
    log.create(&id("red"), &red);
    assert!(!begun.follows_as(&replay(&log)), "it takes less");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens in which order: every board says what the whole log says, whether
    /// it was there from the start or made afterwards, also after a restart.
    #[test]
    fn boards_are_what_the_log_says(
        wishes in vec(wish(), 1..120),
        made_at in vec(any::<prop::sample::Index>(), derived().len()),
        restarts_at in any::<prop::sample::Index>(),
    ) {
        let (fed, derived) = (fed(), derived());
        let all: HashMap<_, _> = fed.iter().chain(&derived).cloned().collect();
        let (mut from_start, mut afterwards) = (Log::new(), Log::new());
        for (id, settings) in &fed {
            from_start.create(id, settings);
            afterwards.create(id, settings);
        }
        for (id, settings) in &derived {
            from_start.create(id, settings);
        }
        // One that is derived from another is made after it.
        let mut earliest = 0;
        let mut made_at: Vec<usize> = made_at.iter().map(|it| it.index(wishes.len())).collect();
        for at in &mut made_at {
            earliest = (*at).max(earliest);
            *at = earliest;
        }
        let mut all = all;
        for (n, wish) in wishes.iter().enumerate() {
            for ((id, settings), _) in derived.iter().zip(&made_at).filter(|(_, at)| **at == n) {
                afterwards.create(id, settings);
            }
            if let Wish::TurnRound(board) = wish {
                // One that is made afterwards has fewer facts than one that was turned before.
                if let (Some((id, settings)), Some(_)) =
                    (from_start.turned_round(*board), afterwards.turned_round(*board))
                {
                    for log in [&mut from_start, &mut afterwards] {
                        log.write(Fact::BoardChanged {
                            board: id.clone(),
                            settings: settings.clone().into(),
                            borders: Box::default(),
                        });
                    }
                    all.insert(id, settings);
                }
            }
            from_start.wish(wish);
            afterwards.wish(wish);
            if restarts_at.index(wishes.len()) == n {
                from_start.state = from_start.reopened();
                afterwards.state = afterwards.reopened();
            }
        }
        for (id, _) in fed.iter().chain(&derived) {
            let expected = naive(&from_start.entries, id, &all);
            prop_assert_eq!(rows(&from_start.state, id), expected, "{} from the start", id);
            // Their logs differ in when boards were made: the order is the same.
            prop_assert_eq!(rows(&afterwards.state, id), rows(&from_start.state, id), "{} afterwards", id);
            let seq = |log: &Log| log.state.board(id).unwrap().seq();
            prop_assert_eq!(seq(&afterwards), seq(&from_start), "the number of {}", id);
        }
        // Nor do seasons end by the same entry.
        let finals = |log: &Log| {
            let mut finals = log.finals.clone();
            for standings in finals.values_mut().flatten() {
                Arc::make_mut(standings).ended_by = Seq::FIRST;
            }
            finals
        };
        prop_assert_eq!(finals(&afterwards), finals(&from_start));
        for log in [&from_start, &afterwards] {
            let again = log.reopened();
            for (id, _) in fed.iter().chain(&derived) {
                prop_assert_eq!(rows(&again, id), rows(&log.state, id));
                let stored = |state: &State| sorted(state.board(id).unwrap().stored(state.directory()));
                prop_assert_eq!(stored(&again), stored(&log.state));
            }
        }
    }
}
