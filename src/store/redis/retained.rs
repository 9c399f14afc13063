//! How much of a board that is written to Redis a node would have retained.

use super::servers::Retention;
use crate::{
    board::{Fact, Timestamp},
    store::records::{PastAction, Record},
};

/// What a node would have retained of a record of a board with this last entry.
pub(super) fn retained(
    record: Record,
    retention: &Retention,
    last: u64,
    now: Timestamp,
) -> Option<Record> {
    let actions = retention.actions.as_millis() as u64;
    let is_retained = match &record {
        Record::Entry(entry, id) => {
            let is_late = entry.seq.get() + retention.entries.get() > last;
            // An action without one is known from a history alone.
            is_late && (id.is_some() || !matches!(entry.fact, Fact::Action(_)))
        }
        Record::Counted(counted) => counted.at.0.saturating_add(actions) > now.0,
        Record::Announced(_, announcement) => announcement.until > now,
        Record::Limited(limited) => limited.until() > now,
        Record::Person(_)
        | Record::Team(_)
        | Record::Board(_)
        | Record::Standing(..)
        | Record::TeamMember(..)
        | Record::Final(..)
        | Record::Deleted(..)
        | Record::Revoked(..) => true,
        Record::History(..) => {
            let Record::History(board, user, points) = record else {
                return None;
            };
            return Some(Record::History(
                board,
                user,
                thin(points, retention.history.get()),
            ));
        }
    };
    is_retained.then_some(record)
}

/// What is left of a history after it was thinned out as often as `append.lua` would
/// have done.
fn thin(points: Vec<(u64, PastAction)>, longest: u64) -> Vec<(u64, PastAction)> {
    let mut thinned = Vec::new();
    for point in points {
        thinned.push(point);
        if thinned.len() as u64 > longest {
            let length = thinned.len();
            let mut number = 0;
            thinned.retain(|_| {
                number += 1;
                2 * number > length || number % 2 == 1
            });
        }
    }
    thinned
}
