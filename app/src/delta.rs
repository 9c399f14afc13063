//! What a delta does to a board. Pure.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "deltas come in the browser alone")
)]

use crate::wire::{LeaderboardData, RowChange, ScoreRow, ScoreboardDelta};

/// What became of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// The board is newer now.
    Newer,
    /// The board knew all of it.
    Known,
    /// Something between the board and the delta is missing: it is to be asked
    /// for, from where the board is.
    Gap,
}

/// Brings a board forward. A delta says how rows are now, so it fits every board
/// between its two ends.
pub(crate) fn apply(board: &mut LeaderboardData, delta: ScoreboardDelta) -> Applied {
    if delta.epoch != board.epoch || delta.from > board.seq {
        return Applied::Gap;
    }
    if delta.to <= board.seq {
        return Applied::Known;
    }
    let mut rows: Vec<(usize, ScoreRow)> = Vec::with_capacity(board.top_scores.len());
    let mut moved = Vec::new();
    let mut changes = delta.changes;
    for (index, row) in board.top_scores.drain(..).enumerate() {
        match changes.iter().position(|it| it.user_id == row.user_id) {
            Some(at) => moved.extend(changed(changes.swap_remove(at), Some(row))),
            None => rows.push((index, row)),
        }
    }
    moved.extend(changes.into_iter().filter_map(|it| changed(it, None)));
    for (index, row) in moved {
        let at = rows.partition_point(|(other, _)| *other <= index);
        rows.insert(at, (index, row));
    }
    board.top_scores = rows.into_iter().map(|(_, row)| row).collect();
    board.total_users = delta.total_users;
    board.last_updated = delta.last_updated;
    board.seq = delta.to;
    Applied::Newer
}

/// The row, if it is still there.
fn changed(change: RowChange, old: Option<ScoreRow>) -> Option<(usize, ScoreRow)> {
    if change.gone {
        return None;
    }
    let (username, avatar) = match (change.username, old) {
        (Some(username), _) => (username, change.avatar.flatten()),
        (None, Some(old)) => (old.username, old.avatar),
        (None, None) => return None,
    };
    let row = ScoreRow {
        user_id: change.user_id,
        username,
        score: change.score?,
        rank: change.rank?,
        avatar,
    };
    Some((change.index?, row))
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn row(user: &str, score: i64, rank: u64) -> ScoreRow {
        ScoreRow {
            user_id: user.into(),
            username: user.to_uppercase(),
            score,
            rank,
            avatar: Some("/a.png".into()),
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
        RowChange {
            user_id: user.into(),
            index: Some(index),
            score: Some(score),
            rank: Some(index as u64 + 1),
            ..RowChange::default()
        }
    }

    #[test]
    fn rows_move_come_and_go() {
        let mut it = board();
        let changes = vec![
            change("c", 0, 12),
            change("a", 1, 9),
            RowChange {
                username: Some("New".into()),
                ..change("d", 2, 6)
            },
            RowChange {
                user_id: "b".into(),
                gone: true,
                ..RowChange::default()
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
    fn a_picture_goes_with_the_name_that_has_none() {
        let mut it = board();
        let named = RowChange {
            username: Some("A".into()),
            avatar: Some(None),
            ..change("a", 0, 9)
        };
        apply(&mut it, delta(10, 11, vec![named]));
        assert_eq!(it.top_scores[0].avatar, None);
    }

    #[test]
    fn only_what_fits_is_applied() {
        let change = || vec![change("a", 0, 99)];
        for (from, to, became) in [
            (9, 10, Applied::Known),
            (10, 10, Applied::Known),
            (11, 12, Applied::Gap),
            (4, 11, Applied::Newer),
        ] {
            let mut it = board();
            assert_eq!(apply(&mut it, delta(from, to, change())), became);
            let score = it.top_scores[0].score;
            assert_eq!(score, if became == Applied::Newer { 99 } else { 9 });
        }
        let mut it = board();
        let other = ScoreboardDelta {
            epoch: "f".into(),
            ..delta(0, 99, change())
        };
        assert_eq!(apply(&mut it, other), Applied::Gap);
    }
}
