//! What has happened since the last tick: how the entries of one tick become one.

use std::collections::{HashMap, hash_map::Entry};

use super::{
    Action, Announcement, BoardId, Competitor, Effect, Fact, LogEntry, Score, Timestamp, UserId,
    What, ranking::Shift,
};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The log was replaced by another: what was known of its boards is void, and all that
    /// follows is about the new one. Then `announced` is all that its log announces.
    pub replaced: bool,
    /// What happened on each board on which something did.
    pub boards: HashMap<BoardId, BoardChanges>,
    /// What organisers had to say.
    pub announced: Vec<Announcement>,
    /// People who were deleted.
    pub deleted: Vec<UserId>,
    /// People who were hidden.
    pub hidden: Vec<UserId>,
    /// Users whose tokens were revoked.
    pub revoked: Vec<UserId>,
}

/// What has happened on one board.
#[derive(Clone, Debug, Default)]
pub struct BoardChanges {
    /// What people did that counts here, or counted in a season that has ended since; on a
    /// board of teams, for their teams.
    pub actions: HashMap<UserId, UserChange>,
    /// Who was placed anew, in the order in which it happened.
    pub placed: Vec<Competitor>,
    /// What that did to the ranks of others.
    pub shifts: Vec<Shift>,
    /// Who got further than ever before by an action, latest last.
    pub climbed: Vec<Climb>,
    /// A season has ended: all else but `actions` is of the one that has begun.
    pub ended: bool,
    /// Settings have changed, or the board was created or deleted: what was known of it is
    /// void.
    pub changed: bool,
}

/// A person is ranked better than after any earlier action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Climb {
    /// Who.
    pub user: UserId,
    /// The best rank before; `None` if this was the first action.
    pub from: Option<u64>,
    /// The best rank now.
    pub to: u64,
}

/// What one person did since the last tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserChange {
    /// The type of the latest action.
    pub action_type: Box<str>,
    /// The points of all the actions, within ±(2^53 − 1).
    pub increase: i64,
    /// How many actions there were, 1 or more.
    pub merged: u32,
    /// When the latest was taken.
    pub at: Timestamp,
}

impl UserChange {
    /// Adds what was done besides, or afterwards.
    pub fn add(&mut self, other: &UserChange) {
        let increase = self.increase.saturating_add(other.increase);
        self.increase = Score::nearest(increase).points();
        self.merged = self.merged.saturating_add(other.merged);
        if other.at >= self.at {
            self.action_type = other.action_type.clone();
            self.at = other.at;
        }
    }
}

impl Changes {
    /// Adds an entry of the log, and what it did.
    pub fn add(&mut self, entry: &LogEntry, effects: &[Effect]) {
        for Effect { board, what } in effects {
            let board = self.boards.entry(board.clone()).or_default();
            match (what, &entry.fact) {
                (What::Placed(applied), fact) => {
                    board.placed.push(applied.competitor);
                    board.shifts.extend(applied.shifts.into_iter().flatten());
                    let [_, rank] = applied.ranks;
                    if let Fact::Action(action) = fact {
                        board.act(action, entry.at);
                        // Where an action gave a rank, it named this board.
                        if rank.is_some()
                            && let Some(to) = applied.best
                            && applied.old_best.is_none_or(|from| to < from)
                        {
                            board.climbed.push(Climb {
                                user: action.user,
                                from: applied.old_best,
                                to,
                            });
                        }
                    }
                }
                (What::ActedHidden, Fact::Action(action)) => board.act(action, entry.at),
                (What::Ended(_), _) => {
                    *board = BoardChanges {
                        actions: std::mem::take(&mut board.actions),
                        changed: true,
                        ended: true,
                        ..BoardChanges::default()
                    };
                }
                (What::Changed | What::Final(_) | What::Deleted, _) => board.changed = true,
                (What::Renamed(_) | What::ActedHidden, _) => {}
            }
        }
        match &entry.fact {
            Fact::UserDeleted { user } => self.deleted.push(*user),
            Fact::UserHidden {
                user, hidden: true, ..
            } => self.hidden.push(*user),
            Fact::TokensRevoked { user, .. } => self.revoked.push(*user),
            Fact::Announced(announcement) => self.announced.push(announcement.clone()),
            _ => {}
        }
    }
}

impl BoardChanges {
    /// Adds what happened afterwards.
    pub fn append(&mut self, later: BoardChanges) {
        if later.ended {
            // Of the season that has ended nothing is shown any more. Who acted in it is still
            // to be told, with what they have now.
            *self = BoardChanges {
                actions: std::mem::take(&mut self.actions),
                ended: true,
                ..BoardChanges::default()
            };
        }
        for (user, change) in later.actions {
            match self.actions.entry(user) {
                Entry::Vacant(entry) => drop(entry.insert(change)),
                Entry::Occupied(mut entry) => entry.get_mut().add(&change),
            }
        }
        self.placed.extend(later.placed);
        self.shifts.extend(later.shifts);
        self.climbed.extend(later.climbed);
        self.changed |= later.changed;
    }

