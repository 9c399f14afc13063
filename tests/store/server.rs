//! Real servers of Redis, each in a folder of its own, that end with their test.

use std::{
    net::TcpListener,
    ops::Range,
    path::Path,
    process::{Child, Command as Process, Stdio},
    time::{Duration, Instant},
};

use redis::FromRedisValue;
use tempfile::TempDir;

/// How long anything may take that is waited for.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub struct Server {
    folder: TempDir,
    pub port: u16,
    arguments: Vec<String>,
    child: Child,
}

impl Server {
    /// A server that keeps nothing on disk.
    pub fn new() -> Server {
        Server::with(&["--save", "", "--appendonly", "no"])
    }

    /// A server that has written what it has answered.
    pub fn durable() -> Server {
        Server::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    pub fn with(arguments: &[&str]) -> Server {
        let folder = TempDir::new().unwrap();
        let arguments: Vec<String> = arguments
            .iter()
            .map(|argument| (*argument).into())
            .collect();
        let port = free_port();
        let child = spawn(folder.path(), port, &arguments);
        let mut server = Server {
            folder,
            port,
            arguments,
            child,
        };
        assert!(server.answers(), "it does not start");
        server
    }

    /// The address for a store.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Asks the server by a connection of its own.
    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).unwrap()
    }

    pub fn try_ask<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(self.url())?.get_connection()?;
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query(&mut connection)
    }

    /// Ends it without a warning.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again with what is in its folder.
    pub fn start_again(&mut self) {
        self.child = spawn(self.folder.path(), self.port, &self.arguments);
        assert!(self.answers(), "it does not start again");
    }

    /// Sends a signal, as in `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Process::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    fn answers(&mut self) -> bool {
        let until = Instant::now() + DEADLINE;
        while Instant::now() < until {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            match self.try_ask::<String>(&["PING"]) {
                Ok(_) => return true,
                // It is there, and wants a password.
                Err(error) if error.code() == Some("NOAUTH") => return true,
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Looks again and again, for what nobody announces.
pub async fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Ports that Linux gives to nobody of its own accord, neither to clients nor for port 0.
const PORTS: Range<u16> = 10_000..32_768;

/// A port that no other test takes until this process has ended: servers may come and go
/// on it.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(PORTS);
        // The process that has taken it holds it where nobody listens.
        if let Ok(holder) = TcpListener::bind(("127.255.255.254", port))
            && TcpListener::bind(("127.0.0.1", port)).is_ok()
        {
            std::mem::forget(holder);
            return port;
        }
    }
}

fn spawn(folder: &Path, port: u16, arguments: &[String]) -> Child {
    Process::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--repl-diskless-sync-delay", "0", "--dir"])
        .arg(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}
