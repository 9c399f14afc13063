//! The files of the page: by which names they are served, and for how long a
//! browser may keep them.
//!
//! `scripts/build` puts a hash of its content into the name of each file that is
//! compiled; `scripts/watch` does not. Which of both was done shows in the names.

use std::{fs, path::Path, sync::Arc};

use app::files::{PageFiles, SOCKET_CLIENT};
use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, VARY},
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use leptos_config::LeptosOptions;
use tower::ServiceExt;

use super::{header, site::Site};
use crate::{limits::Answers, listener::ClientAddress};

/// What is behind a name with a hash or a version never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Everything else: a browser asks each time whether it has changed.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The length of a hash in a name: an MD5 in base64url.
const HASH_LENGTH: usize = 22;

/// The names of the files that are there now.
pub(super) fn find(options: &LeptosOptions) -> PageFiles {
    let folder = Path::new(&*options.site_root).join(&*options.site_pkg_dir);
    let names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let base = options.site_pkg_dir_route_base();
    let output = &*options.output_name;
    let address = |extension| {
        let hashed = names
            .iter()
            .find(|name| is_hashed(name, output, extension))
            .cloned();
        // Without any files the page is still worth reading.
        let name = hashed.unwrap_or_else(|| format!("{output}.{extension}"));
        format!("{base}{name}")
    };
    PageFiles {
        css: address("css"),
        js: address("js"),
        wasm: address("wasm"),
    }
}

/// Is this `OUTPUT.HASH.EXTENSION`?
fn is_hashed(name: &str, output: &str, extension: &str) -> bool {
    let hash = name
        .strip_prefix(output)
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.strip_suffix(extension))
        .and_then(|rest| rest.strip_suffix('.'));
    hash.is_some_and(|hash| {
        hash.len() == HASH_LENGTH
            && hash
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    })
}

/// Serves the files, and the answer of `missing` for all other addresses. Each client has
/// its turn.
pub(super) fn routes(
    root: &Path,
    page: &PageFiles,
    answers: Answers,
    missing: MethodRouter,
) -> Router {
    let lasting = lasting(page);
    // Files without a hash in their names come from a developer's build.
    let site = Site::read(root, !lasting.contains(&page.css));
    Router::new()
        .fallback(serve)
        .with_state((site, answers, missing))
        .layer(from_fn_with_state(lasting, set_cache_control))
        .layer(header(VARY, "accept-encoding"))
}

async fn serve(
    State((site, answers, missing)): State<(Site, Answers, MethodRouter)>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    request: Request,
) -> Response {
    let turn = match answers.turn(address.into()).await {
        Ok(turn) => turn,
        Err(why) => return why.into_response(),
    };
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let file = site.answer(method, uri, headers).await;
    // `missing` takes a turn of its own.
    drop(turn);
    match file {
        Some(answer) => answer,
        None => missing.oneshot(request).await.into_response(),
    }
}

/// The files whose names change with what is in them.
fn lasting(page: &PageFiles) -> Arc<[String]> {
    let PageFiles { css, js, wasm } = page;
    let hashed = [(css, "css"), (js, "js"), (wasm, "wasm")]
        .into_iter()
        .filter(|(address, extension)| {
            let name = address.rsplit('/').next().unwrap_or_default();
            let output = name.split('.').next().unwrap_or_default();
            is_hashed(name, output, extension)
        })
        .map(|(address, _)| address.clone());
    hashed.chain([SOCKET_CLIENT.to_owned()]).collect()
}

async fn set_cache_control(
    State(lasting): State<Arc<[String]>>,
    request: Request,
    next: Next,
) -> Response {
    let lasts = lasting
        .iter()
        .any(|address| address == request.uri().path());
    let mut response = next.run(request).await;
    // A file that is missing may be there tomorrow.
    let is_there = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let value = if lasts && is_there {
        FOR_EVER
    } else {
        ASK_AGAIN
    };
    // Answers that are made for one user have their own.
    if !response.headers().contains_key(CACHE_CONTROL) {
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(names: &[&str]) -> (tempfile::TempDir, LeptosOptions) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("pkg");
        fs::create_dir(&folder).unwrap();
        for name in names {
            fs::write(folder.join(name), "").unwrap();
        }
        let options = LeptosOptions::builder()
            .output_name("podium")
            .site_root(root.path().to_str().unwrap())
            .build();
        (root, options)
    }

    #[test]
    fn names_with_a_hash_are_found_and_last() {
        let (_root, options) = site(&[
            "podium.rrOwA9zlzSzsLaVLqUwwWA.css",
            "podium.d.-_OwA9zlzSzsLaVLqUwwWA.ts",
            "podium.TbU2BCcyEeqKnsJlJaC_-w.js",
            "podium.TbU2BCcyEeqKnsJlJaC_-w.js.br",
            "podium.hP0jEiO2K2pXkaJrJbO5YQ.wasm",
        ]);
        let found = find(&options);
        assert_eq!(found.css, "/pkg/podium.rrOwA9zlzSzsLaVLqUwwWA.css");
        assert_eq!(found.js, "/pkg/podium.TbU2BCcyEeqKnsJlJaC_-w.js");
        assert_eq!(found.wasm, "/pkg/podium.hP0jEiO2K2pXkaJrJbO5YQ.wasm");
        let lasting = lasting(&found);
        assert_eq!(
            *lasting,
            [found.css, found.js, found.wasm, SOCKET_CLIENT.into()]
        );
    }

    #[test]
    fn plain_names_are_taken_too_and_do_not_last() {
        let plain = PageFiles {
            css: "/pkg/podium.css".into(),
            js: "/pkg/podium.js".into(),
            wasm: "/pkg/podium.wasm".into(),
        };
        let (_root, watched) = site(&["podium.css", "podium.js", "podium.wasm"]);
        let (_root, nothing) = site(&[]);
        for options in [watched, nothing] {
            let found = find(&options);
            assert_eq!(found, plain);
            assert_eq!(*lasting(&found), [SOCKET_CLIENT.to_owned()]);
        }
    }
}
