//! Who watches which rows. Only views that somebody watches are computed, and
//! each once, however many watch it. Pure.
//!
//! Whoever subscribes between two ticks is shown the board of that moment, which
//! no frame may ever show: what happened since may be undone by the next tick.
//! Deltas between frames do not speak of it then. So those who were shown such a
//! moment are noted, and shown all rows again with the tick.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use serde_json::value::RawValue;
use socketioxide::socket::Sid;

use super::{
    frames::{Frames, Moment},
    view::{Mode, View},
};

/// Ticks that are remembered: a minute of them, while something happens all the
/// time. Whoever comes back with the board of an earlier one is shown all rows,
/// unless it is the latest frame.
const TICKS: usize = 600;

/// Pages that are watched at once in all. Each is looked at in every tick.
const PAGES: usize = 1000;

/// Of these, so many before the last are only for pages that have rows: whoever watches
/// pages beyond the end of the board, of which there are any number, takes none of them.
const WITH_ROWS: usize = 500;

/// Pages that the sockets of one address watch at once.
const PAGES_OF_ADDRESS: usize = 100;

/// See the module.
pub(super) struct Watching {
    /// The `seq` of the board at the latest ticks, in order.
    ticks: VecDeque<u64>,
    last_tick: Moment,
    /// Sockets that were shown the board between two ticks.
    between: Vec<Sid>,
    sockets: HashMap<Sid, Watch>,
    /// The visible board, which is always kept.
    top: Watched,
    pages: HashMap<u64, Watched>,
    /// Which pages an address watches, and by how many sockets each.
    addresses: HashMap<IpAddr, HashMap<u64, usize>>,
}

/// What a socket watches: one view at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    /// Of the socket, if it is limited.
    address: Option<IpAddr>,
    pub(super) view: View,
    pub(super) mode: Mode,
    /// The socket is slow, and in no room: it has seen the frames up to here, or none
    /// of which can be said what became of it, if it is 0.
    pub(super) behind: Option<u64>,
    /// The socket was shown the board of this moment, since the last tick.
    between: Option<Moment>,
}

/// A view, and who watches it.
pub(super) struct Watched {
    pub(super) frames: Frames,
    /// How many watch it, slow or not.
    watchers: usize,
    /// Who is in its rooms.
    full: HashSet<Sid>,
    delta: HashSet<Sid>,
    /// All rows as of that moment, as they were told somebody who asked.
    rows: Option<(Moment, Arc<RawValue>)>,
}

impl Watched {
    fn new(frames: Frames) -> Watched {
        Watched {
            frames,
            watchers: 0,
            full: HashSet::new(),
            delta: HashSet::new(),
            rows: None,
        }
    }

    /// Who is sent its frames in this mode.
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

impl Watching {
    /// Nobody watches.
    pub(super) fn new(top: Frames, now: Moment) -> Watching {
        Watching {
            ticks: VecDeque::from([now.seq]),
            last_tick: now,
            between: Vec::new(),
            sockets: HashMap::new(),
            top: Watched::new(top),
            pages: HashMap::new(),
            addresses: HashMap::new(),
        }
    }

    /// May a socket watch this view, which has rows or is a page beyond the end? Its
    /// address is named if that is limited.
    pub(super) fn may_watch(
        &self,
        sid: Sid,
        address: Option<IpAddr>,
        view: View,
        has_rows: bool,
    ) -> bool {
        let Some(page) = view.page() else {
            return true;
        };
        // It leaves the page that it watches now: that may be one less.
        let left = self.sockets.get(&sid).and_then(|watch| watch.view.page());
        let watchers = |page: &u64| self.pages.get(page).map(|it| it.watchers);
        let most = if has_rows { PAGES } else { PAGES - WITH_ROWS };
        let of_address = address.and_then(|address| self.addresses.get(&address));
        has_room(page, left, self.pages.len(), watchers, most)
            && of_address.is_none_or(|pages| {
                let watchers = |page: &u64| pages.get(page).copied();
                has_room(page, left, pages.len(), watchers, PAGES_OF_ADDRESS)
            })
    }

