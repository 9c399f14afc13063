use leptos::prelude::*;

use super::*;
use crate::{
    delta::Applied,
    index::counted::hashes,
    wire::{
        BoardInfo, LeaderboardData, RowChange, ScoreRow, ScoreboardDelta, Severity,
        SystemNotification, UserScoreUpdate,
    },
};

fn board(epoch: &str, seq: u64, rows: &[(&str, i64)]) -> LeaderboardData {
    let rows = rows.iter().zip(1..).map(|(&(user, score), rank)| ScoreRow {
        user_id: user.into(),
        username: user.to_uppercase(),
        score,
        rank,
        avatar: None,
        tiebreak: None,
    });
    LeaderboardData {
        top_scores: rows.collect(),
        total_users: 7,
        last_updated: "2026-11-23T12:00:00.000Z".into(),
        epoch: epoch.into(),
        seq,
        page: None,
        board: None,
    }
}

fn with_state(check: impl FnOnce(PageState)) {
    let owner = Owner::new();
    owner.with(|| {
        check(PageState::new(PageSnapshot {
            info: BoardInfo {
                title: "Board".into(),
                ..BoardInfo::default()
            },
            board: board("e", 10, &[("a", 5), ("b", 3)]),
            you: Some(UserScore {
                user_id: "b".into(),
                username: "B".into(),
                score: Some(3),
                rank: Some(2),
                epoch: "e".into(),
                seq: 10,
                ..UserScore::default()
            }),
            ..PageSnapshot::default()
        }));
    });
}

fn show(state: PageState, board: LeaderboardData) {
    if state.board.replace(board) {
        state.refresh();
    }
}

#[test]
fn another_epoch_does_not_make_a_new_leader() {
    with_state(|state| {
        show(state, board("f", 3, &[("b", 9), ("a", 5)]));
        assert_eq!(shown(state)[0], ("b".into(), 9, 1));
        assert_eq!(state.board.new_leader.get_untracked(), "");
        show(state, board("g", 3, &[("a", 9), ("b", 5)]));
        assert_eq!(state.you.lost_rank(), None);
        show(state, board("g", 4, &[("b", 10), ("a", 9)]));
        assert_eq!(state.board.new_leader.get_untracked(), "b");
        show(state, board("g", 5, &[("a", 11), ("b", 10)]));
        assert_eq!(state.you.lost_rank(), Some(1));
    });
}

fn shown(state: PageState) -> Vec<(String, i64, u64)> {
    let rows = state.board.shown().rows.get_untracked();
    let row = |row: &RowState| {
        let id = row.user_id.clone();
        (id, row.score.get_untracked(), row.rank.get_untracked())
    };
    rows.iter().map(row).collect()
}

fn update(seq: u64, score: i64, rank: u64) -> UserScoreUpdate {
    UserScoreUpdate {
        user_id: "b".into(),
        score: Some(score),
        rank: Some(rank),
        action_type: "goal".into(),
        score_increase: 1,
        timestamp: String::new(),
        merged: 1,
        epoch: "e".into(),
        seq,
        ..UserScoreUpdate::default()
    }
}

#[test]
fn a_newer_board_is_shown_and_rows_keep_their_signals() {
    with_state(|state| {
        let a = state.board.shown().rows.get_untracked()[0].clone();
        show(state, board("e", 11, &[("b", 6), ("a", 5), ("c", 1)]));
        let expected = [("b".into(), 6, 1), ("a".into(), 5, 2), ("c".into(), 1, 3)];
        assert_eq!(shown(state), expected);
        assert_eq!(
            (a.rank.get_untracked(), a.first_rank.get_untracked()),
            (2, 1)
        );
        assert_eq!(you(state), Some((Some(6), Some(1))));
    });
}

#[test]
fn an_older_board_is_not_shown() {
    with_state(|state| {
        show(state, board("e", 9, &[("b", 6)]));
        assert_eq!(shown(state), [("a".into(), 5, 1), ("b".into(), 3, 2)]);
    });
}

#[test]
fn another_epoch_replaces_everything() {
    with_state(|state| {
        show(state, board("f", 1, &[("c", 1)]));
        assert_eq!(shown(state), [("c".into(), 1, 1)]);
        show(state, board("f", 2, &[]));
        assert_eq!(shown(state), []);
    });
}

