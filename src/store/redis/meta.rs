//! What Redis stores of a board as a whole.

use redis::{Value, aio::MultiplexedConnection};

use super::{
    fault::Fault,
    record::{array, number, read_epoch, text},
};
use crate::board::Epoch;

/// What Redis stores of a board as a whole.
pub(super) struct Meta {
    pub(super) epoch: Epoch,
    pub(super) seq: u64,
    pub(super) ranked_through: u64,
    /// When the epoch was begun by a command, by Redis's clock; 0 if it was not.
    pub(super) decided: u64,
}

impl Meta {
    /// Reads the fields of these names.
    pub(super) fn read(
        epoch: &Value,
        seq: &Value,
        ranked_through: &Value,
        decided: &Value,
    ) -> Result<Meta, Fault> {
        Ok(Meta {
            epoch: read_epoch(text(epoch)?)?,
            seq: number(text(seq)?)?,
            ranked_through: number(text(ranked_through)?)?,
            decided: match decided {
                Value::Nil => 0,
                decided => number(text(decided)?)?,
            },
        })
    }
}

pub(super) async fn meta(connection: &mut MultiplexedConnection, key: &str) -> Result<Meta, Fault> {
    let fields: Value = redis::cmd("HMGET")
        .arg(&[key, "epoch", "seq", "ranked_through", "decided"])
        .query_async(connection)
        .await?;
    let [epoch, seq, ranked_through, decided] = array(&fields)? else {
        return Err(Fault::Damaged("an answer of another form"));
    };
    if *epoch == Value::Nil {
        return Err(Fault::Changed);
    }
    Meta::read(epoch, seq, ranked_through, decided)
}
