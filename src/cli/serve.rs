//! `podium serve`

use std::{io::Write, sync::Arc, time::Duration};

use clap::Args;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use super::{CliError, ConfigFile};
use crate::{
    auth::{Role, Tokens},
    board::BoardId,
    clock,
    config::{Config, StoreTable},
    demo::Demo,
    live::Live,
    serve::{Server, wait_for_store},
    store::{self, StoreUrl},
    vital::Vitals,
};

#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigFile,
    /// Bring players and traffic, and a secret if none is set. They are kept in
    /// podium-demo.db unless another store is configured.
    #[arg(long)]
    demo: bool,
}

/// Where a demo is kept, so that its players never meet real ones.
const DEMO_FILE: &str = "podium-demo.db";

/// How long the tokens hold that a demo prints.
const DEMO_TOKENS: Duration = Duration::from_secs(24 * 3600);

/// After so many steps of tasks it is looked at what has come by the network. That costs
/// about a microsecond; with tokio's 61, many who ask for pages would keep others waiting
/// for a hundred steps with each thing that they send.
const EVENT_INTERVAL: u32 = 8;

impl Serve {
    pub(super) fn run(self) -> Result<(), CliError> {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .init();
        let mut config = self.config.load()?;
        if self.demo {
            prepare_demo(&mut config);
        }
        // A developer's rebuild should not wait for the developer's own page.
        if std::env::var_os("LEPTOS_WATCH").is_some() {
            config.tables.shutdown.notice = Duration::ZERO;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .event_interval(EVENT_INTERVAL)
            .build()?;
        let vitals = Vitals::default();
        vitals.exit_on_failure(runtime.handle().clone())?;
        let served = runtime.block_on(serve(config, self.demo, &vitals));
        vitals.let_end();
        if vitals.failure().is_some() {
            // Not waiting for what hangs.
            runtime.shutdown_background();
        }
        served
    }
}

async fn serve(config: Config, demo: bool, vitals: &Vitals) -> Result<(), CliError> {
    warn_of_surprises(&config);
    let tokens = Tokens::new(
        config.secrets.jwt()?,
        config.secrets.ticket()?,
        &config.tables.auth,
    );
    let tables = &config.tables;
    let (url, main) = (&tables.store.url, tables.main());
    let address = config.leptos.site_addr;
    let listener = TcpListener::bind(address).await;
    let listener = listener.and_then(TcpListener::into_std);
    let listener = listener.map_err(|source| CliError::Listen { address, source })?;
    let place = url.to_string();
    let (limits, base) = (&tables.limits, &tables.http.base_path);
    let opened = wait_for_store(&listener, limits, base, &place, async || {
        let opened = store::open(url, &main).await?;
        for risk in store::risks(url).await {
            tracing::warn!("{risk}");
        }
        Ok(opened)
    });
    let Some((opened, ready)) = opened.await? else {
        return Ok(());
    };
    tracing::info!(
        store = ?tables.store.url,
        users = opened.state.directory().len(),
        boards = opened.state.boards().count(),
        entry = opened.state.seq(),
        "all boards are loaded"
    );
    let on_log = opened.state.board(&BoardId::default());
    let on_log = on_log.map(|main| main.settings());
    if let Some(overruled) = on_log.and_then(|it| config.main.overruled_by(it)) {
        tracing::warn!("{overruled}");
    }
    let pulse = vitals.watch("the store's writer", store::LONGEST_WRITE);
    let live = Live::start(opened, ready.watched_by(pulse), &tables.limits)?;
    // The clock that all nodes share, unless it lags behind: a token is compared with
    // revocations, which are timed by it.
    let tokens = {
        let live = live.clone();
        Arc::new(tokens.with_clock(move || live.now().max(clock::now())))
    };
    // Before the first page, or its rendering would find no executor. It fails
    // only if another one was set, which nobody else does.
    _ = any_spawner::Executor::init_tokio();
    let server = Server::new(&config, live.clone(), tokens.clone(), vitals.clone())?;

    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    let page = format!("http://{address}{}", tables.http.base_path.link("/"));
    print(&format!(
        "Podium is ready at {}",
        page.trim_end_matches('/')
    ));
    if demo {
        let demo = Demo::start(live, tables.limits.boards).await?;
        let token = |user, role| {
            let token = tokens.issue(user, role, DEMO_TOKENS);
            token.map_err(|_| CliError::Sign)
        };
        let player = token(demo.player(), Role::Player)?;
        print(&format!("Watch as a player: {page}?token={player}"));
        let publisher = token(demo.publisher(), Role::Publisher)?;
        print(&format!("A publisher's token: {publisher}"));
        print(&format!("A player's id: {}", demo.player()));
    }
    server.run(listener).await?;
    Ok(())
}

/// Prints a line. That standard output is closed is no reason to end.
fn print(line: &str) {
    _ = writeln!(std::io::stdout(), "{line}");
}

/// What is probably not meant, and harmless.
fn warn_of_surprises(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let files = config.leptos.site_root.as_ref();
    if !std::path::Path::new(files).is_dir() {
        tracing::warn!(
            "{files} is missing, so the page has no styles or scripts: run scripts/build"
        );
    }
}

fn prepare_demo(config: &mut Config) {
    config.secrets.or_random();
    if config.tables.store.url == StoreTable::default().url {
        config.tables.store.url = StoreUrl::Sqlite(DEMO_FILE.into());
    }
}
