//! What every store must do. A store gets the suite by [`store_suite!`], with a
//! [`Fixture`] that opens it.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
};

use podium::{
    board::{
        Announcement, AnnouncementId, AnnouncementKind, Audience, BoardId, Contradiction,
        Direction, Epoch, GroupId, LogEntry, Operator, Order, Profile, Rules, Score, Scores, Seq,
        Settings, Severity, State, StoredBoard, TeamId, Timestamp, UserId,
    },
    board_settings,
    role::Role,
    store::{
        Action, ActionId, ActionLimits, Command, DerivedHistory, Fold, Folded, History,
        HistoryPoint, LimitReached, Opened, Outcome, Ready, Receipt, Refusal, Store, StoreError,
        Window,
        history::{MAX_POINTS, RECENT},
    },
};

/// Where a store keeps its things; it can be opened again and again.
pub trait Fixture {
    fn new() -> Self;
    async fn open(&self, rules: Rules) -> Running;
}

/// An open store with the board that follows it.
pub struct Running {
    pub store: Arc<dyn Store>,
    pub epoch: Epoch,
    pub follower: Follower,
    pub announcements: Vec<Announcement>,
    pub revoked: Vec<(UserId, u64)>,
}

/// A board that folds what the store hands it, and keeps the entries.
#[derive(Clone)]
pub struct Follower(Arc<Mutex<Followed>>);

struct Followed {
    epoch: Epoch,
    state: State,
    entries: Vec<LogEntry>,
}

impl Follower {
    pub fn new(opened: &Opened) -> Follower {
        Follower(Arc::new(Mutex::new(Followed {
            epoch: opened.epoch,
            state: opened.state.clone(),
            entries: Vec::new(),
        })))
    }

    pub fn epoch(&self) -> Epoch {
        self.0.lock().unwrap().epoch
    }

    /// Everybody on `main` in order: name, score, rank.
    pub fn rows(&self) -> Vec<(String, i64, u64)> {
        self.rows_of("main")
    }

    /// Everybody on a board in order.
    pub fn rows_of(&self, board: &str) -> Vec<(String, i64, u64)> {
        let followed = self.0.lock().unwrap();
        let view = followed.state.view(&id(board));
        let view = view.unwrap_or_else(|| panic!("there is no board {board}"));
        let rows = view.rows(0..usize::MAX);
        rows.map(|row| {
            let name = row.profile.username.to_string();
            (name, row.scores.score.points(), row.rank)
        })
        .collect()
    }

    /// How many facts `main` holds.
    pub fn seq(&self) -> u64 {
        self.read(|state| {
            state
                .board(&BoardId::default())
                .map_or(0, |board| board.seq())
        })
    }

    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.0.lock().unwrap().state)
    }

    pub fn entries(&self) -> Vec<LogEntry> {
        self.0.lock().unwrap().entries.clone()
    }
}

impl Fold for Follower {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Folded> {
        let mut followed = self.0.lock().unwrap();
        followed.entries.extend_from_slice(entries);
        followed.state.fold(entries)
    }

    fn fold_board(&mut self, entry: &LogEntry, board: StoredBoard) -> Folded {
        let mut followed = self.0.lock().unwrap();
        followed.entries.push(entry.clone());
        followed.state.fold_board(entry, board)
    }

    fn put_board(&mut self, board: StoredBoard) {
        self.0.lock().unwrap().state.put_board(board);
    }

    fn reload(&mut self, opened: Opened) {
        let mut state = self.0.lock().unwrap();
        *state = Followed {
            epoch: opened.epoch,
            state: opened.state,
            entries: Vec::new(),
        };
    }

    fn read(&self, read: &mut dyn FnMut(&State)) {
        read(&self.0.lock().unwrap().state);
    }
}

impl Running {
    /// Starts a store that was opened, with a board that follows it.
    pub fn start(opened: Opened, ready: Ready) -> Result<Running, StoreError> {
        let follower = Follower::new(&opened);
        Ok(Running {
            store: ready.start(follower.clone())?,
            epoch: opened.epoch,
            follower,
            announcements: opened.announcements,
            revoked: opened.revoked,
        })
    }

    pub async fn one(&self, command: Command) -> Outcome {
        let outcomes = self.store.append(vec![command]).await.unwrap();
        assert_eq!(outcomes.len(), 1);
        outcomes[0].clone()
    }

    /// What somebody who is registered has done.
    pub async fn history(&self, n: u8, points: usize) -> History {
        let history = self
            .store
            .history(id("main"), user(n), points)
            .await
            .unwrap();
        history.expect("registered")
    }
}

pub fn id(board: &str) -> BoardId {
    BoardId::new(board).expect("is an id")
}

/// `main` under these rules.
pub fn main(rules: Rules) -> Settings {
    Settings::main(rules)
}

pub fn user(n: u8) -> UserId {
    UserId([n; 16])
}

pub fn put(n: u8) -> Command {
    named(n, &format!("user {n}"))
}

pub fn named(n: u8, name: &str) -> Command {
    Command::PutUser {
        user: user(n),
        profile: Profile {
            username: name.into(),
            avatar: None,
        },
    }
}

pub fn act(name: &str, n: u8, increase: i64) -> Command {
    Command::Act(Action {
        id: ActionId::new(name).unwrap(),
        board: id("main"),
        tiebreak_increase: 0,
        user: user(n),
        action_type: "test".into(),
        increase,
        declared: None,
    })
}

/// An action of a type whose points the server sets; a limit of 0 is none.
pub fn declared(action_type: &str, name: &str, n: u8, per_minute: u32, per_day: u32) -> Command {
    Command::Act(Action {
        id: ActionId::new(name).unwrap(),
        board: id("main"),
        tiebreak_increase: 0,
        user: user(n),
        action_type: action_type.into(),
        increase: 1,
        declared: Some(ActionLimits {
            per_minute: NonZeroU32::new(per_minute),
            per_day: NonZeroU32::new(per_day),
        }),
    })
}

/// The limit and the window for which an action was refused.
pub fn limit(outcome: Outcome) -> Option<(u32, Window)> {
    let Err(Refusal::LimitReached(LimitReached {
        limit,
        window,
        retry_after,
    })) = outcome
    else {
        return None;
    };
    // The tests take less than half a minute.
    let whole = window.millis() / 1000;
    assert!(
        (whole - 30..=whole).contains(&retry_after),
        "{retry_after} s until the {window} is over"
    );
    Some((limit.get(), window))
}

pub fn receipt(seq: u64, score: i64, rank: u64, old_rank: u64) -> Receipt {
    Receipt {
        seq,
        scores: Score::new(score).map(|score| Scores {
            score,
            ..Scores::default()
        }),
        rank: Some(rank),
        old_rank: Some(old_rank),
        duplicate: false,
    }
}

pub fn again(receipt: Receipt) -> Receipt {
    Receipt {
        duplicate: true,
        ..receipt
    }
}

pub async fn numbers_entries_without_gaps<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    for n in 1..=3 {
        assert_eq!(running.one(put(n)).await.unwrap().seq, u64::from(n));
    }
    assert_eq!(running.one(act("a", 3, 5)).await, Ok(receipt(4, 5, 1, 3)));
    assert_eq!(
        running.one(act("nobody", 9, 5)).await,
        Err(Refusal::UnknownUser)
    );
    assert_eq!(running.one(act("b", 1, 2)).await, Ok(receipt(5, 2, 2, 2)));
    let seqs: Vec<_> = running
        .follower
        .entries()
        .iter()
        .map(|entry| entry.seq.get())
        .collect();
    // The first says what `main` is.
    assert_eq!(seqs, [2, 3, 4, 5, 6]);
}

