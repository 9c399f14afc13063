//! Which sockets subscribe to which views. Only views with subscribers are computed, and
//! each once, however many subscribe to it; the visible board always is.
//!
//! A client that subscribes between two ticks is sent the board as of then, which no frame
//! may ever show: the next tick may find it undone. Deltas from frame to frame leave it out
//! then. So subscriptions of such sockets are marked, and all their rows are sent again
//! with the tick.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use serde_json::value::RawValue;
use socketioxide::socket::Sid;

use super::{
    frames::Frames,
    page_limits::{PageLimits, has_room_in_all},
    tick_history::TickHistory,
    version::BoardVersion,
};
use crate::hub::view::{Mode, View};

/// See the module.
pub(super) struct Subscriptions {
    sockets: HashMap<Sid, Subscription>,
    ticks: TickHistory,
    /// Sockets that were sent the board as of a version after the latest tick.
    off_tick: Vec<Sid>,
    top: WatchedView,
    pages: HashMap<u64, WatchedView>,
    page_limits: PageLimits,
}

/// The subscription of a socket: one view at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) view: View,
    pub(super) mode: Mode,
    /// Of the socket, if it is limited.
    address: Option<IpAddr>,
    progress: Progress,
    /// The version that the socket was sent since the latest tick.
    off_tick: Option<BoardVersion>,
}

impl Subscription {
    /// Is its socket a slow consumer?
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.progress, Progress::Paused(_))
    }
}

/// Whether a socket is sent the frames of its view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It is, with its room.
    Live,
    /// Its client is slow: it is in no room, and has received this.
    Paused(Seen),
}

/// What a client has received of its view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing, or nothing from which a delta leads to the newest frame.
    Unknown,
    /// All frames up to the one with this `seq`.
    UpTo(u64),
}

/// A view that is computed, and its subscribers.
pub(super) struct WatchedView {
    pub(super) frames: Frames,
    /// How many subscribe to it, live or paused.
    subscribers: usize,
    /// Who is in its rooms.
    full: HashSet<Sid>,
    delta: HashSet<Sid>,
    /// All rows as of that version, as they were sent to a socket.
    snapshot: Option<(BoardVersion, Arc<RawValue>)>,
}

impl WatchedView {
    fn new(frames: Frames) -> WatchedView {
        WatchedView {
            frames,
            subscribers: 0,
            full: HashSet::new(),
            delta: HashSet::new(),
            snapshot: None,
        }
    }

    /// The sockets that are sent its frames in this mode.
    pub(super) fn room(&self, mode: Mode) -> &HashSet<Sid> {
        match mode {
            Mode::Full => &self.full,
            Mode::Delta => &self.delta,
        }
    }

    fn room_mut(&mut self, mode: Mode) -> &mut HashSet<Sid> {
        match mode {
            Mode::Full => &mut self.full,
            Mode::Delta => &mut self.delta,
        }
    }
}

impl Subscriptions {
    /// No subscriptions.
    pub(super) fn new(top: Frames, version: BoardVersion) -> Subscriptions {
        Subscriptions {
            sockets: HashMap::new(),
            ticks: TickHistory::new(version),
            off_tick: Vec::new(),
            top: WatchedView::new(top),
            pages: HashMap::new(),
            page_limits: PageLimits::default(),
        }
    }

    /// May a socket subscribe to this view, which has rows or is a page beyond the end? Its
    /// address is given if that is limited.
    pub(super) fn allows(
        &self,
        sid: Sid,
        address: Option<IpAddr>,
        view: View,
        has_rows: bool,
    ) -> bool {
        let Some(page) = view.page() else {
            return true;
        };
        let left = self.sockets.get(&sid).and_then(|it| it.view.page());
        let subscribers = |page: u64| self.pages.get(&page).map(|it| it.subscribers);
        has_room_in_all(page, has_rows, left, self.pages.len(), subscribers)
            && address.is_none_or(|address| self.page_limits.allows(address, page, left))
    }

