//! What a node has folded and Redis does not know the ranks of yet.

use std::collections::VecDeque;

use super::record::{number_text, point_text};
use crate::{
    board::{Applied, Fact, LogEntry, UserId},
    store::HistoryPoint,
};

/// Entries without gaps up to the last that was folded, with what each did.
#[derive(Default)]
pub(super) struct Recent {
    entries: VecDeque<Folded>,
    /// As far as Redis knows ranks, by its last answer.
    ranked_through: u64,
}

pub(super) struct Folded {
    pub(super) entry: LogEntry,
    /// The action's id, if it is one.
    pub(super) action: Option<Box<str>>,
    /// What it did to the board.
    pub(super) applied: Option<Applied>,
}

impl Recent {
    /// Nothing is known after the entry `ranked_through`.
    pub(super) fn after(ranked_through: u64) -> Recent {
        Recent {
            entries: VecDeque::new(),
            ranked_through,
        }
    }

    /// Adds the entry that follows.
    pub(super) fn push(&mut self, folded: Folded) {
        self.entries.push_back(folded);
    }

    /// As far as Redis knows ranks, by its last answer.
    pub(super) fn ranked_through(&self) -> u64 {
        self.ranked_through
    }

    /// Takes notice of how far Redis knows ranks.
    pub(super) fn observe(&mut self, ranked_through: u64) {
        self.ranked_through = self.ranked_through.max(ranked_through);
    }

    /// Forgets what Redis knows, but for entries from `needed` on.
    pub(super) fn forget(&mut self, needed: u64) {
        let keep_from = needed.min(self.ranked_through + 1);
        let first = |entries: &VecDeque<Folded>| entries.front().map(Folded::seq);
        while first(&self.entries).is_some_and(|seq| seq < keep_from) {
            self.entries.pop_front();
        }
    }

    /// The entry with this number, if it is among these.
    pub(super) fn get(&self, seq: u64) -> Option<&Folded> {
        let first = self.entries.front()?.seq();
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.entries.get(index)
    }

    /// Are there ranks that Redis does not know?
    pub(super) fn is_ahead(&self) -> bool {
        let last = self.entries.back();
        last.is_some_and(|folded| folded.seq() > self.ranked_through)
    }

    /// What Redis does not know yet, at most `most` of it.
    pub(super) fn unranked(&self, most: usize) -> impl ExactSizeIterator<Item = &Folded> {
        let known = self.entries.iter();
        let known = known.take_while(|folded| folded.seq() <= self.ranked_through);
        let known = known.count();
        self.entries.range(known..).take(most)
    }

    /// What the entries about one user did.
    pub(super) fn of(&self, user: UserId) -> Vec<(u64, Applied)> {
        let applied = self.entries.iter();
        let applied = applied.filter_map(|folded| Some((folded.seq(), folded.applied?)));
        applied
            .filter(|(_, applied)| applied.user == user)
            .collect()
    }
}

impl Folded {
    pub(super) fn seq(&self) -> u64 {
        self.entry.seq.get()
    }

    /// Rank and old rank after it.
    pub(super) fn ranks(&self) -> (Option<u64>, Option<u64>) {
        self.applied
            .map_or((None, None), |applied| (applied.rank, applied.old_rank))
    }

    /// What follows from its ranks, as `append.lua` takes it.
    pub(super) fn write(&self, arguments: &mut Vec<Vec<u8>>) {
        match (&self.entry.fact, &self.action, &self.applied) {
            (
                Fact::Action {
                    user,
                    action_type,
                    increase,
                    score,
                },
                Some(id),
                Some(applied),
            ) => {
                let rank = number_text(applied.rank);
                let best = applied.best.filter(|_| applied.best != applied.old_best);
                let ranks = format!(" {rank} {}", number_text(applied.old_rank));
                let after = HistoryPoint {
                    seq: self.entry.seq,
                    at: self.entry.at,
                    score: *score,
                    rank: applied.rank,
                };
                let point = point_text(&after, *increase, action_type);
                let best = best.map(|best| best.to_string()).unwrap_or_default();
                arguments.extend([
                    b"action".to_vec(),
                    id.as_bytes().to_vec(),
                    user.0.to_vec(),
                    best.into_bytes(),
                    ranks.into_bytes(),
                    point.into_bytes(),
                ]);
            }
            (Fact::UserDeleted { user }, ..) => {
                arguments.extend([b"deleted".to_vec(), user.0.to_vec()]);
            }
            _ => arguments.push(b"other".to_vec()),
        }
    }
}
