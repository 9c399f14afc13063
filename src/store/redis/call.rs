//! One call of `append.lua`: what a node asks, and what it is answered.

use std::num::NonZeroU32;

use redis::Value;

use super::{
    fault::Fault,
    load::Following,
    recent::Recent,
    record::{
        announcement_text, array, groups_text, nonce_text, number, profile_text, read_scores,
        some_number, split, team_text, text,
    },
    servers::Retention,
};
use crate::{
    board::{BoardId, Scores, Timestamp},
    store::{ActionLimits, Command, LimitReached, Outcome, Receipt, Refusal, Window},
};

/// Adds a command, as the script takes it.
pub(super) fn write(command: &Command, arguments: &mut Vec<Vec<u8>>) {
    match command {
        Command::PutUser { user, profile } => arguments.extend([
            b"put".to_vec(),
            user.0.to_vec(),
            profile_text(profile).into_bytes(),
        ]),
        Command::Act(action) => {
            let limits = action.declared.unwrap_or_default();
            // 0 is none.
            let limit = |limit: Option<NonZeroU32>| {
                let limit = limit.map_or(0, NonZeroU32::get);
                limit.to_string().into_bytes()
            };
            let (half, second_half) = (action.increase / 2, action.tiebreak_increase / 2);
            let number = |number: i64| number.to_string().into_bytes();
            arguments.extend([
                b"act".to_vec(),
                action.id.as_str().into(),
                action.board.as_str().into(),
                action.user.0.to_vec(),
                action.action_type.as_bytes().to_vec(),
                number(action.declared.is_some().into()),
                limit(limits.per_minute),
                limit(limits.per_day),
                number(action.increase),
                number(half),
                number(action.increase - half),
                number(action.tiebreak_increase),
                number(second_half),
                number(action.tiebreak_increase - second_half),
            ]);
        }
        Command::GroupUser { user, team, groups } => {
            // What is not named stays.
            let team = team.map_or_else(|| "=".into(), team_text);
            let groups = groups
                .as_ref()
                .map_or_else(|| "=".into(), |it| groups_text(it));
            arguments.extend([
                b"group".to_vec(),
                user.0.to_vec(),
                team.into_bytes(),
                groups.into_bytes(),
            ]);
        }
        Command::HideUser {
            user,
            hidden,
            reason,
        } => arguments.extend([
            b"hide".to_vec(),
            user.0.to_vec(),
            u8::from(*hidden).to_string().into_bytes(),
            reason.as_deref().unwrap_or_default().as_bytes().to_vec(),
        ]),
        Command::PutTeam { team, profile } => arguments.extend([
            b"team".to_vec(),
            team.to_string().into_bytes(),
            profile_text(profile).into_bytes(),
        ]),
        // They are asked for in another way.
        Command::PutBoard { .. } | Command::DeleteBoard(_) => {}
        Command::DeleteUser(user) => arguments.extend([b"delete".to_vec(), user.0.to_vec()]),
        Command::RevokeTokens { user, issued_until } => arguments.extend([
            b"revoke".to_vec(),
            user.0.to_vec(),
            issued_until.to_string().into_bytes(),
        ]),
        Command::Announce(announcement) => arguments.extend([
            b"announce".to_vec(),
            announcement.id.0.to_vec(),
            announcement.from.0.to_string().into_bytes(),
            announcement.until.0.to_string().into_bytes(),
            announcement_text(announcement).into_bytes(),
        ]),
    }
}

/// The answer of the script.
pub(super) struct Answer {
    /// The last entry of the log after the call.
    pub(super) seq: u64,
    /// As far as ranks are known in Redis.
    pub(super) ranked_through: u64,
    /// What Redis's clock showed.
    pub(super) now: Timestamp,
    pub(super) outcomes: Vec<String>,
}

impl Answer {
    pub(super) fn read(answer: &Value) -> Result<Answer, Fault> {
        let [now, seq, ranked_through, outcomes] = array(answer)? else {
            return Err(Fault::Damaged("an answer of another form"));
        };
        let outcomes = array(outcomes)?.iter();
        Ok(Answer {
            seq: number(text(seq)?)?,
            ranked_through: number(text(ranked_through)?)?,
            now: Timestamp(number(text(now)?)?),
            outcomes: outcomes
                .map(|outcome| Ok(text(outcome)?.to_owned()))
                .collect::<Result<_, Fault>>()?,
        })
    }

    /// What was decided about the commands that were sent.
    pub(super) fn decisions<'a>(
        &self,
        commands: impl Iterator<Item = &'a Command>,
    ) -> Result<Vec<Decision>, Fault> {
        let mut outcomes = self.outcomes.iter();
        commands
            .map(|command| {
                let outcome = outcomes.next();
                let outcome = outcome.ok_or(Fault::Damaged("an answer that ends early"))?;
                Decision::read(outcome, command, self.now)
            })
            .collect()
    }
}

/// What was decided about a command.
pub(super) enum Decision {
    Refused(Refusal),
    /// Its entry is there; the ranks are those that the fold gave or gives it.
    Entry {
        seq: u64,
        scores: Option<Scores>,
        duplicate: bool,
    },
    /// All is as it is asked for already.
    Unchanged,
    /// All that was answered then.
    Known(Receipt),
}

