//! What a row does: whom it means, whether that is somebody new, and under
//! which id its action counts.
//!
//! The same file leads to the same people and the same ids of actions whenever it is
//! planned, on whichever part of it the board has already. So an import that was stopped
//! can be repeated.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use uuid::{Uuid, uuid};

use super::{
    problem::Problem,
    row::{Row, RowAction, Who},
};
use crate::{
    board::{BoardId, Profile, State, UserId},
    people,
    store::{Action, ActionId},
};

/// The namespace of lists (RFC 9562, section 6.5), made once at random.
const LISTS: Uuid = uuid!("2d7c3f5e-91b8-4a06-b2c4-7e9f10d8a634");

/// Names a list, so that its rows count once, however often it is imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListId(Uuid);

impl ListId {
    /// The list of this name, in any case.
    pub(super) fn new(name: &str) -> ListId {
        let name = name.trim().to_lowercase().nfc().collect::<String>();
        ListId(Uuid::new_v5(&LISTS, name.as_bytes()))
    }

    /// The id of a person's `count`th action of a type in this list. The points are no
    /// part of it: a row whose points were changed meanwhile is not a second action.
    fn action(&self, user: UserId, action_type: &str, count: u32) -> Option<ActionId> {
        let of_type = self.actions(user, action_type);
        let id = Uuid::new_v5(&of_type, &count.to_be_bytes());
        ActionId::new(&format!("list:{id}"))
    }

    fn actions(&self, user: UserId, action_type: &str) -> Uuid {
        let mut name = user.0.to_vec();
        name.extend(action_type.as_bytes());
        Uuid::new_v5(&self.0, &name)
    }
}

/// What a row does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) line: u64,
    pub(super) user: UserId,
    /// How the person is called after it, if anybody knows.
    pub(super) name: Option<Box<str>>,
    /// Whether nobody had this id before.
    pub(super) is_new: bool,
    /// Whether an earlier row is about the same person.
    pub(super) is_again: bool,
    /// Whether somebody else on the board has the name of this new person, as far as
    /// that was looked for.
    pub(super) has_namesake: bool,
    /// Whether the row says who it is about by the name alone.
    pub(super) by_name: bool,
    /// How the person is to be shown from now on, if that is to change.
    pub(super) put: Option<Profile>,
    pub(super) action: Option<Action>,
    /// Whether the id of the action was made here.
    pub(super) is_derived: bool,
}

/// Plans the rows of one file in their order.
pub(super) struct Planner {
    /// On which board actions count.
    board: BoardId,
    list: ListId,
    /// The people of the board by the ids of their names; made when it is needed.
    names: Option<HashMap<UserId, Called>>,
    /// The people of the file.
    seen: HashMap<UserId, Seen>,
    /// How people are to be shown whom the board does not show so yet.
    put: HashMap<UserId, Profile>,
    /// How many actions of a type a person had.
    counts: HashMap<Uuid, u32>,
    /// How the first row says who it is about.
    way: Option<Way>,
}

/// What the rows so far said of a person.
#[derive(Clone, Copy)]
struct Seen {
    /// The first that was about them.
    line: u32,
    /// Whether one of them registers them.
    is_registered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Ids,
    Names,
}

/// Who has a name.
#[derive(Clone, Copy)]
enum Called {
    One(UserId),
    Several(u32),
}

impl Planner {
    pub(super) fn new(board: BoardId, list: ListId) -> Planner {
        Planner {
            board,
            list,
            names: None,
            seen: HashMap::new(),
            put: HashMap::new(),
            counts: HashMap::new(),
            way: None,
        }
    }