    /// A socket watches a view from now on, and what it watched before no more.
    /// If it is the first there, `frames` makes the first frame.
    pub(super) fn watch(
        &mut self,
        sid: Sid,
        address: Option<IpAddr>,
        view: View,
        mode: Mode,
        frames: impl FnOnce() -> Frames,
    ) -> &mut Frames {
        self.leave(sid);
        if let (Some(address), Some(page)) = (address, view.page()) {
            let pages = self.addresses.entry(address).or_default();
            *pages.entry(page).or_default() += 1;
        }
        let watch = Watch {
            address,
            view,
            mode,
            behind: None,
            between: None,
        };
        self.sockets.insert(sid, watch);
        let watched = match view {
            View::Top => &mut self.top,
            View::Page(page) => self
                .pages
                .entry(page)
                .or_insert_with(|| Watched::new(frames())),
        };
        watched.watchers += 1;
        watched.room_mut(mode).insert(sid);
        &mut watched.frames
    }

    /// A socket is slow: it leaves the rooms of what it watches, of which it has seen
    /// the frames up to the latest. Of one that was shown the board between two ticks,
    /// that cannot be said.
    pub(super) fn fall_behind(&mut self, sid: Sid) {
        let Some(watch) = self.sockets.get(&sid).copied() else {
            return;
        };
        let latest = self.frames(watch.view).map_or(0, |it| it.data().seq);
        self.set_behind(sid, if watch.between.is_some() { 0 } else { latest });
    }

    /// A slow socket watches something of which it has seen nothing.
    pub(super) fn begin_behind(&mut self, sid: Sid) {
        self.set_behind(sid, 0);
    }

    fn set_behind(&mut self, sid: Sid, seen: u64) {
        if let Some(watch) = self.sockets.get_mut(&sid) {
            watch.behind = Some(seen);
            let Watch { view, mode, .. } = *watch;
            if let Some(watched) = self.view_mut(view) {
                watched.room_mut(mode).remove(&sid);
            }
        }
    }

    /// A slow socket is back in the rooms of what it watches. Says what that is, and up
    /// to where it has seen it.
    pub(super) fn catch_up(&mut self, sid: Sid) -> Option<(View, Mode, u64)> {
        let watch = self.sockets.get_mut(&sid)?;
        let seen = watch.behind.take()?;
        let Watch { view, mode, .. } = *watch;
        if let Some(watched) = self.view_mut(view) {
            watched.room_mut(mode).insert(sid);
        }
        Some((view, mode, seen))
    }

    /// A socket watches nothing any more. Says what it watched.
    pub(super) fn leave(&mut self, sid: Sid) -> Option<Watch> {
        let watch = self.sockets.remove(&sid)?;
        if let Some(watched) = self.view_mut(watch.view) {
            watched.watchers -= 1;
            watched.room_mut(watch.mode).remove(&sid);
        }
        if let View::Page(page) = watch.view
            && self.pages.get(&page).is_some_and(|it| it.watchers == 0)
        {
            self.pages.remove(&page);
        }
        self.leave_page_of_address(watch);
        Some(watch)
    }

    fn leave_page_of_address(&mut self, watch: Watch) {
        if let (Some(address), Some(page)) = (watch.address, watch.view.page())
            && let Some(pages) = self.addresses.get_mut(&address)
            && let Some(watchers) = pages.get_mut(&page)
        {
            *watchers -= 1;
            if *watchers == 0 {
                pages.remove(&page);
            }
            if pages.is_empty() {
                self.addresses.remove(&address);
            }
        }
    }

    /// All rows of a view, if they were told as of this very moment.
    pub(super) fn rows(&self, view: View, now: Moment) -> Option<Arc<RawValue>> {
        let (then, rows) = self.watched(view)?.rows.as_ref()?;
        (*then == now).then(|| rows.clone())
    }

    /// Keeps all rows of a view that are told as of this moment.
    pub(super) fn keep_rows(&mut self, view: View, now: Moment, rows: &Arc<RawValue>) {
        if let Some(watched) = self.view_mut(view) {
            watched.rows = Some((now, rows.clone()));
        }
    }

