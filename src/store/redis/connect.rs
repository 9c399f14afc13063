//! Connections to the one server that stores a board.

use std::{collections::HashMap, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, Value,
    aio::MultiplexedConnection,
};
use tokio::time::timeout;

use super::{fault::Fault, keys::Keys, servers::Servers};

/// How long a server may take to be connected to, and to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The oldest version that is good enough.
const OLDEST: u32 = 7;

/// Connections to the server that stores a board.
#[derive(Clone)]
pub(super) struct Link {
    /// Answers at once.
    pub(super) commands: MultiplexedConnection,
    /// May wait for entries.
    pub(super) tail: MultiplexedConnection,
    /// What the server reports about itself.
    pub(super) info: Info,
}

/// What a server reports about itself, by name.
#[derive(Clone)]
pub(super) struct Info(HashMap<String, String>);

impl Info {
    pub(super) fn read(text: &str) -> Info {
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Info(fields.collect())
    }

    /// The value, or nothing if the server does not report it.
    pub(super) fn field(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// Connects to the server that has the board: of a cluster, whichever that is; of a
/// primary and its replicas, the primary.
pub(super) async fn connect(servers: &Servers, keys: &Keys) -> Result<Link, Fault> {
    let mut fault = Fault::Unreachable("no server is named".into());
    for server in servers.addresses() {
        let found = timeout(2 * PATIENCE, connect_by(server, keys)).await;
        match found.unwrap_or_else(|_| Err(Fault::Unreachable("it does not answer".into()))) {
            Ok(link) => return Ok(link),
            Err(found) => fault = found,
        }
        tracing::debug!(server = %server.addr(), %fault, "not this server");
    }
    Err(fault)
}

/// Asks one server where the board is, and connects to that.
async fn connect_by(server: &ConnectionInfo, keys: &Keys) -> Result<Link, Fault> {
    let mut server = server.clone();
    let (mut commands, mut about) = ask(&server).await?;
    if about.is_cluster {
        server = keeper(&mut commands, &server, keys).await?;
        (commands, about) = ask(&server).await?;
    }
    if about.is_replica {
        return Err(Fault::Unreachable("it is a replica".into()));
    }
    let (tail, other) = ask(&server).await?;
    if other.run != about.run {
        return Err(Fault::Unreachable("the server is being replaced".into()));
    }
    Ok(Link {
        commands,
        tail,
        info: about.info,
    })
}

struct About {
    is_cluster: bool,
    is_replica: bool,
    /// Names one run of the server.
    run: String,
    info: Info,
}

/// Connects to a server, and asks it what it is.
async fn ask(server: &ConnectionInfo) -> Result<(MultiplexedConnection, About), Fault> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let client = Client::open(server.clone())?;
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
    let info = Info::read(&info);
    let field = |name| info.field(name);
    let version = field("redis_version");
    let major: u32 = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or_default();
    if major < OLDEST {
        return Err(Fault::Unusable(format!(
            "it is Redis {version}, and Podium needs Redis {OLDEST}.0 or later, or Valkey"
        )));
    }
    let about = About {
        is_cluster: field("redis_mode") == "cluster",
        is_replica: field("role") == "slave",
        run: field("run_id").to_owned(),
        info,
    };
    Ok((connection, about))
}

/// The primary that has the slot of the board's keys. All of them are in one slot,
/// so a client that knows it needs no other node.
async fn keeper(
    connection: &mut MultiplexedConnection,
    asked: &ConnectionInfo,
    keys: &Keys,
) -> Result<ConnectionInfo, Fault> {
    let slot: i64 = redis::cmd("CLUSTER")
        .arg(&["KEYSLOT", &keys.meta])
        .query_async(connection)
        .await?;
    let ranges: Vec<Value> = redis::cmd("CLUSTER")
        .arg("SLOTS")
        .query_async(connection)
        .await?;
    for range in ranges {
        // First and last slot, then the primary and its replicas.
        let Value::Array(range) = range else {
            continue;
        };
        let [
            Value::Int(first),
            Value::Int(last),
            Value::Array(primary),
            ..,
        ] = &range[..]
        else {
            continue;
        };
        if !(*first..=*last).contains(&slot) {
            continue;
        }
        let [host, Value::Int(port), ..] = &primary[..] else {
            continue;
        };
        let port = u16::try_from(*port).map_err(|_| Fault::Damaged("a port of the cluster"))?;
        // A node that does not know its own address is the one that was asked.
        let host = match host {
            Value::BulkString(host) if !host.is_empty() => {
                Some(String::from_utf8_lossy(host).into_owned())
            }
            _ => None,
        };
        return Ok(asked.clone().set_addr(moved(asked.addr(), host, port)));
    }
    Err(Fault::Unreachable(format!(
        "no node of the cluster keeps slot {slot}"
    )))
}

/// The address of another server that is reached in the same way.
fn moved(address: &ConnectionAddr, to_host: Option<String>, to_port: u16) -> ConnectionAddr {
    match address.clone() {
        ConnectionAddr::Tcp(host, _) => ConnectionAddr::Tcp(to_host.unwrap_or(host), to_port),
        ConnectionAddr::TcpTls {
            host,
            insecure,
            tls_params,
            ..
        } => ConnectionAddr::TcpTls {
            host: to_host.unwrap_or(host),
            port: to_port,
            insecure,
            tls_params,
        },
        other => other,
    }
}
