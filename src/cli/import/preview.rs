//! What an import would do, row by row, without doing it.

use std::{collections::HashMap, fmt};

use super::{plan::Planned, problem::Problem};
use crate::{
    board::{BoardId, Rules, Scores, State, UserId},
    store::{Action, Refusal, peek::KnownAction},
};

/// A board as it would be.
pub(super) struct Preview {
    /// The scores of those who acted.
    scores: HashMap<UserId, Option<Scores>>,
}

/// What a row would do, in words.
pub(super) struct Effect {
    planned: Planned,
    is_known_action: bool,
    scores: Option<Scores>,
}

impl Preview {
    pub(super) fn new() -> Preview {
        Preview {
            scores: HashMap::new(),
        }
    }

    /// Does what a store would do, where `counted` says what it knows of the action's id.
    ///
    /// # Errors
    /// If the store would refuse the row.
    pub(super) fn apply(
        &mut self,
        planned: Planned,
        counted: Option<&KnownAction>,
        board: &BoardId,
        state: &State,
    ) -> Result<Effect, Problem> {
        let user = planned.user;
        let line = planned.line;
        let refused = |what: String| Err(Problem::of_line(line, what));
        let is_there = !planned.is_new || planned.put.is_some();
        let on_board = state.board(board);
        let rules = on_board.map_or_else(Rules::default, |it| it.settings().rules);
        let scores = self.scores.get(&user).copied().unwrap_or_else(|| {
            let person = state.directory().index_of(user);
            let known = person.and_then(|person| on_board?.scores_of(person));
            known.or(rules.begin_at_zero().then(Scores::default))
        });
        let mut effect = Effect {
            is_known_action: false,
            scores,
            planned,
        };
        let Some(action) = &effect.planned.action else {
            return Ok(effect);
        };
        if let Some(counted) = counted {
            if !counted.is(action) {
                return refused(conflict(&effect.planned, Some(counted)));
            }
            effect.is_known_action = true;
            return Ok(effect);
        }
        if !is_there {
            return refused(unknown());
        }
        let Some(scores) = rules.after(scores, action.increase, action.tiebreak_increase) else {
            return refused(Refusal::OutOfRange.to_string());
        };
        self.scores.insert(user, Some(scores));
        effect.scores = Some(scores);
        Ok(effect)
    }
}

/// What is said of an action of somebody who is not on the board.
pub(super) fn unknown() -> String {
    format!(
        "{}: fill the name too, so that they are",
        Refusal::UnknownUser
    )
}

/// What is said of an action whose id stands for something else.
pub(super) fn conflict(planned: &Planned, counted: Option<&KnownAction>) -> String {
    let then = counted.map_or(String::new(), |counted| {
        format!(" ({} {:+} then)", counted.action_type, counted.increase)
    });
    if planned.is_derived {
        let name = planned.name.as_deref().unwrap_or("this person");
        format!(
            "an earlier import of this list counted something else here for {name}{then}, and what \
             is counted is not changed by a file. If this is a new result, import it in a list of \
             another name, with --list"
        )
    } else {
        format!("{}{then}: give it another actionId", Refusal::Conflict)
    }
}

impl KnownAction {
    fn is(&self, action: &Action) -> bool {
        (&self.board, self.user, &*self.action_type, self.increase)
            == (
                &action.board,
                action.user,
                &*action.action_type,
                action.increase,
            )
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Planned {
            line, user, name, ..
        } = &self.planned;
        write!(f, "line {line}: ")?;
        match name {
            Some(name) => f.write_str(name)?,
            None => write!(f, "{user}")?,
        }
        f.write_str(match () {
            () if self.planned.is_new => " is new",
            () if self.planned.is_again => " (again)",
            () => " is known",
        })?;
        if self.planned.has_namesake {
            f.write_str(", beside another of this name")?;
        }
        if !self.planned.is_new && self.planned.put.is_some() {
            f.write_str(", and will be shown so")?;
        }
        if let Some(action) = &self.planned.action {
            if self.is_known_action {
                f.write_str(", and this has been counted")?;
            } else {
                write!(f, ", {} {:+}", action.action_type, action.increase)?;
                if let Some(scores) = self.scores {
                    write!(f, " makes {}", scores.score.points())?;
                }
            }
        }
        Ok(())
    }
}
