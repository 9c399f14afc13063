//! `podium import`: people and their results from a file, as people have it.
//!
//! The file is read to its end before anything is written, so that a mistake in its last
//! line leaves the board as it was; then it is read again and written, row by row, so
//! that a file of any length takes no more memory than its people do. Running an import
//! again is harmless, also after one that was stopped: what is on the board already
//! counts once.

mod columns;
mod csv;
mod decode;
mod ndjson;
mod plan;
mod preview;
mod problem;
mod row;
#[cfg(test)]
mod tests;
mod whole;
mod workbook;

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Seek, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use parking_lot::Mutex;
use tokio::runtime::Runtime;

use super::{CliError, ConfigFile};
use crate::{
    board::{BoardId, LogEntry, State, StoredBoard},
    config::Tables,
    store::{self, ActionId, Command, Fold, Folded, Opened, Outcome, Refusal, Store, peek::Peek},
};
use columns::Item;
use plan::{ListId, Planned, Planner};
use preview::Preview;
use problem::{Problem, Problems};

/// Rows in one request to the store.
const BATCH: usize = 1000;
/// Rows of a file about which progress is reported.
const LARGE: u64 = 5000;
/// Between two lines about how far it has come.
const PAUSE: Duration = Duration::from_secs(2);

/// Put people and their results from a file on the board.
///
/// A table (.csv, .tsv, .txt or .xlsx) has a first line that names its columns, in any
/// case and order: userId or externalId or neither, username (or name), avatar, actionId,
/// actionType, scoreIncrease (or points). Separators may be commas, semicolons or tabs. A
/// file of JSON lines (.ndjson, .jsonl) has the same names.
///
/// People are the same ones whenever they are imported: by userId, by externalId (your own
/// number for them), or else by name. A bare name means who was made of it by an earlier
/// import, else the one who is called so on the board, else somebody new; people of one
/// name need an externalId.
///
/// A row without an actionId counts once in its list, which is called as the file, but for
/// the ending. So a file can be imported again after it got more rows, or after an import
/// was stopped. New results in a file of the same name need another --list.
#[derive(Args, Debug)]
pub(super) struct Import {
    /// A file whose name ends in .csv, .tsv, .txt, .xlsx, .ndjson or .jsonl.
    file: PathBuf,
    /// Say who is new, who is known, and what each row would do, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// On which board results count.
    #[arg(long, value_name = "BOARD", default_value = "main", value_parser = board_id)]
    board: BoardId,
    /// What the list is called in which rows without an actionId count once [default: the
    /// name of the file without its ending].
    #[arg(long, value_name = "NAME")]
    list: Option<String>,
    /// Which sheet of a workbook is meant [default: the first].
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Columns to leave out, with commas between.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    ignore: Vec<String>,
    #[command(flatten)]
    config: ConfigFile,
}

/// Why a file was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The name says nothing about the form.
    #[error(
        "{0}: the name must end in .csv, .tsv, .txt, .xlsx, .ndjson or .jsonl; save other tables as \
         CSV UTF-8"
    )]
    UnknownForm(PathBuf),
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file as a whole is not what it should be. Nothing was imported.
    #[error("{path}: {problem}; nothing was imported")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Results cannot count on the board. Nothing was imported.
    #[error("--board: {0}; nothing was imported")]
    Board(Refusal),
    /// Lines cannot be read. Nothing was imported.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// Rows would be refused.
    #[error("{refused} of {all} lines would be refused; nothing was changed")]
    WouldRefuse {
        /// How many.
        refused: u64,
        /// Of how many.
        all: u64,
    },
    /// Rows were refused; all others were imported.
    #[error("{refused} of {all} lines were refused; the others are on the board")]
    Refused {
        /// How many.
        refused: u64,
        /// Of how many.
        all: u64,
    },
    /// The file was written to while it was imported.
    #[error(
        "{0} was changed while it was imported, and only a part of it is on the board: import it \
         again, nothing counts twice"
    )]
    Changed(PathBuf),
    /// The store failed on the way.
    #[error("{source}. {done} lines are on the board: import the file again, nothing counts twice")]
    Stopped {
        /// Rows that were written.
        done: u64,
        /// What the store said.
        source: store::StoreError,
    },
}

