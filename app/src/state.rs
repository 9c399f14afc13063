//! What the page shows, as signals. Events of the socket and answers to requests come in
//! here, and nothing older ever replaces something newer.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "events come in the browser alone")
)]

mod rows;
mod you;

use std::{ops::Deref, time::Duration};

use leptos::prelude::*;

pub(crate) use rows::set_if_changed;
pub(crate) use rows::{Gap, RowState};
use rows::{count_changed, follow};
pub(crate) use you::You;

use crate::{
    banners::Banners,
    base_path::BasePath,
    clock::{self, Clock},
    delta::{self, Applied},
    pictures::{self, PictureOrigins},
    texts::{Locale, Text},
    wire::{LeaderboardData, PageSnapshot, ScoreboardDelta, Severity, SystemNotification, View},
};

/// How long a new leader is celebrated.
const CELEBRATION: Duration = Duration::from_secs(4);

/// The state of the page. A handle: copies are the same state.
#[derive(Clone, Copy)]
pub(crate) struct PageState {
    /// What the board is called.
    pub(crate) title: StoredValue<String>,
    /// Under which path the board is found.
    base: StoredValue<BasePath>,
    /// How the page is looked at.
    pub(crate) view: View,
    /// How it is written.
    locale: StoredValue<Locale>,
    /// From where pictures are shown.
    avatar_origins: StoredValue<PictureOrigins>,
    /// The rows in order.
    pub(crate) rows: RwSignal<Vec<RowState>>,
    /// How many players there are.
    pub(crate) total: RwSignal<u64>,
    /// The score by which bars are measured.
    pub(crate) leader: RwSignal<i64>,
    /// The id of a leader who has just taken the lead, or nothing.
    pub(crate) crowned: RwSignal<String>,
    /// The signed-in user.
    pub(crate) you: You,
    /// What time it is.
    pub(crate) clock: StoredValue<Clock>,
    /// Whether what is shown is live.
    pub(crate) connection: RwSignal<Connection>,
    /// Why the page is not live and when it will be; nothing while it is.
    pub(crate) not_live: RwSignal<String>,
    /// How old what is shown is, in seconds, while it gets older.
    pub(crate) age: RwSignal<u64>,
    /// Since when it does, as the reader writes it.
    pub(crate) lost_at: RwSignal<String>,
    /// From an action to the screen, in milliseconds; 0 for not known.
    pub(crate) delay: RwSignal<u64>,
    /// Is the board held?
    pub(crate) paused: RwSignal<bool>,
    /// How many changed rows wait meanwhile.
    pub(crate) waiting: RwSignal<u64>,
    /// Since when places won and lost are counted, where the reader chose it.
    pub(crate) since: RwSignal<String>,
    /// What the server had to say.
    pub(crate) banners: RwSignal<Banners>,
    /// Is all that it said shown?
    pub(crate) drawer: RwSignal<bool>,
    /// What is read out.
    pub(crate) summary: RwSignal<String>,
    /// When it starts, as the reader writes it; nothing once it has.
    pub(crate) starts: RwSignal<String>,
    /// When it starts: ISO 8601, or nothing.
    start: StoredValue<String>,
    /// Was the page opened by a sign-in link that is not valid?
    pub(crate) link_failed: StoredValue<bool>,
    /// By how many points somebody must be better to rank higher.
    margin: u64,
    /// The newest board, which is shown unless it is held.
    board: StoredValue<LeaderboardData>,
    /// Of which epoch the rows are that are shown.
    shown_epoch: StoredValue<String>,
    /// What was said and is still to be read out.
    unread: StoredValue<Vec<String>>,
    /// How things stood when that was read out last.
    told: StoredValue<String>,
}

/// How the page stands with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Not connected yet.
    Connecting,
    /// Every change is shown at once.
    Live,
    /// Not connected: the page asks for the board every few seconds.
    Refreshing,
    /// Lost, and trying again: what is shown gets old.
    Reconnecting,
    /// Lost, and the browser knows that there is no network.
    Offline,
}

