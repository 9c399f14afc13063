//! The frames of a view: the rows that its subscribers were sent last, and since which
//! frame each is as it is. From that, a client that reconnects is sent what it missed as
//! one delta, however many frames it was.

use std::collections::{HashMap, VecDeque};

use app::wire::{LeaderboardData, Profile, RowChange, ScoreRow, ScoreboardDelta};

use super::version::BoardVersion;
use crate::{
    board::{BoardView, Epoch, Row, Who},
    hub::view::View,
    wire,
};

/// Those who have left the view that are remembered, for clients that reconnect.
const DEPARTED: usize = 1024;

/// See the module.
pub(super) struct Frames {
    view: View,
    epoch: Epoch,
    rows: Vec<TrackedRow>,
    data: LeaderboardData,
    /// Those who left the view, each with the `seq` of the frame without them, in order.
    departed: VecDeque<(u64, Who)>,
    /// What changed after the frame with this `seq` is known.
    known_since: u64,
}

/// A row of the latest frame.
#[derive(Clone, Copy)]
struct TrackedRow {
    who: Who,
    /// The `seq` of the frame since which it is as it is.
    since: u64,
}

/// What differs between two frames.
pub(super) struct FrameDiff {
    /// The frame before.
    pub(super) before: LeaderboardData,
    /// What changed.
    pub(super) delta: ScoreboardDelta,
}

