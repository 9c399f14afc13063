//! Applies a delta to a board. Pure.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "only the browser receives deltas")
)]

use std::mem;

use crate::{
    index::Index,
    wire::{LeaderboardData, RowChange, ScoreRow, ScoreboardDelta},
};

/// The result of applying a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// The board is newer now.
    Newer,
    /// The board held all of it already.
    Known,
    /// Changes between the board and the delta are missing and must be requested.
    Gap,
}

/// Applies a delta. It says how rows are now, so it fits every board between its two ends.
pub(crate) fn apply(board: &mut LeaderboardData, delta: ScoreboardDelta) -> Applied {
    if delta.epoch != board.epoch || delta.from > board.seq {
        return Applied::Gap;
    }
    if delta.to <= board.seq {
        return Applied::Known;
    }
    let index = Index::of(board.top_scores.iter().map(|row| &row.user_id));
    let mut rows: Vec<Option<ScoreRow>> = mem::take(&mut board.top_scores)
        .into_iter()
        .map(Some)
        .collect();
    let mut moved = Vec::with_capacity(delta.changes.len());
    for change in delta.changes {
        let old = index.get(change.user_id()).and_then(|at| rows[at].take());
        moved.extend(updated(change, old));
    }
    board.top_scores = in_order(moved, rows.into_iter().flatten().collect());
    board.total_users = delta.total_users;
    board.last_updated = delta.last_updated;
    board.seq = delta.to;
    Applied::Newer
}

/// The rows in order: each of the moved ones at its index, and all others between them, in
/// the order that they had.
fn in_order(moved: Vec<(usize, ScoreRow)>, mut others: Vec<ScoreRow>) -> Vec<ScoreRow> {
    let mut slots = Vec::new();
    slots.resize_with(moved.len() + others.len(), || None);
    for (index, row) in moved {
        match slots.get_mut(index) {
            Some(slot @ None) => *slot = Some(row),
            // Our servers do not send this. No row is lost by it.
            _ => others.push(row),
        }
    }
    let mut others = others.into_iter();
    let row = |slot: Option<ScoreRow>| slot.or_else(|| others.next());
    slots.into_iter().filter_map(row).collect()
}

