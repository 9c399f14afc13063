//! A tick: one look at the board, and then what follows from it for each subscriber and
//! user. All of it states the board as of one `seq`.

use std::collections::HashMap;

use app::wire::{
    BATCH_UPDATE, LEADERBOARD_REFRESH, LeaderboardData, SCOREBOARD_DELTA, SCOREBOARD_UPDATE,
    USER_SCORE_UPDATE, UserScoreUpdate,
};
use socketioxide::socket::Sid;

use super::{
    BoardFeed,
    achievements::achieved,
    frames::{FrameDiff, Frames},
    ranks::RankChange,
    updates::Updates,
    version::BoardVersion,
};
use crate::{
    board::{Announcement, Board, Changes, Epoch, Score, UserChange, UserId},
    hub::{
        message::Recipient,
        rooms::Room,
        state::{Now, delivery::Delivery, presence::Presence},
        view::{Mode, View},
    },
    wire,
};

/// What a tick found that does not concern the subscribers of the board alone.
pub(in crate::hub::state) struct Findings {
    /// The log was replaced: `announced` is all that it announces.
    pub(in crate::hub::state) replaced: bool,
    pub(in crate::hub::state) announced: Vec<Announcement>,
    /// The achievements of users.
    pub(in crate::hub::state) achieved: Vec<(UserId, Announcement)>,
    /// Users who were deleted.
    pub(in crate::hub::state) deleted: Vec<UserId>,
    /// Users whose tokens were revoked.
    pub(in crate::hub::state) revoked: Vec<UserId>,
}

/// What one look at the board showed.
struct Look {
    /// The board that was looked at.
    version: BoardVersion,
    /// Something was put on the log since the last look.
    has_changes: bool,
    /// Views that have changed.
    diffs: Vec<(View, FrameDiff)>,
    /// Sockets that were sent the board between two ticks, and the view whose rows they
    /// are sent again.
    outdated: Vec<(Sid, View)>,
    /// The rows of these views as of now.
    snapshots: HashMap<View, LeaderboardData>,
    /// What users who acted are sent.
    updates: Vec<(UserId, UserScoreUpdate)>,
    /// Users who have moved without acting. What they are sent is made later: they may be
    /// many, and the board stands still for the look.
    moved: Vec<RankChange>,
    findings: Findings,
}

impl BoardFeed {
    /// Looks at the board, and sends subscribers and users what is new to them.
    pub(in crate::hub::state) fn tick<A>(
        &mut self,
        presence: &Presence,
        delivery: &mut Delivery<A>,
        now: Now,
    ) -> Findings {
        self.has_board_changed = false;
        let live = self.live.clone();
        let look = live
            .take_changes(|epoch, board, changes| self.look(epoch, board, changes, presence, now));
        // A look that found nothing to send counts too: it holds up the writer.
        let is_news = look.has_changes || !look.updates.is_empty() || !look.moved.is_empty();
        if is_news || !self.updates.is_empty() {
            self.tick.sent(now.monotonic - self.started);
        }
        // Before the frames, so that all subscribers have the rows that those start from.
        for (sid, view) in look.outdated {
            if let Some(rows) = look.snapshots.get(&view) {
                delivery.send(sid, LEADERBOARD_REFRESH, rows, now);
            }
        }
        if look.findings.replaced {
            self.send_all_rows(delivery, now);
        }
        self.send_updates(&look.diffs, look.version, delivery, now);
        self.send_frames(look.diffs, delivery, now);
        for (user, update) in look.updates {
            send_to_user(user, &update, presence, delivery, now);
        }
        let mut update = UserScoreUpdate {
            action_type: UserScoreUpdate::RANK_CHANGE.into(),
            timestamp: wire::timestamp(look.version.at),
            epoch: look.version.epoch.to_string(),
            seq: look.version.seq,
            ..UserScoreUpdate::default()
        };
        for RankChange { user, score, rank } in look.moved {
            update.user_id = user.to_string();
            update.score = score.map(Score::points);
            update.rank = rank;
            send_to_user(user, &update, presence, delivery, now);
        }
        look.findings
    }

    /// The board stands still meanwhile.
    fn look(
        &mut self,
        epoch: Epoch,
        board: &Board,
        changes: Changes,
        presence: &Presence,
        now: Now,
    ) -> Look {
        let version = BoardVersion::of(epoch, board);
        let Changes {
            replaced,
            actions,
            placed,
            shifts,
            climbed,
            announced,
            deleted,
            revoked,
        } = changes;
        let has_changes = replaced
            || !placed.is_empty()
            || !announced.is_empty()
            || !deleted.is_empty()
            || !revoked.is_empty();
        if replaced {
            self.reset(version, board, now);
        }
        self.ranks.placed(&placed, shifts, now.monotonic);
        let top = &self.subscriptions.top().frames;
        let was_near_top: Vec<UserId> = top.users().collect();
        let diffs = self
            .subscriptions
            .views_mut()
            .filter_map(|(view, watched)| Some((view, watched.frames.advance(board)?)))
            .collect::<Vec<_>>();
        let (outdated, snapshots) = self.outdated(version, &diffs);
        let updates = self.own_updates(version, board, actions, presence);
        let top = &self.subscriptions.top().frames;
        let near_top = top.users().chain(was_near_top);
        let mut moved = self.ranks.take_changed(near_top, board);
        if self.ranks.is_sweep_due(now.monotonic) {
            self.ranks.sweep(board, now.monotonic);
        }
        moved.extend(self.ranks.next_share(board));
        let achieved = achieved(&self.achievements, epoch, board, &climbed, now.store);
        Look {
            version,
            has_changes,
            diffs,
            outdated,
            snapshots,
            updates,
            moved,
            findings: Findings {
                replaced,
                announced,
                achieved,
                deleted,
                revoked,
            },
        }
    }

