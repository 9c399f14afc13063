//! What clients of a hub receive of several boards, and when the log is replaced. They speak
//! Socket.IO with it by polling, within this process.

use std::{collections::VecDeque, num::NonZeroU32};

use app::wire::{
    LEADERBOARD_REFRESH, SCOREBOARD_DELTA, SCOREBOARD_UPDATE, SESSION_EXPIRED,
    SUBSCRIBE_SCOREBOARD, SUBSCRIBE_USER_SCORE, SYSTEM_NOTIFICATION, USER_SCORE_UPDATE,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request},
};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;

use super::{message::Payload, *};
use crate::{
    auth::Role,
    board::{BoardId, Epoch, Fact, UserId},
    config::{AuthTable, LimitsTable, Secret},
    limits::{Admission, Reason, Traffic},
    live::testing::{acted, action, board, entry, live, log, main, user},
    metrics::Metrics,
    store::Fold,
    wire,
};

/// How long tokens hold.
const TTL: Duration = Duration::from_secs(600);

/// How long an event may take that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A hub with a board that the test fills.
struct Running {
    router: Router,
    tokens: Arc<Tokens>,
    limits: Arc<Limits>,
    metrics: Metrics,
    _hub: Hub,
}

impl Running {
    fn start(live: Live) -> Running {
        Running::within(live, &LimitsTable::default())
    }

    fn within(live: Live, table: &LimitsTable) -> Running {
        let secret = |text: &str| Secret(text.into());
        let tokens = Tokens::new(&secret("one"), &secret("other"), &AuthTable::default());
        let tokens = Arc::new(tokens);
        let metrics = Metrics::default();
        let limits = Limits::new(table, NonZeroU32::MAX, metrics.clone());
        let limits = Arc::new(limits);
        let (hub, layer) = Hub::start(
            live,
            tokens.clone(),
            limits.clone(),
            &SocketTable::default(),
            AchievementsTable::default(),
            Pulse::unwatched(),
        );
        Running {
            router: Router::new().layer(layer),
            tokens,
            limits,
            metrics,
            _hub: hub,
        }
    }

    /// A client that is connected and has sent these events.
    async fn client(&self, user: UserId, role: Role, events: &[Value]) -> Client {
        let mut client = self.connecting(user, role).await;
        while !client.packet().await.starts_with("40") {}
        for event in events {
            client.send(format!("42{event}")).await;
        }
        client
    }

    /// A client that has sent its token.
    async fn connecting(&self, user: UserId, role: Role) -> Client {
        let address = [192, 0, 2, 1].into();
        let Admission::Opened(permit) = self.limits.session(address, None) else {
            panic!("the limit is not reached");
        };
        let traffic = Traffic::new(self.limits.clone(), address);
        let mut client = Client {
            router: self.router.clone(),
            session: Session::new(permit, traffic),
            query: String::new(),
            packets: VecDeque::new(),
        };
        let open = client.packet().await;
        let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        client.query = format!("&sid={}", open["sid"].as_str().unwrap());
        let token = self.tokens.issue(user, role, TTL).unwrap();
        client
            .send(format!("40{}", json!({ "token": token })))
            .await;
        client
    }

    /// How often a client was refused for a reason.
    fn refused(&self, reason: Reason) -> Option<String> {
        let start = format!("podium_refused_total{{reason=\"{reason}\"}} ");
        let text = self.metrics.text();
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(&start).map(str::to_owned))
    }
}

struct Client {
    router: Router,
    session: Session,
    query: String,
    packets: VecDeque<String>,
}

