//! Moving all boards from one store to another.
//!
//! A source gives what it stores of a board, record by record, and a target writes what
//! it would have retained of that itself. A target is claimed before it is written to, and
//! set free when all that was written has been read back and compared: between, nobody
//! can open the board there. So a migration may end at any moment, and be run again.

use super::{
    Opened, StoreError, StoreUrl,
    digests::Digests,
    records::{Head, Record},
    source::Source,
    target::Target,
};
use crate::board::{BoardId, BoardView, Epoch, Settings, State};

/// Records between two reports of progress.
const REPORT: u64 = 10_000;

/// A board to be moved between an SQLite file and Redis, in either direction.
#[derive(Clone, Debug)]
pub struct Migration {
    /// Where it is. Nothing is deleted there.
    pub from: StoreUrl,
    /// Where it shall be.
    pub to: StoreUrl,
    /// What `main` becomes if what is there is of an early form.
    pub main: Settings,
    /// Whether a board that is whole may be replaced at the target. Then a new epoch
    /// begins, because somebody may have watched that board.
    pub replace: bool,
}

/// How far a migration has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The board was loaded from the source.
    Loaded {
        /// Users.
        users: usize,
        /// The last entry of the log.
        seq: u64,
    },
    /// So many records were read from the source, and written if the target retains them.
    Moved(u64),
    /// So many records were read back from the target.
    Checked(u64),
}

/// What was moved of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many are at the target now.
    pub moved: u64,
    /// How many are not, because the target does not retain so many, or so old ones.
    pub left_out: u64,
}

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Users, with profile, team and groups.
    pub users: Count,
    /// Teams and boards, with all that anybody has on them.
    pub boards: Count,
    /// Entries of the log.
    pub entries: Count,
    /// Points of users' histories.
    pub points: Count,
    /// Ids of actions, with the answers to them.
    pub actions: Count,
    /// Announcements.
    pub announcements: Count,
    /// Users with revoked tokens.
    pub revocations: Count,
    /// Actions that count against limits of their types.
    pub limited: Count,
}

/// Why a board was not moved. The source is as it was.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A store cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The two stores are of one kind.
    #[error(
        "{from} and {to} are stores of one kind, and boards are moved between an SQLite file and \
         Redis: say the two with --from and --to"
    )]
    SameKind {
        /// The source.
        from: String,
        /// The target.
        to: String,
    },
    /// There is nothing to be moved.
    #[error("there is nothing in {store}: is that the right place for --from?")]
    NoBoard {
        /// The source.
        store: String,
    },
    /// The target has been played on.
    #[error(
        "{store} has boards of its own: choose another place, or throw those away with --replace"
    )]
    HasBoard {
        /// The target.
        store: String,
    },
    /// Somebody wrote to the source.
    #[error(
        "{0} was written to meanwhile: stop all nodes that use it, and run podium migrate again"
    )]
    InUse(String),
    /// What was read back is not what was written.
    #[error("{store} does not say what was written to it ({what}): run podium migrate again")]
    Differs {
        /// The target.
        store: String,
        /// What is different.
        what: String,
    },
}

