//! What a person did on a derived board. Such a board keeps no actions of its own: they are
//! folded from those of the board that it is derived from, of this person alone.

use std::collections::VecDeque;

use super::history::{History, HistoryPoint, RECENT, RecentAction, Thinning};
use crate::board::{
    BoardId, Fact, LogEntry, Person, Replay, Score, Season, State, Timestamp, UserId,
};

/// See the module. 16 bytes for each action that counts.
pub struct DerivedHistory {
    replay: Replay,
    user: UserId,
    /// When the present season ends.
    ends: Option<Timestamp>,
    counted: Vec<(Timestamp, Score)>,
    /// The latest actions, oldest first.
    recent: VecDeque<RecentAction>,
}

impl DerivedHistory {
    /// Of a person on a board of which these seasons have ended; `None` if nobody with this id
    /// is registered, or if it is no derived board of people.
    pub fn new(
        state: &State,
        board: &BoardId,
        ended: &[Season],
        user: UserId,
    ) -> Option<DerivedHistory> {
        let person = state.directory().person(user)?;
        let board = state.board(board)?;
        let settings = board.settings();
        if settings.derivation().is_none() || settings.is_of_teams() {
            return None;
        }
        let borders = ended.iter().map(|it| it.ends);
        let borders: Vec<_> = borders.chain(board.season().map(|it| it.ends)).collect();
        let ends = borders.last().copied().or(settings.ends);
        let id = board.id().clone();
        let mut replay = Replay::new(id, settings.clone(), borders, state);
        // In which groups at which time is what follows.
        replay.add_person(Person {
            membership: None,
            hidden: false,
            ..person.clone()
        });
        Some(DerivedHistory {
            replay,
            user,
            ends,
            counted: Vec::new(),
            recent: VecDeque::new(),
        })
    }

    /// Whose it is.
    pub(super) fn user(&self) -> UserId {
        self.user
    }

    /// The board whose actions count.
    pub(super) fn root(&self) -> &BoardId {
        self.replay.root()
    }

    /// Adds the next entry that is about the person: an action on the board whose actions
    /// count, or a change of team and groups.
    pub(super) fn follow(&mut self, entry: &LogEntry) {
        let before = self.replay.seq();
        let ended = self.replay.apply(entry);
        // One that has ended for good stays as it is.
        if !ended.is_empty() && self.replay.season().is_some() {
            self.counted.clear();
            self.recent.clear();
        }
        let Fact::Action(action) = &entry.fact else {
            return;
        };
        // Each season that has ended is a fact too.
        if self.replay.seq() == before + ended.len() as u64 {
            return;
        }
        let scores = self.replay.scores_of(self.user).unwrap_or_default();
        self.counted.push((entry.at, scores.score));
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(RecentAction {
            action_type: action.action_type.clone(),
            increase: action.increase,
            after: HistoryPoint {
                seq: None,
                at: entry.at,
                score: scores.score,
                tiebreak: None,
                rank: None,
            },
        });
    }

    /// The history, when all entries have been added.
    pub(super) fn history(self, points: usize) -> History {
        // Since the season has begun, there was no action.
        let season = self.replay.season();
        if season.is_some_and(|it| Some(it.ends) != self.ends) {
            return History::default();
        }
        let times = self.counted.iter().map(|(at, _)| *at);
        let (earliest, latest) = (times.clone().min(), times.max());
        let mut thinning = Thinning::new(
            points,
            self.counted.len() as u64,
            earliest.unwrap_or_default(),
            latest.unwrap_or_default(),
        );
        for &(at, score) in &self.counted {
            thinning.add(at, (at, score));
        }
        let chosen = thinning.chosen().into_iter();
        let points = chosen.map(|(at, score)| HistoryPoint {
            seq: None,
            at,
            score,
            tiebreak: None,
            rank: None,
        });
        History {
            points: points.collect(),
            actions: self.counted.len() as u64,
            best: None,
            first: self.counted.first().map(|(at, _)| *at),
            last: self.counted.last().map(|(at, _)| *at),
            recent: self.recent.into_iter().rev().collect(),
        }
    }
}
