//! Decodes the data of the server from values of JavaScript.
//!
//! `serde_json` would do it too, and is a fifth of the page's code: it generates a parser for
//! every type, for JSON that the browser has parsed already.

use wasm_bindgen::{JsCast, JsValue};

use crate::{
    base_path::BasePath,
    js,
    texts::Locale,
    wire::{
        BoardInfo, LeaderboardData, NotificationKind, PageSnapshot, PageToken, Profile, RowChange,
        ScoreFormat, ScoreRow, ScoreStyle, ScoreboardDelta, Severity, SystemNotification,
        UserScore, UserScoreUpdate, View,
    },
};

/// A type that can be decoded.
pub(crate) trait Decode: Sized {
    /// Decodes a value; `None` if it has another shape, as after an update of the server,
    /// which the page survives.
    fn decode(value: &JsValue) -> Option<Self>;
}

/// The snapshot that the server wrote into the document.
pub(crate) fn snapshot() -> Option<PageSnapshot> {
    let element = leptos::prelude::document().get_element_by_id("snapshot")?;
    let value = js_sys::JSON::parse(&element.text_content()?).ok()?;
    PageSnapshot::decode(&value)
}

impl Decode for String {
    fn decode(value: &JsValue) -> Option<String> {
        value.as_string()
    }
}

impl Decode for i64 {
    fn decode(value: &JsValue) -> Option<i64> {
        value.as_f64().map(|number| number as i64)
    }
}

impl Decode for u64 {
    fn decode(value: &JsValue) -> Option<u64> {
        value.as_f64().map(|number| number as u64)
    }
}

impl Decode for u32 {
    fn decode(value: &JsValue) -> Option<u32> {
        value.as_f64().map(|number| number as u32)
    }
}

impl Decode for usize {
    fn decode(value: &JsValue) -> Option<usize> {
        value.as_f64().map(|number| number as usize)
    }
}

/// An absent field is false.
impl Decode for bool {
    fn decode(value: &JsValue) -> Option<bool> {
        Some(value.is_truthy())
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(value: &JsValue) -> Option<Option<T>> {
        if value.is_null() || value.is_undefined() {
            return Some(None);
        }
        T::decode(value).map(Some)
    }
}

/// An absent list is empty.
impl<T: Decode> Decode for Vec<T> {
    fn decode(value: &JsValue) -> Option<Vec<T>> {
        if value.is_undefined() {
            return Some(Vec::new());
        }
        let array: &js_sys::Array = value.dyn_ref()?;
        array.iter().map(|item| T::decode(&item)).collect()
    }
}

impl Decode for Severity {
    fn decode(value: &JsValue) -> Option<Severity> {
        Some(match value.as_string()?.as_str() {
            "info" => Severity::Info,
            "warning" => Severity::Warning,
            "error" => Severity::Error,
            _ => return None,
        })
    }
}

impl Decode for View {
    fn decode(value: &JsValue) -> Option<View> {
        Some(match value.as_string()?.as_str() {
            "kiosk" => View::Kiosk,
            "embed" => View::Embed,
            _ => View::Whole,
        })
    }
}

/// All kinds look the same.
impl Decode for NotificationKind {
    fn decode(_: &JsValue) -> Option<NotificationKind> {
        Some(NotificationKind::SystemAlert)
    }
}

fn field<T: Decode>(value: &JsValue, name: &str) -> Option<T> {
    T::decode(&js::get(value, name))
}

/// How a type is decoded, field by field; after `..`, the other fields have default values.
macro_rules! decode {
    ($type:ty { $($field:ident: $name:literal,)* $(..$default:expr)? }) => {
        impl Decode for $type {
            fn decode(value: &JsValue) -> Option<Self> {
                Some(Self { $($field: field(value, $name)?,)* $(..$default)? })
            }
        }
    };
}

decode!(ScoreRow {
    user_id: "userId",
    username: "username",
    score: "score",
    rank: "rank",
    avatar: "avatar",
    tiebreak: "tiebreak",
});

decode!(LeaderboardData {
    top_scores: "topScores",
    total_users: "totalUsers",
    last_updated: "lastUpdated",
    epoch: "epoch",
    seq: "seq",
    page: "page",
    board: "board",
});

impl Decode for RowChange {
    fn decode(value: &JsValue) -> Option<RowChange> {
        let user_id = field(value, "userId")?;
        if field(value, "gone")? {
            return Some(RowChange::Removed { user_id });
        }
        let profile = match field(value, "username")? {
            Some(username) => Some(Profile {
                username,
                avatar: Some(field(value, "avatar")?),
            }),
            None => None,
        };
        Some(RowChange::Updated {
            user_id,
            index: field(value, "index")?,
            score: field(value, "score")?,
            rank: field(value, "rank")?,
            tiebreak: field(value, "tiebreak")?,
            profile,
        })
    }
}

decode!(ScoreboardDelta {
    epoch: "epoch",
    from: "from",
    to: "to",
    changes: "changes",
    total_users: "totalUsers",
    last_updated: "lastUpdated",
    page: "page",
    board: "board",
});

decode!(UserScore {
    user_id: "userId",
    username: "username",
    avatar: "avatar",
    score: "score",
    rank: "rank",
    epoch: "epoch",
    seq: "seq",
    board: "board",
});

decode!(UserScoreUpdate {
    user_id: "userId",
    score: "score",
    rank: "rank",
    epoch: "epoch",
    seq: "seq",
    board: "board",
    // The page shows no more of it.
    ..Self::default()
});

decode!(SystemNotification {
    id: "id",
    kind: "type",
    message: "message",
    severity: "severity",
    timestamp: "timestamp",
    duration: "duration",
    replaces: "replaces",
});

decode!(Locale {
    code: "code",
    separator: "separator",
    least_before: "leastBefore",
    texts: "texts",
});

/// What is not there is empty.
impl Decode for BasePath {
    fn decode(value: &JsValue) -> Option<BasePath> {
        Some(BasePath(value.as_string().unwrap_or_default()))
    }
}

decode!(BoardInfo {
    id: "id",
    title: "title",
    format: "format",
    teams: "teams",
    tiebreak: "tiebreak",
    starts: "starts",
    // The rest stands in the document.
    ..Self::default()
});

/// What is left out is plain points.
impl Decode for ScoreFormat {
    fn decode(value: &JsValue) -> Option<ScoreFormat> {
        let style = js::text(value, "style").unwrap_or_default();
        let decimals = js::get(value, "decimals").as_f64().unwrap_or_default();
        Some(ScoreFormat {
            style: match &*style {
                "decimal" => ScoreStyle::Decimal,
                "duration" => ScoreStyle::Duration,
                _ => ScoreStyle::Points,
            },
            decimals: decimals as u8,
            unit: js::text(value, "unit"),
        })
    }
}

decode!(PageSnapshot {
    base: "base",
    info: "info",
    view: "view",
    locale: "locale",
    board: "board",
    you: "you",
    around: "around",
    margin: "margin",
    avatar_origins: "avatarOrigins",
    token: "token",
    expires_in: "expiresIn",
    link_failed: "linkFailed",
    // They stand in the document.
    ..Self::default()
});

decode!(PageToken {
    token: "token",
    expires_in: "expiresIn",
    you: "you",
});
