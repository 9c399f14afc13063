//! The rank that each user who is online was sent last, and whose rank has changed since. On a
//! board of teams these are teams, whose members have asked.
//!
//! Users near the top are looked up with every tick. All others are found by a sweep over
//! everybody ([`RankSweep`]), and are sent their ranks with the next ticks, a share with
//! each: one jump at the top may move a hundred thousand users, and no tick is to carry
//! them all.

use std::collections::{HashMap, VecDeque};

use tokio::time::{Duration, Instant};

use crate::board::{BoardView, RankSweep, Scores, Watched, Who, ranking::Shift};

/// Between two sweeps. What a sweep finds is sent within as long, so no rank is later than
/// twice this.
const SWEEP: Duration = Duration::from_millis(450);

/// Ticks that share what a sweep finds.
const SHARES: usize = 4;

/// See the module.
#[derive(Default)]
pub(super) struct RankTracker {
    users: HashMap<Who, u32>,
    /// By the slot that `users` has, and by which `sweep` knows a user.
    slots: Vec<Slot>,
    /// Slots of users who are offline, which `sweep` may still have.
    left: Vec<u32>,
    /// Slots that may be used again.
    free: Vec<u32>,
    sweep: RankSweep,
    /// Users whom the next sweep looks up by themselves.
    unlocated: Vec<u32>,
    /// Users whose rank has changed and is still to be sent.
    pending: VecDeque<u32>,
    /// How many of them with each tick.
    share: usize,
    swept: Option<Instant>,
    due: Option<Instant>,
}

/// The scores and rank of a user, whose rank has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RankChange {
    pub(super) user: Who,
    pub(super) scores: Option<Scores>,
    pub(super) rank: Option<u64>,
}

struct Slot {
    user: Who,
    is_online: bool,
    sent: Sent,
    /// Is in `unlocated`.
    is_unlocated: bool,
    /// Is in `pending`.
    is_pending: bool,
}

/// What the sockets of a user were sent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// All of them this rank.
    Rank(Option<u64>),
    /// Not the same; or nothing of this log. The rank is to be sent whatever it is.
    Unknown,
}