impl Client {
    async fn ask(&self, method: Method, body: String) -> String {
        let uri = format!("/socket.io/?EIO=4&transport=polling{}", self.query);
        let request = Request::builder().method(method).uri(uri);
        let request = request.extension(self.session.clone());
        let request = request.body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.into()).unwrap()
    }

    async fn send(&self, packet: String) {
        assert_eq!(self.ask(Method::POST, packet).await, "ok");
    }

    /// The next packet, which is waited for.
    async fn packet(&mut self) -> String {
        loop {
            if let Some(packet) = self.packets.pop_front() {
                return packet;
            }
            let body = self.ask(Method::GET, String::new()).await;
            self.session.taken();
            self.packets.extend(body.split('\u{1e}').map(str::to_owned));
        }
    }

    /// The next event, with its payload.
    async fn event(&mut self) -> (String, Value) {
        loop {
            let packet = timeout(PATIENCE, self.packet()).await.unwrap();
            if let Some(event) = packet.strip_prefix("42") {
                return serde_json::from_str(event).unwrap();
            }
        }
    }

    /// All events until one of this name, with it: of this `seq`, or the banner with
    /// this number.
    async fn until(&mut self, name: &str, number: u64) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await;
            let is_last = event.0 == name && number_of(&event.1) == Some(number);
            events.push(event);
            if is_last {
                return events;
            }
        }
    }

    /// The message with which the session is ended.
    async fn end(&mut self) -> Value {
        loop {
            let (name, payload) = self.event().await;
            if name == SESSION_EXPIRED {
                return payload["message"].clone();
            }
        }
    }
}

/// The `seq` of an event, or the number that is the id of a banner.
fn number_of(payload: &Value) -> Option<u64> {
    let seq = payload.get("seq").or_else(|| payload.get("to"));
    seq.map_or_else(
        || {
            let UserId(id) = UserId::parse(payload["id"].as_str()?)?;
            u64::try_from(u128::from_be_bytes(id)).ok()
        },
        Value::as_u64,
    )
}

/// The names of events, and whether they are of the second log.
fn received(events: &[(String, Value)]) -> Vec<(&str, bool)> {
    let epoch = Epoch(2).to_string();
    let events = events.iter();
    events
        .filter(|(name, _)| name != SYSTEM_NOTIFICATION)
        .map(|(name, payload)| (name.as_str(), payload["epoch"] == epoch))
        .collect()
}

/// The numbers of the banners among events.
fn banners(events: &[(String, Value)]) -> Vec<u64> {
    let banners = events
        .iter()
        .filter(|(name, _)| name == SYSTEM_NOTIFICATION);
    banners.filter_map(|(_, it)| number_of(it)).collect()
}

#[tokio::test]
async fn connected_clients_are_resynchronised_with_another_log() {
    let (live, mut folder) = live(log(1, 3, &[1, 2]));
    let running = Running::start(live);
    let subscribe = json!([SUBSCRIBE_SCOREBOARD]);
    let deltas = json!([SUBSCRIBE_SCOREBOARD, { "mode": "delta" }]);
    let own = json!([SUBSCRIBE_USER_SCORE, user(2).to_string()]);
    let mut viewer = running
        .client(user(50), Role::Viewer, std::slice::from_ref(&subscribe))
        .await;
    let mut player = running.client(user(2), Role::Player, &[deltas, own]).await;
    let mut gone = running.client(user(1), Role::Player, &[]).await;
    let mut revoked = running.client(user(9), Role::Viewer, &[]).await;
    viewer.until(LEADERBOARD_REFRESH, 3).await;
    player.until(USER_SCORE_UPDATE, 3).await;
    // It is published when the hub starts, and sent to clients that connect later.
    let mut late = running.client(user(51), Role::Viewer, &[]).await;
    late.until(SYSTEM_NOTIFICATION, 1).await;

    // The player has the same rank there.
    let mut other = log(2, 9, &[3, 2]);
    other.announcements.extend(log(1, 1, &[1]).announcements);
    other.revoked = vec![(user(9), running.tokens.seconds() + 60)];
    folder.reload(other);
    assert_eq!(gone.end().await, "User deleted");
    assert_eq!(revoked.end().await, "The token was revoked");
    assert_eq!(banners(&late.until(SYSTEM_NOTIFICATION, 2).await), [2]);
    let mut to_viewer = viewer.until(LEADERBOARD_REFRESH, 9).await;
    let mut to_player = player.until(USER_SCORE_UPDATE, 9).await;
    folder.fold(&[acted(10, 2)]);
    to_viewer.extend(viewer.until(LEADERBOARD_REFRESH, 10).await);
    to_player.extend(player.until(SCOREBOARD_DELTA, 10).await);
    assert_eq!(
        received(&to_viewer),
        [
            (LEADERBOARD_REFRESH, true),
            (SCOREBOARD_UPDATE, true),
            (LEADERBOARD_REFRESH, true)
        ]
    );
    assert_eq!(
        received(&to_player),
        [
            (LEADERBOARD_REFRESH, true),
            (USER_SCORE_UPDATE, true),
            (SCOREBOARD_UPDATE, true),
            (SCOREBOARD_DELTA, true)
        ]
    );
}

