//! `…/export`: a board or final standings as a file, for spreadsheets and programs. It is made
//! piece by piece: names are looked up for some rows at a time.

use std::{fmt::Write, ops::Range, sync::Arc};

use app::wire::ScoreRow;
use axum::{
    Extension,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{
        HeaderValue,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Api, Problem,
    boards::{EndedJson, SeasonPath, final_standings},
    body::bad_query,
    of_board::OfBoard,
};
use crate::{
    blocking,
    board::{BoardView, FinalRow},
    formula::guarded,
    listener::ClientAddress,
    live::{HistoryError, Live},
    store::Refusal,
    wire,
};

/// Rows in one file: some megabytes.
const MAX_ROWS: usize = 100_000;

/// Rows that are read and written at once.
const PIECE: usize = 1024;

/// Files that are made at once.
pub(super) const CONCURRENT: usize = 2;

/// A byte order mark, without which spreadsheets take UTF-8 for something else.
const MARK: &str = "\u{feff}";

/// What a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// RFC 4180, as UTF-8.
    #[default]
    Csv,
    /// As the leaderboard is answered.
    Json,
    /// A row of it in each line.
    Ndjson,
    /// What CTFtime reads: <https://ctftime.org/json-scoreboard-feed>.
    Ctftime,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Export {
    #[serde(default)]
    format: Format,
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
}

impl Export {
    fn positions(&self) -> Result<Range<usize>, Problem> {
        let limit = self.limit.unwrap_or(MAX_ROWS);
        if !(1..=MAX_ROWS).contains(&limit) {
            return Err(Problem::bad_request(format!(
                "limit must be 1 to {MAX_ROWS}: further rows have an offset"
            )));
        }
        Ok(self.offset..self.offset.saturating_add(limit))
    }
}

/// `GET /boards/{board}/export?format&limit&offset`.
pub(super) async fn board(
    State(api): State<Api>,
    OfBoard(board): OfBoard,
    query: Result<Query<Export>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(export) = query.map_err(bad_query)?;
    let positions = export.positions()?;
    let permit = api.permit()?;
    let live = api.live.clone();
    let its_board = board.clone();
    let read = move || {
        // All rows are of one moment; what they are called is looked up in pieces.
        live.read_board(&its_board, |epoch, view: BoardView<'_>| {
            let rows = view.rows(positions).map(|row| FinalRow {
                who: row.who,
                rank: row.rank,
                scores: row.scores,
            });
            let rows: Arc<[FinalRow]> = rows.collect();
            let settings = view.board().settings().clone();
            (wire::leaderboard(epoch, view, 0..0), rows, settings)
        })
    };
    let (about, rows, settings) = blocking::on_thread(read)
        .await
        .ok_or_else(|| Refusal::UnknownBoard(board.clone()))?;
    let file = File {
        format: export.format,
        name: board.to_string(),
        offset: export.offset,
        has_tiebreak: settings.rules.order.tiebreak.is_some(),
        live: api.live,
    };
    let count = rows.len();
    let read = move |piece: Range<usize>| {
        let rows = rows.clone();
        async move { Ok(Arc::from(&rows[piece])) }
    };
    Ok(file.answer(&about, 0..count, read, permit))
}

/// `GET /boards/{board}/seasons/{number}/export?format&limit&offset`.
pub(super) async fn season(
    State(api): State<Api>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    OfBoard(board): OfBoard,
    SeasonPath(number): SeasonPath,
    query: Result<Query<Export>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(export) = query.map_err(bad_query)?;
    let positions = export.positions()?;
    let permit = api.permit()?;
    let (settings, view) = final_standings(&api, address, &board, number).await?;
    let season = EndedJson::of(&settings, view.season);
    let file = File {
        format: export.format,
        name: match season.name() {
            "" => format!("{board}-final"),
            name => format!("{board}-{name}"),
        },
        offset: export.offset,
        has_tiebreak: settings.rules.order.tiebreak.is_some(),
        live: api.live.clone(),
    };
    let about = season.with_rows(&board, Vec::new(), view.total());
    let end = positions.end.min(view.total());
    let read = move |piece: Range<usize>| {
        let (live, view) = (api.live.clone(), view.clone());
        async move { live.final_rows(address.into(), &view, piece).await }
    };
    Ok(file.answer(&about, positions.start.min(end)..end, read, permit))
}

impl Api {
    /// The right to make a file.
    fn permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = self.exports.clone().try_acquire_owned();
        permit.map_err(|_| {
            Problem::unavailable("other files are being made: ask again a little later")
        })
    }
}

/// A file that is made.
struct File {
    format: Format,
    name: String,
    /// How many rows stand before the first one.
    offset: usize,
    has_tiebreak: bool,
    live: Live,
}

