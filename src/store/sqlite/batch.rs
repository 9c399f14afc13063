//! A transaction that is being filled with what becomes of commands.

use rusqlite::Transaction;

use super::{announcements, facts, limited, schema};
use crate::{
    board::{Announcement, Fact, LogEntry, Scores, Seq, Timestamp},
    store::{
        Action, Command, Folded, Outcome, Receipt, Refusal, StoreError,
        decide::{Pending, Verdict},
    },
};

/// What was decided about a command before the commit; what follows from it comes after.
pub(super) enum Decision {
    Refused(Refusal),
    /// An entry of this transaction: written for this command, or for the same
    /// one earlier in it.
    Pending {
        entry: u64,
        scores: Option<Scores>,
        duplicate: bool,
    },
    /// All is as it was asked for already.
    Unchanged,
    /// Committed earlier, with all that was answered then.
    Known(Receipt),
}

impl Decision {
    /// The outcome, when all entries after `first` were folded; `main` holds `seq` facts.
    pub(super) fn outcome(self, first: u64, folded: &[Folded], seq: u64) -> Outcome {
        match self {
            Decision::Refused(refusal) => Err(refusal),
            Decision::Known(receipt) => Ok(receipt),
            Decision::Unchanged => Ok(Receipt {
                seq,
                scores: None,
                rank: None,
                old_rank: None,
                duplicate: true,
            }),
            Decision::Pending {
                entry,
                scores,
                duplicate,
            } => {
                let folded = &folded[(entry - first - 1) as usize];
                let [old_rank, rank] = folded.ranks;
                Ok(Receipt {
                    seq: folded.seq,
                    scores,
                    rank,
                    old_rank,
                    duplicate,
                })
            }
        }
    }
}

/// A transaction that is being filled.
pub(super) struct Batch<'a> {
    pub(super) transaction: Transaction<'a>,
    /// The last entry before this transaction.
    committed: u64,
    at: Timestamp,
    entries: Vec<LogEntry>,
}

