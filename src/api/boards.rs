//! `/api/v1/boards`: what boards there are, and what each is.

use std::{net::IpAddr, sync::Arc};

use app::wire::{ScoreRow, SeasonInfo};
use axum::{
    Extension, Json,
    extract::{FromRequestParts, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, request::Parts},
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Admin, Api, Problem,
    body::{Body, at_key, bad_query, path_part},
    caching,
    credentials::viewer,
    leaderboard::Page,
    listings::{Key, Made},
    of_board::{OfBoard, unknown},
};
use crate::{
    blocking,
    board::{Board, BoardId, BoardView, Epoch, Season, Settings, State as Boards},
    board_settings::{self, SettingsJson},
    listener::ClientAddress,
    live::{FinalView, Viewer},
    store::{Command, Refusal},
    wire,
};

/// The board that a path names, whether it is there or not.
pub(super) struct BoardPath(BoardId);

impl FromRequestParts<Api> for BoardPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<BoardPath, Problem> {
        let name = path_part(parts, api, "board").await?.unwrap_or_default();
        BoardId::new(&name).map(BoardPath).ok_or_else(|| {
            Problem::invalid(format!(
                "{name:?} is no board id: take 1 to 63 of a-z, 0-9 and -, and do not begin with -"
            ))
        })
    }
}

/// A board, as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BoardJson {
    id: String,
    #[serde(flatten)]
    settings: SettingsJson,
    epoch: String,
    seq: u64,
    total_users: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    season: Option<SeasonJson>,
}

/// What is shown of a board beside its id and its settings, and follows from the log.
const SHOWN: [&str; 4] = ["epoch", "seq", "totalUsers", "season"];

/// A season of a board with a period.
#[derive(Serialize)]
pub(super) struct SeasonJson {
    number: u32,
    name: String,
    ends: String,
}

impl BoardJson {
    /// A board as somebody is shown it: which board it is derived from is for those alone for
    /// whom that one is listed.
    fn of(epoch: Epoch, state: &Boards, view: BoardView<'_>, viewer: Viewer) -> BoardJson {
        let board = view.board();
        let mut settings = SettingsJson::from(&**board.settings());
        let source = board.settings().derivation().map(|it| &it.of);
        let is_listed = |source: &Board| wire::is_listed(source.settings(), viewer);
        if !source
            .and_then(|source| state.board(source))
            .is_some_and(is_listed)
        {
            settings.of = None;
        }
        BoardJson {
            id: board.id().to_string(),
            settings,
            epoch: epoch.to_string(),
            seq: view.seq(),
            total_users: view.len() as u64,
            season: wire::season(board.settings(), board.season()).map(|season| SeasonJson {
                number: season.number,
                name: season.name,
                ends: season.ends,
            }),
        }
    }
}

/// `GET /boards`: those that the sender may see and that are listed, `main` first.
pub(super) async fn list(
    State(api): State<Api>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Seen(viewer): Seen,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Before the boards are read: they are of this version or a newer one.
    let key = Key::Boards(api.live.version_of_all(), viewer);
    let live = api.live.clone();
    let read = move || {
        live.read(|epoch, state| {
            let views = wire::listed(state, viewer).into_iter();
            let list = views
                .map(|view| BoardJson::of(epoch, state, view, viewer))
                .collect();
            let is_complete = true;
            Made { list, is_complete }
        })
    };
    let make = async || Ok(blocking::on_thread(read).await);
    let list = api.listings.get(address.into(), key, make).await;
    let list = list.map_err(|why| Problem::unanswered(&why, "lists of boards"))?;
    Ok(caching::for_viewer(viewer, list.answer(&headers)))
}

/// Who sends a request, as far as boards are shown to them.
pub(super) struct Seen(Viewer);

impl FromRequestParts<Api> for Seen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Seen, Problem> {
        viewer(parts, api).map(Seen)
    }
}

/// `GET /boards/{board}`.
pub(super) async fn get(
    State(api): State<Api>,
    OfBoard(board): OfBoard,
    seen: Result<Seen, Problem>,
) -> Result<Response, Problem> {
    // What anybody may see needs no token that is valid.
    let viewer = seen.map_or(Viewer::Public, |Seen(viewer)| viewer);
    let shown = shown(&api, &board, viewer)?;
    Ok(caching::for_viewer(viewer, Json(shown)))
}

fn shown(api: &Api, board: &BoardId, viewer: Viewer) -> Result<BoardJson, Problem> {
    let shown = api.live.read(|epoch, state| {
        let view = state.view(board)?;
        Some(BoardJson::of(epoch, state, view, viewer))
    });
    shown.ok_or_else(|| unknown(board.as_str()))
}

/// `PUT /boards/{board}`: 201 for a new one, 200 for one that was there.
pub(super) async fn put(
    State(api): State<Api>,
    _: Admin,
    BoardPath(board): BoardPath,
    body: Body,
) -> Result<(StatusCode, Json<BoardJson>), Problem> {
    let settings = read_settings(&board, &body)?;
    let is_there = api.live.read_board(&board, |_, _| ()).is_some();
    let command = Command::PutBoard {
        board: board.clone(),
        settings: settings.into(),
        most: api.most_boards,
    };
    api.live.append_one(command).await?;
    let status = match is_there {
        true => StatusCode::OK,
        false => StatusCode::CREATED,
    };
    Ok((status, Json(shown(&api, &board, Viewer::Admin)?)))
}

