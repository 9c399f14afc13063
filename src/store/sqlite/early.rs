//! Files of early schemas, in which a board had a log of its own and users stood on it. What a
//! commit left undone, because its ranks are written by the next one, is done before they
//! become people on `main`.

use std::{collections::HashMap, path::Path};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    facts::{self, profile},
    load,
};
use crate::{
    board::{
        Action, BoardHead, BoardId, Fact, LogEntry, Operator, Person, Profile, Score, Scores,
        Seasons, Seq, Settings, State, StoredBoard, StoredStanding, StoredState, Timestamp, UserId,
        ranking::{Direction, Standing},
    },
    board_settings, clock,
    store::{Fold, StoreError},
};

/// How far the log of a board had come.
pub(super) struct End {
    seq: u64,
    changed: Timestamp,
    is_used: bool,
}

/// May the board of a file go on under these settings?
///
/// # Errors
/// If its actions were counted by another rule, or the file has several boards.
pub(super) fn check(
    connection: &Connection,
    path: &Path,
    main: &Settings,
) -> Result<(), StoreError> {
    let unfit = |problem, cure| StoreError::Unfit {
        path: path.display().to_string(),
        problem,
        cure,
    };
    let mut statement = connection.prepare("SELECT name, deciding FROM boards")?;
    let mut rows = statement.query([])?;
    let wanted = rule(main);
    while let Some(row) = rows.next()? {
        let (name, found): (String, String) = (row.get(0)?, row.get(1)?);
        if name != BoardId::default().as_str() {
            let problem = format!("it has a log of its own for the board {name}");
            return Err(unfit(problem, "use a file that podium serve has made"));
        }
        // A very early file does not have it.
        if !found.is_empty() && found != wanted {
            let problem = format!(
                "its actions were counted by the rule {found:?}, and board.operator and \
                 board.direction now say {wanted:?}"
            );
            return Err(unfit(problem, "set them back, or take another store"));
        }
    }
    Ok(())
}

/// The name that early schemas have for the rule by which scores are decided.
fn rule(main: &Settings) -> &'static str {
    match (main.rules.operator, main.rules.order.direction) {
        (Operator::Sum | Operator::Count, _) => "sum",
        (Operator::Best, Direction::HighestFirst) => "best, highest",
        (Operator::Best, Direction::LowestFirst) => "best, lowest",
        (Operator::Latest, _) => "latest",
    }
}

/// Writes the ranks that are missing; says how far the log has come, if there is one.
pub(super) fn finish(connection: &Connection, main: &Settings) -> Result<Option<End>, StoreError> {
    let row = connection.query_row("SELECT id, ranked_through FROM boards", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    let Some((board, ranked_through)) = row.optional()? else {
        return Ok(None);
    };
    let rest = entries_after(connection, board, ranked_through)?;
    let mut state = as_of(connection, board, ranked_through, main, &rest)?;
    for (entry, _) in &rest {
        write_ranks(connection, board, entry, &mut state)?;
    }
    let (seq, is_used): (u64, bool) = connection.query_row(
        "SELECT ifnull(max(seq), 0),
                EXISTS (SELECT 1 FROM log WHERE board = ?1 AND kind = 'action')
         FROM log WHERE board = ?1",
        [board],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let seq = seq.max(ranked_through);
    let changed: Option<u64> = connection
        .query_row(
            "SELECT at FROM log WHERE board = ?1 AND seq = ?2",
            params![board, seq],
            |row| row.get(0),
        )
        .optional()?;
    connection.execute(
        "UPDATE boards SET ranked_through = ?2 WHERE id = ?1",
        params![board, seq],
    )?;
    Ok(Some(End {
        seq,
        changed: Timestamp(changed.unwrap_or(0)),
        is_used,
    }))
}

/// Writes the row of `main`, and as the next entry what it is. Its number goes on where that
/// of the log had come, which was shown until now.
pub(super) fn put_main(
    connection: &Connection,
    main: &Settings,
    end: End,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO boards (id, settings, seq, changed, is_used) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            BoardId::default().as_str(),
            board_settings::to_text(main),
            end.seq,
            end.changed.0,
            end.is_used
        ],
    )?;
    let next = Seq::new(end.seq + 1).ok_or(StoreError::Damaged("the log is full"))?;
    let entry = load::main_changed(next, clock::now().max(end.changed), main);
    facts::insert(connection, &entry, None)
}

/// The standing that a user had when an entry was written.
type Before = Option<Standing>;

