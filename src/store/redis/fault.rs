//! What can go wrong between a node and Redis, by what is to be done about it.

use redis::{ErrorKind, RedisError};

use crate::{
    board::Timestamp,
    store::{Health, StoreError},
};

#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Redis is not there, or cannot do it now: connect again, a little later.
    #[error("{0}")]
    Unreachable(String),
    /// Redis answers, and cannot be used as it is set up.
    #[error("{0}")]
    Unusable(String),
    /// What is stored there is not for this program, or not as it is set up.
    #[error("{0}")]
    Foreign(StoreError),
    /// Redis did nothing of what it was asked, and is there.
    #[error("{0}")]
    Refused(String),
    /// Redis is there, and answered with an error that nothing explains but a fault of this
    /// program or data that it did not write. It may have done a part of what it was asked.
    #[error(
        "Redis could not do what it was asked: Podium has a fault, or something in Redis is not \
         as it was written, or Redis lacks a command ({0}). Please report it with these words"
    )]
    Failed(String),
    /// A season is to be ended first; Redis's clock showed this.
    #[error("a season of a board is to be ended first")]
    Border(Timestamp),
    /// The board is not the one that was followed, or no longer.
    #[error("the board has changed under this node")]
    Changed,
    /// Entries between those that were folded and those that are there are gone.
    #[error("entries of the log are missing in Redis after {0}")]
    Gap(u64),
    /// What was read cannot have been written by this program.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
    /// Something that was there is missing, or something is there that this program did
    /// not write: an operator has to decide. Any node that looks sees it.
    #[error("{0}")]
    Lost(String),
    /// The same of a key that nobody looks at before it is needed.
    #[error("{0}")]
    Broken(String),
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Fault {
        let detail = || error.detail().unwrap_or_default().to_owned();
        match error.kind() {
            ErrorKind::AuthenticationFailed => {
                return Fault::Unusable("the user or the password is wrong".into());
            }
            ErrorKind::Parse => return Fault::Unusable("it does not answer as Redis does".into()),
            ErrorKind::UnexpectedReturnType => return Fault::Failed(error.to_string()),
            ErrorKind::InvalidClientConfig => return Fault::Unusable(error.to_string()),
            _ => {}
        }
        let refused = |words: &str| Fault::Refused(words.to_owned());
        match error.code() {
            Some("EPOCH") => Fault::Changed,
            Some("BORDER") => Fault::Border(Timestamp(detail().trim().parse().unwrap_or_default())),
            Some("DAMAGED") => Fault::Lost(detail()),
            Some("BROKEN") => Fault::Broken(detail()),
            Some("WRONGTYPE") => {
                Fault::Lost("a key of the board is of another type in Redis".into())
            }
            Some("WRONGPASS") => Fault::Unusable("the user or the password is wrong".into()),
            Some("NOAUTH") => Fault::Unusable("it wants a password".into()),
            Some("NOPERM") => Fault::Unusable(format!(
                "the user may not do all that is needed: {}",
                detail()
            )),
            Some("ERR") if detail().contains("DB index is out of range") => {
                Fault::Unusable("it has no database of that number".into())
            }
            Some("CLAIM") => Fault::Unusable("another podium migrate writes to it now".into()),
            Some("OOM") => {
                refused("the memory of Redis is full: raise its maxmemory, or take away other data")
            }
            Some("MISCONF") => refused(
                "Redis cannot save to its disk, as its log says: give it room there, and it goes on",
            ),
            Some("NOREPLICAS") => {
                refused("Redis has too few replicas (min-replicas-to-write): connect them again")
            }
            // That passes.
            Some("ERR") if detail().contains("max number of clients") => {
                Fault::Unreachable(error.to_string())
            }
            Some("ERR") => Fault::Failed(detail()),
            _ => Fault::Unreachable(error.to_string()),
        }
    }
}

impl Fault {
    /// Does an operator have to decide?
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Fault::Lost(_)
            | Fault::Broken(_)
            | Fault::Gap(_)
            | Fault::Damaged(_)
            | Fault::Foreign(_) => true,
            Fault::Unreachable(_)
            | Fault::Unusable(_)
            | Fault::Refused(_)
            | Fault::Failed(_)
            | Fault::Border(_)
            | Fault::Changed => false,
        }
    }

    /// Why nothing is stored, and what to do.
    fn words(&self) -> String {
        match self {
            Fault::Lost(_) | Fault::Broken(_) | Fault::Gap(_) | Fault::Damaged(_) => format!(
                "{self}. Nothing in Redis is changed until an operator decides: put back what \
                 was there, or run `podium adopt`, which goes on with what is left, or `podium \
                 reset`, which begins with an empty board; both say first what they will do"
            ),
            _ => self.to_string(),
        }
    }

    /// What a store is like that has met it.
    pub(super) fn health(&self) -> Health {
        match self {
            Fault::Failed(_) => Health::Unwritable(self.words().into()),
            fault if fault.is_lasting() => Health::Unwritable(fault.words().into()),
            _ => Health::Unreachable,
        }
    }

    /// What is answered to those who send commands.
    pub(super) fn refusal(&self) -> StoreError {
        match self {
            Fault::Refused(words) => StoreError::Unwritable(words.as_str().into()),
            Fault::Failed(_) => StoreError::Unwritable(self.words().into()),
            fault if fault.is_lasting() => StoreError::Unwritable(fault.words().into()),
            fault => StoreError::Unreachable(fault.to_string()),
        }
    }

    /// Why a store cannot be opened at this address.
    pub(super) fn at(self, address: String) -> StoreError {
        match self {
            Fault::Unusable(problem) => StoreError::Unusable { address, problem },
            Fault::Failed(_) => StoreError::Unusable {
                address,
                problem: self.to_string(),
            },
            Fault::Foreign(error) => error,
            Fault::Lost(_) | Fault::Broken(_) | Fault::Gap(_) | Fault::Damaged(_) => {
                StoreError::Unwritable(self.words().into())
            }
            fault => StoreError::Unreachable(format!("{address}: {fault}")),
        }
    }
}
