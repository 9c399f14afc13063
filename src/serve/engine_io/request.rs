//! A request of Engine.IO: parsed once, and written anew for the library.

use axum::http::{
    HeaderMap, HeaderValue, Method, Request, Uri,
    header::{AUTHORIZATION, CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use socketioxide::socket::Sid;

/// The version of the WebSocket protocol (RFC 6455, section 4.1).
const WEBSOCKET_VERSION: &str = "13";

/// A request that the protocol knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EngineIoRequest {
    /// Opens a session by long polling.
    OpenPolling,
    /// Opens a session by a WebSocket.
    OpenWebSocket(WebSocketKey),
    /// Waits for packets of the server in a session.
    Poll(Sid),
    /// Sends packets in a session.
    Post(Sid),
    /// Continues a session by a WebSocket.
    Upgrade(Sid, WebSocketKey),
}

/// By which packets are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transport {
    Polling,
    WebSocket,
}

/// From which the answer to a WebSocket's handshake follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WebSocketKey(pub(super) HeaderValue);

impl EngineIoRequest {
    /// Parses a request; `None` if it is none of the protocol.
    pub(super) fn parse<B>(request: &Request<B>) -> Option<EngineIoRequest> {
        if parameter(request.uri(), "EIO=")? != "4" {
            return None;
        }
        // One that cannot be parsed names no session, and does not open one either.
        let sid = match parameter(request.uri(), "sid=") {
            Some(sid) => Some(sid.parse::<Sid>().ok()?),
            None => None,
        };
        let transport = parameter(request.uri(), "transport=")?;
        match (transport, request.method(), sid) {
            ("polling", &Method::GET, None) => Some(EngineIoRequest::OpenPolling),
            ("polling", &Method::GET, Some(sid)) => Some(EngineIoRequest::Poll(sid)),
            ("polling", &Method::POST, Some(sid)) => Some(EngineIoRequest::Post(sid)),
            ("websocket", &Method::GET, sid) => {
                let key = websocket_key(request.headers())?;
                Some(match sid {
                    None => EngineIoRequest::OpenWebSocket(key),
                    Some(sid) => EngineIoRequest::Upgrade(sid, key),
                })
            }
            _ => None,
        }
    }
}

/// A request for the library, which keeps it as long as the session. So it has nothing
/// that a client may have written but its `Authorization`.
pub(super) fn rewrite(
    path: &str,
    transport: Transport,
    sid: Option<Sid>,
    headers: &HeaderMap,
) -> Option<Request<()>> {
    let transport = match transport {
        Transport::Polling => "polling",
        Transport::WebSocket => "websocket",
    };
    let mut uri = format!("{path}?EIO=4&transport={transport}");
    if let Some(sid) = sid {
        uri.push_str(&format!("&sid={sid}"));
    }
    let mut request = Request::new(());
    *request.uri_mut() = uri.parse().ok()?;
    if let Some(token) = headers.get(AUTHORIZATION) {
        // A copy, because the original shares memory with the whole head.
        let token = HeaderValue::from_bytes(token.as_bytes()).ok()?;
        request.headers_mut().insert(AUTHORIZATION, token);
    }
    Some(request)
}

/// The first parameter of this name, as the library takes it.
fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let mut pairs = uri.query()?.split('&');
    pairs.find_map(|pair| pair.strip_prefix(name))
}

/// The key of a handshake (RFC 6455, section 4.2.1) that asks for what we speak.
fn websocket_key(headers: &HeaderMap) -> Option<WebSocketKey> {
    let has_token = |name, token: &str| {
        let values = headers.get_all(name).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    let is_handshake = has_token(UPGRADE, "websocket")
        && has_token(CONNECTION, "upgrade")
        && has_token(SEC_WEBSOCKET_VERSION, WEBSOCKET_VERSION);
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    is_handshake.then(|| WebSocketKey(key.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "AAAAAAAAAAAAAAHs";

    fn parse(method: Method, query: &str) -> Option<EngineIoRequest> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/socket.io/?{query}"));
        EngineIoRequest::parse(&request.body(()).unwrap())
    }

    fn handshake(query: &str, headers: &[(&str, &str)]) -> Option<EngineIoRequest> {
        let mut request = Request::builder().uri(format!("/socket.io/?{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        EngineIoRequest::parse(&request.body(()).unwrap())
    }

    const HANDSHAKE: [(&str, &str); 4] = [
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    #[test]
    fn polling_opens_reads_and_writes() {
        let sid: Sid = SID.parse().unwrap();
        let polling = "EIO=4&transport=polling";
        assert_eq!(
            parse(Method::GET, polling),
            Some(EngineIoRequest::OpenPolling)
        );
        let with_sid = format!("{polling}&t=x&sid={SID}&sid=other");
        let polled = parse(Method::GET, &with_sid);
        assert_eq!(polled, Some(EngineIoRequest::Poll(sid)));
        let posted = parse(Method::POST, &with_sid);
        assert_eq!(posted, Some(EngineIoRequest::Post(sid)));
    }

    #[test]
    fn what_the_protocol_does_not_know_opens_nothing() {
        for (method, query) in [
            (Method::GET, ""),
            (Method::GET, "17"),
            (Method::GET, "EIO=3&transport=polling"),
            (Method::GET, "EIO=4"),
            (Method::GET, "EIO=4&transport=webtransport"),
            (Method::GET, "EIO=4&transport=polling&sid=of nobody"),
            (Method::GET, "EIO=4&transport=websocket"),
            (Method::POST, "EIO=4&transport=polling"),
            (Method::PUT, "EIO=4&transport=polling"),
        ] {
            let query = query.replace(' ', "%20");
            assert_eq!(parse(method, &query), None, "{query}");
        }
        assert_eq!(EngineIoRequest::parse(&Request::new(())), None);
    }

    #[test]
    fn a_websocket_needs_all_of_its_handshake() {
        let query = "EIO=4&transport=websocket";
        let key = WebSocketKey(HeaderValue::from_static(HANDSHAKE[3].1));
        assert_eq!(
            handshake(query, &HANDSHAKE),
            Some(EngineIoRequest::OpenWebSocket(key.clone()))
        );
        let upgrade = handshake(&format!("{query}&sid={SID}"), &HANDSHAKE);
        let sid = SID.parse().unwrap();
        assert_eq!(upgrade, Some(EngineIoRequest::Upgrade(sid, key)));
        for missing in 0..HANDSHAKE.len() {
            let mut headers = HANDSHAKE.to_vec();
            headers.remove(missing);
            assert_eq!(handshake(query, &headers), None, "{missing}");
        }
        let mut other = HANDSHAKE;
        other[2].1 = "8";
        assert_eq!(handshake(query, &other), None);
    }

    #[test]
    fn the_library_gets_nothing_that_a_client_wrote_but_the_token() {
        let sid: Sid = SID.parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-padding", HeaderValue::from_static("x"));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer t"));
        for (transport, sid, uri) in [
            (Transport::Polling, None, "EIO=4&transport=polling"),
            (Transport::WebSocket, None, "EIO=4&transport=websocket"),
            (
                Transport::Polling,
                Some(sid),
                "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAHs",
            ),
        ] {
            let request = rewrite("/socket.io/", transport, sid, &headers).unwrap();
            assert_eq!(request.uri().to_string(), format!("/socket.io/?{uri}"));
            assert_eq!(request.headers().len(), 1);
            assert_eq!(request.headers()[AUTHORIZATION], "Bearer t");
        }
    }
}
