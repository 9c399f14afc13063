//! What a board is: how its scores come about, where they come from, and how it is shown.

use std::{fmt, num::NonZeroU32, sync::Arc};

use super::{BoardId, GroupId, Operator, Order, Rules, Ties, Timestamp};

/// The settings of a board, as they stand on the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Settings {
    /// What people read above it; empty for the board's id.
    pub title: Box<str>,
    /// How scores come about and how they are ordered.
    pub rules: Rules,
    /// How scores are written.
    pub format: Format,
    /// Where scores come from.
    pub source: Source,
    /// Who may see it.
    pub visibility: Visibility,
    /// Do all registered people stand on it, whether they have a result or not?
    pub everyone: bool,
    /// Before this no action counts.
    pub starts: Option<Timestamp>,
    /// From this on no action counts.
    pub ends: Option<Timestamp>,
}

/// How scores are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Format {
    /// As what.
    pub style: Style,
    /// What is counted, such as `km`.
    pub unit: Option<Box<str>>,
}

/// As what scores are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Style {
    /// Whole points.
    #[default]
    Points,
    /// A decimal number: a score is in units of its last digit.
    Decimal {
        /// Digits after the point, 1 to 9.
        decimals: u8,
    },
    /// A time such as 1:23.456: a score is in units of its last digit.
    Duration {
        /// Digits of a second, 0 to 9.
        decimals: u8,
    },
}

/// Who may see a board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Everybody, and it is listed.
    #[default]
    Public,
    /// Everybody who knows its address.
    Unlisted,
    /// People of the server who have signed in.
    Private,
}

/// Where the scores of a board come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Source {
    /// From actions that name the board.
    #[default]
    Fed,
    /// From the actions of another board.
    Derived(Derivation),
}

/// Which actions of another board count, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Derivation {
    /// The other board.
    pub of: BoardId,
    /// Only actions of these types, if any are named.
    pub types: Option<Box<[Box<str>]>>,
    /// Only actions of people who were in this group when they acted.
    pub group: Option<GroupId>,
    /// For the teams in which people were when they acted, instead of for people.
    pub team: Option<TeamScore>,
    /// Anew in each period.
    pub period: Option<Period>,
}

/// What a team's score is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TeamScore {
    /// All members' scores.
    Sum,
    /// So many of them, the best.
    Best(NonZeroU32),
}

/// How long a season lasts. When that is in the time of the log, a calendar says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// One season.
    pub every: Every,
    /// In which zone days begin, by its name in the IANA database.
    pub zone: Arc<str>,
    /// Before this there is no season.
    pub starts: Option<Timestamp>,
}

/// A length of seasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Every {
    Day,
    /// From Monday on, as in ISO 8601.
    Week,
    Month,
}

impl Settings {
    /// Of `main`, unless an organiser says otherwise.
    pub fn main(rules: Rules) -> Settings {
        Settings {
            rules,
            everyone: true,
            ..Settings::default()
        }
    }

    /// Which board it is derived from, and how.
    pub fn derivation(&self) -> Option<&Derivation> {
        match &self.source {
            Source::Fed => None,
            Source::Derived(derivation) => Some(derivation),
        }
    }

    /// How long its seasons last, if it begins anew again and again.
    pub fn period(&self) -> Option<&Period> {
        self.derivation()?.period.as_ref()
    }

    /// Is it only for people who have signed in?
    pub fn is_private(&self) -> bool {
        self.visibility == Visibility::Private
    }

    /// Do teams stand on it, instead of people?
    pub fn is_of_teams(&self) -> bool {
        self.derivation().is_some_and(|it| it.team.is_some())
    }

    /// The part of the settings by which scores are decided. With another the same actions
    /// would have led to other scores.
    pub fn deciding(&self) -> (Operator, Option<Order>) {
        let Rules {
            operator, order, ..
        } = self.rules;
        let ties = Ties::default();
        let compares = operator == Operator::Best || order.tiebreak.is_some();
        let order = compares.then_some(Order { ties, ..order });
        (operator, order)
    }
}

/// Why settings make no board. Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// The board that it is derived from is not there.
    UnknownBoard(BoardId),
    /// It would be derived from itself, directly or not.
    Circle(BoardId),
    /// The board that it is derived from begins anew in each period, and so nothing can be
    /// derived from it: derive it from that one's own board, with a period.
    OfSeasons(BoardId),
    /// The board that it is derived from has teams on it, and so no people.
    OfTeams(BoardId),
    /// No type is named, so that nothing would count.
    NoTypes,
    /// It has second scores, and the board that it is derived from has none.
    NoTiebreak(BoardId),
    /// A board that is derived from it has second scores, and would have none to count.
    TiebreakOf(BoardId),
    /// It would show to everybody what follows from a board that is private.
    OfPrivate(BoardId),
    /// It would be private, and a board that is derived from it is not.
    ShownBy(BoardId),
    /// It would end before it starts.
    EndsFirst,
    /// It would list everybody, and teams stand on it.
    EveryoneOfTeams,
    /// Where scores come from cannot change, nor how they come about once there are any.
    Decided,
    /// What a derived board has counted would not count with its new times, or the other way
    /// round.
    Counted,
    /// It cannot cease to be for everyone once somebody has acted on it.
    EveryoneStands,
}

/// The key that is at fault, and the cure.
impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contradiction::UnknownBoard(of) => {
                write!(f, "of: there is no board {of}: create it first")
            }
            Contradiction::Circle(of) => {
                write!(f, "of: {of} follows from this board already: name another")
            }
            Contradiction::OfSeasons(of) => write!(
                f,
                "of: {of} begins anew in each period: name the board that it is derived from, and \
                 give a period"
            ),
            Contradiction::OfTeams(of) => write!(
                f,
                "of: teams stand on {of}, and no people: name the board that it is derived from"
            ),
            Contradiction::NoTypes => {
                f.write_str("types: none is named: name those that count, or leave it out")
            }
            Contradiction::NoTiebreak(of) => {
                write!(
                    f,
                    "tiebreak: {of} has no second score: leave it out here, or give {of} one"
                )
            }
            Contradiction::TiebreakOf(derived) => write!(
                f,
                "tiebreak: {derived} is derived from this board, and counts its second scores: \
                 delete {derived} first"
            ),
            Contradiction::OfPrivate(of) => write!(
                f,
                "visibility: {of} is private, and so is what is derived from it: set it to private \
                 here too"
            ),
            Contradiction::ShownBy(derived) => write!(
                f,
                "visibility: {derived} is derived from this board, and would show what it holds: \
                 make {derived} private first"
            ),
            Contradiction::EndsFirst => f.write_str("ends: it must be later than starts"),
            Contradiction::EveryoneOfTeams => {
                f.write_str("everyone: teams stand on this board, and no people: leave it out")
            }
            Contradiction::Decided => f.write_str(
                "of and what counts cannot change, nor operator and what else decides scores once \
                 somebody has acted: create another board",
            ),
            Contradiction::Counted => f.write_str(
                "starts and ends of a derived board decide what counts: they may be set or moved \
                 while they are still to come, to times that are still to come; else create another \
                 board",
            ),
            Contradiction::EveryoneStands => f.write_str(
                "everyone: it cannot be turned off once somebody has acted: create another board",
            ),
        }
    }
}

impl std::error::Error for Contradiction {}
