//! The fold: a board is what its log says, one entry after the other.

use std::{num::NonZeroU32, ops::Range};

use super::{
    Fact, LogEntry, Ranking, Rules, Score, Seq, Timestamp, UserId,
    ranking::{Position, Ranked, Shifts, Slot, Standing, trim},
};

/// How a user is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// The name to show.
    pub username: Box<str>,
    /// The address of a picture.
    pub avatar: Option<Box<str>>,
}

/// Users, scores and ranks as of one `seq` of the log.
#[derive(Clone, Debug)]
pub struct Board {
    rules: Rules,
    seq: u64,
    changed: Timestamp,
    ranking: Ranking,
    /// By slot, and so are `bests`; `None` where nobody has the slot.
    profiles: Vec<Option<Profile>>,
    /// The best ranks; those of 2^32 and more count as one.
    bests: Vec<Option<NonZeroU32>>,
}

/// A user as the log knew them at some `seq`, for loading many at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Who it is.
    pub id: UserId,
    /// How the user is shown.
    pub profile: Profile,
    /// Score and when it was reached; `None` for somebody not ranked yet.
    pub standing: Option<Standing>,
    /// The best rank that the user had after an action of their own.
    pub best: Option<u64>,
}

/// What an entry of the log did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Whom it was about.
    pub user: UserId,
    /// The user's rank after it; `None` if the user is not ranked yet.
    pub rank: Option<u64>,
    /// The user's rank before it.
    pub old_rank: Option<u64>,
    /// The user's best rank after an own action; `None` before the first.
    pub best: Option<u64>,
    /// That rank before it.
    pub old_best: Option<u64>,
    /// What it did to the ranks of others.
    pub shifts: Shifts,
}

/// A row to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Whose row it is.
    pub user: UserId,
    /// How the user is shown.
    pub profile: &'a Profile,
    /// The score; `None` for somebody not ranked yet.
    pub score: Option<Score>,
    /// The rank to show, 1 or more, with a score only.
    pub rank: Option<u64>,
}

impl Board {
    /// The board of an empty log.
    pub fn new(rules: Rules) -> Board {
        Board::load(rules, 0, Timestamp::default(), Vec::new())
    }

    /// The board of a log whose last entry was `seq`, taken at `changed`, from
    /// the users as they were then. O(n log n).
    pub fn load(rules: Rules, seq: u64, changed: Timestamp, members: Vec<Member>) -> Board {
        let standings = members.iter().map(|member| (member.id, member.standing));
        let ranking = Ranking::load(rules.direction, rules.ties, standings);
        let bests = members.iter().map(|member| member.best.and_then(packed));
        let bests = bests.collect();
        let profiles = members.into_iter().map(|member| Some(member.profile));
        let profiles = profiles.collect();
        Board {
            rules,
            seq,
            changed,
            ranking,
            profiles,
            bests,
        }
    }

    /// The board's rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The last entry that the board holds, 0 for none.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When that entry was taken.
    pub fn changed(&self) -> Timestamp {
        self.changed
    }

    /// How many users are ranked.
    pub fn len(&self) -> usize {
        self.ranking.len()
    }

    /// Is nobody ranked?
    pub fn is_empty(&self) -> bool {
        self.ranking.is_empty()
    }

    /// Folds the next entry of the log into the board. `None` for an entry that
    /// the board holds already, and for one that is about nobody on it.
    pub fn apply(&mut self, entry: &LogEntry) -> Option<Applied> {
        if entry.seq.get() <= self.seq {
            return None;
        }
        self.seq = entry.seq.get();
        self.changed = entry.at;
        match &entry.fact {
            Fact::UserChanged { user, profile } => {
                Some(self.change_user(*user, profile, entry.seq))
            }
            Fact::Action { user, score, .. } => self.act(*user, *score, entry.seq),
            Fact::UserDeleted { user } => self.delete(*user),
            Fact::TokensRevoked { .. } | Fact::Announced(_) => None,
        }
    }

    fn change_user(&mut self, user: UserId, profile: &Profile, seq: Seq) -> Applied {
        let slot = self.ranking.register(user);
        let old_rank = self.ranking.rank(slot);
        let mut shifts = Shifts::default();
        if slot.index() == self.profiles.len() {
            self.profiles.push(None);
            self.bests.push(None);
        }
        let known = self.profiles[slot.index()].replace(profile.clone());
        if known.is_none()
            && let Some(score) = self.rules.initial()
        {
            shifts = self.place(slot, score, seq);
        }
        let best = self.best(slot);
        Applied {
            user,
            rank: self.ranking.rank(slot),
            old_rank,
            best,
            old_best: best,
            shifts,
        }
    }

