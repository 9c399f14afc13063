//! The hub's state with slow and quick clients, in any order of what happens: all that is
//! tested is what they receive. The network between is a queue for each socket, and time
//! passes when the test says so.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use app::wire::{LeaderboardData, ScoreboardDelta, UserScoreUpdate};
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};
use socketioxide::socket::Sid;
use tokio::time::{Duration, Instant, advance};

use super::session::tests::session;
use super::{
    events::{ClientEvent, Subscribe},
    handshake::Connection,
    message::{Message, Recipient},
    rooms,
    session::Session,
    state::{ClientMessage, Event, HubState, Now, SendQueue, Timer, apply},
    view::{Mode, View},
};
use crate::{
    auth::{Identity, Role},
    board::{
        Announcement, AnnouncementId, AnnouncementKind, Audience, Fact, LogEntry, Score, Seq,
        Severity, Timestamp,
    },
    config::AchievementsTable,
    limits::Reason,
    live::{
        LiveBoard,
        testing::{live, log, user},
    },
    store::Fold,
    wire,
};

/// What may wait for a client here: less than two frames.
const QUEUE: usize = 3000;

/// What one tick brings at most beyond that: two frames, and some updates.
const TICK: usize = 9000;

/// What the library keeps for a socket; it drops what is sent beyond.
const LIBRARY: usize = 128;

const USERS: u8 = 14;
/// How many clients are quick, and how many are slow; each is of another user.
const QUICK: u8 = 3;
const SLOW: u8 = 2;

/// What a client was sent.
#[derive(Clone, Debug, PartialEq)]
struct Packet {
    name: String,
    payload: Value,
    bytes: usize,
}

/// The sockets that are open: their rooms, and what they were sent.
#[derive(Default)]
struct Net {
    rooms: HashMap<String, HashSet<Sid>>,
    queues: HashMap<Sid, VecDeque<Packet>>,
    /// Why clients were refused something.
    refused: Vec<Reason>,
}

impl Net {
    fn exists(&self, sid: Sid) -> bool {
        self.queues.contains_key(&sid)
    }

    /// Acts on what the hub's state returns, as the outbox does.
    fn send(&mut self, messages: Vec<Message<Sid>>) {
        for message in messages {
            match message {
                Message::Join(sid, rooms) => {
                    for room in rooms {
                        self.rooms.entry(room.name()).or_default().insert(sid);
                    }
                }
                Message::Leave(sid, rooms) => {
                    for room in rooms {
                        self.rooms.entry(room.name()).or_default().remove(&sid);
                    }
                }
                Message::LeaveAll(sid) => self.leave_all(sid),
                Message::Emit(to, payload) => {
                    let rooms = match to {
                        Recipient::Socket(sid) => {
                            self.push(sid, packet(payload.event, &payload.data));
                            continue;
                        }
                        Recipient::Room(room) => vec![room],
                        Recipient::Audience(audience) => rooms::audience(audience),
                    };
                    let named = rooms.iter().filter_map(|room| self.rooms.get(&room.name()));
                    let sids: HashSet<Sid> = named.flatten().copied().collect();
                    for sid in sids {
                        self.push(sid, packet(payload.event, &payload.data));
                    }
                }
                Message::Acknowledge(sid, data) => self.push(sid, packet("ack", &data)),
                Message::Disconnect(sid, _) => self.close(sid),
                Message::CloseSlow(session) => session.close(),
                Message::Refused(reason, _) => self.refused.push(reason),
            }
        }
    }

    fn push(&mut self, sid: Sid, packet: Packet) {
        if let Some(queue) = self.queues.get_mut(&sid) {
            assert!(queue.len() < LIBRARY, "the library drops this");
            queue.push_back(packet);
        }
    }

    fn leave_all(&mut self, sid: Sid) {
        for room in self.rooms.values_mut() {
            room.remove(&sid);
        }
    }

    fn close(&mut self, sid: Sid) {
        self.leave_all(sid);
        self.queues.remove(&sid);
    }
}

