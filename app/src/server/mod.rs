//! What the server alone renders: documents around the live board, and pages that
//! need no script. Nothing of it is downloaded as code.

mod boot;
mod chart;
mod document;
mod field;
mod player;
mod race;
mod search;

pub use document::{Document, Frame, THEME_DARK, THEME_LIGHT, document};
