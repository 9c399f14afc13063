//! What clients that watch several boards are sent, and what that costs.

use std::sync::Arc;

use serde_json::{Value, json};
use socketioxide::socket::Sid;
use tokio::time::Duration;

use super::{
    connection::MOST_BOARDS,
    events::{ClientEvent, Subscribe},
    message::Message,
    simulation::{Step, World, id, simulated},
    state::{Event, Timer},
    view::Mode,
};
use crate::{
    board::{BoardId, Fact, Rules, Settings},
    live::testing::{action, user},
};

/// A client who has signed in, and one who has not.
const PLAYER: u8 = 0;
const STRANGER: u8 = 1;

fn board(name: &str) -> BoardId {
    BoardId::new(name).unwrap()
}

fn changed(name: &str, settings: Settings) -> Fact {
    Fact::BoardChanged {
        board: board(name),
        settings: Arc::new(settings),
        borders: Box::default(),
    }
}

impl World {
    /// The names of the events, and the boards that they are about.
    fn events(&mut self, who: u8) -> Vec<(String, String)> {
        let packets = self.sent(who).into_iter();
        let packets = packets.filter(|it| it.name != "ack");
        packets
            .map(|it| {
                let about = it.payload.get(0).unwrap_or(&it.payload);
                let board = about["board"].as_str().unwrap_or("main").to_owned();
                (it.name, board)
            })
            .collect()
    }

    /// With what a client's latest event was acknowledged.
    fn ack(&mut self, who: u8) -> Value {
        let packets = self.sent(who);
        let ack = packets.into_iter().rfind(|it| it.name == "ack");
        ack.unwrap().payload
    }

    fn subscribe_to(&mut self, who: u8, name: &str) -> Value {
        let wanted = Subscribe {
            board: board(name),
            ..Subscribe::plain()
        };
        self.sent(who);
        self.send(who, ClientEvent::SubscribeScoreboard(wanted));
        self.ack(who)
    }

    async fn set(&mut self, board: usize, top: usize, is_private: bool) {
        let lowest = false;
        let step = Step::Set {
            board,
            top,
            is_private,
            lowest,
        };
        self.run(&step).await;
    }

    fn has_feed(&self, board: usize) -> bool {
        self.state.feeds().of(&id(board)).is_some()
    }
}

#[test]
fn each_frame_says_which_board_it_is_of_unless_it_is_main() {
    simulated(async {
        let mut world = World::new(0..3);
        for board in 0..3 {
            world.subscribe(PLAYER, board, Mode::Full).await;
        }
        let names = ["main", "second", "derived"];
        let refreshes = names.map(|board| ("leaderboard_refresh".to_owned(), board.to_owned()));
        assert_eq!(world.events(PLAYER), refreshes);
        world.act_on(5, 1).await;
        world.run(&Step::Tick).await;
        let events = ["scoreboard_update", "leaderboard_refresh"];
        let of_second = events.map(|name| (name.to_owned(), "second".to_owned()));
        assert_eq!(world.events(PLAYER), of_second);
        world.act_on(5, 0).await;
        world.run(&Step::Tick).await;
        for packet in world.sent(PLAYER) {
            let is_main = packet.payload.get("board").is_none();
            let is_derived = packet.payload["board"] == "derived";
            assert!(is_main != is_derived, "{packet:?}");
        }
        let rows = &world.clients[0].boards;
        assert!(rows.values().all(|it| it.top_scores[0].score == 1));
        assert_eq!(rows["second"].top_scores[0].tiebreak, Some(1));
        assert_eq!(rows["derived"].top_scores[0].tiebreak, None);
    });
}

#[test]
fn boards_that_nobody_watches_cost_nothing() {
    simulated(async {
        let mut world = World::new(0..3);
        world.subscribe(STRANGER, 0, Mode::Full).await;
        world.run_timers(Duration::from_secs(3)).await;
        world.sent(STRANGER);
        for board in [1, 2] {
            world.act_on(5, 1).await;
            world.set(board, 3, true).await;
        }
        world.handle(Event::LogGrew);
        let ticks = world.run_timers(Duration::from_secs(3)).await;
        assert_eq!(ticks.len(), 1, "what has changed is taken and dropped");
        assert!(world.sent(STRANGER).is_empty());
        assert_eq!(world.state.feeds().others(), 0);
    });
}

