//! The race chart of the first ten users. Its data are read beside the page, at most once
//! in a while: however many open the page and however busy the store is, nobody waits long.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::time::timeout;

use crate::{
    board::{BoardId, State, UserId, Who},
    live::{Live, RaceChart, RaceLine},
};

/// How long a chart is shown before it is read again.
const FRESH: Duration = Duration::from_secs(10);
/// How long a page waits for it; the next one has it.
const WAIT: Duration = Duration::from_millis(200);
/// Boards whose charts are in memory: some kilobytes each.
const MOST: usize = 100;
/// Times of the chart.
const TIMES: usize = 60;

/// The latest chart of each board. Clones share them.
#[derive(Clone, Default)]
pub(super) struct RaceCharts(Arc<Mutex<HashMap<BoardId, Latest>>>);

#[derive(Default)]
struct Latest {
    read_at: Option<Instant>,
    /// As of which change of boards: another one may have this id by now.
    boards: u64,
    chart: NumberedChart,
}

/// A chart; another one has another number.
#[derive(Clone, Default)]
pub(super) struct NumberedChart {
    pub(super) number: u64,
    pub(super) chart: RaceChart,
}

impl RaceCharts {
    /// The chart, as of a few seconds ago; but without users who were deleted since, and
    /// with the present names.
    pub(super) async fn latest(&self, live: &Live, board: &BoardId) -> NumberedChart {
        let boards = live.read(|_, state| state.boards_version());
        let is_due = {
            let mut charts = self.0.lock();
            if charts.len() >= MOST && !charts.contains_key(board) {
                charts.clear();
            }
            let latest = charts.entry(board.clone()).or_default();
            if latest.boards != boards {
                let number = latest.chart.number + 1;
                *latest = Latest {
                    boards,
                    ..Latest::default()
                };
                latest.chart.number = number;
            }
            let lines = &latest.chart.chart.lines;
            // Another user takes the place of one who was deleted.
            let is_due = latest.read_at.is_none_or(|it| it.elapsed() >= FRESH)
                || lines.iter().any(|line| !is_shown(live, line.user));
            if is_due {
                latest.read_at = Some(Instant::now());
            }
            is_due
        };
        if is_due {
            let (charts, live, board) = (self.clone(), live.clone(), board.clone());
            let read = tokio::spawn(async move {
                // Without one, the latest is shown on; why, the log says.
                if let Ok(chart) = live.race_chart(&board, TIMES).await {
                    let mut charts = charts.0.lock();
                    let latest = charts.entry(board).or_default();
                    if latest.boards == boards && latest.chart.chart != chart {
                        latest.chart.number += 1;
                        latest.chart.chart = chart;
                    }
                }
            });
            // It goes on beside a page that does not wait.
            _ = timeout(WAIT, read).await;
        }
        let latest = self.0.lock().get(board).map(|latest| latest.chart.clone());
        let mut latest = latest.unwrap_or_default();
        latest.chart.lines.retain_mut(|line| rename(live, line));
        latest
    }
}

/// Is the user registered, and not hidden?
fn is_shown(live: &Live, user: UserId) -> bool {
    live.read(|_, state| state.directory().shown(Who::User(user)).is_some())
}

/// Gives a line the present name of its user, if the user is shown.
fn rename(live: &Live, line: &mut RaceLine) -> bool {
    let name = |state: &State| {
        let profile = state.directory().shown(Who::User(line.user))?;
        Some(profile.username.clone())
    };
    let name = live.read(|_, state| name(state));
    let is_shown = name.is_some();
    line.username = name.unwrap_or_default();
    is_shown
}
