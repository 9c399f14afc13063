//! What those who are hidden are told of themselves, and what others are told of them.

use serde_json::{Value, json};
use tokio::time::Duration;

use super::{
    simulation::{Step, World, simulated},
    state::{Event, Timer},
    view::Mode,
};

/// Two players, and one who is not signed in.
const HIDDEN: u8 = 0;
const STRANGER: u8 = 1;
const OTHER: u8 = 2;

impl World {
    async fn hide(&mut self, user: u8, hidden: bool) {
        self.run(&Step::Hide { user, hidden }).await;
    }

    /// Everything that is due is sent and read.
    async fn quiet(&mut self) {
        self.handle(Event::LogGrew);
        // More may be due than a client is sent before it has read.
        for _ in 0..3 {
            self.run_timers(Duration::from_secs(1)).await;
            for who in [HIDDEN, STRANGER, OTHER] {
                self.sent(who);
            }
        }
    }

    /// How many banners a client is sent that connects now, beside the one on the log.
    fn banners_of_a_late_joiner(&mut self) -> usize {
        let mut late = self.open(OTHER);
        self.connect(&late, u64::MAX, None);
        self.read_all_of(&mut late);
        late.banners.len() - 1
    }
}

#[test]
fn who_is_hidden_is_told_alone_what_they_do() {
    simulated(async {
        let mut world = World::new(0..3);
        for who in [HIDDEN, STRANGER, OTHER] {
            for board in 0..3 {
                world.subscribe(who, board, Mode::Delta).await;
                world.run(&Step::Ask { who, board }).await;
            }
        }
        world.act_on(HIDDEN, 0).await;
        world.act_on(OTHER, 0).await;
        world.hide(HIDDEN, true).await;
        world.quiet().await;
        let before = world.seq();
        for board in [0, 0, 1] {
            world.act_on(HIDDEN, board).await;
        }
        world.run(&Step::Tick).await;
        let mut told: Vec<Value> = world
            .sent(HIDDEN)
            .into_iter()
            .map(|it| it.payload)
            .collect();
        told.sort_by_key(|it| it["board"].to_string());
        let own = told.iter().map(|it| {
            let keys = [
                "board",
                "score",
                "rank",
                "scoreIncrease",
                "merged",
                "actionType",
            ];
            Value::from_iter(keys.map(|key| it[key].clone()))
        });
        assert_eq!(
            Value::from_iter(own),
            json!([
                ["derived", 3, null, 2, 2, "goal"],
                ["second", 1, null, 1, 1, "goal"],
                [null, 3, null, 2, 2, "goal"],
            ])
        );
        for update in &told[2..] {
            assert_eq!(update["seq"], before, "for others nothing has happened");
        }
        for who in [STRANGER, OTHER] {
            assert_eq!(world.sent(who), [], "of {who}");
        }
        world.hide(HIDDEN, false).await;
        world.quiet().await;
        for client in &world.clients {
            world.compare(client);
        }
    });
}

#[test]
fn achievements_of_who_is_hidden_are_shown_to_nobody_any_more() {
    simulated(async {
        let mut world = World::new(0..3);
        world.act(OTHER).await;
        world.run(&Step::Tick).await;
        world.handle(Event::Expired(Timer::Banners));
        assert_eq!(world.banners_of_a_late_joiner(), 1);
        // At once, and not with the next tick.
        world.hide(OTHER, true).await;
        assert_eq!(world.banners_of_a_late_joiner(), 0);
        world.quiet().await;
        world.hide(OTHER, false).await;
        world.quiet().await;
        assert_eq!(world.banners_of_a_late_joiner(), 0);
        // Before anybody was shown it, or in the same tick.
        for tick_between in [true, false] {
            let user = if tick_between { 7 } else { 8 };
            let already = world.clients[0].banners.len();
            for _ in 0..5 + user {
                world.act(user).await;
            }
            if tick_between {
                world.run(&Step::Tick).await;
            }
            world.hide(user, true).await;
            if !tick_between {
                world.run(&Step::Tick).await;
            }
            world.handle(Event::Expired(Timer::Banners));
            world.quiet().await;
            assert_eq!(world.clients[0].banners.len(), already);
            assert_eq!(world.banners_of_a_late_joiner(), 0);
        }
    });
}

#[test]
fn achievements_on_a_board_that_becomes_private_are_no_more_for_all() {
    simulated(async {
        let mut world = World::new(0..3);
        world.act(OTHER).await;
        world.run(&Step::Tick).await;
        world.handle(Event::Expired(Timer::Banners));
        assert_eq!(world.banners_of_a_late_joiner(), 1);
        let (board, top, lowest) = (0, 10, false);
        let set = |is_private| Step::Set {
            board,
            top,
            is_private,
            lowest,
        };
        world.run(&set(true)).await;
        assert_eq!(world.banners_of_a_late_joiner(), 0);
    });
}
