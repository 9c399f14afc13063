//! What the official test suites of Engine.IO v4 and Socket.IO v5 ask of a server,
//! behind the listener, the guards and the limits of `podium serve`, so that they
//! test what stands between a client and the hub. `scripts/conformance` runs them;
//! docs/CONFORMANCE.md has the result.

use std::{
    error::Error, fmt, future::pending, net::Ipv4Addr, num::NonZeroUsize, sync::Arc, time::Duration,
};

use axum::{body::Bytes, http::StatusCode, routing::any};
use engineioxide::{
    DisconnectReason, Socket, Str, config::EngineIoConfig, handler::EngineIoHandler,
    service::EngineIoService,
};
use podium::{
    config::{HttpTable, LimitsTable, SocketTable},
    hub,
    limits::Limits,
    listener,
    metrics::Metrics,
    serve::{self, Shutdown},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
    ser::SerializeTuple,
};
use serde_json::{Map, Value};
use socketioxide::{
    ParserConfig,
    extract::{AckSender, Data, SocketRef, TryData},
};
use tokio::net::TcpListener;
use tower::Layer;

/// Where the suites look for a server.
const PORT: u16 = 3000;

/// The suites send two; `podium serve` takes none.
const MAX_BINARIES: usize = 2;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let table = SocketTable {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        max_message: NonZeroUsize::new(1_000_000).ok_or("no size")?,
        ..SocketTable::default()
    };
    let (layer, io) = hub::transport(&table)
        .with_parser(ParserConfig::common().max_incoming_binaries(MAX_BINARIES))
        .build_layer();
    io.ns("/", connected);
    io.ns("/custom", connected);

    let shutdown = Shutdown::default();
    let of_tests = LimitsTable {
        allow: vec!["127.0.0.0/8".parse()?],
        ..LimitsTable::default()
    };
    let limits = Limits::new(&of_tests, listener::raise_limit(), Metrics::default());
    let limits = Arc::new(limits);
    let max_message = table.max_message.get();
    let nobody: serve::SignedIn = Arc::new(|_| None);
    let socket_io = serve::engine_io(
        "/socket.io",
        layer.layer(any(async || StatusCode::NOT_FOUND)),
        max_message,
        limits.clone(),
        shutdown.clone(),
        nobody.clone(),
    );
    let raw = serve::engine_io(
        "/engine.io",
        raw_echo(&table),
        max_message,
        limits.clone(),
        shutdown,
        nobody,
    );
    let router = socket_io.merge(raw);
    let router = serve::guard(router, &HttpTable::default(), limits.clone());

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await?;
    println!("The suites can be run");
    let no_proxies = Arc::new(listener::Proxies::new(&[]));
    listener::accept(listener, router, no_proxies, limits, pending()).await;
    Ok(())
}

/// Tells a client with what it connected, and sends back what it sends.
async fn connected(socket: SocketRef, TryData(auth): TryData<Map<String, Value>>) {
    _ = socket.emit("auth", &auth.unwrap_or_default());
    socket.on(
        "message",
        async |socket: SocketRef, Data(args): Data<Args>| {
            _ = socket.emit("message-back", &args);
        },
    );
    socket.on(
        "message-with-ack",
        async |Data(args): Data<Args>, ack: AckSender| {
            _ = ack.send(&args);
        },
    );
}

/// The arguments of an event, however many there are.
struct Args(Vec<Arg>);

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Arg {
    Json(Value),
    Binary(Bytes),
}

// The library hands all arguments only to what looks like a tuple, and takes
// only such for all arguments.
impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Args, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Args;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the arguments of an event")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Args, A::Error> {
                let mut args = Vec::new();
                while let Some(arg) = seq.next_element()? {
                    args.push(arg);
                }
                Ok(Args(args))
            }
        }
        deserializer.deserialize_tuple(1, All)
    }
}

impl Serialize for Args {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for arg in &self.0 {
            tuple.serialize_element(arg)?;
        }
        tuple.end()
    }
}

/// Engine.IO alone, on `/engine.io`, within the same limits.
fn raw_echo(table: &SocketTable) -> EngineIoService<Echo> {
    let max_message = table.max_message.get();
    let config = EngineIoConfig::builder()
        .ping_interval(table.ping_interval)
        .ping_timeout(table.ping_timeout)
        .max_payload(max_message as u64)
        .ws_max_message_size(max_message)
        .ws_max_frame_size(max_message)
        .build();
    EngineIoService::with_config(Arc::new(Echo), config)
}

#[derive(Debug)]
struct Echo;

impl EngineIoHandler for Echo {
    type Data = ();

    fn on_connect(self: Arc<Self>, _: Arc<Socket<()>>) {}

    fn on_disconnect(&self, _: Arc<Socket<()>>, _: DisconnectReason) {}

    fn on_message(self: &Arc<Self>, message: Str, socket: Arc<Socket<()>>) {
        _ = socket.emit(message);
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, socket: Arc<Socket<()>>) {
        _ = socket.emit_binary(data);
    }
}