/// All lines of a file that cannot be read.
#[derive(Debug)]
pub struct Mistakes {
    path: PathBuf,
    problems: Problems,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if let ([problem], 0) = (self.problems.shown(), self.problems.others()) {
            return write!(f, "{path}, {problem}; nothing was imported");
        }
        let total = self.problems.total();
        write!(f, "{path} has {total} mistakes; nothing was imported")?;
        for problem in self.problems.shown() {
            write!(f, "\n{path}, {problem}")?;
        }
        match self.problems.others() {
            0 => Ok(()),
            others => write!(f, "\nand {others} more"),
        }
    }
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Why a file cannot be read on.
#[derive(Debug)]
enum Fault {
    Io(io::Error),
    /// It is not of the form that its name says.
    Form(&'static str),
    /// It is no workbook that can be read, for this reason.
    Workbook(String),
    /// It has no sheet of that name, but these.
    NoSheet(Vec<String>),
    /// There is nothing in it, or nothing but its first line.
    Nothing,
    Problem(Problem),
    Problems(Vec<Problem>),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Io(error)
    }
}

/// Takes what a reader meets, until it breaks.
type Each<'a> = &'a mut dyn FnMut(Item<'_>) -> ControlFlow<()>;

/// The forms that a file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Table,
    Lines,
    Workbook,
}

impl Form {
    fn of(path: &Path) -> Option<Form> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "csv" | "tsv" | "tab" | "txt" => Some(Form::Table),
            "ndjson" | "jsonl" => Some(Form::Lines),
            "xlsx" | "xlsm" => Some(Form::Workbook),
            _ => None,
        }
    }
}

/// What an import has come to.
#[derive(Default)]
struct Count {
    /// Rows with something in them.
    rows: u64,
    empty: u64,
    added: u64,
    known: u64,
    refused: u64,
    /// Of those that were known, the ones whose ids were made of the list.
    known_in_list: u64,
    new_people: u64,
    known_people: u64,
    /// Rows by name alone about somebody of an earlier row.
    again_by_name: u64,
}

fn board_id(text: &str) -> Result<BoardId, &'static str> {
    BoardId::new(text).ok_or("1 to 63 of a-z, 0-9 and -, not beginning with -")
}

/// A file that is imported.
struct Job {
    path: PathBuf,
    file: File,
    form: Form,
    sheet: Option<String>,
    ignored: Vec<String>,
    /// On which board results count.
    board: BoardId,
    list: ListId,
    list_name: String,
    public_url: String,
}

impl Import {
    pub(super) fn run(self) -> Result<(), CliError> {
        let config = self.config.load()?;
        let job = Job::new(&self, &config.tables)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let rows = job.check(&config.tables, &runtime, self.dry_run)?;
        if self.dry_run {
            return Ok(());
        }
        let (opened, store) = runtime.block_on(async {
            let tables = &config.tables;
            let (opened, ready) = store::open(&tables.store.url, &tables.main()).await?;
            let state = SharedState(Arc::new(Mutex::new(opened.state)));
            let store = ready.start(state.clone())?;
            Ok::<_, store::StoreError>((state, store))
        })?;
        let result = job.write(&opened, &*store, &runtime, rows);
        runtime.block_on(store.close());
        result
    }
}