impl Connection {
    /// Does what is shown get old?
    pub(crate) fn is_stale(self) -> bool {
        matches!(self, Connection::Reconnecting | Connection::Offline)
    }

    /// Is what is shown some seconds old, or older?
    pub(crate) fn is_lost(self) -> bool {
        self.is_stale() || self == Connection::Refreshing
    }
}

impl PageState {
    /// The state in which the server renders, and from which the browser goes on.
    pub(crate) fn new(snapshot: PageSnapshot) -> PageState {
        let board = snapshot.board;
        let rows = follow(&[], &board.top_scores);
        PageState {
            title: StoredValue::new(snapshot.title),
            view: snapshot.view,
            locale: StoredValue::new(snapshot.locale),
            avatar_origins: StoredValue::new(PictureOrigins {
                shown: snapshot.avatar_origins,
                own: pictures::own_origins(),
                base: snapshot.base.clone(),
            }),
            base: StoredValue::new(snapshot.base),
            leader: RwSignal::new(leader(&board)),
            crowned: RwSignal::new(String::new()),
            total: RwSignal::new(board.total_users),
            rows: RwSignal::new(rows),
            shown_epoch: StoredValue::new(board.epoch.clone()),
            you: You::new(snapshot.you, snapshot.around, board.version()),
            board: StoredValue::new(board),
            clock: StoredValue::new(Clock::default()),
            connection: RwSignal::new(Connection::Connecting),
            not_live: RwSignal::new(String::new()),
            age: RwSignal::new(0),
            lost_at: RwSignal::new(String::new()),
            delay: RwSignal::new(0),
            paused: RwSignal::new(false),
            waiting: RwSignal::new(0),
            since: RwSignal::new(String::new()),
            banners: RwSignal::new(Banners::default()),
            drawer: RwSignal::new(false),
            summary: RwSignal::new(String::new()),
            unread: StoredValue::new(Vec::new()),
            told: StoredValue::new(String::new()),
            // Both sides write it in UTC first, and the browser then in its own time.
            starts: RwSignal::new(
                snapshot
                    .starts
                    .as_deref()
                    .map(clock::utc)
                    .unwrap_or_default(),
            ),
            start: StoredValue::new(snapshot.starts.unwrap_or_default()),
            link_failed: StoredValue::new(snapshot.link_failed),
            margin: snapshot.margin,
        }
    }

    /// The address of a path of the board's own.
    pub(crate) fn link(self, path: &str) -> String {
        self.base.with_value(|base| base.link(path))
    }

    /// What a text says.
    pub(crate) fn text(self, text: Text) -> String {
        self.locale.with_value(|locale| locale.text(text))
    }

    /// What a text says with values in it.
    pub(crate) fn with(self, text: Text, values: &[(&str, &str)]) -> String {
        self.locale.with_value(|locale| locale.with(text, values))
    }

    /// A number, as the reader writes it.
    pub(crate) fn number(self, number: i64) -> String {
        self.locale.with_value(|locale| locale.number(number))
    }

    /// So many points.
    fn points(self, points: i64) -> String {
        self.locale.with_value(|locale| locale.points(points))
    }

    /// So many players.
    pub(crate) fn players(self, players: u64) -> String {
        self.locale.with_value(|locale| locale.players(players))
    }

    /// A moment, as the reader writes it.
    pub(crate) fn time(self, iso: &str) -> String {
        self.locale
            .with_value(|locale| clock::time(iso, &locale.code))
    }

    /// How many milliseconds have passed since the page was opened, by a clock that never
    /// goes back.
    pub(crate) fn now(self) -> f64 {
        self.clock
            .try_update_value(|it| it.now(clock::read()))
            .unwrap_or_default()
    }

    /// The server's time, in milliseconds since 1970.
    pub(crate) fn server_time(self) -> f64 {
        self.clock.with_value(|it| it.server_time(clock::read()))
    }

