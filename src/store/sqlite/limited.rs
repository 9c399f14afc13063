//! When actions with limits were counted: the table `limited_actions`, in the
//! transaction that writes the log.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::{
    board::{Seq, Timestamp},
    store::{Action, ActionLimits, LimitReached, StoreError, Window},
};

/// Rows that are deleted for each that is written: more than one, so that
/// the table shrinks, and few, so that nobody waits for those of a whole day.
const FORGET: u32 = 4;

/// The limit that keeps this action from counting now; of two, the one that does
/// so for longer.
pub(super) fn reached(
    transaction: &Transaction<'_>,
    now: Timestamp,
    action: &Action,
) -> Result<Option<LimitReached>, StoreError> {
    let mut longest: Option<LimitReached> = None;
    for (window, limit) in limits(action).windows() {
        // With as many newer ones as the limit lets in beside it, this action
        // must leave the window before another counts.
        let oldest = transaction
            .prepare_cached(
                "SELECT at FROM limited_actions
                 WHERE user = ?1 AND action_type = ?2 AND at > ?3 AND at <= ?5
                 ORDER BY at DESC LIMIT 1 OFFSET ?4",
            )?
            .query_row(
                params![
                    action.user.0,
                    action.action_type,
                    window.start(now).0,
                    limit.get() - 1,
                    // What a clock wrote that was ahead is not held against anybody.
                    now.0,
                ],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(oldest) = oldest {
            let reached = LimitReached::until_left_by(Timestamp(oldest), limit, window, now);
            if longest.is_none_or(|longest| longest.retry_after < reached.retry_after) {
                longest = Some(reached);
            }
        }
    }
    Ok(longest)
}

/// Remembers that an action was counted, if its type has limits, and forgets
/// what no window reaches any more.
pub(super) fn note(
    transaction: &Transaction<'_>,
    seq: Seq,
    at: Timestamp,
    action: &Action,
) -> Result<(), StoreError> {
    if limits(action) == ActionLimits::default() {
        return Ok(());
    }
    transaction
        .prepare_cached(
            "INSERT INTO limited_actions (user, action_type, at, seq) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![action.user.0, action.action_type, at.0, seq.get(),])?;
    transaction
        .prepare_cached(
            "DELETE FROM limited_actions WHERE (user, action_type, at, seq) IN (
                 SELECT user, action_type, at, seq FROM limited_actions WHERE at <= ?1 LIMIT ?2)",
        )?
        .execute(params![Window::Day.start(at).0, FORGET])?;
    Ok(())
}

fn limits(action: &Action) -> ActionLimits {
    action.declared.unwrap_or_default()
}
