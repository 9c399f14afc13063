//! What a client may send.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::view::{Mode, View};
use crate::{
    auth::Identity,
    board::{BoardId, Epoch, UserId},
    whole,
};
use app::wire::{
    REFRESH_TOKEN, SUBSCRIBE_SCOREBOARD, SUBSCRIBE_USER_SCORE, UNSUBSCRIBE_SCOREBOARD,
};

/// The arguments of an event, however many there are.
pub(super) struct Args(pub(super) Vec<Value>);

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Args, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Args;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the arguments of an event")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Args, A::Error> {
                let mut args = Vec::new();
                while let Some(arg) = seq.next_element()? {
                    args.push(arg);
                }
                Ok(Args(args))
            }
        }
        // The library hands all arguments only to what looks like a tuple.
        deserializer.deserialize_tuple(1, All)
    }
}

/// An event of a client that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ClientEvent {
    SubscribeScoreboard(Subscribe),
    UnsubscribeScoreboard(BoardId),
    SubscribeUserScore(UserId, BoardId),
    /// What a later token says; `None` if it is not valid. Tokens are long, so they are
    /// verified before the event waits for the actor.
    RefreshToken(Option<Identity>),
    Ping,
    /// The name is unknown, or the arguments do not fit it.
    Malformed,
}

/// Which rows a client subscribes to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscribe {
    pub(super) board: BoardId,
    pub(super) view: View,
    pub(super) mode: Mode,
    /// The epoch and `seq` of the rows that the client has.
    pub(super) known: Option<(Epoch, u64)>,
    /// Is it to be sent something every few seconds, even if nothing happens?
    pub(super) heartbeat: bool,
}

impl Subscribe {
    /// Of a client that sends no fields.
    pub(super) fn plain() -> Subscribe {
        Subscribe {
            board: BoardId::default(),
            view: View::Top,
            mode: Mode::Full,
            known: None,
            heartbeat: false,
        }
    }

    /// Reads the fields that a client sends; one that is `null` counts as absent.
    fn read(fields: &Map<String, Value>) -> Option<Subscribe> {
        let mut wanted = Subscribe::plain();
        let (mut epoch, mut seq) = (None, None);
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            match name.as_str() {
                "mode" => {
                    wanted.mode = match value.as_str()? {
                        "full" => Mode::Full,
                        "delta" => Mode::Delta,
                        _ => return None,
                    }
                }
                "board" => wanted.board = read_board(value)?,
                "page" => wanted.view = View::Page(whole::natural(value)?),
                "epoch" => epoch = Some(value.as_str()?),
                "seq" => seq = Some(whole::natural(value)?),
                "heartbeat" => wanted.heartbeat = value.as_bool()?,
                _ => return None,
            }
        }
        wanted.known = match (epoch, seq, wanted.mode) {
            (None, None, _) => None,
            // Rows of an epoch that is not written like one are not known here.
            (Some(epoch), Some(seq), Mode::Delta) => read_epoch(epoch).map(|epoch| (epoch, seq)),
            _ => return None,
        };
        Some(wanted)
    }
}

/// Reads the id of a board, which need not be there.
fn read_board(value: &Value) -> Option<BoardId> {
    BoardId::new(value.as_str()?)
}

/// Reads the fields that name a board and nothing else; without one they mean `main`.
fn read_board_field(fields: &Map<String, Value>) -> Option<BoardId> {
    let mut board = BoardId::default();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "board" => board = read_board(value)?,
            _ => return None,
        }
    }
    Some(board)
}

/// Reads whose score on which board a client asks for.
fn read_user_score(args: &[Value]) -> Option<(UserId, BoardId)> {
    match args {
        [Value::String(id)] => Some((UserId::parse(id)?, BoardId::default())),
        [Value::Object(fields)] => {
            let mut fields = fields.clone();
            let user = fields.remove("userId")?;
            let user = UserId::parse(user.as_str()?)?;
            Some((user, read_board_field(&fields)?))
        }
        _ => None,
    }
}

/// Reads what an epoch is written as.
fn read_epoch(text: &str) -> Option<Epoch> {
    let epoch = u64::from_str_radix(text, 16).ok().map(Epoch);
    epoch.filter(|epoch| epoch.to_string() == text)
}

