//! The permit of one session: for whom it counts, and what it gives back.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{SessionLimits, replaceable::Ended};
use crate::{
    board::UserId,
    limits::{Permit, Reason},
};

/// A session that replaces another can be replaced itself once it was connected for so
/// long; to the page, too, a connection is good from then on (`app/src/connection/session.rs`).
pub(super) const GOOD_AFTER: Duration = Duration::from_secs(10);

/// For whom a session counts, if it may exist at all. What it holds is given back when it
/// is dropped.
#[derive(Debug)]
pub struct SessionPermit {
    limits: Arc<SessionLimits>,
    counted_for: CountedFor,
}

#[derive(Debug)]
pub(super) enum CountedFor {
    /// Its address is not limited.
    Nobody,
    Address {
        key: IpAddr,
        _permit: Permit<IpAddr>,
        /// The session that it replaces; without one it counts.
        replaced: Option<Ended>,
        /// Whose client has joined it, and from when on it may be replaced itself.
        joined: Option<(UserId, Instant)>,
    },
    /// It was opened in the name of a signed-in user.
    User { key: IpAddr },
    /// Its address is over its limits.
    Refused { key: IpAddr },
}

impl CountedFor {
    /// A session of an address that no client has joined.
    pub(super) fn address(
        key: IpAddr,
        permit: Permit<IpAddr>,
        replaced: Option<Ended>,
    ) -> CountedFor {
        CountedFor::Address {
            key,
            _permit: permit,
            replaced,
            joined: None,
        }
    }
}

impl SessionPermit {
    pub(super) fn new(limits: &Arc<SessionLimits>, counted_for: CountedFor) -> SessionPermit {
        SessionPermit {
            limits: limits.clone(),
            counted_for,
        }
    }

    /// May a client join it: the one of this viewer, or of a signed-in user, or one whose
    /// user is not known?
    ///
    /// # Errors
    /// Why it may not.
    pub fn admit(
        &mut self,
        user: Option<UserId>,
        is_signed_in: bool,
        now: Instant,
    ) -> Result<(), Reason> {
        if is_signed_in {
            return Ok(());
        }
        let limits = &*self.limits;
        let take_own = |key| limits.replaceable.take_own(key, user?, now);
        match &mut self.counted_for {
            CountedFor::Nobody => {}
            CountedFor::Address { key, replaced, .. } => {
                let key = *key;
                if let Some(own) = take_own(key) {
                    limits.uncount(key, replaced.replace(own), now);
                }
            }
            // Opened in the name of a user, and joined by a viewer.
            CountedFor::User { key } => {
                let key = *key;
                let permit = limits.concurrent.take(key).ok_or(Reason::SessionsAtOnce)?;
                let started = limits.started.take(key, now);
                started.map_err(|_| Reason::Sessions)?;
                self.counted_for = CountedFor::address(key, permit, None);
            }
            CountedFor::Refused { key } => {
                let key = *key;
                let permit = limits.concurrent.take(key).ok_or(Reason::SessionsAtOnce)?;
                let own = take_own(key).ok_or(Reason::Sessions)?;
                limits.attempts.give_back(key, now);
                self.counted_for = CountedFor::address(key, permit, Some(own));
            }
        }
        Ok(())
    }

    /// A client has joined it. What was counted for its address is given back if the
    /// client is of a signed-in user.
    pub fn joined(&mut self, user: UserId, is_signed_in: bool, now: Instant) {
        let limits = &*self.limits;
        let key = match self.counted_for {
            CountedFor::Address { key, .. } | CountedFor::Refused { key } => key,
            CountedFor::User { .. } | CountedFor::Nobody => return,
        };
        limits.queue.remove(key, user);
        match &mut self.counted_for {
            CountedFor::Address {
                replaced, joined, ..
            } if !is_signed_in => {
                let good_at = replaced.as_ref().map_or(now, |_| now + GOOD_AFTER);
                *joined = Some((user, good_at));
                return;
            }
            _ if !is_signed_in => return,
            CountedFor::Address { replaced, .. } => limits.uncount(key, replaced.take(), now),
            _ => limits.attempts.give_back(key, now),
        }
        self.counted_for = CountedFor::User { key };
    }

    /// The session has ended. If a client had joined it, another one of its user may
    /// replace it, and any client if its connection was lost.
    pub fn ended(self, is_lost: bool, now: Instant) {
        if let CountedFor::Address {
            key,
            joined: Some((user, good_at)),
            ..
        } = self.counted_for
            && good_at <= now
        {
            let ended = Ended {
                user,
                at: now,
                is_lost,
            };
            self.limits.replaceable.add(key, ended, now);
        }
    }
}

impl SessionLimits {
    /// Gives back what a session took of its address: the session that it replaced, or
    /// its tokens.
    fn uncount(&self, key: IpAddr, replaced: Option<Ended>, now: Instant) {
        match replaced {
            Some(replaced) => self.replaceable.add(key, replaced, now),
            None => {
                self.started.give_back(key, now);
                self.attempts.give_back(key, now);
            }
        }
    }
}
