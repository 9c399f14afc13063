//! What the hub says with a tick: one look at the board, then what follows from
//! it for everybody. All of it states the board as of one `seq`.

use std::collections::HashMap;

use app::wire::{
    BATCH_UPDATE, LEADERBOARD_REFRESH, LeaderboardData, SCOREBOARD_DELTA, SCOREBOARD_UPDATE,
    USER_SCORE_UPDATE, UserScoreUpdate,
};
use socketioxide::socket::Sid;

use super::{
    achievements::achieved,
    actor::Actor,
    banners::Source,
    consumers::Consumer,
    frames::{Frames, Moment, Step},
    online::Place,
    outlet::Outlet,
    rooms,
    updates::Updates,
    view::{Mode, View},
};
use crate::{
    board::{Board, Changes, Climb, Ended, Epoch, Score, UserChange, UserId},
    wire,
};

/// What one look at the board showed.
struct Seen {
    /// The board that was looked at.
    now: Moment,
    /// It is another than before, and all that was said is void.
    is_other: bool,
    /// Something was put on the log since the last look.
    has_changes: bool,
    /// Views that have changed.
    steps: Vec<(View, Step)>,
    /// Sockets that were shown the board between two ticks, and the view that they
    /// are shown again.
    again: Vec<(Sid, View)>,
    /// These views, as of now.
    rows: HashMap<View, LeaderboardData>,
    /// What users are told of themselves.
    updates: Vec<(UserId, UserScoreUpdate)>,
    /// Who has moved without acting. What they are told is written later: they may
    /// be many, and the board stands still for the look.
    moved: Vec<Place>,
    /// Whose sessions may have ended.
    ended: Vec<UserId>,
}

impl<O: Outlet> Actor<O> {
    /// Looks at the board, and tells everybody what is new to them.
    pub(super) async fn tick(&mut self) {
        // Before the look, which knows frames that nobody was sent yet.
        self.set_slow_aside();
        let live = self.live.clone();
        let seen = live.take_changes(|epoch, board, changes| self.look(epoch, board, changes));
        // A look that found nothing to tell counts too: it holds up the writer.
        let is_news = seen.has_changes || !seen.updates.is_empty() || !seen.moved.is_empty();
        if is_news || !self.updates.is_empty() {
            self.tick.sent(self.started.elapsed());
        }
        // Before the frames, of which they know all then.
        for (sid, view) in seen.again {
            if let Some(rows) = seen.rows.get(&view) {
                self.tell(sid, LEADERBOARD_REFRESH, rows);
            }
        }
        if seen.is_other {
            self.tell_all_watchers().await;
        }
        self.tell_watchers(seen.steps, seen.now).await;
        for (user, update) in seen.updates {
            self.tell_user(user, &update).await;
        }
        let mut update = UserScoreUpdate {
            action_type: UserScoreUpdate::RANK_CHANGE.into(),
            timestamp: wire::timestamp(seen.now.at),
            epoch: seen.now.epoch.to_string(),
            seq: seen.now.seq,
            ..UserScoreUpdate::default()
        };
        for Place { user, score, rank } in seen.moved {
            update.user_id = wire::user_text(user);
            update.score = score.map(Score::points);
            update.rank = rank;
            self.tell_user(user, &update).await;
        }
        for user in seen.ended {
            self.end_sessions(user);
        }
    }

    /// The board stands still meanwhile.
    fn look(&mut self, epoch: Epoch, board: &Board, changes: Changes) -> Seen {
        let now = Moment::of(epoch, board);
        let Changes {
            replaced,
            actions,
            placed,
            shifts,
            climbed,
            announced,
            ended,
        } = changes;
        let has_changes =
            replaced || !placed.is_empty() || !announced.is_empty() || !ended.is_empty();
        if replaced {
            self.begin_anew(now, board);
        }
        self.online.moved(&placed, shifts);
        let was_near_top: Vec<UserId> = self.watching.top().users().collect();
        let steps = self
            .watching
            .views()
            .filter_map(|(view, watched)| Some((view, watched.frames.advance(board)?)))
            .collect::<Vec<_>>();
        let (again, rows) = self.outdated(now, &steps);

        let updates = self.own_updates(now, board, actions);
        let near_top: Vec<UserId> = self.watching.top().users().chain(was_near_top).collect();
        let mut moved = self.online.untold(near_top.into_iter(), board);
        if self.online.is_sweep_due() {
            self.online.sweep(board);
        }
        moved.extend(self.online.next_share(board));
        self.congratulate(now, board, &climbed);
        if replaced {
            self.banners.replace_log(announced);
        } else {
            for announcement in announced {
                self.banners.add(announcement, Source::Log);
            }
        }
        let ended = if replaced {
            self.online.users().collect()
        } else {
            for it in &ended {
                if let Ended::Deleted(user) = it {
                    self.banners.forget(*user);
                }
            }
            let whose = |ended| match ended {
                Ended::Deleted(user) | Ended::Revoked(user, _) => user,
            };
            ended.into_iter().map(whose).collect()
        };
        Seen {
            now,
            is_other: replaced,
            has_changes,
            steps,
            again,
            rows,
            updates,
            moved,
            ended,
        }
    }

