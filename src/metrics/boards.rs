//! What is measured of boards. There may be thousands of them, and who watches a server pays
//! for each series: a few are named, and the rest is summed.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

use crate::board::{Board, BoardId, State, Visibility};

/// Boards beside `main` that are named, the first by name.
const NAMED: usize = 20;

/// The label of all others together.
const OTHER: &str = "other";

/// How all boards are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardMeasures {
    /// Unless it is private.
    main: Option<Measure>,
    named: Vec<(BoardId, Measure)>,
    others: Option<Measure>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Measure {
    seq: u64,
    users: u64,
}

impl Measure {
    fn of(board: &Board) -> Measure {
        Measure {
            seq: board.seq(),
            users: board.len() as u64,
        }
    }

    fn sum(self, other: Measure) -> Measure {
        Measure {
            seq: self.seq.saturating_add(other.seq),
            users: self.users.saturating_add(other.users),
        }
    }
}

impl BoardMeasures {
    /// As they are now. Strangers may read metrics: private boards are not there, and unlisted
    /// ones are not named.
    pub fn of(state: &State) -> BoardMeasures {
        let main = BoardId::default();
        let shown = |board: &&Board| !board.settings().is_private();
        let others = state.boards().filter(shown);
        let others = others.filter(|board| *board.id() != main);
        let (mut named, rest): (Vec<&Board>, Vec<&Board>) = others.partition(|board| {
            let is_public = board.settings().visibility == Visibility::Public;
            is_public && board.id().as_str() != OTHER
        });
        named.sort_unstable_by_key(|board| board.id());
        let more = named.split_off(named.len().min(NAMED));
        let rest = more.into_iter().chain(rest);
        BoardMeasures {
            main: state.board(&main).filter(shown).map(Measure::of),
            named: named
                .into_iter()
                .map(|board| (board.id().clone(), Measure::of(board)))
                .collect(),
            others: rest.map(Measure::of).reduce(Measure::sum),
        }
    }
}

/// See the module. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Boards(Arc<Mutex<BoardMeasures>>);

impl Boards {
    pub(super) fn set(&self, measures: BoardMeasures) {
        *self.0.lock() = measures;
    }
}

impl Collector for Boards {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let measures = self.0.lock().clone();
        encode(&mut encoder, "board_seq", "Facts", &measures, |it| it.seq)?;
        let what = "Users or teams that are ranked";
        encode(&mut encoder, "board_users", what, &measures, |it| it.users)
    }
}

fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    what: &str,
    measures: &BoardMeasures,
    value: fn(Measure) -> u64,
) -> fmt::Result {
    let help = format!(
        "{what} on main, and by the label board on the first {NAMED} other public boards by name \
         and on all the rest together but private ones, called {OTHER}"
    );
    let mut encoder = encoder.encode_descriptor(name, &help, None, MetricType::Gauge)?;
    if let Some(main) = measures.main {
        encoder.encode_gauge(&value(main))?;
    }
    let named = measures.named.iter();
    let named = named.map(|(board, measure)| (board.as_str(), *measure));
    for (board, measure) in named.chain(measures.others.map(|it| (OTHER, it))) {
        encoder
            .encode_family(&[("board", board)])?
            .encode_gauge(&value(measure))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::Settings,
        live::testing::{board, board_with},
        metrics::Metrics,
    };

    fn text(state: &State) -> Vec<String> {
        let metrics = Metrics::default();
        metrics.set_boards(BoardMeasures::of(state));
        let text = metrics.text();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("podium_board_"));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn main_alone_has_no_label() {
        let mut state = State::default();
        state.put_board(board("main"));
        assert_eq!(text(&state), ["podium_board_seq 0", "podium_board_users 0"]);
    }

    #[test]
    fn a_private_server_says_nothing() {
        let mut state = State::default();
        let private = Settings {
            visibility: Visibility::Private,
            ..Settings::default()
        };
        state.put_board(board_with("main", private));
        assert_eq!(text(&state), Vec::<String>::new());
    }

    #[test]
    fn few_boards_are_named_and_none_that_is_not_public() {
        let mut state = State::default();
        for id in ["main", "other"] {
            state.put_board(board(id));
        }
        for (id, visibility) in [
            ("a-secret", Visibility::Private),
            ("b-secret", Visibility::Unlisted),
        ] {
            let hidden = Settings {
                visibility,
                ..Settings::default()
            };
            let mut stored = board_with(id, hidden);
            stored.head.seq = 100;
            state.put_board(stored);
        }
        for n in 0..50 {
            let mut stored = board(&format!("b{n:02}"));
            stored.head.seq = 1;
            state.put_board(stored);
        }
        let lines = text(&state);
        assert_eq!(lines.len(), 2 * (1 + NAMED + 1));
        assert_eq!(lines[1], "podium_board_seq{board=\"b00\"} 1");
        assert_eq!(lines[NAMED + 1], "podium_board_seq{board=\"other\"} 130");
        assert!(lines.iter().all(|line| !line.contains("secret")));
    }
}
