//! The files of the page, in memory: so an answer opens no file, however slowly it is
//! read, and any name that is not there is simply not there, whatever is in it.
//!
//! What a file is answered by, with conditions (RFC 9110, section 13), one range (section
//! 14) and the encodings in which it lies beside itself (`NAME.br`, `NAME.gz`), is pure.

use std::{
    collections::HashMap,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
        header::{
            ACCEPT_ENCODING, ACCEPT_RANGES, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
            CONTENT_TYPE, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
        },
    },
    response::{IntoResponse, Response},
};
use http_range_header::parse_range_header;
use httpdate::HttpDate;
use parking_lot::RwLock;
use percent_encoding::percent_decode_str;
use tokio::task::spawn_blocking;

/// All files together, in bytes. Those of the project are a few hundred kB, in a debug
/// build some MB.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Folders within folders. Links may lead in a circle.
const MAX_DEPTH: usize = 16;

/// The encodings that are looked for, the shortest first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// A folder of files. Clones are the same.
#[derive(Clone)]
pub(super) struct Site {
    root: Arc<Path>,
    /// Is it looked at again for each request, as somebody works on it?
    is_watched: bool,
    files: Arc<RwLock<Files>>,
}

/// The files by their names, which are paths below the folder.
type Files = HashMap<String, File>;

#[derive(Clone, Debug)]
struct File {
    modified: Option<SystemTime>,
    content: Bytes,
}

impl Site {
    /// Reads all files that are there now. A file that cannot be read is not served, as
    /// the log says.
    pub(super) fn read(root: &Path, is_watched: bool) -> Site {
        Site {
            root: root.into(),
            is_watched,
            files: Arc::new(RwLock::new(read(list(root)))),
        }
    }

    /// The answer to a request, if there is such a file or the method is none for files.
    pub(super) async fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Option<Response> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let allow = [(ALLOW, HeaderValue::from_static("GET,HEAD"))];
            return Some((StatusCode::METHOD_NOT_ALLOWED, allow).into_response());
        }
        if self.is_watched {
            let site = self.clone();
            _ = spawn_blocking(move || site.look_again()).await;
        }
        let name = percent_decode_str(uri.path()).decode_utf8().ok()?;
        let name = name.trim_start_matches('/');
        let files = self.files.read();
        let file = files.get(name)?;
        let encodings = accepted(headers);
        let encoded = encodings
            .iter()
            .find_map(|(code, ending)| Some((*code, files.get(&format!("{name}{ending}"))?)));
        let (encoding, file) = encoded.map_or((None, file), |(code, file)| (Some(code), file));
        let mut answer = file.answer(method, headers);
        if answer.status().is_success() {
            let headers = answer.headers_mut();
            // The type is that of the file itself.
            let kind = mime_guess::from_path(name).first_raw();
            let kind = kind.unwrap_or("application/octet-stream");
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            if let Some(encoding) = encoding {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
        }
        Some(answer)
    }

    /// Reads anew if anything has changed.
    fn look_again(&self) {
        let now = list(&self.root);
        let is_same = {
            let files = self.files.read();
            let same = |found: &Found| {
                let file = files.get(&found.name);
                file.is_some_and(|file| {
                    file.modified == found.modified && file.content.len() as u64 == found.bytes
                })
            };
            now.len() == files.len() && now.iter().all(same)
        };
        if !is_same {
            *self.files.write() = read(now);
        }
    }
}

/// A file that was found.
struct Found {
    name: String,
    path: PathBuf,
    modified: Option<SystemTime>,
    bytes: u64,
}

/// The files in a folder, in the order of their names, within the bounds.
fn list(root: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    if let Err(error) = list_folder(root, "", MAX_DEPTH, &mut found)
        // Without any files the page is still worth reading.
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(%error, root = %root.display(), "the files of the page cannot be listed");
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    let mut bytes = 0;
    found.retain(|file| {
        let fits = bytes + file.bytes <= MAX_BYTES;
        if fits {
            bytes += file.bytes;
        } else {
            tracing::warn!(
                file = %file.path.display(),
                "this file is not served: the files of the page are at most 64 MiB together"
            );
        }
        fits
    });
    found
}