impl<'a> Batch<'a> {
    /// A transaction for entries after `committed`, which are taken at `at`.
    pub(super) fn new(transaction: Transaction<'a>, committed: u64, at: Timestamp) -> Batch<'a> {
        Batch {
            transaction,
            committed,
            at,
            entries: Vec::new(),
        }
    }

    /// Commits, and gives the entries.
    pub(super) fn commit(self) -> Result<Vec<LogEntry>, StoreError> {
        // Each log has the epoch in its first transaction: by that it is known whose it is.
        if !self.entries.is_empty() {
            schema::touch(&self.transaction)?;
        }
        self.transaction.commit()?;
        Ok(self.entries)
    }

    pub(super) fn decide(
        &mut self,
        pending: &mut Pending<'_>,
        command: &Command,
    ) -> Result<Decision, StoreError> {
        let verdict = match command {
            Command::PutUser { user, profile } => pending.put_user(*user, profile),
            Command::GroupUser { user, team, groups } => {
                pending.group_user(*user, *team, groups.as_deref())
            }
            Command::HideUser {
                user,
                hidden,
                reason,
            } => pending.hide_user(*user, *hidden, reason.as_deref()),
            Command::PutTeam { team, profile } => pending.put_team(*team, profile),
            Command::DeleteUser(user) => pending.delete_user(*user),
            Command::Act(action) => return self.act(pending, action),
            Command::RevokeTokens { user, issued_until } => {
                Verdict::Accepted(Fact::TokensRevoked {
                    user: *user,
                    issued_until: *issued_until,
                })
            }
            Command::Announce(announcement) => return self.announce(announcement),
            // They come by requests of their own.
            Command::PutBoard { board, .. } | Command::DeleteBoard(board) => {
                Verdict::Refused(Refusal::UnknownBoard(board.clone()))
            }
        };
        match verdict {
            Verdict::Accepted(fact) => self.pending(fact, None),
            Verdict::Unchanged => Ok(Decision::Unchanged),
            Verdict::Refused(refusal) => Ok(Decision::Refused(refusal)),
        }
    }

    fn act(&mut self, pending: &mut Pending<'_>, action: &Action) -> Result<Decision, StoreError> {
        if let Some(decision) = self.counted(action)? {
            return Ok(decision);
        }
        if let Err(refusal) = pending.check(action, self.at) {
            return Ok(Decision::Refused(refusal));
        }
        if let Some(reached) = limited::reached(&self.transaction, self.at, action)? {
            return Ok(Decision::Refused(Refusal::LimitReached(reached)));
        }
        match pending.act(action) {
            Verdict::Accepted(fact) => {
                let decision = self.pending(fact, Some(action.id.as_str()))?;
                if let Some(entry) = self.entries.last() {
                    limited::note(&self.transaction, entry.seq, self.at, action)?;
                }
                Ok(decision)
            }
            Verdict::Unchanged => Ok(Decision::Unchanged),
            Verdict::Refused(refusal) => Ok(Decision::Refused(refusal)),
        }
    }

    fn announce(&mut self, announcement: &Announcement) -> Result<Decision, StoreError> {
        let known = announcements::find(&self.transaction, announcement.id)?;
        let Some((_, known)) = known else {
            return self.pending(Fact::Announced(announcement.clone()), None);
        };
        // Sent again at once it begins a little later, which is no other one; a
        // time that is still to come was chosen.
        let is_moved = announcement.from > self.at && announcement.from != known.from;
        Ok(if known.says_the_same(announcement) && !is_moved {
            Decision::Unchanged
        } else {
            Decision::Refused(Refusal::Conflict)
        })
    }

    /// What was decided about this action id before, if it was.
    fn counted(&self, action: &Action) -> Result<Option<Decision>, StoreError> {
        let mut statement = self.transaction.prepare_cached(
            "SELECT seq, user, action_type, increase, score, tiebreak, rank, old_rank, board,
                    tiebreak_increase, board_seq
             FROM log WHERE action_id = ?1
             UNION ALL
             SELECT seq, user, action_type, increase, score, tiebreak, rank, old_rank, board,
                    tiebreak_increase, board_seq
             FROM counted_actions WHERE action_id = ?1",
        )?;
        let mut rows = statement.query([action.id.as_str()])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let same = row.get::<_, [u8; 16]>(1)? == action.user.0
            && row.get_ref(2)?.as_str().ok() == Some(&*action.action_type)
            && row.get_ref(8)?.as_str().ok() == Some(action.board.as_str())
            && row.get::<_, Option<i64>>(9)?.unwrap_or(0) == action.tiebreak_increase
            && (action.declared.is_some() || row.get::<_, i64>(3)? == action.increase);
        if !same {
            return Ok(Some(Decision::Refused(Refusal::Conflict)));
        }
        let entry: u64 = row.get(0)?;
        let scores = Some(facts::scores(row, 4)?);
        Ok(Some(if entry > self.committed {
            Decision::Pending {
                entry,
                scores,
                duplicate: true,
            }
        } else {
            let seq: Option<u64> = row.get(10)?;
            Decision::Known(Receipt {
                // Before there were many boards, the log was the board.
                seq: seq.unwrap_or(entry),
                scores,
                rank: row.get(6)?,
                old_rank: row.get(7)?,
                duplicate: true,
            })
        }))
    }

    fn pending(&mut self, fact: Fact, action_id: Option<&str>) -> Result<Decision, StoreError> {
        let scores = match &fact {
            Fact::Action(action) => Some(action.scores),
            _ => None,
        };
        let entry = self.add(fact, action_id)?;
        Ok(Decision::Pending {
            entry: entry.seq.get(),
            scores,
            duplicate: false,
        })
    }

    /// Writes the next entry.
    pub(super) fn add(
        &mut self,
        fact: Fact,
        action_id: Option<&str>,
    ) -> Result<LogEntry, StoreError> {
        let next = self.committed + self.entries.len() as u64 + 1;
        let entry = LogEntry {
            seq: Seq::new(next).ok_or(StoreError::Damaged("the log is full"))?,
            at: self.at,
            fact,
        };
        facts::insert(&self.transaction, &entry, action_id)?;
        self.entries.push(entry.clone());
        Ok(entry)
    }
}