    fn act(&mut self, user: UserId, score: Score, seq: Seq) -> Option<Applied> {
        let slot = self.ranking.slot(user)?;
        let old_rank = self.ranking.rank(slot);
        let shifts = self.place(slot, score, seq);
        let rank = self.ranking.rank(slot);
        let old_best = self.best(slot);
        let best = rank.map(|rank| old_best.map_or(rank, |best| best.min(rank)));
        self.bests[slot.index()] = best.and_then(packed);
        Some(Applied {
            user,
            rank,
            old_rank,
            best: self.best(slot),
            old_best,
            shifts,
        })
    }

    fn delete(&mut self, user: UserId) -> Option<Applied> {
        let slot = self.ranking.slot(user)?;
        let (old_rank, old_best) = (self.ranking.rank(slot), self.best(slot));
        let shift = self.ranking.remove(user);
        self.profiles[slot.index()] = None;
        self.bests[slot.index()] = None;
        self.profiles.truncate(self.ranking.slots());
        self.bests.truncate(self.ranking.slots());
        trim(&mut self.profiles);
        trim(&mut self.bests);
        Some(Applied {
            user,
            rank: None,
            old_rank,
            best: None,
            old_best,
            shifts: [shift, None],
        })
    }

    fn best(&self, slot: Slot) -> Option<u64> {
        self.bests[slot.index()].map(|best| u64::from(best.get()))
    }

    /// A score that did not change was reached when it was reached first.
    fn place(&mut self, slot: Slot, score: Score, seq: Seq) -> Shifts {
        let standing = Standing {
            score,
            reached: seq,
        };
        match self.ranking.standing(slot) {
            Some(old) if old.score == score => Shifts::default(),
            _ => self.ranking.place(slot, standing),
        }
    }

    /// Where a user stands and the rank there, for a [`RankSweep`](super::RankSweep);
    /// `None` if the user is not ranked.
    pub fn standing_of(&self, user: UserId) -> Option<(Position, u64)> {
        let slot = self.ranking.slot(user)?;
        Some((self.ranking.position(slot)?, self.ranking.rank(slot)?))
    }

    /// A user's row, if the user is registered.
    pub fn user(&self, user: UserId) -> Option<Row<'_>> {
        let slot = self.ranking.slot(user)?;
        Some(Row {
            user,
            profile: self.profiles[slot.index()].as_ref()?,
            score: self.ranking.standing(slot).map(|standing| standing.score),
            rank: self.ranking.rank(slot),
        })
    }

    /// How far [`named`](Self::named) has to go: all registered users are below this.
    pub fn slots(&self) -> usize {
        self.profiles.len()
    }

    /// Who is meant by name, and where they stand if they are ranked, among the users
    /// of these slots: for looking at everybody in pieces. A user has the same slot
    /// from registration to deletion, so whoever stays is met once, whatever happens
    /// between the pieces.
    pub fn named(
        &self,
        slots: Range<usize>,
        mut is_meant: impl FnMut(&str) -> bool,
    ) -> impl Iterator<Item = (UserId, Option<Position>)> {
        let end = slots.end.min(self.profiles.len());
        (slots.start.min(end)..end)
            .filter(move |slot| {
                let profile = self.profiles[*slot].as_ref();
                profile.is_some_and(|profile| is_meant(&profile.username))
            })
            .filter_map(|slot| self.ranking.slot_at(slot))
            .map(|slot| (self.ranking.user(slot), self.ranking.position(slot)))
    }

    /// The visible board: the first rows, as many as the rules say.
    pub fn top(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows(0..self.rules.top)
    }

    /// The rows at these places, counted from 0, as far as there are any.
    pub fn rows(&self, places: Range<usize>) -> impl Iterator<Item = Row<'_>> {
        self.ranking
            .range(places)
            .filter_map(|ranked| self.row(ranked))
    }

    /// The places, counted from 0, of a user and of up to `window` users on
    /// either side, or `None` if the user is not ranked.
    pub fn around(&self, user: UserId, window: usize) -> Option<Range<usize>> {
        self.ranking.around(self.ranking.slot(user)?, window)
    }

    /// Whoever is ranked is registered, and has a profile.
    fn row(&self, ranked: Ranked) -> Option<Row<'_>> {
        Some(Row {
            user: self.ranking.user(ranked.slot),
            profile: self.profiles[ranked.slot.index()].as_ref()?,
            score: Some(ranked.score),
            rank: Some(ranked.rank),
        })
    }
}