    /// Forgets what was sent of a log that was replaced.
    fn reset(&mut self, version: BoardVersion, board: &Board, now: Now) {
        let frames = |view| Frames::new(view, version.epoch, board);
        self.subscriptions.reset(version, frames);
        self.ranks.reset(now.monotonic);
        self.updates = Updates::default();
    }

    /// The sockets that are to be sent all rows again, and these.
    fn outdated(
        &mut self,
        version: BoardVersion,
        diffs: &[(View, FrameDiff)],
    ) -> (Vec<(Sid, View)>, HashMap<View, LeaderboardData>) {
        let (mut outdated, mut snapshots) = (Vec::new(), HashMap::new());
        for (sid, subscription) in self.subscriptions.tick(version) {
            let view = subscription.view;
            // A new frame in full has all rows. A slow consumer is sent them once it has
            // read what it was sent before.
            let is_sent = subscription.mode == Mode::Full && diffs.iter().any(|it| it.0 == view);
            if is_sent || subscription.is_paused() {
                continue;
            }
            if let Some(frames) = self.subscriptions.frames(view) {
                snapshots
                    .entry(view)
                    .or_insert_with(|| frames.as_of(version));
                outdated.push((sid, view));
            }
        }
        (outdated, snapshots)
    }

    /// What those who acted are sent.
    fn own_updates(
        &mut self,
        version: BoardVersion,
        board: &Board,
        actions: HashMap<UserId, UserChange>,
        presence: &Presence,
    ) -> Vec<(UserId, UserScoreUpdate)> {
        let mut updates = Vec::new();
        for (user, change) in actions {
            if !presence.is_online(user) {
                continue;
            }
            if let Some(update) = wire::user_update(version.epoch, board, user, change) {
                self.ranks.sent(user, update.rank);
                updates.push((user, update));
            }
        }
        updates
    }

    /// All rows to each room, whatever its sockets have received.
    fn send_all_rows<A>(&self, delivery: &mut Delivery<A>, now: Now) {
        for (view, watched) in self.subscriptions.views() {
            for mode in [Mode::Full, Mode::Delta] {
                let to = Recipient::Room(Room::View(view, mode));
                let sids = watched.room(mode).iter().copied();
                delivery.broadcast(to, sids, LEADERBOARD_REFRESH, watched.frames.data(), now);
            }
        }
    }

    /// What has changed for each user on the visible board.
    fn send_updates<A>(
        &mut self,
        diffs: &[(View, FrameDiff)],
        version: BoardVersion,
        delivery: &mut Delivery<A>,
        now: Now,
    ) {
        let top = self.subscriptions.top();
        if let Some((_, diff)) = diffs.iter().find(|(view, _)| *view == View::Top) {
            self.updates.add(&diff.before, top.frames.data());
        }
        for batch in self.updates.take(version.seq, &wire::timestamp(version.at)) {
            // A client that misses one of these misses nothing that is on the board.
            let to = Recipient::Room(Room::Scoreboard);
            let (full, delta) = (top.room(Mode::Full), top.room(Mode::Delta));
            let sids = full.union(delta).copied();
            if let [update] = &batch[..] {
                delivery.broadcast(to, sids, SCOREBOARD_UPDATE, update, now);
            } else {
                delivery.broadcast(to, sids, BATCH_UPDATE, &batch, now);
            }
        }
    }

    /// One frame to each room whose rows have changed.
    fn send_frames<A>(&self, diffs: Vec<(View, FrameDiff)>, delivery: &mut Delivery<A>, now: Now) {
        for (view, FrameDiff { delta, .. }) in diffs {
            let Some(watched) = self.subscriptions.view(view) else {
                continue;
            };
            let room = |mode| {
                let sids = watched.room(mode).iter().copied();
                (Recipient::Room(Room::View(view, mode)), sids)
            };
            let (to, sids) = room(Mode::Full);
            delivery.broadcast(to, sids, LEADERBOARD_REFRESH, watched.frames.data(), now);
            let (to, sids) = room(Mode::Delta);
            delivery.broadcast(to, sids, SCOREBOARD_DELTA, &delta, now);
        }
    }
}

/// Sends a user's sockets their score. For those that are slow, that there is a newer one
/// is noted.
fn send_to_user<A>(
    user: UserId,
    update: &UserScoreUpdate,
    presence: &Presence,
    delivery: &mut Delivery<A>,
    now: Now,
) {
    let sids = presence.sockets_of(user);
    for sid in sids {
        if let Some(pending) = delivery.consumers.pending(*sid) {
            pending.score = true;
        }
    }
    let to = Recipient::Room(Room::User(user));
    delivery.broadcast(to, sids.iter().copied(), USER_SCORE_UPDATE, update, now);
}
