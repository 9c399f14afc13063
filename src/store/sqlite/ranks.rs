//! The ranks of entries, which the fold gives after they are committed.

use rusqlite::{Transaction, params};

use crate::{
    board::{Applied, Seq},
    store::StoreError,
};

/// Writes the ranks that the fold gave to committed entries.
pub(super) fn write_ranks(
    transaction: &Transaction<'_>,
    board: i64,
    ranks: &[(Seq, Applied)],
) -> Result<(), StoreError> {
    let Some((last, _)) = ranks.last() else {
        return Ok(());
    };
    let mut statement = transaction
        .prepare_cached("UPDATE log SET rank = ?3, old_rank = ?4 WHERE board = ?1 AND seq = ?2")?;
    let mut best = transaction
        .prepare_cached("UPDATE users SET best_rank = ?3 WHERE board = ?1 AND id = ?2")?;
    for (seq, applied) in ranks {
        statement.execute(params![board, seq.get(), applied.rank, applied.old_rank])?;
        // A user who was deleted and registered again has had no rank yet.
        if applied.best != applied.old_best {
            best.execute(params![board, applied.user.0, applied.best])?;
        }
    }
    transaction
        .prepare_cached("UPDATE boards SET ranked_through = ?2 WHERE id = ?1")?
        .execute(params![board, last.get()])?;
    Ok(())
}