impl Frames {
    /// The first frame.
    pub(super) fn new(view: View, epoch: Epoch, board: BoardView<'_>) -> Frames {
        let range = view.row_range(board.rules());
        let seq = board.seq();
        let tracked = |row: Row<'_>| TrackedRow {
            who: row.who,
            since: seq,
        };
        Frames {
            view,
            epoch,
            rows: board.rows(range.clone()).map(tracked).collect(),
            data: LeaderboardData {
                page: view.page(),
                ..wire::leaderboard(epoch, board, range)
            },
            departed: VecDeque::new(),
            known_since: seq,
        }
    }

    /// A frame without rows, where there is no board.
    pub(super) fn of_nothing(view: View, epoch: Epoch) -> Frames {
        Frames {
            view,
            epoch,
            rows: Vec::new(),
            data: LeaderboardData {
                epoch: epoch.to_string(),
                page: view.page(),
                ..LeaderboardData::default()
            },
            departed: VecDeque::new(),
            known_since: 0,
        }
    }

    /// The latest frame.
    pub(super) fn data(&self) -> &LeaderboardData {
        &self.data
    }

    /// The users of the latest frame, in order; none where teams stand.
    pub(super) fn listed(&self) -> impl Iterator<Item = Who> + '_ {
        self.rows.iter().map(|row| row.who)
    }

    /// The latest frame as of a later version, at which it is still true.
    pub(super) fn as_of(&self, now: BoardVersion) -> LeaderboardData {
        LeaderboardData {
            seq: now.seq,
            last_updated: wire::timestamp(now.at),
            ..self.data.clone()
        }
    }

    /// Makes the next frame, if the latest is not true any more.
    pub(super) fn advance(&mut self, board: BoardView<'_>) -> Option<FrameDiff> {
        if self.is_current(board) {
            return None;
        }
        let range = self.view.row_range(board.rules());
        let next = LeaderboardData {
            page: self.view.page(),
            ..wire::leaderboard(self.epoch, board, range.clone())
        };
        let mut known: HashMap<Who, usize> = self.listed().zip(0..).collect();
        let mut changes = Vec::new();
        let mut rows = Vec::with_capacity(next.top_scores.len());
        let listed = board.rows(range).map(|row| row.who);
        for (index, (who, row)) in listed.zip(&next.top_scores).enumerate() {
            let before = known.remove(&who);
            let since = match before {
                Some(at) if at == index && self.data.top_scores[at] == *row => self.rows[at].since,
                Some(at) => {
                    changes.push(change(index, row, Some(&self.data.top_scores[at])));
                    next.seq
                }
                None => {
                    changes.push(change(index, row, None));
                    next.seq
                }
            };
            rows.push(TrackedRow { who, since });
        }
        for (who, at) in known {
            changes.push(gone(&self.data.top_scores[at].user_id));
            self.departed.push_back((next.seq, who));
        }
        while self.departed.len() > DEPARTED {
            if let Some((seq, _)) = self.departed.pop_front() {
                self.known_since = seq;
            }
        }
        self.rows = rows;
        let before = std::mem::replace(&mut self.data, next);
        let delta = self.delta(before.seq, self.data.seq, changes);
        Some(FrameDiff { before, delta })
    }

    /// What has changed for a client that has the rows as of a tick with this `seq`, if the
    /// latest frame is still true now; `None` if that is not known.
    pub(super) fn delta_since(
        &self,
        epoch: &str,
        seq: u64,
        now: BoardVersion,
    ) -> Option<ScoreboardDelta> {
        if epoch != self.data.epoch || seq < self.known_since || seq > now.seq {
            return None;
        }
        let rows = self.rows.iter().zip(&self.data.top_scores).enumerate();
        let changed = rows.filter(|(_, (row, _))| row.since > seq);
        let mut changes: Vec<_> = changed
            .map(|(index, (_, row))| {
                let avatar = Some(row.avatar.clone());
                updated(index, row, Some(profile(row, avatar)))
            })
            .collect();
        let mut left: Vec<Who> = self
            .departed
            .iter()
            .rev()
            .take_while(|(departed, _)| *departed > seq)
            .map(|(_, who)| *who)
            .collect();
        left.sort_unstable();
        left.dedup();
        left.retain(|who| !self.listed().any(|listed| listed == *who));
        changes.extend(left.into_iter().map(|who| gone(&wire::id(who))));
        Some(ScoreboardDelta {
            last_updated: wire::timestamp(now.at),
            ..self.delta(seq, now.seq, changes)
        })
    }

    /// The delta for a client that has the rows as of now.
    pub(super) fn empty_delta(&self, board: BoardView<'_>) -> ScoreboardDelta {
        ScoreboardDelta {
            total_users: board.len() as u64,
            last_updated: wire::timestamp(board.changed()),
            ..self.delta(board.seq(), board.seq(), Vec::new())
        }
    }

    fn delta(&self, from: u64, to: u64, changes: Vec<RowChange>) -> ScoreboardDelta {
        ScoreboardDelta {
            epoch: self.data.epoch.clone(),
            from,
            to,
            changes,
            total_users: self.data.total_users,
            last_updated: self.data.last_updated.clone(),
            page: self.data.page,
            board: self.data.board.clone(),
        }
    }

    /// Is the latest frame true? Asked in every tick of every view that is computed, so
    /// nothing is allocated for it.
    pub(super) fn is_current(&self, board: BoardView<'_>) -> bool {
        let mut rows = board.rows(self.view.row_range(board.rules()));
        let mut latest = self.rows.iter().zip(&self.data.top_scores);
        let same = |row: Row<'_>| {
            latest.next().is_some_and(|(tracked, data)| {
                row.who == tracked.who
                    && row.scores.score.points() == data.score
                    && wire::tiebreak(board, row.scores) == data.tiebreak
                    && row.rank == data.rank
                    && *row.profile.username == *data.username
                    && row.profile.avatar.as_deref() == data.avatar.as_deref()
            })
        };
        board.len() as u64 == self.data.total_users && rows.all(same) && latest.next().is_none()
    }
}

fn change(index: usize, row: &ScoreRow, before: Option<&ScoreRow>) -> RowChange {
    let named = before.is_none_or(|old| old.username != row.username || old.avatar != row.avatar);
    let pictured = before.is_some() || row.avatar.is_some();
    let profile = named.then(|| profile(row, pictured.then(|| row.avatar.clone())));
    updated(index, row, profile)
}