    fn act(&mut self, action: &Action, at: Timestamp) {
        let change = self
            .actions
            .entry(action.user)
            .or_insert_with(|| UserChange {
                action_type: action.action_type.clone(),
                increase: 0,
                merged: 0,
                at,
            });
        if change.action_type != action.action_type {
            change.action_type = action.action_type.clone();
        }
        // Sums of results of other operators than `sum` may leave the range.
        let increase = change.increase.saturating_add(action.increase);
        change.increase = Score::nearest(increase).points();
        change.merged = change.merged.saturating_add(1);
        change.at = at;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::board::{BoardId, Profile, Rules, Scores, Seq, Settings, State};

    #[test]
    fn actions_of_one_person_become_one() {
        let mut state = State::default();
        let mut changes = Changes::default();
        let mut next = 0;
        let mut write = |fact| {
            next += 1;
            let entry = LogEntry {
                seq: Seq::new(next).expect("from 1"),
                at: Timestamp(next * 10),
                fact,
            };
            changes.add(&entry, &state.apply(&entry).shown);
        };
        write(Fact::BoardChanged {
            board: BoardId::default(),
            settings: Arc::new(Settings::main(Rules::default())),
            borders: Box::default(),
        });
        for n in [1, 2] {
            write(Fact::UserChanged {
                user: UserId([n; 16]),
                profile: Profile {
                    username: "Ada".into(),
                    avatar: None,
                },
            });
        }
        for (n, increase, score) in [(1, 5, 5), (2, 1, 1), (1, -2, 3)] {
            write(Fact::Action(Action {
                board: BoardId::default(),
                user: UserId([n; 16]),
                action_type: format!("worth {increase}").into(),
                increase,
                tiebreak_increase: 0,
                scores: Scores {
                    score: Score::nearest(score),
                    ..Scores::default()
                },
            }));
        }
        let changes = changes.boards.remove(&BoardId::default());
        let changes = changes.expect("something happened");
        let expected = UserChange {
            action_type: "worth -2".into(),
            increase: 3,
            merged: 2,
            at: Timestamp(60),
        };
        assert_eq!(changes.actions.len(), 2);
        assert_eq!(changes.actions[&UserId([1; 16])], expected);
        assert!(changes.changed && changes.placed.len() == 5);
        assert_eq!(changes.climbed.len(), 2, "each for the first time");
    }

    #[test]
    fn changes_in_two_parts_are_those_of_all() {
        let mut state = State::default();
        let mut next = 0;
        let mut write = |fact| {
            next += 1;
            let entry = LogEntry {
                seq: Seq::new(next).expect("from 1"),
                at: Timestamp(next * 10),
                fact,
            };
            let effects = state.apply(&entry);
            (entry, effects)
        };
        let board = BoardId::default();
        let act = |n: u8, points: i64| {
            Fact::Action(Action {
                board: BoardId::default(),
                user: UserId([n; 16]),
                action_type: format!("worth {points}").into(),
                increase: points,
                tiebreak_increase: 0,
                scores: Scores {
                    score: Score::nearest(points),
                    ..Scores::default()
                },
            })
        };
        let register = |n: u8| Fact::UserChanged {
            user: UserId([n; 16]),
            profile: Profile {
                username: "Ada".into(),
                avatar: None,
            },
        };
        let settings = Arc::new(Settings::main(Rules::default()));
        let created = Fact::BoardChanged {
            board: board.clone(),
            settings,
            borders: Box::default(),
        };
        let facts = [created, register(1), register(2)];
        let facts = facts
            .into_iter()
            .chain([act(1, 5), act(2, 7), act(1, 9), act(1, -2)]);
        let log: Vec<_> = facts.map(&mut write).collect();
        let of = |part: &[(LogEntry, crate::board::Effects)]| {
            let mut changes = Changes::default();
            for (entry, effects) in part {
                changes.add(entry, &effects.shown);
            }
            changes.boards.remove(&board).unwrap_or_default()
        };
        let whole = of(&log);
        for at in 0..=log.len() {
            let (first, second) = log.split_at(at);
            let mut sum = of(first);
            sum.append(of(second));
            assert_eq!(format!("{:?}", sum.placed), format!("{:?}", whole.placed));
            assert_eq!(
                (sum.actions, sum.changed),
                (whole.actions.clone(), whole.changed)
            );
            assert_eq!((&sum.climbed, &sum.shifts), (&whole.climbed, &whole.shifts));
        }
    }
}