fn list_folder(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<Found>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // A name that is no text is asked for by nobody.
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let name = format!("{prefix}{name}");
        // What is gone meanwhile was not there.
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        if metadata.is_file() {
            found.push(Found {
                name,
                modified: metadata.modified().ok(),
                bytes: metadata.len(),
                path,
            });
        } else if metadata.is_dir() && depth > 0 {
            list_folder(&path, &format!("{name}/"), depth - 1, found)?;
        }
    }
    Ok(())
}

fn read(found: Vec<Found>) -> Files {
    let read = |Found {
                    name,
                    path,
                    modified,
                    ..
                }: Found| match fs::read(&path) {
        Ok(content) => Some((
            name,
            File {
                modified,
                content: content.into(),
            },
        )),
        Err(error) => {
            tracing::warn!(%error, file = %path.display(), "a file of the page cannot be read");
            None
        }
    };
    found.into_iter().filter_map(read).collect()
}

/// The encodings that a client takes (RFC 9110, section 12.5.3), the one that it likes
/// best first, and of equals the shortest.
fn accepted(headers: &HeaderMap) -> Vec<(&'static str, &'static str)> {
    let weight = |code: &str| -> Option<f32> {
        let lines = headers.get_all(ACCEPT_ENCODING).iter();
        let items = lines.filter_map(|line| line.to_str().ok());
        let mut items = items.flat_map(|line| line.split(','));
        items.find_map(|item| {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = parameters.trim().strip_prefix("q=");
            let is_it = name.trim().eq_ignore_ascii_case(code);
            is_it.then(|| weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0)))
        })
    };
    let mut codes: Vec<_> = ENCODINGS
        .into_iter()
        .filter_map(|encoding| Some((weight(encoding.0)?, encoding)))
        .filter(|(weight, _)| *weight > 0.0)
        .collect();
    codes.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    codes.into_iter().map(|(_, encoding)| encoding).collect()
}

impl File {
    fn answer(&self, method: &Method, headers: &HeaderMap) -> Response {
        // As it is said in headers, without parts of a second.
        let modified = self.modified.map(HttpDate::from);
        if let Some(since) = date(headers, &IF_UNMODIFIED_SINCE)
            && modified.is_none_or(|modified| since < modified)
        {
            return StatusCode::PRECONDITION_FAILED.into_response();
        }
        if let Some(since) = date(headers, &IF_MODIFIED_SINCE)
            && modified.is_some_and(|modified| since >= modified)
        {
            return StatusCode::NOT_MODIFIED.into_response();
        }
        let length = self.content.len() as u64;
        let range = headers.get(RANGE).and_then(|value| value.to_str().ok());
        let mut answer = match range.map(|text| range_of(text, length)) {
            None => self.part(method, 0..self.content.len()),
            Some(Some(range)) => {
                let mut answer = self.part(method, range.clone());
                *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
                let last = range.end - 1;
                let content_range = format!("bytes {}-{last}/{length}", range.start);
                insert(&mut answer, CONTENT_RANGE, &content_range);
                answer
            }
            Some(None) => {
                let mut answer = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
                insert(&mut answer, CONTENT_RANGE, &format!("bytes */{length}"));
                answer
            }
        };
        insert(&mut answer, ACCEPT_RANGES, "bytes");
        if let Some(modified) = modified {
            insert(&mut answer, LAST_MODIFIED, &modified.to_string());
        }
        answer
    }

    /// These bytes, which all answers share.
    fn part(&self, method: &Method, range: std::ops::Range<usize>) -> Response {
        let length = HeaderValue::from(range.len());
        let body = if method == Method::HEAD {
            Body::empty()
        } else {
            Body::from(self.content.slice(range))
        };
        ([(CONTENT_LENGTH, length)], body).into_response()
    }
}

