//! The feed of one board: who subscribes to which rows of it, which frames they have
//! received, and which ranks users were sent. All that the hub holds for a board is here.
//! It knows nothing of connections but the ids of sockets.

mod achievements;
mod frames;
mod ranks;
mod subscriptions;
mod tick;
mod tick_history;
mod updates;
mod version;

use std::{collections::HashMap, sync::Arc, time::Duration};

use app::wire::{LEADERBOARD_REFRESH, LeaderboardData, SCOREBOARD_DELTA, UserScoreUpdate};
use socketioxide::socket::Sid;
use tokio::time::Instant;

use crate::{
    board::{BoardChanges, BoardId, Settings, Tick, UserChange, UserId, Who},
    config::AchievementsTable,
    hub::{
        events::Subscribe,
        message::{Payload, encode},
        state::presence::Presence,
        view::{Mode, View},
    },
    live::Live,
    wire,
};
use frames::Frames;
#[cfg(test)]
pub(in crate::hub) use frames::tests::apply;
use ranks::RankTracker;
use subscriptions::{Seen, Subscriptions};
pub(super) use tick::Look;
use updates::Updates;
use version::BoardVersion;

/// Between two frames to a room.
const TICK: Duration = Duration::from_millis(100);

/// See the module.
pub(in crate::hub) struct BoardFeed {
    live: Live,
    board: BoardId,
    /// Of `main` alone.
    achievements: Option<AchievementsTable>,
    listeners: Listeners,
    /// Its settings if it was not for all to see when it was looked at last.
    private: Option<Arc<Settings>>,
    subscriptions: Subscriptions,
    /// Changes of the visible board that are still to be sent.
    updates: Updates,
    ranks: RankTracker,
    /// What was taken from the log since the latest look.
    pending: Option<BoardChanges>,
    /// The newest version of which anything was sent.
    newest: BoardVersion,
    tick: Tick,
    /// `tick` counts from here.
    started: Instant,
}

/// Who is sent their own score.
enum Listeners {
    /// All who are online.
    Online,
    /// These sockets of each user, or of the members of a team, at least one.
    Sockets(HashMap<Who, Vec<Sid>>),
}

impl BoardFeed {
    /// The feed of `main`, with nobody online.
    pub(super) fn of_main(live: Live, achievements: AchievementsTable, now: Instant) -> BoardFeed {
        let mut feed = BoardFeed::of_other(live, BoardId::default(), now);
        feed.achievements = Some(achievements);
        feed.listeners = Listeners::Online;
        feed
    }

    /// The feed of another board, which nobody watches yet.
    pub(super) fn of_other(live: Live, board: BoardId, now: Instant) -> BoardFeed {
        let (top, version) = live.read(|epoch, state| match state.view(&board) {
            Some(board) => {
                let top = Frames::new(View::Top, epoch, board);
                (top, BoardVersion::of(epoch, board))
            }
            None => {
                let top = Frames::of_nothing(View::Top, epoch);
                (top, BoardVersion::of_nothing(epoch))
            }
        });
        BoardFeed {
            live,
            board,
            achievements: None,
            listeners: Listeners::Sockets(HashMap::new()),
            private: None,
            subscriptions: Subscriptions::new(top, version),
            updates: Updates::default(),
            ranks: RankTracker::default(),
            pending: None,
            newest: version,
            tick: Tick::new(TICK),
            started: now,
        }
    }

    /// Which board it is.
    pub(super) fn board(&self) -> &BoardId {
        &self.board
    }

    /// This has changed on the board.
    pub(super) fn add(&mut self, changes: BoardChanges) {
        match &mut self.pending {
            Some(pending) => pending.append(changes),
            None => self.pending = Some(changes),
        }
    }

    /// The log was replaced: what was taken from it is void.
    pub(super) fn invalidate(&mut self) {
        self.pending = Some(BoardChanges {
            changed: true,
            ..BoardChanges::default()
        });
    }

    /// When it may look and send next.
    pub(super) fn ready(&self, now: Instant) -> Instant {
        self.started + self.tick.due(now - self.started)
    }

