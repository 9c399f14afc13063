//! What a node has folded and Redis does not know the ranks of yet.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{
    finals,
    record::{board_standing_text, head_text, point_text, ranks_text, standing_text},
};
use crate::{
    board::{
        Action, BoardHead, BoardId, Fact, FinalStandings, LogEntry, Seq, StoredChange, UserId,
        ranking::Standing,
    },
    store::{Folded, HistoryPoint, RecentAction, records::PastAction},
};

/// Entries without gaps up to the last that was folded, with what each did.
#[derive(Default)]
pub(super) struct Recent {
    entries: VecDeque<Known>,
    /// As far as Redis knows ranks, by its last answer.
    ranked_through: u64,
}

/// An entry that was folded.
pub(super) struct Known {
    pub(super) entry: LogEntry,
    /// The action's id, if it is one.
    pub(super) action: Option<Box<str>>,
    /// What it did.
    pub(super) folded: Folded,
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
    pub(super) fn push(&mut self, known: Known) {
        self.entries.push_back(known);
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
        let first = |entries: &VecDeque<Known>| entries.front().map(Known::seq);
        while first(&self.entries).is_some_and(|seq| seq < keep_from) {
            self.entries.pop_front();
        }
    }

    /// The entry with this number, if it is among these.
    pub(super) fn get(&self, seq: u64) -> Option<&Known> {
        let first = self.entries.front()?.seq();
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.entries.get(index)
    }

    /// Are there ranks that Redis does not know?
    pub(super) fn is_ahead(&self) -> bool {
        let last = self.entries.back();
        last.is_some_and(|known| known.seq() > self.ranked_through)
    }

    /// Adds what Redis does not know yet, at most `most` entries, as `append.lua` takes it:
    /// the number of the first, how many there are, and what each did.
    pub(super) fn write(&self, most: usize, arguments: &mut Vec<Vec<u8>>) {
        let ranked = self.entries.iter();
        let ranked = ranked.take_while(|known| known.seq() <= self.ranked_through);
        let unranked: Vec<&Known> = self
            .entries
            .iter()
            .skip(ranked.count())
            .take(most)
            .collect();
        let first = unranked.first().map_or(1, |known| known.seq());
        arguments.push(first.to_string().into());
        arguments.push(unranked.len().to_string().into());
        // Of what actions did to boards as a whole, only the last is written.
        let mut heads: HashMap<&BoardId, &BoardHead> = HashMap::new();
        let last = unranked.len();
        for (number, known) in unranked.into_iter().enumerate() {
            let is_last = number + 1 == last;
            known.write(&mut heads, is_last, arguments);
        }
    }

    /// Forgets what was done to a derived board of which another has been put in its place.
    pub(super) fn forget_board(&mut self, id: &BoardId) {
        for known in &mut self.entries {
            known.folded.stored.retain(|change| {
                change.board() != id || matches!(change, StoredChange::BoardDeleted(..))
            });
        }
    }

    /// The seasons of a board that have ended, and whether Redis knows others of the one that
    /// had its name before.
    pub(super) fn ended_seasons(&self, board: &BoardId) -> EndedSeasons {
        let mut ended = EndedSeasons::default();
        for known in &self.entries {
            match &known.entry.fact {
                Fact::BoardDeleted { board: gone } if gone == board => {
                    ended = EndedSeasons {
                        is_anew: known.seq() > self.ranked_through,
                        seasons: Vec::new(),
                    };
                }
                _ => {}
            }
            for change in &known.folded.stored {
                if let StoredChange::SeasonEnded {
                    board: of,
                    standings,
                    ..
                } = change
                    && of == board
                {
                    ended.seasons.push(standings.clone());
                }
            }
        }
        ended
    }

    /// What actions of a user on a board did.
    pub(super) fn of(&self, board: &BoardId, user: UserId) -> Vec<(u64, Folded)> {
        let is_it = |known: &&Known| {
            let action = known.action();
            action.is_some_and(|action| action.user == user && action.board == *board)
        };
        let known = self.entries.iter().filter(is_it);
        known
            .map(|known| {
                let folded = Folded {
                    seq: known.folded.seq,
                    ranks: known.folded.ranks,
                    stored: Vec::new(),
                };
                (known.seq(), folded)
            })
            .collect()
    }
}

/// See [`Recent::ended_seasons`].
#[derive(Default)]
pub(super) struct EndedSeasons {
    pub(super) is_anew: bool,
    pub(super) seasons: Vec<Arc<FinalStandings>>,
}

impl Known {
    pub(super) fn seq(&self) -> u64 {
        self.entry.seq.get()
    }

    fn action(&self) -> Option<&Action> {
        match &self.entry.fact {
            Fact::Action(action) => Some(action),
            _ => None,
        }
    }