#[test]
fn a_feed_goes_with_its_last_watcher() {
    simulated(async {
        let mut world = World::new(0..3);
        for who in [0, 2] {
            world.subscribe(who, 1, Mode::Delta).await;
        }
        world.run(&Step::Ask { who: 2, board: 2 }).await;
        assert_eq!(world.state.feeds().others(), 2);
        world.run(&Step::Unsubscribe { who: 0, board: 1 }).await;
        assert!(world.has_feed(1));
        let event = Event::Disconnected(world.clients[2].sid, user(2));
        world.handle(event);
        assert!(!world.has_feed(1) && !world.has_feed(2));
        assert!(world.has_feed(0), "main's stays");
    });
}

#[test]
fn a_socket_may_watch_so_many_boards() {
    simulated(async {
        let mut world = World::new(0..3);
        let names: Vec<String> = (0..=MOST_BOARDS).map(|n| format!("b{n}")).collect();
        for name in &names {
            world.write(changed(name, Settings::default()));
        }
        let last = &names[MOST_BOARDS];
        for name in &names[..MOST_BOARDS] {
            assert_eq!(world.subscribe_to(PLAYER, name)["ok"], true);
        }
        let refused = json!({
            "code": "too_many_boards",
            "message": "A socket may watch 16 boards at once"
        });
        assert_eq!(world.subscribe_to(PLAYER, last)["error"], refused);
        // One of those that it watches, in another way.
        assert_eq!(world.subscribe_to(PLAYER, &names[3])["ok"], true);
        let left = ClientEvent::UnsubscribeScoreboard(board(&names[3]));
        world.send(PLAYER, left);
        assert_eq!(world.subscribe_to(PLAYER, last)["ok"], true);
        assert_eq!(world.state.feeds().others(), MOST_BOARDS);
        for name in &names[..MOST_BOARDS] {
            let wanted = ClientEvent::SubscribeUserScore(user(PLAYER), board(name));
            world.send(PLAYER, wanted);
            world.read_all();
        }
        let wanted = ClientEvent::SubscribeUserScore(user(PLAYER), board(last));
        world.send(PLAYER, wanted);
        assert_eq!(world.ack(PLAYER)["error"], refused);
    });
}

#[test]
fn private_boards_are_as_if_they_were_not_there() {
    simulated(async {
        let mut world = World::new(0..3);
        world.set(1, 10, true).await;
        assert_eq!(world.subscribe_to(PLAYER, "second")["ok"], true);
        world.act_on(5, 1).await;
        for name in ["second", "nowhere"] {
            let ack = world.subscribe_to(STRANGER, name);
            let message = format!("There is no board {name}");
            let error = json!({ "code": "UNKNOWN_BOARD", "message": message });
            assert_eq!(ack, json!({ "ok": false, "error": error }));
            let wanted = ClientEvent::SubscribeUserScore(user(STRANGER), board(name));
            world.send(STRANGER, wanted);
            let sent = world.sent(STRANGER);
            let error = json!({ "code": "UNKNOWN_BOARD", "message": message, "board": name });
            assert_eq!((&*sent[0].name, &sent[0].payload), ("error", &error));
            let left = ClientEvent::UnsubscribeScoreboard(board(name));
            world.send(STRANGER, left);
            let ack = world.ack(STRANGER);
            assert_eq!((&ack["ok"], &ack["seq"]), (&json!(true), &json!(0)));
        }
    });
}

#[test]
fn a_board_that_becomes_private_is_lost_to_strangers() {
    simulated(async {
        let mut world = World::new(0..3);
        for who in [PLAYER, STRANGER] {
            world.subscribe(who, 1, Mode::Delta).await;
            world.run(&Step::Ask { who, board: 1 }).await;
            world.sent(who);
        }
        world.set(1, 10, true).await;
        world.run(&Step::Tick).await;
        let second = |name: &str| (name.to_owned(), "second".to_owned());
        assert_eq!(world.events(STRANGER), [second("error")]);
        assert_eq!(world.events(PLAYER)[0], second("leaderboard_refresh"));
        world.act_on(STRANGER, 1).await;
        world.run(&Step::Tick).await;
        assert!(world.events(STRANGER).is_empty());
        assert!(world.events(PLAYER).contains(&second("scoreboard_delta")));
    });
}

