//! Which sockets are due a heartbeat: those that asked for it and were sent nothing for a
//! while. What a socket is sent meanwhile only puts it off, when it is checked next, so a
//! busy socket costs one check in that while.

use std::collections::{BTreeSet, HashMap};

use socketioxide::socket::Sid;
use tokio::time::{Duration, Instant};

/// For how long a socket is sent nothing before it is sent a heartbeat.
pub(super) const QUIET: Duration = Duration::from_secs(5);

/// Between two checks: sockets that are due within it share one frame.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Default)]
pub(super) struct Heartbeats {
    sockets: HashMap<Sid, Instant>,
    /// The same, by when each is checked.
    due: BTreeSet<(Instant, Sid)>,
    /// When they were checked last.
    checked: Option<Instant>,
}

impl Heartbeats {
    /// A socket, which is sent something now, is sent heartbeats from now on.
    pub(super) fn add(&mut self, sid: Sid, now: Instant) {
        self.check_at(sid, now + QUIET);
    }

    /// A socket is not sent them any more.
    pub(super) fn remove(&mut self, sid: Sid) {
        if let Some(due) = self.sockets.remove(&sid) {
            self.due.remove(&(due, sid));
        }
    }

    /// When to check, if any socket is sent heartbeats.
    pub(super) fn due(&self) -> Option<Instant> {
        let (due, _) = self.due.first()?;
        let next = self.checked.map(|checked| checked + CHECK_INTERVAL);
        Some(next.map_or(*due, |next| next.max(*due)))
    }

    /// Takes the sockets that were sent nothing for [`QUIET`], as `last_sent` says, and
    /// that are sent a heartbeat now.
    pub(super) fn take(
        &mut self,
        now: Instant,
        last_sent: impl Fn(Sid) -> Option<Instant>,
    ) -> Vec<Sid> {
        self.checked = Some(now);
        let mut quiet = Vec::new();
        while let Some(&(_, sid)) = self.due.first().filter(|(due, _)| *due <= now) {
            let quiet_at = last_sent(sid).map_or(now, |sent| sent + QUIET);
            if quiet_at <= now {
                quiet.push(sid);
                self.check_at(sid, now + QUIET);
            } else {
                self.check_at(sid, quiet_at);
            }
        }
        quiet
    }

    fn check_at(&mut self, sid: Sid, at: Instant) {
        self.remove(sid);
        self.sockets.insert(sid, at);
        self.due.insert((at, sid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks whenever it is due, until then; returns who is quiet, and when, in milliseconds.
    fn run(
        it: &mut Heartbeats,
        begun: Instant,
        until: u64,
        last_sent: impl Fn(Sid, Instant) -> Option<Instant>,
    ) -> Vec<(u64, Sid)> {
        let mut beats = Vec::new();
        while let Some(now) = it.due() {
            let time = (now - begun).as_millis() as u64;
            if time > until {
                break;
            }
            let quiet = it.take(now, |sid| last_sent(sid, now));
            beats.extend(quiet.into_iter().map(|sid| (time, sid)));
        }
        beats
    }

    #[test]
    fn a_quiet_socket_is_due_every_five_seconds_and_a_busy_one_never() {
        let [quiet, busy] = [Sid::new(), Sid::new()];
        let begun = Instant::now();
        let mut it = Heartbeats::default();
        for sid in [quiet, busy] {
            it.add(sid, begun);
        }
        let last_sent = |sid, now| (sid == busy).then(|| now - Duration::from_millis(30));
        let beats = run(&mut it, begun, 500_000, last_sent);
        assert!(beats.iter().all(|(_, sid)| *sid == quiet));
        let times: Vec<u64> = beats.into_iter().map(|(time, _)| time).collect();
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        assert_eq!(times[0], 5_000);
        assert!(gaps.clone().all(|gap| (5_000..=5_100).contains(&gap)));
        assert!(gaps.count() >= 97);
    }

    #[test]
    fn what_a_socket_is_sent_puts_its_heartbeat_off() {
        let sid = Sid::new();
        let begun = Instant::now();
        let mut it = Heartbeats::default();
        it.add(sid, begun);
        let sent = begun + Duration::from_secs(3);
        assert_eq!(
            run(&mut it, begun, 12_900, |_, _| Some(sent))[0],
            (8_000, sid)
        );
        it.remove(sid);
        assert_eq!(it.due(), None);
    }

    #[test]
    fn sockets_that_are_due_at_almost_the_same_time_share_a_check() {
        let begun = Instant::now();
        let mut it = Heartbeats::default();
        for n in 0..1_000 {
            it.add(Sid::new(), begun + Duration::from_millis(n));
        }
        let beats = run(&mut it, begun, 6_200, |_, _| None);
        assert_eq!(beats.len(), 1_000);
        let mut checks: Vec<u64> = beats.into_iter().map(|(time, _)| time).collect();
        checks.dedup();
        assert!(checks.len() <= 11, "{checks:?}");
    }
}