    /// When the next look is due, if there is anything to send or to look for.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let next = self.ready(now);
        if self.pending.is_some() || !self.updates.is_empty() || self.ranks.has_pending() {
            return Some(next);
        }
        self.ranks.sweep_due().map(|sweep| sweep.max(next))
    }

    /// The sockets that watch it because they asked.
    pub(super) fn sockets(&self) -> Vec<Sid> {
        let mut sids: Vec<Sid> = self.subscriptions.sockets().collect();
        if let Listeners::Sockets(listeners) = &self.listeners
            && !listeners.is_empty()
        {
            sids.extend(listeners.values().flatten());
            sids.sort_unstable();
            sids.dedup();
        }
        sids
    }

    /// Do no sockets watch it, and none have to be sent anything?
    pub(super) fn is_unwatched(&self) -> bool {
        let has_listeners = match &self.listeners {
            Listeners::Online => true,
            Listeners::Sockets(listeners) => !listeners.is_empty(),
        };
        self.subscriptions.is_empty() && !has_listeners
    }

    /// A user is sent changes of rank from now on, or the members of a team are.
    pub(super) fn add_user(&mut self, user: Who, now: Instant) {
        let rank = self
            .live
            .read_board(&self.board, |_, board| board.user(user)?.rank());
        self.ranks.add(user, rank.flatten(), now);
    }

    /// A user is sent them no longer.
    pub(super) fn remove_user(&mut self, user: Who) {
        self.ranks.remove(user);
    }

    /// A socket is sent the score of its user or of their team from now on.
    pub(super) fn add_listener(&mut self, sid: Sid, user: Who, now: Instant) {
        let Listeners::Sockets(listeners) = &mut self.listeners else {
            return;
        };
        let sids = listeners.entry(user).or_default();
        sids.push(sid);
        if sids.len() == 1 {
            self.add_user(user, now);
        }
    }

    /// A socket is sent it no longer.
    pub(super) fn remove_listener(&mut self, sid: Sid, user: Who) {
        if let Listeners::Sockets(listeners) = &mut self.listeners
            && let Some(sids) = listeners.get_mut(&user)
        {
            sids.retain(|it| *it != sid);
            if sids.is_empty() {
                listeners.remove(&user);
                self.ranks.remove(user);
            }
        }
    }

    /// A user may be ranked elsewhere, or nowhere.
    pub(super) fn moved(&mut self, user: UserId) {
        self.ranks.moved(user.into());
    }

    /// The sockets of a user that are sent their score, or of the members of a team.
    fn listening<'a>(&'a self, user: Who, presence: &'a Presence) -> &'a [Sid] {
        match (&self.listeners, user) {
            (Listeners::Online, Who::User(user)) => presence.sockets_of(user),
            (Listeners::Online, Who::Team(_)) => &[],
            (Listeners::Sockets(listeners), _) => listeners.get(&user).map_or(&[], Vec::as_slice),
        }
    }

    /// Has anybody asked for this score?
    fn has_listeners(&self, user: Who) -> bool {
        match &self.listeners {
            Listeners::Online => false,
            Listeners::Sockets(listeners) => listeners.contains_key(&user),
        }
    }

    /// The score and rank of a user or a team, for one socket that has asked.
    pub(super) fn current_score(&mut self, user: Who, now: Instant) -> Option<UserScoreUpdate> {
        let (version, update) = self.live.read_board(&self.board, |epoch, board| {
            let change = UserChange {
                action_type: UserScoreUpdate::CURRENT.into(),
                increase: 0,
                merged: 0,
                at: board.changed(),
            };
            let update = wire::user_update(epoch, board, user, change)?;
            Some((BoardVersion::of(epoch, board), update))
        })??;
        self.newest = self.newest.max(version);
        self.ranks.sent_to_one(user, update.rank, now);
        Some(update)
    }

    /// What a socket is subscribed to.
    pub(super) fn view_of(&self, sid: Sid) -> Option<View> {
        self.subscriptions.view_of(sid)
    }

    /// A socket subscribes to a view, and no longer to another. Returns what to send to it
    /// first: what it has missed if it has earlier rows, or else all rows.
    pub(super) fn subscribe(&mut self, sid: Sid, wanted: Subscribe) -> Option<Payload> {
        let Subscribe {
            view, mode, known, ..
        } = wanted;
        let subscriptions = &mut self.subscriptions;
        let missed = self.live.read(|epoch, state| {
            let Some(board) = state.view(&self.board) else {
                // It has just been deleted: the next tick says so.
                subscriptions.add(sid, view, mode, || Frames::of_nothing(view, epoch));
                return None;
            };
            let version = BoardVersion::of(epoch, board);
            // Until the next tick, the frames may be of a log that was replaced.
            let is_followed = subscriptions.ticks().latest().epoch == epoch;
            let known = known.filter(|(known, _)| is_followed && *known == epoch);
            let known = known.map(|(_, seq)| (seq, subscriptions.ticks().contains(seq)));
            let first = || Frames::new(view, epoch, board);
            let frames = subscriptions.add(sid, view, mode, first);
            let (seq, is_tick) = known?;
            let is_frame = is_tick || seq == frames.data().seq;
            // Deltas leave out what was sent between two ticks. And all that is sent to
            // clients that subscribe is as of now, or one could be older than another.
            let missed = if seq == version.seq {
                frames.empty_delta(board)
            } else if is_frame && frames.is_current(board) {
                frames.delta_since(&epoch.to_string(), seq, version)?
            } else {
                return None;
            };
            subscriptions.sent(sid, version);
            self.newest = self.newest.max(version);
            Some(missed)
        });
        match missed {
            Some(missed) => Payload::new(SCOREBOARD_DELTA, &missed),
            None => self.snapshot(sid, view),
        }
    }

    /// A slow consumer subscribes to a view, and is sent nothing until it is resumed.
    pub(super) fn subscribe_paused(&mut self, sid: Sid, view: View, mode: Mode) {
        let (live, board) = (&self.live, &self.board);
        let first = || {
            live.read(|epoch, state| match state.view(board) {
                Some(board) => Frames::new(view, epoch, board),
                None => Frames::of_nothing(view, epoch),
            })
        };
        self.subscriptions.add(sid, view, mode, first);
        self.subscriptions.pause_at(sid, Seen::Unknown);
    }

    /// A socket subscribes no longer. Returns what it was subscribed to.
    pub(super) fn unsubscribe(&mut self, sid: Sid) -> Option<(View, Mode)> {
        let subscription = self.subscriptions.remove(sid)?;
        Some((subscription.view, subscription.mode))
    }

    /// A socket is a slow consumer, and is sent no frames until it is resumed.
    pub(super) fn pause(&mut self, sid: Sid) {
        self.subscriptions.pause(sid);
    }

    /// A slow consumer is sent frames again. Returns what it is subscribed to, and what to
    /// send to it first, if it has not received the newest frame.
    pub(super) fn resume(&mut self, sid: Sid) -> Option<(View, Mode, Option<Payload>)> {
        let (view, mode, seen) = self.subscriptions.resume(sid)?;
        Some((view, mode, self.resynchronise(sid, view, mode, seen)))
    }

    /// What leads from what a client has received to the newest frame, or all rows.
    fn resynchronise(&mut self, sid: Sid, view: View, mode: Mode, seen: Seen) -> Option<Payload> {
        if let Seen::UpTo(seq) = seen
            && let Some(frames) = self.subscriptions.frames(view)
        {
            if frames.data().seq == seq {
                return None;
            }
            let latest = self.subscriptions.ticks().latest();
            if mode == Mode::Delta
                && let Some(missed) = frames.delta_since(&frames.data().epoch, seq, latest)
            {
                return Payload::new(SCOREBOARD_DELTA, &missed);
            }
        }
        self.snapshot(sid, view)
    }

    /// All rows of a view as of now, for a socket that subscribes to it. Many may subscribe
    /// at the same time, so the JSON of the first is cached for the others.
    fn snapshot(&mut self, sid: Sid, view: View) -> Option<Payload> {
        let (version, rows) = self.live.read_board(&self.board, |epoch, board| {
            let version = BoardVersion::of(epoch, board);
            let cached = self.subscriptions.snapshot(view, version);
            let rows = cached.ok_or_else(|| LeaderboardData {
                page: view.page(),
                ..wire::leaderboard(epoch, board, view.row_range(board.rules()))
            });
            (version, rows)
        })?;
        self.subscriptions.sent(sid, version);
        self.newest = self.newest.max(version);
        let data = match rows {
            Ok(cached) => cached,
            Err(rows) => {
                let data = encode(&rows)?;
                self.subscriptions.cache_snapshot(view, version, &data);
                data
            }
        };
        let event = LEADERBOARD_REFRESH;
        Some(Payload { event, data })
    }
}

#[cfg(test)]
impl BoardFeed {
    /// All rows of a view as they are sent to clients that subscribe now, if they are
    /// cached.
    pub(in crate::hub) fn cached_snapshot(
        &self,
        view: View,
    ) -> Option<Arc<serde_json::value::RawValue>> {
        let version = self.live.read_board(&self.board, BoardVersion::of)?;
        self.subscriptions.snapshot(view, version)
    }

    /// Is a socket sent the frames of a view in this mode?
    pub(in crate::hub) fn is_in_room(&self, sid: Sid, view: View, mode: Mode) -> bool {
        let watched = self.subscriptions.view(view);
        watched.is_some_and(|watched| watched.room(mode).contains(&sid))
    }
}