impl Job {
    fn new(import: &Import, tables: &Tables) -> Result<Job, ImportError> {
        let path = import.file.clone();
        let form = Form::of(&path).ok_or_else(|| ImportError::UnknownForm(path.clone()))?;
        let unusable = |problem: &str| ImportError::Unusable {
            path: path.clone(),
            problem: problem.into(),
        };
        if import.sheet.is_some() && form != Form::Workbook {
            return Err(unusable("--sheet is for workbooks (.xlsx)"));
        }
        let unreadable = |source| ImportError::Unreadable {
            path: path.clone(),
            source,
        };
        // It is read twice; to open a pipe would wait for who writes to it.
        if !fs::metadata(&path).map_err(unreadable)?.is_file() {
            return Err(unusable("this is no file"));
        }
        let file = File::open(&path).map_err(unreadable)?;
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        let list_name = import.list.clone().or(stem).unwrap_or_default();
        Ok(Job {
            form,
            file,
            sheet: import.sheet.clone(),
            ignored: import.ignore.clone(),
            board: import.board.clone(),
            list: ListId::new(&list_name),
            list_name,
            public_url: tables.http.public_url.clone(),
            path,
        })
    }

    /// Do actions count on the board?
    fn check_board(&self, state: &State) -> Result<(), ImportError> {
        let id = &self.board;
        let derived = |of: &BoardId| Refusal::Derived {
            board: id.clone(),
            of: of.clone(),
        };
        let refusal = match state.board(id) {
            Some(board) => board.settings().derivation().map(|it| derived(&it.of)),
            // A new log has none yet, and begins with that one.
            None if *id == BoardId::default() => None,
            None => Some(Refusal::UnknownBoard(id.clone())),
        };
        refusal.map_or(Ok(()), |refusal| Err(ImportError::Board(refusal)))
    }

    fn read(&self, each: Each<'_>) -> Result<(), ImportError> {
        let result = self.try_read(each);
        let unusable = |problem: String| ImportError::Unusable {
            path: self.path.clone(),
            problem,
        };
        result.map_err(|fault| match fault {
            Fault::Io(source) => ImportError::Unreadable {
                path: self.path.clone(),
                source,
            },
            Fault::Form(problem) => unusable(problem.into()),
            Fault::Workbook(reason) => unusable(format!(
                "this is no workbook that can be read (.xlsx), or it has a password: save it anew \
                 without one, or save it as CSV UTF-8 ({reason})"
            )),
            Fault::Nothing => unusable("there is nothing in it".into()),
            Fault::NoSheet(sheets) => {
                let sheets: Vec<_> = sheets.iter().take(20).map(|it| format!("{it:?}")).collect();
                unusable(format!("it has no such sheet, but {}", sheets.join(", ")))
            }
            Fault::Problem(problem) => self.mistakes([problem]),
            Fault::Problems(problems) => self.mistakes(problems),
        })
    }