    /// A socket subscribes to a view, and no longer to another. If it is the first there,
    /// `frames` makes the first frame.
    pub(super) fn add(
        &mut self,
        sid: Sid,
        address: Option<IpAddr>,
        view: View,
        mode: Mode,
        frames: impl FnOnce() -> Frames,
    ) -> &mut Frames {
        self.remove(sid);
        if let (Some(address), Some(page)) = (address, view.page()) {
            self.page_limits.add(address, page);
        }
        let subscription = Subscription {
            view,
            mode,
            address,
            progress: Progress::Live,
            off_tick: None,
        };
        self.sockets.insert(sid, subscription);
        let watched = match view {
            View::Top => &mut self.top,
            View::Page(page) => self
                .pages
                .entry(page)
                .or_insert_with(|| WatchedView::new(frames())),
        };
        watched.subscribers += 1;
        watched.room_mut(mode).insert(sid);
        &mut watched.frames
    }

    /// A socket subscribes no longer. Returns its subscription.
    pub(super) fn remove(&mut self, sid: Sid) -> Option<Subscription> {
        let subscription = self.sockets.remove(&sid)?;
        let Subscription {
            view,
            mode,
            address,
            ..
        } = subscription;
        if let Some(watched) = self.view_mut(view) {
            watched.subscribers -= 1;
            watched.room_mut(mode).remove(&sid);
        }
        if let Some(page) = view.page() {
            if self.pages.get(&page).is_some_and(|it| it.subscribers == 0) {
                self.pages.remove(&page);
            }
            if let Some(address) = address {
                self.page_limits.remove(address, page);
            }
        }
        Some(subscription)
    }

    /// The client of a socket is slow: the socket leaves its rooms. It has received all
    /// frames up to the latest, unless it was sent the board between two ticks.
    pub(super) fn pause(&mut self, sid: Sid) {
        let Some(subscription) = self.sockets.get(&sid) else {
            return;
        };
        let latest = self.frames(subscription.view).map(|it| it.data().seq);
        let latest = latest.filter(|_| subscription.off_tick.is_none());
        self.pause_at(sid, latest.map_or(Seen::Unknown, Seen::UpTo));
    }

    /// The same, of a socket that has received this.
    pub(super) fn pause_at(&mut self, sid: Sid, seen: Seen) {
        if let Some(subscription) = self.sockets.get_mut(&sid) {
            subscription.progress = Progress::Paused(seen);
            let Subscription { view, mode, .. } = *subscription;
            if let Some(watched) = self.view_mut(view) {
                watched.room_mut(mode).remove(&sid);
            }
        }
    }

    /// A paused socket is in its rooms again. Returns its view, and what it has received.
    pub(super) fn resume(&mut self, sid: Sid) -> Option<(View, Mode, Seen)> {
        let subscription = self.sockets.get_mut(&sid)?;
        let Progress::Paused(seen) = subscription.progress else {
            return None;
        };
        subscription.progress = Progress::Live;
        let Subscription { view, mode, .. } = *subscription;
        if let Some(watched) = self.view_mut(view) {
            watched.room_mut(mode).insert(sid);
        }
        Some((view, mode, seen))
    }

    /// All rows of a view as JSON, if they were sent as of this very version.
    pub(super) fn snapshot(&self, view: View, version: BoardVersion) -> Option<Arc<RawValue>> {
        let (cached, rows) = self.view(view)?.snapshot.as_ref()?;
        (*cached == version).then(|| rows.clone())
    }

    /// Caches all rows of a view that are sent as of this version.
    pub(super) fn cache_snapshot(
        &mut self,
        view: View,
        version: BoardVersion,
        rows: &Arc<RawValue>,
    ) {
        if let Some(watched) = self.view_mut(view) {
            watched.snapshot = Some((version, rows.clone()));
        }
    }

    /// The log was replaced: makes every view anew. No client has received any of it.
    pub(super) fn reset(&mut self, version: BoardVersion, frames: impl Fn(View) -> Frames) {
        self.ticks = TickHistory::new(version);
        self.off_tick.clear();
        for subscription in self.sockets.values_mut() {
            subscription.off_tick = None;
            if let Progress::Paused(seen) = &mut subscription.progress {
                *seen = Seen::Unknown;
            }
        }
        for (view, watched) in self.views_mut() {
            watched.frames = frames(view);
        }
    }

