//! What the log says: people, teams and boards as of its last entry.

mod check;
mod effects;
mod feeds;
mod replay;

use std::{collections::HashMap, sync::Arc};

use super::{
    Action, Applied, Board, BoardId, Competitor, Derivation, Directory, Fact, LogEntry, Membership,
    Person, Profile, Season, Seasons, Seq, Settings, StoredBoard, Team, Timestamp, UserId,
};
use effects::Folding;
pub use effects::{Effect, Effects, StoredChange, What};
use feeds::Feed;
pub use replay::Replay;

/// A board's index, which stays the same until the board is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BoardIndex(u32);

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The last entry that was folded.
    seq: u64,
    directory: Directory,
    boards: Vec<Option<Board>>,
    /// Grows whenever a board is created, changed or deleted, or a season ends.
    boards_version: u64,
    /// Which season ends next, so that nobody who asks looks through all boards.
    next_border: Option<(Timestamp, BoardId)>,
    /// The last entry by which somebody was hidden, shown again or deleted, or the one as of
    /// which this was loaded.
    hidden_as_of: u64,
    /// The last entry by which somebody was deleted, or the one as of which this was loaded.
    deleted_as_of: u64,
    /// How many people are hidden.
    hidden: usize,
    routes: HashMap<BoardId, Route>,
    /// From which number on another board counts that is given the id of one that was deleted:
    /// who has seen the old one must not take the new one for it.
    deleted: HashMap<BoardId, u64>,
}

/// Where to find a board, and what follows from its actions.
#[derive(Clone, Debug, Default)]
struct Route {
    /// `None` for a board that is not here, of which another is derived that is.
    index: Option<BoardIndex>,
    /// Boards that are derived from it, directly or not.
    feeds: Vec<Feed>,
}

/// All of a state, as a store keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredState {
    /// The last entry that was folded, 0 for none.
    pub seq: u64,
    /// All people, in any order.
    pub people: Vec<Person>,
    /// All teams, in any order.
    pub teams: Vec<Team>,
    /// All boards, in any order.
    pub boards: Vec<StoredBoard>,
    /// Of ids of deleted boards, the number from which another one counts on.
    pub deleted: Vec<(BoardId, u64)>,
}

impl State {
    /// A state as it was stored.
    pub fn load(stored: StoredState) -> State {
        let mut state = State {
            seq: stored.seq,
            hidden_as_of: stored.seq,
            deleted_as_of: stored.seq,
            hidden: stored.people.iter().filter(|person| person.hidden).count(),
            deleted: stored.deleted.into_iter().collect(),
            ..State::default()
        };
        state.directory.reserve(stored.people.len());
        for person in stored.people {
            state.directory.add_person(person);
        }
        for team in stored.teams {
            state.directory.add_team(team);
        }
        for board in stored.boards {
            state.add(Board::load(board, &state.directory));
        }
        // One may have come before the one that it is derived from.
        for index in (0..state.boards.len() as u32).map(BoardIndex) {
            if let Some(settings) = state.board_at(index).map(|it| it.settings().clone()) {
                state.update_feed(index, &settings);
            }
        }
        state.boards_changed();
        state
    }

    /// What a store keeps of it.
    pub fn stored(&self) -> StoredState {
        StoredState {
            seq: self.seq,
            people: self.directory.people().map(|(_, it)| it.clone()).collect(),
            teams: self.directory.teams().map(|(_, it)| it.clone()).collect(),
            boards: self.boards().map(|it| it.stored(&self.directory)).collect(),
            deleted: self.deleted.clone().into_iter().collect(),
        }
    }

    /// Boards that are derived from this one, and would be without it.
    pub fn derived_from(&self, id: &BoardId) -> impl Iterator<Item = &Board> {
        self.boards().filter(move |board| {
            let derivation = board.settings().derivation();
            derivation.is_some_and(|it| it.of == *id)
        })
    }

    /// From which boards one with these settings is derived, the nearest first, as far as
    /// they are here.
    fn ancestors<'a>(&'a self, settings: &'a Settings) -> Vec<&'a Derivation> {
        let mut ancestors = Vec::new();
        let mut next = settings.derivation();
        while let Some(derivation) = next {
            ancestors.push(derivation);
            let parent = self.board(&derivation.of);
            next = parent.and_then(|parent| parent.settings().derivation());
        }
        ancestors
    }