fn packed(rank: u64) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(rank).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Direction, Operator};

    fn user(n: u8) -> UserId {
        UserId([n; 16])
    }

    /// A log that is written entry by entry.
    struct Log {
        board: Board,
        next: u64,
    }

    impl Log {
        fn new(rules: Rules) -> Log {
            Log {
                board: Board::new(rules),
                next: 1,
            }
        }

        fn add(&mut self, fact: Fact) -> Option<Applied> {
            let entry = LogEntry {
                seq: Seq::new(self.next).expect("starts at 1"),
                at: Timestamp(self.next * 1000),
                fact,
            };
            self.next += 1;
            self.board.apply(&entry)
        }

        fn register(&mut self, n: u8) -> Option<Applied> {
            self.add(Fact::UserChanged {
                user: user(n),
                profile: Profile {
                    username: format!("user {n}").into(),
                    avatar: None,
                },
            })
        }

        fn act(&mut self, n: u8, score: i64) -> Option<Applied> {
            self.add(Fact::Action {
                user: user(n),
                action_type: "goal".into(),
                increase: 0,
                score: Score::new(score).expect("in range"),
            })
        }

        fn order(&self) -> Vec<(u64, u8)> {
            let rows = self.board.rows(0..usize::MAX);
            rows.map(|row| (row.rank.unwrap_or(0), row.user.0[0]))
                .collect()
        }
    }

    #[test]
    fn who_reached_a_score_first_stands_higher() {
        let mut log = Log::new(Rules::default());
        for n in [3, 1, 2] {
            log.register(n);
        }
        assert_eq!(log.order(), [(1, 3), (2, 1), (3, 2)]);
        let applied = log.act(2, 10).expect("registered");
        assert_eq!((applied.old_rank, applied.rank), (Some(3), Some(1)));
        log.act(1, 10);
        assert_eq!(log.order(), [(1, 2), (2, 1), (3, 3)]);
        // An action worth nothing does not lose the place.
        log.act(2, 10);
        assert_eq!(log.order(), [(1, 2), (2, 1), (3, 3)]);
    }

    #[test]
    fn an_entry_counts_once() {
        let mut log = Log::new(Rules::default());
        log.register(1);
        let entry = LogEntry {
            seq: Seq::FIRST,
            at: Timestamp(9),
            fact: Fact::Action {
                user: user(1),
                action_type: "late".into(),
                increase: 5,
                score: Score::MAX,
            },
        };
        assert_eq!(log.board.apply(&entry), None);
        assert_eq!(
            log.board.user(user(1)).and_then(|row| row.score),
            Some(Score::ZERO)
        );
    }

    #[test]
    fn a_new_name_changes_nothing_but_the_name() {
        let mut log = Log::new(Rules::default());
        log.register(1);
        log.register(2);
        log.act(2, 7);
        let renamed = Profile {
            username: "Zoë".into(),
            avatar: Some("/zoe.png".into()),
        };
        log.add(Fact::UserChanged {
            user: user(2),
            profile: renamed.clone(),
        });
        let row = log.board.user(user(2)).expect("registered");
        assert_eq!(row.profile, &renamed);
        assert_eq!((row.rank, row.score), (Some(1), Score::new(7)));
    }

    #[test]
    fn where_results_count_only_those_with_a_result_are_ranked() {
        let mut log = Log::new(Rules {
            operator: Operator::Best,
            direction: Direction::LowestFirst,
            ..Rules::default()
        });
        log.register(1);
        log.register(2);
        assert_eq!(log.board.len(), 0);
        assert_eq!(log.board.user(user(1)).and_then(|row| row.rank), None);
        log.act(1, 61);
        log.act(2, 59);
        assert_eq!(log.order(), [(1, 2), (2, 1)]);
    }

    #[test]
    fn the_rows_around_a_user_stop_at_the_ends() {
        let mut log = Log::new(Rules::default());
        for n in 1..=5 {
            log.register(n);
        }
        let around = |n, window| -> Vec<u8> {
            let places = log.board.around(user(n), window).expect("ranked");
            log.board.rows(places).map(|row| row.user.0[0]).collect()
        };
        assert_eq!(around(3, 1), [2, 3, 4]);
        assert_eq!(around(1, 2), [1, 2, 3]);
        assert_eq!(around(5, usize::MAX), [1, 2, 3, 4, 5]);
        assert!(log.board.around(user(9), 1).is_none());
    }
}
