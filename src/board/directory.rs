//! The directory: people and teams of the server, whatever boards they stand on.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use super::{GroupId, Seq, TeamId, UserId, Who};

/// How a person or a team is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// The name to show.
    pub username: Box<str>,
    /// The address of a picture.
    pub avatar: Option<Box<str>>,
}

/// A registered person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Person {
    /// Who it is.
    pub id: UserId,
    /// How the person is shown.
    pub profile: Profile,
    /// The entry of the log by which the person was registered.
    pub registered: Seq,
    /// The team and the groups, if there are any.
    pub membership: Option<Box<Membership>>,
    /// Is the person off all boards?
    pub hidden: bool,
}

/// What a person belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Membership {
    /// The team that actions count for.
    pub team: Option<TeamId>,
    /// The groups, each named once.
    pub groups: Box<[GroupId]>,
}

impl Person {
    /// The team that actions count for.
    pub fn team(&self) -> Option<TeamId> {
        self.membership.as_ref()?.team
    }

    /// The groups, each named once.
    pub fn groups(&self) -> &[GroupId] {
        self.membership.as_ref().map_or(&[], |it| &it.groups)
    }
}

/// A registered team.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Team {
    /// Which it is.
    pub id: TeamId,
    /// How it is shown.
    pub profile: Profile,
}

/// A person's or a team's index in the directory, by which boards name those who stand on
/// them. It stays the same until the person is deleted, and is another's afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Competitor(pub u32);

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    people: Table<UserId, Person>,
    teams: Table<TeamId, Team>,
}

impl Directory {
    /// Somebody's index, if they are registered.
    pub fn index_of(&self, user: UserId) -> Option<Competitor> {
        self.people.index(user)
    }

    /// A registered person.
    pub fn person(&self, user: UserId) -> Option<&Person> {
        self.people.get(self.index_of(user)?)
    }

    /// The person with this index.
    pub fn person_at(&self, index: Competitor) -> Option<&Person> {
        self.people.get(index)
    }

    /// Is the person with this index off all boards?
    pub fn is_hidden(&self, index: Competitor) -> bool {
        self.person_at(index).is_some_and(|person| person.hidden)
    }

    /// How a person or a team is shown; `None` for one who is hidden or gone.
    pub fn shown(&self, who: Who) -> Option<&Profile> {
        match who {
            Who::User(user) => {
                let person = self.person(user).filter(|person| !person.hidden)?;
                Some(&person.profile)
            }
            Who::Team(team) => {
                let team = self.team_at(self.index_of_team(team)?)?;
                Some(&team.profile)
            }
        }
    }

    /// All people, in no order.
    pub fn people(&self) -> impl Iterator<Item = (Competitor, &Person)> {
        self.people.iter()
    }

    /// How many people there are.
    pub fn len(&self) -> usize {
        self.people.indices.len()
    }

    /// Is nobody registered?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All indices of people are below this: for looking at everybody in pieces. One who
    /// stays is met once, whatever happens between the pieces.
    pub fn indices(&self) -> u32 {
        self.people.rows.len() as u32
    }

    /// A team's index, if it is registered.
    pub fn index_of_team(&self, team: TeamId) -> Option<Competitor> {
        self.teams.index(team)
    }

    /// The team with this index.
    pub fn team_at(&self, index: Competitor) -> Option<&Team> {
        self.teams.get(index)
    }

    /// All indices of teams are below this, likewise.
    pub fn team_indices(&self) -> u32 {
        self.teams.rows.len() as u32
    }

    /// All teams, in no order.
    pub fn teams(&self) -> impl Iterator<Item = (Competitor, &Team)> {
        self.teams.iter()
    }

    /// Registers somebody, or changes how they are shown. Says whether they are new.
    pub(super) fn put_person(&mut self, user: UserId, profile: &Profile, seq: Seq) -> bool {
        match self.people.get_mut(user) {
            Some(person) => {
                person.profile = profile.clone();
                false
            }
            None => {
                self.add_person(Person {
                    id: user,
                    profile: profile.clone(),
                    registered: seq,
                    membership: None,
                    hidden: false,
                });
                true
            }
        }
    }

    pub(super) fn add_person(&mut self, person: Person) -> Competitor {
        self.people.add(person.id, person)
    }

    pub(super) fn person_mut(&mut self, user: UserId) -> Option<&mut Person> {
        self.people.get_mut(user)
    }

    pub(super) fn remove_person(&mut self, user: UserId) {
        self.people.remove(user);
    }

    /// Registers a team, or changes how it is shown.
    pub(super) fn put_team(&mut self, id: TeamId, profile: &Profile) {
        match self.teams.get_mut(id) {
            Some(team) => team.profile = profile.clone(),
            None => {
                self.add_team(Team {
                    id,
                    profile: profile.clone(),
                });
            }
        }
    }

    pub(super) fn add_team(&mut self, team: Team) -> Competitor {
        self.teams.add(team.id, team)
    }

    /// Makes room for as many people at once.
    pub(super) fn reserve(&mut self, people: usize) {
        self.people.indices.reserve(people);
        self.people.rows.reserve(people);
    }
}

/// Rows that are found by their ids and by indices that stay.
#[derive(Clone, Debug)]
struct Table<K, T> {
    indices: HashMap<K, u32>,
    rows: Vec<Option<T>>,
    /// The lowest are given first, so that the rows get fewer where many go.
    free: BTreeSet<u32>,
}

impl<K, T> Default for Table<K, T> {
    fn default() -> Self {
        Table {
            indices: HashMap::new(),
            rows: Vec::new(),
            free: BTreeSet::new(),
        }
    }
}

impl<K: Copy + Eq + Hash, T> Table<K, T> {
    fn index(&self, id: K) -> Option<Competitor> {
        self.indices.get(&id).copied().map(Competitor)
    }

    fn get(&self, index: Competitor) -> Option<&T> {
        self.rows.get(index.0 as usize)?.as_ref()
    }

    fn get_mut(&mut self, id: K) -> Option<&mut T> {
        let index = *self.indices.get(&id)?;
        self.rows.get_mut(index as usize)?.as_mut()
    }

    fn iter(&self) -> impl Iterator<Item = (Competitor, &T)> {
        let rows = (0..).zip(&self.rows);
        rows.filter_map(|(index, row)| Some((Competitor(index), row.as_ref()?)))
    }

    /// The id is a new one.
    fn add(&mut self, id: K, row: T) -> Competitor {
        let index = match self.free.pop_first() {
            Some(index) => {
                self.rows[index as usize] = Some(row);
                index
            }
            None => {
                self.rows.push(Some(row));
                self.rows.len() as u32 - 1
            }
        };
        self.indices.insert(id, index);
        Competitor(index)
    }

    fn remove(&mut self, id: K) {
        let Some(index) = self.indices.remove(&id) else {
            return;
        };
        self.rows[index as usize] = None;
        self.free.insert(index);
        while self.free.last().map(|free| *free as usize + 1) == Some(self.rows.len()) {
            self.free.pop_last();
            self.rows.pop();
        }
        super::ranking::trim(&mut self.rows);
        super::ranking::trim_map(&mut self.indices);
    }
}
