//! The rank sweep: exact ranks of many watched users at the cost of one pass.
//!
//! One jump from rank 500,000 to 10 moves 499,990 users, so nobody can be told by
//! following each action. But each action says from which position on it moves
//! everybody by one ([`Shift`]); with watched users and shifts both in order, one
//! merge that carries the running sum gives all the new ranks (a difference
//! array over positions).

use super::ranking::{Position, Shift};

/// Watched users in the order of the ranking, with the ranks that they had at the
/// last sweep, and all shifts since.
#[derive(Clone, Debug, Default)]
pub struct RankSweep {
    watched: Vec<Watched>,
    shifts: Vec<Shift>,
}

/// A watched user, as of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Where the user stands.
    pub position: Position,
    /// The rank there.
    pub rank: u64,
    /// What whoever watches calls the user.
    pub watcher: u32,
}

impl RankSweep {
    /// Notes what a move did to others. Where nobody is watched there is nothing
    /// to note: whoever is watched later is looked up then.
    pub fn note(&mut self, shifts: impl IntoIterator<Item = Shift>) {
        if !self.watched.is_empty() {
            self.shifts.extend(shifts);
        }
    }

    /// Brings all ranks up to date. `placed` are users who are new here or have
    /// moved themselves, looked up as of now; whoever has moved must be dropped
    /// from their old position by `keep`, and so must those who are not watched
    /// any more. `ranked` hears the rank of everybody who is kept: what somebody
    /// was told since the last sweep may be another.
    ///
    /// O(watched + shifts · log shifts).
    pub fn sweep(
        &mut self,
        mut placed: Vec<Watched>,
        mut keep: impl FnMut(u32) -> bool,
        mut ranked: impl FnMut(u32, u64),
    ) {
        self.shifts.sort_unstable_by_key(|shift| shift.from);
        let mut shifts = self.shifts.drain(..).peekable();
        let mut sum = 0;
        self.watched.retain_mut(|watched| {
            while let Some(shift) = shifts.next_if(|shift| shift.from <= watched.position) {
                sum += i64::from(shift.by);
            }
            if !keep(watched.watcher) {
                return false;
            }
            watched.rank = watched.rank.saturating_add_signed(sum);
            ranked(watched.watcher, watched.rank);
            true
        });
        drop(shifts);
        if !placed.is_empty() {
            placed.sort_unstable_by_key(|watched| watched.position);
            self.watched.append(&mut placed);
            // Two runs in order, which this kind of sort only merges.
            self.watched.sort_by_key(|watched| watched.position);
        }
    }
}