/// The row and its index, unless it is removed.
fn updated(change: RowChange, old: Option<ScoreRow>) -> Option<(usize, ScoreRow)> {
    let RowChange::Updated {
        user_id,
        index,
        score,
        rank,
        tiebreak,
        profile,
    } = change
    else {
        return None;
    };
    let (username, avatar) = match profile {
        Some(profile) => (profile.username, profile.avatar.flatten()),
        None => old.map(|old| (old.username, old.avatar))?,
    };
    let row = ScoreRow {
        user_id,
        username,
        score,
        rank,
        avatar,
        tiebreak,
    };
    Some((index, row))
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use proptest::{collection, prelude::*};

    use super::*;
    use crate::wire::Profile;

    fn row(user: &str, score: i64, rank: u64) -> ScoreRow {
        ScoreRow {
            user_id: user.into(),
            username: user.to_uppercase(),
            score,
            rank,
            avatar: Some("/a.png".into()),
            tiebreak: None,
        }
    }

    fn board() -> LeaderboardData {
        LeaderboardData {
            top_scores: vec![row("a", 9, 1), row("b", 5, 2), row("c", 4, 3)],
            total_users: 3,
            epoch: "e".into(),
            seq: 10,
            ..LeaderboardData::default()
        }
    }

    fn delta(from: u64, to: u64, changes: Vec<RowChange>) -> ScoreboardDelta {
        ScoreboardDelta {
            epoch: "e".into(),
            from,
            to,
            changes,
            total_users: 4,
            ..ScoreboardDelta::default()
        }
    }

    fn change(user: &str, index: usize, score: i64) -> RowChange {
        named(user, index, score, None)
    }

    fn named(user: &str, index: usize, score: i64, profile: Option<Profile>) -> RowChange {
        RowChange::Updated {
            user_id: user.into(),
            index,
            score,
            rank: index as u64 + 1,
            tiebreak: None,
            profile,
        }
    }

    fn profile(name: &str, avatar: Option<Option<String>>) -> Option<Profile> {
        let username = name.into();
        Some(Profile { username, avatar })
    }

    #[test]
    fn rows_move_come_and_go() {
        let mut it = board();
        let changes = vec![
            change("c", 0, 12),
            change("a", 1, 9),
            named("d", 2, 6, profile("New", None)),
            RowChange::Removed {
                user_id: "b".into(),
            },
        ];
        assert_eq!(apply(&mut it, delta(10, 12, changes)), Applied::Newer);
        let rows: Vec<_> = it
            .top_scores
            .iter()
            .map(|row| (row.username.as_str(), row.score, row.avatar.is_some()))
            .collect();
        assert_eq!(rows, [("C", 12, true), ("A", 9, true), ("New", 6, false)]);
        assert_eq!((it.seq, it.total_users), (12, 4));
    }

    #[test]
    fn a_profile_without_a_picture_removes_it() {
        let mut it = board();
        let change = named("a", 0, 9, profile("A", Some(None)));
        apply(&mut it, delta(10, 11, vec![change]));
        assert_eq!(it.top_scores[0].avatar, None);
    }

    #[test]
    fn a_delta_is_applied_only_where_it_fits() {
        let change = || vec![change("a", 0, 99)];
        for (from, to, expected) in [
            (9, 10, Applied::Known),
            (10, 10, Applied::Known),
            (11, 12, Applied::Gap),
            (4, 11, Applied::Newer),
        ] {
            let mut it = board();
            assert_eq!(apply(&mut it, delta(from, to, change())), expected);
            let score = it.top_scores[0].score;
            assert_eq!(score, if expected == Applied::Newer { 99 } else { 9 });
        }
        let mut it = board();
        let other = ScoreboardDelta {
            epoch: "f".into(),
            ..delta(0, 99, change())
        };
        assert_eq!(apply(&mut it, other), Applied::Gap);
    }

    /// The same, by comparing each row with each change.
    fn naive(rows: &[ScoreRow], changes: &[RowChange]) -> Vec<ScoreRow> {
        let is_same = |row: &ScoreRow| changes.iter().all(|it| it.user_id() != row.user_id);
        let mut others: Vec<ScoreRow> = rows.iter().filter(|row| is_same(row)).cloned().collect();
        let mut moved: Vec<(usize, ScoreRow)> = changes
            .iter()
            .filter_map(|change| {
                let old = rows.iter().find(|row| row.user_id == change.user_id());
                updated(change.clone(), old.cloned())
            })
            .collect();
        moved.sort_by_key(|(index, _)| *index);
        for (index, row) in moved {
            others.insert(index, row);
        }
        others
    }

    /// The changes that a server sends that knows both boards.
    fn changes(before: &[ScoreRow], after: &[ScoreRow]) -> Vec<RowChange> {
        let position =
            |rows: &[ScoreRow], user: &str| rows.iter().position(|it| it.user_id == user);
        let removed = before
            .iter()
            .filter(|row| position(after, &row.user_id).is_none());
        let removed = removed.map(|row| RowChange::Removed {
            user_id: row.user_id.clone(),
        });
        let now = after.iter().enumerate().filter_map(|(index, row)| {
            let old = position(before, &row.user_id);
            let is_new = old.is_none();
            (old != Some(index) || before[index] != *row).then(|| RowChange::Updated {
                user_id: row.user_id.clone(),
                index,
                score: row.score,
                rank: row.rank,
                tiebreak: row.tiebreak,
                profile: is_new.then(|| Profile {
                    username: row.username.clone(),
                    avatar: Some(row.avatar.clone()),
                }),
            })
        });
        now.chain(removed).collect()
    }

    /// Some of 40 users in some order.
    fn rows() -> impl Strategy<Value = Vec<ScoreRow>> {
        let users: Vec<u8> = (0..40).collect();
        let shuffled = Just(users).prop_shuffle();
        let scored = (shuffled, collection::vec(-3..3i64, 40), 0..40usize);
        scored.prop_map(|(users, scores, length)| {
            let ranked = users.iter().zip(scores).zip(1..).take(length);
            ranked
                .map(|((user, score), rank)| row(&format!("u{user}"), score, rank))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn a_delta_leads_from_any_board_to_any_other(before in rows(), after in rows(), turn in any::<prop::sample::Index>()) {
            let mut changes = changes(&before, &after);
            if !changes.is_empty() {
                let middle = turn.index(changes.len());
                changes.rotate_left(middle);
            }
            prop_assert_eq!(&naive(&before, &changes), &after);
            let mut it = LeaderboardData { top_scores: before, ..board() };
            prop_assert_eq!(apply(&mut it, delta(10, 11, changes)), Applied::Newer);
            prop_assert_eq!(it.top_scores, after);
        }
    }

    #[test]
    fn every_user_has_one_row_after_any_delta() {
        let mut it = board();
        let changes = vec![
            change("a", 7, 1),
            change("b", 7, 2),
            change("c", usize::MAX / 2, 3),
        ];
        apply(&mut it, delta(10, 11, changes));
        let mut users: Vec<_> = it
            .top_scores
            .iter()
            .map(|row| row.user_id.as_str())
            .collect();
        users.sort_unstable();
        assert_eq!(users, ["a", "b", "c"]);
    }
}