    /// Writes the start as the reader does.
    #[cfg(feature = "hydrate")]
    pub(crate) fn tell_start_in_own_time(self) {
        let start = self.start.get_value();
        if start.is_empty() {
            return;
        }
        let text = self
            .locale
            .with_value(|locale| clock::day_and_time(&start, &locale.code));
        self.starts.set(text);
    }

    /// Takes the start away when it is there, by the server's clock. The browser's is
    /// believed only where the server has nothing to say.
    #[cfg(feature = "hydrate")]
    pub(crate) fn watch_start(self) {
        let is_known = self.clock.with_value(Clock::knows_server);
        if (is_known || self.connection.get_untracked().is_stale())
            && self.starts.with_untracked(|starts| !starts.is_empty())
            && self
                .start
                .with_value(|start| clock::parse(start) <= self.server_time())
        {
            self.starts.set(String::new());
        }
    }

    /// The address of a picture, if pictures from there are shown.
    pub(crate) fn shown_picture(self, address: Option<String>) -> Option<String> {
        let address = address.filter(|address| {
            self.avatar_origins
                .with_value(|origins| origins.allow(address))
        });
        address.map(|address| self.base.with_value(|base| base.picture(address)))
    }

    /// The id of the signed-in user, if they are among the rows.
    #[cfg(feature = "hydrate")]
    pub(crate) fn listed_id(self) -> Option<String> {
        self.you.shown.with(|you| {
            let id = &you.as_ref()?.user_id;
            let is_listed = |rows: &Vec<RowState>| rows.iter().any(|row| row.user_id == *id);
            self.rows.with(is_listed).then(|| id.clone())
        })
    }

    /// Is it still to begin?
    pub(crate) fn is_before_start(self) -> bool {
        self.starts.with(|starts| !starts.is_empty())
    }

