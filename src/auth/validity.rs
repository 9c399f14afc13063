//! When a token or a ticket is valid, by the claims that both may have (RFC 7519,
//! sections 4.1.4 to 4.1.6). All are a `NumericDate`: seconds since
//! 1970-01-01T00:00:00Z, perhaps with a fraction.

use std::time::Duration;

use crate::board::Timestamp;

/// The times that a token or a ticket names.
pub(super) struct Validity {
    /// When it was issued.
    pub(super) iat: Option<f64>,
    /// From when on it is valid.
    pub(super) nbf: Option<f64>,
    /// When it ends.
    pub(super) exp: f64,
}

/// Now is not one of those times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untimely {
    /// `exp` is over.
    Expired,
    /// This claim is still to come.
    Early(&'static str),
}

impl Validity {
    /// Is it valid `now`, where the clock of its issuer may differ from ours by `leeway`,
    /// ahead or behind?
    pub(super) fn check(&self, now: Timestamp, leeway: Duration) -> Result<(), Untimely> {
        let now = now.0 as f64 / 1000.0;
        let leeway = leeway.as_secs_f64();
        if self.exp + leeway <= now {
            return Err(Untimely::Expired);
        }
        let latest = now + leeway;
        for (claim, time) in [("nbf", self.nbf), ("iat", self.iat)] {
            if time.is_some_and(|time| time > latest) {
                return Err(Untimely::Early(claim));
            }
        }
        Ok(())
    }

    /// When what it is shown for `now` ends: at `exp`, or where that is over already, when
    /// the leeway is.
    pub(super) fn ends(&self, now: Timestamp, leeway: Duration) -> f64 {
        if self.has_ended(now) {
            self.exp + leeway.as_secs_f64()
        } else {
            self.exp
        }
    }

    /// Is `exp` over, whatever the leeway?
    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        self.exp <= now.0 as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0.4 s after a full second.
    const NOW: Timestamp = Timestamp(1_700_000_000_400);
    const LEEWAY: Duration = Duration::from_secs(5);

    fn check(iat: Option<f64>, nbf: Option<f64>, exp: f64) -> Result<(), Untimely> {
        Validity { iat, nbf, exp }.check(NOW, LEEWAY)
    }

    /// So many seconds from the full second.
    fn at(seconds: f64) -> f64 {
        1_700_000_000.0 + seconds
    }

    #[test]
    fn the_leeway_is_for_the_end_too() {
        for (exp, expected) in [
            (at(1.0), Ok(())),
            (at(0.4), Ok(())),
            (at(-4.5), Ok(())),
            (at(-4.6), Err(Untimely::Expired)),
            (at(-5.0), Err(Untimely::Expired)),
            (-1.0, Err(Untimely::Expired)),
            (-1e300, Err(Untimely::Expired)),
            (1e300, Ok(())),
        ] {
            assert_eq!(check(None, None, exp), expected, "{exp}");
        }
    }

    #[test]
    fn the_leeway_is_for_all_that_may_be_early() {
        for (time, is_good) in [
            (-1e300, true),
            (at(0.5), true),
            (at(5.0), true),
            (at(5.4), true),
            (at(5.5), false),
            (at(50.0), false),
            (1e300, false),
        ] {
            let early = |claim| {
                if is_good {
                    Ok(())
                } else {
                    Err(Untimely::Early(claim))
                }
            };
            assert_eq!(check(Some(time), None, at(60.0)), early("iat"), "{time}");
            assert_eq!(check(None, Some(time), at(60.0)), early("nbf"), "{time}");
        }
    }
}