impl Decision {
    fn read(outcome: &str, command: &Command, now: Timestamp) -> Result<Decision, Fault> {
        let refused = |refusal| Ok(Decision::Refused(refusal));
        let board = || match command {
            Command::Act(action) => action.board.clone(),
            _ => BoardId::default(),
        };
        let (verb, rest) = outcome.split_once(' ').unwrap_or((outcome, ""));
        match verb {
            "unknown" => return refused(Refusal::UnknownUser),
            "noteam" => return refused(Refusal::UnknownTeam),
            "noboard" => return refused(Refusal::UnknownBoard(board())),
            "derived" => {
                let of = BoardId::new(rest).ok_or(Fault::Damaged("the id of a board"))?;
                return refused(Refusal::Derived { board: board(), of });
            }
            "early" => return refused(Refusal::NotStarted),
            "ended" => return refused(Refusal::Ended),
            "conflict" => return refused(Refusal::Conflict),
            "range" => return refused(Refusal::OutOfRange),
            "limited" => return refused(Refusal::LimitReached(limit(rest, command, now)?)),
            "known" => return Ok(Decision::Unchanged),
            _ => {}
        }
        let duplicate = match verb {
            "new" => false,
            "again" => true,
            _ => return Err(Fault::Damaged("an outcome of an unknown kind")),
        };
        let mut words = rest.split(' ');
        let mut next = || words.next();
        let seq = number(next().ok_or(Fault::Damaged("an outcome that ends early"))?)?;
        let scores = next().map(read_scores).transpose()?;
        let Some(rank) = next() else {
            return Ok(Decision::Entry {
                seq,
                scores,
                duplicate,
            });
        };
        let old_rank = next().ok_or(Fault::Damaged("an outcome that ends early"))?;
        // Before there were many boards, the log was the board.
        let board_seq = next().map(number).transpose()?;
        Ok(Decision::Known(Receipt {
            seq: board_seq.unwrap_or(seq),
            scores,
            rank: some_number(rank)?,
            old_rank: some_number(old_rank)?,
            duplicate: true,
        }))
    }

    /// The entry whose ranks are to be known first.
    pub(super) fn entry(&self) -> Option<u64> {
        match self {
            Decision::Entry { seq, .. } => Some(*seq),
            Decision::Refused(_) | Decision::Known(_) | Decision::Unchanged => None,
        }
    }

    /// The outcome, when the entry was folded; `main` holds `seq` facts.
    pub(super) fn outcome(self, recent: &Recent, main: u64) -> Outcome {
        match self {
            Decision::Refused(refusal) => Err(refusal),
            Decision::Known(receipt) => Ok(receipt),
            Decision::Unchanged => Ok(Receipt {
                seq: main,
                scores: None,
                rank: None,
                old_rank: None,
                duplicate: true,
            }),
            Decision::Entry {
                seq,
                scores,
                duplicate,
            } => {
                let folded = recent.get(seq).map(|known| &known.folded);
                let [old_rank, rank] = folded.map_or([None; 2], |folded| folded.ranks);
                Ok(Receipt {
                    seq: folded.map_or(seq, |folded| folded.seq),
                    scores,
                    rank,
                    old_rank,
                    duplicate,
                })
            }
        }
    }
}

/// The limit that holds for longer, when the oldest actions in the windows of a minute
/// and of a day are these; `-` is a window that is not full.
fn limit(oldest: &str, command: &Command, now: Timestamp) -> Result<LimitReached, Fault> {
    let (minute, day) = split(oldest)?;
    let limits = match command {
        Command::Act(action) => action.declared.unwrap_or_default(),
        _ => ActionLimits::default(),
    };
    let mut reached = Vec::new();
    for (window, limit) in limits.windows() {
        let oldest = match window {
            Window::Minute => minute,
            Window::Day => day,
        };
        if let Some(oldest) = some_number(oldest)? {
            let oldest = Timestamp(oldest);
            reached.push(LimitReached::until_left_by(oldest, limit, window, now));
        }
    }
    let longest = reached
        .into_iter()
        .rev()
        .max_by_key(|reached| reached.retry_after);
    longest.ok_or(Fault::Damaged("a limit that nobody set"))
}

/// The beginning of the script's arguments: what the node knows, and ranks.
pub(super) fn begin(
    ends_seasons: bool,
    following: &Following,
    nonce: u64,
    retention: &Retention,
    recent: &Recent,
    most_ranks: usize,
) -> Vec<Vec<u8>> {
    let mut arguments: Vec<Vec<u8>> = [
        u8::from(ends_seasons).to_string(),
        following.epoch.to_string(),
        nonce_text(nonce),
        following.folded.to_string(),
        following.nonce.map(nonce_text).unwrap_or_default(),
        retention.actions.as_millis().to_string(),
        retention.entries.to_string(),
        retention.history.to_string(),
    ]
    .map(String::into_bytes)
    .into();
    recent.write(most_ranks, &mut arguments);
    arguments
}
