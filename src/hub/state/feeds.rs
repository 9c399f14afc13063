//! The feeds of the boards that somebody watches, and which boards each socket watches. A
//! board that nobody watches has none, and costs nothing. `main` always has one: users who
//! are online are sent their scores on it.
//!
//! What has changed on all boards is taken from the log at once, and added to their feeds.
//! Each has its own tick, at which it sends what was added.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
    time::Duration,
};

use app::wire::UserScoreUpdate;
use socketioxide::socket::Sid;
use tokio::time::Instant;

use super::{
    Now,
    delivery::Delivery,
    feed::{BoardFeed, Look},
    page_limits::{Page, PageLimits},
    presence::Presence,
};
use crate::{
    board::{Announcement, BoardId, Changes, Epoch, State, Tick, UserId, Who},
    config::AchievementsTable,
    hub::{
        connection::MOST_BOARDS,
        events::Subscribe,
        message::Payload,
        view::{Mode, View},
    },
    live::Live,
};

/// Between two takes of what has changed, where there is more than one feed: by so much the
/// first change of a quiet board may be late while much happens on others.
const TAKE: Duration = Duration::from_millis(10);

/// Feeds that send in one event of the hub; others go first in the next, after what has come
/// meanwhile. Between two events it is seen whose clients keep up: so what these send, with
/// up to six packets each, is not more than the library has room for.
const SENT_AT_ONCE: usize = 8;

/// See the module.
pub(in crate::hub) struct Feeds {
    live: Live,
    main: BoardFeed,
    others: HashMap<BoardId, BoardFeed>,
    sockets: HashMap<Sid, SocketBoards>,
    page_limits: PageLimits,
    /// Of the others, those that may have something to send or to look for.
    active: HashSet<BoardId>,
    news: News,
    /// Is something on the log that was not taken?
    has_log_grown: bool,
    takes: Tick,
    /// `takes` counts from here.
    started: Instant,
}

/// What a socket watches.
#[derive(Default)]
struct SocketBoards {
    /// Of the socket, if it is limited.
    address: Option<IpAddr>,
    /// The boards whose rows it is sent. In this order a slow consumer is sent them again.
    boards: Vec<Watched>,
    /// The boards beside `main` on which it is sent a score: that of its user, or of their team.
    scores: Vec<(BoardId, Who)>,
}

struct Watched {
    board: BoardId,
    /// Did its client ask for heartbeats with it?
    heartbeat: bool,
}

/// Why a socket may not watch more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    OfBoards,
    OfPages,
}

/// What is new on the log that does not concern the watchers of one board.
#[derive(Default)]
pub(super) struct News {
    /// The log was replaced: `announced` is all that it announces.
    pub(super) replaced: bool,
    pub(super) announced: Vec<Announcement>,
    /// Users who were deleted.
    pub(super) deleted: Vec<UserId>,
    /// Users who were hidden.
    pub(super) hidden: Vec<UserId>,
    /// Users whose tokens were revoked.
    pub(super) revoked: Vec<UserId>,
}

impl Feeds {
    /// Nobody watches any board.
    pub(super) fn new(live: Live, achievements: AchievementsTable, now: Instant) -> Feeds {
        Feeds {
            main: BoardFeed::of_main(live.clone(), achievements, now),
            live,
            others: HashMap::new(),
            sockets: HashMap::new(),
            page_limits: PageLimits::default(),
            active: HashSet::new(),
            news: News::default(),
            has_log_grown: false,
            takes: Tick::new(TAKE),
            started: now,
        }
    }

    /// Something was put on the log.
    pub(super) fn log_grew(&mut self) {
        self.has_log_grown = true;
    }

    /// Is something on the log that was not taken?
    pub(super) fn has_log_grown(&self) -> bool {
        self.has_log_grown
    }

    /// When there is something to take, to send or to look for, if there is.
    pub(super) fn tick_due(&self, now: Instant) -> Option<Instant> {
        let take = self.has_log_grown.then(|| self.take_due(now));
        let others = self.active.iter();
        let others = others.filter_map(|board| self.others.get(board)?.due(now));
        let due = take.into_iter().chain(self.main.due(now)).chain(others);
        due.min()
    }

    fn take_due(&self, now: Instant) -> Instant {
        let due = self.started + self.takes.due(now - self.started);
        if self.others.is_empty() {
            // Before it sends, there is nobody to give it to.
            return due.max(self.main.ready(now));
        }
        due
    }

    /// Takes what has changed on all boards.
    pub(super) fn take(&mut self, now: Instant) {
        self.has_log_grown = false;
        self.takes.sent(now - self.started);
        let live = self.live.clone();
        live.take_changes(|_, _, changes| self.route(changes));
    }