impl ClientEvent {
    /// Reads an event; `verify` reads a token. Like the official clients, it takes `null`
    /// and an empty object for no argument.
    pub(super) fn read(
        name: &str,
        args: &[Value],
        verify: impl FnOnce(&str) -> Option<Identity>,
    ) -> ClientEvent {
        let nothing = match args {
            [] | [Value::Null] => true,
            [Value::Object(fields)] => fields.is_empty(),
            _ => false,
        };
        match name {
            SUBSCRIBE_SCOREBOARD if nothing => ClientEvent::SubscribeScoreboard(Subscribe::plain()),
            SUBSCRIBE_SCOREBOARD => {
                let wanted = match args {
                    [Value::Object(fields)] => Subscribe::read(fields),
                    _ => None,
                };
                wanted.map_or(ClientEvent::Malformed, ClientEvent::SubscribeScoreboard)
            }
            UNSUBSCRIBE_SCOREBOARD => {
                let board = match args {
                    _ if nothing => Some(BoardId::default()),
                    [Value::Object(fields)] => read_board_field(fields),
                    _ => None,
                };
                board.map_or(ClientEvent::Malformed, ClientEvent::UnsubscribeScoreboard)
            }
            "ping" if nothing => ClientEvent::Ping,
            SUBSCRIBE_USER_SCORE => {
                let wanted = read_user_score(args);
                wanted.map_or(ClientEvent::Malformed, |(user, board)| {
                    ClientEvent::SubscribeUserScore(user, board)
                })
            }
            REFRESH_TOKEN => match args {
                [Value::Object(fields)] if fields.len() == 1 => {
                    let token = fields.get("token").and_then(Value::as_str);
                    token.map_or(ClientEvent::Malformed, |token| {
                        ClientEvent::RefreshToken(verify(token))
                    })
                }
                _ => ClientEvent::Malformed,
            },
            _ => ClientEvent::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Role;
    use serde_json::json;

    /// Of tokens, only this one is valid.
    const TOKEN: &str = "abc";

    fn identity() -> Identity {
        Identity {
            user: UserId([7; 16]),
            role: Role::Viewer,
            issued: None,
            expires: 9,
        }
    }

    fn read(name: &str, args: &[Value]) -> ClientEvent {
        let verify = |token: &str| (token == TOKEN).then(identity);
        ClientEvent::read(name, args, verify)
    }

    #[test]
    fn events_without_argument_take_none() {
        for (name, event) in [
            (
                "subscribe_scoreboard",
                ClientEvent::SubscribeScoreboard(Subscribe::plain()),
            ),
            (
                "unsubscribe_scoreboard",
                ClientEvent::UnsubscribeScoreboard(BoardId::default()),
            ),
            ("ping", ClientEvent::Ping),
        ] {
            for args in [vec![], vec![json!(null)], vec![json!({})]] {
                assert_eq!(read(name, &args), event);
            }
            for args in [
                vec![json!(1)],
                vec![json!([])],
                vec![json!({"a": 1})],
                vec![json!({}), json!({})],
            ] {
                assert_eq!(read(name, &args), ClientEvent::Malformed);
            }
        }
    }

    #[test]
    fn a_subscription_names_its_rows_and_its_mode() {
        let subscribe = |fields| read("subscribe_scoreboard", &[fields]);
        let plain = Subscribe::plain();
        let weekly = BoardId::new("weekly-2").expect("an id");
        let epoch = Epoch(0x2a).to_string();
        let known = Some((Epoch(0x2a), 7));
        for (fields, wanted) in [
            (json!({ "mode": "full" }), plain.clone()),
            (json!({ "mode": null, "page": null }), plain.clone()),
            (
                json!({ "mode": "delta", "epoch": "no epoch of ours", "seq": 7 }),
                Subscribe {
                    mode: Mode::Delta,
                    ..plain.clone()
                },
            ),
            (
                json!({ "page": 3 }),
                Subscribe {
                    view: View::Page(3),
                    ..plain.clone()
                },
            ),
            (
                json!({ "mode": "delta", "epoch": epoch, "seq": 7.0, "page": 1e1 }),
                Subscribe {
                    view: View::Page(10),
                    mode: Mode::Delta,
                    known,
                    ..plain.clone()
                },
            ),
            (
                json!({ "mode": "delta", "epoch": epoch, "seq": 7 }),
                Subscribe {
                    mode: Mode::Delta,
                    known,
                    ..plain.clone()
                },
            ),
            (
                json!({ "heartbeat": true, "page": null }),
                Subscribe {
                    heartbeat: true,
                    ..plain.clone()
                },
            ),
            (json!({ "heartbeat": false }), plain),
            (
                json!({ "board": "weekly-2", "mode": "delta", "epoch": epoch, "seq": 7, "page": 0 }),
                Subscribe {
                    board: weekly,
                    view: View::Page(0),
                    mode: Mode::Delta,
                    known,
                    heartbeat: false,
                },
            ),
        ] {
            assert_eq!(subscribe(fields), ClientEvent::SubscribeScoreboard(wanted));
        }
        for fields in [
            json!({ "mode": "sideways" }),
            json!({ "mode": 1 }),
            json!({ "page": -1 }),
            json!({ "page": 1.5 }),
            json!({ "page": -1.0 }),
            json!({ "page": 1e300 }),
            json!({ "page": "1" }),
            json!({ "mode": "delta", "seq": 7 }),
            json!({ "mode": "delta", "epoch": epoch }),
            json!({ "mode": "delta", "epoch": epoch, "seq": -7 }),
            json!({ "mode": "delta", "epoch": 1, "seq": 7 }),
            json!({ "epoch": epoch, "seq": 7 }),
            json!({ "board": "Weekly" }),
            json!({ "board": "" }),
            json!({ "board": "a:b" }),
            json!({ "board": "a".repeat(64) }),
            json!({ "board": ["main"] }),
            json!({ "top": 100 }),
            json!({ "heartbeat": 5 }),
            json!({ "heartbeat": "true" }),
        ] {
            assert_eq!(
                subscribe(fields.clone()),
                ClientEvent::Malformed,
                "{fields}"
            );
        }
    }

    #[test]
    fn a_user_is_named_by_a_uuid_alone_or_in_an_object() {
        let id = "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11";
        let user = UserId::parse(id).expect("a UUID");
        for args in [vec![json!(id)], vec![json!({ "userId": id })]] {
            let event = read("subscribe_user_score", &args);
            let expected = ClientEvent::SubscribeUserScore(user, BoardId::default());
            assert_eq!(event, expected);
        }
        let weekly = BoardId::new("weekly").expect("an id");
        let args = [json!({ "userId": id, "board": "weekly" })];
        let event = read("subscribe_user_score", &args);
        assert_eq!(event, ClientEvent::SubscribeUserScore(user, weekly));
        for args in [
            vec![],
            vec![json!("test-user-123")],
            vec![json!(7)],
            vec![json!([id])],
            vec![json!({ "userId": 7 })],
            vec![json!({ "userId": id, "more": true })],
            vec![json!({ "userId": id, "board": "A" })],
            vec![json!({ "board": "a" })],
            vec![json!(id), json!(id)],
        ] {
            let event = read("subscribe_user_score", &args);
            assert_eq!(event, ClientEvent::Malformed, "{args:?}");
        }
    }

    #[test]
    fn leaving_a_board_names_it_and_nothing_else() {
        let weekly = BoardId::new("weekly").expect("an id");
        for (fields, board) in [
            (json!({ "board": "weekly" }), weekly),
            (json!({ "board": null }), BoardId::default()),
        ] {
            let event = read("unsubscribe_scoreboard", &[fields]);
            assert_eq!(event, ClientEvent::UnsubscribeScoreboard(board));
        }
        for args in [
            vec![json!("weekly")],
            vec![json!({ "board": 7 })],
            vec![json!({ "board": "weekly", "page": 1 })],
        ] {
            let event = read("unsubscribe_scoreboard", &args);
            assert_eq!(event, ClientEvent::Malformed, "{args:?}");
        }
    }

    #[test]
    fn a_token_comes_in_an_object() {
        for (token, expected) in [(TOKEN, Some(identity())), ("forged", None)] {
            let event = read("refresh_token", &[json!({ "token": token })]);
            assert_eq!(event, ClientEvent::RefreshToken(expected));
        }
        for args in [vec![], vec![json!("abc")], vec![json!({ "token": 7 })]] {
            let event = read("refresh_token", &args);
            assert_eq!(event, ClientEvent::Malformed, "{args:?}");
        }
    }

    #[test]
    fn unknown_names_are_malformed() {
        assert_eq!(read("raise_my_score", &[]), ClientEvent::Malformed);
    }
}
