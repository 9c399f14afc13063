//! `podium import`: users and actions from a CSV or NDJSON file.
//!
//! The file is read to its end before anything is written, so that a mistake in
//! its last line leaves the board as it was. Running an import again is
//! harmless: what is on the board already counts once.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Deserialize;

use super::{CliError, ConfigFile};
use crate::{
    store::{self, Command, Refusal, Store},
    text::{self, InvalidText},
};

/// Commands in one request to the store.
const BATCH: usize = 1000;

#[derive(Args, Debug)]
pub(super) struct Import {
    /// A file whose name ends in .csv, or in .ndjson or .jsonl. A line with an
    /// actionId is an action, and one without is a user.
    file: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
}

/// A line of either kind, in the names of the API. In CSV an empty field is one
/// that is not there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    user_id: String,
    username: Option<String>,
    avatar: Option<String>,
    action_id: Option<String>,
    action_type: Option<String>,
    score_increase: Option<i64>,
}

/// Why a file was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The name says nothing about the form.
    #[error("{0}: the name must end in .csv, .ndjson or .jsonl")]
    UnknownForm(PathBuf),
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not of the right form. Nothing was imported.
    #[error("{path}, line {line}: {problem}; nothing was imported")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// Lines were refused; all others were imported.
    #[error("{refused} of {all} lines were refused; the others are on the board")]
    Refused {
        /// How many.
        refused: usize,
        /// Of how many.
        all: usize,
    },
}

impl Import {
    pub(super) fn run(self) -> Result<(), CliError> {
        let config = self.config.load()?;
        let tables = &config.tables;
        let lines = read(&self.file, &tables.http.public_url)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let (opened, ready) =
                store::open(&tables.store.url, &tables.board_id(), tables.rules()).await?;
            let store = ready.start(opened.board)?;
            let result = write(&self.file, &*store, lines).await;
            store.close().await;
            result
        })
    }
}

/// Reads all lines, each with its number, for a board that is known under `public_url`.
fn read(path: &Path, public_url: &str) -> Result<Vec<(u64, Command)>, ImportError> {
    let unreadable = |source| ImportError::Unreadable {
        path: path.into(),
        source,
    };
    let invalid = |line, problem: String| ImportError::Line {
        path: path.into(),
        line,
        problem,
    };
    let extension = path.extension().and_then(|extension| extension.to_str());
    let file = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut commands = Vec::new();
    match extension {
        Some("csv") => {
            let mut reader = csv::ReaderBuilder::new()
                .trim(csv::Trim::All)
                .from_reader(file);
            let headers = reader
                .headers()
                .map_err(|error| invalid(1, error.to_string()))?
                .clone();
            let mut record = csv::StringRecord::new();
            loop {
                match reader.read_record(&mut record) {
                    Ok(true) => {
                        let line = record.position().map_or(0, csv::Position::line);
                        let parsed: Result<Line, _> = record.deserialize(Some(&headers));
                        let parsed = parsed.map_err(|error| match error.into_kind() {
                            csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
                            other => format!("{other:?}"),
                        });
                        let command = parsed.and_then(|line| command(line, public_url));
                        commands.push((line, command.map_err(|problem| invalid(line, problem))?));
                    }
                    Ok(false) => return Ok(commands),
                    Err(error) => {
                        let line = error.position().map_or(0, csv::Position::line);
                        return Err(invalid(line, error.to_string()));
                    }
                }
            }
        }
        Some("ndjson" | "jsonl") => {
            for (line, text) in (1..).zip(file.lines()) {
                let text = text.map_err(unreadable)?;
                // Some programs begin a file with a byte order mark.
                let text = text.trim_start_matches('\u{feff}').trim();
                if text.is_empty() {
                    continue;
                }
                let parsed = if text.starts_with('{') {
                    serde_json::from_str(text).map_err(|error| error.to_string())
                } else {
                    Err("a line must be a JSON object".into())
                };
                let command = parsed.and_then(|line| command(line, public_url));
                commands.push((line, command.map_err(|problem| invalid(line, problem))?));
            }
            Ok(commands)
        }
        _ => Err(ImportError::UnknownForm(path.into())),
    }
}

fn command(line: Line, public_url: &str) -> Result<Command, String> {
    let said = |error: InvalidText| error.to_string();
    match (line.action_id, line.username) {
        (Some(id), None) => {
            let action_type = line.action_type.ok_or("an action needs an actionType")?;
            let increase = line
                .score_increase
                .ok_or("an action needs a scoreIncrease")?;
            let user = text::user_id(&line.user_id).map_err(said)?;
            let action = text::action(&id, user, &action_type, increase).map_err(said)?;
            Ok(Command::Act(action))
        }
        (None, Some(username)) => Ok(Command::PutUser {
            user: text::user_id(&line.user_id).map_err(said)?,
            profile: text::profile(&username, line.avatar.as_deref(), &[public_url])
                .map_err(said)?,
        }),
        (Some(_), Some(_)) => {
            Err("a line is a user or an action: give username or actionId".into())
        }
        (None, None) => Err("a user needs a username, and an action an actionId".into()),
    }
}

async fn write(path: &Path, store: &dyn Store, lines: Vec<(u64, Command)>) -> Result<(), CliError> {
    let all = lines.len();
    let (mut added, mut known, mut refused) = (0, 0, 0);
    for batch in lines.chunks(BATCH) {
        let commands = batch.iter().map(|(_, command)| command.clone()).collect();
        let outcomes = store.append(commands).await?;
        for ((line, _), outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Ok(receipt) if receipt.duplicate => known += 1,
                Ok(_) => added += 1,
                Err(refusal) => {
                    refused += 1;
                    report(path, *line, refusal);
                }
            }
        }
    }
    println!("{added} lines imported, {known} were on the board already");
    if refused > 0 {
        return Err(ImportError::Refused { refused, all }.into());
    }
    Ok(())
}

fn report(path: &Path, line: u64, refusal: Refusal) {
    eprintln!("{}, line {line}: {refusal}", path.display());
}
