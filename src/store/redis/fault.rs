//! What can go wrong between a node and Redis, by what is to be done about it.

use redis::{ErrorKind, RedisError};

use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Redis is not there, or cannot do it now: connect again, a little later.
    #[error("{0}")]
    Away(String),
    /// Redis answers, and cannot be used as it is set up.
    #[error("{0}")]
    Unusable(String),
    /// What is kept there is not for this program, or not as it is set up.
    #[error("{0}")]
    Foreign(StoreError),
    /// Redis did nothing of what it was asked, and is there.
    #[error("{0}")]
    Refused(String),
    /// The board is not the one that was followed, or no longer.
    #[error("the board has changed under this node")]
    Changed,
    /// Entries between those that were folded and those that are there are gone.
    #[error("entries of the log are missing after {0}")]
    Gap(u64),
    /// What was read cannot have been written by this program.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Fault {
        if error.kind() == ErrorKind::AuthenticationFailed {
            return Fault::Unusable("the user or the password is wrong".into());
        }
        match error.code() {
            Some("EPOCH") => Fault::Changed,
            Some("WRONGPASS") => Fault::Unusable("the user or the password is wrong".into()),
            Some("NOAUTH") => Fault::Unusable("it wants a password".into()),
            Some("NOPERM") => Fault::Unusable(format!(
                "the user may not do all that is needed: {}",
                error.detail().unwrap_or_default()
            )),
            Some("CLAIM") => Fault::Unusable("another podium migrate writes to it now".into()),
            // Memory or disk is full, or too few replicas are there.
            Some("OOM" | "MISCONF" | "NOREPLICAS") => Fault::Refused(error.to_string()),
            _ => Fault::Away(error.to_string()),
        }
    }
}

impl Fault {
    /// Why a store cannot be opened at this address.
    pub(super) fn at(self, address: String) -> StoreError {
        match self {
            Fault::Unusable(problem) => StoreError::Unusable { address, problem },
            Fault::Foreign(error) => error,
            Fault::Damaged(problem) => StoreError::Damaged(problem),
            fault => StoreError::Away(format!("{address}: {fault}")),
        }
    }
}