/// What a client that knows nothing of boards is sent does not depend on others.
#[tokio::test]
async fn frames_of_main_are_what_they_were_whatever_other_boards_there_are() {
    let mut sent = Vec::new();
    for others in [0, 2] {
        let mut opened = log(1, 3, &[1, 2]);
        opened.announcements.clear();
        for n in 0..others {
            opened.state.put_board(board(&format!("b{n}")));
        }
        let (live, mut folder) = live(opened);
        let running = Running::start(live);
        let events = [
            json!([SUBSCRIBE_SCOREBOARD]),
            json!([SUBSCRIBE_USER_SCORE, user(2).to_string()]),
        ];
        let mut client = running.client(user(2), Role::Player, &events).await;
        let mut packets = Vec::new();
        while packets.len() < 2 {
            packets.push(client.packet().await);
        }
        folder.fold(&[acted(4, 2)]);
        while packets.len() < 5 {
            let packet = client.packet().await;
            if packet.starts_with("42") && !packet.contains(SYSTEM_NOTIFICATION) {
                packets.push(packet);
            }
        }
        sent.push(packets);
    }
    let row = |n: u8, score: i64, rank: u64| {
        let id = user(n);
        format!(r#"{{"userId":"{id}","username":"P{n}","score":{score},"rank":{rank}}}"#)
    };
    let refresh = |rows: String, time: u64, seq: u64| {
        format!(
            r#"42["leaderboard_refresh",{{"topScores":[{rows}],"totalUsers":2,"lastUpdated":"1970-01-01T00:00:00.00{time}Z","epoch":"0000000000000001","seq":{seq}}}]"#
        )
    };
    let before = [row(1, 5, 1), row(2, 0, 2)].join(",");
    let after = [row(1, 5, 1), row(2, 5, 2)].join(",");
    let own = |score: i64, kind: &str, increase: i64, merged: u64, seq: u64| {
        let id = user(2);
        format!(
            r#"42["user_score_update",{{"userId":"{id}","score":{score},"rank":2,"actionType":"{kind}","scoreIncrease":{increase},"timestamp":"1970-01-01T00:00:00.00{seq}Z","merged":{merged},"epoch":"0000000000000001","seq":{seq}}}]"#
        )
    };
    let id = user(2);
    let update = format!(
        r#"42["scoreboard_update",{{"type":"SCORE_UPDATE","userId":"{id}","newScore":5,"newRank":2,"oldRank":2,"timestamp":"1970-01-01T00:00:00.004Z","epoch":"0000000000000001","seq":4}}]"#
    );
    let expected = [
        refresh(before, 3, 3),
        own(0, "CURRENT", 0, 0, 3),
        update,
        refresh(after, 4, 4),
        own(5, "goal", 5, 1, 4),
    ];
    for packets in sent {
        assert_eq!(packets, expected);
    }
}

#[tokio::test]
async fn a_client_watches_boards_by_their_names() {
    let mut opened = log(1, 3, &[1, 2]);
    opened.announcements.clear();
    for id in ["weekly", "full"] {
        opened.state.put_board(board(id));
    }
    let (live, mut folder) = live(opened);
    let running = Running::start(live);
    let subscribe =
        |board: &str, mode: &str| json!([SUBSCRIBE_SCOREBOARD, { "board": board, "mode": mode }]);
    let events = [subscribe("weekly", "delta"), subscribe("full", "full")];
    let mut both = running.client(user(50), Role::Viewer, &events).await;
    let events = [json!([SUBSCRIBE_SCOREBOARD])];
    let mut plain = running.client(user(51), Role::Viewer, &events).await;
    let about = |(name, payload): &(String, Value)| {
        let board = payload["board"].as_str().unwrap_or("main");
        (name.clone(), board.to_owned())
    };
    let of = |name: &str, board: &str| (name.to_owned(), board.to_owned());
    for name in ["weekly", "full"] {
        let first = both.event().await;
        assert_eq!(about(&first), of(LEADERBOARD_REFRESH, name));
        assert_eq!(first.1["seq"], 0);
    }
    plain.until(LEADERBOARD_REFRESH, 3).await;
    let act = |seq: u64, id: &str| {
        let board = BoardId::new(id).unwrap();
        entry(seq, action(board, user(1), 5, seq as i64))
    };
    folder.fold(&[act(4, "weekly")]);
    assert_eq!(about(&both.event().await), of(SCOREBOARD_UPDATE, "weekly"));
    assert_eq!(about(&both.event().await), of(SCOREBOARD_DELTA, "weekly"));
    folder.fold(&[act(5, "full")]);
    assert_eq!(about(&both.event().await), of(SCOREBOARD_UPDATE, "full"));
    assert_eq!(about(&both.event().await), of(LEADERBOARD_REFRESH, "full"));
    // Nothing of it was for those who watch `main`.
    folder.fold(&[acted(6, 2)]);
    let events = plain.until(LEADERBOARD_REFRESH, 4).await;
    let boards: Vec<_> = events.iter().map(|event| about(event).1).collect();
    assert_eq!(boards, ["main", "main"]);

    let leave = json!(["unsubscribe_scoreboard", { "board": "weekly" }]);
    both.send(format!("42{leave}")).await;
    let nowhere = json!([SUBSCRIBE_SCOREBOARD, { "board": "nowhere" }]);
    both.send(format!("427{nowhere}")).await;
    let (name, error) = both.event().await;
    let expected = json!({
        "message": "There is no board nowhere", "code": "UNKNOWN_BOARD", "board": "nowhere"
    });
    assert_eq!((name.as_str(), error), ("error", expected));
    let ack = loop {
        let packet = timeout(PATIENCE, both.packet()).await.unwrap();
        if let Some(ack) = packet.strip_prefix("437") {
            break ack.to_owned();
        }
    };
    let expected = json!([{
        "ok": false,
        "error": { "code": "UNKNOWN_BOARD", "message": "There is no board nowhere" },
    }]);
    assert_eq!(serde_json::from_str::<Value>(&ack).unwrap(), expected);
    // What it has left it is not sent.
    folder.fold(&[act(7, "weekly"), act(8, "full")]);
    let deleted = BoardId::new("full").unwrap();
    let (name, frame) = both.event().await;
    assert_eq!(
        (name.as_str(), &frame["board"]),
        (SCOREBOARD_UPDATE, &json!("full"))
    );
    both.event().await;
    folder.fold(&[entry(9, Fact::BoardDeleted { board: deleted })]);
    let (name, error) = both.event().await;
    assert_eq!((name.as_str(), &error["board"]), ("error", &json!("full")));
}

#[tokio::test]
async fn clients_that_resume_from_another_log_are_sent_all_rows() {
    let (live, mut folder) = live(log(1, 3, &[1, 2]));
    let running = Running::start(live);
    let resume = |epoch: u64| {
        let known = json!({ "mode": "delta", "epoch": Epoch(epoch).to_string(), "seq": 3 });
        [json!([SUBSCRIBE_SCOREBOARD, known])]
    };
    let answer = async |epoch| {
        let events = resume(epoch);
        let mut client = running.client(user(50), Role::Viewer, &events).await;
        loop {
            let (name, payload) = client.event().await;
            if name != SYSTEM_NOTIFICATION {
                return (name, payload["epoch"].clone());
            }
        }
    };
    let now = |epoch: u64| json!(Epoch(epoch).to_string());
    assert_eq!(answer(1).await, (SCOREBOARD_DELTA.into(), now(1)));
    let mut watching = running
        .client(user(51), Role::Viewer, &[json!([SUBSCRIBE_SCOREBOARD])])
        .await;
    watching.until(LEADERBOARD_REFRESH, 3).await;
    // With the same `seq`: only the epoch tells them apart.
    folder.reload(log(2, 3, &[1, 2]));
    // A client that knows of it from elsewhere, before the next tick.
    assert_eq!(answer(2).await.1, now(2));
    assert_eq!(answer(1).await, (LEADERBOARD_REFRESH.into(), now(2)));
    watching.until(LEADERBOARD_REFRESH, 3).await;
    folder.fold(&[acted(4, 2)]);
    watching.until(LEADERBOARD_REFRESH, 4).await;
    assert_eq!(answer(2).await, (SCOREBOARD_DELTA.into(), now(2)));
    assert_eq!(answer(1).await, (LEADERBOARD_REFRESH.into(), now(2)));
}

#[tokio::test]
async fn the_size_of_what_is_sent_is_what_was_counted() {
    let (live, _folder) = live(log(1, 3, &[1, 2]));
    let running = Running::start(live.clone());
    let mut client = running.client(user(50), Role::Viewer, &[]).await;
    client.send(r#"427["ping"]"#.into()).await;
    let event = json!([SUBSCRIBE_SCOREBOARD]);
    client.send(format!("42{event}")).await;
    while client.packet().await != r#"42["pong",null]"# {}
    let ack = client.packet().await;
    let ack = ack.strip_prefix("437[").and_then(|it| it.strip_suffix(']'));
    let ack: Value = serde_json::from_str(ack.unwrap()).unwrap();
    assert_eq!(ack["ok"], true);
    let rows = live
        .read_board(&main(), |epoch, board| {
            wire::leaderboard(epoch, board, 0..board.rules().top)
        })
        .unwrap();
    let payload = Payload::new(LEADERBOARD_REFRESH, &rows).unwrap();
    let packet = client.packet().await;
    let rows = &payload.data;
    assert_eq!(packet, format!("42[\"{LEADERBOARD_REFRESH}\",{rows}]"));
    assert_eq!(payload.packet_size(), packet.len());
}

#[tokio::test]
async fn refusals_are_counted() {
    let (live, _folder) = live(log(1, 3, &[1, 2]));
    let two = NonZeroU32::new(2).unwrap();
    let table = LimitsTable {
        events_per_minute: two,
        ..LimitsTable::default()
    };
    let running = Running::within(live, &table);
    let pings = [const { Value::Null }; 3].map(|_| json!(["ping"]));
    let mut loud = running.client(user(50), Role::Viewer, &pings).await;
    while loud.event().await.0 != "error" {}
    assert_eq!(running.refused(Reason::Events).as_deref(), Some("1"));
    for _ in 0..2 {
        running.client(user(51), Role::Viewer, &[]).await;
    }
    assert_eq!(running.refused(Reason::Handshakes).as_deref(), Some("0"));
    let mut third = running.connecting(user(51), Role::Viewer).await;
    let refusal = r#"44{"message":"Rate limit exceeded"}"#;
    while third.packet().await != refusal {}
    assert_eq!(running.refused(Reason::Handshakes).as_deref(), Some("1"));
}