/// The settings in a body. What else `GET` shows may be in it, so that an answer can be
/// changed and sent back.
fn read_settings(board: &BoardId, body: &Body) -> Result<Settings, Problem> {
    let mut fields: Map<String, Value> = body.json()?;
    if let Some(id) = fields.remove("id")
        && id != board.as_str()
    {
        return Err(Problem::invalid(format!(
            "id: it is {board} by the address: leave it out, or send it to the board that it names"
        )));
    }
    for shown in SHOWN {
        fields.remove(shown);
    }
    // As in a configuration, `main` lists everybody unless it is said otherwise.
    if *board == BoardId::default() {
        fields.entry("everyone").or_insert(Value::Bool(true));
    }
    let settings: SettingsJson = serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|error| Problem::invalid(at_key(&error)))?;
    let settings = board_settings::sent(settings);
    settings.map_err(|error| Problem::invalid(error.to_string()))
}

#[derive(Deserialize)]
pub(super) struct Deletion {
    confirm: Option<String>,
}

/// `DELETE /boards/{board}?confirm={board}`.
pub(super) async fn delete(
    State(api): State<Api>,
    _: Admin,
    BoardPath(board): BoardPath,
    query: Result<Query<Deletion>, QueryRejection>,
) -> Result<StatusCode, Problem> {
    let Query(Deletion { confirm }) = query.map_err(bad_query)?;
    if api.live.read_board(&board, |_, _| ()).is_none() {
        return Err(Refusal::UnknownBoard(board).into());
    }
    if confirm.as_deref() != Some(board.as_str()) {
        return Err(Problem::bad_request(format!(
            "this deletes the board with all results on it, for ever: add ?confirm={board} if it is \
             meant"
        )));
    }
    api.live.append_one(Command::DeleteBoard(board)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A season that has ended.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndedJson {
    number: u32,
    /// Of a board with a period.
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    ended: String,
}

impl EndedJson {
    /// A season of a board with these settings.
    pub(super) fn of(settings: &Settings, season: Season) -> EndedJson {
        let SeasonInfo { number, name, ends } = wire::ended_season(settings, season);
        EndedJson {
            number,
            name,
            ended: ends,
        }
    }

    /// What people call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// With its rows, which are some of so many.
    pub(super) fn with_rows(
        self,
        board: &BoardId,
        top_scores: Vec<ScoreRow>,
        total: usize,
    ) -> FinalJson {
        FinalJson {
            season: self,
            board: board.to_string(),
            top_scores,
            total_users: total as u64,
        }
    }
}

/// `GET /boards/{board}/seasons`: those that have ended, the latest first.
pub(super) async fn seasons(
    State(api): State<Api>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    OfBoard(board): OfBoard,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = Key::Seasons(api.live.boards_version(), board.clone());
    let on = api.live.read_board(&board, |_, view| {
        let ended = view.board().ended_seasons();
        (view.board().settings().clone(), ended)
    });
    let (settings, ended) = on.ok_or_else(|| unknown(board.as_str()))?;
    let live = api.live.clone();
    let make = async move || {
        let seasons = live.seasons(&board).await?;
        let name = move || Made {
            // In Redis that one has ended is known a little after everybody sees it.
            is_complete: seasons.last().map_or(0, |season| season.number) >= ended,
            list: seasons
                .into_iter()
                .rev()
                .map(|season| EndedJson::of(&settings, season))
                .collect(),
        };
        Ok(blocking::on_thread(name).await)
    };
    let list = api.listings.get(address.into(), key, make).await;
    Ok(list.map_err(Problem::no_history)?.answer(&headers))
}

/// The standings with which a season has ended.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FinalJson {
    #[serde(flatten)]
    season: EndedJson,
    board: String,
    pub(super) top_scores: Vec<ScoreRow>,
    total_users: u64,
}

/// A season whose number is the `{number}` of a path.
pub(super) struct SeasonPath(pub(super) u32);

impl<S: Send + Sync> FromRequestParts<S> for SeasonPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<SeasonPath, Problem> {
        let number = path_part(parts, state, "number").await?.unwrap_or_default();
        let read = number.parse().map(SeasonPath);
        read.map_err(|_| {
            Problem::bad_request(format!(
                "{number:?} is not the number of a season: 1, 2, 3 …"
            ))
        })
    }
}

/// `GET /boards/{board}/seasons/{number}/leaderboard?limit&offset`: they are final.
pub(super) async fn season(
    State(api): State<Api>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    OfBoard(board): OfBoard,
    SeasonPath(number): SeasonPath,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<FinalJson>, Problem> {
    let Query(page) = page.map_err(bad_query)?;
    let positions = page.positions(settings_of(&api, &board)?.rules.top)?;
    let (settings, view) = final_standings(&api, address, &board, number).await?;
    let rows = api.live.final_rows(address.into(), &view, positions).await;
    let rows = rows.map_err(Problem::no_history)?;
    let has_tiebreak = settings.rules.order.tiebreak.is_some();
    let rows = wire::named_rows(&api.live, has_tiebreak, &rows);
    let season = EndedJson::of(&settings, view.season);
    Ok(Json(season.with_rows(&board, rows, view.total())))
}

/// A season that has ended, and what its board is.
pub(super) async fn final_standings(
    api: &Api,
    address: IpAddr,
    board: &BoardId,
    number: u32,
) -> Result<(Arc<Settings>, Arc<FinalView>), Problem> {
    let settings = settings_of(api, board)?;
    let standings = api
        .live
        .final_standings(address.into(), board, number)
        .await;
    let standings = standings.map_err(Problem::no_history)?.ok_or_else(|| {
        Problem::not_found(format!(
            "season {number} of the board {board} has not ended"
        ))
    })?;
    Ok((settings, standings))
}

fn settings_of(api: &Api, board: &BoardId) -> Result<Arc<Settings>, Problem> {
    let settings = api
        .live
        .read_board(board, |_, view| view.board().settings().clone());
    settings.ok_or_else(|| unknown(board.as_str()))
}