fn insert(answer: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<HttpDate> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// The one range that is asked for, if there is one that can be answered. Several would
/// need an answer of several parts, which nobody asks for of such files.
fn range_of(text: &str, length: u64) -> Option<std::ops::Range<usize>> {
    let ranges = parse_range_header(text).ok()?.validate(length).ok()?;
    let [range] = &ranges[..] else {
        return None;
    };
    let start = usize::try_from(*range.start()).ok()?;
    let last = usize::try_from(*range.end()).ok()?;
    Some(start..last + 1)
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, extract::Request};

    use super::*;

    const TEXT: &str = "0123456789";

    /// A folder with these files, each of which says its name.
    fn folder(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        root
    }

    fn request(method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Request {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    async fn ask(site: &Site, request: Request) -> Option<Response> {
        let answer = site.answer(request.method(), request.uri(), request.headers());
        answer.await
    }

    async fn text(answer: Response) -> String {
        let body = to_bytes(answer.into_body(), 1000).await.unwrap();
        String::from_utf8(body.into()).unwrap()
    }

    /// What is answered to a GET of a file, as text.
    async fn get(site: &Site, path: &str) -> Option<String> {
        let answer = ask(site, request(Method::GET, path, &[])).await?;
        Some(text(answer).await)
    }

    #[tokio::test]
    async fn files_are_found_by_their_names_and_nothing_else_is() {
        let root = folder(&["site/a.txt", "site/pkg/b c.js", "secret"]);
        let site = Site::read(&root.path().join("site"), false);
        for (path, name) in [
            ("/a.txt", "site/a.txt"),
            ("/%61.txt", "site/a.txt"),
            ("/a.txt?v=1", "site/a.txt"),
            ("/pkg/b%20c.js", "site/pkg/b c.js"),
            ("/pkg%2Fb%20c.js", "site/pkg/b c.js"),
        ] {
            assert_eq!(get(&site, path).await.as_deref(), Some(name), "{path}");
        }
        let (long, deep) = (format!("/{}", "x".repeat(5000)), "/pkg".repeat(5000));
        for path in [
            "/",
            "/pkg",
            "/pkg/",
            "/a.txt/",
            "/a.txt/b",
            "/A.TXT",
            "/b.txt",
            "/../secret",
            "/pkg/../../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/..%5csecret",
            "/pkg/../a.txt",
            "/a.txt%00",
            "/%00",
            "/%ff",
            "/%",
            "/%2",
            "/./a.txt",
            "/pkg//b%20c.js",
            &long,
            &deep,
        ] {
            assert_eq!(get(&site, path).await, None, "{path}");
        }
    }

    #[tokio::test]
    async fn files_are_read_once_or_watched() {
        for is_watched in [false, true] {
            let root = folder(&["a.txt"]);
            let site = Site::read(root.path(), is_watched);
            fs::write(root.path().join("a.txt"), "changed!").unwrap();
            fs::write(root.path().join("b.txt"), "new").unwrap();
            let expected = if is_watched {
                ("changed!", Some("new"))
            } else {
                ("a.txt", None)
            };
            assert_eq!(get(&site, "/a.txt").await.as_deref(), Some(expected.0));
            assert_eq!(get(&site, "/b.txt").await.as_deref(), expected.1);
            fs::remove_file(root.path().join("a.txt")).unwrap();
            assert_eq!(get(&site, "/a.txt").await.is_none(), is_watched);
        }
        let nowhere = Site::read(Path::new("/nowhere at all"), true);
        assert_eq!(get(&nowhere, "/a.txt").await, None);
    }

    #[tokio::test]
    async fn a_file_comes_in_the_encoding_that_the_client_likes_best() {
        let root = folder(&["a.js", "a.js.br", "a.js.gz", "b.js", "b.js.gz", "c.wasm"]);
        let site = Site::read(root.path(), false);
        for (path, accept, name, encoding) in [
            ("/a.js", "gzip, deflate, br, zstd", "a.js.br", Some("br")),
            ("/a.js", "br;q=0.5, gzip;q=0.9", "a.js.gz", Some("gzip")),
            ("/a.js", "br;q=0, GZIP ; q=0.1", "a.js.gz", Some("gzip")),
            ("/a.js", "br;q=0", "a.js", None),
            ("/a.js", "identity", "a.js", None),
            ("/b.js", "br, gzip", "b.js.gz", Some("gzip")),
            ("/c.wasm", "br, gzip", "c.wasm", None),
        ] {
            let asked = request(Method::GET, path, &[(ACCEPT_ENCODING, accept)]);
            let answer = ask(&site, asked).await.unwrap();
            let headers = answer.headers();
            let found = headers.get(CONTENT_ENCODING).map(|it| it.to_str().unwrap());
            assert_eq!(found, encoding, "{path} {accept}");
            let kind = if path == "/c.wasm" {
                "application/wasm"
            } else {
                "text/javascript"
            };
            assert_eq!(headers[CONTENT_TYPE], kind);
            assert_eq!(text(answer).await, name);
        }
    }

    #[tokio::test]
    async fn methods_conditions_and_ranges() {
        let root = folder(&[]);
        fs::write(root.path().join("a.txt"), TEXT).unwrap();
        let site = Site::read(root.path(), false);
        let with = async |method, name: HeaderName, value: &str| {
            let asked = request(method, "/a.txt", &[(name, value)]);
            let answer = ask(&site, asked).await.unwrap();
            let range = answer.headers().get(CONTENT_RANGE);
            let range = range.map(|it| it.to_str().unwrap().to_owned());
            (
                answer.status().as_u16(),
                range.unwrap_or_default(),
                text(answer).await,
            )
        };
        let answer = ask(&site, request(Method::HEAD, "/a.txt", &[]))
            .await
            .unwrap();
        assert_eq!(answer.headers()[CONTENT_LENGTH], "10");
        let modified = answer.headers()[LAST_MODIFIED].to_str().unwrap().to_owned();
        assert_eq!(text(answer).await, "");
        for (name, value, expected) in [
            (IF_MODIFIED_SINCE, modified.as_str(), (304, "", "")),
            (
                IF_MODIFIED_SINCE,
                "Mon, 01 Jan 2001 00:00:00 GMT",
                (200, "", TEXT),
            ),
            (IF_MODIFIED_SINCE, "yesterday", (200, "", TEXT)),
            (IF_UNMODIFIED_SINCE, &modified, (200, "", TEXT)),
            (
                IF_UNMODIFIED_SINCE,
                "Mon, 01 Jan 2001 00:00:00 GMT",
                (412, "", ""),
            ),
            (RANGE, "bytes=2-4", (206, "bytes 2-4/10", "234")),
            (RANGE, "bytes=8-", (206, "bytes 8-9/10", "89")),
            (RANGE, "bytes=-1", (206, "bytes 9-9/10", "9")),
            (RANGE, "bytes=0-0,2-2", (416, "bytes */10", "")),
            (RANGE, "bytes=10-", (416, "bytes */10", "")),
            (RANGE, "bytes=5-1", (416, "bytes */10", "")),
            (
                RANGE,
                "bytes=0-18446744073709551615",
                (206, "bytes 0-9/10", TEXT),
            ),
            (RANGE, "rows=1-2", (416, "bytes */10", "")),
        ] {
            let (status, range, body) = with(Method::GET, name, value).await;
            assert_eq!((status, &*range, &*body), expected, "{value}");
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(
                with(method, RANGE, "bytes=0-0").await,
                (405, String::new(), String::new())
            );
        }
    }
}