#[test]
fn whoever_watches_a_board_that_is_deleted_is_told() {
    simulated(async {
        let mut world = World::new(0..3);
        world.subscribe(PLAYER, 1, Mode::Full).await;
        world.subscribe(PLAYER, 0, Mode::Full).await;
        world.run(&Step::Ask { who: 2, board: 1 }).await;
        for who in [PLAYER, 2] {
            world.sent(who);
        }
        world.run(&Step::Delete { board: 1 }).await;
        world.run(&Step::Tick).await;
        for who in [PLAYER, 2] {
            let error = ("error".to_owned(), "second".to_owned());
            assert_eq!(world.events(who), [error]);
        }
        assert!(!world.has_feed(1));
        // Another board with its name is not theirs.
        world.set(1, 10, false).await;
        world.act_on(2, 1).await;
        world.run(&Step::Tick).await;
        for who in [PLAYER, 2] {
            assert!(world.events(who).is_empty());
        }
    });
}

#[test]
fn a_board_that_is_made_again_within_a_tick_is_sent_whole() {
    simulated(async {
        let mut world = World::new(0..3);
        world.subscribe(PLAYER, 1, Mode::Delta).await;
        for user in [5, 6, 7] {
            world.act_on(user, 1).await;
        }
        world.run(&Step::Tick).await;
        let shown = |world: &World| {
            let board = &world.clients[0].boards["second"];
            (board.top_scores.len(), board.seq)
        };
        world.sent(PLAYER);
        let (rows, seq) = shown(&world);
        assert_eq!(rows, 3);
        world.run(&Step::Delete { board: 1 }).await;
        world.set(1, 10, false).await;
        world.act_on(5, 1).await;
        world.run(&Step::Tick).await;
        let rows = ("leaderboard_refresh".to_owned(), "second".to_owned());
        assert_eq!(world.events(PLAYER), [rows]);
        let (rows, later) = shown(&world);
        assert!(rows == 1 && later > seq, "{later} after {seq}");
    });
}

#[test]
fn all_rows_are_sent_again_when_settings_change_or_a_season_ends() {
    simulated(async {
        let mut world = World::new(0..3);
        world.act_on(5, 0).await;
        world.act_on(6, 0).await;
        world.subscribe(PLAYER, 2, Mode::Delta).await;
        world.run(&Step::Tick).await;
        world.sent(PLAYER);
        let derived = ("leaderboard_refresh".to_owned(), "derived".to_owned());
        let rows = |world: &World| world.clients[0].boards["derived"].top_scores.len();
        world.set(2, 1, false).await;
        world.run(&Step::Tick).await;
        assert_eq!(world.events(PLAYER), std::slice::from_ref(&derived));
        assert_eq!(rows(&world), 1);
        world.run(&Step::EndSeason).await;
        world.run(&Step::Tick).await;
        assert_eq!(world.events(PLAYER), [derived]);
        assert_eq!(rows(&world), 0);
    });
}

#[test]
fn what_is_done_in_the_last_tick_of_a_season_is_told_with_the_next() {
    simulated(async {
        let mut world = World::new(0..3);
        world.subscribe(PLAYER, 2, Mode::Full).await;
        for who in [PLAYER, 2] {
            world.run(&Step::Ask { who, board: 2 }).await;
        }
        world.run_timers(Duration::from_secs(3)).await;
        for who in [PLAYER, 2] {
            world.sent(who);
        }
        let of_derived = |world: &mut World, who| -> Vec<Value> {
            let packets = world.sent(who).into_iter();
            let packets = packets
                .filter(|it| it.name == "user_score_update" && it.payload["board"] == "derived");
            packets.map(|it| it.payload).collect()
        };
        for take_between in [false, true] {
            // So that the next tick is not due yet.
            world.act_on(5, 0).await;
            world.run(&Step::Tick).await;
            // One acts before the end alone, the other on both sides of it.
            for who in [PLAYER, 2] {
                world.act_on(who, 0).await;
            }
            if take_between {
                // The hub has taken the actions, and the tick is not due.
                world.handle(Event::Expired(Timer::Tick));
            }
            world.run(&Step::EndSeason).await;
            world.act_on(2, 0).await;
            world.run(&Step::Tick).await;
            let told = |update: &Value| {
                json!([
                    update["scoreIncrease"],
                    update["merged"],
                    update["score"],
                    update["rank"]
                ])
            };
            let updates = of_derived(&mut world, PLAYER);
            assert_eq!(told(&updates[0]), json!([1, 1, null, null]), "{updates:?}");
            let updates = of_derived(&mut world, 2);
            assert_eq!(told(&updates[0]), json!([2, 2, 1, 1]), "{updates:?}");
            world.run_timers(Duration::from_secs(3)).await;
            for who in [PLAYER, 2] {
                // Nobody is told again what has not changed since.
                assert!(of_derived(&mut world, who).is_empty());
                let client = &world.clients[usize::from(who)];
                world.compare(client);
            }
        }
    });
}

