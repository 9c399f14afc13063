//! Why clients are refused, as operators see it: a metric by reason, and a line in the
//! log for each reason once a minute, however many are refused.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Between two lines of the log about one reason.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// What was too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// New sessions of one address within the window.
    Sessions,
    /// Sessions of one address at once.
    SessionsAtOnce,
    /// TCP connections of one address at once.
    ConnectionsOfAddress,
    /// TCP connections of all at once.
    Connections,
    /// Attempts to connect to a namespace in one session.
    Connects,
    /// WebSockets for one session.
    WebSockets,
    /// Packets of one session.
    Packets,
    /// Bytes of one session.
    Bytes,
    /// Packets of one address.
    PacketsOfAddress,
    /// Bytes of one address.
    BytesOfAddress,
    /// Requests to the hub that other sites make a browser send.
    CrossSite,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 11] = [
        Reason::Sessions,
        Reason::SessionsAtOnce,
        Reason::ConnectionsOfAddress,
        Reason::Connections,
        Reason::Connects,
        Reason::WebSockets,
        Reason::Packets,
        Reason::Bytes,
        Reason::PacketsOfAddress,
        Reason::BytesOfAddress,
        Reason::CrossSite,
    ];

    /// The label of the metric.
    pub fn label(self) -> &'static str {
        match self {
            Reason::Sessions => "sessions",
            Reason::SessionsAtOnce => "sessions_at_once",
            Reason::ConnectionsOfAddress => "connections_of_address",
            Reason::Connections => "connections",
            Reason::Connects => "connects",
            Reason::WebSockets => "websockets",
            Reason::Packets => "packets",
            Reason::Bytes => "bytes",
            Reason::PacketsOfAddress => "packets_of_address",
            Reason::BytesOfAddress => "bytes_of_address",
            Reason::CrossSite => "cross_site",
        }
    }

    /// Which key of the configuration allows more, if one does.
    fn key(self) -> Option<&'static str> {
        match self {
            Reason::Sessions => Some("limits.connections_per_ip"),
            Reason::SessionsAtOnce => Some("limits.sockets_per_ip"),
            Reason::ConnectionsOfAddress => Some("limits.connections_at_once_per_ip"),
            Reason::Packets => Some("limits.packets_per_second"),
            Reason::Bytes => Some("limits.bytes_per_second"),
            Reason::PacketsOfAddress => Some("limits.packets_per_second_per_ip"),
            Reason::BytesOfAddress => Some("limits.bytes_per_second_per_ip"),
            Reason::Connections => Some("the limit of open files (ulimit -n)"),
            Reason::CrossSite => Some("http.frontend_urls"),
            Reason::Connects | Reason::WebSockets => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// When each reason was written to the log, and how often it was not since.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<Reason, Logged>>);

struct Logged {
    at: Instant,
    silent: u64,
}

impl Refusals {
    /// Notes a refusal. Answers how many of its kind were not written since the last
    /// line, if there is to be another.
    fn note(&self, reason: Reason, now: Instant) -> Option<u64> {
        let mut reasons = self.0.lock();
        match reasons.get_mut(&reason) {
            Some(logged) if now.duration_since(logged.at) < LOG_EVERY => {
                logged.silent += 1;
                None
            }
            logged => {
                let silent = logged.map_or(0, |logged| logged.silent);
                reasons.insert(reason, Logged { at: now, silent: 0 });
                Some(silent)
            }
        }
    }

    /// Writes a refusal to the log, if its kind was not within the last minute.
    pub(super) fn log(&self, reason: Reason, address: Option<IpAddr>) {
        if let Some(silent) = self.note(reason, Instant::now()) {
            let address = address.map(tracing::field::display);
            let allowed_by = reason.key();
            tracing::warn!(
                %reason,
                address,
                allowed_by,
                more_since_the_last_line = silent,
                "a client was refused; more of this kind are counted for a minute and not written"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_written_once_a_minute_and_the_others_are_counted() {
        let refusals = Refusals::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(refusals.note(Reason::Packets, start), Some(0));
        for second in 1..60 {
            assert_eq!(refusals.note(Reason::Packets, after(second)), None);
        }
        assert_eq!(refusals.note(Reason::Bytes, after(1)), Some(0));
        assert_eq!(refusals.note(Reason::Packets, after(60)), Some(59));
        assert_eq!(refusals.note(Reason::Packets, after(61)), None);
    }
}