impl Migration {
    /// Moves the board, and checks that all of it is there. A target that was left
    /// unfinished is written from the start.
    ///
    /// # Errors
    /// If a store cannot be used, the target has a board of its own, the source is
    /// written to, or the boards differ in the end. Unless the target was refused, it
    /// stays closed until a later run is through.
    pub async fn run(&self, mut progress: impl FnMut(Progress)) -> Result<Summary, MigrateError> {
        if matches!(
            (&self.from, &self.to),
            (StoreUrl::Sqlite(_), StoreUrl::Sqlite(_)) | (StoreUrl::Redis(_), StoreUrl::Redis(_))
        ) {
            return Err(MigrateError::SameKind {
                from: self.from.to_string(),
                to: self.to.to_string(),
            });
        }
        let (opened, mut source) = self.open_source().await?;
        progress(Progress::Loaded {
            users: opened.state.directory().len(),
            seq: opened.state.seq(),
        });
        let head = Head {
            epoch: opened.epoch,
            seq: opened.state.seq(),
        };
        let mut target = self.claim_target(head).await?;

        let lasting = target.lasting();
        let mut summary = Summary::default();
        let mut written = Digests::default();
        let mut read = 0;
        source
            .read(async |record| {
                read += 1;
                if read % REPORT == 0 {
                    progress(Progress::Moved(read));
                }
                let all = record.len();
                let count = summary.count(&record);
                let retained = target.retain(record);
                let moved = retained.as_ref().map_or(0, Record::len);
                count.moved += moved;
                count.left_out += all - moved;
                match retained {
                    Some(record) => {
                        written.add(&record, lasting);
                        target.write(record).await
                    }
                    None => Ok(()),
                }
            })
            .await?;
        if !source.is_as_it_was().await? {
            return Err(MigrateError::InUse(self.from.to_string()));
        }
        let loaded = target.complete().await?;
        self.check_boards(&opened, &loaded, target.epoch())?;

        let mut found = Digests::default();
        let mut checked = 0;
        target
            .read(async |record| {
                checked += 1;
                if checked % REPORT == 0 {
                    progress(Progress::Checked(checked));
                }
                found.add(&record, lasting);
                Ok(())
            })
            .await?;
        let missing = written.missing_in(found);
        if missing > 0 {
            return Err(self.differs(format!("{missing} records are missing or others")));
        }
        target.set_free().await?;
        Ok(summary)
    }

    async fn open_source(&self) -> Result<(Opened, Source), MigrateError> {
        let found = Source::open(&self.from, &self.main).await?;
        found.ok_or_else(|| MigrateError::NoBoard {
            store: self.from.to_string(),
        })
    }

    async fn claim_target(&self, head: Head) -> Result<Target, MigrateError> {
        let claimed = Target::claim(&self.to, &self.main, head, self.replace).await?;
        claimed.ok_or_else(|| MigrateError::HasBoard {
            store: self.to.to_string(),
        })
    }

    fn check_boards(
        &self,
        source: &Opened,
        target: &Opened,
        epoch: Epoch,
    ) -> Result<(), MigrateError> {
        if target.epoch != epoch {
            return Err(self.differs("its epoch is another".into()));
        }
        difference(&source.state, &target.state).map_or(Ok(()), |what| Err(self.differs(what)))
    }

    fn differs(&self, what: String) -> MigrateError {
        MigrateError::Differs {
            store: self.to.to_string(),
            what,
        }
    }
}

/// In what two states differ that should be the same.
fn difference(source: &State, target: &State) -> Option<String> {
    if source.seq() != target.seq() {
        let (found, wanted) = (target.seq(), source.seq());
        return Some(format!("its last entry is {found}, and not {wanted}"));
    }
    let ids = |state: &State| {
        let mut ids: Vec<BoardId> = state.boards().map(|board| board.id().clone()).collect();
        ids.sort();
        ids
    };
    if ids(source) != ids(target) {
        return Some("it has other boards".into());
    }
    let mut boards = source.boards().map(|board| board.id());
    boards.find_map(|id| board_difference(id, source.view(id)?, target.view(id)?))
}

fn board_difference(id: &BoardId, source: BoardView<'_>, target: BoardView<'_>) -> Option<String> {
    if source.board().head() != target.board().head() {
        return Some(format!(
            "the board {id} is as of another entry, or has other settings"
        ));
    }
    if source.len() != target.len() {
        return Some(format!(
            "{} are ranked on the board {id}, and not {}",
            target.len(),
            source.len()
        ));
    }
    let rows = source.rows(0..usize::MAX).zip(target.rows(0..usize::MAX));
    let row = rows.enumerate().find(|(_, (one, other))| one != other)?.0;
    Some(format!(
        "the row at position {} of the board {id} is another",
        row + 1
    ))
}

impl Summary {
    fn count(&mut self, record: &Record) -> &mut Count {
        match record {
            Record::Person(_) => &mut self.users,
            Record::Team(_)
            | Record::Board(_)
            | Record::Standing(..)
            | Record::TeamMember(..)
            | Record::Final(..)
            | Record::Deleted(..) => &mut self.boards,
            Record::Entry(..) => &mut self.entries,
            Record::History(..) => &mut self.points,
            Record::Counted(_) => &mut self.actions,
            Record::Announced(..) => &mut self.announcements,
            Record::Revoked(..) => &mut self.revocations,
            Record::Limited(_) => &mut self.limited,
        }
    }
}
