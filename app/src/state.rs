//! What the page shows, as signals. Events of the socket come in here, and
//! nothing older ever replaces something newer.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "events come in the browser alone")
)]

use std::time::Duration;

use leptos::prelude::*;

use crate::{
    banners::Banners,
    clock, pictures,
    texts::{Locale, Text},
    wire::{
        LeaderboardData, PageSnapshot, ScoreRow, Severity, SystemNotification, UserScore,
        UserScoreUpdate, View,
    },
};

/// How long a new leader is celebrated.
const CELEBRATION: Duration = Duration::from_secs(4);
/// How long the note stays that somebody has passed you.
const NOTE: Duration = Duration::from_secs(12);
/// How many rows on either side are about you.
const WINDOW: usize = 2;

/// The state of the page. A handle: copies are the same state.
#[derive(Clone, Copy)]
pub(crate) struct PageState {
    /// What the board is called.
    pub(crate) title: StoredValue<String>,
    /// How the page is looked at.
    pub(crate) view: View,
    /// How it is written.
    locale: StoredValue<Locale>,
    /// From where pictures are shown.
    avatar_origins: StoredValue<Vec<String>>,
    /// The rows in order.
    pub(crate) rows: RwSignal<Vec<RowState>>,
    /// How many players there are.
    pub(crate) total: RwSignal<u64>,
    /// The score by which bars are measured.
    pub(crate) leader: RwSignal<i64>,
    /// The id of a leader who has just taken the lead, or nothing.
    pub(crate) crowned: RwSignal<String>,
    /// Whoever is signed in.
    pub(crate) you: RwSignal<Option<UserScore>>,
    /// Is their row on the screen?
    pub(crate) in_sight: RwSignal<bool>,
    /// The rows about whoever is signed in, with their own.
    pub(crate) around: RwSignal<Vec<ScoreRow>>,
    /// Who has just passed them, and what it takes to be back; or nothing.
    pub(crate) passed: RwSignal<String>,
    /// Whether what is shown is live.
    pub(crate) connection: RwSignal<Connection>,
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
    /// Of which life of the log the rows are that are shown.
    shown_epoch: StoredValue<String>,
    /// The newest of whoever is signed in.
    newest_you: StoredValue<Option<UserScore>>,
    /// The rank that they lost a moment ago.
    lost_rank: StoredValue<Option<u64>>,
    /// What was said and is still to be read out.
    unread: StoredValue<Vec<String>>,
    /// How things stood when that was read out last.
    told: StoredValue<String>,
}

/// A row, whose parts change on their own.
#[derive(Clone)]
pub(crate) struct RowState {
    pub(crate) user_id: String,
    pub(crate) username: ArcRwSignal<String>,
    pub(crate) avatar: ArcRwSignal<Option<String>>,
    pub(crate) score: ArcRwSignal<i64>,
    pub(crate) rank: ArcRwSignal<u64>,
    /// How far the next place is.
    pub(crate) gap: ArcRwSignal<Gap>,
    /// The rank that the user had at the moment from which places are counted.
    pub(crate) first_rank: ArcRwSignal<u64>,
}

/// How far a row is from the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// There is none above.
    First,
    /// It has the same score.
    Level,
    /// So many points are between them.
    Behind(i64),
}

/// How the page stands with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Not connected yet.
    Connecting,
    /// Every change is shown at once.
    Live,
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
}

/// Which facts are the newer ones: by `seq`, within one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    epoch: String,
    seq: u64,
}

impl Version {
    /// Is a fact of this epoch and seq at least as new? Another epoch is another
    /// life of the log: what was known of the last one is void.
    fn admits(&self, epoch: &str, seq: u64) -> bool {
        self.epoch != epoch || seq >= self.seq
    }
}

impl RowState {
    fn new(row: ScoreRow, gap: Gap) -> RowState {
        RowState {
            user_id: row.user_id,
            username: ArcRwSignal::new(row.username),
            avatar: ArcRwSignal::new(row.avatar),
            score: ArcRwSignal::new(row.score),
            first_rank: ArcRwSignal::new(row.rank),
            rank: ArcRwSignal::new(row.rank),
            gap: ArcRwSignal::new(gap),
        }
    }

