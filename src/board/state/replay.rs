//! A derived board that is made after the fact.

use std::{collections::VecDeque, sync::Arc};

use super::{BoardIndex, Effects, State, What, board_mut, effects::Folding};
use crate::board::{
    Board, BoardId, Fact, FinalStandings, LogEntry, Person, Scores, Season, Seasons, Settings,
    StoredBoard, Team, Timestamp, UserId,
};

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
        let first_end = borders.pop_front();
        let seasons = Seasons::of_new(&settings, first_end.as_slice());
        let mut state = State::default();
        let first = in_state.first_seq(&id);
        let board = Board::new(id, settings.clone(), seasons, first, &state.directory);
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
        self.state.hidden += usize::from(person.hidden);
        self.state.directory.add_person(person);
    }

    /// Would it be the same board as another one that was begun at another time? It is not if a
    /// board from which it follows has been changed since.
    pub fn follows_as(&self, other: &Replay) -> bool {
        let feeds = |it: &Replay| {
            it.state
                .routes
                .get(&it.root)
                .map(|route| route.feeds.clone())
        };
        (&self.root, self.first_seq) == (&other.root, other.first_seq)
            && feeds(self) == feeds(other)
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

    /// Adds when seasons end that begin after those that are known, if there are any among
    /// these.
    pub fn add_borders(&mut self, borders: &[Timestamp]) {
        let last = self.last_border();
        let later = borders.iter().filter(|border| Some(**border) > last);
        self.borders.extend(later);
    }

    /// Does it take an entry of this time into the right season? What comes after the last
    /// border that is known may belong to one that is not, unless the board has ended by then.
    pub fn knows(&self, at: Timestamp) -> bool {
        let board = self.state.board_at(self.board);
        let settings = board.map(Board::settings);
        let Some(settings) = settings.filter(|it| it.period().is_some()) else {
            return true;
        };
        let last = self.last_border();
        last == settings.ends || last.is_some_and(|last| at < last)
    }

    fn last_border(&self) -> Option<Timestamp> {
        let running = || self.season().map(|season| season.ends);
        let known = self.borders.back().copied().or_else(running);
        known.or_else(|| self.ends())
    }

    /// When the board ends.
    fn ends(&self) -> Option<Timestamp> {
        self.state.board_at(self.board)?.settings().ends
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
            *board = Board::new(id, settings, board.seasons(), self.first_seq, directory);
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
        while let Some(season) = self.season()
            && season.ends <= entry.at
        {
            let next = self.borders.pop_front();
            if next.is_none() && self.ends() != Some(season.ends) {
                break;
            }
            let mut fold = Folding {
                seq: entry.seq,
                at: season.ends,
                effects: &mut effects,
            };
            self.state.end_season(self.board, next, &mut fold);
        }
        let ended = effects.shown.into_iter();
        let ended = ended.filter_map(|effect| match effect.what {
            What::Ended(standings) | What::Final(standings) => Some(standings),
            _ => None,
        });
        ended.collect()
    }
}
