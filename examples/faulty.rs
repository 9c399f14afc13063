//! `podium serve` over a store with faults, for end2end/vital.test.mjs: tasks that must go
//! on panic or hang when a line of the standard input says so, as in `panic hub`. The
//! program itself has no way to do so.
//!
//! What is faulty is the store's clock, which the hub's actor asks in each turn; how it
//! is asked who is connected; and the fold, which the store's writer calls.

use std::{
    error::Error,
    io::stdin,
    ops::Range,
    process::ExitCode,
    sync::Arc,
    thread::{available_parallelism, park, spawn},
    time::Duration,
};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use podium::{
    auth::Tokens,
    board::{BoardId, FinalPart, LogEntry, Season, State, StoredBoard, Timestamp, UserId},
    cli::CliError,
    config::Config,
    live::Live,
    serve::Server,
    store::{
        self, AllNodes, Command, Connected, DerivedHistory, Fold, Folded, Health, History, Opened,
        Outcome, Store, StoreError,
    },
    vital::Vitals,
};
use tokio::{net::TcpListener, runtime::Handle, sync::watch};

/// How long the writer may be at one thing here: tests cannot wait for a minute, and a disk
/// that all tests share may take seconds.
const LONGEST_WRITE: Duration = Duration::from_secs(6);

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let ended = runtime.block_on(serve());
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast::<CliError>() {
            Ok(error) => error.exit_code(),
            Err(error) => fail(&*error),
        },
    }
}

fn fail(error: &dyn Error) -> ExitCode {
    eprintln!("faulty: {error}");
    ExitCode::FAILURE
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let faults = Faults::default();
    listen(faults.clone(), Handle::current());
    let config = Config::load(None)?;
    let tokens = Tokens::new(
        config.secrets.jwt()?,
        config.secrets.ticket()?,
        &config.tables.auth,
    );
    let tables = &config.tables;
    let vitals = Vitals::default();
    vitals.exit_on_failure(Handle::current())?;
    let (opened, ready) = store::open(&tables.store.url, &tables.main()).await?;
    let ready = ready.watched_by(vitals.watch("the store's writer", LONGEST_WRITE));
    let live = Live::over(opened, &tables.limits, |folder| {
        let fold = Faulty {
            inner: folder,
            faults: faults.clone(),
        };
        let inner = ready.start(fold)?;
        Ok(Arc::new(Faulty { inner, faults }))
    })?;
    _ = any_spawner::Executor::init_tokio();
    let server = Server::new(&config, live, Arc::new(tokens), vitals)?;
    let listener = TcpListener::bind(config.leptos.site_addr).await?;
    println!("Podium is ready at http://{}", listener.local_addr()?);
    Ok(server.run(listener).await.map_err(CliError::from)?)
}

/// What happens next, and to whom.
#[derive(Clone, Default)]
struct Faults(Arc<Mutex<Option<(Fault, String)>>>);

#[derive(Clone, Copy)]
enum Fault {
    Panic,
    Hang,
}

impl Fault {
    fn happen(self) {
        match self {
            Fault::Panic => panic!("as asked for"),
            Fault::Hang => loop {
                park();
            },
        }
    }
}

impl Faults {
    /// Fails if that is what was asked for, once.
    fn meet(&self, task: &str) {
        let fault = self.0.lock().take_if(|(_, meant)| meant == task);
        if let Some((fault, _)) = fault {
            fault.happen();
        }
    }
}

/// Takes what the standard input asks for.
fn listen(faults: Faults, runtime: Handle) {
    spawn(move || {
        for line in stdin().lines().map_while(Result::ok) {
            let (fault, task) = match line.split_once(' ') {
                Some(("panic", task)) => (Fault::Panic, task),
                Some(("hang", task)) => (Fault::Hang, task),
                _ => continue,
            };
            if task == "runtime" {
                // As many as there are workers, and some for those that wait.
                for _ in 0..4 * available_parallelism().map_or(8, usize::from) {
                    runtime.spawn(async move { fault.happen() });
                }
            } else {
                *faults.0.lock() = Some((fault, task.to_owned()));
            }
        }
    });
}

struct Faulty<T> {
    inner: T,
    faults: Faults,
}

impl<F: Fold> Fold for Faulty<F> {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Folded> {
        self.faults.meet("writer");
        self.inner.fold(entries)
    }

    fn fold_board(&mut self, entry: &LogEntry, board: StoredBoard) -> Folded {
        self.inner.fold_board(entry, board)
    }

    fn put_board(&mut self, board: StoredBoard) {
        self.inner.put_board(board);
    }

    fn read(&self, read: &mut dyn FnMut(&State)) {
        self.inner.read(read);
    }

    fn reload(&mut self, opened: Opened) {
        self.inner.reload(opened);
    }
}

impl Store for Faulty<Arc<dyn Store>> {
    fn append(&self, commands: Vec<Command>) -> BoxFuture<'_, Result<Vec<Outcome>, StoreError>> {
        self.inner.append(commands)
    }

    fn history(
        &self,
        board: BoardId,
        user: UserId,
        points: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        self.inner.history(board, user, points)
    }

    fn derived_history(
        &self,
        of: DerivedHistory,
        points: usize,
    ) -> BoxFuture<'_, Result<Option<History>, StoreError>> {
        self.inner.derived_history(of, points)
    }

    fn seasons(&self, board: BoardId) -> BoxFuture<'_, Result<Vec<Season>, StoreError>> {
        self.inner.seasons(board)
    }

    fn final_standings(
        &self,
        board: BoardId,
        number: u32,
        positions: Range<usize>,
    ) -> BoxFuture<'_, Result<Option<FinalPart>, StoreError>> {
        self.inner.final_standings(board, number, positions)
    }

    fn presence(&self, here: Connected) -> BoxFuture<'_, Result<AllNodes, StoreError>> {
        self.faults.meet("presence");
        self.inner.presence(here)
    }

    fn now(&self) -> Timestamp {
        self.faults.meet("hub");
        self.inner.now()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.inner.health()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}