    fn try_read(&self, each: Each<'_>) -> Result<(), Fault> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        match self.form {
            Form::Table => csv::read(file, &self.ignored, each),
            Form::Lines => ndjson::read(file, &self.ignored, each),
            Form::Workbook => {
                let sheet = self.sheet.as_deref();
                workbook::read(file, sheet, workbook::BOUNDS, &self.ignored, each)
            }
        }
    }

    fn mistakes(&self, problems: impl IntoIterator<Item = Problem>) -> ImportError {
        let mut all = Problems::default();
        problems.into_iter().for_each(|problem| all.add(problem));
        self.found(all)
    }

    fn found(&self, problems: Problems) -> ImportError {
        ImportError::Mistakes(Mistakes {
            path: self.path.clone(),
            problems,
        })
    }

    /// Reads all of it for the board as it is, and changes nothing. How many rows have
    /// something in them.
    fn check(&self, tables: &Tables, runtime: &Runtime, is_preview: bool) -> Result<u64, CliError> {
        let peek = runtime.block_on(Peek::open(&tables.store.url, &tables.main()))?;
        let (state, peek) = match peek {
            Some((opened, peek)) => (opened.state, is_preview.then_some(peek)),
            None => (State::default(), None),
        };
        self.check_board(&state)?;
        let mut planner = Planner::new(self.board.clone(), self.list.clone());
        if is_preview {
            planner.look_for_namesakes(&state);
        }
        let mut check = Check {
            job: self,
            state,
            peek,
            runtime,
            planner,
            preview: is_preview.then(Preview::new),
            out: BufWriter::new(io::stdout().lock()),
            waiting: Vec::new(),
            mistakes: Problems::default(),
            refusals: Problems::default(),
            count: Count::default(),
            progress: Progress::new("checked", None),
        };
        let mut failed = None;
        let read = self.read(&mut |item| match check.take(item) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        match read {
            // What stopped the reading is one mistake more.
            Err(ImportError::Mistakes(last)) if !check.mistakes.is_empty() => {
                for problem in last.problems.shown() {
                    check.mistakes.add(problem.clone());
                }
            }
            read => read?,
        }
        check.end()
    }

    fn write(
        &self,
        state: &SharedState,
        store: &dyn Store,
        runtime: &Runtime,
        rows: u64,
    ) -> Result<(), CliError> {
        let mut writing = Writing {
            job: self,
            state,
            store,
            runtime,
            planner: Planner::new(self.board.clone(), self.list.clone()),
            waiting: Vec::new(),
            count: Count::default(),
            progress: Progress::new("imported", Some(rows)),
        };
        let mut failed = None;
        let read = self.read(&mut |item| match writing.take(item) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        });
        // What was read before it is whole, and the rest can follow.
        let written = failed.map_or_else(|| writing.flush(), Err);
        written?;
        read.map_err(|_| ImportError::Changed(self.path.clone()))?;
        writing.end()
    }
}

/// The first reading, with all that is wrong; in a preview also with what each row does.
struct Check<'a, W: Write> {
    job: &'a Job,
    state: State,
    peek: Option<Peek>,
    runtime: &'a Runtime,
    planner: Planner,
    preview: Option<Preview>,
    out: W,
    waiting: Vec<Planned>,
    mistakes: Problems,
    refusals: Problems,
    count: Count,
    progress: Progress,
}

impl<W: Write> Check<'_, W> {
    fn take(&mut self, item: Item<'_>) -> Result<(), CliError> {
        let record = match item {
            Item::Record(record) => record,
            Item::Empty => {
                self.count.empty += 1;
                return Ok(());
            }
            Item::Problem(problem) => {
                self.count.rows += 1;
                self.mistakes.add(problem);
                return Ok(());
            }
        };
        self.count.rows += 1;
        let row = row::read(&record, &[&self.job.public_url]);
        let planned = row.and_then(|row| {
            let planned = self.planner.plan(row, &self.state);
            planned.map_err(|problem| vec![problem])
        });
        match planned {
            Ok(planned) => {
                self.count.note_person(&planned);
                if self.preview.is_some() {
                    self.waiting.push(planned);
                }
            }
            Err(problems) => problems.into_iter().for_each(|it| self.mistakes.add(it)),
        }
        if self.count.rows.is_multiple_of(BATCH as u64) {
            self.show()?;
            // Nothing is written, but what is shown of somebody may be forgotten.
            self.planner.written();
            self.progress.report(self.count.rows);
        }
        Ok(())
    }

    /// Says what the rows that wait would do.
    fn show(&mut self) -> Result<(), CliError> {
        let Some(preview) = &mut self.preview else {
            return Ok(());
        };
        let waiting = std::mem::take(&mut self.waiting);
        let ids: Vec<ActionId> = waiting
            .iter()
            .filter_map(|planned| planned.action.as_ref())
            .map(|action| action.id.clone())
            .collect();
        let counted = match &mut self.peek {
            Some(peek) => self.runtime.block_on(peek.counted(&ids))?,
            None => vec![None; ids.len()],
        };
        let mut counted = counted.into_iter();
        for planned in waiting {
            let counted = planned
                .action
                .as_ref()
                .and_then(|_| counted.next())
                .flatten();
            match preview.apply(planned, counted.as_ref(), &self.job.board, &self.state) {
                Ok(effect) => print(&mut self.out, format_args!("{effect}"))?,
                Err(problem) => {
                    self.count.refused += 1;
                    self.refusals.add(problem);
                }
            }
        }
        Ok(())
    }

    fn end(mut self) -> Result<u64, CliError> {
        self.show()?;
        let (rows, refused) = (self.count.rows, self.count.refused);
        if self.preview.is_some() {
            self.out.flush().or_else(unless_closed)?;
            for problem in self.refusals.shown() {
                eprintln!("{}, {problem}", self.job.path.display());
            }
            if self.refusals.others() > 0 {
                eprintln!("and {} more that would be refused", self.refusals.others());
            }
        }
        if !self.mistakes.is_empty() {
            return Err(self.job.found(self.mistakes).into());
        }
        if rows == 0 {
            return Err(self.job.nothing());
        }
        if self.preview.is_some() {
            let Count {
                new_people,
                known_people,
                ..
            } = self.count;
            print(
                &mut self.out,
                format_args!(
                    "{rows} line{}: {new_people} new, {known_people} known; nothing was changed",
                    plural(rows)
                ),
            )?;
            self.count.remarks(&mut self.out)?;
            self.out.flush().or_else(unless_closed)?;
            if refused > 0 {
                return Err(ImportError::WouldRefuse { refused, all: rows }.into());
            }
        }
        Ok(rows)
    }
}