    /// Where links lead: out of the frame of somebody else's page.
    pub(crate) fn target(self) -> Option<&'static str> {
        (self.view == View::Embed).then_some("_blank")
    }

    /// The newest board, to look at before it is replaced.
    pub(crate) fn board(self) -> impl Deref<Target = LeaderboardData> {
        self.board.read_value()
    }

    /// Which page of the board this is, if it is one.
    pub(crate) fn page(self) -> Option<u64> {
        self.board().page
    }

    /// Takes a board, to be shown by [`refresh`](PageState::refresh); `false` if it is
    /// older than the newest.
    pub(crate) fn take(self, board: LeaderboardData) -> bool {
        let is_newer = self.board().version().admits(board.version());
        if is_newer {
            self.board.set_value(board);
        }
        is_newer
    }

    /// Takes a delta, to be shown by [`refresh`](PageState::refresh).
    pub(crate) fn advance(self, delta: ScoreboardDelta) -> Applied {
        delta::apply(&mut self.board.write_value(), delta)
    }

    /// Shows the newest board; a held page only counts what waits.
    pub(crate) fn refresh(self) {
        if self.paused.get_untracked() {
            let changed = self
                .rows
                .with_untracked(|shown| count_changed(shown, &self.board().top_scores));
            self.waiting.set(changed.max(1));
        } else {
            self.present(&self.board());
        }
    }

    fn present(self, board: &LeaderboardData) {
        self.waiting.set(0);
        self.show_you(board);
        // In a new epoch nobody has taken the lead from whoever had it in the last one.
        if self.shown_epoch.with_value(|epoch| *epoch == board.epoch) {
            self.crown(board);
        } else {
            self.shown_epoch.set_value(board.epoch.clone());
        }
        set_if_changed(&self.leader, &leader(board));
        set_if_changed(&self.total, &board.total_users);

        let (rows, is_other) = self.rows.with_untracked(|known| {
            let rows = follow(known, &board.top_scores);
            let is_same = |(old, row): (&RowState, &RowState)| old.user_id == row.user_id;
            let is_other = known.len() != rows.len() || !known.iter().zip(&rows).all(is_same);
            (rows, is_other)
        });
        if is_other {
            self.rows.set(rows);
        }
    }

    /// Notes a new leader of the whole board, for a moment.
    fn crown(self, board: &LeaderboardData) {
        let old = self
            .rows
            .with_untracked(|rows| rows.first().map(|row| row.user_id.clone()));
        let new = board.top_scores.first().map(|row| row.user_id.clone());
        if let (Some(old), Some(new), None) = (old, new, board.page)
            && old != new
        {
            self.crowned.set(new.clone());
            clock::later(CELEBRATION, move || {
                if self.crowned.with_untracked(|crowned| *crowned == new) {
                    self.crowned.set(String::new());
                }
            });
        }
    }

    /// Counts places won and lost from this moment on.
    pub(crate) fn compare_from_now(self) {
        for row in self.rows.get_untracked() {
            row.first_rank.set(row.rank.get_untracked());
        }
        self.since.set(self.time(&clock::iso(self.server_time())));
    }

    /// Holds the board, or lets it go.
    pub(crate) fn toggle_pause(self) {
        self.paused.update(|paused| *paused = !*paused);
    }

    /// Takes a banner; `false` if it was there before.
    pub(crate) fn notify(self, notification: SystemNotification) -> bool {
        let is_calm = notification.severity != Severity::Error;
        let message = is_calm.then(|| notification.message.clone());
        let is_new = self.banners.try_update(|it| it.add(notification)) == Some(true);
        if let Some(message) = message.filter(|_| is_new) {
            self.unread.update_value(|unread| unread.push(message));
        }
        is_new
    }

    /// Removes a banner whose button was used; the focus does not go with it.
    pub(crate) fn dismiss(self, id: &str) {
        self.banners.update(|it| it.dismiss(id));
        clock::focus_after(&[".notice button", "[aria-controls=messages]"]);
    }

    /// Tells whoever listens what is new: what was said, and how things stand if that
    /// is another than they last heard.
    pub(crate) fn summarise(self) {
        let unread = self.unread.get_value().join(" – ");
        self.unread.set_value(Vec::new());
        let standing = self.standing();
        let is_known = self.told.with_value(|told| *told == standing);
        if unread.is_empty() && is_known {
            return;
        }
        self.told.set_value(standing.clone());
        let standing = if is_known { String::new() } else { standing };
        let parts = [unread, standing].into_iter();
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        self.summary.set(parts.join(" – "));
    }

    /// How things stand: who leads, and where the signed-in user is; or that nobody
    /// can tell.
    fn standing(self) -> String {
        match self.connection.get_untracked() {
            Connection::Reconnecting => return self.text(Text::NotLive),
            Connection::Offline => return self.text(Text::Offline),
            Connection::Refreshing => return self.not_live.get_untracked(),
            Connection::Connecting | Connection::Live => {}
        }
        let leader = self.rows.with_untracked(|rows| {
            rows.first().filter(|_| self.page().is_none()).map(|row| {
                let points = self.points(row.score.get_untracked());
                let name = row.username.get_untracked();
                self.with(Text::Summary, &[("name", &name), ("n", &points)])
            })
        });
        let you = self.you.shown.with_untracked(|you| {
            let rank = you.as_ref()?.rank?;
            let rank = self.number(rank.cast_signed());
            Some(self.with(Text::YouAre, &[("rank", &rank)]))
        });
        let parts: Vec<String> = leader.into_iter().chain(you).collect();
        parts.join(" ")
    }
}