    /// The log is another: makes every view anew. Nobody has seen anything of it.
    pub(super) fn begin_anew(&mut self, now: Moment, frames: impl Fn(View) -> Frames) {
        self.ticks = VecDeque::from([now.seq]);
        self.last_tick = now;
        self.between.clear();
        for watch in self.sockets.values_mut() {
            watch.between = None;
            watch.behind = watch.behind.and(Some(0));
        }
        for (view, watched) in self.views() {
            watched.frames = frames(view);
        }
    }

    /// Notes a tick. Says who was shown the board between the last one and this, as
    /// it is no more.
    pub(super) fn ticked(&mut self, now: Moment) -> Vec<(Sid, Watch)> {
        let seq = now.seq;
        self.last_tick = now;
        if self.ticks.back() != Some(&seq) {
            self.ticks.push_back(seq);
        }
        if self.ticks.len() > TICKS {
            self.ticks.pop_front();
        }
        let mut outdated = Vec::new();
        for sid in std::mem::take(&mut self.between) {
            if let Some(watch) = self.sockets.get_mut(&sid)
                && watch.between.take().is_some_and(|shown| shown != now)
            {
                outdated.push((sid, *watch));
            }
        }
        outdated
    }

    /// The last tick: the frames are true as of then.
    pub(super) fn last_tick(&self) -> Moment {
        self.last_tick
    }

    /// Was the board at `seq` when there was a tick?
    pub(super) fn is_tick(&self, seq: u64) -> bool {
        self.ticks.binary_search(&seq).is_ok()
    }

    /// Notes that a socket was shown the board as of now.
    pub(super) fn shown(&mut self, sid: Sid, now: Moment) {
        if self.last_tick != now
            && let Some(watch) = self.sockets.get_mut(&sid)
        {
            watch.between = Some(now);
            self.between.push(sid);
        }
    }

    /// A view, if it is computed.
    pub(super) fn watched(&self, view: View) -> Option<&Watched> {
        match view {
            View::Top => Some(&self.top),
            View::Page(page) => self.pages.get(&page),
        }
    }

    /// The frames of a view, if it is computed.
    pub(super) fn frames(&self, view: View) -> Option<&Frames> {
        self.watched(view).map(|watched| &watched.frames)
    }

    /// The visible board.
    pub(super) fn top(&self) -> &Frames {
        &self.top.frames
    }

    /// All views that are computed.
    pub(super) fn views(&mut self) -> impl Iterator<Item = (View, &mut Watched)> {
        let pages = self.pages.iter_mut();
        std::iter::once((View::Top, &mut self.top))
            .chain(pages.map(|(page, watched)| (View::Page(*page), watched)))
    }

    fn view_mut(&mut self, view: View) -> Option<&mut Watched> {
        match view {
            View::Top => Some(&mut self.top),
            View::Page(page) => self.pages.get_mut(&page),
        }
    }
}

/// Is a page among these, or is there room for it when the page that is left has lost
/// a watcher?
fn has_room(
    page: u64,
    left: Option<u64>,
    pages: usize,
    watchers: impl Fn(&u64) -> Option<usize>,
    most: usize,
) -> bool {
    let is_freed = left.is_some_and(|left| watchers(&left) == Some(1));
    watchers(&page).is_some() || pages - usize::from(is_freed) < most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Board, Epoch, Rules, Timestamp};

    fn frames(view: View) -> Frames {
        Frames::new(view, Epoch(1), &Board::new(Rules::default()))
    }

    fn watching() -> Watching {
        Watching::new(frames(View::Top), tick(0))
    }

    fn tick(seq: u64) -> Moment {
        Moment {
            epoch: Epoch(1),
            seq,
            at: Timestamp(0),
        }
    }

    fn computed(watching: &mut Watching) -> Vec<View> {
        watching.views().map(|(view, _)| view).collect()
    }