    /// Adds a tick. Returns the sockets that were sent another version since the last one.
    pub(super) fn tick(&mut self, version: BoardVersion) -> Vec<(Sid, Subscription)> {
        self.ticks.push(version);
        let mut outdated = Vec::new();
        for sid in std::mem::take(&mut self.off_tick) {
            if let Some(subscription) = self.sockets.get_mut(&sid)
                && subscription
                    .off_tick
                    .take()
                    .is_some_and(|sent| sent != version)
            {
                outdated.push((sid, *subscription));
            }
        }
        outdated
    }

    /// The recent ticks. All frames are true as of the latest.
    pub(super) fn ticks(&self) -> &TickHistory {
        &self.ticks
    }

    /// Notes that a socket is sent the board as of this version.
    pub(super) fn sent(&mut self, sid: Sid, version: BoardVersion) {
        if self.ticks.latest() != version
            && let Some(subscription) = self.sockets.get_mut(&sid)
        {
            subscription.off_tick = Some(version);
            self.off_tick.push(sid);
        }
    }

    /// A view, if it is computed.
    pub(super) fn view(&self, view: View) -> Option<&WatchedView> {
        match view {
            View::Top => Some(&self.top),
            View::Page(page) => self.pages.get(&page),
        }
    }

    fn view_mut(&mut self, view: View) -> Option<&mut WatchedView> {
        match view {
            View::Top => Some(&mut self.top),
            View::Page(page) => self.pages.get_mut(&page),
        }
    }

    /// The frames of a view, if it is computed.
    pub(super) fn frames(&self, view: View) -> Option<&Frames> {
        self.view(view).map(|watched| &watched.frames)
    }

    /// The visible board.
    pub(super) fn top(&self) -> &WatchedView {
        &self.top
    }

    /// All views that are computed.
    pub(super) fn views(&self) -> impl Iterator<Item = (View, &WatchedView)> {
        let pages = self.pages.iter();
        let pages = pages.map(|(page, watched)| (View::Page(*page), watched));
        std::iter::once((View::Top, &self.top)).chain(pages)
    }

