//! The race of the first ten. The store is asked beside the page, at most once in a
//! while: however many open the page and however busy the store is, nobody waits long.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use app::wire::{Race, RaceLine};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::{board::UserId, live::LiveBoard};

/// How long a race is shown before it is asked for again.
const FRESH: Duration = Duration::from_secs(10);
/// How long a page waits for it; the next one has it.
const WAIT: Duration = Duration::from_millis(200);
/// Moments of the race.
const MOMENTS: usize = 60;

/// The latest race. Clones share it.
#[derive(Clone, Default)]
pub struct Races(Arc<Mutex<Latest>>);

#[derive(Default)]
struct Latest {
    asked_at: Option<Instant>,
    race: NumberedRace,
}

/// A race; another one has another number.
#[derive(Clone, Default)]
pub(super) struct NumberedRace {
    pub(super) number: u64,
    pub(super) race: Race,
}

impl Races {
    /// The race, as of a few seconds ago; but nobody is in it who was deleted since, and
    /// all have the names of now.
    pub(super) async fn latest(&self, live: &LiveBoard) -> NumberedRace {
        let is_due = {
            let mut latest = self.0.lock();
            let racers = &latest.race.race.lines;
            // Somebody else takes the place of whoever was deleted.
            let is_due = latest.asked_at.is_none_or(|it| it.elapsed() >= FRESH)
                || racers.iter().any(|line| name_of(live, line).is_none());
            if is_due {
                latest.asked_at = Some(Instant::now());
            }
            is_due
        };
        if is_due {
            let (races, live) = (self.clone(), live.clone());
            let asked = tokio::spawn(async move {
                // Without one, the latest is shown on; why, the log says.
                if let Ok(race) = live.race(MOMENTS).await {
                    let latest = &mut races.0.lock().race;
                    if latest.race != race {
                        latest.number += 1;
                        latest.race = race;
                    }
                }
            });
            // It goes on beside whoever does not wait.
            _ = timeout(WAIT, asked).await;
        }
        let mut race = self.0.lock().race.clone();
        race.race.lines.retain_mut(|line| {
            let name = name_of(live, line);
            let is_known = name.is_some();
            line.username = name.unwrap_or_default();
            is_known
        });
        race
    }
}

/// What the user of a line is called now, if they are on the board.
fn name_of(live: &LiveBoard, line: &RaceLine) -> Option<String> {
    let user = UserId::parse(&line.user_id)?;
    live.user_score(user).map(|user| user.username)
}
