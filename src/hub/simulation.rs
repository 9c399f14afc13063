//! The hub's state with slow and quick clients that watch three boards, in any order of what
//! happens: all that is tested is what they receive. The network between is a queue for each
//! socket, and time passes when the test says so.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use app::wire::{LeaderboardData, MAIN, ScoreboardDelta, UserScoreUpdate};
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};
use socketioxide::socket::Sid;
use tokio::time::{Duration, Instant, advance};

use super::session::tests::session;
use super::{
    connection::Connection,
    events::{ClientEvent, Subscribe},
    message::{Message, Recipient},
    rooms,
    session::Session,
    state::{ClientMessage, Event, HubState, Now, SendQueue, Timer, apply},
    view::{Mode, View},
};
use crate::{
    auth::{Identity, Role},
    board::{
        Action, Announcement, AnnouncementId, AnnouncementKind, Audience, BoardId, Derivation,
        Direction, Every, Fact, Operator, Order, Period, Profile, Rules, Score, Scores, Settings,
        Severity, Source, State, Timestamp, Visibility,
    },
    config::AchievementsTable,
    limits::Reason,
    live::{
        Live, Viewer,
        testing::{entry, live, log, main, opened, user},
    },
    store::Fold,
    wire,
};

/// What may wait for a client here: less than two frames.
const QUEUE: usize = 3000;

/// What one tick brings at most beyond that: two frames of each board, and some updates.
const TICK: usize = 3 * 9000;

/// What the library keeps for a socket; it drops what is sent beyond.
const LIBRARY: usize = 128;

/// The boards: two that actions name, one of them with a second score, and one that follows
/// from the first.
const BOARDS: [&str; 3] = [MAIN, "second", "derived"];

const USERS: u8 = 14;
/// How many clients are quick, and how many are slow; each is of another user.
const QUICK: u8 = 3;
const SLOW: u8 = 2;

/// What a client was sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Packet {
    pub(super) name: String,
    pub(super) payload: Value,
    bytes: usize,
}

/// The sockets that are open: their rooms, and what they were sent.
#[derive(Default)]
struct Net {
    rooms: HashMap<String, HashSet<Sid>>,
    queues: HashMap<Sid, VecDeque<Packet>>,
    /// The sockets of those who have not signed in.
    strangers: HashSet<Sid>,
    /// The boards that they may not see.
    private: HashSet<String>,
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
            let names = [
                "leaderboard_refresh",
                "scoreboard_delta",
                "scoreboard_update",
            ];
            if names.contains(&packet.name.as_str()) && self.strangers.contains(&sid) {
                let board = packet.payload["board"].as_str().unwrap_or(MAIN);
                assert!(!self.private.contains(board), "{board} is private");
            }
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
pub(super) struct Client {
    pub(super) sid: Sid,
    number: u8,
    session: Session,
    /// Which rows of which boards it has asked for, and which it watches as far as it knows.
    wanted: HashMap<String, View>,
    pub(super) views: HashMap<String, View>,
    pub(super) boards: HashMap<String, LeaderboardData>,
    pub(super) scores: HashMap<String, UserScoreUpdate>,
    /// Everything, in order.
    pub(super) taken: Vec<Packet>,
    pub(super) banners: HashSet<String>,
}

impl Client {
    fn is_slow(&self) -> bool {
        self.number >= QUICK
    }

    fn role(&self) -> Role {
        // One of the quick ones and one of the slow ones have not signed in.
        match self.number == 1 || self.number == QUICK {
            true => Role::Viewer,
            false => Role::Player,
        }
    }