impl File {
    /// The rows at these positions as a file. `about` is what the leaderboard would be answered
    /// with, without rows.
    fn answer<F>(
        self,
        about: &impl Serialize,
        positions: Range<usize>,
        read: impl Fn(Range<usize>) -> F + Send + 'static,
        permit: OwnedSemaphorePermit,
    ) -> Response
    where
        F: Future<Output = Result<Arc<[FinalRow]>, HistoryError>> + Send,
    {
        let (kind, extension) = match self.format {
            Format::Csv => ("text/csv; charset=utf-8", "csv"),
            Format::Json | Format::Ctftime => ("application/json", "json"),
            Format::Ndjson => ("application/x-ndjson", "ndjson"),
        };
        let disposition = format!("attachment; filename=\"{}.{extension}\"", self.name);
        let begin = self.format.begin(self.has_tiebreak);
        let end = self.format.end(about);
        let state = (self, read, positions, 0, permit);
        let pieces = stream::try_unfold(state, async |(file, read, left, written, permit)| {
            let piece = left.start..left.end.min(left.start + PIECE);
            if piece.is_empty() {
                return Ok(None);
            }
            let rows = read(piece.clone()).await?;
            let left = piece.end..left.end;
            // Names are many look-ups: beside what others do.
            Ok::<_, HistoryError>(Some(
                blocking::on_thread(move || {
                    let rows = wire::named_rows(&file.live, file.has_tiebreak, &rows);
                    let text = file.rows(&rows, written);
                    (text, (file, read, left, written + rows.len(), permit))
                })
                .await,
            ))
        });
        let (begin, end) = (stream::iter([Ok(begin)]), stream::iter([Ok(end)]));
        let body = begin.chain(pieces).chain(end);
        let body =
            Body::from_stream(body.map(|piece| piece.map_err(|why| why.status().to_string())));
        let mut response = ([(CONTENT_TYPE, kind)], body).into_response();
        if let Ok(disposition) = HeaderValue::try_from(disposition) {
            let headers = response.headers_mut();
            headers.insert(CONTENT_DISPOSITION, disposition);
        }
        response
    }
}

impl File {
    /// Rows, of which so many stand before these in the file.
    fn rows(&self, rows: &[ScoreRow], before: usize) -> String {
        let mut text = String::new();
        for (row, number) in rows.iter().zip(before..) {
            match self.format {
                Format::Csv => csv_line(&mut text, row, self.has_tiebreak),
                Format::Ndjson => {
                    text.push_str(&json_of(row));
                    text.push('\n');
                }
                Format::Json | Format::Ctftime => {
                    if number > 0 {
                        text.push(',');
                    }
                    text.push_str(&match self.format {
                        Format::Ctftime => ctftime(row, self.offset.saturating_add(number + 1)),
                        _ => json_of(row),
                    });
                }
            }
        }
        text
    }
}

fn ctftime(row: &ScoreRow, pos: usize) -> String {
    let mut standing = json!({ "pos": pos, "team": row.username, "score": row.score });
    if let Some(tiebreak) = row.tiebreak {
        standing["tiebreak"] = tiebreak.into();
    }
    json_of(&standing)
}

impl Format {
    /// What stands before all rows.
    fn begin(self, has_tiebreak: bool) -> String {
        match self {
            Format::Csv => {
                let tiebreak = if has_tiebreak { ",tiebreak" } else { "" };
                format!("{MARK}rank,userId,username,score{tiebreak}\r\n")
            }
            Format::Json => r#"{"topScores":["#.to_owned(),
            Format::Ndjson => String::new(),
            Format::Ctftime => r#"{"standings":["#.to_owned(),
        }
    }

    /// What stands after all rows.
    fn end(self, about: &impl Serialize) -> String {
        match self {
            Format::Csv | Format::Ndjson => String::new(),
            Format::Json => {
                // All that is said of them, in the same object.
                let mut about = serde_json::to_value(about).unwrap_or_default();
                if let Some(fields) = about.as_object_mut() {
                    fields.remove("topScores");
                }
                format!("],{}", json_of(&about).trim_start_matches('{'))
            }
            Format::Ctftime => "]}".to_owned(),
        }
    }
}

/// Rows and what is said of them have JSON.
fn json_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn csv_line(text: &mut String, row: &ScoreRow, has_tiebreak: bool) {
    let name = quoted(&guarded(&row.username));
    // Writing to a text never fails.
    _ = write!(text, "{},{},{name},{}", row.rank, row.user_id, row.score);
    if has_tiebreak {
        _ = write!(text, ",{}", row.tiebreak.unwrap_or_default());
    }
    text.push_str("\r\n");
}

fn quoted(field: &str) -> String {
    let is_plain = !field.contains([',', ';', '"', '\n', '\r', '\t']) && field.trim() == field;
    if is_plain {
        field.to_owned()
    } else {
        format!("\"{}\"", field.replace('"', "\"\""))
    }
}