    /// All views that are computed.
    pub(super) fn views_mut(&mut self) -> impl Iterator<Item = (View, &mut WatchedView)> {
        let pages = self.pages.iter_mut();
        let pages = pages.map(|(page, watched)| (View::Page(*page), watched));
        std::iter::once((View::Top, &mut self.top)).chain(pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Board, Epoch, Rules, Timestamp};

    fn frames(view: View) -> Frames {
        Frames::new(view, Epoch(1), &Board::new(Rules::default()))
    }

    fn no_subscriptions() -> Subscriptions {
        Subscriptions::new(frames(View::Top), tick(0))
    }

    fn tick(seq: u64) -> BoardVersion {
        BoardVersion {
            epoch: Epoch(1),
            seq,
            at: Timestamp(0),
        }
    }

    fn computed(subscriptions: &Subscriptions) -> Vec<View> {
        subscriptions.views().map(|(view, _)| view).collect()
    }

    #[test]
    fn a_page_is_computed_while_it_has_subscribers() {
        let mut subscriptions = no_subscriptions();
        let [one, other] = [Sid::new(), Sid::new()];
        let page = View::Page(7);
        for sid in [one, other] {
            subscriptions.add(sid, None, page, Mode::Full, || frames(page));
        }
        assert_eq!(computed(&subscriptions), [View::Top, page]);
        // A socket subscribes to one view at a time.
        subscriptions.add(one, None, View::Top, Mode::Delta, || frames(View::Top));
        assert_eq!(computed(&subscriptions), [View::Top, page]);
        assert_eq!(subscriptions.remove(other).map(|it| it.view), Some(page));
        assert_eq!(computed(&subscriptions), [View::Top]);
        assert_eq!(subscriptions.remove(other), None);
        let top = subscriptions.view(View::Top).unwrap();
        assert!(top.room(Mode::Full).is_empty());
        assert_eq!(top.room(Mode::Delta), &HashSet::from([one]));
    }

    #[test]
    fn a_paused_socket_is_in_no_room_and_stays_subscribed() {
        let mut subscriptions = no_subscriptions();
        let [slow, other] = [Sid::new(), Sid::new()];
        let page = View::Page(7);
        subscriptions.add(slow, None, page, Mode::Delta, || frames(page));
        subscriptions.pause(slow);
        let room =
            |subscriptions: &Subscriptions| subscriptions.view(page).map(|it| it.delta.len());
        assert_eq!(room(&subscriptions), Some(0), "its room is empty");
        assert_eq!(
            subscriptions.resume(slow),
            Some((page, Mode::Delta, Seen::UpTo(0)))
        );
        assert_eq!(subscriptions.resume(slow), None, "it is live");
        assert_eq!(room(&subscriptions), Some(1));

        subscriptions.tick(tick(5));
        subscriptions.add(other, None, View::Top, Mode::Full, || frames(View::Top));
        subscriptions.pause_at(other, Seen::Unknown);
        assert_eq!(
            subscriptions.resume(other),
            Some((View::Top, Mode::Full, Seen::Unknown))
        );
        for sid in [slow, other] {
            subscriptions.pause(sid);
            subscriptions.remove(sid);
            assert_eq!(subscriptions.resume(sid), None);
        }
        assert_eq!(computed(&subscriptions), [View::Top]);
    }

    #[test]
    fn what_a_paused_socket_was_sent_between_ticks_is_unknown() {
        let mut board = Board::new(Rules::default());
        board.apply(&crate::board::LogEntry {
            seq: crate::board::Seq::FIRST,
            at: Timestamp(0),
            fact: crate::board::Fact::UserChanged {
                user: crate::board::UserId([1; 16]),
                profile: crate::board::Profile {
                    username: "A".into(),
                    avatar: None,
                },
            },
        });
        let top = Frames::new(View::Top, Epoch(1), &board);
        let mut subscriptions = Subscriptions::new(top, tick(1));
        let [with_the_tick, between] = [Sid::new(), Sid::new()];
        for sid in [with_the_tick, between] {
            subscriptions.add(sid, None, View::Top, Mode::Full, || frames(View::Top));
        }
        subscriptions.sent(between, tick(2));
        let mut seen = |sid| {
            subscriptions.pause(sid);
            subscriptions.resume(sid).map(|(_, _, seen)| seen)
        };
        assert_eq!(seen(with_the_tick), Some(Seen::UpTo(1)));
        assert_eq!(seen(between), Some(Seen::Unknown));
    }

    #[test]
    fn sockets_that_were_sent_the_board_between_ticks_are_known_at_the_next() {
        let mut subscriptions = no_subscriptions();
        let sids: [Sid; 4] = std::array::from_fn(|_| Sid::new());
        for sid in sids {
            subscriptions.add(sid, None, View::Top, Mode::Full, || frames(View::Top));
        }
        subscriptions.tick(tick(5));
        let [with_the_tick, before_a_change, after_all, left] = sids;
        subscriptions.sent(with_the_tick, tick(5));
        subscriptions.sent(before_a_change, tick(6));
        subscriptions.sent(left, tick(6));
        subscriptions.sent(after_all, tick(9));
        subscriptions.remove(left);
        let outdated = subscriptions.tick(tick(9));
        let outdated: Vec<Sid> = outdated.into_iter().map(|(sid, _)| sid).collect();
        assert_eq!(outdated, [before_a_change]);
        assert!(subscriptions.tick(tick(12)).is_empty());
    }

    #[test]
    fn of_another_log_no_socket_has_received_anything() {
        let mut subscriptions = no_subscriptions();
        let [between, paused, other] = [Sid::new(), Sid::new(), Sid::new()];
        let page = View::Page(7);
        subscriptions.add(between, None, View::Top, Mode::Full, || frames(View::Top));
        subscriptions.add(paused, None, page, Mode::Delta, || frames(page));
        subscriptions.add(other, None, page, Mode::Full, || frames(page));
        subscriptions.tick(tick(5));
        subscriptions.sent(between, tick(6));
        subscriptions.pause_at(paused, Seen::UpTo(4));

        // The same `seq` as on the log before.
        let now = BoardVersion {
            epoch: Epoch(2),
            ..tick(5)
        };
        let board = Board::new(Rules::default());
        subscriptions.reset(now, |view| Frames::new(view, Epoch(2), &board));
        for view in [View::Top, page] {
            let epoch = &subscriptions.frames(view).unwrap().data().epoch;
            assert_eq!(*epoch, Epoch(2).to_string());
        }
        assert_eq!(
            subscriptions.resume(paused),
            Some((page, Mode::Delta, Seen::Unknown))
        );
        assert_eq!(subscriptions.resume(other), None);
        assert!(subscriptions.ticks().contains(5) && !subscriptions.ticks().contains(0));
        assert!(subscriptions.tick(now).is_empty(), "all are sent it anyway");

        // With the same `seq`, another epoch is another version.
        subscriptions.sent(between, tick(5));
        let outdated = subscriptions.tick(now);
        assert_eq!(outdated.len(), 1);
    }

    /// The sockets that may subscribe, of one for each of these pages.
    fn subscribe_each(
        subscriptions: &mut Subscriptions,
        address: Option<u8>,
        pages: std::ops::Range<u64>,
        has_rows: bool,
    ) -> Vec<Sid> {
        let address = address.map(|n| IpAddr::from([192, 0, 2, n]));
        let subscribe = |page| {
            let (sid, view) = (Sid::new(), View::Page(page));
            let may = subscriptions.allows(sid, address, view, has_rows);
            may.then(|| {
                subscriptions.add(sid, address, view, Mode::Full, || frames(view));
                sid
            })
        };
        pages.filter_map(subscribe).collect()
    }

    #[test]
    fn a_class_may_watch_all_pages_of_a_school() {
        let mut subscriptions = no_subscriptions();
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        let mut class = subscribe_each(&mut subscriptions, Some(1), 0..100, true);
        assert_eq!(class.len(), 100);
        for page in 0..100 {
            let view = View::Page(page);
            for &sid in &class {
                assert!(subscriptions.allows(sid, address, view, true));
                subscriptions.add(sid, address, view, Mode::Delta, || frames(view));
            }
        }
        assert_eq!(subscriptions.pages.len(), 1);
        for sid in class.drain(..) {
            subscriptions.remove(sid);
        }
        assert!(subscriptions.page_limits.is_empty() && subscriptions.pages.is_empty());
    }

    #[test]
    fn each_address_may_watch_so_many_pages() {
        let mut subscriptions = no_subscriptions();
        let address = |n| Some(IpAddr::from([192, 0, 2, n]));
        let first = subscribe_each(&mut subscriptions, Some(1), 0..150, true);
        assert_eq!(first.len(), 100);
        assert_eq!(
            subscribe_each(&mut subscriptions, Some(2), 50..200, true).len(),
            100
        );
        assert_eq!(
            subscribe_each(&mut subscriptions, None, 0..300, true).len(),
            300
        );
        // A socket may go on to another page, if no other of its address stays at the old one.
        let (alone, page) = (first[7], View::Page(900));
        assert!(subscriptions.allows(alone, address(1), page, true));
        let beside = Sid::new();
        let seventh = View::Page(7);
        subscriptions.add(beside, address(1), seventh, Mode::Full, || frames(seventh));
        assert!(!subscriptions.allows(alone, address(1), page, true));
        assert!(subscriptions.allows(alone, address(1), View::Top, true));
    }

    #[test]
    fn pages_beyond_the_end_leave_room_for_those_with_rows() {
        let mut subscriptions = no_subscriptions();
        let end = u64::MAX;
        let beyond = (1..=20).map(|n| {
            let from = end - 1000 * u64::from(n);
            subscribe_each(&mut subscriptions, Some(n), from..from + 150, false).len()
        });
        assert_eq!(beyond.sum::<usize>(), 500);
        assert_eq!(
            subscribe_each(&mut subscriptions, Some(100), 0..100, true).len(),
            100
        );
        assert_eq!(
            subscribe_each(&mut subscriptions, None, 100..2000, true).len(),
            400
        );
        assert_eq!(subscriptions.pages.len(), 1000);
        assert_eq!(
            subscribe_each(&mut subscriptions, Some(101), 0..100, true).len(),
            100
        );
        assert_eq!(
            subscribe_each(&mut subscriptions, Some(101), 1000..1001, true).len(),
            0
        );
    }
}
