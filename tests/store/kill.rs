//! The process dies by SIGKILL in the middle of writing, again and again, and
//! every action that it answered is there exactly once.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Command as Process, Stdio},
    time::Duration,
};

use podium::{
    board::Rules,
    store::{self, Command, Receipt},
};

use crate::{
    server::Server,
    suite::{self, Follower, act, put},
};

/// Set for the child: the address of the store.
const STORE: &str = "PODIUM_TEST_KILL_STORE";
/// Set for the child: the number of its first action.
const FIRST: &str = "PODIUM_TEST_KILL_FIRST";

/// Set for the other program: the path of the file.
const OTHER: &str = "PODIUM_TEST_KILL_OTHER";

const ROUNDS: u64 = 25;
const USERS: u8 = 8;

fn action(n: u64) -> Command {
    act(
        &format!("action {n}"),
        (n * 5 % u64::from(USERS)) as u8,
        (n % 9) as i64 - 2,
    )
}

/// What the child does until it is killed: it writes actions, several at a time,
/// and prints each answer when it has it.
async fn write_for_ever(url: &str, first: u64) {
    let (opened, ready) = store::open(&url.parse().unwrap(), &suite::main(Rules::default()))
        .await
        .unwrap();
    let store = ready.start(Follower::new(&opened)).unwrap();
    for start in (first..first + 1_000_000).step_by(16) {
        let answers = (start..start + 16).map(|n| {
            let store = &store;
            async move {
                let outcomes = store.append(vec![action(n)]).await.unwrap();
                let receipt = outcomes[0].clone().unwrap();
                let line = format!(
                    "{n} {} {} {} {}\n",
                    receipt.seq,
                    receipt.scores.unwrap().score.points(),
                    receipt.rank.unwrap(),
                    receipt.old_rank.unwrap()
                );
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
        });
        futures_util::future::join_all(answers).await;
    }
}

#[tokio::test]
async fn every_answered_action_is_there_once() {
    if is_child().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("podium.db").display());
    let answered = die_again_and_again("every_answered_action_is_there_once", &url).await;

    // Each score is the sum of that user's entries: nothing was counted twice.
    let database = rusqlite::Connection::open(folder.path().join("podium.db")).unwrap();
    let wrong: i64 = database
        .query_row(
            "SELECT count(*) FROM standings WHERE score <> (
                 SELECT coalesce(sum(increase), 0) FROM log WHERE log.user = standings.user)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(wrong, 0);
    let (entries, last): (u64, u64) = database
        .query_row("SELECT count(*), max(seq) FROM log", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(entries, last, "seq has no gaps");
    assert!(entries >= answered);
}

/// As programs do that make backups.
#[tokio::test]
async fn every_answered_action_is_there_once_beside_a_program_that_writes_the_log_back() {
    if is_child().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("podium.db");
    let url = format!("sqlite:{}", path.display());
    let test = "every_answered_action_is_there_once_beside_a_program_that_writes_the_log_back";
    // Another process: SQLite's locks are those of a process.
    let mut other = child(test).env(OTHER, &path).spawn().unwrap();
    die_again_and_again(test, &url).await;
    assert!(
        other.try_wait().unwrap().is_none(),
        "it has written back until now"
    );
    other.kill().unwrap();
    other.wait().unwrap();
}

/// Writes the log back again and again, until it is killed.
fn write_back_for_ever(path: &str) {
    loop {
        std::thread::sleep(Duration::from_millis(1));
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
        if let Ok(other) = rusqlite::Connection::open_with_flags(path, flags) {
            // The file may be just opened, or closed.
            _ = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
}

/// This test, in a process of its own.
fn child(test: &str) -> Process {
    let mut process = Process::new(std::env::current_exe().unwrap());
    process.args([
        &format!("kill::{test}"),
        "--exact",
        "--nocapture",
        "--test-threads=1",
    ]);
    process
}

#[tokio::test]
async fn every_answered_action_is_there_once_in_redis() {
    if is_child().await {
        return;
    }
    let server = Server::new();
    let test = "every_answered_action_is_there_once_in_redis";
    let answered = die_again_and_again(test, &server.url()).await;
    let (entries, last): (u64, u64) = (
        server.ask(&["XLEN", "podium:{main}:log"]),
        server.ask(&["HGET", "podium:{main}:meta", "seq"]),
    );
    assert_eq!(entries, last, "seq has no gaps");
    assert!(entries >= answered);
}

/// The child is the test again, in a process of its own, and this is all that it does.
async fn is_child() -> bool {
    if let Ok(path) = std::env::var(OTHER) {
        write_back_for_ever(&path);
    }
    let (Ok(url), Ok(first)) = (std::env::var(STORE), std::env::var(FIRST)) else {
        return false;
    };
    write_for_ever(&url, first.parse().unwrap()).await;
    true
}

/// Starts and kills processes of this test that write to a store, and gives how many
/// actions were answered.
async fn die_again_and_again(test: &str, url: &str) -> u64 {
    let (opened, ready) = store::open(&url.parse().unwrap(), &suite::main(Rules::default()))
        .await
        .unwrap();
    let store = ready.start(opened.state).unwrap();
    store.append((0..USERS).map(put).collect()).await.unwrap();
    store.close().await;

    let mut answered: HashMap<u64, (u64, i64, u64, u64)> = HashMap::new();
    let mut first = 0;
    for round in 0..ROUNDS {
        let mut child = child(test)
            .env(STORE, url)
            .env(FIRST, first.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let before = answered.len();
        let enough = before + 20 + (round * 37 % 150) as usize;
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            // A last line that was cut short is no answer, and neither is what
            // the test harness prints.
            if let Some(answer) = line.strip_suffix('\n').and_then(parse) {
                first = first.max(answer.0 + 1);
                assert_eq!(answered.insert(answer.0, answer.1), None);
            }
            line.clear();
            if answered.len() == enough {
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success(), "killed");
        assert!(answered.len() >= enough, "round {round} ended early");
        // Beyond what was answered, a few may have been written: start after them.
        first += 1_000;

        let (opened, ready) = store::open(&url.parse().unwrap(), &suite::main(Rules::default()))
            .await
            .unwrap();
        let follower = Follower::new(&opened);
        let store = ready.start(follower.clone()).unwrap();
        let numbers: Vec<u64> = answered.keys().copied().collect();
        let outcomes = store
            .append(numbers.iter().map(|&n| action(n)).collect())
            .await
            .unwrap();
        for (n, outcome) in numbers.iter().zip(outcomes) {
            let Receipt {
                seq,
                scores,
                rank,
                old_rank,
                duplicate,
            } = outcome.unwrap();
            assert!(duplicate, "action {n} was answered and is gone");
            let now = (
                seq,
                scores.unwrap().score.points(),
                rank.unwrap(),
                old_rank.unwrap(),
            );
            assert_eq!(now, answered[n], "action {n}");
        }
        store.close().await;
    }
    answered.len() as u64
}

/// `n seq score rank oldRank`
fn parse(line: &str) -> Option<(u64, (u64, i64, u64, u64))> {
    let mut words = line.split(' ');
    let mut next = || words.next();
    let n = next()?.parse().ok()?;
    Some((
        n,
        (
            next()?.parse().ok()?,
            next()?.parse().ok()?,
            next()?.parse().ok()?,
            next()?.parse().ok()?,
        ),
    ))
}