    #[test]
    fn a_page_is_computed_while_somebody_watches_it() {
        let mut watching = watching();
        let [one, other] = [Sid::new(), Sid::new()];
        let page = View::Page(7);
        for sid in [one, other] {
            watching.watch(sid, None, page, Mode::Full, || frames(page));
        }
        assert_eq!(computed(&mut watching), [View::Top, page]);
        // A socket watches one view at a time.
        watching.watch(one, None, View::Top, Mode::Delta, || frames(View::Top));
        assert_eq!(computed(&mut watching), [View::Top, page]);
        assert_eq!(watching.leave(other).map(|watch| watch.view), Some(page));
        assert_eq!(computed(&mut watching), [View::Top]);
        assert_eq!(watching.leave(other), None);
        let top = watching.watched(View::Top).unwrap();
        assert!(top.room(Mode::Full).is_empty());
        assert_eq!(top.room(Mode::Delta), &HashSet::from([one]));
    }

    #[test]
    fn who_is_slow_is_in_no_room_and_still_watches() {
        let mut watching = watching();
        let [slow, other] = [Sid::new(), Sid::new()];
        let page = View::Page(7);
        watching.watch(slow, None, page, Mode::Delta, || frames(page));
        watching.fall_behind(slow);
        let room = |watching: &Watching| watching.watched(page).map(|it| it.delta.len());
        assert_eq!(room(&watching), Some(0), "it is computed for nobody");
        assert_eq!(watching.catch_up(slow), Some((page, Mode::Delta, 0)));
        assert_eq!(watching.catch_up(slow), None, "it is live");
        assert_eq!(room(&watching), Some(1));

        watching.ticked(tick(5));
        watching.watch(other, None, View::Top, Mode::Full, || frames(View::Top));
        watching.begin_behind(other);
        assert_eq!(watching.catch_up(other), Some((View::Top, Mode::Full, 0)));
        for sid in [slow, other] {
            watching.fall_behind(sid);
            watching.leave(sid);
            assert_eq!(watching.catch_up(sid), None);
        }
        assert_eq!(computed(&mut watching), [View::Top]);
    }

    #[test]
    fn what_was_shown_between_ticks_to_a_slow_socket_is_not_known() {
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
        let mut watching = Watching::new(top, tick(1));
        let [with_the_tick, between] = [Sid::new(), Sid::new()];
        for sid in [with_the_tick, between] {
            watching.watch(sid, None, View::Top, Mode::Full, || frames(View::Top));
        }
        watching.shown(between, tick(2));
        let mut seen = |sid| {
            watching.fall_behind(sid);
            watching.catch_up(sid).map(|(_, _, seen)| seen)
        };
        assert_eq!(seen(with_the_tick), Some(1));
        assert_eq!(seen(between), Some(0));
    }

    #[test]
    fn whoever_saw_the_board_between_two_ticks_is_known_at_the_next() {
        let mut watching = watching();
        let sids: [Sid; 4] = std::array::from_fn(|_| Sid::new());
        for sid in sids {
            watching.watch(sid, None, View::Top, Mode::Full, || frames(View::Top));
        }
        watching.ticked(tick(5));
        let [with_the_tick, before_a_change, after_all, left] = sids;
        watching.shown(with_the_tick, tick(5));
        watching.shown(before_a_change, tick(6));
        watching.shown(left, tick(6));
        watching.shown(after_all, tick(9));
        watching.leave(left);
        let outdated = watching.ticked(tick(9));
        let outdated: Vec<Sid> = outdated.into_iter().map(|(sid, _)| sid).collect();
        assert_eq!(outdated, [before_a_change]);
        assert!(watching.ticked(tick(12)).is_empty());
    }

    #[test]
    fn of_another_log_nobody_has_seen_anything() {
        let mut watching = watching();
        let [between, lagging, other] = [Sid::new(), Sid::new(), Sid::new()];
        let page = View::Page(7);
        watching.watch(between, None, View::Top, Mode::Full, || frames(View::Top));
        watching.watch(lagging, None, page, Mode::Delta, || frames(page));
        watching.watch(other, None, page, Mode::Full, || frames(page));
        watching.ticked(tick(5));
        watching.shown(between, tick(6));
        watching.set_behind(lagging, 4);

        // As far as the log was that is no more.
        let now = Moment {
            epoch: Epoch(2),
            ..tick(5)
        };
        let board = Board::new(Rules::default());
        watching.begin_anew(now, |view| Frames::new(view, Epoch(2), &board));
        for view in [View::Top, page] {
            let epoch = &watching.frames(view).unwrap().data().epoch;
            assert_eq!(*epoch, Epoch(2).to_string());
        }
        assert_eq!(watching.catch_up(lagging), Some((page, Mode::Delta, 0)));
        assert_eq!(watching.catch_up(other), None);
        assert!(watching.is_tick(5) && !watching.is_tick(0));
        assert!(watching.ticked(now).is_empty(), "all are shown it anew");

        // With the same `seq`, another epoch is another moment.
        watching.shown(between, tick(5));
        let outdated = watching.ticked(now);
        assert_eq!(outdated.len(), 1);
    }