pub async fn counts_an_action_id_once<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    running.one(put(2)).await.unwrap();
    let first = running.one(act("a", 2, 5)).await.unwrap();
    assert_eq!(first, receipt(3, 5, 1, 2));
    running.one(act("b", 1, 50)).await.unwrap();
    // The answer of then, though the rank is another by now.
    assert_eq!(running.one(act("a", 2, 5)).await, Ok(again(first)));
    for other in [act("a", 2, 6), act("a", 1, 5)] {
        assert_eq!(running.one(other).await, Err(Refusal::Conflict));
    }
    assert_eq!(running.follower.seq(), 4);
}

pub async fn decides_in_order_within_one_batch<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    let outcomes = running
        .store
        .append(vec![
            act("early", 1, 1),
            put(1),
            act("a", 1, 7),
            act("a", 1, 7),
            act("a", 1, 8),
            put(2),
            act("b", 2, 9),
        ])
        .await
        .unwrap();
    let seqs: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.clone().map(|r| r.seq))
        .collect();
    assert_eq!(
        seqs,
        [
            Err(Refusal::UnknownUser),
            Ok(1),
            Ok(2),
            Ok(2),
            Err(Refusal::Conflict),
            Ok(3),
            Ok(4)
        ]
    );
    assert_eq!(outcomes[3], outcomes[2].clone().map(again));
    assert_eq!(outcomes[6], Ok(receipt(4, 9, 1, 2)));
}

pub async fn refuses_to_leave_the_range<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    let max = Score::MAX.points();
    running.one(act("a", 1, max)).await.unwrap();
    assert_eq!(running.one(act("b", 1, 1)).await, Err(Refusal::OutOfRange));
    assert_eq!(
        running.one(act("c", 1, i64::MAX)).await,
        Err(Refusal::OutOfRange)
    );
    // A refused id is free: it was never counted.
    assert_eq!(
        running.one(act("b", 1, -max)).await.unwrap().scores,
        Some(Scores::default())
    );
    assert_eq!(running.follower.seq(), 3);
}

pub async fn counts_no_more_than_limits_let<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    running.one(put(2)).await.unwrap();
    let quiz = |id, n| declared("quiz", id, n, 2, 3);
    let first = running.one(quiz("a", 1)).await.unwrap();
    running.one(quiz("b", 1)).await.unwrap();
    let reached = Some((2, Window::Minute));
    assert_eq!(limit(running.one(quiz("c", 1)).await), reached);
    assert_eq!(limit(running.one(quiz("d", 1)).await), reached);
    // What was counted is answered as it was then, and the limits are not asked.
    assert_eq!(running.one(quiz("a", 1)).await, Ok(again(first)));
    assert_eq!(running.one(quiz("a", 2)).await, Err(Refusal::Conflict));
    assert_eq!(
        running.one(quiz("c", 9)).await,
        Err(Refusal::UnknownUser),
        "before any limit"
    );
    // Others, and other types, have limits of their own or none. A refused id is
    // free.
    running.one(quiz("c", 2)).await.unwrap();
    running.one(act("e", 1, 1)).await.unwrap();
    running.one(declared("quiz", "f", 1, 0, 0)).await.unwrap();
    running.one(declared("assist", "g", 1, 1, 0)).await.unwrap();
    assert_eq!(
        limit(running.one(declared("assist", "h", 1, 1, 0)).await),
        Some((1, Window::Minute))
    );
    // What was counted without limits is not counted against any.
    assert_eq!(
        limit(running.one(declared("quiz", "i", 1, 0, 2)).await),
        Some((2, Window::Day))
    );
    running.one(declared("quiz", "i", 1, 0, 3)).await.unwrap();
    assert_eq!(
        limit(running.one(quiz("j", 1)).await),
        Some((3, Window::Day)),
        "the one that lasts longer"
    );
}

pub async fn limits_hold_within_one_batch<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    let mut commands = vec![put(1)];
    commands.extend((0..5).map(|i| declared("quiz", &format!("a{i}"), 1, 2, 0)));
    commands.push(declared("quiz", "a0", 1, 2, 0));
    let outcomes = running.store.append(commands).await.unwrap();
    let refused: Vec<bool> = outcomes
        .iter()
        .map(|outcome| limit(outcome.clone()).is_some())
        .collect();
    assert_eq!(refused, [false, false, false, true, true, true, false]);
    assert_eq!(outcomes[6], outcomes[1].clone().map(again));
    assert_eq!(running.follower.rows()[0].1, 2);
}

pub async fn limits_survive_a_restart<F: Fixture>() {
    let fixture = F::new();
    let mut running = fixture.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    for (i, per_minute, per_day) in [(0, 2, 0), (1, 2, 0), (2, 0, 3)] {
        running
            .one(declared("quiz", &format!("a{i}"), 1, per_minute, per_day))
            .await
            .unwrap();
        running.store.close().await;
        drop(running);
        running = fixture.open(Rules::default()).await;
    }
    assert_eq!(
        limit(running.one(declared("quiz", "b", 1, 3, 0)).await),
        Some((3, Window::Minute))
    );
    assert_eq!(
        limit(running.one(declared("quiz", "b", 1, 0, 3)).await),
        Some((3, Window::Day))
    );
}

pub async fn points_of_the_server_make_no_other_action<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    let worth = |action: Command, increase| match action {
        Command::Act(action) => Command::Act(Action { increase, ..action }),
        other => other,
    };
    let quiz = declared("quiz", "a", 1, 0, 0);
    let first = running.one(worth(quiz.clone(), 10)).await.unwrap();
    assert_eq!(first.scores.map(|it| it.score), Score::new(10));
    assert_eq!(running.one(worth(quiz, 20)).await, Ok(again(first)));
    for other in [
        declared("assist", "a", 1, 0, 0),
        declared("quiz", "a", 2, 0, 0),
    ] {
        assert_eq!(running.one(other).await, Err(Refusal::Conflict));
    }
    // Sent points still tell actions apart.
    running.one(act("b", 1, 10)).await.unwrap();
    assert_eq!(running.one(act("b", 1, 20)).await, Err(Refusal::Conflict));
}

pub async fn a_user_put_unchanged_is_no_entry<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    assert!(!running.one(put(1)).await.unwrap().duplicate);
    let same = running.one(put(1)).await.unwrap();
    assert!(same.duplicate);
    assert_eq!((same.seq, same.scores), (1, None));
    running.one(act("a", 1, 3)).await.unwrap();
    let renamed = running.one(named(1, "Zoë")).await.unwrap();
    assert_eq!((renamed.seq, renamed.scores), (3, None));
    assert_eq!(running.follower.rows(), [("Zoë".to_owned(), 3, 1)]);
}

pub async fn is_the_same_when_it_is_opened_again<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    for n in 1..=5 {
        running.one(put(n)).await.unwrap();
    }
    let mut answers = Vec::new();
    for i in 0..40u8 {
        let action = act(&format!("a{i}"), i % 5 + 1, i64::from(i) * 7 % 13 - 3);
        answers.push((action.clone(), running.one(action).await.unwrap()));
    }
    running.one(named(2, "renamed")).await.unwrap();
    let (rows, seq, epoch) = (
        running.follower.rows(),
        running.follower.seq(),
        running.epoch,
    );
    running.store.close().await;
    assert!(running.store.append(vec![put(9)]).await.is_err());
    drop(running);

    let running = fixture.open(Rules::default()).await;
    assert_eq!((running.follower.seq(), running.epoch), (seq, epoch));
    assert_eq!(running.follower.rows(), rows);
    for (action, answer) in answers {
        assert_eq!(running.one(action).await, Ok(again(answer)));
    }
    assert_eq!(running.one(put(6)).await.unwrap().seq, seq + 1);
}