    fn update(&self, row: ScoreRow, gap: Gap) {
        set_if_changed(&self.username, row.username);
        set_if_changed(&self.avatar, row.avatar);
        set_if_changed(&self.score, row.score);
        set_if_changed(&self.rank, row.rank);
        set_if_changed(&self.gap, gap);
    }
}

fn set_if_changed<T: PartialEq + Send + Sync + 'static>(signal: &ArcRwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}

/// How far each row is from the one above; of the first of a page nobody knows.
fn gaps(rows: &[ScoreRow]) -> Vec<Gap> {
    let mut above = None;
    let gap = |row: &ScoreRow| match above.replace(row.score) {
        None => Gap::First,
        Some(above) if above == row.score => Gap::Level,
        Some(above) => Gap::Behind((above - row.score).abs()),
    };
    rows.iter().map(gap).collect()
}

fn place_of(rows: &[ScoreRow], user: &str) -> Option<usize> {
    rows.iter().position(|row| row.user_id == user)
}

impl PageState {
    /// The state in which the server renders, and from which the browser goes on.
    pub(crate) fn new(snapshot: PageSnapshot) -> PageState {
        let board = snapshot.board;
        let rows = board
            .top_scores
            .iter()
            .cloned()
            .zip(gaps(&board.top_scores));
        let rows = rows.map(|(row, gap)| RowState::new(row, gap)).collect();
        PageState {
            title: StoredValue::new(snapshot.title),
            view: snapshot.view,
            locale: StoredValue::new(snapshot.locale),
            avatar_origins: StoredValue::new(snapshot.avatar_origins),
            leader: RwSignal::new(leader(&board)),
            crowned: RwSignal::new(String::new()),
            total: RwSignal::new(board.total_users),
            rows: RwSignal::new(rows),
            shown_epoch: StoredValue::new(board.epoch.clone()),
            board: StoredValue::new(board),
            you: RwSignal::new(snapshot.you.clone()),
            newest_you: StoredValue::new(snapshot.you),
            in_sight: RwSignal::new(false),
            around: RwSignal::new(snapshot.around),
            passed: RwSignal::new(String::new()),
            lost_rank: StoredValue::new(None),
            connection: RwSignal::new(Connection::Connecting),
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

    /// Writes the start as the reader does, and takes it away when it is there.
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
        // A timer of a browser holds for 24 days; nobody looks that long.
        if let Some(wait) = clock::until(&start) {
            clock::later(wait, move || self.starts.set(String::new()));
        }
    }

    /// The address of a picture, if pictures from there are shown.
    pub(crate) fn shown_picture(self, address: Option<String>) -> Option<String> {
        address.filter(|address| {
            self.avatar_origins
                .with_value(|origins| pictures::is_allowed(address, origins))
        })
    }

    /// Is whoever is signed in among the rows?
    #[cfg(feature = "hydrate")]
    pub(crate) fn is_listed(self) -> bool {
        self.you.with(|you| {
            let id = you.as_ref().map(|you| &you.user_id);
            self.rows
                .with(|rows| rows.iter().any(|row| Some(&row.user_id) == id))
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

    /// The newest board.
    pub(crate) fn board(self) -> LeaderboardData {
        self.board.get_value()
    }

    /// Which page of the board this is, if it is one.
    pub(crate) fn page(self) -> Option<u64> {
        self.board.with_value(|board| board.page)
    }

    /// Is this board at least as new as the newest?
    pub(crate) fn admits(self, board: &LeaderboardData) -> bool {
        self.board
            .with_value(|shown| shown.version().admits(&board.epoch, board.seq))
    }

    /// Shows a board, if it is not older than the newest. A held page shows it when
    /// it is let go.
    pub(crate) fn show(self, board: LeaderboardData) {
        if !self.admits(&board) {
            return;
        }
        if self.paused.get_untracked() {
            let shown = self.rows.get_untracked();
            let is_shown = |row: &&ScoreRow| {
                shown
                    .iter()
                    .any(|it| it.user_id == row.user_id && it.score.get_untracked() == row.score)
            };
            let changed = board.top_scores.iter().filter(|row| !is_shown(row));
            let changed = changed.count() as u64;
            self.waiting.set(changed.max(1));
            self.board.set_value(board);
        } else {
            self.board.set_value(board);
            self.present();
        }
    }

    /// Shows the newest of all.
    pub(crate) fn present(self) {
        let board = self.board();
        self.waiting.set(0);
        self.show_you(&board);
        // In another life of the log nobody has taken the lead from whoever had it.
        if self.shown_epoch.with_value(|epoch| *epoch == board.epoch) {
            self.crown(&board);
        }
        self.shown_epoch.set_value(board.epoch.clone());
        self.leader.set(leader(&board));
        self.total.set(board.total_users);

        let known = self.rows.get_untracked();
        let before: Vec<&str> = known.iter().map(|row| row.user_id.as_str()).collect();
        let gaps = gaps(&board.top_scores);
        let rows: Vec<RowState> = board
            .top_scores
            .into_iter()
            .zip(gaps)
            .map(
                |(row, gap)| match known.iter().find(|old| old.user_id == row.user_id) {
                    Some(old) => {
                        old.update(row, gap);
                        old.clone()
                    }
                    None => RowState::new(row, gap),
                },
            )
            .collect();
        if !rows.iter().map(|row| row.user_id.as_str()).eq(before) {
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

    /// The visible board often knows about whoever is signed in first.
    fn show_you(self, board: &LeaderboardData) {
        let Some(mut you) = self.newest_you.get_value() else {
            return;
        };
        let rows = &board.top_scores;
        if let Some(place) = place_of(rows, &you.user_id) {
            if you.version().admits(&board.epoch, board.seq) {
                let row = &rows[place];
                you.score = Some(row.score);
                you.rank = Some(row.rank);
                you.username.clone_from(&row.username);
                you.avatar.clone_from(&row.avatar);
                you.epoch.clone_from(&board.epoch);
                you.seq = board.seq;
            }
            if self.knows_around(board, place) {
                let from = place.saturating_sub(WINDOW);
                let to = (place + WINDOW + 1).min(rows.len());
                let around = rows[from..to].to_vec();
                self.set_you(you);
                self.set_around(around);
                return;
            }
        }
        self.set_you(you);
    }

    /// Are the rows about this place among those of the board?
    fn knows_around(self, board: &LeaderboardData, place: usize) -> bool {
        let rows = board.top_scores.len();
        let first = board.page.is_none_or(|page| page == 0);
        let last = board.total_users <= rows as u64 && first;
        (first || place >= WINDOW) && (last || place + WINDOW < rows)
    }

    /// Must the rows about whoever is signed in be asked for?
    pub(crate) fn wants_around(self) -> bool {
        let you = self.newest_you.get_value();
        let Some(you) = you.filter(|you| you.rank.is_some()) else {
            return false;
        };
        self.board.with_value(|board| {
            let place = place_of(&board.top_scores, &you.user_id);
            !place.is_some_and(|place| self.knows_around(board, place))
        })
    }

    /// Shows the rows about whoever is signed in.
    pub(crate) fn set_around(self, around: Vec<ScoreRow>) {
        let is_of_now = self.you.with_untracked(|you| {
            you.as_ref().is_some_and(|you| {
                let mut rows = around.iter();
                rows.any(|row| row.user_id == you.user_id && Some(row.rank) == you.rank)
            })
        });
        if self.paused.get_untracked() || !is_of_now {
            return;
        }
        let before = self.around.get_untracked();
        if before != around {
            self.around.set(around);
        }
        if let Some(rank) = self.lost_rank.get_value() {
            self.lost_rank.set_value(None);
            self.note_passing(rank, &before);
        }
    }

    /// Says who has passed whoever is signed in, and what it takes to be back at the
    /// rank that they had: the nearest above who was not above `before`.
    fn note_passing(self, lost: u64, before: &[ScoreRow]) {
        let note = self.you.with_untracked(|you| {
            let you = you.as_ref()?;
            let score = you.score?;
            self.around.with_untracked(|rows| {
                let above = place_of(rows, &you.user_id)?.checked_sub(1)?;
                let ahead = &before[..place_of(before, &you.user_id).unwrap_or(0)];
                let is_new = |row: &&ScoreRow| place_of(ahead, &row.user_id).is_none();
                let passer = rows[..=above].iter().rev().find(is_new)?;
                // Where the old place is out of sight, the next one is a beginning.
                let there = rows[..=above].iter().find(|row| row.rank >= lost);
                let there = there.unwrap_or(&rows[above]);
                let points = there.score.abs_diff(score).saturating_add(self.margin);
                Some(self.with(
                    Text::PassedYou,
                    &[
                        ("name", &passer.username),
                        ("n", &self.points(points.cast_signed())),
                        ("rank", &self.number(there.rank.cast_signed())),
                    ],
                ))
            })
        });
        let Some(note) = note else {
            return;
        };
        self.passed.set(note.clone());
        clock::later(NOTE, move || {
            if self.passed.with_untracked(|passed| *passed == note) {
                self.passed.set(String::new());
            }
        });
    }

    /// What is in reach of whoever is signed in: the next place, and how safe the own
    /// one is.
    pub(crate) fn reach(self) -> (String, String) {
        let reach = self.you.with(|you| {
            let you = you.as_ref()?;
            let score = you.score?;
            self.around.with(|rows| {
                let place = place_of(rows, &you.user_id)?;
                let ahead = place.checked_sub(1).map(|above| &rows[above]);
                let ahead = ahead.filter(|_| you.rank != Some(1));
                let ahead = ahead.map_or_else(
                    || self.text(Text::InTheLead),
                    |row| {
                        let points = row.score.abs_diff(score).saturating_add(self.margin);
                        self.with(
                            Text::ToGain,
                            &[
                                ("n", &self.number(points.cast_signed())),
                                ("name", &row.username),
                                ("rank", &self.number(row.rank.cast_signed())),
                            ],
                        )
                    },
                );
                let behind = rows.get(place + 1).map(|row| {
                    let points = self.number(row.score.abs_diff(score).cast_signed());
                    self.with(Text::Cushion, &[("n", &points), ("name", &row.username)])
                });
                Some((ahead, behind.unwrap_or_default()))
            })
        });
        reach.unwrap_or_default()
    }

    /// Shows who is signed in now: somebody whose sign-in has ended is not.
    pub(crate) fn sign_in(self, now: Option<UserScore>) {
        let newer = self.newest_you.with_value(|you| match (you, &now) {
            (Some(you), Some(now)) if you.user_id == now.user_id => {
                you.version().admits(&now.epoch, now.seq)
            }
            _ => true,
        });
        if !newer {
            return;
        }
        let known = self.newest_you.get_value();
        match (known, now) {
            (Some(known), Some(now)) if known.user_id == now.user_id => self.set_you(now),
            (_, now) => {
                self.newest_you.set_value(now.clone());
                self.around.set(Vec::new());
                self.lost_rank.set_value(None);
                self.passed.set(String::new());
                self.you.set(now);
            }
        }
    }

    /// Shows what became of the score of whoever is signed in.
    pub(crate) fn update_you(self, update: UserScoreUpdate) {
        let Some(mut you) = self.newest_you.get_value() else {
            return;
        };
        if you.user_id == update.user_id && you.version().admits(&update.epoch, update.seq) {
            you.score = update.score;
            you.rank = update.rank;
            you.epoch = update.epoch;
            you.seq = update.seq;
            self.set_you(you);
        }
    }

    fn set_you(self, you: UserScore) {
        self.newest_you.set_value(Some(you.clone()));
        if self.paused.get_untracked() {
            return;
        }
        // Nor has anybody passed whoever stands elsewhere there.
        let before = self.you.with_untracked(|shown| {
            let shown = shown.as_ref().filter(|shown| shown.epoch == you.epoch);
            shown.and_then(|shown| shown.rank)
        });
        if let (Some(before), Some(now)) = (before, you.rank) {
            if now > before {
                // Rows that say who it was come with the board, or are fetched.
                self.lost_rank.set_value(Some(before));
            } else if now < before {
                self.lost_rank.set_value(None);
                self.passed.set(String::new());
            }
        }
        if self
            .you
            .with_untracked(|shown| shown.as_ref() != Some(&you))
        {
            self.you.set(Some(you));
        }
    }

    /// Counts places won and lost from this moment on.
    pub(crate) fn compare_from_now(self) {
        for row in self.rows.get_untracked() {
            row.first_rank.set(row.rank.get_untracked());
        }
        let now = self.locale.with_value(|locale| clock::now(&locale.code));
        self.since.set(now);
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

    /// How things stand: who leads, and where whoever is signed in is; or that nobody
    /// can tell.
    fn standing(self) -> String {
        match self.connection.get_untracked() {
            Connection::Reconnecting => return self.text(Text::Reconnecting),
            Connection::Offline => return self.text(Text::Offline),
            Connection::Connecting | Connection::Live => {}
        }
        let leader = self.rows.with_untracked(|rows| {
            rows.first().filter(|_| self.page().is_none()).map(|row| {
                let points = self.points(row.score.get_untracked());
                let name = row.username.get_untracked();
                self.with(Text::Summary, &[("name", &name), ("n", &points)])
            })
        });
        let you = self.you.with_untracked(|you| {
            let rank = you.as_ref()?.rank?;
            let rank = self.number(rank.cast_signed());
            Some(self.with(Text::YouAre, &[("rank", &rank)]))
        });
        let parts: Vec<String> = leader.into_iter().chain(you).collect();
        parts.join(" ")
    }
}

impl LeaderboardData {
    fn version(&self) -> Version {
        Version {
            epoch: self.epoch.clone(),
            seq: self.seq,
        }
    }
}

impl UserScore {
    fn version(&self) -> Version {
        Version {
            epoch: self.epoch.clone(),
            seq: self.seq,
        }
    }
}

fn leader(board: &LeaderboardData) -> i64 {
    board.top_scores.first().map_or(0, |row| row.score)
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

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

    #[test]
    fn nobody_has_taken_the_lead_by_another_log() {
        with_state(|state| {
            state.show(board("f", 3, &[("b", 9), ("a", 5)]));
            assert_eq!(shown(state)[0], ("b".into(), 9, 1));
            assert_eq!(state.crowned.get_untracked(), "");
            state.show(board("g", 3, &[("a", 9), ("b", 5)]));
            assert_eq!(state.lost_rank.get_value(), None);
            state.show(board("g", 4, &[("b", 10), ("a", 9)]));
            assert_eq!(state.crowned.get_untracked(), "b");
            state.show(board("g", 5, &[("a", 11), ("b", 10)]));
            assert_eq!(state.lost_rank.get_value(), Some(1));
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
            state.show(board("e", 11, &[("b", 6), ("a", 5), ("c", 1)]));
            let expected = [("b".into(), 6, 1), ("a".into(), 5, 2), ("c".into(), 1, 3)];
            assert_eq!(shown(state), expected);
            assert_eq!(
                (a.rank.get_untracked(), a.first_rank.get_untracked()),
                (2, 1)
            );
            let you = state.you.get_untracked().map(|you| (you.score, you.rank));
            assert_eq!(you, Some((Some(6), Some(1))));
        });
    }

    #[test]
    fn an_older_board_is_not() {
        with_state(|state| {
            state.show(board("e", 9, &[("b", 6)]));
            assert_eq!(shown(state), [("a".into(), 5, 1), ("b".into(), 3, 2)]);
        });
    }

    #[test]
    fn another_epoch_replaces_everything() {
        with_state(|state| {
            state.show(board("f", 1, &[("c", 1)]));
            assert_eq!(shown(state), [("c".into(), 1, 1)]);
            state.show(board("f", 2, &[]));
            assert_eq!(shown(state), []);
        });
    }

    #[test]
    fn a_sign_in_that_has_ended_is_not_shown() {
        with_state(|state| {
            let mut you = state.you.get_untracked();
            if let Some(you) = &mut you {
                (you.seq, you.rank) = (9, Some(7));
            }
            state.sign_in(you);
            let rank = state.you.get_untracked().and_then(|you| you.rank);
            assert_eq!(rank, Some(2), "what is older is not shown");
            state.sign_in(None);
            assert_eq!(state.you.get_untracked(), None);
        });
    }

    #[test]
    fn your_score_never_goes_back() {
        with_state(|state| {
            state.update_you(update(12, 9, 1));
            state.update_you(update(11, 4, 2));
            state.show(board("e", 11, &[("a", 5), ("b", 4)]));
            let you = state.you.get_untracked().map(|you| (you.score, you.rank));
            assert_eq!(you, Some((Some(9), Some(1))));
        });
    }
}
