//! HTTP requests, beside the socket.

use leptos::{prelude::window, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, RequestInit};

use crate::js::object;

/// The longest that the server may take to answer a request, in milliseconds.
pub(super) const TIMEOUT: u32 = 10_000;

/// How the browser's cache is used.
#[derive(Clone, Copy)]
pub(super) enum Cache {
    /// The server is asked whether what is stored is still valid.
    Revalidate,
    /// Nothing is stored.
    Bypass,
}

/// What the server has answered.
#[derive(Default)]
pub(super) struct Response {
    head: Option<web_sys::Response>,
    /// The body, parsed as JSON; undefined if there is none.
    pub(super) body: JsValue,
}

impl Response {
    /// Has the server answered, with a status of success?
    pub(super) fn is_ok(&self) -> bool {
        self.head.as_ref().is_some_and(web_sys::Response::ok)
    }

    /// A header that is a whole number.
    pub(super) fn number(&self, header: &str) -> Option<i64> {
        let text = self.head.as_ref()?.headers().get(header).ok()??;
        text.parse().ok()
    }
}

/// Requests `path`, with a token or without, and hands over the response once it is there,
/// or an empty one after `timeout` in milliseconds. One future serves all requests: another
/// for each would be as much code again.
pub(super) fn get(
    path: &str,
    token: Option<&str>,
    cache: Cache,
    timeout: u32,
    then: Box<dyn FnOnce(Response)>,
) {
    let cache = match cache {
        Cache::Revalidate => "no-cache",
        Cache::Bypass => "no-store",
    };
    let mut headers = Vec::new();
    if let Some(token) = token {
        let mut bearer = String::from("Bearer ");
        bearer.push_str(token);
        headers.push(("authorization", bearer.into()));
    }
    let init = object(&[
        ("cache", cache.into()),
        ("headers", object(&headers)),
        ("signal", AbortSignal::timeout_with_u32(timeout).into()),
    ]);
    let head = window().fetch_with_str_and_init(path, init.unchecked_ref::<RequestInit>());
    spawn_local(async move {
        let mut response = Response::default();
        if let Ok(head) = JsFuture::from(head).await {
            let head: web_sys::Response = head.unchecked_into();
            if let Ok(body) = head.json() {
                response.body = JsFuture::from(body).await.unwrap_or_default();
            }
            response.head = Some(head);
        }
        then(response);
    });
}