    /// The last entry that was folded, 0 for none.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// People and teams.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// A board.
    pub fn board(&self, id: &BoardId) -> Option<&Board> {
        self.board_at(self.index_of(id)?)
    }

    /// All boards, in no order.
    pub fn boards(&self) -> impl Iterator<Item = &Board> {
        self.boards.iter().flatten()
    }

    /// Another one after a board was created, changed or deleted, or a season ended.
    pub fn boards_version(&self) -> u64 {
        self.boards_version
    }

    /// A later entry whenever somebody is hidden, shown again or deleted.
    pub fn hidden_as_of(&self) -> u64 {
        self.hidden_as_of
    }

    /// Is everybody shown who was there before an entry was folded, as far as that is known?
    pub fn shows_all_since(&self, entry: Seq) -> bool {
        self.hidden == 0 && self.deleted_as_of < entry.get()
    }

    /// It is known that nobody was deleted after this entry and up to the one as of which this
    /// was loaded.
    pub fn knows_deletions_after(&mut self, entry: u64) {
        self.deleted_as_of = self.deleted_as_of.min(entry);
    }

    /// The season that ends next, and on which board.
    pub fn next_border(&self) -> Option<(Timestamp, &BoardId)> {
        self.next_border.as_ref().map(|(border, id)| (*border, id))
    }

    /// The seasons that end then, in the order of their boards' ids.
    pub fn seasons_that_end(&self, border: Timestamp) -> Vec<(&Board, Season)> {
        let seasons = self.boards().filter_map(|it| Some((it, it.season()?)));
        let mut ending: Vec<_> = seasons
            .filter(|(_, season)| season.ends == border)
            .collect();
        ending.sort_unstable_by_key(|(board, _)| board.id());
        ending
    }

    /// A board was created, changed or deleted, or a season has ended.
    fn boards_changed(&mut self) {
        self.boards_version += 1;
        let seasons = self
            .boards()
            .filter_map(|it| Some((it.season()?.ends, it.id())));
        self.next_border = seasons.min().map(|(border, id)| (border, id.clone()));
    }

    /// The number from which a board counts on that is new.
    fn first_seq(&self, id: &BoardId) -> u64 {
        self.deleted.get(id).copied().unwrap_or(0)
    }

    fn index_of(&self, id: &BoardId) -> Option<BoardIndex> {
        self.routes.get(id)?.index
    }

    fn board_at(&self, index: BoardIndex) -> Option<&Board> {
        self.boards.get(index.0 as usize)?.as_ref()
    }

    /// Folds the next entry of the log, and says what it did. Nothing happens with an entry
    /// that was folded already.
    pub fn apply(&mut self, entry: &LogEntry) -> Effects {
        let mut effects = Effects::default();
        if entry.seq.get() <= self.seq {
            return effects;
        }
        self.seq = entry.seq.get();
        let mut fold = Folding {
            seq: entry.seq,
            at: entry.at,
            effects: &mut effects,
        };
        match &entry.fact {
            Fact::UserChanged { user, profile } => self.change_user(*user, profile, &mut fold),
            Fact::UserGrouped { user, team, groups } => {
                if let Some(person) = self.directory.person_mut(*user) {
                    let membership = Membership {
                        team: *team,
                        groups: groups.clone(),
                    };
                    person.membership =
                        (membership != Membership::default()).then(|| Box::new(membership));
                }
            }
            Fact::UserHidden { user, hidden, .. } => self.hide(*user, *hidden, &mut fold),
            Fact::UserDeleted { user } => self.delete_user(*user, &mut fold),
            Fact::TeamChanged { team, profile } => {
                self.directory.put_team(*team, profile);
                if let Some(team) = self.directory.index_of_team(*team) {
                    self.each_board(&mut fold, |board, _| renamed(board, team, true));
                }
            }
            Fact::Action(action) => self.act(action, &mut fold),
            Fact::BoardChanged {
                board,
                settings,
                borders,
            } => self.change_board(board, settings, borders, &mut fold),
            Fact::BoardDeleted { board } => self.delete_board(board, &mut fold),
            Fact::SeasonEnded { board, next } => {
                if let Some(index) = self.index_of(board) {
                    self.end_season(index, *next, &mut fold);
                }
            }
            Fact::TokensRevoked { .. } | Fact::Announced(_) => {}
        }
        effects
    }