fn packet(name: &str, data: &RawValue) -> Packet {
    let payload: Value = serde_json::from_str(data.get()).unwrap();
    let bytes = data.get().len() + name.len() + 7;
    Packet {
        name: name.to_owned(),
        payload,
        bytes,
    }
}

/// A client, and what it has made of what it read.
struct Client {
    sid: Sid,
    number: u8,
    session: Session,
    view: Option<View>,
    board: Option<LeaderboardData>,
    score: Option<UserScoreUpdate>,
    /// Everything, in order.
    taken: Vec<Packet>,
    banners: HashSet<String>,
}

impl Client {
    fn is_slow(&self) -> bool {
        self.number >= QUICK
    }

    /// Takes this many packets, if there are as many.
    fn take(&mut self, net: &mut Net, most: usize) {
        let Some(queue) = net.queues.get_mut(&self.sid) else {
            return;
        };
        let taken: Vec<Packet> = queue.drain(..most.min(queue.len())).collect();
        if queue.is_empty() {
            self.session.taken();
        } else if !taken.is_empty() {
            let bytes = taken.iter().map(|packet| packet.bytes).sum();
            self.session.took(bytes, taken.len());
        }
        for packet in taken {
            self.see(&packet);
            self.taken.push(packet);
        }
    }

    fn see(&mut self, packet: &Packet) {
        let payload = || packet.payload.clone();
        match packet.name.as_str() {
            "leaderboard_refresh" => {
                let next: LeaderboardData = serde_json::from_value(payload()).unwrap();
                if let Some(board) = &self.board
                    && board.page == next.page
                {
                    assert!(
                        (&board.epoch, board.seq) <= (&next.epoch, next.seq),
                        "older"
                    );
                }
                self.board = Some(next);
            }
            "scoreboard_delta" => {
                let delta: ScoreboardDelta = serde_json::from_value(payload()).unwrap();
                let board = self.board.as_mut().expect("rows come first");
                assert_eq!((board.page, &board.epoch), (delta.page, &delta.epoch));
                // Asserts that there is no gap, and that it is not older.
                apply(board, &delta);
            }
            "user_score_update" => {
                let next: UserScoreUpdate = serde_json::from_value(payload()).unwrap();
                if let Some(score) = &self.score {
                    assert!(
                        (&score.epoch, score.seq) <= (&next.epoch, next.seq),
                        "older"
                    );
                }
                self.score = Some(next);
            }
            "system_notification" => {
                let id = packet.payload["id"].to_string();
                assert!(self.banners.insert(id), "a banner is shown once");
            }
            _ => {}
        }
    }
}

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    Act {
        user: u8,
        points: i64,
    },
    Announce {
        user: Option<u8>,
    },
    AnotherLog,
    Tick,
    Wait {
        ms: u64,
    },
    /// Of a client.
    Take {
        who: u8,
        packets: usize,
    },
    Subscribe {
        who: u8,
        page: Option<u64>,
        mode: Mode,
    },
    Unsubscribe {
        who: u8,
    },
    Ask {
        who: u8,
    },
    Ping {
        who: u8,
        times: u8,
    },
}

