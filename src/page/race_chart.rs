//! The race chart of the first ten users. Its data are read beside the page, at most once
//! in a while: however many open the page and however busy the store is, nobody waits long.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::time::timeout;

use crate::live::{LiveBoard, RaceChart, RaceLine};

/// How long a chart is shown before it is read again.
const FRESH: Duration = Duration::from_secs(10);
/// How long a page waits for it; the next one has it.
const WAIT: Duration = Duration::from_millis(200);
/// Times of the chart.
const TIMES: usize = 60;

/// The latest chart. Clones share it.
#[derive(Clone, Default)]
pub(super) struct RaceCharts(Arc<Mutex<Latest>>);

#[derive(Default)]
struct Latest {
    read_at: Option<Instant>,
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
    pub(super) async fn latest(&self, live: &LiveBoard) -> NumberedChart {
        let is_due = {
            let mut latest = self.0.lock();
            let lines = &latest.chart.chart.lines;
            // Another user takes the place of one who was deleted.
            let is_due = latest.read_at.is_none_or(|it| it.elapsed() >= FRESH)
                || lines.iter().any(|line| !live.knows(line.user));
            if is_due {
                latest.read_at = Some(Instant::now());
            }
            is_due
        };
        if is_due {
            let (charts, live) = (self.clone(), live.clone());
            let read = tokio::spawn(async move {
                // Without one, the latest is shown on; why, the log says.
                if let Ok(chart) = live.race_chart(TIMES).await {
                    let latest = &mut charts.0.lock().chart;
                    if latest.chart != chart {
                        latest.number += 1;
                        latest.chart = chart;
                    }
                }
            });
            // It goes on beside a page that does not wait.
            _ = timeout(WAIT, read).await;
        }
        let mut latest = self.0.lock().chart.clone();
        latest.chart.lines.retain_mut(|line| rename(live, line));
        latest
    }
}

/// Gives a line the present name of its user, if the user is registered.
fn rename(live: &LiveBoard, line: &mut RaceLine) -> bool {
    let user = live.user(line.user);
    let is_known = user.is_some();
    line.username = user.map_or_else(Box::default, |user| user.profile.username);
    is_known
}
