//! What changed on the visible board, user by user: the events `scoreboard_update` and
//! `batch_update`, which are the difference between two frames of `leaderboard_refresh`.

use std::collections::HashMap;

use app::wire::{ChangeKind, LeaderboardData, ScoreRow, ScoreboardUpdate};

/// Changes in one batch.
pub(super) const BATCH: usize = 10;
/// Batches in one tick; with ten ticks a second, no room gets more than 20 a
/// second.
const BATCHES_PER_TICK: usize = 2;

/// Changes that are still to be sent, at most one for each user on the board.
#[derive(Default)]
pub(super) struct Updates {
    pending: Vec<ScoreboardUpdate>,
}

impl Updates {
    /// Adds what differs between two frames. It is merged with what was not sent yet of the
    /// same user.
    pub(super) fn add(&mut self, old: &LeaderboardData, new: &LeaderboardData) {
        let pending = std::mem::take(&mut self.pending);
        let earlier: HashMap<&str, &ScoreboardUpdate> = pending
            .iter()
            .map(|change| (change.user_id.as_str(), change))
            .collect();
        let rows = old.top_scores.iter();
        let old_rows: HashMap<&str, &ScoreRow> =
            rows.map(|row| (row.user_id.as_str(), row)).collect();
        let leader = |board: &LeaderboardData| {
            let first = board.top_scores.first();
            first.map(|row| row.user_id.clone())
        };
        let led = leader(old).is_some() && leader(old) != leader(new);
        for (index, row) in new.top_scores.iter().enumerate() {
            let before = old_rows.get(row.user_id.as_str()).copied();
            let earlier = earlier.get(row.user_id.as_str());
            let kind =
                change(before, row, led && index == 0).max(earlier.map(|earlier| earlier.kind));
            let Some(kind) = kind else {
                continue;
            };
            let rank_before = before.map(|before| before.rank);
            self.pending.push(ScoreboardUpdate {
                kind,
                user_id: row.user_id.clone(),
                new_score: row.score,
                new_tiebreak: row.tiebreak,
                new_rank: Some(row.rank),
                old_rank: earlier.map_or(rank_before, |earlier| earlier.old_rank),
                timestamp: new.last_updated.clone(),
                epoch: new.epoch.clone(),
                seq: new.seq,
                board: new.board.clone(),
            });
        }
        // What has waited goes first, or the last rows would wait for ever.
        self.pending
            .sort_by_key(|change| !earlier.contains_key(change.user_id.as_str()));
    }

    /// Takes what may be sent in this tick, in batches. It is as of `seq`, which was
    /// accepted at `at`: until then nothing else has changed for these users.
    pub(super) fn take(&mut self, seq: u64, at: &str) -> Vec<Vec<ScoreboardUpdate>> {
        let now = self.pending.len().min(BATCH * BATCHES_PER_TICK);
        let now: Vec<_> = self
            .pending
            .drain(..now)
            .map(|update| ScoreboardUpdate {
                timestamp: at.to_owned(),
                seq,
                ..update
            })
            .collect();
        now.chunks(BATCH).map(<[_]>::to_vec).collect()
    }

    /// Is nothing left for a later tick?
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

fn change(before: Option<&ScoreRow>, row: &ScoreRow, new_leader: bool) -> Option<ChangeKind> {
    match before {
        _ if new_leader => Some(ChangeKind::NewLeader),
        Some(before) if (before.score, before.tiebreak) != (row.score, row.tiebreak) => {
            Some(ChangeKind::ScoreUpdate)
        }
        Some(before) if before.rank != row.rank => Some(ChangeKind::RankChange),
        Some(_) => None,
        // The user entered by points, or because another user fell.
        None => Some(ChangeKind::ScoreUpdate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(seq: u64, rows: &[(&str, i64)]) -> LeaderboardData {
        let rows = rows.iter().zip(1..).map(|(&(user, score), rank)| ScoreRow {
            user_id: user.into(),
            username: user.into(),
            score,
            rank,
            avatar: None,
            tiebreak: None,
        });
        LeaderboardData {
            top_scores: rows.collect(),
            seq,
            ..LeaderboardData::default()
        }
    }

    /// `user kind oldRank newRank newScore` of each change, batch by batch.
    fn sent(updates: &mut Updates) -> Vec<Vec<String>> {
        let text = |update: &ScoreboardUpdate| {
            let old = update.old_rank.map_or("-".into(), |rank| rank.to_string());
            let new = update.new_rank.map_or("-".into(), |rank| rank.to_string());
            let (user, kind, score) = (&update.user_id, update.kind, update.new_score);
            format!("{user} {kind:?} {old} {new} {score}")
        };
        let batches = updates.take(9, "");
        batches
            .iter()
            .map(|batch| batch.iter().map(text).collect())
            .collect()
    }

    #[test]
    fn each_kind_of_change_has_its_name() {
        let mut updates = Updates::default();
        let old = board(1, &[("a", 9), ("b", 5), ("c", 4), ("d", 3)]);
        updates.add(&old, &board(2, &[("c", 10), ("a", 9), ("b", 6), ("e", 4)]));
        assert_eq!(
            sent(&mut updates),
            [[
                "c NewLeader 3 1 10",
                "a RankChange 1 2 9",
                "b ScoreUpdate 2 3 6",
                "e ScoreUpdate - 4 4"
            ]]
        );
        assert!(updates.is_empty());
    }

    #[test]
    fn the_first_leader_is_no_new_leader() {
        let mut updates = Updates::default();
        updates.add(&board(0, &[]), &board(1, &[("a", 0)]));
        assert_eq!(sent(&mut updates), [["a ScoreUpdate - 1 0"]]);
    }

    #[test]
    fn changes_beyond_a_tick_wait_and_merge() {
        let mut updates = Updates::default();
        let names: Vec<String> = (0..45).map(|n| format!("u{n}")).collect();
        let rows = |add: i64| -> Vec<(&str, i64)> {
            let scores = (0..).map(|n: i64| 1000 - n + add);
            names.iter().map(String::as_str).zip(scores).collect()
        };
        updates.add(&board(1, &rows(0)), &board(2, &rows(1)));
        let sizes: Vec<usize> = sent(&mut updates).iter().map(Vec::len).collect();
        assert_eq!(sizes, [10, 10]);
        assert!(!updates.is_empty());
        // Another round: everybody again, and nobody twice.
        updates.add(&board(2, &rows(1)), &board(3, &rows(2)));
        let mut all = Vec::new();
        while !updates.is_empty() {
            all.extend(sent(&mut updates).into_iter().flatten());
        }
        assert_eq!(all.len(), 45);
        assert_eq!(
            all[0], "u20 ScoreUpdate 21 21 982",
            "what has waited is first"
        );
        assert_eq!(all[44], "u19 ScoreUpdate 20 20 983");
    }

    #[test]
    fn nothing_is_sent_of_users_who_have_left_the_board() {
        let mut updates = Updates::default();
        updates.add(
            &board(1, &[("a", 2), ("b", 1)]),
            &board(2, &[("b", 3), ("a", 2)]),
        );
        updates.add(&board(2, &[("b", 3), ("a", 2)]), &board(3, &[("b", 3)]));
        assert_eq!(sent(&mut updates), [["b NewLeader 2 1 3"]]);
    }
}
