//! Settings of Redis that put a board at risk.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;

use super::{connect::connect, eviction, keys::Keys, servers::Servers};

/// What the settings of a server put at risk, as a sentence for each; nothing if it cannot
/// be reached.
pub(in crate::store) async fn risks(servers: &Servers) -> Vec<String> {
    let Ok(mut link) = connect(servers, &Keys::new()).await else {
        return Vec::new();
    };
    let mut risks = Vec::new();
    match eviction::policy(&link.info) {
        Some("noeviction") => {}
        Some(policy) => {
            let consequence = match eviction::possible(&link.info) {
                Some(_) => "so nothing is stored until that is mended",
                None => "once it has a maxmemory, and then nothing is stored",
            };
            risks.push(format!(
                "Redis evicts keys when its memory is full (maxmemory-policy {policy}), and parts \
                 of the board with them, {consequence}: set maxmemory-policy noeviction"
            ));
        }
        None => risks.push(
            "Redis does not say its maxmemory-policy, so nothing can be said of whether it evicts \
             parts of the board: it has to be noeviction"
                .into(),
        ),
    }
    let evicted = eviction::evicted(&link.info);
    if evicted > 0 {
        risks.push(format!(
            "Redis has evicted {evicted} keys since it was started, because its memory was full"
        ));
    }
    let has_log = link.info.field("aof_enabled") == "1";
    let settings = settings(&mut link.commands).await;
    let setting = |name: &str| settings.as_ref()?.get(name).map(String::as_str);
    let has_snapshots = setting("save").map(|points| !points.is_empty());
    match (has_log, has_snapshots) {
        (true, _) => {}
        (false, Some(false)) => risks.push(
            "Redis keeps nothing on disk (appendonly no, and no save points): when it is \
             restarted, the board is gone: set appendonly yes"
                .into(),
        ),
        (false, _) => risks.push(
            "Redis has no append-only file (appendonly no): when it is restarted, all since its \
             last snapshot is gone: set appendonly yes"
                .into(),
        ),
    }
    if has_log && setting("appendfsync") == Some("no") {
        risks.push(
            "Redis leaves it to the system when its file is written (appendfsync no): when the \
             machine loses power, half a minute of answered actions may be gone: set appendfsync \
             everysec or always"
                .into(),
        );
    }
    if setting("replica-read-only") == Some("no") {
        risks.push(
            "Redis would take writes while it is a replica (replica-read-only no), and lose them: \
             set replica-read-only yes"
                .into(),
        );
    }
    if !has_log && setting("stop-writes-on-bgsave-error") == Some("no") {
        risks.push(
            "Redis goes on when it cannot save (stop-writes-on-bgsave-error no), and what it \
             answers then is gone when it is restarted: set stop-writes-on-bgsave-error yes"
                .into(),
        );
    }
    if settings.is_none() {
        risks.push(
            "Redis does not let this user read its settings (CONFIG GET), so nothing can be said \
             of save, appendfsync and replica-read-only: see what its operator says of them"
                .into(),
        );
    }
    risks
}

/// Settings by name; `None` if nobody may read them, as with many who host Redis.
async fn settings(connection: &mut MultiplexedConnection) -> Option<HashMap<String, String>> {
    let mut get = redis::cmd("CONFIG");
    get.arg("GET").arg(&[
        "save",
        "appendfsync",
        "replica-read-only",
        "stop-writes-on-bgsave-error",
    ]);
    let found: HashMap<String, String> = get.query_async(connection).await.ok()?;
    (!found.is_empty()).then_some(found)
}