pub async fn answers_many_senders_at_once<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    for n in 0..20 {
        running.one(put(n)).await.unwrap();
    }
    let senders = (0..20u8).map(|n| {
        let running = &running;
        async move {
            for i in 0..25 {
                // Every action is sent by two senders.
                let id = format!("{}-{i}", n / 2);
                let action = act(&id, n / 2, 1);
                running.one(action).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(senders).await;
    let rows = running.follower.rows();
    assert_eq!(rows.iter().map(|row| row.1).sum::<i64>(), 10 * 25);
    assert_eq!(running.follower.seq(), 20 + 10 * 25);
}

pub async fn a_deleted_user_is_gone_and_may_be_registered_again<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    running.one(put(2)).await.unwrap();
    running.one(act("a", 1, 9)).await.unwrap();
    running.one(act("b", 2, 4)).await.unwrap();
    assert_eq!(
        running.one(Command::DeleteUser(user(1))).await.unwrap().seq,
        5
    );
    let gone = Err(Refusal::UnknownUser);
    assert_eq!(
        running.one(Command::DeleteUser(user(1))).await,
        gone.clone()
    );
    assert_eq!(running.one(act("c", 1, 1)).await, gone);
    let left = [("user 2".to_owned(), 4, 1)];
    assert_eq!(running.follower.rows(), left);

    // Whether the end was folded or is still to be.
    for _ in 0..2 {
        running.store.close().await;
        let running = fixture.open(Rules::default()).await;
        assert_eq!(running.follower.rows(), left);
        running.store.close().await;
    }
    let running = fixture.open(Rules::default()).await;
    running.one(named(1, "again")).await.unwrap();
    assert_eq!(running.one(act("d", 1, 3)).await, Ok(receipt(7, 3, 2, 2)));
    assert!(running.one(act("a", 1, 9)).await.unwrap().duplicate);
}

pub async fn revocations_only_reach_further<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    assert_eq!(running.revoked, []);
    for issued_until in [70, 60] {
        let user = user(1);
        let revoke = Command::RevokeTokens { user, issued_until };
        running.one(revoke).await.unwrap();
    }
    running.store.close().await;
    let running = fixture.open(Rules::default()).await;
    assert_eq!(running.revoked, [(user(1), 70)]);
    // It is about no board.
    assert_eq!(running.follower.seq(), 0);
}

pub fn announcement(n: u8, audience: Audience, until: u64) -> Announcement {
    Announcement {
        id: AnnouncementId([n; 16]),
        kind: AnnouncementKind::Maintenance,
        message: format!("message {n}").into(),
        severity: Severity::Warning,
        audience,
        from: Timestamp(10),
        until: Timestamp(until),
        duration: Some(7),
    }
}

pub async fn announcements_are_accepted_once_and_stored_while_valid<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    let valid = [
        announcement(1, Audience::All, u64::MAX >> 1),
        announcement(2, Audience::Role(Role::Publisher), u64::MAX >> 1),
        announcement(3, Audience::User(user(9)), u64::MAX >> 1),
    ];
    for it in valid
        .iter()
        .chain([&announcement(4, Audience::Role(Role::Viewer), 20)])
    {
        let taken = running.one(Command::Announce(it.clone())).await.unwrap();
        assert_eq!(
            (taken.seq, taken.duplicate),
            (1, false),
            "it is about no board"
        );
    }
    // By now it has begun anyhow.
    let later = Announcement {
        from: Timestamp(99),
        ..valid[0].clone()
    };
    let again = running.one(Command::Announce(later)).await.unwrap();
    assert!(again.duplicate && again.seq == 1);
    let other = Announcement {
        message: "another".into(),
        ..valid[0].clone()
    };
    let refused = running.one(Command::Announce(other)).await;
    assert_eq!(refused, Err(Refusal::Conflict));
    running.store.close().await;
    let running = fixture.open(Rules::default()).await;
    assert_eq!(running.announcements, valid);
    assert_eq!(running.one(put(2)).await.unwrap().seq, 2);
}

/// The points of the score: seq, score and rank.
pub fn points(history: &History) -> Vec<(u64, i64, Option<u64>)> {
    let points = history.points.iter();
    points
        .map(|point| {
            (
                point.seq.map_or(0, Seq::get),
                point.score.points(),
                point.rank,
            )
        })
        .collect()
}

pub async fn looking_back_shows_what_a_user_did<F: Fixture>() {
    let fixture = F::new();
    let mut running = fixture.open(Rules::default()).await;
    for n in 1..=3 {
        running.one(put(n)).await.unwrap();
    }
    assert_eq!(running.history(1, 9).await, History::default());
    assert_eq!(
        running.store.history(id("main"), user(9), 9).await.unwrap(),
        None
    );

    let before = podium::clock::now();
    running.one(act("a", 1, 5)).await.unwrap();
    running.one(act("b", 2, 8)).await.unwrap();
    running.one(named(1, "renamed")).await.unwrap();
    running.one(declared("quiz", "c", 1, 0, 0)).await.unwrap();
    running.one(act("c", 1, 1)).await.unwrap_err();
    running.one(act("d", 1, -9)).await.unwrap();
    let after = podium::clock::now();
    // Whether the last ranks are written or not.
    for _ in 0..2 {
        let history = running.history(1, 9).await;
        assert_eq!(
            points(&history),
            [(4, 5, Some(1)), (7, 6, Some(2)), (8, -3, Some(3))]
        );
        let recent: Vec<_> = history
            .recent
            .iter()
            .map(|action| (&*action.action_type, action.increase, action.after))
            .collect();
        let [first, second, third] = history.points[..] else {
            panic!("three points");
        };
        assert_eq!(
            recent,
            [("test", -9, third), ("quiz", 1, second), ("test", 5, first)]
        );
        assert_eq!((history.actions, history.best), (3, Some(1)));
        assert_eq!(history.first, Some(first.at));
        assert_eq!(history.last, Some(third.at));
        assert!(before <= first.at && first.at <= third.at && third.at <= after);
        assert_eq!(points(&running.history(2, 9).await), [(5, 8, Some(1))]);
        running.store.close().await;
        running = fixture.open(Rules::default()).await;
    }
}

pub async fn looking_back_shows_scores_as_the_rules_make_them<F: Fixture>() {
    for (operator, scores) in [
        (Operator::Sum, [61, 120, 190]),
        (Operator::Best, [61, 59, 59]),
        (Operator::Latest, [61, 59, 70]),
    ] {
        let fixture = F::new();
        let running = fixture
            .open(Rules {
                operator,
                order: Order {
                    direction: Direction::LowestFirst,
                    ..Order::default()
                },
                ..Rules::default()
            })
            .await;
        running.one(put(1)).await.unwrap();
        for (id, result) in [("a", 61), ("b", 59), ("c", 70)] {
            running.one(act(id, 1, result)).await.unwrap();
        }
        let history = running.history(1, 9).await;
        let shown: Vec<_> = points(&history).iter().map(|point| point.1).collect();
        assert_eq!(shown, scores, "{operator:?}");
        let recent = history.recent.iter();
        let increases: Vec<_> = recent.map(|action| action.increase).collect();
        assert_eq!(increases, [70, 59, 61]);
    }
}