fn entries_after(
    connection: &Connection,
    board: i64,
    seq: u64,
) -> Result<Vec<(LogEntry, Before)>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT seq, at, kind, user, username, avatar, action_type, increase, score,
                score_before, reached_before
         FROM log WHERE board = ?1 AND seq > ?2 ORDER BY seq",
    )?;
    let mut rows = statement.query(params![board, seq])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let before = standing(row, 9)?;
        let user = || Ok::<_, StoreError>(UserId(row.get(3)?));
        let fact = match row.get_ref(2)?.as_str().unwrap_or_default() {
            "user" => Fact::UserChanged {
                user: user()?,
                profile: profile(row, 4)?,
            },
            "action" => Fact::Action(Action {
                board: BoardId::default(),
                user: user()?,
                action_type: row.get::<_, String>(6)?.into(),
                increase: row.get(7)?,
                tiebreak_increase: 0,
                scores: Scores {
                    score: score(row.get(8)?)?,
                    ..Scores::default()
                },
            }),
            "deleted" => Fact::UserDeleted { user: user()? },
            // What is no fact about a board changes no rank.
            _ => continue,
        };
        let seq = Seq::new(row.get(0)?).ok_or(StoreError::Damaged("an entry numbered 0"))?;
        let at = Timestamp(row.get(1)?);
        entries.push((LogEntry { seq, at, fact }, before));
    }
    Ok(entries)
}

/// The board before `rest` was written.
fn as_of(
    connection: &Connection,
    board: i64,
    seq: u64,
    main: &Settings,
    rest: &[(LogEntry, Before)],
) -> Result<State, StoreError> {
    if rest.is_empty() {
        return Ok(State::default());
    }
    // The first entry about a user knows how they stood; `None` is somebody whom
    // that entry registers. A user who was deleted since has no row any more, and
    // would be deleted again at once: a nameless user stands in for them.
    let mut before: HashMap<UserId, Option<Before>> = HashMap::new();
    let mut deleted: Vec<UserId> = Vec::new();
    for (entry, standing) in rest {
        let (user, known) = match &entry.fact {
            Fact::UserChanged { user, .. } => (*user, standing.is_some().then_some(*standing)),
            Fact::Action(action) => (action.user, Some(*standing)),
            Fact::UserDeleted { user } => {
                deleted.push(*user);
                (*user, Some(*standing))
            }
            _ => continue,
        };
        before.entry(user).or_insert(known);
    }
    let mut stored = StoredState {
        seq,
        ..StoredState::default()
    };
    let mut standings = Vec::new();
    let mut add = |id, profile, standing: Before, best| {
        stored.people.push(Person {
            id,
            profile,
            registered: standing.map_or(Seq::FIRST, |it| it.reached),
            membership: None,
            hidden: false,
        });
        standings.extend(standing.map(|standing| StoredStanding {
            user: id,
            standing,
            best,
        }));
    };
    let mut statement = connection.prepare(
        "SELECT id, username, avatar, score, reached, best_rank FROM users WHERE board = ?1",
    )?;
    let mut rows = statement.query([board])?;
    while let Some(row) = rows.next()? {
        let id = UserId(row.get(0)?);
        let standing = match before.remove(&id) {
            Some(None) => continue,
            Some(Some(standing)) => standing,
            None => standing(row, 3)?,
        };
        add(id, profile(row, 1)?, standing, row.get(5)?);
    }
    for id in deleted {
        if let Some(Some(standing)) = before.remove(&id) {
            let profile = Profile {
                username: "".into(),
                avatar: None,
            };
            add(id, profile, standing, None);
        }
    }
    let head = BoardHead {
        id: BoardId::default(),
        settings: main.clone().into(),
        seq,
        changed: Timestamp::default(),
        is_used: true,
        seasons: Seasons::default(),
    };
    stored.boards.push(StoredBoard {
        head,
        as_of: 0,
        standings,
        members: Vec::new(),
    });
    Ok(State::load(stored))
}

fn write_ranks(
    connection: &Connection,
    board: i64,
    entry: &LogEntry,
    state: &mut State,
) -> Result<(), StoreError> {
    let folded = state.fold(std::slice::from_ref(entry));
    let Fact::Action(action) = &entry.fact else {
        return Ok(());
    };
    let [old_rank, rank] = folded.first().map_or([None; 2], |it| it.ranks);
    connection.execute(
        "UPDATE log SET rank = ?3, old_rank = ?4 WHERE board = ?1 AND seq = ?2",
        params![board, entry.seq.get(), rank, old_rank],
    )?;
    connection.execute(
        "UPDATE users SET best_rank = min(?3, ifnull(best_rank, ?3)) WHERE board = ?1 AND id = ?2",
        params![board, action.user.0, rank],
    )?;
    Ok(())
}

/// A score and when it was reached, from this column on.
fn standing(row: &Row<'_>, column: usize) -> Result<Before, StoreError> {
    let (points, reached): (Option<i64>, Option<u64>) = (row.get(column)?, row.get(column + 1)?);
    let (Some(points), Some(reached)) = (points, reached) else {
        return Ok(None);
    };
    let scores = Scores {
        score: score(points)?,
        ..Scores::default()
    };
    let reached = Seq::new(reached).ok_or(StoreError::Damaged("a standing out of range"))?;
    Ok(Some(Standing::of(scores, reached)))
}

fn score(points: i64) -> Result<Score, StoreError> {
    Score::new(points).ok_or(StoreError::Damaged("a score out of range"))
}
