//! The feed of one board: who subscribes to which rows of it, which frames they have
//! received, and which ranks users were sent. All that the hub holds for a board is here,
//! so that there may be one of these for each. It knows nothing of connections but the ids
//! of sockets.

mod achievements;
mod frames;
mod page_limits;
mod ranks;
mod subscriptions;
mod tick;
mod tick_history;
mod updates;
mod version;

use std::{net::IpAddr, time::Duration};

use app::wire::{LEADERBOARD_REFRESH, LeaderboardData, SCOREBOARD_DELTA, UserScoreUpdate};
use socketioxide::socket::Sid;
use tokio::time::Instant;

use crate::{
    board::{Board, Epoch, Tick, UserChange, UserId},
    config::AchievementsTable,
    hub::{
        events::Subscribe,
        message::{Payload, encode},
        view::{Mode, View},
    },
    live::LiveBoard,
    wire,
};
use frames::Frames;
#[cfg(test)]
pub(in crate::hub) use frames::tests::apply;
use ranks::RankTracker;
use subscriptions::{Seen, Subscriptions};
pub(super) use tick::Findings;
use updates::Updates;
use version::BoardVersion;

/// Between two frames to a room.
const TICK: Duration = Duration::from_millis(100);

/// See the module.
pub(in crate::hub) struct BoardFeed {
    live: LiveBoard,
    achievements: AchievementsTable,
    subscriptions: Subscriptions,
    /// Changes of the visible board that are still to be sent.
    updates: Updates,
    ranks: RankTracker,
    /// Is something on the log that no tick has sent?
    has_board_changed: bool,
    tick: Tick,
    /// `tick` counts from here.
    started: Instant,
}

impl BoardFeed {
    /// Nobody subscribes.
    pub(super) fn new(live: LiveBoard, achievements: AchievementsTable, now: Instant) -> BoardFeed {
        let subscriptions = live.read(|epoch, board| {
            let top = Frames::new(View::Top, epoch, board);
            Subscriptions::new(top, BoardVersion::of(epoch, board))
        });
        BoardFeed {
            live,
            achievements,
            subscriptions,
            updates: Updates::default(),
            ranks: RankTracker::default(),
            has_board_changed: false,
            tick: Tick::new(TICK),
            started: now,
        }
    }

    /// Something was put on the log.
    pub(super) fn board_changed(&mut self) {
        self.has_board_changed = true;
    }

    /// Is something on the log that no tick has sent?
    pub(super) fn has_board_changed(&self) -> bool {
        self.has_board_changed
    }

    /// When the next tick is due, if there is anything to send or to look for.
    pub(super) fn tick_due(&self, now: Instant) -> Option<Instant> {
        let next = self.started + self.tick.due(now - self.started);
        if self.has_board_changed || !self.updates.is_empty() || self.ranks.has_pending() {
            return Some(next);
        }
        self.ranks.sweep_due().map(|sweep| sweep.max(next))
    }

    /// The epoch of the log, and its last entry.
    pub(super) fn position(&self) -> (Epoch, u64) {
        self.live.read(|epoch, board| (epoch, board.seq()))
    }

    /// A user is online, and is sent changes of rank from now on.
    pub(super) fn add_user(&mut self, user: UserId, now: Instant) {
        let rank = self.live.read(|_, board| board.user(user)?.rank);
        self.ranks.add(user, rank, now);
    }

    /// A user is offline.
    pub(super) fn remove_user(&mut self, user: UserId) {
        self.ranks.remove(user);
    }

    /// The score and rank of a user, for one socket that has asked.
    pub(super) fn current_score(&mut self, user: UserId, now: Instant) -> Option<UserScoreUpdate> {
        let update = self.live.read(|epoch, board| {
            let change = UserChange {
                action_type: UserScoreUpdate::CURRENT.into(),
                increase: 0,
                merged: 0,
                at: board.changed(),
            };
            wire::user_update(epoch, board, user, change)
        })?;
        self.ranks.sent_to_one(user, update.rank, now);
        Some(update)
    }

    /// May a socket subscribe to a view? Its address is given if that is limited.
    pub(super) fn may_subscribe(&self, sid: Sid, address: Option<IpAddr>, view: View) -> bool {
        let has_rows = |board: &Board| view.row_range(board.rules()).start < board.len();
        let has_rows = self.live.read(|_, board| has_rows(board));
        self.subscriptions.allows(sid, address, view, has_rows)
    }

    /// A socket subscribes to a view, and no longer to another. Returns what to send to it
    /// first: what it has missed if it has earlier rows, or else all rows.
    pub(super) fn subscribe(
        &mut self,
        sid: Sid,
        address: Option<IpAddr>,
        wanted: Subscribe,
    ) -> Option<Payload> {
        let Subscribe {
            view, mode, known, ..
        } = wanted;
        let subscriptions = &mut self.subscriptions;
        let missed = self.live.read(|epoch, board| {
            let version = BoardVersion::of(epoch, board);
            // Until the next tick, the frames may be of a log that was replaced.
            let is_followed = subscriptions.ticks().latest().epoch == epoch;
            let known = known.filter(|(known, _)| is_followed && *known == epoch);
            let known = known.map(|(_, seq)| (seq, subscriptions.ticks().contains(seq)));
            let first = || Frames::new(view, epoch, board);
            let frames = subscriptions.add(sid, address, view, mode, first);
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
            Some(missed)
        });
        match missed {
            Some(missed) => Payload::new(SCOREBOARD_DELTA, &missed),
            None => self.snapshot(sid, view),
        }
    }

    /// A slow consumer subscribes to a view, and is sent nothing until it is resumed.
    pub(super) fn subscribe_paused(
        &mut self,
        sid: Sid,
        address: Option<IpAddr>,
        view: View,
        mode: Mode,
    ) {
        let live = &self.live;
        let first = || live.read(|epoch, board| Frames::new(view, epoch, board));
        self.subscriptions.add(sid, address, view, mode, first);
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
        let (version, rows) = self.live.read(|epoch, board| {
            let version = BoardVersion::of(epoch, board);
            let cached = self.subscriptions.snapshot(view, version);
            let rows = cached.ok_or_else(|| LeaderboardData {
                page: view.page(),
                ..wire::leaderboard(epoch, board, view.row_range(board.rules()))
            });
            (version, rows)
        });
        self.subscriptions.sent(sid, version);
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
    ) -> Option<std::sync::Arc<serde_json::value::RawValue>> {
        let version = self.live.read(BoardVersion::of);
        self.subscriptions.snapshot(view, version)
    }

    /// Is a socket sent the frames of a view in this mode?
    pub(in crate::hub) fn is_in_room(&self, sid: Sid, view: View, mode: Mode) -> bool {
        let watched = self.subscriptions.view(view);
        watched.is_some_and(|watched| watched.room(mode).contains(&sid))
    }
}
