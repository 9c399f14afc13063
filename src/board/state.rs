//! What the log says: people, teams and boards as of its last entry.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{
    Action, Applied, Board, BoardHead, BoardId, Competitor, Contradiction, Derivation, Directory,
    Fact, FinalStandings, GroupId, LogEntry, Membership, Person, Profile, Scores, Season, Seq,
    Settings, StoredBoard, StoredMember, StoredStanding, Team, TeamId, Timestamp, UserId,
};

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

/// Which actions of a board count on a derived one.
#[derive(Clone, Debug)]
struct Feed {
    to: BoardIndex,
    /// Only these types, if any are named.
    types: Vec<Box<[Box<str>]>>,
    /// Only people in all of these groups.
    groups: Vec<GroupId>,
    starts: Timestamp,
    ends: Timestamp,
}

/// What an entry of the log did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// What others see of it.
    pub shown: Vec<Effect>,
    /// What stores keep of it, in order.
    pub stored: Vec<StoredChange>,
}

/// A change of what a store keeps of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredChange {
    /// All but who stands on it.
    Board(BoardHead),
    /// The board is gone, with all that was kept of it. Another one of this id counts on from
    /// this number.
    BoardDeleted(BoardId, u64),
    /// The season has ended with these standings, and nobody has a result in the new one.
    SeasonEnded(BoardId, Arc<FinalStandings>),
    /// What a person has.
    Standing(BoardId, StoredStanding),
    /// What a person has in a team.
    Member(BoardId, StoredMember),
    /// A person has nothing there any more, nor in these teams.
    Removed(BoardId, UserId, Box<[TeamId]>),
}

impl StoredChange {
    /// The board that has changed.
    pub fn board(&self) -> &BoardId {
        match self {
            StoredChange::Board(head) => &head.id,
            StoredChange::BoardDeleted(board, _)
            | StoredChange::SeasonEnded(board, _)
            | StoredChange::Standing(board, _)
            | StoredChange::Member(board, _)
            | StoredChange::Removed(board, _, _) => board,
        }
    }
}

/// What an entry of the log did that others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// On which board.
    pub board: BoardId,
    /// What.
    pub what: What,
}