    fn change_user(&mut self, user: UserId, profile: &Profile, fold: &mut Folding<'_>) {
        let seq = fold.seq;
        let is_new = self.directory.put_person(user, profile, seq);
        let Some(person) = self.directory.index_of(user) else {
            return;
        };
        self.each_board(fold, |board, _| {
            if is_new {
                placed(board.register(person, seq))
            } else {
                renamed(board, person, false)
            }
        });
    }

    fn delete_user(&mut self, user: UserId, fold: &mut Folding<'_>) {
        let Some(person) = self.directory.index_of(user) else {
            return;
        };
        self.hidden -= usize::from(self.directory.is_hidden(person));
        for board in self
            .boards
            .iter()
            .flatten()
            .filter(|board| board.has(person))
        {
            let teams = board.teams_of(person, &self.directory);
            let removed = StoredChange::Removed(board.id().clone(), user, teams);
            fold.effects.stored.push(removed);
        }
        self.each_board(fold, |board, _| {
            board.delete(person).into_iter().map(What::Placed).collect()
        });
        self.directory.remove_person(user);
        self.hidden_as_of = self.seq;
        self.deleted_as_of = self.seq;
    }

    fn hide(&mut self, user: UserId, hidden: bool, fold: &mut Folding<'_>) {
        let Some(index) = self.directory.index_of(user) else {
            return;
        };
        let Some(person) = self.directory.person_mut(user) else {
            return;
        };
        if person.hidden == hidden {
            return;
        }
        person.hidden = hidden;
        self.hidden_as_of = self.seq;
        match hidden {
            true => self.hidden += 1,
            false => self.hidden -= 1,
        }
        self.each_board(fold, |board, _| {
            let applied = board.hide(index, hidden);
            applied.into_iter().map(What::Placed).collect()
        });
    }

    /// Does something on each board that does not hold the entry. One on which that has an
    /// effect has folded it.
    fn each_board(
        &mut self,
        fold: &mut Folding<'_>,
        mut change: impl FnMut(&mut Board, &Directory) -> Vec<What>,
    ) {
        for board in self.boards.iter_mut().flatten() {
            if board.holds(fold.seq) {
                continue;
            }
            let changes = change(board, &self.directory);
            if !changes.is_empty() {
                fold.touch(board);
                for what in changes {
                    fold.show(board, what);
                }
            }
        }
    }

    fn act(&mut self, action: &Action, fold: &mut Folding<'_>) {
        let directory = &self.directory;
        let Some(person) = directory.index_of(action.user) else {
            return;
        };
        let (Some(route), Some(who)) =
            (self.routes.get(&action.board), directory.person_at(person))
        else {
            return;
        };
        let is_hidden = who.hidden;
        fold.effects.shown.reserve(1 + route.feeds.len());
        fold.effects.stored.reserve(2 * (1 + route.feeds.len()));
        if let Some(index) = route.index
            && let Some(board) = board_mut(&mut self.boards, index)
            && !board.holds(fold.seq)
        {
            let applied = board.set(person, is_hidden, action.scores, fold.seq);
            let standing = board.stored_standing(person, directory);
            let id = board.id().clone();
            let stored = standing.map(|standing| StoredChange::Standing(id, standing));
            fold.acted(board, applied, stored, is_hidden);
        }
        if route.feeds.is_empty() {
            return;
        }
        let team = who.team().and_then(|team| directory.index_of_team(team));
        let points = (action.increase, action.tiebreak_increase);
        for feed in &route.feeds {
            if feed.takes(action, who, fold.at)
                && let Some(board) = board_mut(&mut self.boards, feed.to)
                && !board.holds(fold.seq)
            {
                let applied = board.act(person, is_hidden, team, points, fold.seq);
                let id = board.id().clone();
                let stored = match team {
                    Some(team) if board.settings().is_of_teams() => {
                        let member = board.stored_member(person, team, directory);
                        member.map(|member| StoredChange::Member(id, member))
                    }
                    _ => {
                        let standing = board.stored_standing(person, directory);
                        standing.map(|standing| StoredChange::Standing(id, standing))
                    }
                };
                let counts = team.is_some() || !board.settings().is_of_teams();
                fold.acted(board, applied, stored, is_hidden && counts);
            }
        }
    }