pub async fn looking_back_shows_second_scores<F: Fixture>() {
    let fixture = F::new();
    let rules = Rules {
        order: Order {
            tiebreak: Some(Direction::LowestFirst),
            ..Order::default()
        },
        ..Rules::default()
    };
    let running = fixture.open(rules).await;
    running.one(put(1)).await.unwrap();
    for (id, tiebreak_increase) in [("a", 3), ("b", 4)] {
        let Command::Act(action) = act(id, 1, 5) else {
            unreachable!("it is an action");
        };
        let action = Action {
            tiebreak_increase,
            ..action
        };
        running.one(Command::Act(action)).await.unwrap();
    }
    let second = |point: &HistoryPoint| point.tiebreak.map(Score::points);
    let seconds = |history: &History| -> (Vec<_>, Vec<_>) {
        let recent = history.recent.iter().map(|it| second(&it.after));
        (
            history.points.iter().map(second).collect(),
            recent.collect(),
        )
    };
    let expected = (vec![Some(3), Some(7)], vec![Some(7), Some(3)]);
    assert_eq!(seconds(&running.history(1, 9).await), expected);
    running.store.close().await;
    let again = fixture.open(rules).await;
    assert_eq!(seconds(&again.history(1, 9).await), expected);
}

pub async fn looking_back_leaves_points_out_but_never_the_ends<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    let mut commands = vec![put(1), put(2)];
    // Others act between.
    commands.extend((0..1200).flat_map(|i| {
        [
            act(&format!("a{i}"), 1, 1),
            act(&format!("b{i}"), 2, i64::from(i)),
        ]
    }));
    for commands in commands.chunks(100) {
        running.store.append(commands.to_vec()).await.unwrap();
    }
    for (asked, most) in [(0, 1), (1, 1), (2, 2), (50, 50), (usize::MAX, MAX_POINTS)] {
        let history = running.history(1, asked).await;
        let points = points(&history);
        assert!(points.len() <= most, "{} of {asked}", points.len());
        assert_eq!(
            points.last().map(|last| (last.0, last.1)),
            Some((2401, 1200))
        );
        if most > 1 {
            assert_eq!((points[0].0, points[0].1), (3, 1));
        }
        assert!(points.is_sorted_by(|a, b| a.0 < b.0));
        for (seq, score, _) in points {
            assert_eq!(seq, 1 + 2 * score.cast_unsigned());
        }
        assert_eq!(history.actions, 1200);
        assert_eq!(history.best, Some(1));
        let recent: Vec<_> = history
            .recent
            .iter()
            .map(|action| action.after.score.points())
            .collect();
        assert_eq!(recent, (1181..=1200).rev().collect::<Vec<_>>());
        assert_eq!(recent.len(), RECENT);
    }
}

pub async fn a_history_starts_where_a_user_was_registered_again<F: Fixture>() {
    let fixture = F::new();
    let mut running = fixture.open(Rules::default()).await;
    for command in [
        put(1),
        act("a", 1, 9),
        put(2),
        act("b", 2, 4),
        Command::DeleteUser(user(1)),
    ] {
        running.one(command).await.unwrap();
    }
    assert_eq!(
        running.store.history(id("main"), user(1), 9).await.unwrap(),
        None
    );
    running.one(put(1)).await.unwrap();
    assert_eq!(running.history(1, 9).await, History::default());
    running.one(act("c", 1, 3)).await.unwrap();
    for _ in 0..2 {
        let history = running.history(1, 9).await;
        assert_eq!(points(&history), [(7, 3, Some(2))]);
        assert_eq!(history.recent.len(), 1);
        assert_eq!((history.actions, history.best), (1, Some(2)));
        running.store.close().await;
        running = fixture.open(Rules::default()).await;
    }
}

pub async fn nobody_looks_back_once_it_is_closed<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    assert_eq!(running.history(1, 9).await, History::default());
    let asked = futures_util::future::join_all(
        (0..50).map(|_| running.store.history(id("main"), user(1), 9)),
    );
    // A caller before the end gets the truth or the error of the end.
    let (answers, ()) = futures_util::join!(asked, running.store.close());
    for answer in answers {
        assert!(matches!(answer, Ok(Some(_)) | Err(StoreError::Closed)));
    }
    let late = running.store.history(id("main"), user(1), 9).await;
    assert!(matches!(late, Err(StoreError::Closed)));
}

/// The settings of a board as the API takes them.
pub fn settings(json: &str) -> Settings {
    board_settings::from_text(json).expect("are settings")
}

pub fn put_board(board: &str, json: &str) -> Command {
    Command::PutBoard {
        board: id(board),
        settings: settings(json).into(),
        most: 20,
    }
}

/// An action on a board, with points for its second score.
pub fn act_on(board: &str, name: &str, n: u8, increase: i64, tiebreak_increase: i64) -> Command {
    let Command::Act(action) = act(name, n, increase) else {
        unreachable!("it is one");
    };
    Command::Act(Action {
        board: id(board),
        tiebreak_increase,
        ..action
    })
}

pub fn team(n: u8) -> TeamId {
    TeamId([0xA0 + n; 16])
}

pub fn put_team(n: u8) -> Command {
    Command::PutTeam {
        team: team(n),
        profile: Profile {
            username: format!("team {n}").into(),
            avatar: None,
        },
    }
}

/// Somebody is in this team and in these groups from now on.
pub fn group(n: u8, of: Option<u8>, groups: &[&str]) -> Command {
    let groups = groups.iter().map(|name| GroupId((*name).into()));
    Command::GroupUser {
        user: user(n),
        team: Some(of.map(team)),
        groups: Some(groups.collect()),
    }
}

fn row(name: &str, score: i64, rank: u64) -> (String, i64, u64) {
    (name.to_owned(), score, rank)
}

