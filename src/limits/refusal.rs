//! Why clients are refused, as operators see it: a metric by reason, and a line in the
//! log for each reason once a minute, however many are refused.

use std::{collections::HashMap, fmt, net::IpAddr, sync::Arc, time::Instant};

use parking_lot::Mutex;

use crate::{log_throttle::LogThrottle, metrics::Metrics};

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
    /// Packets or bytes of all sessions of an address, or of all there are: not refused,
    /// but read later.
    Pauses,
    /// Heads of requests that are too large, or do not name one host.
    Heads,
    /// Events of one user within a minute.
    Events,
    /// Sockets that one user begins within a minute.
    Handshakes,
    /// Sockets of one user at once.
    SocketsOfUser,
    /// Events that wait for the hub: of one socket, of one address or in all.
    WaitingEvents,
    /// Sockets that are new while too much waits for the hub, and are closed.
    NewSockets,
    /// Pages of the board that are watched at once: by one address or in all.
    Pages,
    /// Requests to the hub that other sites make a browser send.
    CrossSite,
    /// Requests for pages and the API that had no turn in time.
    Requests,
    /// Answers that a client has asked for and not read, in bytes: of one address or in all.
    UnreadAnswers,
    /// Answers that a client reads too slowly, and that are given up.
    SlowReaders,
    /// Searches for users.
    Search,
    /// Histories of users.
    History,
    /// Pages, and lists of boards and seasons.
    Render,
    /// Pictures of the board.
    Picture,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 24] = [
        Reason::Sessions,
        Reason::SessionsAtOnce,
        Reason::ConnectionsOfAddress,
        Reason::Connections,
        Reason::Connects,
        Reason::WebSockets,
        Reason::Packets,
        Reason::Bytes,
        Reason::Pauses,
        Reason::Heads,
        Reason::Events,
        Reason::Handshakes,
        Reason::SocketsOfUser,
        Reason::WaitingEvents,
        Reason::NewSockets,
        Reason::Pages,
        Reason::CrossSite,
        Reason::Requests,
        Reason::UnreadAnswers,
        Reason::SlowReaders,
        Reason::Search,
        Reason::History,
        Reason::Render,
        Reason::Picture,
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
            Reason::Pauses => "pauses",
            Reason::Heads => "heads",
            Reason::Events => "events",
            Reason::Handshakes => "handshakes",
            Reason::SocketsOfUser => "sockets_of_user",
            Reason::WaitingEvents => "waiting_events",
            Reason::NewSockets => "new_sockets",
            Reason::Pages => "pages",
            Reason::CrossSite => "cross_site",
            Reason::Requests => "requests",
            Reason::UnreadAnswers => "unread_answers",
            Reason::SlowReaders => "slow_readers",
            Reason::Search => "search",
            Reason::History => "history",
            Reason::Render => "render",
            Reason::Picture => "picture",
        }
    }

    /// Which key of the configuration allows more, if one does.
    fn key(self) -> Option<&'static str> {
        match self {
            Reason::Sessions => {
                Some("limits.connections_per_ip, or limits.allow for an address that many share")
            }
            Reason::SessionsAtOnce => {
                Some("limits.sockets_per_ip, or limits.allow for an address that many share")
            }
            Reason::ConnectionsOfAddress => Some("limits.connections_at_once_per_ip"),
            Reason::Packets => Some("limits.packets_per_second"),
            Reason::Bytes => Some("limits.bytes_per_second"),
            Reason::Pauses => {
                Some("limits.packets_per_second_per_ip, bytes_per_second_per_ip, …_in_all")
            }
            Reason::Connections => Some("the limit of open files (ulimit -n)"),
            Reason::Events | Reason::Handshakes => Some("limits.events_per_minute"),
            Reason::SocketsOfUser => Some("limits.sockets_per_user"),
            Reason::CrossSite => Some("http.frontend_urls"),
            Reason::Search => Some("limits.concurrent_searches"),
            Reason::History => Some("limits.concurrent_histories"),
            Reason::Render => Some("limits.concurrent_renders"),
            Reason::Connects
            | Reason::WebSockets
            | Reason::Heads
            | Reason::WaitingEvents
            | Reason::NewSockets
            | Reason::Pages
            | Reason::Requests
            | Reason::UnreadAnswers
            | Reason::SlowReaders
            | Reason::Picture => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// By which refusals are noted. Clones are the same.
#[derive(Clone)]
pub struct Refusals {
    metrics: Metrics,
    /// When each reason was written to the log.
    logged: Arc<Mutex<HashMap<Reason, LogThrottle>>>,
}

impl Refusals {
    /// Those that these metrics count.
    pub fn new(metrics: Metrics) -> Refusals {
        // From the first reading on, so that the first of each is seen.
        metrics.declare_refusals(Reason::ALL.map(Reason::label));
        Refusals {
            metrics,
            logged: Arc::default(),
        }
    }

    /// What counts them.
    #[cfg(test)]
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Counts a refusal, and writes it to the log, if its kind was not within the last
    /// minute.
    pub fn refused(&self, reason: Reason, address: Option<IpAddr>) {
        self.metrics.refused(reason.label());
        let silent = self
            .logged
            .lock()
            .entry(reason)
            .or_default()
            .allow(Instant::now());
        if let Some(silent) = silent {
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