#[test]
fn scores_on_other_boards_are_sent_to_sockets_that_asked() {
    simulated(async {
        let mut world = World::new(0..3);
        for board in [1, 2] {
            world.run(&Step::Ask { who: PLAYER, board }).await;
        }
        world.run_timers(Duration::from_secs(3)).await;
        for who in [PLAYER, 2] {
            world.sent(who);
        }
        // What each of them does counts on both other boards.
        for who in [PLAYER, 2] {
            for board in [0, 1] {
                world.act_on(who, board).await;
            }
        }
        world.run(&Step::Tick).await;
        let update = |board: &str| ("user_score_update".to_owned(), board.to_owned());
        let mut events = world.events(PLAYER);
        events.sort();
        assert_eq!(events, ["derived", "main", "second"].map(update));
        assert_eq!(world.events(2), [update("main")]);
        let of_derived = &world.clients[0].scores["derived"];
        assert_eq!((of_derived.score_increase, of_derived.rank), (1, Some(1)));
        // Others overtake.
        for _ in 0..2 {
            world.act_on(2, 1).await;
        }
        world.run(&Step::Tick).await;
        world.run_timers(Duration::from_secs(2)).await;
        let sent = world.sent(PLAYER);
        let [moved] = &sent[..] else {
            panic!("{sent:?}");
        };
        assert_eq!(moved.payload["actionType"], "RANK_CHANGE");
        assert_eq!(moved.payload["board"], "second");
        assert_eq!(moved.payload["rank"], 2);
    });
}

#[test]
fn each_board_has_its_own_tick() {
    simulated(async {
        let mut world = World::new(0..3);
        for board in [0, 1] {
            world.subscribe(STRANGER, board, Mode::Full).await;
        }
        world.run_timers(Duration::from_secs(3)).await;
        // Something happens on `main` all the time.
        let mut sent = Vec::new();
        for ms in (0..300).step_by(5) {
            world.act_on(5, 0).await;
            if ms == 35 {
                world.act_on(6, 1).await;
            }
            world.handle(Event::LogGrew);
            world.sent(STRANGER);
            world.run_timers(Duration::from_millis(5)).await;
            let events = world.events(STRANGER).into_iter();
            let frames = events.filter(|(name, _)| name == "leaderboard_refresh");
            sent.extend(frames.map(|(_, board)| (board, ms)));
        }
        let times = |board: &str| -> Vec<i32> {
            let of_board = sent.iter().filter(|(it, _)| it == board);
            of_board.map(|(_, ms)| *ms).collect()
        };
        let of_second = times("second");
        assert!(of_second.len() == 1 && (35..=45).contains(&of_second[0]));
        let of_main = times("main");
        assert_eq!(of_main.len(), 4, "{of_main:?}");
        let gaps = of_main.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.into_iter().all(|gap| (95..=115).contains(&gap)));
    });
}

