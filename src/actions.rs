//! The points of actions: types that `[actions]` declares have points and limits of their
//! own; for any other type the publisher sends them.

use std::collections::HashMap;

use crate::{
    board::{BoardId, Score, UserId},
    config::ActionsTable,
    store::{Action, ActionId, ActionLimits},
    text::{self, InvalidText},
    whole::NotWhole,
};

/// The types that are declared, and whether there may be others.
pub struct ActionTypes {
    declared: HashMap<String, Declared>,
    only_declared: bool,
}

struct Declared {
    points: Score,
    limits: ActionLimits,
}

/// Why an action is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAction {
    /// A text is not valid, or the points are no score.
    #[error("{0}")]
    Text(#[from] InvalidText),
    /// It has no points.
    #[error(
        "scoreIncrease is missing: only a type that is declared in [actions] has points of its own"
    )]
    NoPoints,
    /// What it is worth for the second score is no score.
    #[error("tiebreakIncrease {0}")]
    TiebreakIncrease(NotWhole),
    /// It names a board by what is no id.
    #[error("board: a board id is 1 to 63 of a-z, 0-9 and -, and does not begin with -")]
    Board,
    /// The type must be declared, and is not.
    #[error(
        "actionType {0:?} is not declared: give it a table in [actions] of Leptos.toml, or set \
         actions.only_declared = false"
    )]
    Undeclared(Box<str>),
}

impl ActionTypes {
    /// The types of a table.
    pub fn new(table: &ActionsTable) -> ActionTypes {
        let declared = table.declared.iter().map(|(name, table)| {
            let declared = Declared {
                points: table.points,
                limits: ActionLimits {
                    per_minute: table.per_minute,
                    per_day: table.per_day,
                },
            };
            (name.clone(), declared)
        });
        ActionTypes {
            declared: declared.collect(),
            only_declared: table.only_declared,
        }
    }

    /// Reads an action. Its points are those of its type, if that is declared,
    /// whatever was sent; else those that were sent.
    ///
    /// # Errors
    /// If a text is not valid, the type must be declared and is not, or the action has no
    /// points.
    pub fn action(
        &self,
        id: &str,
        user: UserId,
        action_type: &str,
        sent: Option<Result<i64, NotWhole>>,
    ) -> Result<Action, InvalidAction> {
        let action_type = text::action_type(action_type)?;
        let (increase, declared) = match self.declared.get(action_type) {
            Some(declared) => (declared.points.points(), Some(declared.limits)),
            None if self.only_declared => {
                return Err(InvalidAction::Undeclared(action_type.into()));
            }
            None => {
                let sent = sent.ok_or(InvalidAction::NoPoints)?;
                (sent.map_err(InvalidText::from)?, None)
            }
        };
        let is_score = Score::new(increase).is_some();
        let no_score = || InvalidText::from(NotWhole::new(&increase.to_string()));
        is_score.then_some(()).ok_or_else(no_score)?;
        Ok(Action {
            id: ActionId::new(id).ok_or(InvalidText::ActionId)?,
            board: BoardId::default(),
            user,
            action_type: action_type.into(),
            increase,
            tiebreak_increase: 0,
            declared,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::{config::DeclaredTable, text::Flaw};

    const USER: UserId = UserId([7; 16]);

    fn types(only_declared: bool) -> ActionTypes {
        let quiz_solved = DeclaredTable {
            points: Score::new(10).unwrap(),
            per_minute: NonZeroU32::new(6),
            per_day: None,
        };
        ActionTypes::new(&ActionsTable {
            only_declared,
            declared: [("quiz_solved".to_owned(), quiz_solved)].into(),
        })
    }

    #[test]
    fn the_points_of_a_declared_type_are_the_servers() {
        let no_number = || Some(Err(NotWhole::new("5.5")));
        for sent in [None, Some(Ok(10)), Some(Ok(i64::MIN)), no_number()] {
            for only_declared in [false, true] {
                let types = types(only_declared);
                let action = types
                    .action("a", USER, "quiz_solved", sent.clone())
                    .unwrap();
                assert_eq!(action.increase, 10, "{sent:?}");
                let limits = ActionLimits {
                    per_minute: NonZeroU32::new(6),
                    per_day: None,
                };
                assert_eq!(action.declared, Some(limits));
            }
        }
    }

    #[test]
    fn the_points_of_any_other_type_are_sent() {
        let types = types(false);
        let action = types.action("a", USER, "Quiz_Solved", Some(Ok(3))).unwrap();
        assert_eq!((action.increase, action.declared), (3, None));
        let none = types.action("a", USER, "goal", None);
        assert_eq!(none, Err(InvalidAction::NoPoints));
        let no_number = Err(NotWhole::new("5.5"));
        let refused = types.action("a", USER, "goal", Some(no_number.clone()));
        let reason = no_number.map_err(InvalidText::from);
        assert_eq!(refused.unwrap_err(), reason.unwrap_err().into());
        let beyond = types.action("a", USER, "goal", Some(Ok(i64::MAX)));
        assert!(matches!(
            beyond,
            Err(InvalidAction::Text(InvalidText::ScoreIncrease(_)))
        ));
    }

    #[test]
    fn other_types_are_refused_where_all_must_be_declared() {
        let refused = types(true)
            .action("a", USER, "goal", Some(Ok(3)))
            .unwrap_err();
        assert_eq!(refused, InvalidAction::Undeclared("goal".into()));
        assert!(refused.to_string().contains("[actions]"), "{refused}");
        // A text that is not valid is not repeated in the answer.
        let long = "x".repeat(65);
        let refused = types(true).action("a", USER, &long, Some(Ok(3)));
        let flaw = InvalidText::ActionType(Flaw::TooLong(64));
        assert_eq!(refused, Err(flaw.into()));
    }

    #[test]
    fn a_declared_type_excuses_no_other_mistake() {
        let refused = types(true).action("", USER, "quiz_solved", None);
        assert_eq!(refused, Err(InvalidText::ActionId.into()));
    }

    #[test]
    fn actions_name_themselves_and_their_type() {
        let types = types(false);
        let action = |id: &str, kind: &str, points| types.action(id, USER, kind, Some(Ok(points)));
        assert!(action("a", "goal", -3).is_ok());
        let long = "a".repeat(129);
        for id in ["", &long] {
            let refused = InvalidAction::Text(InvalidText::ActionId);
            assert_eq!(action(id, "goal", 1), Err(refused), "{id}");
        }
        let blank = InvalidAction::Text(InvalidText::ActionType(Flaw::Blank));
        assert_eq!(action("a", "", 1), Err(blank));
        assert!(matches!(
            action("a", "goal", i64::MAX),
            Err(InvalidAction::Text(InvalidText::ScoreIncrease(_)))
        ));
    }
}
