//! A tick of a board: one look at it, and then what follows from it for each subscriber and
//! user. All of it states the board as of one `seq`.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use app::wire::{
    BATCH_UPDATE, LEADERBOARD_REFRESH, LeaderboardData, SCOREBOARD_DELTA, SCOREBOARD_UPDATE,
    USER_SCORE_UPDATE, UserScoreUpdate,
};
use socketioxide::socket::Sid;

use super::{
    BoardFeed, Listeners,
    achievements::achieved,
    frames::{FrameDiff, Frames},
    ranks::RankChange,
    updates::Updates,
    version::BoardVersion,
};
use crate::{
    board::{
        Announcement, BoardChanges, BoardView, Epoch, Settings, State, UserChange, UserId, Who,
    },
    hub::{
        message::Recipient,
        rooms::Room,
        state::{Now, delivery::Delivery, presence::Presence},
        view::{Mode, View},
    },
    live::Viewer,
    wire,
};

/// What one look at a board showed.
pub(in crate::hub::state) struct Look {
    /// The board that was looked at.
    version: BoardVersion,
    /// Has it a second score?
    has_tiebreak: bool,
    /// Something has happened on it since the last look.
    has_changes: bool,
    /// The settings of a board that is another than before, or may be: all rows are sent
    /// again.
    pub(in crate::hub::state) new_settings: Option<Arc<Settings>>,
    /// Views that have changed.
    diffs: Vec<(View, FrameDiff)>,
    /// Sockets that were sent the board between two ticks, and the view whose rows they
    /// are sent again.
    outdated: Vec<(Sid, View)>,
    /// The rows of these views as of now.
    snapshots: HashMap<View, LeaderboardData>,
    /// What users who acted are sent.
    updates: Vec<(Who, UserScoreUpdate)>,
    /// Users who have moved without acting. What they are sent is made later: they may be
    /// many, and the board stands still for the look.
    moved: Vec<RankChange>,
    /// The achievements of users.
    pub(in crate::hub::state) achieved: Vec<(UserId, Announcement)>,
}

impl BoardFeed {
    /// Sends subscribers and users what is new to them.
    pub(in crate::hub::state) fn send<A>(
        &mut self,
        look: Look,
        presence: &Presence,
        delivery: &mut Delivery<A>,
        now: Now,
    ) {
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
        if look.new_settings.is_some() {
            self.send_all_rows(delivery, now);
        }
        self.send_updates(&look.diffs, look.version, delivery, now);
        self.send_frames(look.diffs, delivery, now);
        for (user, update) in look.updates {
            self.send_score(user, &update, presence, delivery, now);
        }
        let mut update = UserScoreUpdate {
            action_type: UserScoreUpdate::RANK_CHANGE.into(),
            timestamp: wire::timestamp(look.version.at),
            epoch: look.version.epoch.to_string(),
            seq: look.version.seq,
            board: wire::board(&self.board),
            ..UserScoreUpdate::default()
        };
        for RankChange { user, scores, rank } in look.moved {
            update.user_id = wire::id(user);
            update.score = scores.map(|scores| scores.score.points());
            let second = scores.map(|scores| scores.tiebreak.points());
            update.tiebreak = look.has_tiebreak.then_some(second);
            update.rank = rank;
            self.send_score(user, &update, presence, delivery, now);
        }
    }

    /// Looks at the board, which stands still meanwhile, and of which all changes were added;
    /// `None` if it is not there any more.
    pub(in crate::hub::state) fn look(
        &mut self,
        epoch: Epoch,
        state: &State,
        presence: &Presence,
        now: Now,
    ) -> Option<Look> {
        let changes = self.pending.take();
        let has_changes = changes.is_some();
        let BoardChanges {
            actions,
            placed,
            shifts,
            climbed,
            ended: _,
            changed,
        } = changes.unwrap_or_default();
        let board = state.view(&self.board)?;
        let version = BoardVersion::of(epoch, board);
        self.newest = version;
        let settings = board.board().settings();
        let is_private = !Viewer::Public.may_see(settings);
        self.private = is_private.then(|| settings.clone());
        if changed {
            self.reset(version, board, now);
        }
        let placed = placed.iter();
        let placed = placed.filter_map(|it| board.who_at(*it));
        self.ranks.placed(placed, shifts, now.monotonic);
        let top = &self.subscriptions.top().frames;
        let was_near_top: Vec<Who> = top.listed().collect();
        let diffs = self
            .subscriptions
            .views_mut()
            .filter_map(|(view, watched)| Some((view, watched.frames.advance(board)?)))
            .collect::<Vec<_>>();
        let (outdated, snapshots) = self.outdated(version, &diffs);
        let updates = self.own_updates(version, board, actions, presence);
        let top = &self.subscriptions.top().frames;
        let near_top = top.listed().chain(was_near_top);
        let mut moved = self.ranks.take_changed(near_top, board);
        if self.ranks.is_sweep_due(now.monotonic) {
            self.ranks.sweep(board, now.monotonic);
        }
        moved.extend(self.ranks.next_share(board));
        let achieved = match &self.achievements {
            Some(table) => achieved(table, epoch, board, &climbed, now.store),
            None => Vec::new(),
        };
        Some(Look {
            version,
            has_tiebreak: wire::has_tiebreak(board),
            has_changes,
            new_settings: changed.then(|| settings.clone()),
            diffs,
            outdated,
            snapshots,
            updates,
            moved,
            achieved,
        })
    }