#[test]
fn heartbeats_have_all_boards_that_a_socket_watches() {
    simulated(async {
        let mut world = World::new(0..3);
        // Of the quick clients, these two ask for heartbeats.
        for who in [0, 2] {
            for board in [1, 0] {
                world.subscribe(who, board, Mode::Full).await;
            }
        }
        world.run(&Step::Tick).await;
        tokio::time::advance(Duration::from_secs(5)).await;
        let now = world.now();
        let messages = world.state.handle(Event::Expired(Timer::Heartbeats), now);
        let beats: Vec<_> = messages
            .iter()
            .filter_map(|message| match message {
                Message::Emit(_, payload) if payload.event == "heartbeat" => Some(&payload.data),
                _ => None,
            })
            .collect();
        assert_eq!(beats.len(), 2);
        assert!(Arc::ptr_eq(beats[0], beats[1]), "it is encoded once");
        let beat: Value = serde_json::from_str(beats[0].get()).unwrap();
        let second = world
            .live
            .read(|_, state| state.board(&id(1)).unwrap().seq());
        let seqs = json!({ "main": world.seq(), "second": second });
        assert_eq!(beat["seqs"], seqs);

        // Those of boards that it has left are none of its own.
        world.run(&Step::Unsubscribe { who: 0, board: 0 }).await;
        world.run(&Step::Unsubscribe { who: 2, board: 0 }).await;
        world.run(&Step::Unsubscribe { who: 2, board: 1 }).await;
        world.sent(0);
        world.sent(2);
        world.run(&Step::Wait { ms: 6_000 }).await;
        assert_eq!(
            world.sent(0).last().unwrap().payload["seqs"],
            json!({ "second": second })
        );
        assert!(world.sent(2).is_empty());
    });
}

/// A client that reads nothing while several boards are busy: what waits for it is bounded,
/// and when it reads it is sent every board.
#[test]
fn a_slow_client_is_sent_all_its_boards_in_the_end() {
    simulated(async {
        let mut world = World::new(0..5);
        let slow = 4;
        for board in 0..3 {
            world.subscribe(slow, board, Mode::Delta).await;
        }
        for n in 0..30 {
            for board in [0, 1] {
                world.act_on(n % 14, board).await;
            }
            world.run(&Step::Tick).await;
        }
        let sid: Sid = world.clients[usize::from(slow)].sid;
        assert!(world.state.is_slow(sid));
        for _ in 0..40 {
            let packets = usize::MAX;
            world.run(&Step::Take { who: slow, packets }).await;
            world.run(&Step::Wait { ms: 1_000 }).await;
        }
        let client = &world.clients[usize::from(slow)];
        world.compare(client);
        assert_eq!(client.boards.len(), 3);
        assert!(!world.state.is_slow(sid));
    });
}

/// A client that watches more than it reads is sent each of its boards in turn.
#[test]
fn a_slow_client_is_sent_its_boards_in_turn() {
    simulated(async {
        let mut world = World::new(0..5);
        let slow = 4;
        let names: Vec<String> = (0..10).map(|n| format!("b{n}")).collect();
        for name in &names {
            world.write(changed(name, Settings::main(Rules::default())));
            let wanted = Subscribe {
                board: board(name),
                ..Subscribe::plain()
            };
            world.send(slow, ClientEvent::SubscribeScoreboard(wanted));
        }
        for round in 1..=20 {
            for name in &names {
                world.write(action(board(name), user(7), 1, round));
            }
            world.run(&Step::Tick).await;
            let packets = usize::MAX;
            world.run(&Step::Take { who: slow, packets }).await;
            world.run(&Step::Wait { ms: 5_000 }).await;
        }
        let rows = &world.clients[usize::from(slow)].boards;
        for name in &names {
            let score = rows[name].top_scores[0].score;
            assert!(score > 12, "{name} is of round {score}");
        }
    });
}

/// However many boards change at once, all are sent, a few in each event of the hub.
#[test]
fn all_boards_that_change_at_once_are_sent() {
    simulated(async {
        let mut world = World::new(0..3);
        let names: Vec<String> = (0..48).map(|n| format!("b{n}")).collect();
        for (n, name) in (0..).zip(&names) {
            world.write(changed(name, Settings::default()));
            assert_eq!(world.subscribe_to(n % 3, name)["ok"], true);
        }
        world.run_timers(Duration::from_secs(3)).await;
        for who in 0..3 {
            world.sent(who);
        }
        for name in &names {
            world.write(action(board(name), user(7), 1, 1));
        }
        world.handle(Event::LogGrew);
        let ticks = world.run_timers(Duration::from_millis(50)).await;
        assert_eq!(ticks.len(), 6, "eight in each");
        assert!(ticks.iter().all(|at| *at == ticks[0]));
        // What waits for a client between them may make it slow here, where little may.
        for _ in 0..5 {
            world.run(&Step::Wait { ms: 1_000 }).await;
        }
        for (n, name) in (0..).zip(&names) {
            let rows = &world.clients[n % 3].boards[name].top_scores;
            assert_eq!(rows.len(), 1, "{name}");
        }
    });
}
