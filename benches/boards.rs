//! Many boards: what an action costs in the fold that feeds ten derived boards, beside one
//! that feeds none; and how long a file takes to open that has a thousand boards with a
//! million standings in all.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use podium::{
    board::{
        Action, BoardId, Fact, GroupId, LogEntry, Profile, Rules, Score, Scores, Seq, Settings,
        State, TeamId, Timestamp, UserId,
    },
    board_settings,
    store::{self, Command, Store},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

const USERS: [u32; 3] = [1_000, 10_000, 100_000];
const ACTIONS: u64 = 300_000;
const DERIVED: [&str; 10] = [
    r#"{"of": "main", "types": ["goal"]}"#,
    r#"{"of": "main", "types": ["goal", "quiz"]}"#,
    r#"{"of": "main", "group": "U18"}"#,
    r#"{"of": "main", "by": "team"}"#,
    r#"{"of": "main", "by": "team", "best": 3}"#,
    r#"{"of": "main", "period": {"every": "day"}}"#,
    r#"{"of": "main", "period": {"every": "week", "zone": "Europe/Berlin"}}"#,
    r#"{"of": "main", "operator": "best"}"#,
    r#"{"of": "main", "operator": "count"}"#,
    r#"{"of": "main", "everyone": true}"#,
];

const BOARDS: u32 = 1_000;
const ON_EACH: u32 = 1_000;

fn user(n: u32) -> UserId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
    id[12..].copy_from_slice(&n.to_be_bytes());
    UserId(id)
}

fn board(n: u32) -> BoardId {
    BoardId::new(&format!("board-{n}")).unwrap()
}

fn profile(name: String) -> Profile {
    Profile {
        username: name.into(),
        avatar: None,
    }
}

/// Folds facts, one after the other.
struct Fold {
    state: State,
    next: u64,
}

impl Fold {
    fn add(&mut self, fact: Fact) {
        self.next += 1;
        let entry = LogEntry {
            seq: Seq::new(self.next).unwrap(),
            at: Timestamp(self.next),
            fact,
        };
        black_box(self.state.apply(&entry));
    }

    fn put_board(&mut self, id: BoardId, settings: Settings) {
        let derivation = settings.derivation();
        let border = derivation
            .and_then(|it| it.period.as_ref())
            .map(|_| Timestamp(u64::MAX));
        self.add(Fact::BoardChanged {
            board: id,
            settings: settings.into(),
            borders: border.into_iter().collect(),
        });
    }
}

/// Nanoseconds that an action takes which feeds so many derived boards of so many people.
fn fold(users: u32, derived: &[&str]) -> f64 {
    let mut fold = Fold {
        state: State::default(),
        next: 0,
    };
    fold.put_board(BoardId::default(), Settings::main(Rules::default()));
    for (json, n) in derived.iter().zip(0..) {
        fold.put_board(board(n), board_settings::from_text(json).unwrap());
    }
    let team = |n: u32| TeamId([(n % 200) as u8; 16]);
    for n in 0..200 {
        let (team, profile) = (team(n), profile(format!("Team {n}")));
        fold.add(Fact::TeamChanged { team, profile });
    }
    for n in 0..users {
        let (user, profile) = (user(n), profile(format!("Player {n}")));
        fold.add(Fact::UserChanged { user, profile });
        fold.add(Fact::UserGrouped {
            user,
            team: Some(team(n)),
            groups: [GroupId("U18".into())].into(),
        });
    }
    let mut random = SmallRng::seed_from_u64(1);
    let mut scores = vec![0_i64; users as usize];
    let mut act = |fold: &mut Fold| {
        let n = random.random_range(0..users);
        let increase = random.random_range(1..100);
        scores[n as usize] += increase;
        fold.add(Fact::Action(Action {
            board: BoardId::default(),
            user: user(n),
            action_type: "goal".into(),
            increase,
            tiebreak_increase: 0,
            scores: Scores {
                score: Score::new(scores[n as usize]).unwrap(),
                ..Scores::default()
            },
        }));
    };
    for _ in 0..ACTIONS {
        act(&mut fold);
    }
    let began = Instant::now();
    for _ in 0..ACTIONS {
        act(&mut fold);
    }
    began.elapsed().as_nanos() as f64 / ACTIONS as f64
}

async fn open(url: &str) -> (std::sync::Arc<dyn Store>, Duration) {
    let began = Instant::now();
    let main = Settings::main(Rules::default());
    let (opened, ready) = store::open(&url.parse().unwrap(), &main).await.unwrap();
    let took = began.elapsed();
    (ready.start(opened.state).unwrap(), took)
}

#[tokio::main]
async fn main() {
    for users in USERS {
        for derived in [&DERIVED[..0], &DERIVED[..1], &DERIVED] {
            let micros = fold(users, derived) / 1000.0;
            println!(
                "an action that feeds {} derived boards of {users} people: {micros:.2} us in the \
                 fold",
                derived.len()
            );
        }
    }

    let folder = tempfile::tempdir_in("target").unwrap();
    let url = format!("sqlite:{}", folder.path().join("bench.db").display());
    let (store, _) = open(&url).await;
    let append = async |commands: Vec<Command>| {
        for outcome in store.append(commands).await.unwrap() {
            outcome.unwrap();
        }
    };
    for n in 0..ON_EACH {
        let (user, profile) = (user(n), profile(format!("Player {n}")));
        append(vec![Command::PutUser { user, profile }]).await;
    }
    for n in 0..BOARDS {
        append(vec![Command::PutBoard {
            board: board(n),
            settings: Settings::default().into(),
            most: usize::MAX,
        }])
        .await;
        let actions = (0..ON_EACH).map(|of| {
            Command::Act(store::Action {
                id: store::ActionId::new(&format!("{n}-{of}")).unwrap(),
                board: board(n),
                user: user(of),
                action_type: "bench".into(),
                increase: i64::from(of * 7 % 1000),
                tiebreak_increase: 0,
                declared: None,
            })
        });
        append(actions.collect()).await;
    }
    store.close().await;
    for _ in 0..3 {
        let (store, took) = open(&url).await;
        println!("opened {BOARDS} boards with {ON_EACH} standings each in {took:?}");
        store.close().await;
    }
}