    /// Adds what has changed to the feeds. What has changed on boards that nobody watches
    /// is dropped.
    fn route(&mut self, changes: Changes) {
        let Changes {
            replaced,
            boards,
            announced,
            deleted,
            hidden,
            revoked,
        } = changes;
        if replaced {
            self.news.replaced = true;
            self.news.announced.clear();
            self.main.invalidate();
            for (board, feed) in &mut self.others {
                feed.invalidate();
                self.active.insert(board.clone());
            }
        }
        for (board, changes) in boards {
            if let Some(feed) = self.feed_mut(&board) {
                feed.add(changes);
                self.wake(&board);
            }
        }
        for user in &deleted {
            self.main.moved(*user);
            for feed in self.others.values_mut() {
                feed.moved(*user);
            }
        }
        self.news.announced.extend(announced);
        self.news.deleted.extend(deleted);
        self.news.hidden.extend(hidden);
        self.news.revoked.extend(revoked);
    }

    /// The boards whose feeds are to look and to send now, the one that has waited longest
    /// first.
    pub(super) fn take_due_boards(&mut self, now: Instant) -> Vec<BoardId> {
        let others = &self.others;
        let due = |board: &BoardId| others.get(board)?.due(now);
        // Those that have nothing to do have nothing to wake for.
        self.active.retain(|board| due(board).is_some());
        let mut boards: Vec<(Instant, BoardId)> = self
            .active
            .iter()
            .filter_map(|board| Some((due(board).filter(|at| *at <= now)?, board.clone())))
            .collect();
        if let Some(at) = self.main.due(now).filter(|at| *at <= now) {
            boards.push((at, self.main.board().clone()));
        }
        boards.sort_unstable();
        boards.truncate(SENT_AT_ONCE);
        boards.into_iter().map(|(_, board)| board).collect()
    }

    /// The sockets that a board is sent to; `None` where that may be any.
    pub(super) fn sockets_of(&self, board: &BoardId) -> Option<Vec<Sid>> {
        Some(self.others.get(board)?.sockets())
    }

    /// The sockets that watch the rows of a board, or are sent scores on it because they
    /// asked.
    pub(super) fn watchers_of(&self, board: &BoardId) -> Vec<Sid> {
        self.feed(board).map_or_else(Vec::new, BoardFeed::sockets)
    }

    /// Looks at a board, with all that has changed on it; `None` if it is not there any more.
    pub(super) fn look(&mut self, board: &BoardId, presence: &Presence, now: Now) -> Option<Look> {
        let live = self.live.clone();
        live.take_changes(|epoch, state, changes| {
            self.route(changes);
            let feed = self.feed_mut(board)?;
            feed.look(epoch, state, presence, now)
        })
    }

    /// Sends what a look has found.
    pub(super) fn send<A>(
        &mut self,
        board: &BoardId,
        look: Look,
        presence: &Presence,
        delivery: &mut Delivery<A>,
        now: Now,
    ) {
        if let Some(feed) = self.feed_mut(board) {
            feed.send(look, presence, delivery, now);
        }
    }

    /// Takes what is new on the log and concerns no board.
    pub(super) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// The epoch of the log, and how many facts a board holds.
    pub(super) fn position(&self, board: &BoardId) -> (Epoch, u64) {
        self.live.read(|epoch, state| (epoch, seq_of(state, board)))
    }

    /// The same of several boards, by their names.
    pub(super) fn positions(&self, boards: &[BoardId]) -> (Epoch, BTreeMap<String, u64>) {
        self.live.read(|epoch, state| {
            let seqs = boards.iter();
            let seqs = seqs.map(|board| (board.to_string(), seq_of(state, board)));
            (epoch, seqs.collect())
        })
    }

    /// A user is online, and is sent scores on `main` from now on.
    pub(super) fn add_user(&mut self, user: UserId, now: Instant) {
        self.main.add_user(user.into(), now);
    }

    /// A user is offline.
    pub(super) fn remove_user(&mut self, user: UserId) {
        self.main.remove_user(user.into());
    }

    /// A socket has disconnected.
    pub(super) fn disconnect(&mut self, sid: Sid) {
        for board in self.boards_of(sid) {
            self.unsubscribe(sid, &board);
        }
        let scores = self.sockets.get(&sid).map(|it| it.scores.clone());
        for (board, _) in scores.into_iter().flatten() {
            self.unsubscribe_score(sid, &board);
        }
        self.sockets.remove(&sid);
    }

