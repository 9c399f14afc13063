//! Whether all records that were written are there when they are read back.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::records::{Lasting, Record};

/// Digests of records: enough to know whether one is among them.
#[derive(Default)]
pub(super) struct Digests(Vec<u64>);

impl Digests {
    /// Adds what lasts.
    pub(super) fn add(&mut self, record: &Record, lasting: Option<Lasting>) {
        if lasting.is_some_and(|lasting| !lasting.holds(record)) {
            return;
        }
        match record {
            Record::Person(person) => self.push(("person", person)),
            Record::Team(team) => self.push(("team", team)),
            Record::Board(head) => self.push(("board", head)),
            Record::Standing(board, standing) => self.push(("standing", board, standing)),
            Record::TeamMember(board, member) => self.push(("member", board, member)),
            Record::Final(board, standings) => self.push(("final", board, standings)),
            Record::Deleted(board, first) => self.push(("deleted", board, first)),
            // The id is a record of its own.
            Record::Entry(entry, _) => self.push(("entry", entry)),
            Record::History(board, user, points) => {
                for (_, past) in points {
                    self.push(("point", board, user, past));
                }
            }
            // The moment follows from when a store forgets it, nearly.
            Record::Counted(counted) => self.push((
                (
                    "counted",
                    &counted.id,
                    counted.seq,
                    &counted.board,
                    counted.user,
                ),
                (&counted.action_type, counted.increase, counted.scores),
                (
                    counted.rank,
                    counted.old_rank,
                    counted.board_seq,
                    counted.tiebreak_increase,
                ),
            )),
            Record::Announced(seq, announcement) => self.push(("announced", seq, announcement)),
            Record::Revoked(user, until) => self.push(("revoked", user, until)),
            Record::Limited(limited) => self.push(("limited", limited)),
        }
    }

    fn push(&mut self, record: impl Hash) {
        let mut hasher = DefaultHasher::new();
        record.hash(&mut hasher);
        self.0.push(hasher.finish());
    }

    /// How many of these are not among the others.
    pub(super) fn missing_in(mut self, others: Digests) -> usize {
        let mut others = others.0;
        others.sort_unstable();
        self.0.sort_unstable();
        self.0.dedup();
        let missing = self.0.iter();
        missing
            .filter(|digest| others.binary_search(digest).is_err())
            .count()
    }
}
