//! Lists whose length is that of all boards or seasons: each is made once for all who ask for
//! the same, and by few at once, as pages are.

use std::{mem::size_of, sync::Arc};

use axum::{
    body::Bytes,
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, VARY},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    blocking,
    board::BoardId,
    config::LimitsTable,
    etag,
    limits::{Bounds, Client, FairPermit, Reason, Refusals, Unanswered, Work},
    live::{BoardsVersion, HistoryError, Version, Viewer},
    store::StoreError,
};

/// Bytes of lists in the cache: some tens of a thousand boards.
const CACHED: u64 = 8 * 1024 * 1024;

/// What is listed, and as of when.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The boards that are listed for this viewer.
    Boards(Version, Viewer),
    /// The seasons of this board that have ended.
    Seasons(BoardsVersion, BoardId),
}

/// A list as JSON, and its entity tag.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    json: Bytes,
    etag: Arc<str>,
}

/// Why a list is not in the cache.
#[derive(Clone, Debug)]
enum Uncached {
    /// It may be longer the next time.
    Incomplete(Listing),
    Store(Arc<StoreError>),
}

/// Making lists, with those that were made last. Clones are the same.
#[derive(Clone)]
pub(super) struct Listings(Work<Key, Listing, Uncached>);

/// What a list has, and whether that is all that its key says.
pub(super) struct Made<T> {
    pub(super) list: Vec<T>,
    pub(super) is_complete: bool,
}

impl Listings {
    /// No list yet.
    pub(super) fn new(limits: &LimitsTable, refusals: Refusals) -> Listings {
        let bounds = Bounds {
            concurrent: limits.renders(),
            cached: CACHED,
        };
        let bytes = |_: &Key, listing: &Listing| {
            size_of::<(Key, Listing)>() + BoardId::MAX_BYTES + listing.json.len()
        };
        Listings(Work::new(bounds, bytes, Reason::Render, refusals))
    }

    pub(super) fn forget_idle(&self) {
        self.0.forget_idle();
    }

    /// The list of a key, of which `make` makes the elements.
    ///
    /// # Errors
    /// If too much is asked for, or as `make` fails.
    pub(super) async fn get<T, F>(
        &self,
        client: Client,
        key: Key,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Listing, HistoryError>
    where
        T: Serialize + Send + 'static,
        F: Future<Output = Result<Made<T>, StoreError>> + Send + 'static,
    {
        let listing = self.0.get(client, key, async move |permit: FairPermit| {
            let made = make().await.map_err(|error| match error {
                StoreError::TookTooLong => Unanswered::TookTooLong,
                error => Unanswered::Failed(Uncached::Store(Arc::new(error))),
            })?;
            let list = move || {
                let _permit = permit;
                Listing::of(&made.list)
            };
            let listing = blocking::on_thread(list).await;
            match made.is_complete {
                true => Ok(listing),
                false => Err(Unanswered::Failed(Uncached::Incomplete(listing))),
            }
        });
        listing.await.or_else(|why| {
            why.recover(|uncached| match uncached {
                Uncached::Incomplete(listing) => Ok(listing),
                Uncached::Store(error) => Err(error),
            })
        })
    }
}

impl Listing {
    fn of(list: &[impl Serialize]) -> Listing {
        // Of texts and numbers, which have JSON.
        let json = serde_json::to_vec(list).unwrap_or_default();
        Listing {
            etag: etag::of(&json).into(),
            json: json.into(),
        }
    }

    /// The answer to a request with these headers. Which boards are listed depends on who asks.
    pub(super) fn answer(self, headers: &HeaderMap) -> Response {
        let about = [
            (CACHE_CONTROL, "no-cache"),
            (VARY, "authorization"),
            (ETAG, &*self.etag),
        ];
        if etag::is_known(headers, &self.etag) {
            return (StatusCode::NOT_MODIFIED, about).into_response();
        }
        (about, [(CONTENT_TYPE, "application/json")], self.json).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::Fact,
        live::testing::{entry, live, log, user},
        metrics::Metrics,
        store::Fold,
    };

    /// Whoever asks while nothing changes that others see has the same bytes.
    #[tokio::test]
    async fn a_list_is_made_once_for_what_is_the_same() {
        let (live, mut folder) = live(log(1, 3, &[1, 2]));
        let listings = Listings::new(&LimitsTable::default(), Refusals::new(Metrics::default()));
        let made = std::sync::atomic::AtomicUsize::new(0);
        let made = Arc::new(made);
        let get = async |viewer| {
            let key = Key::Boards(live.version_of_all(), viewer);
            let (live, made) = (live.clone(), made.clone());
            let make = async move || {
                made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let list = live.read(|_, state| state.boards().map(|it| it.seq()).collect());
                let is_complete = true;
                Ok(Made::<u64> { list, is_complete })
            };
            let listing = listings.get(Client::Server, key, make).await;
            listing.unwrap().json
        };
        let count = || made.load(std::sync::atomic::Ordering::Relaxed);
        let all = futures_util::future::join_all((0..9).map(|_| get(Viewer::Public)));
        assert!(all.await.iter().all(|it| **it == *b"[3]"));
        assert_eq!(count(), 1);
        get(Viewer::Admin).await;
        assert_eq!(count(), 2);
        // Who is hidden is so at once; what they do then, others do not see.
        let hidden = true;
        let user = user(2);
        folder.fold(&[entry(
            4,
            Fact::UserHidden {
                user,
                hidden,
                reason: None,
            },
        )]);
        assert_eq!(*get(Viewer::Public).await, *b"[4]");
        folder.fold(&[crate::live::testing::acted(5, 2)]);
        assert_eq!(*get(Viewer::Public).await, *b"[4]");
        assert_eq!(count(), 3);
        folder.fold(&[crate::live::testing::acted(6, 1)]);
        assert_eq!(*get(Viewer::Public).await, *b"[5]");
    }

    #[test]
    fn who_has_the_list_is_told_so() {
        let listing = Listing::of(&["a"]);
        let mut headers = HeaderMap::new();
        let first = listing.clone().answer(&headers);
        assert_eq!(first.status(), StatusCode::OK);
        headers.insert("if-none-match", first.headers()[ETAG].clone());
        assert_eq!(listing.answer(&headers).status(), StatusCode::NOT_MODIFIED);
        let other = Listing::of(&["b"]).answer(&headers);
        assert_eq!(other.status(), StatusCode::OK);
    }
}
