//! What every store must do. A store gets the suite by [`store_suite!`], with a
//! [`Fixture`] that opens it.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
};

use podium::{
    board::{
        Announcement, AnnouncementId, AnnouncementKind, Applied, Audience, Board, Direction, Epoch,
        LogEntry, Operator, Profile, Rules, Score, Severity, Timestamp, UserId,
    },
    role::Role,
    store::{
        Action, ActionId, ActionLimits, Command, Fold, History, LimitReached, Opened, Outcome,
        Ready, Receipt, Refusal, Store, StoreError, Window,
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
    board: Board,
    entries: Vec<LogEntry>,
}

impl Follower {
    pub fn new(opened: &Opened) -> Follower {
        Follower(Arc::new(Mutex::new(Followed {
            epoch: opened.epoch,
            board: opened.board.clone(),
            entries: Vec::new(),
        })))
    }

    pub fn epoch(&self) -> Epoch {
        self.0.lock().unwrap().epoch
    }

    /// Everybody in order: name, score, rank.
    pub fn rows(&self) -> Vec<(String, i64, u64)> {
        let state = self.0.lock().unwrap();
        let rows = state.board.rows(0..usize::MAX);
        rows.map(|row| {
            let name = row.profile.username.to_string();
            (name, row.score.unwrap().points(), row.rank.unwrap())
        })
        .collect()
    }

    pub fn seq(&self) -> u64 {
        self.0.lock().unwrap().board.seq()
    }

    pub fn entries(&self) -> Vec<LogEntry> {
        self.0.lock().unwrap().entries.clone()
    }
}

impl Fold for Follower {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Option<Applied>> {
        let mut state = self.0.lock().unwrap();
        state.entries.extend_from_slice(entries);
        state.board.fold(entries)
    }

    fn reload(&mut self, opened: Opened) {
        let mut state = self.0.lock().unwrap();
        *state = Followed {
            epoch: opened.epoch,
            board: opened.board,
            entries: Vec::new(),
        };
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
        outcomes[0]
    }

    /// What somebody who is registered has done.
    pub async fn history(&self, n: u8, points: usize) -> History {
        let history = self.store.history(user(n), points).await.unwrap();
        history.expect("registered")
    }
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

pub fn act(id: &str, n: u8, increase: i64) -> Command {
    Command::Act(Action {
        id: ActionId::new(id).unwrap(),
        user: user(n),
        action_type: "test".into(),
        increase,
        declared: None,
    })
}

/// An action of a type whose points the server sets; a limit of 0 is none.
pub fn declared(action_type: &str, id: &str, n: u8, per_minute: u32, per_day: u32) -> Command {
    Command::Act(Action {
        id: ActionId::new(id).unwrap(),
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
        score: Score::new(score),
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
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
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
        .map(|outcome| outcome.map(|r| r.seq))
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
    assert_eq!(outcomes[3], Ok(again(outcomes[2].unwrap())));
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
        running.one(act("b", 1, -max)).await.unwrap().score,
        Some(Score::ZERO)
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
        .map(|outcome| limit(*outcome).is_some())
        .collect();
    assert_eq!(refused, [false, false, false, true, true, true, false]);
    assert_eq!(outcomes[6], Ok(again(outcomes[1].unwrap())));
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
    assert_eq!(first.score, Score::new(10));
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
    assert_eq!((same.seq, same.score), (1, Some(Score::ZERO)));
    running.one(act("a", 1, 3)).await.unwrap();
    let renamed = running.one(named(1, "Zoë")).await.unwrap();
    assert_eq!((renamed.seq, renamed.score), (3, Score::new(3)));
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
    assert_eq!(running.one(Command::DeleteUser(user(1))).await, gone);
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
    assert_eq!(running.follower.seq(), 2);
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
        assert_eq!(taken.seq, 1 + u64::from(it.id.0[0]));
    }
    // By now it has begun anyhow.
    let later = Announcement {
        from: Timestamp(99),
        ..valid[0].clone()
    };
    let again = running.one(Command::Announce(later)).await.unwrap();
    assert!(again.duplicate && again.seq == 2);
    let other = Announcement {
        message: "another".into(),
        ..valid[0].clone()
    };
    let refused = running.one(Command::Announce(other)).await;
    assert_eq!(refused, Err(Refusal::Conflict));
    running.store.close().await;
    let running = fixture.open(Rules::default()).await;
    assert_eq!(running.announcements, valid);
    assert_eq!(running.one(put(2)).await.unwrap().seq, 6);
}

/// The points of the score: seq, score and rank.
pub fn points(history: &History) -> Vec<(u64, i64, Option<u64>)> {
    let points = history.points.iter();
    points
        .map(|point| (point.seq.get(), point.score.points(), point.rank))
        .collect()
}

pub async fn looking_back_shows_what_a_user_did<F: Fixture>() {
    let fixture = F::new();
    let mut running = fixture.open(Rules::default()).await;
    for n in 1..=3 {
        running.one(put(n)).await.unwrap();
    }
    assert_eq!(running.history(1, 9).await, History::default());
    assert_eq!(running.store.history(user(9), 9).await.unwrap(), None);

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
                direction: Direction::LowestFirst,
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
    assert_eq!(running.store.history(user(1), 9).await.unwrap(), None);
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
    let asked = futures_util::future::join_all((0..50).map(|_| running.store.history(user(1), 9)));
    // A caller before the end gets the truth or the error of the end.
    let (answers, ()) = futures_util::join!(asked, running.store.close());
    for answer in answers {
        assert!(matches!(answer, Ok(Some(_)) | Err(StoreError::Closed)));
    }
    let late = running.store.history(user(1), 9).await;
    assert!(matches!(late, Err(StoreError::Closed)));
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
            looking_back_leaves_points_out_but_never_the_ends
            a_history_starts_where_a_user_was_registered_again
            nobody_looks_back_once_it_is_closed
        );
    };
    ($fixture:ty: $($name:ident)*) => {
        $(#[tokio::test]
        async fn $name() {
            $crate::suite::$name::<$fixture>().await;
        })*
    };
}
