//! What the server alone renders: documents around the live board, and pages that
//! need no script. Nothing of it is downloaded as code.

mod boards;
mod boot;
mod chart;
mod document;
mod field;
mod part;
mod player;
mod race;
mod search;
mod season;
mod team;

pub use document::{Document, Frame, Missing, THEME_DARK, THEME_LIGHT, Turn, document};
pub use part::Part;
pub use season::SeasonPage;
pub use team::{Member, TeamPage};
