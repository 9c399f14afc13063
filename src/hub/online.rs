//! Users who are here, and the rank that each was told last.
//!
//! Whoever is near the top hears of a new rank with the tick. All others are
//! found by a sweep over everybody ([`RankSweep`]), and told with the ticks
//! until the next one, a part with each: one jump at the top may move a hundred
//! thousand users who are here, and no tick is to carry them all.

use std::collections::{HashMap, VecDeque};

use socketioxide::socket::Sid;
use tokio::time::{Duration, Instant};

use crate::board::{Board, RankSweep, Score, UserId, Watched, ranking::Shift};

/// Between two sweeps. What a sweep finds is told within as long, so nobody waits
/// longer than twice this.
const SWEEP: Duration = Duration::from_millis(450);

/// Ticks that share what a sweep finds.
const SHARES: usize = 4;

/// See the module.
#[derive(Default)]
pub(super) struct Online {
    users: HashMap<UserId, u32>,
    sockets: usize,
    /// By the number that `users` has, and by which `sweep` knows them.
    here: Vec<Here>,
    /// Numbers of users who have gone, which `sweep` may still have.
    gone: Vec<u32>,
    /// Numbers that may be given again.
    free: Vec<u32>,
    sweep: RankSweep,
    /// Who is to be looked up by the next sweep.
    unplaced: Vec<u32>,
    /// Who has moved and is still to be told.
    waiting: VecDeque<u32>,
    /// How many of them with each tick.
    share: usize,
    swept: Option<Instant>,
    due: Option<Instant>,
}

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) user: UserId,
    pub(super) score: Option<Score>,
    pub(super) rank: Option<u64>,
}

struct Here {
    user: UserId,
    /// Empty for somebody who has gone.
    sockets: Vec<Sid>,
    /// The rank that they were told; `None` if they are to be told whatever it is.
    told: Option<Option<u64>>,
    /// Is in `unplaced`.
    is_unplaced: bool,
    /// Is in `waiting`.
    is_waiting: bool,
}

