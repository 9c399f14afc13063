//! `…/export`: a board or final standings as a file, for spreadsheets and programs.

use std::fmt::Write;

use app::wire::ScoreRow;
use axum::{
    Extension,
    extract::{Query, State, rejection::QueryRejection},
    http::{
        HeaderValue,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Api, Problem,
    boards::{EndedJson, OfBoard, SeasonPath, final_standings},
    body::bad_query,
};
use crate::{
    blocking,
    board::{BoardView, FinalRow},
    formula::guarded,
    listener::ClientAddress,
    store::Refusal,
    wire,
};

/// Rows in one file: some megabytes.
const MAX_ROWS: usize = 100_000;

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
    fn positions(&self) -> Result<std::ops::Range<usize>, Problem> {
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
    let permit = api.exports.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::unavailable(BUSY))?;
    let make = move || {
        // Held until it is made, even if nobody waits for it any more.
        let _permit = permit;
        // All rows are of one moment; what they are called is looked up in pieces.
        let shown = api.live.read_board(&board, |epoch, view: BoardView<'_>| {
            let rows = view.rows(positions).map(|row| FinalRow {
                who: row.who,
                rank: row.rank,
                scores: row.scores,
            });
            let rows: Vec<FinalRow> = rows.collect();
            let settings = view.board().settings().clone();
            (wire::leaderboard(epoch, view, 0..0), rows, settings)
        });
        let (mut data, rows, settings) = shown.ok_or(Refusal::UnknownBoard(board.clone()))?;
        let has_tiebreak = settings.rules.order.tiebreak.is_some();
        data.top_scores = wire::named_rows(&api.live, has_tiebreak, &rows);
        let rows = &data.top_scores;
        Ok(file(export, board.as_str(), has_tiebreak, rows, &data))
    };
    blocking::on_thread(make).await
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
    let permit = api.exports.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::unavailable(BUSY))?;
    let (settings, standings) = final_standings(&api, address, &board, number).await?;
    let make = move || {
        let _permit = permit;
        let rows = wire::final_rows(&api.live, &settings, &standings, positions);
        let season = EndedJson::of(&settings, standings.season);
        let name = format!("{board}-{}", season.name());
        let has_tiebreak = settings.rules.order.tiebreak.is_some();
        let data = season.with_rows(&board, rows);
        file(export, &name, has_tiebreak, &data.top_scores, &data)
    };
    Ok(blocking::on_thread(make).await)
}

const BUSY: &str = "other files are being made: ask again a little later";

/// Rows as a file of this name. `all` is what the leaderboard would be answered with.
fn file(
    Export { format, offset, .. }: Export,
    name: &str,
    has_tiebreak: bool,
    rows: &[ScoreRow],
    all: &impl Serialize,
) -> Response {
    let (text, kind, extension) = match format {
        Format::Csv => (csv(rows, has_tiebreak), "text/csv; charset=utf-8", "csv"),
        Format::Json => (
            serde_json::to_string(all).unwrap_or_default(),
            "application/json",
            "json",
        ),
        Format::Ndjson => (ndjson(rows), "application/x-ndjson", "ndjson"),
        Format::Ctftime => (ctftime(rows, offset), "application/json", "json"),
    };
    let mut response = ([(CONTENT_TYPE, kind)], text).into_response();
    let disposition = format!("attachment; filename=\"{name}.{extension}\"");
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        let headers = response.headers_mut();
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

fn csv(rows: &[ScoreRow], has_tiebreak: bool) -> String {
    let mut text = String::from(MARK);
    text.push_str("rank,userId,username,score");
    text.push_str(if has_tiebreak {
        ",tiebreak\r\n"
    } else {
        "\r\n"
    });
    for row in rows {
        let name = quoted(&guarded(&row.username));
        // Writing to a text never fails.
        _ = write!(text, "{},{},{name},{}", row.rank, row.user_id, row.score);
        if has_tiebreak {
            _ = write!(text, ",{}", row.tiebreak.unwrap_or_default());
        }
        text.push_str("\r\n");
    }
    text
}

fn quoted(field: &str) -> String {
    let is_plain = !field.contains([',', ';', '"', '\n', '\r', '\t']) && field.trim() == field;
    if is_plain {
        field.to_owned()
    } else {
        format!("\"{}\"", field.replace('"', "\"\""))
    }
}

fn ndjson(rows: &[ScoreRow]) -> String {
    let lines = rows.iter().filter_map(|row| {
        let line = serde_json::to_string(row).ok()?;
        Some(line + "\n")
    });
    lines.collect()
}

/// These rows, which follow as many as `offset` says.
fn ctftime(rows: &[ScoreRow], offset: usize) -> String {
    let standings = rows.iter().zip(1_usize..).map(|(row, number)| {
        let pos = offset.saturating_add(number);
        let mut standing = json!({ "pos": pos, "team": row.username, "score": row.score });
        if let Some(tiebreak) = row.tiebreak {
            standing["tiebreak"] = tiebreak.into();
        }
        standing
    });
    let standings: Vec<_> = standings.collect();
    json!({ "standings": standings }).to_string()
}
