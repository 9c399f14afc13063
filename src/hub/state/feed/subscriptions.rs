//! Which sockets subscribe to which views of a board. Only views with subscribers are computed, and
//! each once, however many subscribe to it; the visible board always is.
//!
//! A client that subscribes between two ticks is sent the board as of then, which no frame
//! may ever show: the next tick may find it undone. Deltas from frame to frame leave it out
//! then. So subscriptions of such sockets are marked, and all their rows are sent again
//! with the tick.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde_json::value::RawValue;
use socketioxide::socket::Sid;

use super::{frames::Frames, tick_history::TickHistory, version::BoardVersion};
use crate::hub::view::{Mode, View};

/// See the module.
pub(super) struct Subscriptions {
    sockets: HashMap<Sid, Subscription>,
    ticks: TickHistory,
    /// Sockets that were sent the board as of a version after the latest tick.
    off_tick: Vec<Sid>,
    top: WatchedView,
    pages: HashMap<u64, WatchedView>,
}

/// The subscription of a socket: one view of a board at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) view: View,
    pub(super) mode: Mode,
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
        }
    }

    /// Is no socket subscribed?
    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// All sockets that are subscribed.
    pub(super) fn sockets(&self) -> impl Iterator<Item = Sid> + '_ {
        self.sockets.keys().copied()
    }

    /// What a socket is subscribed to.
    pub(super) fn view_of(&self, sid: Sid) -> Option<View> {
        self.sockets.get(&sid).map(|it| it.view)
    }

    /// A socket subscribes to a view, and no longer to another. If it is the first there,
    /// `frames` makes the first frame.
    pub(super) fn add(
        &mut self,
        sid: Sid,
        view: View,
        mode: Mode,
        frames: impl FnOnce() -> Frames,
    ) -> &mut Frames {
        self.remove(sid);
        let subscription = Subscription {
            view,
            mode,
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
        let Subscription { view, mode, .. } = subscription;
        if let Some(watched) = self.view_mut(view) {
            watched.subscribers -= 1;
            watched.room_mut(mode).remove(&sid);
        }
        if let Some(page) = view.page()
            && self.pages.get(&page).is_some_and(|it| it.subscribers == 0)
        {
            self.pages.remove(&page);
        }
        Some(subscription)
    }

    /// The client of a socket is slow: the socket leaves its rooms. It has received all
    /// frames up to the latest, unless it was sent the board between two ticks.
    pub(super) fn pause(&mut self, sid: Sid) {
        let subscription = self.sockets.get(&sid);
        let Some(subscription) = subscription.filter(|it| !it.is_paused()) else {
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

    /// The board is another: makes every view anew. No client has received any of it.
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
    use crate::{
        board::{Epoch, Fact, Profile, Rules, Settings, Timestamp, UserId},
        live::testing::Log,
    };

    fn no_actions() -> Log {
        Log::new(Settings::main(Rules::default()))
    }

    fn frames(view: View) -> Frames {
        Frames::new(view, Epoch(1), no_actions().main())
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
            subscriptions.add(sid, page, Mode::Full, || frames(page));
        }
        assert_eq!(computed(&subscriptions), [View::Top, page]);
        // A socket subscribes to one view of a board at a time.
        subscriptions.add(one, View::Top, Mode::Delta, || frames(View::Top));
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
        subscriptions.add(slow, page, Mode::Delta, || frames(page));
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
        subscriptions.add(other, View::Top, Mode::Full, || frames(View::Top));
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
        let mut log = no_actions();
        log.add(Fact::UserChanged {
            user: UserId([1; 16]),
            profile: Profile {
                username: "A".into(),
                avatar: None,
            },
        });
        let top = Frames::new(View::Top, Epoch(1), log.main());
        let mut subscriptions = Subscriptions::new(top, tick(1));
        let [with_the_tick, between] = [Sid::new(), Sid::new()];
        for sid in [with_the_tick, between] {
            subscriptions.add(sid, View::Top, Mode::Full, || frames(View::Top));
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
            subscriptions.add(sid, View::Top, Mode::Full, || frames(View::Top));
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
        subscriptions.add(between, View::Top, Mode::Full, || frames(View::Top));
        subscriptions.add(paused, page, Mode::Delta, || frames(page));
        subscriptions.add(other, page, Mode::Full, || frames(page));
        subscriptions.tick(tick(5));
        subscriptions.sent(between, tick(6));
        subscriptions.pause_at(paused, Seen::UpTo(4));

        // The same `seq` as on the log before.
        let now = BoardVersion {
            epoch: Epoch(2),
            ..tick(5)
        };
        let log = no_actions();
        subscriptions.reset(now, |view| Frames::new(view, Epoch(2), log.main()));
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

    #[test]
    fn a_socket_that_is_paused_twice_has_received_what_it_had() {
        let mut subscriptions = no_subscriptions();
        let sid = Sid::new();
        subscriptions.add(sid, View::Top, Mode::Full, || frames(View::Top));
        subscriptions.pause_at(sid, Seen::Unknown);
        subscriptions.pause(sid);
        assert_eq!(
            subscriptions.resume(sid),
            Some((View::Top, Mode::Full, Seen::Unknown))
        );
    }
}