impl RankTracker {
    /// A user is online, who has this rank and knows it.
    pub(super) fn add(&mut self, user: Who, rank: Option<u64>, now: Instant) {
        let added = Slot {
            user,
            is_online: true,
            sent: Sent::Rank(rank),
            is_unlocated: true,
            is_pending: false,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = added;
                slot
            }
            None => {
                self.slots.push(added);
                // More users than this number holds fit into no machine.
                (self.slots.len() - 1) as u32
            }
        };
        self.users.insert(user, slot);
        self.unlocated.push(slot);
        // Soon, so that the sweep knows the user.
        self.schedule(now);
    }

    /// A user is offline.
    pub(super) fn remove(&mut self, user: Who) {
        if let Some(slot) = self.users.remove(&user) {
            self.slots[slot as usize].is_online = false;
            self.left.push(slot);
        }
    }

    /// Notes that all sockets of a user are sent this rank.
    pub(super) fn sent(&mut self, user: Who, rank: Option<u64>) {
        if let Some(&slot) = self.users.get(&user) {
            self.slots[slot as usize].sent = Sent::Rank(rank);
        }
    }

    /// Notes that one socket of a user is sent this rank, because it asked. If the others
    /// were sent another, all are sent it again after the next sweep: the rank may be the
    /// other one again by then, and would seem not to have changed.
    pub(super) fn sent_to_one(&mut self, user: Who, rank: Option<u64>, now: Instant) {
        if let Some(&slot) = self.users.get(&user)
            && self.slots[slot as usize].sent != Sent::Rank(rank)
        {
            self.slots[slot as usize].sent = Sent::Unknown;
            self.look_up(slot);
            self.schedule(now);
        }
    }

    /// Notes which users were placed anew, and what that did to the ranks of others.
    pub(super) fn placed(
        &mut self,
        users: impl IntoIterator<Item = Who>,
        shifts: Vec<Shift>,
        now: Instant,
    ) {
        if self.users.is_empty() {
            return;
        }
        for user in users {
            if let Some(&slot) = self.users.get(&user) {
                self.look_up(slot);
            }
        }
        self.sweep.note(shifts);
        self.schedule(now);
    }

    /// A user may be ranked elsewhere, or nowhere.
    pub(super) fn moved(&mut self, user: Who) {
        if let Some(&slot) = self.users.get(&user) {
            self.look_up(slot);
        }
    }

    fn look_up(&mut self, slot: u32) {
        if !std::mem::replace(&mut self.slots[slot as usize].is_unlocated, true) {
            self.unlocated.push(slot);
        }
    }

    /// Which of these users are online and have another rank than they were sent. They
    /// count as sent it.
    pub(super) fn take_changed(
        &mut self,
        users: impl Iterator<Item = Who>,
        board: BoardView<'_>,
    ) -> Vec<RankChange> {
        let mut changed = Vec::new();
        for user in users {
            if let Some(&slot) = self.users.get(&user) {
                changed.extend(self.take_change(slot, board));
            }
        }
        changed
    }

    /// The share of pending ranks that is to be sent now. They count as sent.
    pub(super) fn next_share(&mut self, board: BoardView<'_>) -> Vec<RankChange> {
        let mut share = Vec::new();
        for _ in 0..self.share.min(self.pending.len()) {
            let Some(slot) = self.pending.pop_front() else {
                break;
            };
            let it = &mut self.slots[slot as usize];
            // The slot may be another user's by now.
            if std::mem::take(&mut it.is_pending) && it.is_online {
                share.extend(self.take_change(slot, board));
            }
        }
        share
    }

    fn take_change(&mut self, slot: u32, board: BoardView<'_>) -> Option<RankChange> {
        let slot = &mut self.slots[slot as usize];
        let row = board.user(slot.user);
        let rank = row.and_then(|row| row.rank());
        let now = Sent::Rank(rank);
        let has_changed = std::mem::replace(&mut slot.sent, now) != now;
        row.filter(|_| has_changed).map(|row| {
            // Those who are hidden are shown their own score.
            let scores = row.scores().or_else(|| board.hidden_scores(slot.user));
            RankChange {
                user: slot.user,
                scores,
                rank,
            }
        })
    }

    /// The log was replaced: all users are sent their ranks, whatever they were sent.
    pub(super) fn reset(&mut self, now: Instant) {
        self.sweep = RankSweep::default();
        self.unlocated.clear();
        self.pending.clear();
        for (number, slot) in (0..).zip(&mut self.slots) {
            slot.sent = Sent::Unknown;
            (slot.is_unlocated, slot.is_pending) = (slot.is_online, slot.is_online);
            if slot.is_online {
                self.unlocated.push(number);
                self.pending.push_back(number);
            }
        }
        self.share = self.pending.len().div_ceil(SHARES);
        self.schedule(now);
    }

    /// Is a rank still to be sent?
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    fn schedule(&mut self, now: Instant) {
        let next = self.swept.map_or(now, |swept| now.max(swept + SWEEP));
        self.due.get_or_insert(next);
    }

    /// When to sweep, if any rank may have changed.
    pub(super) fn sweep_due(&self) -> Option<Instant> {
        self.due
    }

    /// Is it time to sweep?
    pub(super) fn is_sweep_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Looks at the ranks of all users. Those that have changed are pending.
    pub(super) fn sweep(&mut self, board: BoardView<'_>, now: Instant) {
        self.due = None;
        self.swept = Some(now);
        let unlocated = std::mem::take(&mut self.unlocated);
        let mut located = Vec::with_capacity(unlocated.len());
        let mut changed = Vec::new();
        for &watcher in &unlocated {
            let slot = &self.slots[watcher as usize];
            if !slot.is_online {
                continue;
            }
            match board.position_of(slot.user) {
                Some((position, rank)) => located.push(Watched {
                    position,
                    rank,
                    watcher,
                }),
                // Users without a rank are located once they have one.
                None if slot.sent != Sent::Rank(None) => changed.push(watcher),
                None => {}
            }
        }
        let slots = &self.slots;
        let is_sent = |slot: u32, rank| slots[slot as usize].sent == Sent::Rank(Some(rank));
        let found = located.iter().map(|it| (it.watcher, it.rank));
        changed.extend(
            found
                .filter(|(slot, rank)| !is_sent(*slot, *rank))
                .map(|(slot, _)| slot),
        );
        self.sweep.sweep(
            located,
            |slot| {
                let slot = &slots[slot as usize];
                slot.is_online && !slot.is_unlocated
            },
            |slot, rank| {
                if !is_sent(slot, rank) {
                    changed.push(slot);
                }
            },
        );
        for slot in unlocated {
            self.slots[slot as usize].is_unlocated = false;
        }
        for slot in changed {
            let is_pending = &mut self.slots[slot as usize].is_pending;
            if !std::mem::replace(is_pending, true) {
                self.pending.push_back(slot);
            }
        }
        self.free.append(&mut self.left);
        self.share = self.pending.len().div_ceil(SHARES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::{Changes, Effects, Fact, LogEntry, Operator, Profile, Rules, Settings, UserId},
        live::testing::{self, Log},
    };

    fn user(n: u8) -> UserId {
        UserId([n; 16])
    }

    fn number(who: Who) -> u8 {
        match who {
            Who::User(user) => user.0[0],
            Who::Team(team) => team.0[0],
        }
    }

    /// A board of ten users with 100, 99, … points, who are all online, and what each was
    /// sent last.
    struct Game {
        log: Log,
        ranks: RankTracker,
        now: Instant,
    }

    impl Game {
        fn new() -> Game {
            let mut game = Game {
                log: Log::new(Settings::main(Rules::default())),
                ranks: RankTracker::default(),
                now: Instant::now(),
            };
            for n in 0..10 {
                let profile = Profile {
                    username: n.to_string().into(),
                    avatar: None,
                };
                let user = user(n);
                game.apply(Fact::UserChanged { user, profile });
                game.score(n, 100 - i64::from(n));
            }
            for n in 0..10 {
                game.add(n);
            }
            game.sweep();
            game
        }

        fn apply(&mut self, fact: Fact) {
            let added = self.log.add(fact);
            self.note(added);
        }

        fn note(&mut self, (entry, effects): (LogEntry, Effects)) {
            let mut changes = Changes::default();
            changes.add(&entry, &effects.shown);
            let changes = changes.boards.remove(&testing::main());
            let changes = changes.unwrap_or_default();
            let directory = self.log.state.directory();
            let placed = changes.placed.iter();
            let placed = placed.filter_map(|it| Some(directory.person_at(*it)?.id));
            self.ranks
                .placed(placed.map(Who::User), changes.shifts, self.now);
        }

        fn score(&mut self, n: u8, points: i64) {
            let added = self.log.act(user(n), 1, points);
            self.note(added);
        }

        /// A user is online.
        fn add(&mut self, n: u8) {
            self.ranks.add(user(n).into(), self.rank(n), self.now);
        }

        fn rank(&self, n: u8) -> Option<u64> {
            self.log.main().user(user(n)).and_then(|row| row.rank())
        }

        /// Sweeps, and sends all that it found: to whom, in no particular order.
        fn sweep(&mut self) -> Vec<u8> {
            self.ranks.sweep(self.log.main(), self.now);
            let mut sent = Vec::new();
            while self.ranks.has_pending() {
                sent.extend(self.ranks.next_share(self.log.main()));
            }
            let mut sent: Vec<u8> = sent.into_iter().map(|it| number(it.user)).collect();
            sent.sort_unstable();
            sent
        }
    }

    #[test]
    fn users_who_moved_are_sent_their_rank_once() {
        let mut game = Game::new();
        game.score(9, 98);
        assert_eq!(game.sweep(), [3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(game.sweep(), [0; 0]);
    }

    #[test]
    fn a_rank_that_was_sent_between_sweeps_and_is_not_true_any_more_is_sent_again() {
        let mut game = Game::new();
        game.score(9, 98);
        // A user who was near the top at that time, say.
        let changed = game
            .ranks
            .take_changed([user(5).into()].into_iter(), game.log.main());
        assert_eq!(changed.len(), 1);
        game.score(9, 91);
        assert_eq!(game.sweep(), [5]);
        // Likewise one of two sockets that asked.
        game.score(9, 98);
        game.ranks
            .sent_to_one(user(6).into(), game.rank(6), game.now);
        game.score(9, 91);
        assert_eq!(game.sweep(), [6]);
    }

    #[test]
    fn ranks_are_sent_in_shares() {
        let mut game = Game::new();
        game.score(9, 1000);
        game.ranks.sweep(game.log.main(), game.now);
        let mut shares = Vec::new();
        while game.ranks.has_pending() {
            shares.push(game.ranks.next_share(game.log.main()).len());
        }
        assert_eq!(shares, [3, 3, 3, 1]);
    }

    #[test]
    fn users_who_are_offline_are_sent_nothing() {
        let mut game = Game::new();
        game.ranks.remove(user(3).into());
        game.score(9, 1000);
        assert_eq!(game.sweep(), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn slots_of_users_who_left_are_used_again_and_mean_no_other_user() {
        let mut game = Game::new();
        game.score(9, 1000);
        game.ranks.sweep(game.log.main(), game.now);
        // All are pending, and half of them go offline and online again.
        for n in 0..5 {
            game.ranks.remove(user(n).into());
        }
        game.sweep();
        for n in 0..5 {
            game.add(n);
        }
        assert_eq!(game.ranks.slots.len(), 10, "no more than users");
        assert_eq!(game.sweep(), [0; 0]);
        game.score(9, 0);
        assert_eq!(game.sweep(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn users_without_a_rank_are_sent_their_first() {
        let mut game = Game::new();
        let late = user(77);
        game.ranks.add(late.into(), None, game.now);
        assert_eq!(game.sweep(), [0; 0]);
        let profile = Profile {
            username: "late".into(),
            avatar: None,
        };
        game.apply(Fact::UserChanged {
            user: late,
            profile,
        });
        assert_eq!(game.sweep(), [77]);
    }

    #[test]
    fn on_another_log_all_users_are_sent_their_ranks() {
        let mut game = Game::new();
        game.ranks.add(user(77).into(), Some(3), game.now);
        game.score(9, 1000);
        game.ranks.remove(user(4).into());
        // The same, but for the first, who is not registered there, and one who has no
        // result.
        game.log = Log::new(Settings::main(Rules {
            operator: Operator::Latest,
            ..Rules::default()
        }));
        game.ranks.reset(game.now);
        for n in (1..10).chain([77]) {
            let profile = Profile {
                username: n.to_string().into(),
                avatar: None,
            };
            let user = user(n);
            game.apply(Fact::UserChanged { user, profile });
        }
        for n in 1..10 {
            game.score(n, 100 - i64::from(n));
        }
        assert_eq!(game.sweep(), [1, 2, 3, 5, 6, 7, 8, 9, 77]);
        assert_eq!(game.sweep(), [0; 0]);
        // Ranks are followed as before.
        game.score(9, 98);
        assert_eq!(game.sweep(), [3, 5, 6, 7, 8, 9]);
    }
}