    /// The action of a user's past.
    pub(super) fn past(entry: &LogEntry, action: &Action, folded: Option<&Folded>) -> PastAction {
        PastAction {
            entry: entry.seq.get(),
            action: RecentAction {
                action_type: action.action_type.clone(),
                increase: action.increase,
                after: HistoryPoint {
                    seq: Some(folded.map_or(entry.seq, |folded| {
                        Seq::new(folded.seq).unwrap_or(Seq::FIRST)
                    })),
                    at: entry.at,
                    score: action.scores.score,
                    tiebreak: Some(action.scores.tiebreak),
                    rank: folded.and_then(|folded| folded.ranks[1]),
                },
            },
        }
    }

    /// What follows from its ranks.
    fn write<'a>(
        &'a self,
        heads: &mut HashMap<&'a BoardId, &'a BoardHead>,
        is_last: bool,
        arguments: &mut Vec<Vec<u8>>,
    ) {
        match (&self.entry.fact, &self.action) {
            (Fact::Action(action), Some(id)) => {
                let seq = self.folded.seq;
                let board_seq = (seq != self.seq()).then_some(seq);
                let best = self.best(action).map(|best| best.to_string());
                let past = Known::past(&self.entry, action, Some(&self.folded));
                arguments.extend([
                    b"action".to_vec(),
                    id.as_bytes().to_vec(),
                    action.board.as_str().into(),
                    action.user.0.to_vec(),
                    best.unwrap_or_default().into_bytes(),
                    ranks_text(self.folded.ranks, board_seq).into_bytes(),
                    point_text(&past).into_bytes(),
                ]);
            }
            (Fact::UserDeleted { user }, _) => {
                arguments.extend([b"deleted".to_vec(), user.0.to_vec()]);
            }
            _ => arguments.push(b"other".to_vec()),
        }
        let mut follows = Follows::default();
        for change in &self.folded.stored {
            follows.add(self.action(), change, heads);
        }
        if let Fact::BoardDeleted { board } = &self.entry.fact {
            heads.remove(board);
            follows.put(board, "boards", board.as_str().as_bytes(), Vec::new());
        }
        // At once, but for those of actions.
        if is_last || self.action().is_none() {
            for (board, head) in heads.drain() {
                let text = head_text(head).into_bytes();
                follows.put(board, "boards", board.as_str().as_bytes(), text);
            }
        }
        arguments.push(follows.count.to_string().into());
        arguments.extend(follows.words);
    }

    /// The best rank of the user on the board of the action, if that is known.
    fn best(&self, action: &Action) -> Option<u64> {
        self.folded.stored.iter().find_map(|change| match change {
            StoredChange::Standing(board, standing) if *board == action.board => standing.best,
            _ => None,
        })
    }
}

/// What is to be written because of an entry, beside its ranks.
#[derive(Default)]
struct Follows {
    count: usize,
    words: Vec<Vec<u8>>,
}

impl Follows {
    /// Sets a field, or deletes it if the value is empty; without one the key is deleted.
    fn put(&mut self, board: &BoardId, kind: &str, field: &[u8], value: Vec<u8>) {
        self.count += 1;
        self.words.extend([
            board.as_str().into(),
            kind.as_bytes().to_vec(),
            field.to_vec(),
            value,
        ]);
    }

    fn add<'a>(
        &mut self,
        action: Option<&Action>,
        change: &'a StoredChange,
        heads: &mut HashMap<&'a BoardId, &'a BoardHead>,
    ) {
        match change {
            StoredChange::Board(head) => _ = heads.insert(&head.id, head),
            StoredChange::BoardDeleted(board, first) => {
                self.put(board, "deleted", b"", first.to_string().into_bytes());
            }
            StoredChange::SeasonEnded {
                board,
                standings,
                goes_on,
            } => {
                if *goes_on {
                    for kind in ["standings", "members"] {
                        self.put(board, kind, b"", Vec::new());
                    }
                }
                for (field, value) in finals::fields(standings) {
                    self.put(board, "finals", &field, value);
                }
            }
            // The script has decided those that are not derived.
            StoredChange::Standing(board, _)
                if action.is_some_and(|action| action.board == *board) => {}
            StoredChange::Standing(board, it) => {
                let text = board_standing_text(it.standing, it.best).into_bytes();
                self.put(board, "standings", &it.user.0, text);
            }
            StoredChange::Member(board, it) => {
                let field = [it.user.0, it.team.0].concat();
                self.put(board, "members", &field, member_text(it.standing));
            }
            StoredChange::Removed(board, user, teams) => {
                self.put(board, "standings", &user.0, Vec::new());
                for team in teams {
                    let field = [user.0, team.0].concat();
                    self.put(board, "members", &field, Vec::new());
                }
            }
        }
    }
}

/// What somebody has in a team, to be written.
pub(super) fn member_text(standing: Standing) -> Vec<u8> {
    standing_text(Some(standing)).into_bytes()
}
