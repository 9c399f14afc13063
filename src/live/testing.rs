//! Boards that tests fill by hand, over a store that is unreachable.

use std::ops::Range;

use futures_util::future::BoxFuture;

use super::*;
use crate::{
    board::{
        Action, Announcement, AnnouncementId, AnnouncementKind, Audience, BoardHead, Effects, Fact,
        FinalPart, LogEntry, Profile, Rules, Score, Scores, Seq, Settings, Severity, StoredBoard,
    },
    clock,
    store::{DerivedHistory, Fold, History},
};

/// The part of final standings that has the rows at these positions.
pub(crate) type Finals = dyn Fn(Range<usize>) -> FinalPart + Send + Sync;

/// A store that is unreachable, with why it cannot be read; but for final standings, if it has
/// some.
struct Unreachable(
    watch::Receiver<Health>,
    fn() -> StoreError,
    Option<Box<Finals>>,
);

impl Store for Unreachable {
    fn append(&self, _: Vec<Command>) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async { Err(StoreError::Unreachable("it is gone".into())) })
    }

    fn history(
        &self,
        _: BoardId,
        _: UserId,
        _: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        Box::pin(async { Err((self.1)()) })
    }

    fn derived_history(
        &self,
        _: DerivedHistory,
        _: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        Box::pin(async { Err((self.1)()) })
    }

    fn seasons(&self, _: BoardId) -> BoxFuture<'_, Result<Vec<Season>, StoreError>> {
        Box::pin(async { Err((self.1)()) })
    }

    fn final_standings(
        &self,
        _: BoardId,
        _: u32,
        positions: Range<usize>,
    ) -> BoxFuture<'_, Result<Option<FinalPart>, StoreError>> {
        let finals = self.2.as_ref();
        let part = finals.map(|finals| finals(FinalPart::positions(positions)));
        Box::pin(async { part.map(Some).ok_or_else(self.1) })
    }

    fn presence(&self, _: Connected) -> BoxFuture<'_, Result<AllNodes, StoreError>> {
        Box::pin(async { Err(StoreError::Unreachable("it is gone".into())) })
    }

    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.0.clone()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// What follows a store that is unreachable, and by what it is filled.
pub(crate) fn live(opened: Opened) -> (Live, impl Fold) {
    live_over(opened, || StoreError::Unreachable("it is gone".into()))
}

/// The same, where this is why no history can be read.
pub(crate) fn live_over(opened: Opened, unread: fn() -> StoreError) -> (Live, impl Fold) {
    over(opened, unread, None)
}

/// The same over a store from which nothing can be read but these final standings.
pub(crate) fn live_with(opened: Opened, finals: Box<Finals>) -> (Live, impl Fold) {
    over(
        opened,
        || StoreError::Unreachable("it is gone".into()),
        Some(finals),
    )
}

fn over(
    opened: Opened,
    unread: fn() -> StoreError,
    finals: Option<Box<Finals>>,
) -> (Live, impl Fold) {
    let shared = Arc::new(Shared::new(opened));
    let (_, health) = watch::channel(Health::Unreachable);
    let store = Arc::new(Unreachable(health, unread, finals));
    let live = Live::new(shared.clone(), store, &LimitsTable::default());
    (live, Folder(shared))
}

pub(crate) fn user(n: u8) -> UserId {
    UserId([n; 16])
}

/// The board that plain routes and events mean.
pub(crate) fn main() -> BoardId {
    BoardId::default()
}

/// A new board that lists everybody.
pub(crate) fn board(id: &str) -> StoredBoard {
    board_with(id, Settings::main(Rules::default()))
}

/// A new board with these settings.
pub(crate) fn board_with(id: &str, settings: Settings) -> StoredBoard {
    let head = BoardHead {
        id: BoardId::new(id).expect("an id"),
        settings: Arc::new(settings),
        seq: 0,
        changed: Timestamp::default(),
        is_used: false,
        seasons: crate::board::Seasons::default(),
    };
    StoredBoard {
        head,
        as_of: 0,
        standings: Vec::new(),
        members: Vec::new(),
    }
}

/// A log that begins with a `main` that is there already, and what follows from it: as long
/// as all that is added concerns `main`, numbers of its entries are its own too.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) state: State,
}

impl Log {
    pub(crate) fn new(settings: Settings) -> Log {
        let mut state = State::default();
        state.put_board(board_with("main", settings));
        Log { state }
    }

    /// Adds an entry, at a time that is its number.
    pub(crate) fn add(&mut self, fact: Fact) -> (LogEntry, Effects) {
        let entry = entry(self.state.seq() + 1, fact);
        let effects = self.state.apply(&entry);
        (entry, effects)
    }

    /// Somebody acts on `main`, and has this score then.
    pub(crate) fn act(&mut self, user: UserId, increase: i64, score: i64) -> (LogEntry, Effects) {
        self.add(action(main(), user, increase, score))
    }

    pub(crate) fn main(&self) -> BoardView<'_> {
        self.state.view(&main()).expect("it is there")
    }
}

pub(crate) fn action(board: BoardId, user: UserId, increase: i64, score: i64) -> Fact {
    Fact::Action(Action {
        board,
        user,
        action_type: "goal".into(),
        increase,
        tiebreak_increase: 0,
        scores: Scores {
            score: Score::new(score).expect("in range"),
            ..Scores::default()
        },
    })
}

pub(crate) fn registered(n: u8) -> Fact {
    Fact::UserChanged {
        user: user(n),
        profile: Profile {
            username: format!("P{n}").into(),
            avatar: None,
        },
    }
}

pub(crate) fn acted(seq: u64, n: u8) -> LogEntry {
    entry(seq, action(main(), user(n), 5, 5))
}

pub(crate) fn deleted(seq: u64, n: u8) -> LogEntry {
    entry(seq, Fact::UserDeleted { user: user(n) })
}

/// The tokens of this user that were issued until then are revoked.
pub(crate) fn revoked(seq: u64, n: u8, issued_until: u64) -> LogEntry {
    let user = user(n);
    entry(seq, Fact::TokensRevoked { user, issued_until })
}

pub(crate) fn entry(seq: u64, fact: Fact) -> LogEntry {
    LogEntry {
        seq: Seq::new(seq).expect("from 1"),
        at: Timestamp(seq),
        fact,
    }
}

/// A log with so many entries, in which these users were registered first. Its
/// one announcement has the number of the epoch.
pub(crate) fn log(epoch: u64, seq: u64, users: &[u8]) -> Opened {
    let mut log = Log::new(Settings::main(Rules::default()));
    for n in users {
        log.add(registered(*n));
    }
    for _ in users.len() as u64 + 1..=seq {
        log.act(user(users[0]), 5, 5);
    }
    Opened {
        announcements: vec![Announcement {
            id: AnnouncementId(u128::from(epoch).to_be_bytes()),
            kind: AnnouncementKind::SystemAlert,
            message: "…".into(),
            severity: Severity::Info,
            audience: Audience::All,
            from: Timestamp(0),
            until: Timestamp(u64::MAX),
            duration: None,
        }],
        revoked: vec![(user(9), epoch)],
        ..opened(epoch, log.state)
    }
}

/// This state as that of a store, without announcements.
pub(crate) fn opened(epoch: u64, state: State) -> Opened {
    Opened {
        epoch: Epoch(epoch),
        state,
        announcements: Vec::new(),
        revoked: Vec::new(),
    }
}