    /// The boards whose rows a socket is sent, in the order in which a slow consumer is sent
    /// them again.
    pub(super) fn boards_of(&self, sid: Sid) -> Vec<BoardId> {
        let watched = self.sockets.get(&sid).map(|it| &it.boards[..]);
        let watched = watched.unwrap_or_default().iter();
        watched.map(|it| it.board.clone()).collect()
    }

    /// Does a socket watch the rows of a board, or its user's score there because it asked?
    pub(super) fn watches(&self, sid: Sid, board: &BoardId) -> bool {
        self.sockets.get(&sid).is_some_and(|it| {
            it.scores.iter().any(|(it, _)| it == board)
                || it.boards.iter().any(|it| it.board == *board)
        })
    }

    /// The first so many boards of a socket are its last.
    pub(super) fn rotate(&mut self, sid: Sid, boards: usize) {
        if let Some(it) = self.sockets.get_mut(&sid) {
            let boards = boards.min(it.boards.len());
            it.boards.rotate_left(boards);
        }
    }

    /// Does a socket ask for heartbeats?
    pub(super) fn wants_heartbeats(&self, sid: Sid) -> bool {
        let socket = self.sockets.get(&sid);
        socket.is_some_and(|it| it.boards.iter().any(|it| it.heartbeat))
    }

    /// May a socket subscribe to this? Its address is given if that is limited.
    ///
    /// # Errors
    /// If there is no room.
    pub(super) fn has_room(
        &self,
        sid: Sid,
        address: Option<IpAddr>,
        wanted: &Subscribe,
    ) -> Result<(), NoRoom> {
        let Subscribe { board, view, .. } = wanted;
        if let Some(socket) = self.sockets.get(&sid)
            && socket.boards.len() >= MOST_BOARDS
            && socket.boards.iter().all(|it| it.board != *board)
        {
            return Err(NoRoom::OfBoards);
        }
        let Some(page) = page(board, *view) else {
            return Ok(());
        };
        let has_rows = self.live.read_board(board, |_, board| {
            view.row_range(board.rules()).start < board.len()
        });
        let has_rows = has_rows.unwrap_or_default();
        let left = self.feed(board).and_then(|feed| feed.view_of(sid));
        let left = left.and_then(|view| self::page(board, view));
        let allows = self
            .page_limits
            .allows(address, &page, has_rows, left.as_ref());
        allows.then_some(()).ok_or(NoRoom::OfPages)
    }

    /// A socket subscribes to a view of a board that it is not subscribed to. Returns what to
    /// send to it first: what it has missed if it has earlier rows, or else all rows.
    pub(super) fn subscribe(
        &mut self,
        sid: Sid,
        address: Option<IpAddr>,
        wanted: Subscribe,
        now: Now,
    ) -> Option<Payload> {
        self.watch(sid, address, &wanted);
        self.feed_or_new(&wanted.board.clone(), now)
            .subscribe(sid, wanted)
    }

    /// A slow consumer subscribes to a view, and is sent nothing until it is resumed.
    pub(super) fn subscribe_paused(
        &mut self,
        sid: Sid,
        address: Option<IpAddr>,
        wanted: Subscribe,
        now: Now,
    ) {
        self.watch(sid, address, &wanted);
        let Subscribe {
            board, view, mode, ..
        } = wanted;
        self.feed_or_new(&board, now)
            .subscribe_paused(sid, view, mode);
    }

    fn watch(&mut self, sid: Sid, address: Option<IpAddr>, wanted: &Subscribe) {
        if let Some(page) = page(&wanted.board, wanted.view) {
            self.page_limits.add(address, page);
        }
        let socket = self.sockets.entry(sid).or_insert_with(|| SocketBoards {
            // Most watch one.
            boards: Vec::with_capacity(1),
            ..SocketBoards::default()
        });
        socket.address = address;
        socket.boards.push(Watched {
            board: wanted.board.clone(),
            heartbeat: wanted.heartbeat,
        });
    }

    /// A socket subscribes to a board no longer. Returns what it was subscribed to.
    pub(super) fn unsubscribe(&mut self, sid: Sid, board: &BoardId) -> Option<(View, Mode)> {
        let (view, mode) = self.feed_mut(board)?.unsubscribe(sid)?;
        if let Some(socket) = self.sockets.get_mut(&sid) {
            socket.boards.retain(|it| it.board != *board);
            if let Some(page) = page(board, view) {
                self.page_limits.remove(socket.address, &page);
            }
        }
        self.drop_if_unwatched(board);
        Some((view, mode))
    }