    /// Forgets all that was seen and said of a board that is no more.
    fn begin_anew(&mut self, now: Moment, board: &Board) {
        self.watching
            .begin_anew(now, |view| Frames::new(view, now.epoch, board));
        self.online.begin_anew();
        self.updates = Updates::default();
    }

    /// Who is to be shown all rows again, and these.
    fn outdated(
        &mut self,
        now: Moment,
        steps: &[(View, Step)],
    ) -> (Vec<(Sid, View)>, HashMap<View, LeaderboardData>) {
        let (mut again, mut rows) = (Vec::new(), HashMap::new());
        for (sid, watch) in self.watching.ticked(now) {
            // A new frame says it all, to whoever gets it.
            let is_told = watch.mode == Mode::Full && steps.iter().any(|(v, _)| *v == watch.view);
            // Whoever is slow is given all rows when they have taken the others.
            if is_told || watch.behind.is_some() {
                continue;
            }
            if let Some(frames) = self.watching.frames(watch.view) {
                rows.entry(watch.view).or_insert_with(|| frames.as_of(now));
                again.push((sid, watch.view));
            }
        }
        (again, rows)
    }

    /// What those who acted are told.
    fn own_updates(
        &mut self,
        now: Moment,
        board: &Board,
        actions: HashMap<UserId, UserChange>,
    ) -> Vec<(UserId, UserScoreUpdate)> {
        let mut updates = Vec::new();
        for (user, change) in actions {
            if !self.online.is_here(user) {
                continue;
            }
            if let Some(update) = wire::user_update(now.epoch, board, user, change) {
                self.online.told(user, update.rank);
                updates.push((user, update));
            }
        }
        updates
    }

    fn congratulate(&mut self, now: Moment, board: &Board, climbed: &[Climb]) {
        let time = self.live.now();
        for (user, it) in achieved(&self.achievements, now.epoch, board, climbed, time) {
            self.banners.add(it, Source::Achievement(user));
        }
    }

    /// All rows to each room, whatever those in it have seen. What happened to whom
    /// nobody can say.
    async fn tell_all_watchers(&mut self) {
        let views: Vec<View> = self.watching.views().map(|(view, _)| view).collect();
        for view in views {
            let Some(watched) = self.watching.watched(view) else {
                continue;
            };
            for mode in [Mode::Full, Mode::Delta] {
                let (room, data) = (rooms::view(view, mode), watched.frames.data());
                let sids = watched.room(mode).iter().copied();
                self.tell_rooms(vec![room], sids, LEADERBOARD_REFRESH, data)
                    .await;
            }
        }
    }

    /// One frame to each room whose rows have changed, after what happened to
    /// each user on the visible board. A view that nobody live watches in a mode is
    /// not encoded in it.
    async fn tell_watchers(&mut self, steps: Vec<(View, Step)>, now: Moment) {
        let top = steps.iter().find(|(view, _)| *view == View::Top);
        if let Some((_, step)) = top {
            self.updates.add(&step.before, self.watching.top().data());
        }
        for mut batch in self.updates.take(now.seq, &wire::timestamp(now.at)) {
            // Whoever misses one of these does not miss what is on the board.
            let Some(top) = self.watching.watched(View::Top) else {
                continue;
            };
            let (full, delta) = (top.room(Mode::Full), top.room(Mode::Delta));
            let (room, sids) = (
                vec![rooms::SCOREBOARD.to_owned()],
                full.union(delta).copied(),
            );
            if batch.len() > 1 {
                self.tell_rooms(room, sids, BATCH_UPDATE, &batch).await;
            } else if let Some(update) = batch.pop() {
                self.tell_rooms(room, sids, SCOREBOARD_UPDATE, &update)
                    .await;
            }
        }
        for (view, Step { delta, .. }) in steps {
            let Some(watched) = self.watching.watched(view) else {
                continue;
            };
            let room = |mode| {
                let sids = watched.room(mode).iter().copied();
                (vec![rooms::view(view, mode)], sids)
            };
            let ((rooms, sids), data) = (room(Mode::Full), watched.frames.data());
            self.tell_rooms(rooms, sids, LEADERBOARD_REFRESH, data)
                .await;
            let (rooms, sids) = room(Mode::Delta);
            self.tell_rooms(rooms, sids, SCOREBOARD_DELTA, &delta).await;
        }
    }

    /// Tells a user's sockets, and of those that are slow notes that there is something
    /// newer.
    async fn tell_user(&mut self, user: UserId, update: &UserScoreUpdate) {
        let sids = self.online.sockets(user);
        for sid in sids {
            if let Some(owed) = self.consumers.get_mut(*sid).and_then(Consumer::owed) {
                owed.score = true;
            }
        }
        let room = vec![rooms::user(user)];
        self.tell_rooms(room, sids.iter().copied(), USER_SCORE_UPDATE, update)
            .await;
    }
}