    /// The rows of `main`.
    fn main(&self) -> Option<&LeaderboardData> {
        self.boards.get(MAIN)
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
                let name = next.board.clone().unwrap_or_else(|| MAIN.into());
                if let Some(board) = self.boards.get(&name)
                    && board.page == next.page
                {
                    assert!(
                        (&board.epoch, board.seq) <= (&next.epoch, next.seq),
                        "older"
                    );
                }
                if let Some(view) = self.wanted.get(&name)
                    && view.page() == next.page
                {
                    self.views.insert(name.clone(), *view);
                }
                self.boards.insert(name, next);
            }
            "scoreboard_delta" => {
                let delta: ScoreboardDelta = serde_json::from_value(payload()).unwrap();
                let name = delta.board.as_deref().unwrap_or(MAIN);
                let board = self.boards.get_mut(name).expect("rows come first");
                assert_eq!((board.page, &board.epoch), (delta.page, &delta.epoch));
                // Asserts that there is no gap, and that it is not older.
                apply(board, &delta);
            }
            "user_score_update" => {
                let next: UserScoreUpdate = serde_json::from_value(payload()).unwrap();
                let name = next.board.clone().unwrap_or_else(|| MAIN.into());
                if let Some(score) = self.scores.get(&name) {
                    assert!(
                        (&score.epoch, score.seq) <= (&next.epoch, next.seq),
                        "older"
                    );
                }
                self.scores.insert(name, next);
            }
            "error" if packet.payload["code"] == "UNKNOWN_BOARD" => {
                let board = packet.payload["board"].as_str().unwrap();
                self.views.remove(board);
                self.boards.remove(board);
                self.scores.remove(board);
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
pub(super) enum Step {
    Act {
        user: u8,
        points: i64,
        board: usize,
        /// Does it count on the derived board too?
        counts: bool,
    },
    /// A board is created, or has other settings.
    Set {
        board: usize,
        top: usize,
        is_private: bool,
        lowest: bool,
    },
    Delete {
        board: usize,
    },
    /// On the derived board.
    EndSeason,
    Hide {
        user: u8,
        hidden: bool,
    },
    Rename {
        user: u8,
        name: u8,
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
        board: usize,
        page: Option<u64>,
        mode: Mode,
    },
    Unsubscribe {
        who: u8,
        board: usize,
    },
    Ask {
        who: u8,
        board: usize,
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
            | Step::Unsubscribe { who, .. }
            | Step::Ask { who, .. }
            | Step::Ping { who, .. } => Some(who),
            _ => None,
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..QUICK + SLOW;
    let board = || prop_oneof![3 => Just(0), 1 => Just(1), 1 => Just(2)];
    let mode = prop_oneof![Just(Mode::Full), Just(Mode::Delta)];
    let page = prop_oneof![3 => Just(None), 1 => Just(Some(0))];
    let act = (0..USERS, 1i64..50, 0..2usize, any::<bool>());
    let set = (0..3usize, 1..12usize, any::<bool>(), any::<bool>());
    prop_oneof![
        12 => act.prop_map(|(user, points, board, counts)| Step::Act { user, points, board, counts }),
        1 => set.prop_map(|(board, top, is_private, lowest)| {
            Step::Set { board, top, is_private, lowest }
        }),
        1 => (1..3usize).prop_map(|board| Step::Delete { board }),
        1 => Just(Step::EndSeason),
        1 => (0..USERS, any::<bool>()).prop_map(|(user, hidden)| Step::Hide { user, hidden }),
        1 => (0..USERS, any::<u8>()).prop_map(|(user, name)| Step::Rename { user, name }),
        8 => Just(Step::Tick),
        4 => (1u64..3000).prop_map(|ms| Step::Wait { ms }),
        4 => (who(), 1usize..20).prop_map(|(who, packets)| Step::Take { who, packets }),
        5 => (who(), board(), page, mode).prop_map(|(who, board, page, mode)| {
            // If a slow client watches a page already, its frames are sent to a quick one
            // that would be sent all rows if it were alone there.
            let page = page.filter(|_| who < QUICK);
            Step::Subscribe { who, board, page, mode }
        }),
        1 => (who(), board()).prop_map(|(who, board)| Step::Unsubscribe { who, board }),
        2 => (who(), board()).prop_map(|(who, board)| Step::Ask { who, board }),
        1 => (who(), 1u8..90).prop_map(|(who, times)| Step::Ping {
            who,
            // More at once than may wait makes any client slow.
            times: if who < QUICK { times.min(20) } else { times },
        }),
        1 => prop::option::of(0..USERS).prop_map(|user| Step::Announce { user }),
        1 => Just(Step::AnotherLog),
    ]
}

/// The settings of these boards, as they are at first or as a step says.
pub(super) fn settings(board: usize, (top, is_private, lowest): (usize, bool, bool)) -> Settings {
    let direction = match lowest {
        true => Direction::LowestFirst,
        false => Direction::HighestFirst,
    };
    let tiebreak = (board == 1).then_some(Direction::LowestFirst);
    let derivation = Derivation {
        of: main(),
        types: Some(["goal".into()].into()),
        group: None,
        team: None,
        period: Some(Period {
            every: Every::Week,
            zone: "UTC".into(),
            starts: None,
        }),
    };
    Settings {
        rules: Rules {
            order: Order {
                direction,
                tiebreak,
                ..Order::default()
            },
            operator: Operator::Sum,
            top,
        },
        source: match board {
            2 => Source::Derived(derivation),
            _ => Source::Fed,
        },
        visibility: match is_private {
            true => Visibility::Private,
            false => Visibility::Public,
        },
        everyone: board == 0,
        ..Settings::default()
    }
}

pub(super) fn id(board: usize) -> BoardId {
    BoardId::new(BOARDS[board]).unwrap()
}

/// All boards, with all users and without any action.
fn state() -> State {
    let mut state = log(1, u64::from(USERS), &(0..USERS).collect::<Vec<_>>()).state;
    for board in 1..BOARDS.len() {
        state.apply(&entry(
            state.seq() + 1,
            Fact::BoardChanged {
                board: id(board),
                settings: Arc::new(settings(board, (10, false, false))),
                borders: borders(board),
            },
        ));
    }
    state
}

fn borders(board: usize) -> Box<[Timestamp]> {
    match board {
        2 => [Timestamp(u64::MAX)].into(),
        _ => Box::default(),
    }
}

pub(super) struct World {
    net: Net,
    pub(super) state: HubState<Sid>,
    pub(super) live: Live,
    folder: Box<dyn Fold>,
    epoch: u64,
    /// Both scores of each user on the boards that actions name.
    scores: HashMap<(usize, u8), (i64, i64)>,
    announced: u128,
    pub(super) clients: Vec<Client>,
    started: Instant,
    /// The time by the clock of the tokens.
    token_seconds: u64,
}

impl World {
    /// What a client was sent since the last time, but for banners.
    pub(super) fn sent(&mut self, who: u8) -> Vec<Packet> {
        self.read_all();
        let mut sent = std::mem::take(&mut self.clients[usize::from(who)].taken);
        sent.retain(|it| it.name != "system_notification");
        sent
    }

    pub(super) fn new(numbers: impl Iterator<Item = u8>) -> World {
        let mut opened = opened(1, state());
        opened.announcements = log(1, 1, &[1]).announcements;
        let (live, folder) = live(opened);
        let (queue, table) = (SendQueue(QUEUE), AchievementsTable::default());
        let started = Instant::now();
        let mut world = World {
            net: Net::default(),
            state: HubState::new(live.clone(), queue, table, started),
            live,
            folder: Box::new(folder),
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
    pub(super) fn now(&self) -> Now {
        let monotonic = Instant::now();
        Now {
            monotonic,
            store: Timestamp((monotonic - self.started).as_millis() as u64),
            token_seconds: self.token_seconds,
        }
    }

    pub(super) fn handle(&mut self, event: Event<Sid>) {
        let messages = self.state.handle(event, self.now());
        self.net.send(messages);
    }

    /// A client whose socket exists, and is not connected yet.
    pub(super) fn open(&mut self, number: u8) -> Client {
        let sid = Sid::new();
        self.net.queues.insert(sid, VecDeque::new());
        Client {
            sid,
            number,
            session: session(),
            wanted: HashMap::new(),
            views: HashMap::new(),
            boards: HashMap::new(),
            scores: HashMap::new(),
            taken: Vec::new(),
            banners: HashSet::new(),
        }
    }

    /// A client is connected, with a token that ends then, from this address.
    pub(super) fn connect(&mut self, client: &Client, expires: u64, address: Option<IpAddr>) {
        if client.role() == Role::Viewer {
            self.net.strangers.insert(client.sid);
        }
        let connection = Connection {
            identity: Identity {
                user: user(client.number),
                role: client.role(),
                issued: None,
                expires,
            },
            session: client.session.clone(),
            address,
            limited_as: address,
        };
        self.handle(Event::Connected(client.sid, connection));
    }

    pub(super) async fn run(&mut self, step: &Step) {
        match *step {
            Step::Act {
                user: n,
                points,
                board,
                counts,
            } => {
                // It is refused where there is no board.
                if !self.has(board) {
                    return;
                }
                let (score, tiebreak) = self.scores.entry((board, n)).or_default();
                *score += points;
                let second = if board == 1 { points % 5 } else { 0 };
                *tiebreak += second;
                let scores = Scores {
                    score: Score::nearest(*score),
                    tiebreak: Score::nearest(*tiebreak),
                };
                self.write(Fact::Action(Action {
                    board: id(board),
                    user: user(n),
                    action_type: if counts { "goal" } else { "save" }.into(),
                    increase: points,
                    tiebreak_increase: second,
                    scores,
                }));
            }
            Step::Set {
                board,
                top,
                is_private,
                lowest,
            } => {
                let name = BOARDS[board].to_owned();
                match is_private {
                    true => self.net.private.insert(name),
                    false => self.net.private.remove(&name),
                };
                let is_new = !self.has(board);
                self.write(Fact::BoardChanged {
                    board: id(board),
                    settings: Arc::new(settings(board, (top, is_private, lowest))),
                    borders: if is_new {
                        borders(board)
                    } else {
                        Box::default()
                    },
                });
            }
            Step::Delete { board } if self.has(board) => {
                self.scores.retain(|(of, _), _| *of != board);
                self.net.private.remove(BOARDS[board]);
                self.write(Fact::BoardDeleted { board: id(board) });
            }
            Step::EndSeason if self.has(2) => self.write(Fact::SeasonEnded {
                board: id(2),
                next: Some(Timestamp(u64::MAX)),
            }),
            Step::Delete { .. } | Step::EndSeason => {}
            Step::Hide { user: n, hidden } => {
                let user = user(n);
                self.write(Fact::UserHidden {
                    user,
                    hidden,
                    reason: None,
                });
            }
            Step::Rename { user: n, name } => self.write(Fact::UserChanged {
                user: user(n),
                profile: Profile {
                    username: format!("P{n}-{name}").into(),
                    avatar: None,
                },
            }),
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
                self.epoch += 1;
                self.scores.clear();
                self.net.private.clear();
                self.folder.reload(opened(self.epoch, state()));
            }
            Step::Tick => {
                // Each board may be sent by then, whatever was sent before.
                advance(Duration::from_millis(100)).await;
                self.handle(Event::Expired(Timer::Tick));
            }
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
            Step::Subscribe {
                who,
                board,
                page,
                mode,
            } => {
                let view = page.map_or(View::Top, View::Page);
                let client = &mut self.clients[usize::from(who)];
                client.wanted.insert(BOARDS[board].into(), view);
                let wanted = Subscribe {
                    board: id(board),
                    view,
                    mode,
                    known: None,
                    // Every second client asks for it.
                    heartbeat: who % 2 == 0,
                };
                self.send(who, ClientEvent::SubscribeScoreboard(wanted));
            }
            Step::Unsubscribe { who, board } => {
                let client = &mut self.clients[usize::from(who)];
                client.wanted.remove(BOARDS[board]);
                client.views.remove(BOARDS[board]);
                self.send(who, ClientEvent::UnsubscribeScoreboard(id(board)));
            }
            Step::Ask { who, board } => {
                let event = ClientEvent::SubscribeUserScore(user(who), id(board));
                self.send(who, event);
            }
            Step::Ping { who, times } => {
                for _ in 0..times {
                    self.send(who, ClientEvent::Ping);
                }
            }
        }
        self.read_all();
        self.disconnect_closed();
    }

    /// Quick clients read all that they were sent.
    pub(super) fn read_all(&mut self) {
        for client in &mut self.clients {
            if client.is_slow() {
                let waits = self.net.queues.get(&client.sid);
                let bytes: usize = waits.into_iter().flatten().map(|it| it.bytes).sum();
                assert!(bytes <= QUEUE + TICK, "{bytes} bytes wait");
            } else {
                client.take(&mut self.net, usize::MAX);
            }
        }
    }

    /// A client of a test reads all that it was sent.
    pub(super) fn read_all_of(&mut self, client: &mut Client) {
        client.take(&mut self.net, usize::MAX);
    }

    /// Is this board there?
    fn has(&self, board: usize) -> bool {
        self.live.read(|_, state| state.board(&id(board)).is_some())
    }

    /// How many facts `main` holds.
    pub(super) fn seq(&self) -> u64 {
        let seq = self.live.read_board(&main(), |_, board| board.seq());
        seq.unwrap()
    }

    pub(super) fn write(&mut self, fact: Fact) {
        let seq = self.live.read(|_, state| state.seq());
        self.folder.fold(&[entry(seq + 1, fact)]);
    }

    /// Somebody acts on `main`.
    pub(super) async fn act(&mut self, user: u8) {
        self.act_on(user, 0).await;
    }

    /// Somebody acts on a board.
    pub(super) async fn act_on(&mut self, user: u8, board: usize) {
        let (points, counts) = (1, true);
        let step = Step::Act {
            user,
            points,
            board,
            counts,
        };
        self.run(&step).await;
    }

    /// A client subscribes to the visible rows of a board.
    pub(super) async fn subscribe(&mut self, who: u8, board: usize, mode: Mode) {
        let page = None;
        let step = Step::Subscribe {
            who,
            board,
            page,
            mode,
        };
        self.run(&step).await;
    }

    pub(super) fn send(&mut self, who: u8, event: ClientEvent) {
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
            // One of the slow clients asks for no acknowledgement.
            ack: (who != QUICK + 1).then_some(sid),
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
    pub(super) async fn run_timers(&mut self, duration: Duration) -> Vec<u128> {
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

    /// A client that has read everything is shown what the boards are.
    pub(super) fn compare(&self, client: &Client) {
        let viewer = Viewer::of(Some(client.role()));
        let watched = self.state.feeds().watched(client.sid);
        let watched: BTreeSet<&str> = watched.iter().map(BoardId::as_str).collect();
        let views: BTreeSet<&str> = client.views.keys().map(String::as_str).collect();
        assert_eq!(watched, views, "of {}", client.number);
        for (name, view) in &client.views {
            let board = BoardId::new(name).unwrap();
            assert!(self.live.shows(&board, viewer), "{name} is not to be seen");
            let newest = self.live.read_board(&board, |epoch, board| {
                wire::leaderboard(epoch, board, view.row_range(board.rules()))
            });
            let newest = newest.unwrap();
            let shown = &client.boards[name];
            assert_eq!(&shown.top_scores, &newest.top_scores, "{name}");
            assert_eq!(shown.total_users, newest.total_users);
            assert_eq!((&shown.epoch, &shown.board), (&newest.epoch, &newest.board));
        }
        for (name, shown) in &client.scores {
            let board = BoardId::new(name).unwrap();
            if !self.live.shows(&board, viewer) {
                // Of `main`, which all are sent who are online: nobody says that it ends.
                assert_eq!(name, MAIN);
                continue;
            }
            let user = user(client.number);
            let newest = self.live.read_board(&board, |_, board| {
                let row = board.user(user).unwrap();
                // Who is hidden sees their own score.
                let scores = row.scores().or_else(|| board.hidden_scores(user));
                (scores.map(|it| it.score.points()), row.rank())
            });
            assert_eq!((shown.score, shown.rank), newest.unwrap(), "on {name}");
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
        // Other boards than `main` have frames only while somebody watches them: if a slow
        // client does, a quick one may be sent deltas instead of all rows.
        let packets = packets.filter(|it| {
            let is_of_main = it.payload["board"].is_null() || it.name == "ack";
            let first = it.payload.get(0).is_none_or(|it| it["board"].is_null());
            is_of_main && first
        });
        packets.map(sent).collect()
    };
    quick
        .map(|client| (in_order(client), &client.banners))
        .collect()
}

pub(super) fn simulated(test: impl Future<Output = ()>) {
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
                world.compare(client);
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
            world.subscribe(who, 0, Mode::Full).await;
        }
        let mut ms = 0;
        while !world.clients[usize::from(slow)].session.is_closed() {
            world.act(5).await;
            world.run(&Step::Tick).await;
            world.run(&Step::Wait { ms: 100 }).await;
            ms += 200;
            assert!(ms <= 31_000, "it is closed in the end");
        }
        assert!(ms >= 30_000);
        let frames = |client: &Client| {
            let refresh = client.taken.iter();
            refresh
                .filter(|it| it.name == "leaderboard_refresh")
                .count()
        };
        assert_eq!(frames(&world.clients[0]) as u64, 1 + ms / 200);
    });
}

/// For a client that asks and does not read, the newest state is pending and no more.
#[test]
fn asking_without_reading_makes_no_buffer_grow() {
    simulated(async {
        let mut world = World::new(0..QUICK + SLOW);
        let who = QUICK;
        for _ in 0..1000 {
            world.subscribe(who, 0, Mode::Full).await;
            world.run(&Step::Ping { who, times: 1 }).await;
        }
        world.settle().await;
        let client = &world.clients[usize::from(who)];
        let count = |name| client.taken.iter().filter(|it| it.name == name).count();
        assert!(count("leaderboard_refresh") < 10);
        assert!(count("ack") < 100 && count("ack") >= 64);
        assert!(client.main().is_some());
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
            world.subscribe(who, 0, Mode::Delta).await;
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
        assert_eq!(last.payload["seqs"], json!({ "main": world.seq() }));

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
        world
            .run(&Step::Unsubscribe {
                who: asks,
                board: 0,
            })
            .await;
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
        world.subscribe(0, 0, Mode::Full).await;
        // Whatever is left to do, ends.
        world.run_timers(Duration::from_secs(3)).await;
        assert_eq!(world.run_timers(Duration::from_secs(7)).await, [0; 0]);
        let mut ticks = Vec::new();
        for ms in [30, 30, 30, 410] {
            world.act(5).await;
            world.handle(Event::LogGrew);
            ticks.extend(world.run_timers(Duration::from_millis(ms)).await);
        }
        // At 10,400 ms and later, ranks are swept.
        let frames = ticks.iter().filter(|at| **at <= 10_200);
        assert_eq!(frames.copied().collect::<Vec<_>>(), [10_000, 10_100]);
        let client = &mut world.clients[0];
        client.take(&mut world.net, usize::MAX);
        assert_eq!(client.main().map(|board| board.seq), Some(world.seq()));
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
        let mut sent = Vec::new();
        for who in 0..QUICK {
            // The board is not that of the last tick.
            if who == 0 {
                world.act(5).await;
            }
            world.subscribe(who, 0, Mode::Full).await;
            sent.push(
                world
                    .state
                    .feeds()
                    .of(&main())
                    .unwrap()
                    .cached_snapshot(View::Top)
                    .unwrap(),
            );
        }
        assert!(sent.iter().all(|rows| Arc::ptr_eq(rows, &sent[0])));
        let seen = world.clients.iter().map(|client| client.main());
        assert!(seen.clone().all(|board| board.unwrap().seq == world.seq()));
        world.act(6).await;
        assert!(
            world
                .state
                .feeds()
                .of(&main())
                .unwrap()
                .cached_snapshot(View::Top)
                .is_none()
        );
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
                board: main(),
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
        let feed = world.state.feeds().of(&main()).unwrap();
        assert!(feed.is_in_room(last.sid, View::Top, Mode::Full));
        assert_eq!(
            subscribe(&mut world, other, View::Page(u64::MAX)),
            None,
            "it is watched already"
        );
    });
}