impl Job {
    fn nothing(&self) -> CliError {
        let problem = match self.form {
            Form::Lines => "there is nothing in it",
            Form::Table | Form::Workbook => "there is nothing in it but its first line",
        };
        ImportError::Unusable {
            path: self.path.clone(),
            problem: problem.into(),
        }
        .into()
    }
}

/// Whoever reads the output may have read enough.
fn unless_closed(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }
}

fn print(out: &mut impl Write, line: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(out, "{line}").or_else(unless_closed)
}

impl Count {
    fn note_person(&mut self, planned: &Planned) {
        match () {
            () if planned.is_new => self.new_people += 1,
            () if !planned.is_again => self.known_people += 1,
            () if planned.by_name => self.again_by_name += 1,
            () => {}
        }
    }

    /// What is worth to be known beside the numbers.
    fn remarks(&self, out: &mut impl Write) -> io::Result<()> {
        let (empty, again) = (self.empty, self.again_by_name);
        if empty > 0 {
            let was = if empty == 1 { "row was" } else { "rows were" };
            print(out, format_args!("{empty} empty {was} skipped"))?;
        }
        if again > 0 {
            let names = if again == 1 {
                "line names"
            } else {
                "lines name"
            };
            print(
                out,
                format_args!(
                    "{again} {names} somebody who stands on an earlier line: one name is one person. If \
                     these are several people, give them an externalId"
                ),
            )?;
        }
        Ok(())
    }
}

/// People and boards as the store has written them.
#[derive(Clone)]
struct SharedState(Arc<Mutex<State>>);

impl Fold for SharedState {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Folded> {
        self.0.lock().fold(entries)
    }

    fn fold_board(&mut self, entry: &LogEntry, board: StoredBoard) -> Folded {
        self.0.lock().fold_board(entry, board)
    }

    fn put_board(&mut self, board: StoredBoard) {
        self.0.lock().put_board(board);
    }

    fn reload(&mut self, opened: Opened) {
        *self.0.lock() = opened.state;
    }

    fn read(&self, read: &mut dyn FnMut(&State)) {
        read(&self.0.lock());
    }
}

/// The second reading, which writes.
struct Writing<'a> {
    job: &'a Job,
    state: &'a SharedState,
    store: &'a dyn Store,
    runtime: &'a Runtime,
    planner: Planner,
    waiting: Vec<Planned>,
    count: Count,
    progress: Progress,
}

