//! The board: who has how many points, and in which order they stand.
//!
//! Everything here is a value and a pure function of the log: no I/O, no clock,
//! no randomness, no serialisation, nothing but `std`. So it cannot fail in
//! those ways, and every node that folds the same log holds the same board.

mod announcement;
mod fold;
mod log;
pub mod ranking;
mod rules;
mod score;
mod sweep;
mod tick;
mod uuid_text;

pub use announcement::{Announcement, AnnouncementId, AnnouncementKind, Audience, Severity};
pub use fold::{Applied, Board, Member, Profile, Row};
pub use log::{BoardId, Epoch, Fact, LogEntry, Seq, Timestamp, UserId};
pub use ranking::{Direction, Ranking, Ties};
pub use rules::{Operator, Rules};
pub use score::Score;
pub use sweep::{RankSweep, Watched};
pub use tick::{Changes, Climb, Tick, UserChange};
pub use uuid_text::NotUuid;