impl Online {
    /// A socket of this user, whose rank this is, was let in.
    pub(super) fn came(&mut self, sid: Sid, user: UserId, rank: Option<u64>) {
        self.sockets += 1;
        if let Some(&number) = self.users.get(&user) {
            self.here[number as usize].sockets.push(sid);
            return;
        }
        let here = Here {
            user,
            sockets: vec![sid],
            told: Some(rank),
            is_unplaced: true,
            is_waiting: false,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.here[number as usize] = here;
                number
            }
            None => {
                self.here.push(here);
                // More sockets than this number holds fit into no machine.
                (self.here.len() - 1) as u32
            }
        };
        self.users.insert(user, number);
        self.unplaced.push(number);
        // Whoever comes is looked up soon, so that the sweep knows them.
        self.changed();
    }

    /// A socket of this user has gone.
    pub(super) fn left(&mut self, sid: Sid, user: UserId) {
        let Some(&number) = self.users.get(&user) else {
            return;
        };
        let here = &mut self.here[number as usize];
        let before = here.sockets.len();
        here.sockets.retain(|known| *known != sid);
        self.sockets -= before - here.sockets.len();
        if here.sockets.is_empty() {
            self.users.remove(&user);
            self.gone.push(number);
        }
    }

    /// The sockets of a user.
    pub(super) fn sockets(&self, user: UserId) -> &[Sid] {
        let here = self
            .users
            .get(&user)
            .map(|number| &self.here[*number as usize]);
        here.map_or(&[], |here| &here.sockets)
    }

    /// Has this user a socket?
    pub(super) fn is_here(&self, user: UserId) -> bool {
        self.users.contains_key(&user)
    }

    /// Notes that a user is told this rank.
    pub(super) fn told(&mut self, user: UserId, rank: Option<u64>) {
        if let Some(&number) = self.users.get(&user) {
            self.here[number as usize].told = Some(rank);
        }
    }

    /// Notes that one socket of a user is told this rank, because it asked. If the
    /// others were told another, all are told again by the next sweep: the rank may
    /// be the other one again by then, and nobody would seem to have moved.
    pub(super) fn asked(&mut self, user: UserId, rank: Option<u64>) {
        if let Some(&number) = self.users.get(&user) {
            let here = &mut self.here[number as usize];
            if here.told != Some(rank) {
                here.told = None;
                if !std::mem::replace(&mut here.is_unplaced, true) {
                    self.unplaced.push(number);
                }
                self.changed();
            }
        }
    }

    /// Notes who was placed anew, and what that did to others.
    pub(super) fn moved(&mut self, users: &[UserId], shifts: Vec<Shift>) {
        if self.users.is_empty() {
            return;
        }
        for user in users {
            if let Some(&number) = self.users.get(user) {
                let here = &mut self.here[number as usize];
                if !std::mem::replace(&mut here.is_unplaced, true) {
                    self.unplaced.push(number);
                }
            }
        }
        self.sweep.note(shifts);
        self.changed();
    }

    /// Who of these is here and has another rank than they were told. They
    /// count as told.
    pub(super) fn untold(
        &mut self,
        users: impl Iterator<Item = UserId>,
        board: &Board,
    ) -> Vec<Place> {
        let mut untold = Vec::new();
        for user in users {
            if let Some(&number) = self.users.get(&user) {
                untold.extend(self.tell(number, board));
            }
        }
        untold
    }

    /// The part of those who wait that is to be told now. They count as told.
    pub(super) fn next_share(&mut self, board: &Board) -> Vec<Place> {
        let mut share = Vec::new();
        for _ in 0..self.share.min(self.waiting.len()) {
            let Some(number) = self.waiting.pop_front() else {
                break;
            };
            let here = &mut self.here[number as usize];
            // The number may be somebody else's by now.
            if std::mem::take(&mut here.is_waiting) && !here.sockets.is_empty() {
                share.extend(self.tell(number, board));
            }
        }
        share
    }

    fn tell(&mut self, number: u32, board: &Board) -> Option<Place> {
        let here = &mut self.here[number as usize];
        let row = board.user(here.user);
        let rank = row.and_then(|row| row.rank);
        let is_news = here.told.replace(rank) != Some(rank);
        row.filter(|_| is_news).map(|row| Place {
            user: here.user,
            score: row.score,
            rank,
        })
    }

    /// The board is another: whatever they were told, all who are here are told where
    /// they stand on it.
    pub(super) fn begin_anew(&mut self) {
        self.sweep = RankSweep::default();
        self.unplaced.clear();
        self.waiting.clear();
        for (number, here) in (0..).zip(&mut self.here) {
            let is_here = !here.sockets.is_empty();
            here.told = None;
            (here.is_unplaced, here.is_waiting) = (is_here, is_here);
            if is_here {
                self.unplaced.push(number);
                self.waiting.push_back(number);
            }
        }
        self.share = self.waiting.len().div_ceil(SHARES);
        self.changed();
    }

    /// How many users are here, and by how many sockets.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.users.len(), self.sockets)
    }

    /// All who are here.
    pub(super) fn users(&self) -> impl Iterator<Item = UserId> + '_ {
        self.users.keys().copied()
    }

    /// Does anybody wait to be told?
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn changed(&mut self) {
        let now = Instant::now();
        let next = self.swept.map_or(now, |swept| now.max(swept + SWEEP));
        self.due.get_or_insert(next);
    }

    /// When to sweep, if anybody's rank may be another.
    pub(super) fn sweep_due(&self) -> Option<Instant> {
        self.due
    }

    /// Is it time to sweep?
    pub(super) fn is_sweep_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Looks at everybody who is here. Whoever has moved waits to be told.
    pub(super) fn sweep(&mut self, board: &Board) {
        self.due = None;
        self.swept = Some(Instant::now());
        let unplaced = std::mem::take(&mut self.unplaced);
        let mut placed = Vec::with_capacity(unplaced.len());
        for &watcher in &unplaced {
            let here = &self.here[watcher as usize];
            // Whoever is not ranked is placed when they are.
            if let Some((position, rank)) = board.standing_of(here.user)
                && !here.sockets.is_empty()
            {
                placed.push(Watched {
                    position,
                    rank,
                    watcher,
                });
            }
        }
        let here = &self.here;
        let is_told = |number: u32, rank| here[number as usize].told == Some(Some(rank));
        let found = placed.iter().map(|it| (it.watcher, it.rank));
        let mut untold: Vec<u32> = found
            .filter(|(number, rank)| !is_told(*number, *rank))
            .map(|(number, _)| number)
            .collect();
        self.sweep.sweep(
            placed,
            |number| {
                let here = &here[number as usize];
                !here.sockets.is_empty() && !here.is_unplaced
            },
            |number, rank| {
                if !is_told(number, rank) {
                    untold.push(number);
                }
            },
        );
        for number in unplaced {
            self.here[number as usize].is_unplaced = false;
        }
        for number in untold {
            let here = &mut self.here[number as usize];
            if !std::mem::replace(&mut here.is_waiting, true) {
                self.waiting.push_back(number);
            }
        }
        self.free.append(&mut self.gone);
        self.share = self.waiting.len().div_ceil(SHARES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Changes, Fact, LogEntry, Operator, Profile, Rules, Seq, Timestamp};

    fn user(n: u8) -> UserId {
        UserId([n; 16])
    }

    /// A board of ten users with 100, 99, … points, who are all online, and what
    /// each was told last.
    struct Game {
        board: Board,
        online: Online,
        sockets: Vec<Sid>,
    }

    impl Game {
        fn new() -> Game {
            let mut game = Game {
                board: Board::new(Rules::default()),
                online: Online::default(),
                sockets: Vec::new(),
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
                let sid = Sid::new();
                game.online.came(sid, user(n), game.rank(n));
                game.sockets.push(sid);
            }
            game.sweep();
            game
        }

        fn apply(&mut self, fact: Fact) {
            let entry = LogEntry {
                seq: Seq::new(self.board.seq() + 1).unwrap(),
                at: Timestamp(0),
                fact,
            };
            let applied = self.board.apply(&entry);
            let mut changes = Changes::default();
            changes.add(&entry, applied.as_ref());
            self.online.moved(&changes.placed, changes.shifts);
        }

        fn score(&mut self, n: u8, points: i64) {
            self.apply(Fact::Action {
                user: user(n),
                action_type: "goal".into(),
                increase: 1,
                score: Score::new(points).unwrap(),
            });
        }

        fn rank(&self, n: u8) -> Option<u64> {
            self.board.user(user(n)).and_then(|row| row.rank)
        }

        /// Sweeps, and tells all that it found: who, in no particular order.
        fn sweep(&mut self) -> Vec<u8> {
            self.online.sweep(&self.board);
            let mut told = Vec::new();
            while self.online.is_waiting() {
                told.extend(self.online.next_share(&self.board));
            }
            let mut told: Vec<u8> = told.into_iter().map(|it| it.user.0[0]).collect();
            told.sort_unstable();
            told
        }
    }

    #[test]
    fn whoever_moved_is_told_once() {
        let mut game = Game::new();
        game.score(9, 98);
        assert_eq!(game.sweep(), [3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(game.sweep(), [0; 0]);
    }

    #[test]
    fn what_was_told_between_sweeps_and_is_no_more_is_told_again() {
        let mut game = Game::new();
        game.score(9, 98);
        // Somebody who was near the top when they were told, say.
        let untold = game.online.untold([user(5)].into_iter(), &game.board);
        assert_eq!(untold.len(), 1);
        game.score(9, 91);
        assert_eq!(game.sweep(), [5]);
        // Likewise one of two sockets that asked.
        game.score(9, 98);
        game.online.asked(user(6), game.rank(6));
        game.score(9, 91);
        assert_eq!(game.sweep(), [6]);
    }

    #[test]
    fn a_sweep_is_told_in_shares() {
        let mut game = Game::new();
        game.score(9, 1000);
        game.online.sweep(&game.board);
        let mut shares = Vec::new();
        while game.online.is_waiting() {
            shares.push(game.online.next_share(&game.board).len());
        }
        assert_eq!(shares, [3, 3, 3, 1]);
    }

    #[test]
    fn a_user_is_here_until_the_last_socket_has_gone() {
        let mut game = Game::new();
        let other = Sid::new();
        game.online.came(other, user(3), game.rank(3));
        assert_eq!(game.online.count(), (10, 11));
        game.online.left(game.sockets[3], user(3));
        game.online.left(game.sockets[3], user(3));
        assert_eq!(game.online.sockets(user(3)), [other]);
        game.online.left(other, user(3));
        assert!(!game.online.is_here(user(3)));
        game.online.left(other, user(3));
        assert_eq!(game.online.count(), (9, 9));
        game.score(9, 1000);
        assert_eq!(game.sweep(), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn numbers_of_those_who_left_are_given_again_and_mean_nobody_else() {
        let mut game = Game::new();
        game.score(9, 1000);
        game.online.sweep(&game.board);
        // All wait, and half of them leave and come back.
        for n in 0..5 {
            game.online.left(game.sockets[usize::from(n)], user(n));
        }
        game.sweep();
        for n in 0..5 {
            game.online.came(Sid::new(), user(n), game.rank(n));
        }
        assert_eq!(game.online.here.len(), 10, "no more than are here");
        assert_eq!(game.sweep(), [0; 0]);
        game.score(9, 0);
        assert_eq!(game.sweep(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn somebody_without_a_rank_is_told_of_the_first() {
        let mut game = Game::new();
        let late = user(77);
        game.online.came(Sid::new(), late, None);
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
    fn on_another_board_everybody_is_told_where_they_stand() {
        let mut game = Game::new();
        game.online.came(Sid::new(), user(77), Some(3));
        game.score(9, 1000);
        game.online.left(game.sockets[4], user(4));
        // The same, but for the first, whom nobody knows there, and somebody who has
        // no result.
        game.board = Board::new(Rules {
            operator: Operator::Latest,
            ..Rules::default()
        });
        game.online.begin_anew();
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
