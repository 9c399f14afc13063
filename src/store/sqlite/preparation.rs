//! A derived board that is made after the fact: it is folded from the log. That takes its
//! time, so most of it is read beside the writer, and the last entries by the writer itself.

use std::{collections::HashMap, sync::Arc};

use rusqlite::Connection;

use super::{
    facts::{self, ENTRY},
    load, tables,
};
use crate::{
    board::{
        BoardId, FinalStandings, LogEntry, Replay, Settings, State, StoredBoard, Timestamp, UserId,
    },
    store::StoreError,
};

/// Entries that are read at once: some tens of milliseconds.
const PIECE: usize = 4096;

/// See the module.
pub(super) struct Preparation {
    id: BoardId,
    replay: Replay,
    progress: Progress,
    /// What the log says first of who is hidden, if it does not begin with its first entry.
    first_hidden: HashMap<UserId, bool>,
    /// As far as the log was folded.
    folded: u64,
    seasons: Vec<Arc<FinalStandings>>,
}

/// What has been read.
enum Progress {
    Nothing,
    /// People up to this one of whom the log does not know how they were registered.
    People(UserId),
    /// All that was before the log.
    Before,
}

impl Preparation {
    pub(super) fn new(
        id: BoardId,
        settings: Arc<Settings>,
        borders: Vec<Timestamp>,
        state: &State,
    ) -> Preparation {
        Preparation {
            replay: Replay::new(id.clone(), settings, borders, state),
            id,
            progress: Progress::Nothing,
            first_hidden: HashMap::new(),
            folded: 0,
            seasons: Vec::new(),
        }
    }

    /// With the seasons that have begun meanwhile; nothing if it would be another board now.
    pub(super) fn renewed(mut self, new: &Preparation, borders: &[Timestamp]) -> Option<Self> {
        self.replay.add_borders(borders);
        self.replay.follows_as(&new.replay).then_some(self)
    }

    /// Reads the next piece of what the board follows from. Says whether that was all.
    pub(super) fn read_piece(&mut self, connection: &Connection) -> Result<bool, StoreError> {
        let after = match self.progress {
            Progress::Before => return self.read_log(connection),
            Progress::Nothing => {
                self.folded = load::last_gap(connection)?;
                if self.folded == 0 {
                    self.progress = Progress::Before;
                    return Ok(false);
                }
                let teams = load::teams(connection)?;
                teams
                    .into_iter()
                    .for_each(|team| self.replay.add_team(team));
                self.first_hidden = load::first_hidden(connection)?;
                UserId([0; 16])
            }
            Progress::People(user) => user,
        };
        let people = load::people_before_log(connection, after, PIECE)?;
        self.progress = match people.last() {
            Some(last) => Progress::People(last.id),
            None => Progress::Before,
        };
        for mut person in people {
            if let Some(hidden) = self.first_hidden.get(&person.id) {
                person.hidden = !hidden;
            }
            self.replay.add_person(person);
        }
        Ok(false)
    }

    fn read_log(&mut self, connection: &Connection) -> Result<bool, StoreError> {
        let sql = "SELECT ifnull(max(seq), 0) FROM log";
        let last: u64 = connection.query_row(sql, [], |row| row.get(0))?;
        // What is about no board may be much.
        let sql = format!(
            "SELECT {ENTRY} FROM log WHERE seq > ?1 AND kind NOT IN ('revoked', 'announced')
             ORDER BY seq LIMIT ?2"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([self.folded, PIECE as u64])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let entry = facts::read(connection, row)?;
            if !self.replay.knows(entry.at) {
                return Ok(true);
            }
            self.seasons.extend(self.replay.apply(&entry));
            if self.replay.begins_anew() {
                for standings in &mut self.seasons {
                    *standings = Arc::new(standings.without_rows());
                }
            }
            self.folded = entry.seq.get();
            count += 1;
        }
        let is_all = count < PIECE;
        if is_all {
            self.folded = self.folded.max(last);
        }
        Ok(is_all)
    }

    /// The board as of the entry that creates it, which is the last in the log. Its seasons
    /// that have ended are written.
    pub(super) fn finish(
        mut self,
        connection: &Connection,
        created: &LogEntry,
    ) -> Result<StoredBoard, StoreError> {
        while !self.read_piece(connection)? {}
        let finished = self.replay.finish(created);
        let (board, ended) = finished.ok_or(StoreError::Damaged("a board that is not there"))?;
        for standings in self.seasons.iter().chain(&ended) {
            tables::write_final(connection, &self.id, standings)?;
        }
        Ok(board)
    }
}