fn updated(index: usize, row: &ScoreRow, profile: Option<Profile>) -> RowChange {
    RowChange::Updated {
        user_id: row.user_id.clone(),
        index,
        score: row.score,
        rank: row.rank,
        tiebreak: row.tiebreak,
        profile,
    }
}

fn profile(row: &ScoreRow, avatar: Option<Option<String>>) -> Profile {
    Profile {
        username: row.username.clone(),
        avatar,
    }
}

fn gone(user_id: &str) -> RowChange {
    RowChange::Removed {
        user_id: user_id.to_owned(),
    }
}

#[cfg(test)]
pub(in crate::hub) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        board::{Fact, Profile, Rules, Settings, UserId},
        live::testing,
    };

    /// A board that grows by its log.
    struct Log {
        log: testing::Log,
        scores: HashMap<u8, i64>,
    }

    impl Log {
        fn new(top: usize) -> Log {
            let rules = Rules {
                top,
                ..Rules::default()
            };
            Log {
                log: testing::Log::new(Settings::main(rules)),
                scores: HashMap::new(),
            }
        }

        fn add(&mut self, fact: Fact) {
            self.log.add(fact);
        }

        fn board(&self) -> BoardView<'_> {
            self.log.main()
        }

        fn name(&mut self, n: u8, name: u8, pictured: bool) {
            self.add(Fact::UserChanged {
                user: UserId([n; 16]),
                profile: Profile {
                    username: format!("{name}").into(),
                    avatar: pictured.then(|| "/a.png".into()),
                },
            });
        }

        fn act(&mut self, n: u8, increase: i64) {
            let score = self.scores.entry(n).or_default();
            *score += increase;
            self.log.act(UserId([n; 16]), increase, *score);
        }

        fn delete(&mut self, n: u8) {
            self.scores.remove(&n);
            self.add(Fact::UserDeleted {
                user: UserId([n; 16]),
            });
        }
    }

    /// What a client does with a delta.
    pub(in crate::hub) fn apply(board: &mut LeaderboardData, delta: &ScoreboardDelta) {
        assert!(delta.from <= board.seq && board.seq <= delta.to, "a gap");
        let mut rows: HashMap<String, (usize, ScoreRow)> = board
            .top_scores
            .drain(..)
            .enumerate()
            .map(|(index, row)| (row.user_id.clone(), (index, row)))
            .collect();
        for change in &delta.changes {
            let old = rows.remove(change.user_id()).map(|(_, row)| row);
            let RowChange::Updated {
                user_id,
                index,
                score,
                rank,
                tiebreak,
                profile,
            } = change.clone()
            else {
                continue;
            };
            let (username, avatar) = match (profile, old) {
                (Some(profile), _) => (profile.username, profile.avatar.flatten()),
                (None, Some(old)) => (old.username, old.avatar),
                (None, None) => panic!("a row without a name"),
            };
            let row = ScoreRow {
                user_id: user_id.clone(),
                username,
                score,
                rank,
                avatar,
                tiebreak,
            };
            rows.insert(user_id, (index, row));
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        rows.sort_by_key(|(index, _)| *index);
        board.top_scores = rows.into_iter().map(|(_, row)| row).collect();
        board.total_users = delta.total_users;
        board.last_updated.clone_from(&delta.last_updated);
        board.seq = delta.to;
    }

    proptest! {
        /// Frame by frame, and from any version on in one delta, a client that applies deltas
        /// has what the board shows.
        #[test]
        fn deltas_lead_to_the_board(
            view in prop_oneof![Just(View::Top), Just(View::Page(0)), Just(View::Page(1))],
            facts in prop::collection::vec((0u8..9, 0u8..70, -5i64..6, any::<bool>()), 1..120),
        ) {
            let mut log = Log::new(3);
            for n in 0..55 {
                log.name(n, n, false);
            }
            let mut frames = Frames::new(view, Epoch(1), log.board());
            let mut client = frames.data().clone();
            let mut earlier = Vec::new();
            for (kind, n, increase, flag) in facts {
                match kind {
                    0 => log.name(n, n.wrapping_add(increase as u8), flag),
                    1 => log.delete(n),
                    2..6 => log.act(n, increase),
                    _ => {
                        // A client whose page was rendered just now.
                        let now = LeaderboardData {
                            page: view.page(),
                            ..wire::leaderboard(Epoch(1), log.board(), view.row_range(log.board().rules()))
                        };
                        earlier.push(now);
                        earlier.push(client.clone());
                        let seq = client.seq;
                        match frames.advance(log.board()) {
                            Some(diff) => {
                                prop_assert_eq!(diff.delta.from, seq);
                                apply(&mut client, &diff.delta);
                                prop_assert_eq!(&client, frames.data());
                            }
                            None => prop_assert_eq!(&client, frames.data()),
                        }
                        prop_assert!(frames.is_current(log.board()));
                    }
                }
            }
            let _ = frames.advance(log.board());
            for mut client in earlier {
                let now = BoardVersion::of(Epoch(1), log.board());
                let delta = frames.delta_since(&client.epoch, client.seq, now).unwrap();
                apply(&mut client, &delta);
                prop_assert_eq!(&client, &frames.as_of(now));
            }
        }
    }

    #[test]
    fn no_delta_is_made_of_what_is_not_known() {
        let mut log = Log::new(3);
        log.name(1, 1, false);
        let frames = Frames::new(View::Top, Epoch(7), log.board());
        log.name(2, 2, false);
        let epoch = &frames.data().epoch;
        let now = BoardVersion::of(Epoch(7), log.board());
        let since = |epoch, seq| frames.delta_since(epoch, seq, now);
        assert!(since(epoch, 0).is_none(), "before the first frame");
        assert!(since(epoch, 3).is_none(), "from the future");
        assert!(since("another", 1).is_none());
        for seq in [1, 2] {
            let delta = since(epoch, seq).unwrap();
            assert_eq!((delta.from, delta.to, delta.changes.len()), (seq, 2, 0));
        }
    }

    #[test]
    fn so_many_departed_users_are_remembered() {
        let mut log = Log::new(1);
        log.name(1, 1, false);
        log.name(2, 2, false);
        log.act(1, 1);
        let mut frames = Frames::new(View::Top, Epoch(7), log.board());
        let mut seqs = vec![log.board().seq()];
        // With each frame one of them leaves.
        for n in [2, 1].into_iter().cycle().take(1030) {
            log.act(n, 2);
            assert!(frames.advance(log.board()).is_some());
            seqs.push(log.board().seq());
        }
        assert_eq!(frames.departed.len(), 1024);
        let now = BoardVersion::of(Epoch(7), log.board());
        let is_known = |seq| frames.delta_since(&frames.data().epoch, seq, now).is_some();
        let known: Vec<_> = seqs[..9].iter().map(|seq| is_known(*seq)).collect();
        let expected = [false, false, false, false, false, false, true, true, true];
        assert_eq!(known, expected);
    }

    #[test]
    fn a_name_is_sent_when_it_is_new() {
        let mut log = Log::new(3);
        log.name(1, 1, true);
        log.name(2, 2, false);
        let mut frames = Frames::new(View::Top, Epoch(7), log.board());
        log.act(2, 5);
        let diff = frames.advance(log.board()).unwrap();
        let is_unnamed = |it: &RowChange| matches!(it, RowChange::Updated { profile: None, .. });
        assert!(diff.delta.changes.iter().all(is_unnamed));
        log.name(1, 9, false);
        let diff = frames.advance(log.board()).unwrap();
        let [change] = &diff.delta.changes[..] else {
            panic!("{:?}", diff.delta);
        };
        let RowChange::Updated { profile, .. } = change else {
            panic!("a row");
        };
        let expected = app::wire::Profile {
            username: "9".into(),
            avatar: Some(None),
        };
        assert_eq!(profile, &Some(expected), "the picture was removed");
    }
}
