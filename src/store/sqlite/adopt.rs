//! An operator decides that a file goes on with what is left in it.

use std::{
    fmt,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rand::RngExt;
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    database::opening,
    file::{beside, resolve, writable},
    inspect::{self, Found},
    marker::{Marker, Note},
    problem::Problem,
    schema,
};
use crate::{board::BoardId, clock, store::StoreError};

/// What is left of a file, and what going on with that would give up. The file is locked,
/// and nothing was changed in it.
pub struct Survey {
    path: PathBuf,
    marker: Marker,
    /// What is wrong, and what would be done about it, in this order.
    steps: Vec<(Problem, Step)>,
}

/// What is done about a problem. Nothing is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// What is beside the file gets another name.
    SetAside(&'static str, PathBuf),
    /// It is forgotten that there was a board.
    Forget,
    /// A board goes on with what is in the file, in a new epoch.
    Renew(BoardId),
}

impl Survey {
    /// Looks at a file.
    ///
    /// # Errors
    /// If it is in use, or not a file that can be gone on with.
    pub fn take(path: &Path) -> Result<Survey, StoreError> {
        let path = &resolve(path).map_err(|source| writable(path, source))?;
        if inspect::is_nothing(path)? {
            return Err(Problem::Nothing.in_file(path));
        }
        inspect::head(path)?;
        let marker = Marker::lock(path)?;
        let mut steps = Vec::new();
        let mut note = marker.note.clone();
        let mut found = inspect::outside(path, &note)?;
        if let Ok(log @ (Found::WithUnknownLog | Found::Changed)) = found {
            let inside = connect(path)
                .and_then(|connection| inspect::inside(&connection, path, &note, log))
                .map_err(|error| opening(path, error))?;
            if let Err(problem @ (Problem::ForeignWal | Problem::Mixed(_))) = inside {
                found = Err(problem);
            }
        }
        match found {
            Ok(Found::Nothing) => return Err(Problem::Nothing.in_file(path)),
            Ok(Found::Database | Found::WithUnknownLog | Found::Changed) => {
                let connection = connect(path).map_err(|error| opening(path, error))?;
                look_inside(&connection, path, &mut note, &mut steps)?;
            }
            Err(problem @ (Problem::ForeignWal | Problem::Mixed(_))) => {
                steps.push((problem, Step::set_aside(path, "-wal")));
                let connection = connect_alone(path).map_err(|error| opening(path, error))?;
                look_inside(&connection, path, &mut note, &mut steps)?;
            }
            Err(Problem::Left(suffix)) => {
                steps.push((Problem::Left(suffix), Step::set_aside(path, suffix)));
                if note.entries() > 0 {
                    steps.push((Problem::Missing(note.entries()), Step::Forget));
                }
            }
            Err(problem @ (Problem::Missing(_) | Problem::Empty(_))) => {
                steps.push((problem, Step::Forget));
            }
            Err(problem) => return Err(problem.in_file(path)),
        }
        Ok(Survey {
            path: path.to_owned(),
            marker,
            steps,
        })
    }

    /// Is the file as it was left, so that there is nothing to decide?
    pub fn is_fine(&self) -> bool {
        self.steps.is_empty()
    }

    /// Does what the survey lists.
    ///
    /// # Errors
    /// If the system or the database refuses. What was done until then stays.
    pub fn adopt(self) -> Result<(), StoreError> {
        let Survey {
            path,
            mut marker,
            steps,
        } = self;
        let mut renewed = Vec::new();
        for (_, step) in steps {
            match step {
                Step::SetAside(suffix, aside) => {
                    let file = beside(&path, suffix);
                    std::fs::rename(&file, aside).map_err(|source| writable(&file, source))?;
                }
                Step::Forget => {
                    marker.note = Note {
                        is_noted: true,
                        ..Note::default()
                    }
                }
                Step::Renew(board) => renewed.push(board),
            }
        }
        // The note last: until then no start takes what is left for the board that was there.
        if !renewed.is_empty() {
            renew(&path).map_err(|error| opening(&path, error))?;
            (marker.note.wal, marker.note.file) = (None, None);
        }
        for board in &renewed {
            marker.note.forget(board);
        }
        marker.sync().map_err(|source| writable(&path, source))
    }
}