#[test]
fn a_sign_in_that_has_ended_is_not_shown() {
    with_state(|state| {
        let mut you = state.you.shown().get_untracked();
        if let Some(you) = &mut you {
            (you.seq, you.rank) = (9, Some(7));
        }
        state.sign_in(you);
        let rank = state.you.shown().get_untracked().and_then(|you| you.rank);
        assert_eq!(rank, Some(2), "an older score is not shown");
        state.sign_in(None);
        assert_eq!(state.you.shown().get_untracked(), None);
    });
}

#[test]
fn a_score_never_goes_back_to_an_older_one() {
    with_state(|state| {
        state.you.update(update(12, 9, 1));
        state.you.update(update(11, 4, 2));
        show(state, board("e", 11, &[("a", 5), ("b", 4)]));
        assert_eq!(you(state), Some((Some(9), Some(1))));
    });
}

/// A response with the rows around b.
fn around(epoch: &str, seq: u64, scores: &[(&str, i64)]) -> LeaderboardData {
    board(epoch, seq, scores)
}

fn around_of(state: PageState) -> Vec<(String, i64)> {
    let rows = state.you.around.get_untracked();
    rows.into_iter()
        .map(|row| (row.user_id, row.score))
        .collect()
}

fn you(state: PageState) -> Option<(Option<i64>, Option<u64>)> {
    let you = state.you.shown().get_untracked();
    you.map(|you| (you.score, you.rank))
}

#[test]
fn a_slow_response_never_replaces_newer_rows() {
    with_state(|state| {
        let newer = around("e", 20, &[("a", 9), ("b", 4), ("c", 3)]);
        assert!(state.you.receive_around("b", &newer));
        assert_eq!(
            you(state),
            Some((Some(4), Some(2))),
            "it is newer about b too"
        );
        // The rank of b is the same in it.
        let slow = around("e", 15, &[("z", 6), ("b", 3), ("c", 2)]);
        assert!(!state.you.receive_around("b", &slow));
        let expected = [("a".into(), 9), ("b".into(), 4), ("c".into(), 3)];
        assert_eq!(around_of(state), expected);
        assert_eq!(you(state), Some((Some(4), Some(2))));
        // Nor does a board that was delayed.
        show(
            state,
            LeaderboardData {
                total_users: 2,
                ..board("e", 16, &[("a", 5), ("b", 3)])
            },
        );
        assert_eq!(around_of(state), expected);
        assert_eq!(you(state), Some((Some(4), Some(2))));
    });
}

#[test]
fn a_slow_response_never_undoes_an_event() {
    with_state(|state| {
        state.you.update(update(30, 9, 2));
        let slow = around("e", 25, &[("a", 12), ("b", 3)]);
        assert!(
            !state.you.receive_around("b", &slow),
            "the score of b was another"
        );
        assert_eq!(around_of(state), []);
        let unchanged = around("e", 28, &[("a", 12), ("b", 9)]);
        assert!(state.you.receive_around("b", &unchanged));
        assert_eq!(you(state), Some((Some(9), Some(2))));
    });
}

#[test]
fn a_response_of_another_epoch_is_not_shown() {
    with_state(|state| {
        show(state, board("f", 3, &[("a", 5), ("c", 2)]));
        for epoch in ["e", "g"] {
            let late = around(epoch, 99, &[("a", 5), ("b", 3)]);
            assert!(!state.you.receive_around("b", &late), "{epoch}");
        }
        let mut late = state.you.shown().get_untracked();
        if let Some(late) = &mut late {
            (late.seq, late.score, late.epoch) = (99, Some(77), "g".into());
        }
        state.sign_in(late);
        assert_eq!(you(state), Some((Some(3), Some(2))));
    });
}

#[test]
fn rows_of_an_epoch_that_has_ended_are_not_shown() {
    with_state(|state| {
        assert!(
            state
                .you
                .receive_around("b", &around("e", 20, &[("a", 9), ("b", 4)]))
        );
        show(state, board("f", 1, &[("c", 1)]));
        assert_eq!(around_of(state), []);
    });
}