impl Step {
    /// Whose doing it is, if it is a client's.
    fn client(&self) -> Option<u8> {
        match *self {
            Step::Take { who, .. }
            | Step::Subscribe { who, .. }
            | Step::Unsubscribe { who }
            | Step::Ask { who }
            | Step::Ping { who, .. } => Some(who),
            _ => None,
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..QUICK + SLOW;
    let mode = prop_oneof![Just(Mode::Full), Just(Mode::Delta)];
    let page = prop_oneof![3 => Just(None), 1 => Just(Some(0))];
    prop_oneof![
        8 => (0..USERS, 1i64..50).prop_map(|(user, points)| Step::Act { user, points }),
        8 => Just(Step::Tick),
        4 => (1u64..3000).prop_map(|ms| Step::Wait { ms }),
        4 => (who(), 1usize..20).prop_map(|(who, packets)| Step::Take { who, packets }),
        3 => (who(), page, mode).prop_map(|(who, page, mode)| {
            // If a slow client watches a page already, its frames are sent to a quick one
            // that would be sent all rows if it were alone there.
            let page = page.filter(|_| who < QUICK);
            Step::Subscribe { who, page, mode }
        }),
        1 => who().prop_map(|who| Step::Unsubscribe { who }),
        1 => who().prop_map(|who| Step::Ask { who }),
        1 => (who(), 1u8..90).prop_map(|(who, times)| Step::Ping {
            who,
            // More at once than may wait makes any client slow.
            times: if who < QUICK { times.min(20) } else { times },
        }),
        1 => prop::option::of(0..USERS).prop_map(|user| Step::Announce { user }),
        1 => Just(Step::AnotherLog),
    ]
}

struct World {
    net: Net,
    state: HubState<Sid>,
    live: LiveBoard,
    folder: Box<dyn Fold>,
    seq: u64,
    epoch: u64,
    scores: HashMap<u8, i64>,
    announced: u128,
    clients: Vec<Client>,
    started: Instant,
    /// The time by the clock of the tokens.
    token_seconds: u64,
}

impl World {
    fn new(numbers: impl Iterator<Item = u8>) -> World {
        let users: Vec<u8> = (0..USERS).collect();
        let seq = u64::from(USERS);
        let (live, folder) = live(log(1, seq, &users));
        let (queue, table) = (SendQueue(QUEUE), AchievementsTable::default());
        let started = Instant::now();
        let mut world = World {
            net: Net::default(),
            state: HubState::new(live.clone(), queue, table, started),
            live,
            folder: Box::new(folder),
            seq,
            epoch: 1,
            scores: HashMap::new(),
            announced: 1000,
            clients: Vec::new(),
            started,
            token_seconds: 0,
        };
        for number in numbers {
            let client = world.open(number);
            world.connect(&client, u64::MAX, None);
            world.clients.push(client);
        }
        world
    }

    /// The time, by the test's clocks.
    fn now(&self) -> Now {
        let monotonic = Instant::now();
        Now {
            monotonic,
            store: Timestamp((monotonic - self.started).as_millis() as u64),
            token_seconds: self.token_seconds,
        }
    }

    fn handle(&mut self, event: Event<Sid>) {
        let messages = self.state.handle(event, self.now());
        self.net.send(messages);
    }

    /// A client whose socket exists, and is not connected yet.
    fn open(&mut self, number: u8) -> Client {
        let sid = Sid::new();
        self.net.queues.insert(sid, VecDeque::new());
        Client {
            sid,
            number,
            session: session(),
            view: None,
            board: None,
            score: None,
            taken: Vec::new(),
            banners: HashSet::new(),
        }
    }

    /// A client is connected, with a token that ends then, from this address.
    fn connect(&mut self, client: &Client, expires: u64, address: Option<IpAddr>) {
        let connection = Connection {
            identity: Identity {
                user: user(client.number),
                role: Role::Player,
                issued: None,
                expires,
            },
            session: client.session.clone(),
            address,
            limited_as: address,
        };
        self.handle(Event::Connected(client.sid, connection));
    }

    async fn run(&mut self, step: &Step) {
        match *step {
            Step::Act { user: n, points } => {
                self.seq += 1;
                let score = self.scores.entry(n).or_default();
                *score += points;
                self.folder.fold(&[LogEntry {
                    seq: Seq::new(self.seq).unwrap(),
                    at: Timestamp(self.seq),
                    fact: Fact::Action {
                        user: user(n),
                        action_type: "goal".into(),
                        increase: points,
                        score: Score::new(*score).unwrap(),
                    },
                }]);
            }
            Step::Announce { user: whom } => {
                self.announced += 1;
                let announcement = Announcement {
                    id: AnnouncementId(self.announced.to_be_bytes()),
                    kind: AnnouncementKind::SystemAlert,
                    message: "…".into(),
                    severity: Severity::Info,
                    audience: whom.map_or(Audience::All, |n| Audience::User(user(n))),
                    from: Timestamp(0),
                    until: Timestamp(u64::MAX),
                    duration: None,
                };
                let replaces = None;
                self.handle(Event::Announced {
                    announcement,
                    replaces,
                });
                self.handle(Event::Expired(Timer::Banners));
            }
            Step::AnotherLog => {
                let users: Vec<u8> = (0..USERS).collect();
                self.epoch += 1;
                self.seq = u64::from(USERS);
                self.scores.clear();
                let mut other = log(self.epoch, self.seq, &users);
                other.announcements.clear();
                self.folder.reload(other);
            }
            Step::Tick => self.handle(Event::Expired(Timer::Tick)),
            Step::Wait { ms } => {
                // As often as these timers expire.
                for _ in 0..ms.div_ceil(100) {
                    advance(Duration::from_millis(100)).await;
                    self.handle(Event::Expired(Timer::SlowConsumers));
                    self.handle(Event::Expired(Timer::Heartbeats));
                }
            }
            Step::Take { who, packets } => {
                if let Some(client) = self.clients.iter_mut().find(|it| it.number == who) {
                    client.take(&mut self.net, packets);
                }
            }
            Step::Subscribe { who, page, mode } => {
                let view = page.map_or(View::Top, View::Page);
                self.clients[usize::from(who)].view = Some(view);
                let wanted = Subscribe {
                    view,
                    mode,
                    known: None,
                    // Every second client asks for it.
                    heartbeat: who % 2 == 0,
                };
                self.send(who, ClientEvent::SubscribeScoreboard(wanted));
            }
            Step::Unsubscribe { who } => {
                self.clients[usize::from(who)].view = None;
                self.send(who, ClientEvent::UnsubscribeScoreboard);
            }
            Step::Ask { who } => self.send(who, ClientEvent::SubscribeUserScore(user(who))),
            Step::Ping { who, times } => {
                for _ in 0..times {
                    self.send(who, ClientEvent::Ping);
                }
            }
        }
        for client in &mut self.clients {
            if client.is_slow() {
                let waits = self.net.queues.get(&client.sid);
                let bytes: usize = waits.into_iter().flatten().map(|it| it.bytes).sum();
                assert!(bytes <= QUEUE + TICK, "{bytes} bytes wait");
            } else {
                client.take(&mut self.net, usize::MAX);
            }
        }
        self.disconnect_closed();
    }

    fn send(&mut self, who: u8, event: ClientEvent) {
        let sid = self.clients[usize::from(who)].sid;
        if self.net.exists(sid) {
            self.receive(sid, who, event);
        }
    }

    fn receive(&mut self, sid: Sid, who: u8, event: ClientEvent) {
        let message = ClientMessage {
            sid,
            user: user(who),
            event,
            ack: Some(sid),
        };
        self.handle(Event::Message(message));
    }

    /// Sockets whose sessions were closed have disconnected.
    fn disconnect_closed(&mut self) {
        let mut disconnected = Vec::new();
        for client in &self.clients {
            if client.session.is_closed() && self.net.exists(client.sid) {
                assert!(client.is_slow());
                self.net.close(client.sid);
                disconnected.push((client.sid, user(client.number)));
            }
        }
        for (sid, user) in disconnected {
            self.handle(Event::Disconnected(sid, user));
        }
    }

    /// Lets timers expire for so long, each when it is due. Returns when ticks came, in
    /// milliseconds since the world began.
    async fn run_timers(&mut self, duration: Duration) -> Vec<u128> {
        let end = Instant::now() + duration;
        let mut ticks = Vec::new();
        while let Some((at, timer)) = self.state.next_timer(self.now())
            && at <= end
        {
            advance(at.saturating_duration_since(Instant::now())).await;
            if timer == Timer::Tick {
                ticks.push((Instant::now() - self.started).as_millis());
            }
            self.handle(Event::Expired(timer));
        }
        advance(end - Instant::now()).await;
        ticks
    }

    /// All read everything, until there is nothing more.
    async fn settle(&mut self) {
        for _ in 0..100 {
            for client in &mut self.clients {
                client.take(&mut self.net, usize::MAX);
            }
            self.run(&Step::Wait { ms: 100 }).await;
            self.run(&Step::Tick).await;
        }
    }
}

/// Events, with their payloads.
type Sent = Vec<(String, Value)>;

/// What quick clients are sent, without what says the time; and their banners.
fn transcript(world: &World) -> Vec<(Sent, &HashSet<String>)> {
    let quick = world.clients.iter().filter(|client| !client.is_slow());
    let sent = |packet: &Packet| {
        let mut payload = packet.payload.clone();
        match packet.name.as_str() {
            "ack" => payload["time"] = json!(null),
            // Users who left the view are named in any order.
            "scoreboard_delta" => {
                if let Some(changes) = payload["changes"].as_array_mut() {
                    changes.sort_by_key(|change| change["userId"].to_string());
                }
            }
            _ => {}
        }
        (packet.name.clone(), payload)
    };
    let in_order = |client: &Client| {
        let packets = client.taken.iter();
        let packets = packets.filter(|it| it.name != "system_notification");
        // With which of four ticks a rank is sent depends on how many are to be sent.
        let packets = packets.filter(|it| it.payload["actionType"] != "RANK_CHANGE");
        // And with it, since when nothing else was sent.
        let packets = packets.filter(|it| it.name != "heartbeat");
        packets.map(sent).collect()
    };
    quick
        .map(|client| (in_order(client), &client.banners))
        .collect()
}

fn simulated(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whichever clients are slow, when and how often: all receive the newest state in the
    /// end and nothing older after it, never does more wait than may, and quick clients are
    /// sent what they are sent if there are no slow ones.
    #[test]
    fn all_clients_converge_and_slow_ones_disturb_no_others(steps in prop::collection::vec(step(), 1..150)) {
        simulated(async {
            let mut world = World::new(0..QUICK + SLOW);
            let mut without = World::new(0..QUICK);
            for step in &steps {
                world.run(step).await;
                if step.client().is_none_or(|who| who < QUICK) {
                    without.run(step).await;
                }
            }
            world.settle().await;
            without.settle().await;
            let both = transcript(&world).into_iter().zip(transcript(&without));
            for ((with, banners), (without, banners_without)) in both {
                assert_eq!(banners, banners_without);
                let lines = with.len().max(without.len());
                let differs = (0..lines).find(|at| with.get(*at) != without.get(*at));
                let at = differs.unwrap_or(lines);
                assert_eq!(with.get(at), without.get(at), "packet {at}");
            }
            for client in &world.clients {
                if client.session.is_closed() {
                    continue;
                }
                if let Some(view) = client.view {
                    let newest = world.live.read(|epoch, board| {
                        wire::leaderboard(epoch, board, view.row_range(board.rules()))
                    });
                    let shown = client.board.as_ref().expect("it watches");
                    assert_eq!(&shown.top_scores, &newest.top_scores);
                    assert_eq!(&shown.epoch, &newest.epoch);
                }
                if let Some(shown) = &client.score {
                    let newest = world.live.user(user(client.number)).unwrap();
                    let newest = wire::user_score(&newest);
                    assert_eq!((shown.score, shown.rank), (newest.score, newest.rank));
                }
                // Those to all, and those to them alone.
                let all = world.announced - 1000;
                assert!(client.banners.len() as u128 <= all + 1 + 2 * u128::from(USERS));
            }
        });
    }
}

/// One slow client, and one tick after the other.
#[test]
fn a_client_that_reads_nothing_is_sent_little_and_closed() {
    simulated(async {
        let mut world = World::new(0..QUICK + SLOW);
        let slow = QUICK;
        for who in [0, slow] {
            let (page, mode) = (None, Mode::Full);
            world.run(&Step::Subscribe { who, page, mode }).await;
        }
        let mut ms = 0;
        while !world.clients[usize::from(slow)].session.is_closed() {
            world.run(&Step::Act { user: 5, points: 1 }).await;
            world.run(&Step::Tick).await;
            world.run(&Step::Wait { ms: 100 }).await;
            ms += 100;
            assert!(ms <= 31_000, "it is closed in the end");
        }
        assert!(ms >= 30_000);
        let frames = |client: &Client| {
            let refresh = client.taken.iter();
            refresh
                .filter(|it| it.name == "leaderboard_refresh")
                .count()
        };
        assert_eq!(frames(&world.clients[0]) as u64, 1 + ms / 100);
    });
}

/// For a client that asks and does not read, the newest state is pending and no more.
#[test]
fn asking_without_reading_makes_no_buffer_grow() {
    simulated(async {
        let mut world = World::new(0..QUICK + SLOW);
        let who = QUICK;
        for _ in 0..1000 {
            let (page, mode) = (None, Mode::Full);
            world.run(&Step::Subscribe { who, page, mode }).await;
            world.run(&Step::Ping { who, times: 1 }).await;
        }
        world.settle().await;
        let client = &world.clients[usize::from(who)];
        let count = |name| client.taken.iter().filter(|it| it.name == name).count();
        assert!(count("leaderboard_refresh") < 10);
        assert!(count("ack") < 100 && count("ack") >= 64);
        assert!(client.board.is_some());
    });
}

/// What a client sends before it is connected is held until then, if it is not too much.
#[test]
fn so_many_events_are_held_that_come_too_early() {
    simulated(async {
        let mut world = World::new(0..0);
        let mut client = world.open(0);
        for _ in 0..100 {
            world.receive(client.sid, 0, ClientEvent::Ping);
        }
        world.connect(&client, u64::MAX, None);
        // Some of it waits until the client has read the first.
        for _ in 0..100 {
            client.take(&mut world.net, usize::MAX);
            world.run(&Step::Wait { ms: 100 }).await;
        }
        let pongs = client.taken.iter().filter(|it| it.name == "pong");
        assert_eq!(pongs.count(), 64);
    });
}

/// A client that asks is sent a heartbeat in each 5 s in which it is sent nothing else,
/// however often it subscribes. One that does not ask, has unsubscribed, or has still to
/// read older packets is sent none.
#[test]
fn heartbeats_are_for_clients_that_ask_and_are_sent_nothing_else() {
    simulated(async {
        let mut world = World::new(0..QUICK + SLOW);
        let [asks, does_not, slow] = [0, 1, QUICK + 1];
        for who in [asks, asks, does_not, slow] {
            let (page, mode) = (None, Mode::Delta);
            world.run(&Step::Subscribe { who, page, mode }).await;
        }
        // It has read nothing yet.
        world.run(&Step::Wait { ms: 5_000 }).await;
        let beats = |world: &World, who: u8| {
            let taken = world.clients[usize::from(who)].taken.iter();
            taken.filter(|it| it.name == "heartbeat").count()
        };
        assert_eq!([asks, does_not].map(|who| beats(&world, who)), [1, 0]);
        let slow_sid = world.clients[usize::from(slow)].sid;
        assert!(world.state.is_slow(slow_sid));
        let last = world.clients[0].taken.last().unwrap();
        assert_eq!(last.payload["seqs"], json!({ "main": world.seq }));

        // What was sent 3 s ago is enough for 2 s more.
        world.run(&Step::Wait { ms: 2_000 }).await;
        world
            .run(&Step::Ping {
                who: asks,
                times: 1,
            })
            .await;
        world.run(&Step::Wait { ms: 4_900 }).await;
        assert_eq!(beats(&world, asks), 1);
        world.run(&Step::Wait { ms: 100 }).await;
        assert_eq!(beats(&world, asks), 2);
        world.run(&Step::Unsubscribe { who: asks }).await;
        world.run(&Step::Wait { ms: 20_000 }).await;
        assert_eq!(beats(&world, asks), 2);
        let packets = usize::MAX;
        world.run(&Step::Take { who: slow, packets }).await;
        assert_eq!(beats(&world, slow), 0);
    });
}

#[test]
fn a_change_is_sent_at_once_and_the_next_a_tick_later() {
    simulated(async {
        let mut world = World::new(0..QUICK);
        let (who, page, mode) = (0, None, Mode::Full);
        world.run(&Step::Subscribe { who, page, mode }).await;
        // Whatever is left to do, ends.
        world.run_timers(Duration::from_secs(3)).await;
        assert_eq!(world.run_timers(Duration::from_secs(7)).await, [0; 0]);
        let mut ticks = Vec::new();
        for ms in [30, 30, 30, 410] {
            world.run(&Step::Act { user: 5, points: 1 }).await;
            world.handle(Event::BoardChanged);
            ticks.extend(world.run_timers(Duration::from_millis(ms)).await);
        }
        // At 10,400 ms and later, ranks are swept.
        let frames = ticks.iter().filter(|at| **at <= 10_200);
        assert_eq!(frames.copied().collect::<Vec<_>>(), [10_000, 10_100]);
        let client = &mut world.clients[0];
        client.take(&mut world.net, usize::MAX);
        assert_eq!(
            client.board.as_ref().map(|board| board.seq),
            Some(world.seq)
        );
    });
}

#[test]
fn a_token_expires_by_the_clock_by_which_it_was_checked() {
    simulated(async {
        let mut world = World::new(0..0);
        let client = world.open(0);
        world.token_seconds = 50;
        world.connect(&client, 100, None);
        for (now, is_open) in [(50, true), (99, true), (100, false)] {
            world.token_seconds = now;
            world.handle(Event::Expired(Timer::TokenExpiry));
            assert_eq!(world.net.exists(client.sid), is_open, "at {now} s");
        }
    });
}

#[test]
fn clients_that_subscribe_at_once_are_sent_rows_that_are_encoded_once() {
    simulated(async {
        let mut world = World::new(0..QUICK);
        let (page, mode) = (None, Mode::Full);
        let mut sent = Vec::new();
        for who in 0..QUICK {
            // The board is not that of the last tick.
            if who == 0 {
                world.run(&Step::Act { user: 5, points: 1 }).await;
            }
            world.run(&Step::Subscribe { who, page, mode }).await;
            sent.push(world.state.feed().cached_snapshot(View::Top).unwrap());
        }
        assert!(sent.iter().all(|rows| Arc::ptr_eq(rows, &sent[0])));
        let seen = world.clients.iter().map(|client| client.board.as_ref());
        assert!(seen.clone().all(|board| board.unwrap().seq == world.seq));
        world.run(&Step::Act { user: 6, points: 1 }).await;
        assert!(world.state.feed().cached_snapshot(View::Top).is_none());
    });
}

/// A client that asks for one page too many is refused, and keeps its subscription.
#[test]
fn an_address_may_watch_so_many_pages() {
    simulated(async {
        let mut world = World::new(0..0);
        let address: IpAddr = [192, 0, 2, 1].into();
        let mut clients: Vec<Client> = (0..102).map(|_| world.open(0)).collect();
        let subscribe = |world: &mut World, client: &mut Client, view| {
            let wanted = Subscribe {
                view,
                mode: Mode::Full,
                known: None,
                heartbeat: true,
            };
            world.receive(client.sid, 0, ClientEvent::SubscribeScoreboard(wanted));
            client.take(&mut world.net, usize::MAX);
            let ack = client.taken.last().map(|it| it.payload.clone()).unwrap();
            ack["error"]["code"].as_str().map(str::to_owned)
        };
        for client in &clients {
            world.connect(client, u64::MAX, Some(address));
        }
        let pages = (0..100).map(|n| View::Page(u64::MAX - n));
        for (client, page) in clients.iter_mut().zip(pages) {
            assert_eq!(subscribe(&mut world, client, page), None);
        }
        let [.., last, other] = &mut clients[..] else {
            panic!("there are many");
        };
        assert_eq!(subscribe(&mut world, last, View::Top), None);
        let refused = subscribe(&mut world, last, View::Page(7));
        assert_eq!(refused.as_deref(), Some("rate_limited"));
        let error = &last.taken[last.taken.len() - 2];
        assert_eq!(error.name, "error");
        assert_eq!(error.payload["message"], "Rate limit exceeded");
        assert_eq!(world.net.refused, [Reason::Pages]);
        let feed = world.state.feed();
        assert!(feed.is_in_room(last.sid, View::Top, Mode::Full));
        assert_eq!(
            subscribe(&mut world, other, View::Page(u64::MAX)),
            None,
            "it is watched already"
        );
    });
}
