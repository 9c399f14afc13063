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
    store::{Action, Command, Outcome, Receipt, Refusal},
    text::{self, InvalidText},
    whole::{NotWhole, Written},
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
    Ok(Action {
        board: match board {
            Some(board) => BoardId::new(board).ok_or(InvalidAction::Board)?,
            None => action.board,
        },
        tiebreak_increase: tiebreak
            .transpose()
            .map_err(InvalidText::from)?
            .unwrap_or(0),
        ..action
    })
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
    rank: Option<u64>,
    old_rank: Option<u64>,
    duplicate: bool,
}

impl From<Receipt> for Answer {
    fn from(receipt: Receipt) -> Answer {
        Answer {
            seq: receipt.seq,
            score: receipt.scores.map(|scores| scores.score.points()),
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
    let action_type = action.action_type.clone();
    let receipt = api.live.append_one(Command::Act(action)).await;
    let receipt = receipt.map_err(|error| match error {
        AppendError::Refused(refusal) => refused(refusal, &action_type),
        error => error.into(),
    })?;
    Ok(Json(Answer::from(receipt)).into_response())
}

async fn post_many(api: &Api, actions: Vec<Object<ActionBody>>) -> Result<Response, Problem> {
    if actions.len() > MAX_ACTIONS {
        return Err(Problem::too_large(format!(
            "{} actions in one request; send at most {MAX_ACTIONS}",
            actions.len()
        )));
    }
    let types = &api.action_types;
    let commands = actions
        .iter()
        .enumerate()
        .map(|(i, Object(action))| {
            let invalid = |e| Problem::invalid(format!("action {i}, counted from 0: {e}"));
            action.action(types).map(Command::Act).map_err(invalid)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let outcomes = api.live.append(commands).await?;
    let status = if outcomes.iter().all(Result::is_ok) {
        StatusCode::OK
    } else {
        StatusCode::MULTI_STATUS
    };
    let answers: Vec<serde_json::Value> = outcomes
        .into_iter()
        .zip(&actions)
        .map(|(outcome, Object(action))| answer(outcome, &action.action_type))
        .collect();
    Ok((status, Json(answers)).into_response())
}

fn answer(outcome: Outcome, action_type: &str) -> serde_json::Value {
    match outcome {
        Ok(receipt) => serde_json::json!(Answer::from(receipt)),
        Err(refusal) => {
            serde_json::json!({ "error": refused(refusal, action_type).document() })
        }
    }
}

fn refused(refusal: Refusal, action_type: &str) -> Problem {
    match refusal {
        Refusal::LimitReached(reached) => Problem::limit_reached(action_type, reached),
        other => Problem::from(other),
    }
}
