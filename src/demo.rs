//! `--demo`: players and traffic, so that a first run shows a living board.
//!
//! The demo is a publisher like any other. It sends actions through the store,
//! and nothing on the way knows that they are simulated.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    board::{
        BoardId, Derivation, Every, Period, Profile, Settings, Source, TeamId, TeamScore, UserId,
    },
    live::Live,
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

/// Players are in these by turns.
const TEAMS: &[&str] = &[
    "Harbour Herons",
    "Midnight Owls",
    "Northern Lights",
    "Quick Foxes",
    "River Otters",
    "Solar Sailors",
];

/// So many of a team's members count.
const BEST: NonZeroU32 = NonZeroU32::new(3).unwrap();

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
    /// Registers the players, with their teams, makes boards of what they do, and sends actions
    /// until the process ends. There may be `most` boards.
    ///
    /// # Errors
    /// If the players cannot be stored.
    pub async fn start(live: Live, most: NonZeroUsize) -> Result<Demo, StoreError> {
        let mut random = StdRng::from_rng(&mut rand::rng());
        let players: Vec<Player> = PLAYERS
            .iter()
            .map(|name| Player {
                id: id(name),
                form: random.random_range(0.5..2.0),
            })
            .collect();
        let new = live.read(|_, state| state.directory().is_empty());
        let register = PLAYERS.iter().map(|name| Command::PutUser {
            user: id(name),
            profile: Profile {
                username: (*name).into(),
                avatar: None,
            },
        });
        live.append(register.collect()).await?;
        live.append(teams(&live)).await?;
        live.append(boards(&live, most)).await?;
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

/// Registers the teams that are not there yet, with their members.
fn teams(live: &Live) -> Vec<Command> {
    let is_there = |team| live.read(|_, state| state.directory().index_of_team(team).is_some());
    let mut commands = Vec::new();
    for (number, name) in TEAMS.iter().enumerate() {
        let team = TeamId(id(name).0);
        if is_there(team) {
            continue;
        }
        let profile = Profile {
            username: (*name).into(),
            avatar: None,
        };
        commands.push(Command::PutTeam { team, profile });
        let members = PLAYERS.iter().skip(number).step_by(TEAMS.len());
        commands.extend(members.map(|name| Command::GroupUser {
            user: id(name),
            team: Some(Some(team)),
            groups: None,
        }));
    }
    commands
}

/// Creates the boards that are not there yet: what players have done in this week, and how
/// their teams stand.
fn boards(live: &Live, most: NonZeroUsize) -> Vec<Command> {
    let of_main = || Derivation {
        of: BoardId::default(),
        types: None,
        group: None,
        team: None,
        period: None,
    };
    let weekly = Derivation {
        period: Some(Period {
            every: Every::Week,
            zone: "UTC".into(),
            starts: None,
        }),
        ..of_main()
    };
    let teams = Derivation {
        team: Some(TeamScore::Best(BEST)),
        ..of_main()
    };
    let boards = [
        ("teams", "Teams: the best three of each", teams),
        ("weekly", "This week", weekly),
    ];
    let new = boards.into_iter().filter_map(|(name, title, derivation)| {
        let board = BoardId::new(name)?;
        let settings = Settings {
            title: title.into(),
            source: Source::Derived(derivation),
            ..Settings::default()
        };
        let is_there = live.read_board(&board, |_, _| ()).is_some();
        (!is_there).then(|| Command::PutBoard {
            board,
            settings: settings.into(),
            most: most.get(),
        })
    });
    new.collect()
}

/// Bursts of actions with pauses between, as people play: mostly one or two at
/// a time, now and then a whole round at once.
async fn play(live: Live, mut players: Vec<Player>, mut random: StdRng) {
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
        board: BoardId::default(),
        tiebreak_increase: 0,
        user: player.unwrap_or(&players[0]).id,
        action_type: action_type.into(),
        increase,
        declared: None,
    })
}
