//! What may become of a board: decided by a node from what it has read.

use std::{sync::Arc, time::Duration};

use super::load::Following;
use crate::{
    board::{BoardId, Replay, Season, Seasons, Settings, State, Timestamp},
    store::{Refusal, decide},
};

/// Until then a script has run that was planned now, or has failed.
const SOON: Duration = Duration::from_secs(60);

/// What is to become of a board.
#[derive(Clone)]
pub(super) enum BoardChange {
    /// It is created, or has other settings.
    Put {
        board: BoardId,
        settings: Arc<Settings>,
        /// A new one is refused if there are as many as this.
        most: usize,
        /// When the log began.
        began: Timestamp,
    },
    Delete(BoardId),
}

/// What would become of a board.
pub(super) enum Plan {
    Refused(Refusal),
    /// It is so already, and holds as many facts.
    Unchanged(u64),
    Write(Box<Change>),
}

/// What is to be written.
pub(super) struct Change {
    /// What the node has read when it was decided.
    pub(super) following: Following,
    /// How many facts the board holds.
    pub(super) seq: u64,
    /// Does it change by which rules something counts that follows from the log?
    pub(super) is_decisive: bool,
    /// When the seasons of a new board end.
    pub(super) borders: Vec<Timestamp>,
    /// The season that runs then, if it has an end.
    pub(super) season: Option<Season>,
    /// Of a new board that is derived.
    pub(super) replay: Option<Replay>,
}

/// What would become of a board in this state, at this time.
pub(super) fn plan(
    state: &State,
    change: &BoardChange,
    now: Timestamp,
    following: &Following,
) -> Plan {
    let planned = match change {
        BoardChange::Delete(board) => {
            decide::check_deletion(state, board).map(|()| (Vec::new(), None))
        }
        BoardChange::Put {
            board,
            settings,
            most,
            began,
        } => {
            let known = state.board(board);
            if let Some(known) = known.filter(|known| known.settings() == settings) {
                return Plan::Unchanged(known.seq());
            }
            let is_made = known.is_none() && settings.derivation().is_some();
            decide::check_board(state, board, settings, *most, *began, now).map(|borders| {
                let replay =
                    || Replay::new(board.clone(), settings.clone(), borders.clone(), state);
                let replay = is_made.then(replay);
                (borders, replay)
            })
        }
    };
    match planned {
        Err(refusal) => Plan::Refused(refusal),
        Ok((borders, replay)) => Plan::Write(Box::new(Change {
            following: following.clone(),
            seq: state.board(change.board()).map_or(0, |board| board.seq()),
            is_decisive: is_decisive(state, change, now),
            season: season(state, change, &borders),
            borders,
            replay,
        })),
    }
}

/// The season that runs on a board when it has been changed, if it has an end.
fn season(state: &State, change: &BoardChange, borders: &[Timestamp]) -> Option<Season> {
    let BoardChange::Put {
        board, settings, ..
    } = change
    else {
        return None;
    };
    let seasons = match state.board(board) {
        Some(board) => board.seasons().with(board.settings(), settings, borders),
        None => Seasons::of_new(settings, borders),
    };
    seasons.running()
}

/// Is it no matter what somebody does until the script has run?
fn both_to_come(before: &Settings, settings: &Settings, now: Timestamp) -> bool {
    let soon = now.0.saturating_add(SOON.as_millis() as u64);
    let is_to_come = |it: &Settings| it.ends.is_none_or(|ends| ends.0 > soon);
    is_to_come(before) && is_to_come(settings)
}

/// Does a change of a derived board depend on whether somebody has acted there? The script
/// does not know that.
fn is_decisive(state: &State, change: &BoardChange, now: Timestamp) -> bool {
    let BoardChange::Put {
        board, settings, ..
    } = change
    else {
        return false;
    };
    let before = state.board(board).map(|board| board.settings());
    before.is_some_and(|before| {
        before.derivation().is_some()
            && (before.deciding() != settings.deciding()
                || before.everyone != settings.everyone
                || before.starts != settings.starts
                || before.ends != settings.ends && !both_to_come(before, settings, now))
    })
}

impl BoardChange {
    /// Of which board.
    pub(super) fn board(&self) -> &BoardId {
        match self {
            BoardChange::Put { board, .. } | BoardChange::Delete(board) => board,
        }
    }
}
