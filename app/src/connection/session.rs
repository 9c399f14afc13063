//! The page's session with the server: when to connect, with which token, and when to try
//! again. There is one attempt at a time, each on a transport of its own, with the newest
//! token.

use super::{
    backoff::{Backoff, FIRST_WAIT, LONGEST_WAIT},
    token::{Token, TokenId},
};

/// The longest wait before a server that has rejected the page is tried again.
const REJECTED_WAIT: f64 = 30_000.0;
/// After a connection that held so long, waits are short again. One that ends sooner may
/// have been closed by the server, whatever was sent before.
const GOOD_AFTER: f64 = 10_000.0;
/// The longest that opening a connection may take; the transport itself gives up after
/// 20 s.
const CONNECT_TIMEOUT: f64 = 30_000.0;
/// How long a silent link may stay silent when the server has answered a probe, before it is
/// replaced, beside a part of [`SPREAD`]: a network that fails silences all of its pages at
/// once. It doubles with each link that was replaced in vain.
const GRACE: f64 = 500.0;
/// How long an attempt may take when the server has answered a probe that was sent later,
/// beside four times the round trip of that: so many it takes. It doubles too.
const PATIENCE: f64 = 2_000.0;
/// No time is doubled more often.
const MOST_DOUBLINGS: i32 = 6;
/// Pages that wait for the same server retry within this time.
const SPREAD: f64 = 300.0;

/// The messages with which the server rejects a token. It rejects connections for other
/// reasons too, of which another token changes nothing.
const TOKEN_REJECTIONS: [&str; 3] = [
    "Authentication token required",
    "Authentication failed",
    "User not found",
];

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Request another token, and call [`Session::renewed`] with the result.
    RenewToken,
    /// Connect with the newest token.
    Connect,
    /// Send the newest token to the server: it is of the same user as the last.
    SendToken,
    /// Close the connection.
    Close,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The transport was lost, or never opened.
    Lost,
    /// The server closed the connection.
    ByServer,
    /// The server rejected the connection for now.
    Rejected,
    /// The server rejected the token.
    TokenRejected,
}

impl CloseReason {
    /// Why the server rejected a connection, by its message.
    pub(crate) fn rejected(message: &str) -> CloseReason {
        if TOKEN_REJECTIONS.contains(&message) {
            CloseReason::TokenRejected
        } else {
            CloseReason::Rejected
        }
    }
}

#[derive(Debug)]
enum Link {
    Down {
        retry_at: f64,
        reason: CloseReason,
    },
    Up {
        /// The token that the server has.
        token: TokenId,
        since: f64,
        /// Has the server accepted the connection?
        is_connected: bool,
        /// When another link replaces this one.
        replace_at: f64,
    },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    token: Token,
    link: Link,
    /// Has the server rejected the page, and not accepted it since?
    is_rejected: bool,
    /// Has the page retried because the server had allowed it, and was not accepted since?
    has_retried: bool,
    /// Links that were replaced since the server last sent something.
    replaced: i32,
    /// Has the server left a probe unanswered, and answered none since?
    is_unreachable: bool,
    attempts: Backoff,
    rejections: Backoff,
}

impl Session {
    /// A session with a first token: of this user, or of a viewer who is not signed in, and
    /// for so many seconds.
    pub(crate) fn new(user: Option<String>, expires_in: u64, now: f64, random: f64) -> Session {
        Session {
            token: Token::new(user, expires_in, now, random),
            link: Link::Down {
                retry_at: now,
                reason: CloseReason::Lost,
            },
            is_rejected: false,
            has_retried: false,
            replaced: 0,
            is_unreachable: false,
            attempts: Backoff::default(),
            rejections: Backoff::default(),
        }
    }

    /// What is to be done now, one step after the other. Each counts as done.
    pub(crate) fn next(&mut self, now: f64, random: f64) -> Option<Step> {
        if self.token.renews(now) {
            return Some(Step::RenewToken);
        }
        let is_usable = self.token.is_usable(now);
        let newest = self.token.id();
        match &mut self.link {
            Link::Down { retry_at, .. } if *retry_at <= now && is_usable => {
                self.link = Link::Up {
                    token: newest.clone(),
                    since: now,
                    is_connected: false,
                    replace_at: f64::INFINITY,
                };
                Some(Step::Connect)
            }
            Link::Up { token, .. } if token.user != newest.user => {
                self.reconnect(now);
                Some(Step::Close)
            }
            Link::Up { replace_at, .. } if *replace_at <= now => {
                self.replaced = (self.replaced + 1).min(MOST_DOUBLINGS);
                self.reconnect(now);
                Some(Step::Close)
            }
            Link::Up {
                since,
                is_connected: false,
                ..
            } if *since + CONNECT_TIMEOUT <= now => {
                self.closed(CloseReason::Lost, now, random);
                Some(Step::Close)
            }
            Link::Up {
                token,
                is_connected: true,
                ..
            } if token.number != newest.number => {
                token.number = newest.number;
                Some(Step::SendToken)
            }
            _ => None,
        }
    }

    /// When [`next`](Session::next) is to be called, if nothing happens before.
    pub(crate) fn wake_at(&self, now: f64) -> f64 {
        let link = match self.link {
            Link::Down { retry_at, .. } if self.token.is_usable(now) => retry_at,
            Link::Up {
                since,
                is_connected: false,
                replace_at,
                ..
            } => replace_at.min(since + CONNECT_TIMEOUT),
            Link::Up { replace_at, .. } => replace_at,
            Link::Down { .. } => f64::INFINITY,
        };
        self.token.wake_at().min(link)
    }

