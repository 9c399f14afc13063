//! `POST /api/v1/actions`: one action, or up to a thousand.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    Api, Problem, Publisher,
    body::{Body, Object},
};
use crate::{
    board::Score,
    store::{Command, Outcome, Receipt},
    text,
};

/// Actions in one request.
const MAX_ACTIONS: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActionBody {
    action_id: String,
    user_id: String,
    action_type: String,
    score_increase: i64,
}

impl ActionBody {
    fn command(&self) -> Result<Command, text::InvalidText> {
        text::action(
            &self.action_id,
            &self.user_id,
            &self.action_type,
            self.score_increase,
        )
    }
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
            score: receipt.score.map(Score::points),
            rank: receipt.rank,
            old_rank: receipt.old_rank,
            duplicate: receipt.duplicate,
        }
    }
}

/// One action is answered with its receipt or its problem. Of several, each has
/// an answer of its own, and the status is 207 if any was refused; but if any
/// cannot even be read, nothing is done.
pub(super) async fn post(
    State(api): State<Api>,
    _: Publisher,
    body: Body,
) -> Result<Response, Problem> {
    if body.is_array() {
        post_many(&api, body.json()?).await
    } else {
        let Object(action): Object<ActionBody> = body.json()?;
        let command = action
            .command()
            .map_err(|e| Problem::invalid(e.to_string()))?;
        let outcomes = api.live.append(vec![command]).await?;
        let outcome = outcomes.into_iter().next();
        let outcome = outcome.ok_or_else(|| Problem::unavailable("the store gave no answer"))?;
        Ok(Json(Answer::from(outcome?)).into_response())
    }
}

async fn post_many(api: &Api, actions: Vec<Object<ActionBody>>) -> Result<Response, Problem> {
    if actions.len() > MAX_ACTIONS {
        return Err(Problem::too_large(format!(
            "{} actions in one request; send at most {MAX_ACTIONS}",
            actions.len()
        )));
    }
    let commands = actions
        .iter()
        .enumerate()
        .map(|(i, Object(action))| {
            let invalid = |e| Problem::invalid(format!("action {i}, counted from 0: {e}"));
            action.command().map_err(invalid)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let outcomes = api.live.append(commands).await?;
    let status = if outcomes.iter().all(Result::is_ok) {
        StatusCode::OK
    } else {
        StatusCode::MULTI_STATUS
    };
    let answers: Vec<serde_json::Value> = outcomes.into_iter().map(answer).collect();
    Ok((status, Json(answers)).into_response())
}

fn answer(outcome: Outcome) -> serde_json::Value {
    match outcome {
        Ok(receipt) => serde_json::json!(Answer::from(receipt)),
        Err(refusal) => serde_json::json!({ "error": Problem::from(refusal).document() }),
    }
}
