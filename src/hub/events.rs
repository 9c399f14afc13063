//! What a client may say.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::Value;

use crate::{board::UserId, wire};
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
    SubscribeScoreboard,
    UnsubscribeScoreboard,
    SubscribeUserScore(UserId),
    /// A later token of the same user.
    RefreshToken(String),
    Ping,
    /// The name is unknown, or the arguments do not fit it.
    Malformed,
}

impl ClientEvent {
    /// Reads an event. Like the official clients, it takes `null` and an empty
    /// object for no argument.
    pub(super) fn read(name: &str, args: &[Value]) -> ClientEvent {
        let nothing = match args {
            [] | [Value::Null] => true,
            [Value::Object(fields)] => fields.is_empty(),
            _ => false,
        };
        match name {
            SUBSCRIBE_SCOREBOARD if nothing => ClientEvent::SubscribeScoreboard,
            UNSUBSCRIBE_SCOREBOARD if nothing => ClientEvent::UnsubscribeScoreboard,
            "ping" if nothing => ClientEvent::Ping,
            SUBSCRIBE_USER_SCORE => {
                let id = match args {
                    [Value::String(id)] => wire::user_id(id),
                    [Value::Object(fields)] if fields.len() == 1 => {
                        let id = fields.get("userId").and_then(Value::as_str);
                        id.and_then(wire::user_id)
                    }
                    _ => None,
                };
                id.map_or(ClientEvent::Malformed, ClientEvent::SubscribeUserScore)
            }
            REFRESH_TOKEN => match args {
                [Value::Object(fields)] if fields.len() == 1 => {
                    let token = fields.get("token").and_then(Value::as_str);
                    token.map_or(ClientEvent::Malformed, |token| {
                        ClientEvent::RefreshToken(token.to_owned())
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
    use serde_json::json;

    #[test]
    fn events_without_argument_take_none() {
        for (name, event) in [
            ("subscribe_scoreboard", ClientEvent::SubscribeScoreboard),
            ("unsubscribe_scoreboard", ClientEvent::UnsubscribeScoreboard),
            ("ping", ClientEvent::Ping),
        ] {
            for args in [vec![], vec![json!(null)], vec![json!({})]] {
                assert_eq!(ClientEvent::read(name, &args), event);
            }
            for args in [
                vec![json!(1)],
                vec![json!([])],
                vec![json!({"a": 1})],
                vec![json!({}), json!({})],
            ] {
                assert_eq!(ClientEvent::read(name, &args), ClientEvent::Malformed);
            }
        }
    }

    #[test]
    fn a_user_is_named_by_a_uuid_alone_or_in_an_object() {
        let id = "0d9f5c3e-8f5a-4f0e-9d57-0f2f3a1f6b11";
        let user = wire::user_id(id).expect("a UUID");
        for args in [vec![json!(id)], vec![json!({ "userId": id })]] {
            let event = ClientEvent::read("subscribe_user_score", &args);
            assert_eq!(event, ClientEvent::SubscribeUserScore(user));
        }
        for args in [
            vec![],
            vec![json!("test-user-123")],
            vec![json!(7)],
            vec![json!([id])],
            vec![json!({ "userId": 7 })],
            vec![json!({ "userId": id, "more": true })],
            vec![json!(id), json!(id)],
        ] {
            let event = ClientEvent::read("subscribe_user_score", &args);
            assert_eq!(event, ClientEvent::Malformed, "{args:?}");
        }
    }

    #[test]
    fn a_token_comes_in_an_object() {
        let event = ClientEvent::read("refresh_token", &[json!({ "token": "abc" })]);
        assert_eq!(event, ClientEvent::RefreshToken("abc".into()));
        for args in [vec![], vec![json!("abc")], vec![json!({ "token": 7 })]] {
            let event = ClientEvent::read("refresh_token", &args);
            assert_eq!(event, ClientEvent::Malformed, "{args:?}");
        }
    }

    #[test]
    fn unknown_names_are_malformed() {
        assert_eq!(
            ClientEvent::read("raise_my_score", &[]),
            ClientEvent::Malformed
        );
    }
}