    /// The server has accepted the connection.
    pub(crate) fn connected(&mut self, now: f64) {
        self.is_rejected = false;
        self.has_retried = false;
        if let Link::Up {
            since,
            is_connected,
            replace_at,
            ..
        } = &mut self.link
            && !*is_connected
        {
            (*since, *is_connected, *replace_at) = (now, true, f64::INFINITY);
        }
    }

    /// The server has sent something: the connection is alive.
    pub(crate) fn received(&mut self) {
        self.replaced = 0;
        self.is_unreachable = false;
        if let Link::Up { replace_at, .. } = &mut self.link {
            *replace_at = f64::INFINITY;
        }
    }

    /// The machine has slept, so the link is most likely dead. Another one replaces it now.
    pub(crate) fn replace(&mut self, now: f64) {
        if let Link::Up { replace_at, .. } = &mut self.link {
            *replace_at = now;
        }
    }

    /// Is it useful to probe whether the server is reachable? Not where it has rejected the
    /// page, and not yet where an attempt has just begun.
    pub(crate) fn wants_probes(&self, now: f64) -> bool {
        match self.link {
            Link::Down { reason, .. } => reason == CloseReason::Lost,
            Link::Up {
                is_connected: false,
                since,
                ..
            } => since + PATIENCE <= now,
            Link::Up { .. } => false,
        }
    }

    /// The server has answered a probe that was sent at that time. The connection
    /// `is_doubtful` if nothing was received on it since.
    pub(crate) fn reachable(&mut self, sent_at: f64, is_doubtful: bool, now: f64, random: f64) {
        let is_back = std::mem::take(&mut self.is_unreachable);
        let times = 2f64.powi(self.replaced);
        match &mut self.link {
            // Attempts that fail although the server is reachable come later and later.
            Link::Down { .. } if is_back => self.retry_within(SPREAD, now, random),
            Link::Down { .. } => {}
            Link::Up {
                is_connected: true,
                replace_at,
                ..
            } => {
                if is_doubtful {
                    let grace = (GRACE + SPREAD * random) * times;
                    *replace_at = replace_at.min(now + grace);
                }
            }
            // What it sent before the network was back may be lost.
            Link::Up {
                since, replace_at, ..
            } => {
                if *since <= sent_at {
                    let patience = PATIENCE * times + 4.0 * (now - sent_at);
                    *replace_at = replace_at.min(*since + patience);
                }
            }
        }
        if is_back {
            self.token.restart_renewal(now);
        }
    }

    /// The server has not answered a probe.
    pub(crate) fn unreachable(&mut self) {
        self.is_unreachable = true;
    }

    /// The server has said that the token has expired, and will close the connection.
    pub(crate) fn expired(&mut self) {
        self.token.reject();
    }

    /// The connection is closed, or could not be opened.
    pub(crate) fn closed(&mut self, reason: CloseReason, now: f64, random: f64) {
        match self.link {
            Link::Down { .. } => return,
            Link::Up {
                is_connected: true,
                since,
                ..
            } if now - since >= GOOD_AFTER => {
                self.attempts.reset();
                self.rejections.reset();
            }
            Link::Up { .. } => {}
        }
        let wait = match reason {
            CloseReason::Lost => self.attempts.next(LONGEST_WAIT, random),
            CloseReason::ByServer | CloseReason::Rejected | CloseReason::TokenRejected => {
                self.rejections.next(REJECTED_WAIT, random)
            }
        };
        match reason {
            CloseReason::TokenRejected => self.token.reject(),
            CloseReason::Rejected => self.is_rejected = true,
            CloseReason::Lost | CloseReason::ByServer => {}
        }
        self.retry_at(now + wait, reason, now);
    }

    /// Has the server rejected the page, and not accepted it since?
    pub(crate) fn is_rejected(&self) -> bool {
        self.is_rejected
    }

    /// The server has said after how many seconds the page may connect: it does so then, and
    /// not before. One that was allowed to and is rejected again retries later and later.
    pub(crate) fn connect_in(&mut self, seconds: f64, now: f64, random: f64) {
        let Link::Down { retry_at, reason } = self.link else {
            return;
        };
        if seconds > 0.0 {
            self.is_rejected = true;
            self.has_retried = false;
            let at = now + seconds * 1_000.0 + FIRST_WAIT * random;
            self.retry_at(at, CloseReason::Rejected, now);
        } else if self.is_rejected && !std::mem::replace(&mut self.has_retried, true) {
            self.retry_at(retry_at.min(now), reason, now);
        }
    }

    /// The browser has a network again, as many others may have, or the page is visible
    /// again.
    pub(crate) fn retry_soon(&mut self, now: f64, random: f64) {
        self.retry_within(FIRST_WAIT, now, random);
    }

    /// Retries within this time, unless the server has rejected the page.
    fn retry_within(&mut self, time: f64, now: f64, random: f64) {
        if let Link::Down {
            retry_at,
            reason: reason @ CloseReason::Lost,
        } = self.link
        {
            self.retry_at(retry_at.min(now + time * random), reason, now);
        }
    }

    /// A token came, of this user and for so many seconds, or none did.
    pub(crate) fn renewed(&mut self, token: Option<(Option<String>, u64)>, now: f64, random: f64) {
        self.token.renewed(token, now, random);
    }

    /// Another connection replaces this one.
    fn reconnect(&mut self, now: f64) {
        self.retry_at(now, CloseReason::Lost, now);
    }

    fn retry_at(&mut self, at: f64, reason: CloseReason, now: f64) {
        self.link = Link::Down {
            retry_at: at,
            reason,
        };
        self.token.renew_unusable_at(at, now);
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests;