    /// A socket is sent the score of its user on a board from now on, or that of their team, and
    /// no other on that board. False if it may not watch more boards. On `main` all are sent it
    /// who are online.
    pub(super) fn subscribe_score(
        &mut self,
        sid: Sid,
        who: Who,
        board: &BoardId,
        now: Now,
    ) -> bool {
        if board == self.main.board() {
            return true;
        }
        match self.score_of(sid, board) {
            Some(before) if before == who => return true,
            Some(_) => self.unsubscribe_score(sid, board),
            None => {}
        }
        let socket = self.sockets.entry(sid).or_default();
        if socket.scores.len() >= MOST_BOARDS {
            return false;
        }
        socket.scores.push((board.clone(), who));
        let feed = self.feed_or_new(board, now);
        feed.add_listener(sid, who, now.monotonic);
        self.wake(board);
        true
    }

    /// Whose score on a board a socket has asked for.
    fn score_of(&self, sid: Sid, board: &BoardId) -> Option<Who> {
        let scores = &self.sockets.get(&sid)?.scores;
        let score = scores.iter().find(|(it, _)| it == board);
        score.map(|(_, who)| *who)
    }

    /// A socket is not sent a score on a board any more.
    pub(super) fn unsubscribe_score(&mut self, sid: Sid, board: &BoardId) {
        let Some(who) = self.score_of(sid, board) else {
            return;
        };
        if let Some(socket) = self.sockets.get_mut(&sid) {
            socket.scores.retain(|(it, _)| it != board);
        }
        if let Some(feed) = self.others.get_mut(board) {
            feed.remove_listener(sid, who);
        }
        self.drop_if_unwatched(board);
    }

    /// The score and rank on a board, for a socket of this user: of whom it has asked for there.
    pub(super) fn current_score(
        &mut self,
        sid: Sid,
        user: UserId,
        board: &BoardId,
        now: Instant,
    ) -> Option<UserScoreUpdate> {
        let who = self.score_of(sid, board).unwrap_or(user.into());
        let score = self.feed_mut(board)?.current_score(who, now);
        self.wake(board);
        score
    }

    /// A socket is a slow consumer, and is sent no frames until it is resumed.
    pub(super) fn pause(&mut self, sid: Sid) {
        for board in self.boards_of(sid) {
            if let Some(feed) = self.feed_mut(&board) {
                feed.pause(sid);
            }
        }
    }

    /// A slow consumer is sent frames of a board again. Returns what it is subscribed to, and
    /// what to send to it first, if it has not received the newest frame.
    pub(super) fn resume(
        &mut self,
        sid: Sid,
        board: &BoardId,
    ) -> Option<(View, Mode, Option<Payload>)> {
        self.feed_mut(board)?.resume(sid)
    }

    fn feed(&self, board: &BoardId) -> Option<&BoardFeed> {
        match self.main.board() == board {
            true => Some(&self.main),
            false => self.others.get(board),
        }
    }

    fn feed_mut(&mut self, board: &BoardId) -> Option<&mut BoardFeed> {
        match self.main.board() == board {
            true => Some(&mut self.main),
            false => self.others.get_mut(board),
        }
    }

    fn feed_or_new(&mut self, board: &BoardId, now: Now) -> &mut BoardFeed {
        if self.main.board() == board {
            return &mut self.main;
        }
        let feeds = self.others.entry(board.clone());
        feeds
            .or_insert_with(|| BoardFeed::of_other(self.live.clone(), board.clone(), now.monotonic))
    }

    /// A feed may have something to do.
    fn wake(&mut self, board: &BoardId) {
        if self.others.contains_key(board) {
            self.active.insert(board.clone());
        }
    }

    fn drop_if_unwatched(&mut self, board: &BoardId) {
        if self.others.get(board).is_some_and(BoardFeed::is_unwatched) {
            self.others.remove(board);
            self.active.remove(board);
        }
    }
}

fn seq_of(state: &State, board: &BoardId) -> u64 {
    state.board(board).map_or(0, |board| board.seq())
}

fn page(board: &BoardId, view: View) -> Option<Page> {
    Some((board.clone(), view.page()?))
}

#[cfg(test)]
impl Feeds {
    /// The feed of a board, if it has one.
    pub(in crate::hub) fn of(&self, board: &BoardId) -> Option<&BoardFeed> {
        self.feed(board)
    }

    /// The boards whose rows a socket is sent.
    pub(in crate::hub) fn watched(&self, sid: Sid) -> Vec<BoardId> {
        self.boards_of(sid)
    }

    /// How many boards beside `main` have one.
    pub(in crate::hub) fn others(&self) -> usize {
        self.others.len()
    }
}
