//! A board with the names of those who stand on it: what all who show it read.

use std::ops::Range;

use super::{
    Board, BoardId, Competitor, Directory, Profile, Row, Rules, Scores, State, Timestamp, UserId,
    Who, ranking::Position,
};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct BoardView<'a> {
    directory: &'a Directory,
    board: &'a Board,
}

/// A registered person, and where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRow<'a> {
    /// Who it is.
    pub user: UserId,
    /// How they are shown.
    pub profile: &'a Profile,
    /// The scores and the rank; `None` for somebody who is not ranked.
    pub ranked: Option<(Scores, u64)>,
}

impl UserRow<'_> {
    /// The rank, if there is one.
    pub fn rank(&self) -> Option<u64> {
        self.ranked.map(|(_, rank)| rank)
    }

    /// The scores, if there are any.
    pub fn scores(&self) -> Option<Scores> {
        self.ranked.map(|(scores, _)| scores)
    }
}

impl State {
    /// A board with its people or teams.
    pub fn view(&self, id: &BoardId) -> Option<BoardView<'_>> {
        Some(BoardView {
            directory: self.directory(),
            board: self.board(id)?,
        })
    }
}

impl<'a> BoardView<'a> {
    /// The board itself.
    pub fn board(self) -> &'a Board {
        self.board
    }

    /// People and teams.
    pub fn directory(self) -> &'a Directory {
        self.directory
    }

    /// How its scores come about and how they are ordered.
    pub fn rules(self) -> &'a Rules {
        &self.board.settings().rules
    }

    /// How many facts were folded into it, 0 for none.
    pub fn seq(self) -> u64 {
        self.board.seq()
    }

    /// When the last of them was taken.
    pub fn changed(self) -> Timestamp {
        self.board.changed()
    }

    /// How many are ranked.
    pub fn len(self) -> usize {
        self.board.len()
    }

    /// Is nobody ranked?
    pub fn is_empty(self) -> bool {
        self.board.is_empty()
    }

    /// A registered person. Where teams stand, no person is ranked.
    pub fn user(self, user: UserId) -> Option<UserRow<'a>> {
        Some(UserRow {
            user,
            profile: &self.directory.person(user)?.profile,
            ranked: self
                .index_of(user)
                .and_then(|index| self.board.ranked(index)),
        })
    }

    /// By which index the board knows a person; `None` if teams stand on it.
    pub fn index_of(self, user: UserId) -> Option<Competitor> {
        let is_of_people = !self.board.settings().is_of_teams();
        self.directory.index_of(user).filter(|_| is_of_people)
    }

    /// What a person has who is hidden, for themselves to see.
    pub fn hidden_scores(self, user: UserId) -> Option<Scores> {
        self.board.hidden_scores(self.index_of(user)?)
    }

    /// The visible board: the first rows, as many as the rules say.
    pub fn top(self) -> impl Iterator<Item = Row<'a>> {
        self.rows(0..self.rules().top)
    }

    /// These rows, counted from 0, as far as there are any.
    pub fn rows(self, rows: Range<usize>) -> impl Iterator<Item = Row<'a>> {
        self.board.rows(self.directory, rows)
    }

    /// The rows, counted from 0, of a person and of up to `window` others on either side;
    /// `None` if the person is not ranked.
    pub fn around(self, user: UserId, window: usize) -> Option<Range<usize>> {
        self.board.around(self.index_of(user)?, window)
    }

    /// Where a person stands and the rank there, for a [`RankSweep`](super::RankSweep);
    /// `None` if the person is not ranked.
    pub fn position_of(self, user: UserId) -> Option<(Position, u64)> {
        self.board.position_of(self.index_of(user)?)
    }

    /// All people, or on a board of teams all teams, have indices below this: for looking at
    /// everybody in pieces. One who stays is met once, whatever happens between the pieces.
    pub fn indices(self) -> u32 {
        match self.board.settings().is_of_teams() {
            false => self.directory.indices(),
            true => self.directory.team_indices(),
        }
    }

    /// Who is meant by name, and where they stand if they are ranked, among the people with
    /// these indices, ranked or not; nobody who is hidden, and nobody where teams stand.
    pub fn named(
        self,
        indices: Range<u32>,
        is_meant: impl FnMut(&str) -> bool,
    ) -> impl Iterator<Item = (UserId, Option<Position>)> {
        let named = self.competitors_named(indices, is_meant);
        named.filter_map(move |(index, position)| match self.profile(index)?.0 {
            Who::User(user) => Some((user, position)),
            Who::Team(_) => None,
        })
    }

    /// The same with teams where they stand, and by their indices.
    pub fn competitors_named(
        self,
        indices: Range<u32>,
        mut is_meant: impl FnMut(&str) -> bool,
    ) -> impl Iterator<Item = (Competitor, Option<Position>)> {
        let end = indices.end.min(self.indices());
        (indices.start.min(end)..end).filter_map(move |index| {
            let index = Competitor(index);
            let (_, profile) = self.profile(index)?;
            is_meant(&profile.username).then(|| {
                let position = self.board.position_of(index);
                (index, position.map(|(position, _)| position))
            })
        })
    }

    /// Who has this index and is not hidden, and how they are shown.
    pub fn profile(self, index: Competitor) -> Option<(Who, &'a Profile)> {
        if self.board.settings().is_of_teams() {
            let team = self.directory.team_at(index)?;
            return Some((Who::Team(team.id), &team.profile));
        }
        let person = self.directory.person_at(index)?;
        (!person.hidden).then_some((Who::User(person.id), &person.profile))
    }
}