    fn change_board(
        &mut self,
        id: &BoardId,
        settings: &Arc<Settings>,
        borders: &[Timestamp],
        fold: &mut Folding<'_>,
    ) {
        let index = match self.index_of(id) {
            Some(index) => {
                let Some(board) = board_mut(&mut self.boards, index) else {
                    return;
                };
                if board.holds(fold.seq) {
                    return;
                }
                board.change(settings.clone(), borders, &self.directory);
                board.touch(fold.at);
                self.update_feed(index, settings);
                self.update_feeds_of_derived(id);
                index
            }
            None => {
                let seasons = Seasons::of_new(settings, borders);
                let first = self.first_seq(id);
                let board = Board::new(
                    id.clone(),
                    settings.clone(),
                    seasons,
                    first,
                    &self.directory,
                );
                self.add(board)
            }
        };
        self.boards_changed();
        if let Some(board) = self.board_at(index) {
            fold.store(board);
            fold.show(board, What::Changed);
        }
    }

    /// Puts a board as it was stored in the place of the one with its id.
    pub fn put_board(&mut self, stored: StoredBoard) {
        let id = stored.head.id.clone();
        self.add(Board::load(stored, &self.directory));
        self.boards_changed();
        // Those that are derived from it may have come before.
        self.update_feeds_of_derived(&id);
    }

    /// Folds the entry that creates a derived board, which is this one as of that entry.
    pub fn create(&mut self, entry: &LogEntry, stored: StoredBoard) -> Effects {
        let mut effects = Effects::default();
        if entry.seq.get() <= self.seq {
            return effects;
        }
        self.seq = entry.seq.get();
        let index = self.add(Board::load(stored, &self.directory));
        if let Some(board) = self.board_at(index) {
            let mut fold = Folding {
                seq: entry.seq,
                at: entry.at,
                effects: &mut effects,
            };
            fold.store(board);
            fold.show(board, What::Changed);
        }
        self.boards_changed();
        effects
    }

    fn add(&mut self, board: Board) -> BoardIndex {
        let id = board.id().clone();
        let settings = board.settings().clone();
        if let Some(index) = self.index_of(&id) {
            self.boards[index.0 as usize] = Some(board);
            return index;
        }
        let free = self.boards.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.boards.push(None);
            self.boards.len() - 1
        });
        self.boards[index] = Some(board);
        let index = BoardIndex(index as u32);
        self.routes.entry(id).or_default().index = Some(index);
        self.update_feed(index, &settings);
        index
    }

    fn delete_board(&mut self, id: &BoardId, fold: &mut Folding<'_>) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        let board = self.boards[index.0 as usize].take();
        // That it is gone is one more fact of it.
        let first = board.map_or(0, |board| board.seq()) + 1;
        self.deleted.insert(id.clone(), first);
        self.boards_changed();
        if let Some(route) = self.routes.get_mut(id) {
            route.index = None;
        }
        for route in self.routes.values_mut() {
            route.feeds.retain(|feed| feed.to != index);
        }
        self.routes
            .retain(|_, route| route.index.is_some() || !route.feeds.is_empty());
        fold.effects
            .stored
            .push(StoredChange::BoardDeleted(id.clone(), first));
        fold.effects.shown.push(Effect {
            board: id.clone(),
            what: What::Deleted,
        });
    }

    fn end_season(&mut self, index: BoardIndex, next: Option<Timestamp>, fold: &mut Folding<'_>) {
        let directory = &self.directory;
        if let Some(board) = board_mut(&mut self.boards, index)
            && !board.holds(fold.seq)
            && let Some(standings) = board.end_season(fold.seq, next, directory)
        {
            let standings = Arc::new(standings);
            let ended = StoredChange::SeasonEnded {
                board: board.id().clone(),
                standings: standings.clone(),
                goes_on: next.is_some(),
            };
            fold.effects.stored.push(ended);
            fold.touch(board);
            let what = match next {
                Some(_) => What::Ended(standings),
                None => What::Final(standings),
            };
            fold.show(board, what);
            self.boards_changed();
        }
    }
}

fn board_mut(boards: &mut [Option<Board>], index: BoardIndex) -> Option<&mut Board> {
    boards.get_mut(index.0 as usize)?.as_mut()
}

fn placed(applied: Option<Applied>) -> Vec<What> {
    applied.into_iter().map(What::Placed).collect()
}

fn renamed(board: &Board, competitor: Competitor, is_team: bool) -> Vec<What> {
    let shows = board.settings().is_of_teams() == is_team && board.shows(competitor);
    shows
        .then_some(What::Renamed(competitor))
        .into_iter()
        .collect()
}