fn user(id: &str, epoch: &str, seq: u64) -> UserScore {
    UserScore {
        user_id: id.into(),
        username: id.to_uppercase(),
        score: Some(1),
        rank: Some(5),
        epoch: epoch.into(),
        seq,
        ..UserScore::default()
    }
}

fn banner(message: &str) -> SystemNotification {
    SystemNotification {
        id: message.into(),
        kind: crate::wire::NotificationKind::Achievement,
        message: message.into(),
        severity: Severity::Info,
        timestamp: String::new(),
        duration: None,
        replaces: None,
    }
}

#[test]
fn nothing_remains_of_the_user_who_was_signed_in_before() {
    for next in [Some(user("d", "e", 11)), None] {
        with_state(|state| {
            assert!(
                state
                    .you
                    .receive_around("b", &around("e", 20, &[("a", 9), ("b", 4), ("d", 1)]))
            );
            state.you.update(update(21, 3, 3));
            assert!(
                state
                    .you
                    .receive_around("b", &around("e", 22, &[("a", 9), ("d", 4), ("b", 3)]))
            );
            state.you.passed.set("d passed you".into());
            state.notifications.add(banner("b has done it"));

            state.sign_in(next.clone());
            assert_eq!(state.you.id(), next.as_ref().map(|you| you.user_id.clone()));
            assert_eq!(around_of(state), []);
            assert_eq!(state.you.passed.get_untracked(), "");
            assert_eq!(
                state.notifications.banners.get_untracked().history().len(),
                0
            );
            state.summary.update();
            assert!(!state.summary.text.get_untracked().contains("b has done it"));

            // Late responses about b change nothing, also where they have d.
            let late = around("e", 23, &[("a", 9), ("d", 5), ("b", 3)]);
            assert!(!state.you.receive_around("b", &late));
            state.you.update(update(24, 8, 1));
            assert_eq!(you(state), next.map(|you| (you.score, you.rank)));
        });
    }
}

#[test]
fn a_user_who_signs_in_again_is_shown_as_any_other() {
    with_state(|state| {
        state.sign_in(None);
        state.sign_in(Some(user("b", "e", 3)));
        // The board is newer about b.
        assert_eq!(you(state), Some((Some(3), Some(2))));
        // Of another epoch nothing is known but the name.
        state.sign_in(Some(user("d", "g", 99)));
        assert_eq!(you(state), Some((None, None)));
        let first = UserScoreUpdate {
            user_id: "d".into(),
            ..update(11, 2, 3)
        };
        state.you.update(first);
        assert_eq!(you(state), Some((Some(2), Some(3))));
    });
}

#[test]
fn the_work_of_a_frame_grows_with_its_rows_and_not_with_their_square() {
    for size in [250, 1_000] {
        let ids: Vec<String> = (0..size)
            .map(|n| format!("0d9f5c3e-8f5a-4f0e-9d57-{n:012}"))
            .collect();
        let ids: Vec<(&str, i64)> = ids.iter().map(|id| (id.as_str(), 1)).collect();
        let turned: Vec<(&str, i64)> = ids.iter().rev().copied().collect();
        let change = |(index, &(user, score)): (usize, &(&str, i64))| RowChange::Updated {
            user_id: user.into(),
            index,
            score,
            rank: index as u64 + 1,
            tiebreak: None,
            profile: None,
        };
        let delta = |seq: u64, rows: &[(&str, i64)]| ScoreboardDelta {
            epoch: "e".into(),
            from: seq - 1,
            to: seq,
            changes: rows.iter().enumerate().map(change).collect(),
            ..ScoreboardDelta::default()
        };
        Owner::new().with(|| {
            let state = PageState::new(PageSnapshot {
                board: board("e", 1, &ids),
                ..PageSnapshot::default()
            });
            let frame = |delta| {
                hashes(|| {
                    assert_eq!(state.board.apply(delta), Applied::Newer);
                    state.refresh();
                })
            };
            // For a delta, and for what is shown, each row is put into an index once
            // and looked up in it once: fewer hashes would mean a search.
            assert_eq!(frame(delta(2, &turned)), 4 * size);
            assert_eq!(shown(state)[0].0, turned[0].0);
            // A paused page counts the rows that wait.
            state.pause.toggle();
            assert_eq!(frame(delta(3, &ids)), 4 * size);
        });
    }
}
