//! Revoked tokens. What was revoked is void for ever, whatever another log says: what a
//! log that replaces another lacks is written to it again.

use std::collections::HashMap;

use super::Live;
use crate::{
    auth::Identity,
    board::UserId,
    store::{Command, StoreError},
};

/// Revocations that are written again in one call of the store.
const WRITTEN_AT_ONCE: usize = 1000;

/// Up to when tokens of users are void, in seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Revocations(HashMap<UserId, u64>);

impl FromIterator<(UserId, u64)> for Revocations {
    fn from_iter<I: IntoIterator<Item = (UserId, u64)>>(revoked: I) -> Self {
        Revocations(revoked.into_iter().collect())
    }
}

impl Revocations {
    /// Makes the tokens of a user void that were issued up to then. Is that new?
    pub(super) fn add(&mut self, user: UserId, issued_until: u64) -> bool {
        let until = self.0.entry(user).or_default();
        let is_new = *until < issued_until;
        *until = issued_until.max(*until);
        is_new
    }

    /// Adds all of these, and returns what was new.
    pub(super) fn add_all(&mut self, others: &Revocations) -> Revocations {
        let others = others.0.iter().map(|(user, until)| (*user, *until));
        others
            .filter(|(user, until)| self.add(*user, *until))
            .collect()
    }

    /// Removes what was written; what was revoked until a later time stays.
    fn remove_all(&mut self, written: &Revocations) {
        let is_left = |user: &UserId, until: &u64| {
            let written = written.0.get(user);
            written.is_none_or(|written| written < until)
        };
        self.0.retain(|user, until| is_left(user, until));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn is_revoked(&self, identity: &Identity) -> bool {
        self.0.get(&identity.user).is_some_and(|until| {
            // A token without `iat` may have been issued at any time.
            identity.issued.is_none_or(|issued| issued <= *until)
        })
    }
}

impl Live {
    /// Was the token of this identity revoked?
    pub fn is_revoked(&self, identity: &Identity) -> bool {
        self.shared.projection.read().revoked.is_revoked(identity)
    }

    /// Waits until a log has replaced another and lacks what was revoked on it, and writes
    /// that again, so that no other node and no restart takes those tokens. For one caller.
    ///
    /// # Errors
    /// If nothing could be written; then it is still to be done.
    pub async fn revoke_again(&self) -> Result<(), StoreError> {
        let lost = &self.shared.lost_revocations;
        while lost.revocations.lock().is_empty() {
            lost.added.notified().await;
        }
        let first: Revocations = {
            let lost = lost.revocations.lock();
            let first = lost.0.iter().take(WRITTEN_AT_ONCE);
            first.map(|(user, until)| (*user, *until)).collect()
        };
        let commands = first.0.iter();
        let commands =
            commands.map(|(&user, &issued_until)| Command::RevokeTokens { user, issued_until });
        self.append(commands.collect()).await?;
        tracing::warn!(
            users = first.0.len(),
            "the log had lost that tokens were revoked: it has been written again"
        );
        lost.revocations.lock().remove_all(&first);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::{auth::Role, store::Fold};

    #[test]
    fn what_was_revoked_is_revoked_on_every_log() {
        let (live, mut folder) = live(log(1, 3, &[1]));
        let is_revoked = |n, issued| {
            live.is_revoked(&Identity {
                user: user(n),
                role: Role::Admin,
                issued: Some(issued),
                expires: u64::MAX,
            })
        };
        folder.fold(&[revoked(4, 8, 100)]);
        // This log says that tokens of user 9 are void that were issued until its epoch.
        folder.reload(log(50, 3, &[1]));
        assert!(is_revoked(8, 100) && !is_revoked(8, 101));
        assert!(is_revoked(9, 50) && !is_revoked(9, 51));
        folder.reload(log(20, 3, &[1]));
        assert!(is_revoked(8, 100) && is_revoked(9, 50));
        let lost = live.shared.lost_revocations.revocations.lock().clone();
        assert_eq!(lost.0, HashMap::from([(user(8), 100), (user(9), 50)]));
    }
}