    /// Plans the next row for boards as they are now.
    ///
    /// # Errors
    /// If it cannot be said whom the row means.
    pub(super) fn plan(&mut self, row: Row, state: &State) -> Result<Planned, Problem> {
        let line = row.line;
        let user = self.user(&row, state)?;
        let seen = self.seen.get(&user).copied();
        let is_registered = seen.is_some_and(|seen| seen.is_registered);
        let is_new = !is_registered && state.directory().person(user).is_none();
        let put = self.put(&row, user, state);
        let known = self
            .put
            .get(&user)
            .or(state.directory().person(user).map(|it| &it.profile));
        let name = put
            .as_ref()
            .or(known)
            .map(|profile| profile.username.clone());
        let has_namesake = is_new && self.has_namesake(name.as_deref());
        self.seen.insert(
            user,
            Seen {
                line: seen.map_or(u32::try_from(line).unwrap_or(u32::MAX), |seen| seen.line),
                is_registered: is_registered || put.is_some(),
            },
        );
        if let Some(put) = &put {
            self.put.insert(user, put.clone());
        }
        let by_name = matches!(row.who, Who::Name(_));
        let is_derived = row
            .action
            .as_ref()
            .is_some_and(|action| action.id.is_none());
        let action = row.action.map(|action| self.action(user, action, line));
        Ok(Planned {
            line,
            user,
            name,
            is_new,
            is_again: seen.is_some(),
            has_namesake,
            by_name,
            put,
            action: action.transpose()?,
            is_derived,
        })
    }

    /// From now on says of new people whether others on the board have their names.
    pub(super) fn look_for_namesakes(&mut self, state: &State) {
        self.names = Some(called(state));
    }

    fn has_namesake(&self, name: Option<&str>) -> bool {
        let (Some(name), Some(names)) = (name, &self.names) else {
            return false;
        };
        names.contains_key(&people::by_name(name))
    }

    /// Forgets what the board knows by now: everything that was planned is written.
    pub(super) fn written(&mut self) {
        self.put.clear();
    }

    fn user(&mut self, row: &Row, state: &State) -> Result<UserId, Problem> {
        let way = match row.who {
            Who::Id(_) => Way::Ids,
            Who::Name(_) => Way::Names,
        };
        if *self.way.get_or_insert(way) != way {
            return Err(Problem::of_line(
                row.line,
                "names people in another way than the lines before: give all of them by userId or \
                 externalId, or all by name alone",
            ));
        }
        match row.who {
            Who::Id(user) => Ok(user),
            Who::Name(id) => self.named(id, row, state),
        }
    }

    /// Whom a bare name means: who was made of that name by an earlier import, else the
    /// one person who is called so, else somebody new.
    fn named(&mut self, id: UserId, row: &Row, state: &State) -> Result<UserId, Problem> {
        let name = row.profile.as_ref().map_or("", |profile| &profile.username);
        let names = self.names.get_or_insert_with(|| called(state));
        let problem = |what: String| Err(Problem::of_value(row.line, "name", Some(name), what));
        let user = match (state.directory().person(id), names.get(&id)) {
            (Some(made), called) => {
                let is_renamed = people::by_name(&made.profile.username) != id;
                if is_renamed && called.is_some() {
                    return problem(format!(
                        "may mean two people: the one who is called {:?} now, and the one who is \
                         called so now. Add a column userId to say who it is",
                        made.profile.username
                    ));
                }
                id
            }
            (None, None) => id,
            (None, Some(Called::One(user))) => *user,
            (None, Some(Called::Several(people))) => {
                return problem(format!(
                    "is the name of {people} people on the board. Add a column userId, or \
                     externalId, to say who it is"
                ));
            }
        };
        if let (Some(seen), None) = (self.seen.get(&user), &row.action) {
            return problem(format!(
                "stands on line {} already. If these are two people, give them two names, or a \
                 column externalId with your own numbers; else delete one of the lines",
                seen.line
            ));
        }
        Ok(user)
    }

    /// How the person is to be shown, if the row says it, and it is not so already.
    fn put(&self, row: &Row, user: UserId, state: &State) -> Option<Profile> {
        let shown = state.directory().person(user).map(|it| &it.profile);
        let known = self.put.get(&user).or(shown);
        let wanted = row.profile.as_ref()?;
        // A picture that the row does not speak of stays, and so does the name of
        // somebody who is known by an earlier one.
        let kept = known.and_then(|known| known.avatar.clone());
        let username = match (row.who, known) {
            (Who::Name(_), Some(known)) => known.username.clone(),
            _ => wanted.username.clone(),
        };
        let wanted = Profile {
            username,
            avatar: wanted.avatar.clone().or(kept),
        };
        (known != Some(&wanted)).then_some(wanted)
    }

