//! Reads what the server says from the values that the browser has made of it.
//!
//! `serde_json` would do it too, and is a fifth of the page's code: every type gets
//! a reader of its own from it, for texts that the browser parses anyway.

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};

use crate::{
    base_path::BasePath,
    texts::Locale,
    wire::{
        LeaderboardData, NotificationKind, PageSnapshot, PageToken, RowChange, ScoreRow,
        ScoreboardDelta, Severity, SystemNotification, UserScore, UserScoreUpdate, View,
    },
};

/// What can be read; `None` for a value of another shape, as after an update of the
/// server, which the page survives.
pub(crate) trait Read: Sized {
    /// Reads a value.
    fn read(value: &JsValue) -> Option<Self>;
}

/// What the server wrote into the document.
pub(crate) fn snapshot() -> Option<PageSnapshot> {
    let element = leptos::prelude::document().get_element_by_id("snapshot")?;
    let value = js_sys::JSON::parse(&element.text_content()?).ok()?;
    PageSnapshot::read(&value)
}

impl Read for String {
    fn read(value: &JsValue) -> Option<String> {
        value.as_string()
    }
}

impl Read for i64 {
    fn read(value: &JsValue) -> Option<i64> {
        value.as_f64().map(|number| number as i64)
    }
}

impl Read for u64 {
    fn read(value: &JsValue) -> Option<u64> {
        value.as_f64().map(|number| number as u64)
    }
}

impl Read for usize {
    fn read(value: &JsValue) -> Option<usize> {
        value.as_f64().map(|number| number as usize)
    }
}

/// What is not there is false.
impl Read for bool {
    fn read(value: &JsValue) -> Option<bool> {
        Some(value.is_truthy())
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: &JsValue) -> Option<Option<T>> {
        if value.is_null() || value.is_undefined() {
            return Some(None);
        }
        T::read(value).map(Some)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &JsValue) -> Option<Vec<T>> {
        let array: &js_sys::Array = value.dyn_ref()?;
        array.iter().map(|item| T::read(&item)).collect()
    }
}

impl Read for Severity {
    fn read(value: &JsValue) -> Option<Severity> {
        Some(match value.as_string()?.as_str() {
            "info" => Severity::Info,
            "warning" => Severity::Warning,
            "error" => Severity::Error,
            _ => return None,
        })
    }
}

impl Read for View {
    fn read(value: &JsValue) -> Option<View> {
        Some(match value.as_string()?.as_str() {
            "kiosk" => View::Kiosk,
            "embed" => View::Embed,
            _ => View::Whole,
        })
    }
}

/// All kinds look the same.
impl Read for NotificationKind {
    fn read(_: &JsValue) -> Option<NotificationKind> {
        Some(NotificationKind::SystemAlert)
    }
}

fn field<T: Read>(value: &JsValue, name: &str) -> Option<T> {
    T::read(&Reflect::get(value, &JsValue::from_str(name)).ok()?)
}

/// How a type is read, field by field.
macro_rules! read {
    ($type:ty { $($field:ident: $name:literal,)* }) => {
        impl Read for $type {
            fn read(value: &JsValue) -> Option<Self> {
                Some(Self { $($field: field(value, $name)?,)* })
            }
        }
    };
}

read!(ScoreRow {
    user_id: "userId",
    username: "username",
    score: "score",
    rank: "rank",
    avatar: "avatar",
});

read!(LeaderboardData {
    top_scores: "topScores",
    total_users: "totalUsers",
    last_updated: "lastUpdated",
    epoch: "epoch",
    seq: "seq",
    page: "page",
});

read!(RowChange {
    user_id: "userId",
    gone: "gone",
    index: "index",
    score: "score",
    rank: "rank",
    username: "username",
    avatar: "avatar",
});

read!(ScoreboardDelta {
    epoch: "epoch",
    from: "from",
    to: "to",
    changes: "changes",
    total_users: "totalUsers",
    last_updated: "lastUpdated",
    page: "page",
});

read!(UserScore {
    user_id: "userId",
    username: "username",
    avatar: "avatar",
    score: "score",
    rank: "rank",
    epoch: "epoch",
    seq: "seq",
});

read!(UserScoreUpdate {
    user_id: "userId",
    score: "score",
    rank: "rank",
    action_type: "actionType",
    score_increase: "scoreIncrease",
    timestamp: "timestamp",
    merged: "merged",
    epoch: "epoch",
    seq: "seq",
});

read!(SystemNotification {
    id: "id",
    kind: "type",
    message: "message",
    severity: "severity",
    timestamp: "timestamp",
    duration: "duration",
    replaces: "replaces",
});

read!(Locale {
    code: "code",
    separator: "separator",
    least_before: "leastBefore",
    texts: "texts",
});

/// What is not there is empty.
impl Read for BasePath {
    fn read(value: &JsValue) -> Option<BasePath> {
        Some(BasePath(value.as_string().unwrap_or_default()))
    }
}

read!(PageSnapshot {
    base: "base",
    title: "title",
    view: "view",
    locale: "locale",
    board: "board",
    you: "you",
    around: "around",
    margin: "margin",
    starts: "starts",
    avatar_origins: "avatarOrigins",
    token: "token",
    expires_in: "expiresIn",
    link_failed: "linkFailed",
});

read!(PageToken {
    token: "token",
    expires_in: "expiresIn",
    you: "you",
});

impl Read for u32 {
    fn read(value: &JsValue) -> Option<u32> {
        value.as_f64().map(|number| number as u32)
    }
}