    #[test]
    fn recent_ticks_are_known() {
        let mut watching = watching();
        for seq in 1..=2000 {
            watching.ticked(tick(2 * seq));
        }
        assert!(watching.is_tick(4000) && watching.is_tick(3000));
        assert!(!watching.is_tick(3999) && !watching.is_tick(2));
        // The last 600.
        assert!(watching.is_tick(2802) && !watching.is_tick(2800));
        assert_eq!(watching.ticks.len(), 600);
    }

    /// Who came, so many at a time, of the sockets that want a page each from this one on.
    fn come(
        watching: &mut Watching,
        address: Option<u8>,
        pages: std::ops::Range<u64>,
        has_rows: bool,
    ) -> Vec<Sid> {
        let address = address.map(|n| IpAddr::from([192, 0, 2, n]));
        let come = |page| {
            let (sid, view) = (Sid::new(), View::Page(page));
            let may = watching.may_watch(sid, address, view, has_rows);
            may.then(|| {
                watching.watch(sid, address, view, Mode::Full, || frames(view));
                sid
            })
        };
        pages.filter_map(come).collect()
    }

    #[test]
    fn a_class_looks_at_all_pages_of_a_school() {
        let mut watching = watching();
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        let mut class = come(&mut watching, Some(1), 0..100, true);
        assert_eq!(class.len(), 100);
        for page in 0..100 {
            let view = View::Page(page);
            for &sid in &class {
                assert!(watching.may_watch(sid, address, view, true));
                watching.watch(sid, address, view, Mode::Delta, || frames(view));
            }
        }
        assert_eq!(watching.pages.len(), 1);
        for sid in class.drain(..) {
            watching.leave(sid);
        }
        assert!(watching.addresses.is_empty() && watching.pages.is_empty());
    }

    #[test]
    fn one_address_watches_so_many_pages_and_others_as_many() {
        let mut watching = watching();
        let address = |n| Some(IpAddr::from([192, 0, 2, n]));
        let first = come(&mut watching, Some(1), 0..150, true);
        assert_eq!(first.len(), 100);
        assert_eq!(come(&mut watching, Some(2), 50..200, true).len(), 100);
        assert_eq!(come(&mut watching, None, 0..300, true).len(), 300);
        // A watcher goes on to another page, if nobody else of theirs stays behind.
        let (alone, page) = (first[7], View::Page(900));
        assert!(watching.may_watch(alone, address(1), page, true));
        let beside = Sid::new();
        let seventh = View::Page(7);
        watching.watch(beside, address(1), seventh, Mode::Full, || frames(seventh));
        assert!(!watching.may_watch(alone, address(1), page, true));
        assert!(watching.may_watch(alone, address(1), View::Top, true));
    }

    #[test]
    fn pages_beyond_the_end_take_no_place_of_those_with_rows() {
        let mut watching = watching();
        let end = u64::MAX;
        let beyond = (1..=20).map(|n| {
            let from = end - 1000 * u64::from(n);
            come(&mut watching, Some(n), from..from + 150, false).len()
        });
        assert_eq!(beyond.sum::<usize>(), 500);
        assert_eq!(come(&mut watching, Some(100), 0..100, true).len(), 100);
        assert_eq!(come(&mut watching, None, 100..2000, true).len(), 400);
        assert_eq!(watching.pages.len(), 1000);
        assert_eq!(come(&mut watching, Some(101), 0..100, true).len(), 100);
        assert_eq!(come(&mut watching, Some(101), 1000..1001, true).len(), 0);
    }
}
