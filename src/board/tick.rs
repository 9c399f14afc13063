//! The tick: when changes are sent, and how those of one tick become one.

use std::{collections::HashMap, time::Duration};

use super::{Announcement, Applied, Fact, LogEntry, Score, Timestamp, UserId, ranking::Shift};

/// Says when to send: the first change after a quiet period at once, from then
/// on once a period. Moments are durations since any fixed instant.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    period: Duration,
    /// Before this nothing is sent.
    ready: Duration,
}

impl Tick {
    /// A tick that has been quiet.
    pub fn new(period: Duration) -> Tick {
        Tick {
            period,
            ready: Duration::ZERO,
        }
    }

    /// When a change that is known at `now` is due.
    pub fn due(&self, now: Duration) -> Duration {
        now.max(self.ready)
    }

    /// Notes that everything known at `now` was sent.
    pub fn sent(&mut self, now: Duration) {
        self.ready = now + self.period;
    }
}

/// What has happened since the last tick.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The board was replaced by another: what was known of it is void, and all
    /// that follows is about the new one. Then `announced` is all that its log announces.
    pub replaced: bool,
    /// What users did.
    pub actions: HashMap<UserId, UserChange>,
    /// Who was placed anew, in the order in which it happened.
    pub placed: Vec<UserId>,
    /// What that did to the ranks of others.
    pub shifts: Vec<Shift>,
    /// Who got further than ever before by an action, latest last.
    pub climbed: Vec<Climb>,
    /// What organisers had to say.
    pub announced: Vec<Announcement>,
    /// Users who were deleted.
    pub deleted: Vec<UserId>,
    /// Users whose tokens were revoked.
    pub revoked: Vec<UserId>,
}

/// A user is ranked better than after any earlier action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Climb {
    /// Who.
    pub user: UserId,
    /// The best rank before; `None` if this was the first action.
    pub from: Option<u64>,
    /// The best rank now.
    pub to: u64,
}

/// What one user did since the last tick.
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

impl Changes {
    /// Adds an entry of the log, and what it did on the board.
    pub fn add(&mut self, entry: &LogEntry, applied: Option<&Applied>) {
        if let Some(applied) = applied {
            self.placed.push(applied.user);
            self.shifts.extend(applied.shifts.into_iter().flatten());
        }
        match &entry.fact {
            Fact::Action {
                user,
                action_type,
                increase,
                ..
            } => {
                self.act(*user, action_type, *increase, entry.at);
                if let Some(Applied {
                    best: Some(to),
                    old_best: from,
                    ..
                }) = applied
                    && from.is_none_or(|from| *to < from)
                {
                    let (user, from, to) = (*user, *from, *to);
                    self.climbed.push(Climb { user, from, to });
                }
            }
            Fact::UserDeleted { user } => self.deleted.push(*user),
            Fact::TokensRevoked { user, .. } => self.revoked.push(*user),
            Fact::Announced(announcement) => self.announced.push(announcement.clone()),
            Fact::UserChanged { .. } => {}
        }
    }

    fn act(&mut self, user: UserId, action_type: &str, increase: i64, at: Timestamp) {
        let change = self.actions.entry(user).or_insert_with(|| UserChange {
            action_type: action_type.into(),
            increase: 0,
            merged: 0,
            at,
        });
        if *change.action_type != *action_type {
            change.action_type = action_type.into();
        }
        // Sums of results of other operators than `sum` may leave the range.
        let (least, most) = (Score::MIN.points(), Score::MAX.points());
        change.increase = change.increase.saturating_add(increase).clamp(least, most);
        change.merged = change.merged.saturating_add(1);
        change.at = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Seq;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_change_goes_at_once_and_the_next_a_period_later() {
        let mut tick = Tick::new(100 * MS);
        assert_eq!(tick.due(5000 * MS), 5000 * MS);
        tick.sent(5000 * MS);
        assert_eq!(tick.due(5001 * MS), 5100 * MS);
        assert_eq!(tick.due(5099 * MS), 5100 * MS);
        tick.sent(5100 * MS);
        assert_eq!(tick.due(5150 * MS), 5200 * MS);
        // Quiet again: nothing was sent since 5100 ms.
        assert_eq!(tick.due(5300 * MS), 5300 * MS);
    }

    #[test]
    fn actions_of_one_user_become_one() {
        let mut changes = Changes::default();
        for (seq, n, increase) in [(1, 1, 5), (2, 2, 1), (3, 1, -2)] {
            let entry = LogEntry {
                seq: Seq::new(seq).expect("from 1"),
                at: Timestamp(seq * 10),
                fact: Fact::Action {
                    user: UserId([n; 16]),
                    action_type: format!("type {seq}").into(),
                    increase,
                    score: Score::ZERO,
                },
            };
            changes.add(&entry, None);
        }
        let users = changes.actions;
        assert_eq!(users.len(), 2);
        assert_eq!(
            users[&UserId([1; 16])],
            UserChange {
                action_type: "type 3".into(),
                increase: 3,
                merged: 2,
                at: Timestamp(30),
            }
        );
    }
}