pub async fn each_board_has_its_own_rules<F: Fixture>() {
    let fixture = F::new();
    let mut running = fixture.open(Rules::default()).await;
    for command in [
        put(1),
        put(2),
        put_board("laps", r#"{"operator": "best", "direction": "lowest"}"#),
        put_board(
            "solved",
            r#"{"operator": "count", "tiebreak": {"direction": "lowest"}, "everyone": true}"#,
        ),
    ] {
        running.one(command).await.unwrap();
    }
    let lap = running.one(act_on("laps", "a", 1, 61, 0)).await.unwrap();
    assert_eq!((lap.seq, lap.rank, lap.old_rank), (1, Some(1), None));
    running.one(act_on("laps", "b", 1, 63, 0)).await.unwrap();
    let lap = running.one(act_on("laps", "c", 2, 59, 0)).await.unwrap();
    assert_eq!((lap.seq, lap.rank), (3, Some(1)));
    for (name, n, penalty) in [("d", 1, 20), ("e", 2, 5), ("f", 2, 1), ("g", 1, 4)] {
        running
            .one(act_on("solved", name, n, 500, penalty))
            .await
            .unwrap();
    }
    let goal = running.one(act("h", 2, 5)).await.unwrap();
    assert_eq!(goal.seq, 3, "two registrations and this");
    // An id is one action, whatever the board.
    assert_eq!(running.one(act("a", 1, 61)).await, Err(Refusal::Conflict));
    assert_eq!(
        running.one(act_on("laps", "c", 2, 59, 0)).await,
        Ok(again(lap))
    );
    let nowhere = running.one(act_on("nowhere", "i", 1, 1, 0)).await;
    assert_eq!(nowhere, Err(Refusal::UnknownBoard(id("nowhere"))));
    for _ in 0..2 {
        let rows = |board| running.follower.rows_of(board);
        assert_eq!(rows("laps"), [row("user 2", 59, 1), row("user 1", 61, 2)]);
        assert_eq!(rows("solved"), [row("user 2", 2, 1), row("user 1", 2, 2)]);
        assert_eq!(rows("main"), [row("user 2", 5, 1), row("user 1", 0, 2)]);
        let history = running.store.history(id("laps"), user(1), 9).await.unwrap();
        assert_eq!(
            points(&history.unwrap()),
            [(1, 61, Some(1)), (2, 61, Some(1))]
        );
        running.store.close().await;
        running = fixture.open(Rules::default()).await;
    }
}

pub async fn boards_are_changed_and_deleted<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    running.one(put_board("a", "{}")).await.unwrap();
    assert!(running.one(put_board("a", "{}")).await.unwrap().duplicate);
    running
        .one(put_board("a", r#"{"operator": "best"}"#))
        .await
        .unwrap();
    running.one(act_on("a", "a", 1, 7, 0)).await.unwrap();
    let decided = Err(Refusal::Settings(Contradiction::Decided));
    assert_eq!(running.one(put_board("a", "{}")).await, decided);
    let renamed = r#"{"operator": "best", "title": "A", "direction": "highest"}"#;
    running.one(put_board("a", renamed)).await.unwrap();
    running.one(put_board("b", r#"{"of": "a"}"#)).await.unwrap();
    let refused = running.one(Command::DeleteBoard(id("a"))).await;
    assert_eq!(refused, Err(Refusal::HasDerived(id("b"))));
    let refused = running.one(act_on("b", "b", 1, 7, 0)).await;
    let derived = Refusal::Derived {
        board: id("b"),
        of: id("a"),
    };
    assert_eq!(refused, Err(derived));
    let refused = running.one(Command::DeleteBoard(id("main"))).await;
    assert_eq!(refused, Err(Refusal::IsMain));
    let full = Command::PutBoard {
        board: id("c"),
        settings: settings("{}").into(),
        most: 3,
    };
    assert_eq!(running.one(full).await, Err(Refusal::TooManyBoards(3)));
    for board in ["b", "a"] {
        running.one(Command::DeleteBoard(id(board))).await.unwrap();
        let gone = running.one(Command::DeleteBoard(id(board))).await;
        assert_eq!(gone, Err(Refusal::UnknownBoard(id(board))));
    }
    // Made again, it is another.
    running.one(put_board("a", "{}")).await.unwrap();
    assert_eq!(running.follower.rows_of("a"), []);
    running.one(act_on("a", "c", 1, 3, 0)).await.unwrap();
    running.store.close().await;
    let running = fixture.open(Rules::default()).await;
    assert_eq!(running.follower.rows_of("a"), [row("user 1", 3, 1)]);
    let boards = running.follower.read(|state| state.boards().count());
    assert_eq!(boards, 2);
}

/// What is right after all of this is right for a store that looks over its data, too.
pub async fn boards_are_sound_after_a_restart<F: Fixture>() {
    let fixture = F::new();
    let mut running = fixture.open(Rules::default()).await;
    for command in [put(1), put(2), put_board("cup", r#"{"operator": "count"}"#)] {
        running.one(command).await.unwrap();
    }
    running.one(act_on("cup", "a", 1, 5, 0)).await.unwrap();
    // Another board of the same id, with another rule.
    for (round, operator) in ["sum", "best", "latest", "sum"].into_iter().enumerate() {
        running.one(Command::DeleteBoard(id("cup"))).await.unwrap();
        let settings = format!(r#"{{"operator": "{operator}"}}"#);
        running.one(put_board("cup", &settings)).await.unwrap();
        for (n, increase) in [61, 59].into_iter().enumerate() {
            let name = format!("{round} {n}");
            running
                .one(act_on("cup", &name, 1, increase, 0))
                .await
                .unwrap();
            running.store.close().await;
            running = fixture.open(Rules::default()).await;
        }
    }
    assert_eq!(running.follower.rows_of("cup"), [row("user 1", 120, 1)]);
    // Who is hidden acts where nobody has.
    let hide = Command::HideUser {
        user: user(2),
        hidden: true,
        reason: None,
    };
    for command in [put_board("new", "{}"), hide, act_on("new", "h", 2, 5, 0)] {
        running.one(command).await.unwrap();
    }
    running.store.close().await;
    let running = fixture.open(Rules::default()).await;
    assert_eq!(running.follower.rows_of("new"), []);
}

pub async fn times_of_a_board_hold_for_what_is_derived_from_it<F: Fixture>() {
    let fixture = F::new();
    let mut running = fixture.open(Rules::default()).await;
    for command in [
        put(1),
        put_board("goals", r#"{"of": "main", "types": ["goal"]}"#),
        put_board("copy", r#"{"of": "goals"}"#),
        put_board(
            "goals",
            r#"{"of": "main", "types": ["goal"], "ends": "2001-01-01T00:00:00Z"}"#,
        ),
    ] {
        running.one(command).await.unwrap();
    }
    let goal = |name| match act(name, 1, 30) {
        Command::Act(action) => Command::Act(Action {
            action_type: "goal".into(),
            ..action
        }),
        other => other,
    };
    for name in ["a", "b"] {
        running.one(goal(name)).await.unwrap();
        assert_eq!(running.follower.rows_of("copy"), []);
        running.store.close().await;
        running = fixture.open(Rules::default()).await;
    }
}

/// A derived board that has counted something may be ended, and that may be put off, as long as
/// nothing changes of what it has counted.
pub async fn a_derived_board_may_be_ended<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    let daily = |ends: &str| {
        let json = format!(r#"{{"of": "main", "period": {{"every": "day"}}{ends}}}"#);
        put_board("daily", &json)
    };
    let plain = |ends: &str| put_board("copy", &format!(r#"{{"of": "main"{ends}}}"#));
    let far = r#", "ends": "2100-01-01T12:00:00Z""#;
    let later = r#", "ends": "2100-01-02T00:00:00Z""#;
    let past = r#", "ends": "2001-01-01T00:00:00Z""#;
    let starts = r#", "starts": "2001-01-01T00:00:00Z""#;
    for command in [put(1), daily(""), plain(""), act("a", 1, 5)] {
        running.one(command).await.unwrap();
    }
    let counted = Some(Refusal::Settings(Contradiction::Counted));
    for board in [&daily as &dyn Fn(&str) -> Command, &plain] {
        for times in [past, starts] {
            assert_eq!(running.one(board(times)).await.err(), counted, "{times}");
        }
        for times in [far, later, ""] {
            running.one(board(times)).await.unwrap();
        }
        running.one(board(far)).await.unwrap();
    }
    let ends = |board: &str| {
        let season = |state: &State| state.board(&id(board)).and_then(|it| it.season());
        running.follower.read(season).map(|it| it.ends.0)
    };
    assert_eq!(ends("copy"), Some(4_102_488_000_000));
    assert!(ends("daily") < ends("copy"), "the day ends before");
}

pub async fn numbers_of_a_board_that_is_made_again_go_on<F: Fixture>() {
    let fixture = F::new();
    let mut running = fixture.open(Rules::default()).await;
    let seq = |running: &Running, board: &str| {
        let seq = |state: &State| state.board(&id(board)).map(|board| board.seq());
        running.follower.read(seq).expect("there")
    };
    running.one(put(1)).await.unwrap();
    let (mut last, mut last_derived) = (0, 0);
    for round in 0..3 {
        running.one(put_board("a", "{}")).await.unwrap();
        running
            .one(put_board("of-a", r#"{"of": "a"}"#))
            .await
            .unwrap();
        for n in 0..2 {
            let name = format!("{round} {n}");
            let acted = running.one(act_on("a", &name, 1, 1, 0)).await.unwrap();
            assert!(acted.seq > last, "{} after {last}", acted.seq);
            assert_eq!(acted.seq, seq(&running, "a"));
            last = acted.seq;
            assert!(seq(&running, "of-a") > last_derived);
            last_derived = seq(&running, "of-a");
        }
        let now = [seq(&running, "a"), seq(&running, "of-a")];
        running.store.close().await;
        running = fixture.open(Rules::default()).await;
        assert_eq!([seq(&running, "a"), seq(&running, "of-a")], now);
        for board in ["of-a", "a"] {
            running.one(Command::DeleteBoard(id(board))).await.unwrap();
        }
        if round == 1 {
            running.store.close().await;
            running = fixture.open(Rules::default()).await;
        }
    }
}

pub async fn boards_start_and_end<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    running.one(put(1)).await.unwrap();
    for (name, json, expected) in [
        (
            "early",
            r#"{"starts": "2100-01-01T00:00:00Z"}"#,
            Some(Refusal::NotStarted),
        ),
        (
            "late",
            r#"{"ends": "2001-01-01T00:00:00Z"}"#,
            Some(Refusal::Ended),
        ),
        (
            "now",
            r#"{"starts": "2001-01-01T00:00:00Z", "ends": "2100-01-01T00:00:00Z"}"#,
            None,
        ),
    ] {
        running.one(put_board(name, json)).await.unwrap();
        let outcome = running.one(act_on(name, name, 1, 1, 0)).await;
        assert_eq!(outcome.err(), expected, "{name}");
    }
    // The first season is the one in which it begins, whenever it is made.
    for json in [
        r#"{"of": "main", "period": {"every": "day", "starts": "2100-01-10T00:00:00Z"}}"#,
        r#"{"of": "main", "period": {"every": "day"}, "starts": "2100-01-10T00:00:00Z"}"#,
    ] {
        running.one(put_board("daily", json)).await.unwrap();
        let season = |state: &State| state.board(&id("daily")).and_then(|it| it.season());
        let season = running.follower.read(season).expect("one");
        assert_eq!((season.number, season.ends.0), (1, 4_103_308_800_000));
        running
            .one(Command::DeleteBoard(id("daily")))
            .await
            .unwrap();
    }
}

/// Waits until a board has ended so often, and returns with which standings: name and score.
async fn ended(running: &Running, board: &str, times: u32) -> Vec<(u64, i64)> {
    let has_ended = |state: &State| state.board(&id(board)).unwrap().ended_seasons() == times;
    super::server::wait_for("it has ended", || running.follower.read(has_ended)).await;
    let seasons = running.store.seasons(id(board)).await.unwrap();
    let numbers: Vec<u32> = seasons.iter().map(|season| season.number).collect();
    assert_eq!(numbers, (1..=times).collect::<Vec<_>>());
    let standings = running.store.final_standings(id(board), times, 0..9);
    let rows = standings.await.unwrap().expect("it has ended").rows;
    let rows = rows.iter().map(|row| (row.rank, row.scores.score.points()));
    rows.collect()
}

/// The end of a board is a fact, and its standings are final: an end that is moved makes
/// another one, and changes nothing of the first.
pub async fn the_end_of_a_board_is_a_fact<F: Fixture>() {
    const PAST: &str = r#"{"ends": "2001-01-01T00:00:00Z"}"#;
    const FUTURE: &str = r#"{"ends": "2100-01-01T00:00:00Z"}"#;
    let fixture = F::new();
    let mut running = fixture.open(Rules::default()).await;
    for command in [put(1), put(2), put_board("cup", FUTURE)] {
        running.one(command).await.unwrap();
    }
    let daily = r#"{"of": "cup", "period": {"every": "day"}, "ends": "2100-01-01T00:00:00Z"}"#;
    running.one(put_board("daily", daily)).await.unwrap();
    let season = |board: &str| {
        let board = id(board);
        move |state: &State| state.board(&board).unwrap().season()
    };
    let cup = running.follower.read(season("cup"));
    assert_eq!(
        cup.map(|it| (it.number, it.ends.0)),
        Some((1, 4_102_444_800_000))
    );
    running.one(act_on("cup", "a", 1, 5, 0)).await.unwrap();
    running.one(act_on("cup", "b", 2, 7, 0)).await.unwrap();
    let hide = |hidden| Command::HideUser {
        user: user(2),
        hidden,
        reason: hidden.then(|| "used two accounts".into()),
    };
    running.one(hide(true)).await.unwrap();
    // It is sound with a reason, too, when what it did has been written.
    for _ in 0..2 {
        running.store.close().await;
        running = fixture.open(Rules::default()).await;
    }
    running.one(put_board("cup", PAST)).await.unwrap();
    assert_eq!(ended(&running, "cup", 1).await, [(1, 7), (2, 5)]);
    let refused = running.one(act_on("cup", "c", 1, 1, 0)).await;
    assert_eq!(refused.err(), Some(Refusal::Ended));
    assert_eq!(
        running.follower.rows_of("cup"),
        [("user 1".to_owned(), 5, 1)]
    );
    assert_eq!(running.follower.read(season("cup")), None);
    running.one(hide(false)).await.unwrap();

    running.store.close().await;
    running = fixture.open(Rules::default()).await;
    assert_eq!(ended(&running, "cup", 1).await, [(1, 7), (2, 5)]);
    running.one(put_board("cup", FUTURE)).await.unwrap();
    running.one(act_on("cup", "c", 1, 3, 0)).await.unwrap();
    assert_eq!(running.follower.read(season("cup")).unwrap().number, 2);
    running.one(put_board("cup", PAST)).await.unwrap();
    assert_eq!(ended(&running, "cup", 2).await, [(1, 8), (2, 7)]);
    let first = running
        .store
        .final_standings(id("cup"), 1, 0..9)
        .await
        .unwrap();
    assert_eq!(first.unwrap().rows.len(), 2);

    // Without an end it goes on.
    running.one(put_board("cup", "{}")).await.unwrap();
    assert_eq!(running.follower.read(season("cup")), None);
    running.one(act_on("cup", "d", 1, 1, 0)).await.unwrap();
    // Made afterwards, one that has ended has had the standings of then.
    for (board, json) in [
        ("until", r#"{"of": "cup", "ends": "2001-01-01T00:00:00Z"}"#),
        (
            "daily-until",
            r#"{"of": "cup", "period": {"every": "day"}, "ends": "2001-01-01T00:00:00Z"}"#,
        ),
    ] {
        running.one(put_board(board, json)).await.unwrap();
        assert_eq!(ended(&running, board, 1).await, []);
        assert_eq!(running.follower.read(season(board)), None);
    }
    running.store.close().await;
    let running = fixture.open(Rules::default()).await;
    assert_eq!(ended(&running, "cup", 2).await, [(1, 8), (2, 7)]);
    assert_eq!(running.follower.read(season("daily")).unwrap().number, 1);
    let again = running.one(act_on("cup", "d", 1, 1, 0)).await.unwrap();
    assert!(again.duplicate);
}

const DERIVED: [(&str, &str); 6] = [
    ("goals", r#"{"of": "main", "types": ["goal"]}"#),
    ("juniors", r#"{"of": "main", "group": "U18"}"#),
    ("clubs", r#"{"of": "main", "by": "team"}"#),
    ("pairs", r#"{"of": "main", "by": "team", "best": 2}"#),
    (
        "weekly",
        r#"{"of": "main", "period": {"every": "week", "zone": "Europe/Berlin"}}"#,
    ),
    (
        "junior-goals",
        r#"{"of": "juniors", "types": ["goal"], "everyone": true}"#,
    ),
];

/// What people did, some of it before boards are derived from it.
fn season() -> Vec<Command> {
    let goal = |name, n, increase| match act(name, n, increase) {
        Command::Act(action) => Command::Act(Action {
            action_type: "goal".into(),
            ..action
        }),
        other => other,
    };
    let hide = |n, hidden| Command::HideUser {
        user: user(n),
        hidden,
        reason: None,
    };
    vec![
        put(1),
        put(2),
        put(3),
        put(4),
        put_team(1),
        put_team(2),
        group(1, Some(1), &["U18"]),
        group(2, Some(1), &[]),
        group(3, Some(2), &["U18", "guests"]),
        goal("a", 1, 30),
        act("b", 2, 10),
        goal("c", 3, 20),
        act("d", 3, 5),
        act("e", 4, 7),
        // Who changes clubs counts for each while they are there.
        group(1, Some(2), &[]),
        goal("f", 1, 5),
        hide(3, true),
        goal("g", 3, 100),
        hide(2, true),
        hide(2, false),
        Command::DeleteUser(user(4)),
        put(4),
        group(4, Some(1), &["U18"]),
        act("h", 4, 1),
    ]
}

pub async fn derived_boards_follow_from_the_log<F: Fixture>() {
    let commands = season();
    // Made from the start, at any time, and afterwards: they are the same.
    for made_at in [0, 6, 11, 17, commands.len()] {
        let fixture = F::new();
        let mut running = fixture.open(Rules::default()).await;
        for (at, command) in commands.iter().enumerate() {
            if at == made_at {
                derive(&running).await;
            }
            running.one(command.clone()).await.unwrap();
            if at % 5 == 0 {
                running.store.close().await;
                running = fixture.open(Rules::default()).await;
            }
        }
        if made_at == commands.len() {
            derive(&running).await;
        }
        for _ in 0..2 {
            let rows = |board| running.follower.rows_of(board);
            let context = format!("made at {made_at}");
            let main = [
                row("user 1", 35, 1),
                row("user 2", 10, 2),
                row("user 4", 1, 3),
            ];
            assert_eq!(rows("main"), main, "{context}");
            assert_eq!(rows("weekly"), main, "{context}");
            assert_eq!(rows("goals"), [row("user 1", 35, 1)], "{context}");
            assert_eq!(
                rows("juniors"),
                [row("user 1", 30, 1), row("user 4", 1, 2)],
                "{context}"
            );
            assert_eq!(
                rows("clubs"),
                [row("team 1", 41, 1), row("team 2", 5, 2)],
                "{context}"
            );
            assert_eq!(
                rows("pairs"),
                [row("team 1", 40, 1), row("team 2", 5, 2)],
                "{context}"
            );
            assert_eq!(
                rows("junior-goals"),
                [
                    row("user 1", 30, 1),
                    row("user 2", 0, 2),
                    row("user 4", 0, 3)
                ],
                "{context}"
            );
            running.store.close().await;
            running = fixture.open(Rules::default()).await;
        }
        // With all that was theirs.
        let hidden = false;
        let user = user(3);
        running
            .one(Command::HideUser {
                user,
                hidden,
                reason: None,
            })
            .await
            .unwrap();
        let rows = |board| running.follower.rows_of(board);
        assert_eq!(rows("goals")[0], row("user 3", 120, 1));
        assert_eq!(rows("clubs")[0], row("team 2", 130, 1));
    }
}

/// The actions of a user on a derived board: type and score after each.
pub async fn derived_history(running: &Running, board: &str, n: u8) -> Vec<(String, i64)> {
    let ended = running.store.seasons(id(board)).await.unwrap();
    let of = running
        .follower
        .read(|state| DerivedHistory::new(state, &id(board), &ended, user(n)));
    let of = of.expect("somebody, and a derived board");
    let history = running.store.derived_history(of, 1000).await.unwrap();
    let history = history.expect("somebody");
    let recent = history.recent.iter().rev();
    let recent = recent.map(|it| (it.action_type.to_string(), it.after.score.points()));
    let recent: Vec<_> = recent.collect();
    let scores: Vec<i64> = recent.iter().map(|it| it.1).collect();
    let points: Vec<_> = scores.into_iter().map(|score| (0, score, None)).collect();
    assert_eq!(self::points(&history), points);
    assert_eq!(history.actions, recent.len() as u64);
    recent
}

pub async fn derived_boards_have_histories<F: Fixture>() {
    let fixture = F::new();
    let mut running = fixture.open(Rules::default()).await;
    for command in season() {
        running.one(command).await.unwrap();
    }
    derive(&running).await;
    for _ in 0..2 {
        for (board, n, expected) in [
            ("goals", 1, &[("goal", 30), ("goal", 35)][..]),
            ("goals", 2, &[]),
            ("goals", 3, &[("goal", 20), ("goal", 120)]),
            // Who has left a group takes nothing more there.
            ("juniors", 1, &[("goal", 30)]),
            ("juniors", 3, &[("goal", 20), ("test", 25), ("goal", 125)]),
            // Deleted and registered again.
            ("juniors", 4, &[("test", 1)]),
            ("weekly", 1, &[("goal", 30), ("goal", 35)]),
            ("junior-goals", 3, &[("goal", 20), ("goal", 120)]),
        ] {
            let history = derived_history(&running, board, n).await;
            let history: Vec<_> = history.iter().map(|(it, score)| (&**it, *score)).collect();
            assert_eq!(history, expected, "user {n} on {board}");
        }
        running.store.close().await;
        running = fixture.open(Rules::default()).await;
    }
    // Whoever comes back to the group goes on.
    for command in [group(1, None, &["U18"]), act("later", 1, 2)] {
        running.one(command).await.unwrap();
    }
    let history = derived_history(&running, "juniors", 1).await;
    assert_eq!(history, [("goal".into(), 30), ("test".into(), 32)]);
    let of_teams = running
        .follower
        .read(|state| DerivedHistory::new(state, &id("clubs"), &[], user(1)).is_none());
    assert!(of_teams);
    // Of another board of the same name.
    for command in [
        put_board("cup", "{}"),
        act_on("cup", "i", 1, 5, 0),
        Command::DeleteBoard(id("cup")),
        put_board("cup", "{}"),
        put_board("copy", r#"{"of": "cup", "group": "U18"}"#),
        act_on("cup", "k", 1, 3, 0),
    ] {
        running.one(command).await.unwrap();
    }
    let history = derived_history(&running, "copy", 1).await;
    assert_eq!(history.last().map(|it| it.1), Some(3));
    assert_eq!(history.len(), 1);
}

pub async fn a_derived_board_counts_nothing_of_a_deleted_one<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    for command in [
        put(1),
        put(2),
        put_board("cup", "{}"),
        act_on("cup", "a", 1, 5, 0),
        Command::DeleteBoard(id("cup")),
        put_board("cup", "{}"),
        act_on("cup", "b", 2, 3, 0),
        put_board("copy", r#"{"of": "cup"}"#),
    ] {
        running.one(command).await.unwrap();
    }
    assert_eq!(running.follower.rows_of("copy"), [row("user 2", 3, 1)]);
}

async fn derive(running: &Running) {
    for (board, json) in DERIVED {
        running.one(put_board(board, json)).await.unwrap();
    }
}

pub async fn what_contradicts_itself_is_no_board<F: Fixture>() {
    let fixture = F::new();
    let running = fixture.open(Rules::default()).await;
    derive(&running).await;
    for (board, json) in [
        ("secret", r#"{"visibility": "private"}"#),
        ("secret-too", r#"{"of": "secret", "visibility": "private"}"#),
    ] {
        running.one(put_board(board, json)).await.unwrap();
    }
    for (board, json, expected) in [
        ("x", r#"{"of": "y"}"#, Contradiction::UnknownBoard(id("y"))),
        (
            "juniors",
            r#"{"of": "junior-goals"}"#,
            Contradiction::Circle(id("junior-goals")),
        ),
        ("x", r#"{"of": "x"}"#, Contradiction::Circle(id("x"))),
        (
            "x",
            r#"{"of": "weekly", "types": ["a"]}"#,
            Contradiction::OfSeasons(id("weekly")),
        ),
        (
            "x",
            r#"{"of": "clubs"}"#,
            Contradiction::OfTeams(id("clubs")),
        ),
        (
            "x",
            r#"{"of": "main", "tiebreak": {}}"#,
            Contradiction::NoTiebreak(id("main")),
        ),
        (
            "x",
            r#"{"of": "main", "by": "team", "everyone": true}"#,
            Contradiction::EveryoneOfTeams,
        ),
        (
            "goals",
            r#"{"of": "main", "types": ["run"]}"#,
            Contradiction::Decided,
        ),
        ("goals", "{}", Contradiction::Decided),
        // What is derived from it would show what it holds.
        (
            "main",
            r#"{"visibility": "private"}"#,
            Contradiction::ShownBy(id("clubs")),
        ),
        (
            "secret-goals",
            r#"{"of": "secret", "types": ["goal"]}"#,
            Contradiction::OfPrivate(id("secret")),
        ),
        (
            "secret-goals",
            r#"{"of": "secret", "visibility": "unlisted"}"#,
            Contradiction::OfPrivate(id("secret")),
        ),
    ] {
        let refused = running.one(put_board(board, json)).await;
        assert_eq!(refused, Err(Refusal::Settings(expected)), "{board} {json}");
    }
    let refused = running.one(group(9, None, &[])).await;
    assert_eq!(refused, Err(Refusal::UnknownUser));
    running.one(put(1)).await.unwrap();
    assert_eq!(
        running.one(group(1, Some(7), &[])).await,
        Err(Refusal::UnknownTeam)
    );
    running.one(group(1, None, &["U18"])).await.unwrap();
    assert!(
        running
            .one(group(1, None, &["U18"]))
            .await
            .unwrap()
            .duplicate
    );
}

/// A daily board on which so many people end a season, of whom two always have the same score.
/// `age` moves that into the past, while nobody has the store open.
pub async fn final_standings_are_read_in_parts(
    before: Running,
    age: impl FnOnce(),
    after: impl AsyncFnOnce() -> Running,
) {
    const PEOPLE: u16 = 2500;
    let who = |n: u16| {
        let [high, low] = n.to_be_bytes();
        UserId([high, low, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7])
    };
    let daily = r#"{"of": "main", "period": {"every": "day"}, "ties": "competition"}"#;
    before.one(put_board("daily", daily)).await.unwrap();
    for first in (0..PEOPLE).step_by(500) {
        let people = first..first + 500;
        let register = people.clone().map(|n| Command::PutUser {
            user: who(n),
            profile: Profile {
                username: format!("user {n}").into(),
                avatar: None,
            },
        });
        let act = people.map(|n| {
            Command::Act(Action {
                id: ActionId::new(&n.to_string()).unwrap(),
                board: id("main"),
                user: who(n),
                action_type: "test".into(),
                increase: 5000 - i64::from(n / 2),
                tiebreak_increase: 0,
                declared: None,
            })
        });
        let outcomes = before.store.append(register.chain(act).collect()).await;
        assert!(outcomes.unwrap().iter().all(Result::is_ok));
    }
    before.store.close().await;
    age();
    let running = after().await;
    // The first that is written ends what has ended.
    running.one(put(1)).await.unwrap();
    let read = async |positions: std::ops::Range<usize>| {
        let part = running.store.final_standings(id("daily"), 1, positions);
        let part = part.await.unwrap().expect("it has ended");
        assert_eq!((part.season.number, part.total), (1, usize::from(PEOPLE)));
        part.rows
    };
    let whole = read(0..usize::MAX).await;
    assert_eq!(whole.len(), usize::from(PEOPLE));
    for (place, row) in whole.iter().enumerate() {
        let even = place as u64 / 2 * 2;
        let score = 5000 - (even / 2).cast_signed();
        assert_eq!((row.rank, row.scores.score.points()), (even + 1, score));
    }
    let all: std::collections::HashSet<_> = whole.iter().map(|row| row.who).collect();
    assert_eq!(all.len(), usize::from(PEOPLE));
    for positions in [0..0, 0..50, 990..1010, 999..1000, 1000..2001, 2490..9000] {
        let rows = read(positions.clone()).await;
        let end = positions.end.min(whole.len());
        assert_eq!(rows, whole[positions.start..end], "{positions:?}");
    }
    for positions in [2500..2501, 9000..9050] {
        assert_eq!(read(positions).await, []);
    }
    for season in [0, 2, 99] {
        let none = running.store.final_standings(id("daily"), season, 0..9);
        assert_eq!(none.await.unwrap(), None, "season {season}");
    }
    let none = running.store.final_standings(id("nowhere"), 1, 0..9);
    assert_eq!(none.await.unwrap(), None);
}

#[macro_export]
macro_rules! store_suite {
    ($fixture:ty) => {
        $crate::store_suite!($fixture:
            numbers_entries_without_gaps
            counts_an_action_id_once
            decides_in_order_within_one_batch
            refuses_to_leave_the_range
            counts_no_more_than_limits_let
            limits_hold_within_one_batch
            limits_survive_a_restart
            points_of_the_server_make_no_other_action
            a_user_put_unchanged_is_no_entry
            a_deleted_user_is_gone_and_may_be_registered_again
            revocations_only_reach_further
            announcements_are_accepted_once_and_stored_while_valid
            is_the_same_when_it_is_opened_again
            answers_many_senders_at_once
            looking_back_shows_what_a_user_did
            looking_back_shows_scores_as_the_rules_make_them
            looking_back_shows_second_scores
            looking_back_leaves_points_out_but_never_the_ends
            a_history_starts_where_a_user_was_registered_again
            nobody_looks_back_once_it_is_closed
            each_board_has_its_own_rules
            boards_are_changed_and_deleted
            boards_start_and_end
            the_end_of_a_board_is_a_fact
            a_derived_board_may_be_ended
            numbers_of_a_board_that_is_made_again_go_on
            boards_are_sound_after_a_restart
            times_of_a_board_hold_for_what_is_derived_from_it
            a_derived_board_counts_nothing_of_a_deleted_one
            derived_boards_have_histories
            derived_boards_follow_from_the_log
            what_contradicts_itself_is_no_board
        );
    };
    ($fixture:ty: $($name:ident)*) => {
        $(#[tokio::test]
        async fn $name() {
            $crate::suite::$name::<$fixture>().await;
        })*
    };
}
