//! `--demo`: players and traffic, so that a first run shows a living board.
//!
//! The demo is a publisher like any other. It sends actions through the store,
//! and nothing on the way knows that they are simulated.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    board::{Profile, UserId},
    live::LiveBoard,
    store::{Action, ActionId, Command, StoreError},
};

const PLAYERS: &[&str] = &[
    "Amara Okafor",
    "Mateo Silva",
    "Yuki Tanaka",
    "Noor Haddad",
    "Freya Lindqvist",
    "Kofi Mensah",
    "Priya Raman",
    "Lucas Moreau",
    "Zofia Kowalska",
    "Diego Herrera",
    "Aisha Bello",
    "Emil Novák",
    "Linh Tran",
    "Chiara Ricci",
    "Omar Farouk",
    "Hana Kim",
    "Jonas Weber",
    "Leilani Kahale",
    "Santiago Rojas",
    "Ines Carvalho",
    "Tariq Aziz",
    "Maeve O'Brien",
    "Arjun Mehta",
    "Saoirse Byrne",
    "Wei Zhang",
    "Nadia Petrova",
    "Tomás Vega",
    "Elif Yılmaz",
    "Björn Dahl",
    "Thandiwe Nkosi",
    "Rafael Costa",
    "Mei Lin",
    "Oskar Nowak",
    "Fatima Zahra",
    "Liam Walsh",
    "Anika Sharma",
    "Pavel Dvořák",
    "Sofía Castro",
    "Jamal Reid",
    "Ingrid Solberg",
    "Kenji Mori",
    "Olena Shevchenko",
    "Bruno Almeida",
    "Tala Mansour",
    "Viktor Horváth",
    "Ngozi Eze",
    "Samir Patel",
    "Clara Jensen",
];

/// What players do, and what it is worth.
const ACTIONS: &[(&str, i64)] = &[
    ("quiz_solved", 10),
    ("challenge_solved", 25),
    ("assist", 5),
    ("bug_found", 15),
    ("bonus_round", 50),
];

/// Between two bursts, on average.
const PAUSE: Duration = Duration::from_millis(900);

/// A running demo.
pub struct Demo {
    players: Vec<Player>,
    publisher: UserId,
}

#[derive(Clone)]
struct Player {
    id: UserId,
    /// How likely the player acts, compared with others; it drifts, so that the
    /// lead changes hands.
    form: f64,
}

impl Demo {
    /// Registers the players and sends actions until the process ends.
    ///
    /// # Errors
    /// If the players cannot be stored.
    pub async fn start(live: LiveBoard) -> Result<Demo, StoreError> {
        let mut random = StdRng::from_rng(&mut rand::rng());
        let players: Vec<Player> = PLAYERS
            .iter()
            .map(|name| Player {
                id: id(name),
                form: random.random_range(0.5..2.0),
            })
            .collect();
        let new = live.read(|_, board| board.is_empty());
        let register = PLAYERS.iter().map(|name| Command::PutUser {
            user: id(name),
            profile: Profile {
                username: (*name).into(),
                avatar: None,
            },
        });
        live.append(register.collect()).await?;
        if new {
            // An hour of play, so that the first look is not at zeros.
            let past = (0..1500).map(|_| action(&players, &mut random));
            live.append(past.collect()).await?;
        }
        tokio::spawn(play(live, players.clone(), random));
        Ok(Demo {
            players,
            publisher: id("publisher"),
        })
    }

    /// A player to watch as.
    pub fn player(&self) -> UserId {
        self.players[self.players.len() / 3].id
    }

    /// Somebody who may send actions.
    pub fn publisher(&self) -> UserId {
        self.publisher
    }
}

/// The same player has the same id in every demo.
fn id(name: &str) -> UserId {
    let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"https://podium.example/demo");
    UserId(Uuid::new_v5(&space, name.as_bytes()).into_bytes())
}

/// Bursts of actions with pauses between, as people play: mostly one or two at
/// a time, now and then a whole round at once.
async fn play(live: LiveBoard, mut players: Vec<Player>, mut random: StdRng) {
    loop {
        let burst = match random.random_range(0..20) {
            0 => random.random_range(8..16),
            1..6 => random.random_range(2..5),
            _ => 1,
        };
        let actions = (0..burst).map(|_| action(&players, &mut random)).collect();
        match live.append(actions).await {
            // Players play on, and what they do meanwhile does not count.
            Ok(_)
            | Err(StoreError::Unreachable(_) | StoreError::Unwritable(_) | StoreError::NoAnswer) => {
            }
            Err(error) => {
                tracing::warn!(%error, "the demo has ended");
                return;
            }
        }
        for player in &mut players {
            player.form = (player.form * random.random_range(0.93..1.08)).clamp(0.2, 4.0);
        }
        // Exponential: arrivals that know nothing of each other.
        let wait: f64 = -random.random_range(f64::EPSILON..1.0).ln();
        sleep(PAUSE.mul_f64(wait.min(4.0))).await;
    }
}

fn action(players: &[Player], random: &mut StdRng) -> Command {
    let total: f64 = players.iter().map(|player| player.form).sum();
    let mut pick = random.random_range(0.0..total);
    let player = players.iter().find(|player| {
        pick -= player.form;
        pick < 0.0
    });
    let (action_type, increase) = ACTIONS[random.random_range(0..ACTIONS.len())];
    // A UUID is always an action id.
    let name = Uuid::new_v4().to_string();
    Command::Act(Action {
        id: ActionId::new(&name).unwrap_or_else(|| unreachable!("{name} is an action id")),
        user: player.unwrap_or(&players[0]).id,
        action_type: action_type.into(),
        increase,
        declared: None,
    })
}