    fn action(&mut self, user: UserId, action: RowAction, line: u64) -> Result<Action, Problem> {
        let id = match action.id {
            Some(id) => Some(id),
            None => {
                let of_type = self.list.actions(user, &action.action_type);
                let count = self.counts.entry(of_type).or_default();
                *count += 1;
                self.list.action(user, &action.action_type, *count)
            }
        };
        let id = id.ok_or_else(|| Problem::of_line(line, "has an action that cannot be named"))?;
        Ok(Action {
            id,
            board: self.board.clone(),
            user,
            action_type: action.action_type,
            increase: action.increase,
            tiebreak_increase: 0,
            declared: None,
        })
    }
}

/// Who is called how.
fn called(state: &State) -> HashMap<UserId, Called> {
    let mut names: HashMap<UserId, Called> = HashMap::new();
    for (_, person) in state.directory().people() {
        names
            .entry(people::by_name(&person.profile.username))
            .and_modify(|called| {
                *called = match *called {
                    Called::One(_) => Called::Several(2),
                    Called::Several(people) => Called::Several(people.saturating_add(1)),
                }
            })
            .or_insert(Called::One(person.id));
    }
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        board::{self, Fact, LogEntry, Score, Scores, Seq, Timestamp},
        people::by_name,
    };

    fn profile(name: &str) -> Profile {
        Profile {
            username: name.into(),
            avatar: None,
        }
    }

    fn named(line: u64, name: &str, increase: Option<i64>) -> Row {
        Row {
            line,
            who: Who::Name(by_name(name)),
            profile: Some(profile(name)),
            action: increase.map(|increase| RowAction {
                id: None,
                action_type: "quiz".into(),
                increase,
            }),
        }
    }

    fn register(state: &mut State, user: UserId, profile: Profile) {
        let entry = LogEntry {
            seq: Seq::new(state.seq() + 1).unwrap(),
            at: Timestamp(0),
            fact: Fact::UserChanged { user, profile },
        };
        state.apply(&entry);
    }

    /// What a store would write of a row.
    fn write(state: &mut State, planned: &Planned) {
        if let Some(put) = &planned.put {
            register(state, planned.user, put.clone());
        }
        if let Some(action) = &planned.action {
            let entry = LogEntry {
                seq: Seq::new(state.seq() + 1).unwrap(),
                at: Timestamp(0),
                fact: Fact::Action(board::Action {
                    board: action.board.clone(),
                    user: action.user,
                    action_type: action.action_type.clone(),
                    increase: action.increase,
                    tiebreak_increase: 0,
                    scores: Scores {
                        score: Score::new(action.increase).unwrap(),
                        ..Scores::default()
                    },
                }),
            };
            state.apply(&entry);
        }
    }

    fn board() -> State {
        State::default()
    }

    fn planner() -> Planner {
        Planner::new(BoardId::default(), ListId::new("list"))
    }

    fn id(number: u8) -> UserId {
        UserId([number; 16])
    }

    #[test]
    fn a_name_means_who_was_made_of_it_or_who_is_called_so_or_somebody_new() {
        let mut board = board();
        let new = planner().plan(named(2, "Ada", Some(1)), &board).unwrap();
        assert_eq!((new.user, new.is_new), (by_name("Ada"), true));

        register(&mut board, id(1), profile("Ada"));
        let called = planner().plan(named(2, "Ada", Some(1)), &board).unwrap();
        assert_eq!(
            (called.user, called.is_new, called.put),
            (id(1), false, None)
        );

        register(&mut board, id(2), profile("Ada"));
        let several = planner().plan(named(2, "Ada", Some(1)), &board);
        let several = several.unwrap_err().to_string();
        assert!(several.contains("2 people"), "{several}");

        // Who was made of the name stays meant by it.
        register(&mut board, by_name("Ada"), profile("Ada"));
        let made = planner().plan(named(2, "Ada", Some(1)), &board).unwrap();
        assert_eq!((made.user, made.put), (by_name("Ada"), None));
    }

    #[test]
    fn a_name_that_was_changed_still_means_the_person_unless_another_has_it() {
        let mut board = board();
        register(&mut board, by_name("Ada"), profile("Ada L."));
        let renamed = planner().plan(named(2, "Ada", Some(1)), &board).unwrap();
        assert_eq!((renamed.user, renamed.put), (by_name("Ada"), None));
        assert_eq!(renamed.name.as_deref(), Some("Ada L."));

        register(&mut board, id(1), profile("Ada"));
        let unsure = planner().plan(named(2, "Ada", Some(1)), &board);
        let unsure = unsure.unwrap_err().to_string();
        assert!(unsure.contains("may mean two people"), "{unsure}");
    }

    #[test]
    fn a_list_without_results_names_everybody_once() {
        let (board, mut planner) = (board(), planner());
        planner.plan(named(2, "Ada", None), &board).unwrap();
        let again = planner.plan(named(3, "Ada", None), &board).unwrap_err();
        assert!(again.to_string().contains("stands on line 2"), "{again}");
    }

    #[test]
    fn a_file_names_people_in_one_way() {
        let (board, mut planner) = (board(), planner());
        planner.plan(named(2, "Ada", Some(1)), &board).unwrap();
        let row = Row {
            who: Who::Id(id(1)),
            ..named(3, "Ada", Some(1))
        };
        let other = planner.plan(row, &board).unwrap_err();
        assert!(other.to_string().contains("in another way"), "{other}");
    }

    #[test]
    fn a_picture_stays_that_a_row_does_not_speak_of() {
        let mut board = board();
        let shown = Profile {
            avatar: Some("/a.png".into()),
            ..profile("Ada")
        };
        register(&mut board, id(1), shown.clone());
        let row = |name| Row {
            who: Who::Id(id(1)),
            ..named(2, name, None)
        };
        assert_eq!(planner().plan(row("Ada"), &board).unwrap().put, None);
        let renamed = planner().plan(row("Ada L."), &board).unwrap().put;
        let expected = Profile {
            username: "Ada L.".into(),
            ..shown
        };
        assert_eq!(renamed, Some(expected));
    }

    proptest! {
        #[test]
        fn a_file_means_the_same_whatever_part_of_it_was_written(
            rows in prop::collection::vec(("[ABC]", 0..4_i64), 0..20),
            strangers in prop::collection::vec("[ABC]", 0..2),
            part in 0..20_usize,
        ) {
            let rows = || rows.iter().zip(2..).map(|((name, points), line)| {
                named(line, name, Some(*points))
            });
            let mut board = board();
            for (number, name) in strangers.iter().enumerate() {
                register(&mut board, id(number as u8), profile(name));
            }
            let mut first = planner();
            let plan = |planner: &mut Planner, board: &State| {
                rows().map(|row| planner.plan(row, board)).collect::<Vec<_>>()
            };
            let planned = plan(&mut first, &board);
            for planned in planned.iter().take(part).flatten() {
                write(&mut board, planned);
            }
            let what = |planned: &Result<Planned, Problem>| {
                let known = planned.as_ref().ok();
                known.map(|it| (it.user, it.action.as_ref().map(|action| action.id.clone())))
            };
            let again = plan(&mut planner(), &board);
            prop_assert_eq!(
                again.iter().map(what).collect::<Vec<_>>(),
                planned.iter().map(what).collect::<Vec<_>>()
            );
            let ids = planned.iter().filter_map(what).map(|(_, id)| id);
            let all: Vec<_> = ids.collect();
            let different: std::collections::HashSet<_> = all.iter().collect();
            prop_assert_eq!(different.len(), all.len());
        }
    }
}
