//! The board: who has how many points, and in which order they stand.
//!
//! Everything here is a value and a pure function of the log: no I/O, no clock,
//! no randomness, no serialisation, nothing but `std`. So it cannot fail in
//! those ways, and every node that folds the same log holds the same board.

mod announcement;
mod changes;
mod directory;
mod final_standings;
mod log;
pub mod ranking;
mod rules;
mod score;
mod settings;
mod standings;
mod state;
mod sweep;
mod teams;
mod tick;
mod uuid_text;
mod view;

pub use announcement::{Announcement, AnnouncementId, AnnouncementKind, Audience, Severity};
pub use changes::{BoardChanges, Changes, Climb, UserChange};
pub use directory::{Competitor, Directory, Membership, Person, Profile, Team};
pub use final_standings::{FinalPart, FinalRow, FinalStandings, GapFinder, Gaps};
pub use log::{
    Action, BoardId, Epoch, Fact, GroupId, LogEntry, Scores, Seq, TeamId, Timestamp, UserId,
};
pub use ranking::{Direction, Order, Ranking, Ties};
pub use rules::{Operator, Rules};
pub use score::Score;
pub use settings::{
    Contradiction, Derivation, Every, Format, Period, Settings, Source, Style, TeamScore,
    Visibility,
};
pub use standings::{
    Applied, Board, BoardHead, Row, Season, Seasons, StoredBoard, StoredMember, StoredStanding, Who,
};
pub use state::{Effect, Effects, Replay, State, StoredChange, StoredState, What};
pub use sweep::{RankSweep, Watched};
pub use teams::TeamMember;
pub use tick::Tick;
pub use uuid_text::NotUuid;
pub use view::{BoardView, UserRow};