/// What an entry of the log did on one board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody was placed, moved or removed.
    Placed(Applied),
    /// Somebody is shown in another way.
    Renamed(Competitor),
    /// A season has ended.
    Ended(Arc<FinalStandings>),
    /// The board was created, or has other settings.
    Changed,
    /// The board is gone.
    Deleted,
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

    /// May this be the settings of this board, which is new or has others now?
    ///
    /// # Errors
    /// If they contradict each other, or what is there.
    pub fn check_settings(&self, id: &BoardId, settings: &Settings) -> Result<(), Contradiction> {
        if let (Some(starts), Some(ends)) = (settings.starts, settings.ends)
            && ends <= starts
        {
            return Err(Contradiction::EndsFirst);
        }
        if settings.is_of_teams() && settings.everyone {
            return Err(Contradiction::EveryoneOfTeams);
        }
        if let Some(derivation) = settings.derivation() {
            self.check_derivation(id, settings, derivation)?;
        }
        let Some(board) = self.board(id) else {
            return Ok(());
        };
        if settings.is_private()
            && let Some(shown) = self
                .derived_from(id)
                .filter(|it| !it.settings().is_private())
                .map(Board::id)
                .min()
        {
            return Err(Contradiction::ShownBy(shown.clone()));
        }
        let before = board.settings();
        let times = |it: &Settings| it.derivation().map(|_| (it.starts, it.ends));
        if before.source != settings.source
            || board.is_used()
                && (before.deciding() != settings.deciding() || times(before) != times(settings))
        {
            return Err(Contradiction::Decided);
        }
        if board.is_used() && before.everyone && !settings.everyone {
            return Err(Contradiction::EveryoneStands);
        }
        Ok(())
    }

    fn check_derivation(
        &self,
        id: &BoardId,
        settings: &Settings,
        derivation: &Derivation,
    ) -> Result<(), Contradiction> {
        if derivation
            .types
            .as_ref()
            .is_some_and(|types| types.is_empty())
        {
            return Err(Contradiction::NoTypes);
        }
        let of = derivation.of.clone();
        if self.ancestors(settings).iter().any(|it| it.of == *id) {
            return Err(Contradiction::Circle(of));
        }
        let Some(parent) = self.board(&of) else {
            return Err(Contradiction::UnknownBoard(of));
        };
        if parent.settings().is_private() && !settings.is_private() {
            return Err(Contradiction::OfPrivate(of));
        }
        if settings.rules.order.tiebreak.is_some()
            && parent.settings().rules.order.tiebreak.is_none()
        {
            return Err(Contradiction::NoTiebreak(of));
        }
        match parent.settings().derivation() {
            Some(it) if it.team.is_some() => Err(Contradiction::OfTeams(of)),
            Some(it) if it.period.is_some() => Err(Contradiction::OfSeasons(of)),
            _ => Ok(()),
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

    /// The season that ends next, and on which board.
    pub fn next_border(&self) -> Option<(Timestamp, &BoardId)> {
        self.next_border.as_ref().map(|(border, id)| (*border, id))
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
            Fact::UserHidden { user, hidden } => self.hide(*user, *hidden, &mut fold),
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
        if let Some(index) = route.index
            && let Some(board) = board_mut(&mut self.boards, index)
            && !board.holds(fold.seq)
        {
            let applied = board.set(person, is_hidden, action.scores, fold.seq);
            let standing = board.stored_standing(person, directory);
            let id = board.id().clone();
            let stored = standing.map(|standing| StoredChange::Standing(id, standing));
            fold.acted(board, applied, stored);
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
                fold.acted(board, applied, stored);
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
                board.change(settings.clone(), &self.directory);
                board.touch(fold.at);
                self.update_feed(index, settings);
                self.update_feeds_of_derived(id);
                index
            }
            None => {
                let season = borders.last().map(|ends| Season {
                    number: u32::try_from(borders.len()).unwrap_or(u32::MAX),
                    ends: *ends,
                });
                let first = self.first_seq(id);
                let board =
                    Board::new(id.clone(), settings.clone(), season, first, &self.directory);
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

    /// From which actions the boards follow that are derived from this one, directly or not: they
    /// take only what it takes.
    fn update_feeds_of_derived(&mut self, id: &BoardId) {
        let follow = |board: &Board| {
            let ancestors = self.ancestors(board.settings());
            ancestors.iter().any(|it| it.of == *id)
        };
        let indices = (0..self.boards.len() as u32).map(BoardIndex);
        let following: Vec<BoardIndex> = indices
            .filter(|index| self.board_at(*index).is_some_and(follow))
            .collect();
        for index in following {
            if let Some(settings) = self.board_at(index).map(|it| it.settings().clone()) {
                self.update_feed(index, &settings);
            }
        }
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

    /// From which actions a derived board follows.
    fn update_feed(&mut self, to: BoardIndex, settings: &Settings) {
        let Some(derivation) = settings.derivation() else {
            return;
        };
        let (root, feed) = self.feed(to, derivation, settings);
        for route in self.routes.values_mut() {
            route.feeds.retain(|feed| feed.to != to);
        }
        self.routes.entry(root).or_default().feeds.push(feed);
    }

    /// A board that is derived from a derived one takes what that one takes of it.
    fn feed(
        &self,
        to: BoardIndex,
        derivation: &Derivation,
        settings: &Settings,
    ) -> (BoardId, Feed) {
        let mut feed = Feed {
            to,
            types: Vec::new(),
            groups: Vec::new(),
            starts: Timestamp::default(),
            ends: Timestamp(u64::MAX),
        };
        let mut root = derivation.of.clone();
        feed.add(derivation, settings);
        while let Some(parent) = self.board(&root)
            && let Some(derivation) = parent.settings().derivation()
        {
            feed.add(derivation, parent.settings());
            root = derivation.of.clone();
        }
        (root, feed)
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

    fn end_season(&mut self, index: BoardIndex, next: Timestamp, fold: &mut Folding<'_>) {
        let directory = &self.directory;
        if let Some(board) = board_mut(&mut self.boards, index)
            && !board.holds(fold.seq)
            && let Some(standings) = board.end_season(fold.seq, next, directory)
        {
            let standings = Arc::new(standings);
            let ended = StoredChange::SeasonEnded(board.id().clone(), standings.clone());
            fold.effects.stored.push(ended);
            fold.touch(board);
            fold.show(board, What::Ended(standings));
            self.boards_changed();
        }
    }
}

/// An entry that is being folded.
struct Folding<'a> {
    seq: Seq,
    at: Timestamp,
    effects: &'a mut Effects,
}

impl Folding<'_> {
    /// The entry is a fact of this board.
    fn touch(&mut self, board: &mut Board) {
        board.touch(self.at);
        self.store(board);
    }

    fn store(&mut self, board: &Board) {
        self.effects.stored.push(StoredChange::Board(board.head()));
    }

    fn show(&mut self, board: &Board, what: What) {
        self.effects.shown.push(Effect {
            board: board.id().clone(),
            what,
        });
    }

    /// Somebody has acted on a board. What was applied, others see.
    fn acted(&mut self, board: &mut Board, applied: Option<Applied>, stored: Option<StoredChange>) {
        self.effects.stored.extend(stored);
        match applied {
            Some(applied) => {
                self.touch(board);
                self.show(board, What::Placed(applied));
            }
            // That it is used is new, perhaps.
            None => self.store(board),
        }
    }
}

impl Feed {
    /// Takes only what a board with these settings takes.
    fn add(&mut self, derivation: &Derivation, settings: &Settings) {
        self.types.extend(derivation.types.clone());
        self.groups.extend(derivation.group.clone());
        let starts = [
            settings.starts,
            derivation.period.as_ref().and_then(|it| it.starts),
        ];
        let starts = starts.into_iter().flatten();
        self.starts = starts.fold(self.starts, Timestamp::max);
        self.ends = settings.ends.map_or(self.ends, |ends| self.ends.min(ends));
    }

    fn takes(&self, action: &Action, who: &Person, at: Timestamp) -> bool {
        let has_type = |types: &[Box<str>]| types.contains(&action.action_type);
        (self.starts..self.ends).contains(&at)
            && self.types.iter().all(|types| has_type(types))
            && self.groups.iter().all(|group| who.groups().contains(group))
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

/// Makes a derived board from the log, as it would be had it been there from the start.
#[derive(Clone, Debug)]
pub struct Replay {
    state: State,
    board: BoardIndex,
    /// The board whose actions it counts.
    root: BoardId,
    /// The number from which it counts.
    first_seq: u64,
    /// Was that deleted, and may be another one since?
    begins_anew: bool,
    /// When the seasons end that are still to end.
    borders: VecDeque<Timestamp>,
}

impl Replay {
    /// Of a board with these settings that is to be derived in this state. Its seasons end
    /// at `borders`, of which the last is still to come.
    pub fn new(
        id: BoardId,
        settings: Arc<Settings>,
        borders: Vec<Timestamp>,
        in_state: &State,
    ) -> Replay {
        let mut borders = VecDeque::from(borders);
        let season = borders.pop_front().map(|ends| Season { number: 1, ends });
        let mut state = State::default();
        let first = in_state.first_seq(&id);
        let board = Board::new(id, settings.clone(), season, first, &state.directory);
        let index = BoardIndex(0);
        state.routes.entry(board.id().clone()).or_default().index = Some(index);
        state.boards.push(Some(board));
        let mut root = BoardId::default();
        if let Some(derivation) = settings.derivation() {
            let feed;
            (root, feed) = in_state.feed(index, derivation, &settings);
            state
                .routes
                .entry(root.clone())
                .or_default()
                .feeds
                .push(feed);
        }
        Replay {
            root,
            first_seq: first,
            begins_anew: false,
            state,
            board: index,
            borders,
        }
    }

    /// Adds somebody who was registered before the first entry that is folded.
    pub fn add_person(&mut self, person: Person) {
        self.state.directory.add_person(person);
    }

    /// The board whose actions it counts.
    pub fn root(&self) -> &BoardId {
        &self.root
    }

    /// How many facts it holds.
    pub fn seq(&self) -> u64 {
        self.state.board_at(self.board).map_or(0, Board::seq)
    }

    /// The season that it is in.
    pub fn season(&self) -> Option<Season> {
        self.state.board_at(self.board).and_then(Board::season)
    }

    /// What a person has on it, if it is a board of people.
    pub fn scores_of(&self, user: UserId) -> Option<Scores> {
        let person = self.state.directory.index_of(user)?;
        self.state.board_at(self.board)?.scores_of(person)
    }

    /// Adds a team that was registered before the first entry that is folded.
    pub fn add_team(&mut self, team: Team) {
        self.state.directory.add_team(team);
    }

    /// Adds when later seasons end.
    pub fn add_borders(&mut self, borders: &[Timestamp]) {
        self.borders.extend(borders);
    }

    /// Folds the next entry, and says which seasons have ended.
    pub fn apply(&mut self, entry: &LogEntry) -> Vec<Arc<FinalStandings>> {
        let ended = self.end_seasons(entry);
        if let Fact::BoardDeleted { board } = &entry.fact
            && *board == self.root
        {
            self.begin_anew();
        }
        // Boards of the log are not made here.
        let is_of_boards = matches!(
            entry.fact,
            Fact::BoardChanged { .. } | Fact::BoardDeleted { .. } | Fact::SeasonEnded { .. }
        );
        if !is_of_boards {
            self.state.apply(entry);
        }
        ended
    }

    /// Was the board deleted whose actions it counts, since this was asked last? What is there
    /// now is another one of its name, so nothing counts of what was before.
    pub fn begins_anew(&mut self) -> bool {
        std::mem::take(&mut self.begins_anew)
    }

    fn begin_anew(&mut self) {
        self.begins_anew = true;
        let directory = &self.state.directory;
        if let Some(board) = board_mut(&mut self.state.boards, self.board) {
            let settings = board.settings().clone();
            let id = board.id().clone();
            *board = Board::new(id, settings, board.season(), self.first_seq, directory);
        }
    }

    /// The board as of the entry that creates it, when all before have been folded, and which
    /// seasons have ended since the last of those.
    pub fn finish(mut self, created: &LogEntry) -> Option<(StoredBoard, Vec<Arc<FinalStandings>>)> {
        let ended = self.end_seasons(created);
        let board = self.state.board_at(self.board)?;
        let board = StoredBoard {
            as_of: created.seq.get(),
            ..board.stored(&self.state.directory)
        };
        Some((board, ended))
    }

    /// Ends the seasons that have ended when an entry was taken.
    fn end_seasons(&mut self, entry: &LogEntry) -> Vec<Arc<FinalStandings>> {
        let mut effects = Effects::default();
        while let Some(season) = self.state.board_at(self.board).and_then(Board::season)
            && season.ends <= entry.at
            && let Some(next) = self.borders.pop_front()
        {
            let mut fold = Folding {
                seq: entry.seq,
                at: season.ends,
                effects: &mut effects,
            };
            self.state.end_season(self.board, next, &mut fold);
        }
        let ended = effects.shown.into_iter();
        let ended = ended.filter_map(|effect| match effect.what {
            What::Ended(standings) => Some(standings),
            _ => None,
        });
        ended.collect()
    }
}
