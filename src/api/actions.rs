//! `POST /api/v1/actions`: one action, or up to a thousand, from a publisher; one
//! ticket from the user that it names.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    Api, Authenticated, Problem,
    body::{Body, Object},
};
use crate::{
    actions::{ActionTypes, InvalidAction},
    board::{BoardId, UserId},
    live::AppendError,
    store::{Action, Command, Outcome, Receipt, Refusal, StoreError},
    text,
    whole::{NotWhole, Written},
    wire,
};

/// Actions in one request.
const MAX_ACTIONS: usize = 1000;

/// The field that makes a body a ticket.
const TICKET: &str = "ticket";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ActionBody {
    action_id: String,
    user_id: String,
    action_type: String,
    score_increase: Option<Written>,
    board: Option<String>,
    tiebreak_increase: Option<Written>,
}

impl ActionBody {
    fn action(&self, types: &ActionTypes) -> Result<Action, InvalidAction> {
        let sent = self.score_increase.as_ref().map(Written::whole);
        let action = types.action(
            &self.action_id,
            text::user_id(&self.user_id)?,
            &self.action_type,
            sent,
        )?;
        let tiebreak = self.tiebreak_increase.as_ref().map(Written::whole);
        on_board(action, self.board.as_deref(), tiebreak)
    }
}

/// The action on the board that was named, with the points for its second score.
fn on_board(
    action: Action,
    board: Option<&str>,
    tiebreak: Option<Result<i64, NotWhole>>,
) -> Result<Action, InvalidAction> {
    let tiebreak_increase = tiebreak.transpose();
    Ok(Action {
        board: match board {
            Some(board) => BoardId::new(board).ok_or(InvalidAction::Board)?,
            None => action.board,
        },
        tiebreak_increase: tiebreak_increase
            .map_err(InvalidAction::TiebreakIncrease)?
            .unwrap_or(0),
        ..action
    })
}

/// The command to count an action, unless it is worth something for a second score on a board
/// that has none, which would be lost without a word. Boards that take no actions say so
/// themselves.
fn command(api: &Api, action: Action) -> Result<Command, Problem> {
    if action.tiebreak_increase == 0 {
        return Ok(Command::Act(action));
    }
    let has_none = api.live.read_board(&action.board, |_, board| {
        board.board().settings().derivation().is_none() && !wire::has_tiebreak(board)
    });
    if has_none == Some(true) {
        return Err(Problem::bad_request(format!(
            "tiebreakIncrease: the board {} has no second score: leave it out, or give the board \
             one by tiebreak in its settings before anybody acts on it",
            action.board
        )));
    }
    Ok(Command::Act(action))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketBody {
    ticket: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    seq: u64,
    score: Option<i64>,
    /// On a board that has a second score.
    #[serde(skip_serializing_if = "Option::is_none")]
    tiebreak: Option<i64>,
    rank: Option<u64>,
    old_rank: Option<u64>,
    duplicate: bool,
}

impl Answer {
    fn of(receipt: Receipt, has_tiebreak: bool) -> Answer {
        let tiebreak = receipt.scores.map(|scores| scores.tiebreak.points());
        Answer {
            seq: receipt.seq,
            score: receipt.scores.map(|scores| scores.score.points()),
            tiebreak: tiebreak.filter(|_| has_tiebreak),
            rank: receipt.rank,
            old_rank: receipt.old_rank,
            duplicate: receipt.duplicate,
        }
    }
}

/// A ticket is for the user that it names; everything else takes a publisher. One action
/// is answered with its receipt or its problem. Of several, each has an answer of
/// its own, and the status is 207 if any was refused; but if any cannot even be
/// read, nothing is done.
pub(super) async fn post(
    State(api): State<Api>,
    Authenticated(identity): Authenticated,
    body: Body,
) -> Result<Response, Problem> {
    if body.has_field(TICKET) {
        redeem_ticket(&api, identity.user, &body).await
    } else if !identity.role.publishes() {
        Err(Problem::FORBIDDEN)
    } else if body.is_array() {
        post_many(&api, body.json()?).await
    } else {
        let Object(action): Object<ActionBody> = body.json()?;
        post_one(&api, action.action(&api.action_types)?).await
    }
}

async fn redeem_ticket(api: &Api, bearer: UserId, body: &Body) -> Result<Response, Problem> {
    let Object(TicketBody { ticket }) = body.json()?;
    // By the clock that all nodes share, and that decides how long the action is known.
    let ticket = api
        .tokens
        .tickets()
        .verify(&ticket, bearer, api.live.now())?;
    let action = api.action_types.action(
        &ticket.action_id,
        ticket.user,
        &ticket.action_type,
        ticket.score_increase,
    )?;
    let action = on_board(action, ticket.board.as_deref(), ticket.tiebreak_increase)?;
    post_one(api, action).await
}

async fn post_one(api: &Api, action: Action) -> Result<Response, Problem> {
    let (action_type, board) = (action.action_type.clone(), action.board.clone());
    let receipt = api.live.append_one(command(api, action)?).await;
    let receipt = receipt.map_err(|error| match error {
        AppendError::Refused(refusal) => refused(refusal, &action_type),
        error => error.into(),
    })?;
    let answer = Answer::of(receipt, has_tiebreak(api, &board));
    Ok(Json(answer).into_response())
}

async fn post_many(api: &Api, actions: Vec<Object<ActionBody>>) -> Result<Response, Problem> {
    if actions.len() > MAX_ACTIONS {
        return Err(Problem::too_large(format!(
            "{} actions in one request; send at most {MAX_ACTIONS}",
            actions.len()
        )));
    }
    let types = &api.action_types;
    let actions = actions
        .iter()
        .enumerate()
        .map(|(i, Object(action))| {
            let invalid = |e| Problem::invalid(format!("action {i}, counted from 0: {e}"));
            action.action(types).map_err(invalid)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut commands = Vec::with_capacity(actions.len());
    // What is not sent to the store is refused here.
    let refusals: Vec<Option<Problem>> = actions
        .iter()
        .map(|action| match command(api, action.clone()) {
            Ok(command) => {
                commands.push(command);
                None
            }
            Err(problem) => Some(problem),
        })
        .collect();
    let mut outcomes = api.live.append(commands).await?.into_iter();
    let mut status = StatusCode::OK;
    let mut answers = Vec::with_capacity(actions.len());
    for (action, refusal) in actions.iter().zip(refusals) {
        let outcome = match refusal {
            Some(problem) => Err(problem),
            None => {
                let outcome: Outcome = outcomes.next().ok_or(StoreError::NoAnswer)?;
                outcome.map_err(|refusal| refused(refusal, &action.action_type))
            }
        };
        answers.push(match outcome {
            Ok(receipt) => {
                serde_json::json!(Answer::of(receipt, has_tiebreak(api, &action.board)))
            }
            Err(problem) => {
                status = StatusCode::MULTI_STATUS;
                serde_json::json!({ "error": problem.document() })
            }
        });
    }
    Ok((status, Json(answers)).into_response())
}

fn has_tiebreak(api: &Api, board: &BoardId) -> bool {
    let has_tiebreak = api
        .live
        .read_board(board, |_, board| wire::has_tiebreak(board));
    has_tiebreak.unwrap_or_default()
}

fn refused(refusal: Refusal, action_type: &str) -> Problem {
    match refusal {
        Refusal::LimitReached(reached) => Problem::limit_reached(action_type, reached),
        other => Problem::from(other),
    }
}
