//! `POST /api/v1/notifications`: a message of an organiser to all, to a role or to one
//! user, at once or at a set time.

use std::time::{Duration, UNIX_EPOCH};

use app::wire::{NotificationKind, Severity as Seriousness, SystemNotification};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Admin, Api, Problem,
    body::{Body, Object},
};
use crate::{
    auth::Role,
    board::{
        Announcement, AnnouncementId, AnnouncementKind, Audience, Severity, Timestamp, UserId,
    },
    store::Command,
    text,
    whole::Written,
    wire,
};

/// How long a notification without `duration` is shown to those who connect.
const VALID: Duration = Duration::from_secs(3600);
/// The longest `duration`.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// How far ahead `at` may be.
const FARTHEST: Duration = Duration::from_secs(366 * 24 * 3600);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NotificationBody {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<NotificationKind>,
    message: String,
    severity: Option<Seriousness>,
    /// Milliseconds.
    duration: Option<Written>,
    /// ISO 8601.
    at: Option<String>,
    role: Option<Role>,
    user_id: Option<String>,
}

/// The notification as clients are sent it, if it is new, and its entry of the log.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    New {
        #[serde(flatten)]
        notification: SystemNotification,
        seq: u64,
        duplicate: bool,
    },
    /// It began at the time that was answered first.
    Known {
        id: String,
        seq: u64,
        duplicate: bool,
    },
}

/// Answers when the notification is durable. Users who are connected see it within a tick,
/// and others when they connect, as long as it is valid.
pub(super) async fn post(
    State(api): State<Api>,
    _: Admin,
    body: Body,
) -> Result<(StatusCode, Json<Answer>), Problem> {
    let Object(body): Object<NotificationBody> = body.json()?;
    let announcement = body.announcement(api.live.now())?;
    let notification = wire::notification(&announcement);
    let receipt = api.live.append_one(Command::Announce(announcement)).await?;
    let (seq, duplicate) = (receipt.seq, receipt.duplicate);
    Ok(if duplicate {
        let id = notification.id;
        let known = Answer::Known { id, seq, duplicate };
        (StatusCode::OK, Json(known))
    } else {
        let new = Answer::New {
            notification,
            seq,
            duplicate,
        };
        (StatusCode::CREATED, Json(new))
    })
}

impl NotificationBody {
    fn announcement(self, now: Timestamp) -> Result<Announcement, Problem> {
        let id = match self.id {
            Some(id) => UserId::parse(&id)
                .map(|UserId(id)| id)
                .ok_or_else(|| Problem::invalid("id must be a UUID"))?,
            None => Uuid::new_v4().into_bytes(),
        };
        let audience = match (self.role, self.user_id) {
            (None, None) => Audience::All,
            (Some(role), None) => Audience::Role(role),
            (None, Some(user)) => Audience::User(text::user_id(&user).map_err(invalid)?),
            (Some(_), Some(_)) => {
                return Err(Problem::invalid(
                    "give role or userId, or neither for everybody",
                ));
            }
        };
        let from = self.at.map_or(Ok(now), |at| start(&at, now))?;
        let duration = self.duration.as_ref().map(duration).transpose()?;
        let valid = duration.unwrap_or(VALID.as_millis() as u64);
        Ok(Announcement {
            id: AnnouncementId(id),
            kind: match self.kind {
                Some(NotificationKind::Maintenance) => AnnouncementKind::Maintenance,
                Some(NotificationKind::Achievement) => AnnouncementKind::Achievement,
                Some(NotificationKind::SystemAlert) | None => AnnouncementKind::SystemAlert,
            },
            message: text::message(&self.message).map_err(invalid)?,
            severity: match self.severity {
                Some(Seriousness::Error) => Severity::Error,
                Some(Seriousness::Warning) => Severity::Warning,
                Some(Seriousness::Info) | None => Severity::Info,
            },
            audience,
            from,
            until: Timestamp(from.0 + valid),
            duration,
        })
    }
}

/// For how long something is shown, in milliseconds.
fn duration(written: &Written) -> Result<u64, Problem> {
    let milliseconds = written.whole().ok().and_then(|it| u64::try_from(it).ok());
    milliseconds
        .filter(|&it| it > 0 && u128::from(it) <= LONGEST.as_millis())
        .ok_or_else(|| Problem::invalid("duration must be 1 to 604800000 milliseconds, a week"))
}

/// When it begins; a time that has passed counts as now.
fn start(at: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let at = humantime::parse_rfc3339(at)
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .ok_or_else(|| Problem::invalid("at must be a time in UTC, as 2026-11-23T18:00:00Z"))?;
    let at = Timestamp(at.as_millis() as u64);
    if at.0 > now.0 + FARTHEST.as_millis() as u64 {
        return Err(Problem::invalid("at must be within a year"));
    }
    Ok(at.max(now))
}

fn invalid(error: text::InvalidText) -> Problem {
    Problem::invalid(error.to_string())
}