impl Writing<'_> {
    fn take(&mut self, item: Item<'_>) -> Result<(), CliError> {
        let changed = || ImportError::Changed(self.job.path.clone());
        let record = match item {
            Item::Record(record) => record,
            Item::Empty => {
                self.count.empty += 1;
                return Ok(());
            }
            // The first reading met none.
            Item::Problem(_) => return Err(changed().into()),
        };
        let row = row::read(&record, &[&self.job.public_url]).map_err(|_| changed())?;
        let planned = self.planner.plan(row, &self.state.0.lock());
        match planned {
            Ok(planned) => {
                self.count.note_person(&planned);
                self.waiting.push(planned);
            }
            // Only if others changed the board meanwhile.
            Err(problem) => self.refuse(&problem),
        }
        if self.waiting.len() >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn refuse(&mut self, problem: &Problem) {
        self.count.rows += 1;
        self.count.refused += 1;
        eprintln!("{}, {problem}", self.job.path.display());
    }

    fn flush(&mut self) -> Result<(), CliError> {
        let waiting = std::mem::take(&mut self.waiting);
        let asked = waiting.iter().flat_map(commands).collect();
        let outcomes = self.runtime.block_on(self.store.append(asked));
        let outcomes = outcomes.map_err(|source| ImportError::Stopped {
            done: self.count.rows,
            source,
        })?;
        let mut outcomes = outcomes.into_iter();
        for planned in waiting {
            let own = outcomes.by_ref().take(commands(&planned).count());
            let own: Vec<Outcome> = own.collect();
            self.conclude(&planned, &own);
        }
        self.planner.written();
        self.progress.report(self.count.rows);
        Ok(())
    }

    fn conclude(&mut self, planned: &Planned, outcomes: &[Outcome]) {
        if let Some(refusal) = outcomes.iter().find_map(|outcome| outcome.as_ref().err()) {
            let what = match refusal {
                Refusal::UnknownUser => preview::unknown(),
                Refusal::Conflict => preview::conflict(planned, None),
                other => other.to_string(),
            };
            return self.refuse(&Problem::of_line(planned.line, what));
        }
        self.count.rows += 1;
        let is_added = |outcome: &Outcome| outcome.as_ref().is_ok_and(|receipt| !receipt.duplicate);
        if outcomes.iter().any(is_added) {
            self.count.added += 1;
        } else {
            self.count.known += 1;
            self.count.known_in_list += u64::from(planned.is_derived);
        }
    }

    fn end(self) -> Result<(), CliError> {
        let Count {
            rows: all,
            added,
            known,
            refused,
            known_in_list,
            ..
        } = self.count;
        let mut out = io::stdout().lock();
        print(
            &mut out,
            format_args!("{added} lines imported, {known} were on the board already"),
        )?;
        if known_in_list > 0 {
            print(
                &mut out,
                format_args!(
                    "A line counts once in a list, and this list is {:?}. If these are new results, \
                     import them with another --list",
                    self.job.list_name
                ),
            )?;
        }
        self.count.remarks(&mut out)?;
        if refused > 0 {
            return Err(ImportError::Refused { refused, all }.into());
        }
        Ok(())
    }
}

/// What a row asks of the store.
fn commands(planned: &Planned) -> impl Iterator<Item = Command> {
    let user = planned.user;
    let put = planned.put.clone();
    let put = put.map(|profile| Command::PutUser { user, profile });
    put.into_iter()
        .chain(planned.action.clone().map(Command::Act))
}

/// Says how far a large file has come.
struct Progress {
    done: &'static str,
    /// If it is known.
    all: Option<u64>,
    next: Instant,
}

impl Progress {
    fn new(done: &'static str, all: Option<u64>) -> Progress {
        Progress {
            done,
            all,
            next: Instant::now(),
        }
    }

    fn report(&mut self, rows: u64) {
        let is_large = self.all.unwrap_or(rows) >= LARGE;
        if !is_large || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + PAUSE;
        match self.all {
            Some(all) => eprintln!("{} {rows} of {all} lines", self.done),
            None => eprintln!("{} {rows} lines", self.done),
        }
    }
}