    /// Forgets what was sent of a board that is another now.
    fn reset(&mut self, version: BoardVersion, board: BoardView<'_>, now: Now) {
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

    /// What those who acted are sent, and the members of a team of which somebody did.
    fn own_updates(
        &mut self,
        version: BoardVersion,
        board: BoardView<'_>,
        actions: HashMap<UserId, UserChange>,
        presence: &Presence,
    ) -> Vec<(Who, UserScoreUpdate)> {
        let mut changes: HashMap<Who, UserChange> = HashMap::new();
        for (user, change) in actions {
            if let Some(team) = self.team_of(user, board) {
                match changes.entry(team) {
                    Entry::Occupied(mut entry) => entry.get_mut().add(&change),
                    Entry::Vacant(entry) => drop(entry.insert(change.clone())),
                }
            }
            if !self.listening(user.into(), presence).is_empty() {
                changes.insert(user.into(), change);
            }
        }
        let mut updates = Vec::new();
        for (who, change) in changes {
            if let Some(update) = wire::user_update(version.epoch, board, who, change) {
                self.ranks.sent(who, update.rank);
                updates.push((who, update));
            }
        }
        updates
    }

    /// The team for which somebody acts, if its members have asked for its score; none for one
    /// who is hidden, whose actions nobody is to know of.
    fn team_of(&self, user: UserId, board: BoardView<'_>) -> Option<Who> {
        let person = board.directory().person(user).filter(|it| !it.hidden)?;
        let team = Who::Team(person.team()?);
        self.has_listeners(team).then_some(team)
    }

    /// All rows to each room, whatever its sockets have received.
    fn send_all_rows<A>(&self, delivery: &mut Delivery<A>, now: Now) {
        for (view, watched) in self.subscriptions.views() {
            for mode in [Mode::Full, Mode::Delta] {
                let to = Recipient::Room(Room::View(self.board.clone(), view, mode));
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
            let to = Recipient::Room(Room::Scoreboard(self.board.clone()));
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
                (
                    Recipient::Room(Room::View(self.board.clone(), view, mode)),
                    sids,
                )
            };
            let (to, sids) = room(Mode::Full);
            delivery.broadcast(to, sids, LEADERBOARD_REFRESH, watched.frames.data(), now);
            let (to, sids) = room(Mode::Delta);
            delivery.broadcast(to, sids, SCOREBOARD_DELTA, &delta, now);
        }
    }

    /// Sends a user's sockets their score. For those that are slow, that there is a newer
    /// one is noted.
    fn send_score<A>(
        &self,
        user: Who,
        update: &UserScoreUpdate,
        presence: &Presence,
        delivery: &mut Delivery<A>,
        now: Now,
    ) {
        let mut sids = self.listening(user, presence).to_vec();
        if let Some(settings) = &self.private {
            // All who asked may see it; of those who are online only some.
            sids.retain(|sid| {
                let role = delivery.consumers.get(*sid).map(|it| it.identity.role);
                Viewer::of(role).may_see(settings)
            });
        }
        for sid in &sids {
            if let Some(pending) = delivery.consumers.pending(*sid) {
                pending.add_score(&self.board);
            }
        }
        match (&self.listeners, user) {
            (Listeners::Online, Who::User(user)) if self.private.is_none() => {
                let to = Recipient::Room(Room::User(user));
                delivery.broadcast(to, sids, USER_SCORE_UPDATE, update, now);
            }
            _ => delivery.send_each(&sids, USER_SCORE_UPDATE, update, now),
        }
    }
}