/// Begins a new epoch.
fn renew(path: &Path) -> Result<(), StoreError> {
    let mut connection = connect(path)?;
    let transaction = connection.transaction()?;
    schema::renew(&transaction, rand::rng().random())?;
    transaction.commit()?;
    schema::mark(&connection, schema::APPLICATION)?;
    // To close it writes the log back.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

impl Step {
    fn set_aside(path: &Path, suffix: &'static str) -> Step {
        let name = format!("{suffix}.aside-{}", clock::now().0);
        Step::SetAside(suffix, beside(path, &name))
    }
}

/// What boards would give up, each after the other.
fn look_inside(
    connection: &Connection,
    path: &Path,
    note: &mut Note,
    steps: &mut Vec<(Problem, Step)>,
) -> Result<(), StoreError> {
    loop {
        let inside = inspect::inside(connection, path, note, Found::Database);
        let problem = match inside.map_err(|error| opening(path, error))? {
            Ok(()) => return Ok(()),
            Err(problem) => problem,
        };
        match problem {
            Problem::LogLost(_) | Problem::EmptyWithoutLog => {
                steps.push((problem, Step::Forget));
                return Ok(());
            }
            Problem::WithoutLog => {
                let end = schema::log_end(connection).map_err(|error| opening(path, error))?;
                let step = Step::Renew(BoardId::default());
                if end.is_some() && !steps.iter().any(|(_, known)| *known == step) {
                    steps.push((problem.clone(), step));
                }
                return Ok(());
            }
            _ => {}
        }
        let name = match &problem {
            Problem::Older { board, .. } | Problem::OtherBoard(board) | Problem::NoBoard(board) => {
                BoardId::new(board)
            }
            _ => None,
        };
        let Some(name) = name else {
            return Err(problem.in_file(path));
        };
        note.forget(&name);
        steps.push((problem, Step::Renew(name)));
    }
}

/// Reads a file with its write-ahead log, and writes nothing.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Reads a file without what is beside it.
fn connect_alone(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path: String = path.as_os_str().as_bytes().iter().map(encode).collect();
    Ok(Connection::open_with_flags(
        format!("file:{path}?immutable=1"),
        flags,
    )?)
}

/// A byte of a path, in a URI.
fn encode(byte: &u8) -> String {
    if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
        char::from(*byte).into()
    } else {
        format!("%{byte:02X}")
    }
}

/// What is wrong, and what would be done about it.
impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.is_fine() {
            return write!(
                f,
                "{path} is as Podium left it: there is nothing to decide."
            );
        }
        writeln!(f, "What is wrong with {path}:")?;
        for (problem, _) in &self.steps {
            writeln!(f, "- {problem}")?;
        }
        write!(f, "What is done about it with --yes; no file is deleted:")?;
        for (problem, step) in &self.steps {
            write!(f, "\n- ")?;
            match (step, problem) {
                (Step::SetAside(suffix, aside), _) => {
                    write!(f, "{path}{suffix} is renamed to {}", aside.display())?;
                }
                (Step::Forget, _) => write!(
                    f,
                    "the board is given up, and the next start begins with an empty one"
                )?,
                (
                    Step::Renew(_),
                    Problem::Older {
                        board,
                        found,
                        noted,
                    },
                ) => write!(
                    f,
                    "the board {board} goes on after entry {found}, in a new epoch; entries {} to \
                     {noted} are given up, and their actions count again if they are sent again",
                    found + 1
                )?,
                (Step::Renew(board), Problem::NoBoard(_)) => write!(
                    f,
                    "the board {board} is given up, and the next start begins with an empty one"
                )?,
                (Step::Renew(board), _) => write!(
                    f,
                    "the board {board} goes on as it is in the file, in a new epoch"
                )?,
            }
        }
        Ok(())
    }
}
