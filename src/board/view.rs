//! A board with the names of those who stand on it: what all who show it read.

use std::ops::Range;

use super::{
    Board, BoardId, Competitor, Directory, Profile, Row, Rules, Scores, State, TeamId, TeamMember,
    Timestamp, UserId, Who, ranking::Position,
};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct BoardView<'a> {
    directory: &'a Directory,
    board: &'a Board,
}

/// A registered person or team, and where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRow<'a> {
    /// Who it is.
    pub who: Who,
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

    /// Whose id this is: on a board of teams a team's, and else a person's.
    pub fn who(self, id: UserId) -> Who {
        let team = TeamId(id.0);
        match self.index_of(team) {
            Some(_) => team.into(),
            None => id.into(),
        }
    }

    /// Whose index this is, hidden or not.
    pub fn who_at(self, index: Competitor) -> Option<Who> {
        self.board.who(index, self.directory)
    }

    /// A registered person, or a team where teams stand; there no person is ranked.
    pub fn user(self, who: impl Into<Who>) -> Option<UserRow<'a>> {
        let who = who.into();
        let index = self.index_of(who);
        let profile = match who {
            Who::User(user) => &self.directory.person(user)?.profile,
            Who::Team(_) => &self.directory.team_at(index?)?.profile,
        };
        Some(UserRow {
            who,
            profile,
            ranked: index.and_then(|index| self.board.ranked(index)),
        })
    }

    /// By which index the board knows a person, or a team where teams stand; `None` if none of
    /// their kind stand on it.
    pub fn index_of(self, who: impl Into<Who>) -> Option<Competitor> {
        match (who.into(), self.board.settings().is_of_teams()) {
            (Who::User(user), false) => self.directory.index_of(user),
            (Who::Team(team), true) => self.directory.index_of_team(team),
            (Who::User(_), true) | (Who::Team(_), false) => None,
        }
    }

    /// What a person has who is hidden, for themselves to see.
    pub fn hidden_scores(self, who: impl Into<Who>) -> Option<Scores> {
        self.board.hidden_scores(self.index_of(who)?)
    }

    /// Whoever of a team has something on a board of teams, and is not hidden: up to `most` of
    /// them after this one. Where some count they are in that order, the best first, and else
    /// by when they reached theirs.
    pub fn members(self, team: TeamId, after: Option<&TeamMember>, most: usize) -> Vec<TeamMember> {
        let team = self.index_of(team);
        team.map_or_else(Vec::new, |team| self.board.members_of(team, after, most))
    }

    /// The visible board: the first rows, as many as the rules say.
    pub fn top(self) -> impl Iterator<Item = Row<'a>> {
        self.rows(0..self.rules().top)
    }

    /// These rows, counted from 0, as far as there are any.
    pub fn rows(self, rows: Range<usize>) -> impl Iterator<Item = Row<'a>> {
        self.board.rows(self.directory, rows)
    }

    /// The rows, counted from 0, of somebody and of up to `window` others on either side;
    /// `None` if they are not ranked.
    pub fn around(self, who: impl Into<Who>, window: usize) -> Option<Range<usize>> {
        self.board.around(self.index_of(who)?, window)
    }

    /// Where somebody stands and the rank there, for a [`RankSweep`](super::RankSweep);
    /// `None` if they are not ranked.
    pub fn position_of(self, who: impl Into<Who>) -> Option<(Position, u64)> {
        self.board.position_of(self.index_of(who)?)
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
