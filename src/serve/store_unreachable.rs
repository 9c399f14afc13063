//! What a server answers while its store is unreachable.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{
        Method, Request, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
    },
    response::Response,
};
use serde_json::json;
use tower::ServiceExt;

use super::Server;
use crate::{
    auth::{Role, Tokens},
    config::{AuthTable, Config, Secret},
    listener::ClientAddress,
    live::testing::{live, log, user},
    vital::Vitals,
};

/// A server whose store is unreachable. Users 1 and 2 are on the board.
struct Unreachable {
    router: Router,
    publisher: String,
}

impl Unreachable {
    fn start() -> Unreachable {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Leptos.toml");
        let config = Config::load(Some(&file)).unwrap();
        let secret = |text: &str| Secret(text.into());
        let tokens = Tokens::new(&secret("one"), &secret("other"), &AuthTable::default());
        let ttl = Duration::from_secs(600);
        let publisher = tokens.issue(user(70), Role::Publisher, ttl).unwrap();
        let (live, _) = live(log(1, 3, &[1, 2]));
        _ = any_spawner::Executor::init_tokio();
        let server = Server::new(&config, live, Arc::new(tokens), Vitals::default()).unwrap();
        Unreachable {
            router: server.router,
            publisher,
        }
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Response {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .extension(ClientAddress([192, 0, 2, 1].into()))
            .header(AUTHORIZATION, format!("Bearer {}", self.publisher))
            .header(CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body)).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let response = self.ask(Method::GET, path, String::new()).await;
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.into()).unwrap())
    }
}

#[tokio::test]
async fn what_writes_is_to_be_sent_again_later() {
    let server = Unreachable::start();
    let of = user(1).to_string();
    let action = json!({
        "actionId": "a",
        "userId": of,
        "actionType": "goal",
        "scoreIncrease": 5,
    });
    let put = json!({ "username": "Ada" });
    for (method, path, body) in [
        (Method::POST, "/api/v1/actions".to_owned(), action),
        (Method::PUT, format!("/api/v1/users/{of}"), put),
        (Method::DELETE, format!("/api/v1/users/{of}"), json!(null)),
    ] {
        let answer = server.ask(method, &path, body.to_string()).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
    }
    let (_, metrics) = server.get("/metrics").await;
    let failed = "podium_actions_total{outcome=\"failed\"} 1\n";
    assert!(metrics.contains(failed), "{metrics}");
}

#[tokio::test]
async fn what_is_on_the_board_is_shown() {
    let server = Unreachable::start();
    let of = user(1).to_string();
    for (path, shown) in [
        ("/readyz", "store: away"),
        ("/", "P1"),
        ("/?q=p2", "P2"),
        ("/api/v1/leaderboard", "P1"),
        (&format!("/api/v1/users/{of}"), "P1"),
        (&format!("/players/{of}"), "P1"),
        (
            &format!("/players/{of}"),
            "What was before cannot be shown now",
        ),
    ] {
        let (status, body) = server.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(body.contains(shown), "{shown} on {path}: {body}");
    }
    // The past is the store's to tell.
    let (status, _) = server.get(&format!("/api/v1/users/{of}/history")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let nobody = user(9).to_string();
    let (status, _) = server.get(&format!("/players/{nobody}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
