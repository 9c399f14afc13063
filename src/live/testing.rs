//! A board that tests fill by hand, over a store that is unreachable.

use futures_util::future::BoxFuture;

use super::*;
use crate::{
    board::{
        Announcement, AnnouncementId, AnnouncementKind, Audience, Fact, LogEntry, Profile, Rules,
        Score, Seq, Severity,
    },
    clock,
    store::{Fold, History},
};

/// A store that is unreachable, with why it cannot be read.
struct Unreachable(watch::Receiver<Health>, fn() -> StoreError);

impl Store for Unreachable {
    fn append(&self, _: Vec<Command>) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async { Err(StoreError::Unreachable("it is gone".into())) })
    }

    fn history(&self, _: UserId, _: usize) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        Box::pin(async { Err((self.1)()) })
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

/// A board over a store that is unreachable, and by what it is filled.
pub(crate) fn live(opened: Opened) -> (LiveBoard, impl Fold) {
    live_over(opened, || StoreError::Unreachable("it is gone".into()))
}

/// The same, where this is why no history can be read.
pub(crate) fn live_over(opened: Opened, unread: fn() -> StoreError) -> (LiveBoard, impl Fold) {
    let shared = Arc::new(Shared::new(opened));
    let (_, health) = watch::channel(Health::Unreachable);
    let store = Arc::new(Unreachable(health, unread));
    let live = LiveBoard::new(shared.clone(), store, &LimitsTable::default());
    (live, Folder(shared))
}

pub(crate) fn user(n: u8) -> UserId {
    UserId([n; 16])
}

fn registered(seq: u64, n: u8) -> LogEntry {
    entry(
        seq,
        Fact::UserChanged {
            user: user(n),
            profile: Profile {
                username: format!("P{n}").into(),
                avatar: None,
            },
        },
    )
}

pub(crate) fn acted(seq: u64, n: u8) -> LogEntry {
    entry(
        seq,
        Fact::Action {
            user: user(n),
            action_type: "goal".into(),
            increase: 5,
            score: Score::new(5).expect("in range"),
        },
    )
}

pub(crate) fn deleted(seq: u64, n: u8) -> LogEntry {
    entry(seq, Fact::UserDeleted { user: user(n) })
}

/// The tokens of this user that were issued until then are revoked.
pub(crate) fn revoked(seq: u64, n: u8, issued_until: u64) -> LogEntry {
    let user = user(n);
    entry(seq, Fact::TokensRevoked { user, issued_until })
}

fn entry(seq: u64, fact: Fact) -> LogEntry {
    LogEntry {
        seq: Seq::new(seq).expect("from 1"),
        at: Timestamp(seq),
        fact,
    }
}

/// A log with so many entries, in which these users were registered first. Its
/// one announcement has the number of the epoch.
pub(crate) fn log(epoch: u64, seq: u64, users: &[u8]) -> Opened {
    let mut board = Board::new(Rules::default());
    for (n, at) in users.iter().zip(1..) {
        board.apply(&registered(at, *n));
    }
    for at in users.len() as u64 + 1..=seq {
        board.apply(&acted(at, users[0]));
    }
    Opened {
        epoch: Epoch(epoch),
        board,
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
    }
}
