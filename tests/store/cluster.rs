//! The store in a cluster of three primaries.

use std::process::{Command as Process, Stdio};

use podium::board::Rules;

use crate::{
    redis::{agree, open_at},
    server::{Server, free_port, wait_for},
    store_suite,
    suite::{Fixture, Running, act, again, put},
};

struct Cluster(Vec<Server>);

impl Cluster {
    fn url(&self) -> String {
        let nodes = self.0.iter().map(|node| format!("127.0.0.1:{}", node.port));
        format!("redis://{}", nodes.collect::<Vec<_>>().join(","))
    }

    /// The node that keeps the board.
    fn keeper(&self) -> usize {
        let has_it = |node: &Server| {
            node.try_ask::<u64>(&["EXISTS", "podium:{main}:meta"])
                .is_ok()
        };
        self.0.iter().position(has_it).unwrap()
    }
}

impl Fixture for Cluster {
    fn new() -> Cluster {
        let node = || {
            let bus = free_port().to_string();
            Server::with(&[
                "--save",
                "",
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
            ])
        };
        let cluster = Cluster(vec![node(), node(), node()]);
        let made = Process::new("redis-cli")
            .args(["--cluster", "create"])
            .args(
                cluster
                    .0
                    .iter()
                    .map(|node| format!("127.0.0.1:{}", node.port)),
            )
            .arg("--cluster-yes")
            .stdout(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        cluster
    }

    async fn open(&self, rules: Rules) -> Running {
        wait_for("the cluster is there", || {
            self.0.iter().all(|node| {
                let info: String = node.ask(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok")
            })
        })
        .await;
        open_at(&self.url(), rules).await.unwrap()
    }
}

store_suite!(Cluster:
    numbers_entries_without_gaps
    decides_in_order_within_one_batch
    limits_survive_a_restart
    announcements_are_accepted_once_and_stored_while_valid
    is_the_same_when_it_is_opened_again
    answers_many_senders_at_once
    looking_back_shows_what_a_user_did
);

/// The slot of the board is given to another node while it is played on.
#[tokio::test]
async fn the_board_may_move_to_another_node() {
    let cluster = Cluster::new();
    let one = cluster.open(Rules::default()).await;
    let other = cluster.open(Rules::default()).await;
    one.store.append((1..=3).map(put).collect()).await.unwrap();
    let first = one.one(act("a", 2, 5)).await.unwrap();
    agree(&[&one, &other]).await;

    let from = cluster.keeper();
    let to = (from + 1) % 3;
    let ids: Vec<String> = cluster
        .0
        .iter()
        .map(|node| node.ask(&["CLUSTER", "MYID"]))
        .collect();
    let (old, new) = (&cluster.0[from], &cluster.0[to]);
    let slot = old
        .ask::<u64>(&["CLUSTER", "KEYSLOT", "podium:{main}:meta"])
        .to_string();
    let state = |node: &Server, state: &str, of: usize| {
        node.ask::<()>(&["CLUSTER", "SETSLOT", &slot, state, &ids[of]]);
    };
    state(new, "IMPORTING", from);
    state(old, "MIGRATING", to);
    let port = new.port.to_string();
    loop {
        let keys: Vec<String> = old.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"]);
        let Some(key) = keys.first() else {
            break;
        };
        // Halfway, it may fail to be asked, and nothing is torn.
        if let Ok(outcomes) = other.store.append(vec![act("b", 1, 3)]).await {
            outcomes[0].as_ref().unwrap();
        }
        old.ask::<()>(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
    }
    for node in [new, old, &cluster.0[(from + 2) % 3]] {
        state(node, "NODE", to);
    }
    wait_for("the nodes have found it", || {
        new.ask::<u64>(&["EXISTS", "podium:{main}:meta"]) == 1
    })
    .await;
    agree(&[&one, &other]).await;
    for node in [&one, &other] {
        let until = std::time::Instant::now() + crate::server::DEADLINE;
        let counted = loop {
            match node
                .store
                .append(vec![act("a", 2, 5), act("b", 1, 3)])
                .await
            {
                Ok(outcomes) => break outcomes,
                Err(error) => assert!(std::time::Instant::now() < until, "{error}"),
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(counted[0], Ok(again(first)));
        assert_eq!(counted[1].as_ref().unwrap().seq, 5);
    }
    agree(&[&one, &other]).await;
    assert_eq!(one.follower.epoch(), one.epoch, "nothing was lost");
    assert_eq!(one.follower.rows().len(), 3);
}