fn leader(board: &LeaderboardData) -> i64 {
    board.top_scores.first().map_or(0, |row| row.score)
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::{
        index::counted::hashes,
        wire::{RowChange, ScoreRow, UserScore, UserScoreUpdate},
    };

    fn board(epoch: &str, seq: u64, rows: &[(&str, i64)]) -> LeaderboardData {
        let rows = rows.iter().zip(1..).map(|(&(user, score), rank)| ScoreRow {
            user_id: user.into(),
            username: user.to_uppercase(),
            score,
            rank,
            avatar: None,
        });
        LeaderboardData {
            top_scores: rows.collect(),
            total_users: 7,
            last_updated: "2026-11-23T12:00:00.000Z".into(),
            epoch: epoch.into(),
            seq,
            page: None,
        }
    }

    fn with_state(check: impl FnOnce(PageState)) {
        let owner = Owner::new();
        owner.with(|| {
            check(PageState::new(PageSnapshot {
                title: "Board".into(),
                board: board("e", 10, &[("a", 5), ("b", 3)]),
                you: Some(UserScore {
                    user_id: "b".into(),
                    username: "B".into(),
                    avatar: None,
                    score: Some(3),
                    rank: Some(2),
                    epoch: "e".into(),
                    seq: 10,
                }),
                ..PageSnapshot::default()
            }));
        });
    }

    fn show(state: PageState, board: LeaderboardData) {
        if state.take(board) {
            state.refresh();
        }
    }

    #[test]
    fn nobody_has_taken_the_lead_by_another_log() {
        with_state(|state| {
            show(state, board("f", 3, &[("b", 9), ("a", 5)]));
            assert_eq!(shown(state)[0], ("b".into(), 9, 1));
            assert_eq!(state.crowned.get_untracked(), "");
            show(state, board("g", 3, &[("a", 9), ("b", 5)]));
            assert_eq!(state.you.lost_rank(), None);
            show(state, board("g", 4, &[("b", 10), ("a", 9)]));
            assert_eq!(state.crowned.get_untracked(), "b");
            show(state, board("g", 5, &[("a", 11), ("b", 10)]));
            assert_eq!(state.you.lost_rank(), Some(1));
        });
    }

    fn shown(state: PageState) -> Vec<(String, i64, u64)> {
        let rows = state.rows.get_untracked();
        let row = |row: &RowState| {
            let id = row.user_id.clone();
            (id, row.score.get_untracked(), row.rank.get_untracked())
        };
        rows.iter().map(row).collect()
    }

    fn update(seq: u64, score: i64, rank: u64) -> UserScoreUpdate {
        UserScoreUpdate {
            user_id: "b".into(),
            score: Some(score),
            rank: Some(rank),
            action_type: "goal".into(),
            score_increase: 1,
            timestamp: String::new(),
            merged: 1,
            epoch: "e".into(),
            seq,
        }
    }

    #[test]
    fn a_newer_board_is_shown_and_rows_keep_their_signals() {
        with_state(|state| {
            let a = state.rows.get_untracked()[0].clone();
            show(state, board("e", 11, &[("b", 6), ("a", 5), ("c", 1)]));
            let expected = [("b".into(), 6, 1), ("a".into(), 5, 2), ("c".into(), 1, 3)];
            assert_eq!(shown(state), expected);
            assert_eq!(
                (a.rank.get_untracked(), a.first_rank.get_untracked()),
                (2, 1)
            );
            let you = state
                .you
                .shown
                .get_untracked()
                .map(|you| (you.score, you.rank));
            assert_eq!(you, Some((Some(6), Some(1))));
        });
    }

    #[test]
    fn an_older_board_is_not() {
        with_state(|state| {
            show(state, board("e", 9, &[("b", 6)]));
            assert_eq!(shown(state), [("a".into(), 5, 1), ("b".into(), 3, 2)]);
        });
    }

    #[test]
    fn another_epoch_replaces_everything() {
        with_state(|state| {
            show(state, board("f", 1, &[("c", 1)]));
            assert_eq!(shown(state), [("c".into(), 1, 1)]);
            show(state, board("f", 2, &[]));
            assert_eq!(shown(state), []);
        });
    }

    #[test]
    fn a_sign_in_that_has_ended_is_not_shown() {
        with_state(|state| {
            let mut you = state.you.shown.get_untracked();
            if let Some(you) = &mut you {
                (you.seq, you.rank) = (9, Some(7));
            }
            state.sign_in(you);
            let rank = state.you.shown.get_untracked().and_then(|you| you.rank);
            assert_eq!(rank, Some(2), "what is older is not shown");
            state.sign_in(None);
            assert_eq!(state.you.shown.get_untracked(), None);
        });
    }

    #[test]
    fn your_score_never_goes_back() {
        with_state(|state| {
            state.update_you(update(12, 9, 1));
            state.update_you(update(11, 4, 2));
            show(state, board("e", 11, &[("a", 5), ("b", 4)]));
            let you = state
                .you
                .shown
                .get_untracked()
                .map(|you| (you.score, you.rank));
            assert_eq!(you, Some((Some(9), Some(1))));
        });
    }

    /// An answer about b: a leads, and then those with these scores.
    fn around(epoch: &str, seq: u64, scores: &[(&str, i64)]) -> LeaderboardData {
        board(epoch, seq, scores)
    }

    fn around_of(state: PageState) -> Vec<(String, i64)> {
        let rows = state.you.around.get_untracked();
        rows.into_iter()
            .map(|row| (row.user_id, row.score))
            .collect()
    }

    fn you(state: PageState) -> Option<(Option<i64>, Option<u64>)> {
        let you = state.you.shown.get_untracked();
        you.map(|you| (you.score, you.rank))
    }

    #[test]
    fn a_slow_answer_never_replaces_newer_rows() {
        with_state(|state| {
            let newer = around("e", 20, &[("a", 9), ("b", 4), ("c", 3)]);
            assert!(state.take_around("b", &newer));
            assert_eq!(
                you(state),
                Some((Some(4), Some(2))),
                "it is newer about b too"
            );
            // The rank of b is the same in it.
            let slow = around("e", 15, &[("z", 6), ("b", 3), ("c", 2)]);
            assert!(!state.take_around("b", &slow));
            let expected = [("a".into(), 9), ("b".into(), 4), ("c".into(), 3)];
            assert_eq!(around_of(state), expected);
            assert_eq!(you(state), Some((Some(4), Some(2))));
            // Nor does a board, whose way was longer.
            show(
                state,
                LeaderboardData {
                    total_users: 2,
                    ..board("e", 16, &[("a", 5), ("b", 3)])
                },
            );
            assert_eq!(around_of(state), expected);
            assert_eq!(you(state), Some((Some(4), Some(2))));
        });
    }

    #[test]
    fn a_slow_answer_never_says_what_an_event_has_changed() {
        with_state(|state| {
            state.update_you(update(30, 9, 2));
            let slow = around("e", 25, &[("a", 12), ("b", 3)]);
            assert!(!state.take_around("b", &slow), "the score of b was another");
            assert_eq!(around_of(state), []);
            let unchanged = around("e", 28, &[("a", 12), ("b", 9)]);
            assert!(state.take_around("b", &unchanged));
            assert_eq!(you(state), Some((Some(9), Some(2))));
        });
    }

    #[test]
    fn an_answer_of_another_epoch_is_not_shown() {
        with_state(|state| {
            show(state, board("f", 3, &[("a", 5), ("c", 2)]));
            for epoch in ["e", "g"] {
                let late = around(epoch, 99, &[("a", 5), ("b", 3)]);
                assert!(!state.take_around("b", &late), "{epoch}");
            }
            let mut late = state.you.shown.get_untracked();
            if let Some(late) = &mut late {
                (late.seq, late.score, late.epoch) = (99, Some(77), "g".into());
            }
            state.sign_in(late);
            assert_eq!(you(state), Some((Some(3), Some(2))));
        });
    }

    #[test]
    fn rows_of_an_epoch_that_has_ended_are_not_shown() {
        with_state(|state| {
            assert!(state.take_around("b", &around("e", 20, &[("a", 9), ("b", 4)])));
            show(state, board("f", 1, &[("c", 1)]));
            assert_eq!(around_of(state), []);
        });
    }

    fn user(id: &str, epoch: &str, seq: u64) -> UserScore {
        UserScore {
            user_id: id.into(),
            username: id.to_uppercase(),
            score: Some(1),
            rank: Some(5),
            epoch: epoch.into(),
            seq,
            ..UserScore::default()
        }
    }

    fn banner(message: &str) -> SystemNotification {
        SystemNotification {
            id: message.into(),
            kind: crate::wire::NotificationKind::Achievement,
            message: message.into(),
            severity: Severity::Info,
            timestamp: String::new(),
            duration: None,
            replaces: None,
        }
    }

    #[test]
    fn nothing_remains_of_the_user_who_was_signed_in_before() {
        for next in [Some(user("d", "e", 11)), None] {
            with_state(|state| {
                assert!(state.take_around("b", &around("e", 20, &[("a", 9), ("b", 4), ("d", 1)])));
                state.update_you(update(21, 3, 3));
                assert!(state.take_around("b", &around("e", 22, &[("a", 9), ("d", 4), ("b", 3)])));
                state.you.passed.set("d passed you".into());
                state.notify(banner("b has done it"));

                state.sign_in(next.clone());
                assert_eq!(
                    state.user_id(),
                    next.as_ref().map(|you| you.user_id.clone())
                );
                assert_eq!(around_of(state), []);
                assert_eq!(state.you.passed.get_untracked(), "");
                assert_eq!(state.banners.get_untracked().said().len(), 0);
                state.summarise();
                assert!(!state.summary.get_untracked().contains("b has done it"));

                // What was on its way about b is about nobody now, also where it has d.
                let late = around("e", 23, &[("a", 9), ("d", 5), ("b", 3)]);
                assert!(!state.take_around("b", &late));
                state.update_you(update(24, 8, 1));
                assert_eq!(you(state), next.map(|you| (you.score, you.rank)));
            });
        }
    }

    #[test]
    fn who_signs_in_again_is_shown_as_anybody_else() {
        with_state(|state| {
            state.sign_in(None);
            state.sign_in(Some(user("b", "e", 3)));
            // The board knows more about b.
            assert_eq!(you(state), Some((Some(3), Some(2))));
            // Of another epoch nothing is known but the name.
            state.sign_in(Some(user("d", "g", 99)));
            assert_eq!(you(state), Some((None, None)));
            let first = UserScoreUpdate {
                user_id: "d".into(),
                ..update(11, 2, 3)
            };
            state.update_you(first);
            assert_eq!(you(state), Some((Some(2), Some(3))));
        });
    }

    #[test]
    fn the_work_of_a_frame_grows_with_its_rows_and_not_with_their_square() {
        for size in [250, 1_000] {
            let ids: Vec<String> = (0..size)
                .map(|n| format!("0d9f5c3e-8f5a-4f0e-9d57-{n:012}"))
                .collect();
            let ids: Vec<(&str, i64)> = ids.iter().map(|id| (id.as_str(), 1)).collect();
            let turned: Vec<(&str, i64)> = ids.iter().rev().copied().collect();
            let change = |(index, &(user, score)): (usize, &(&str, i64))| RowChange {
                user_id: user.into(),
                index: Some(index),
                score: Some(score),
                rank: Some(index as u64 + 1),
                ..RowChange::default()
            };
            let delta = |seq: u64, rows: &[(&str, i64)]| ScoreboardDelta {
                epoch: "e".into(),
                from: seq - 1,
                to: seq,
                changes: rows.iter().enumerate().map(change).collect(),
                ..ScoreboardDelta::default()
            };
            Owner::new().with(|| {
                let state = PageState::new(PageSnapshot {
                    board: board("e", 1, &ids),
                    ..PageSnapshot::default()
                });
                let frame = |delta| {
                    hashes(|| {
                        assert_eq!(state.advance(delta), Applied::Newer);
                        state.refresh();
                    })
                };
                // Both of a delta, and of what is shown, each row is put into an index
                // once, and each is looked up in it once: fewer would be searched for.
                assert_eq!(frame(delta(2, &turned)), 4 * size);
                assert_eq!(shown(state)[0].0, turned[0].0);
                // A held page counts what waits.
                state.toggle_pause();
                assert_eq!(frame(delta(3, &ids)), 4 * size);
            });
        }
    }
}
