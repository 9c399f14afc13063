//! What a store says when what keeps it going has ended by a fault of the program.

use podium::{
    board::{LogEntry, Rules, State, StoredBoard},
    store::{self, Fold, Folded, Health, Opened, StoreError, StoreUrl},
};
use tempfile::TempDir;

use crate::{
    server::{DEADLINE, Server},
    suite::{self, put},
};

/// Breaks with the first entry.
struct Breaking;

impl Fold for Breaking {
    fn fold(&mut self, entries: &[LogEntry]) -> Vec<Folded> {
        assert!(entries.is_empty(), "this is what breaks");
        Vec::new()
    }

    fn fold_board(&mut self, _: &LogEntry, _: StoredBoard) -> Folded {
        Folded::default()
    }

    fn put_board(&mut self, _: StoredBoard) {}

    fn reload(&mut self, _: Opened) {}

    fn read(&self, read: &mut dyn FnMut(&State)) {
        read(&State::default());
    }
}

/// Senders that wait are answered, new ones are refused, and health has the reason.
async fn expect_the_end(url: StoreUrl) {
    let (_, ready) = store::open(&url, &suite::main(Rules::default()))
        .await
        .unwrap();
    let store = ready.start(Breaking).unwrap();
    let mut health = store.health();
    assert_eq!(*health.borrow_and_update(), Health::Open);
    let all = async {
        let waiting = (0..9).map(|n| store.append(vec![put(n)]));
        for answer in futures_util::future::join_all(waiting).await {
            assert!(matches!(answer, Err(StoreError::Closed)), "{answer:?}");
        }
        health
            .wait_for(|health| *health == Health::Closed)
            .await
            .unwrap();
        let later = store.append(vec![put(1)]).await;
        assert!(matches!(later, Err(StoreError::Closed)), "{later:?}");
        store.close().await;
    };
    tokio::time::timeout(DEADLINE, all)
        .await
        .expect("nobody is left waiting");
}

#[tokio::test]
async fn a_writer_that_panics_leaves_nobody_waiting() {
    let folder = TempDir::new().unwrap();
    expect_the_end(StoreUrl::Sqlite(folder.path().join("podium.db"))).await;
}

#[tokio::test]
async fn a_node_that_panics_leaves_nobody_waiting() {
    let server = Server::new();
    expect_the_end(server.url().parse().unwrap()).await;
}
