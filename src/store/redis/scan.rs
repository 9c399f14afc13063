//! Reading what is long in pages, between which Redis serves others.

use redis::{Cmd, Value, aio::MultiplexedConnection};

use super::{
    fault::Fault,
    record::{Logged, array, bytes, text},
};

/// Keys that are looked for at once: the histories of so many are in memory together.
const KEYS: usize = 256;
/// Entries, and users, that are read at once.
pub(super) const PAGE: usize = 1000;

/// Keys that begin with a prefix, from a cursor on, which is `0` at first, and where the
/// next page begins. Some may come twice.
pub(super) async fn keys_page(
    connection: &mut MultiplexedConnection,
    prefix: &[u8],
    cursor: &str,
) -> Result<(Vec<Vec<u8>>, Option<String>), Fault> {
    let mut pattern = prefix.to_vec();
    pattern.push(b'*');
    let page: Value = redis::cmd("SCAN")
        .arg(cursor)
        .arg("MATCH")
        .arg(pattern)
        .arg("COUNT")
        .arg(KEYS)
        .query_async(connection)
        .await?;
    let [next, found] = array(&page)? else {
        return Err(Fault::Damaged("an answer of another form"));
    };
    let found = array(found)?.iter();
    let found = found.map(|key| Ok(bytes(key)?.to_vec()));
    Ok((found.collect::<Result<_, Fault>>()?, next_page(next)?))
}

/// The cursor for the next page, if there is one.
pub(super) fn next_page(cursor: &Value) -> Result<Option<String>, Fault> {
    let cursor = text(cursor)?;
    Ok((cursor != "0").then(|| cursor.to_owned()))
}

/// Fields and values of a hash in turn, of which some may come twice. Redis serves others
/// between.
pub(super) async fn hash_in_pages(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> Result<Vec<Value>, Fault> {
    let mut all = Vec::new();
    let mut cursor = Some("0".to_owned());
    while let Some(from) = cursor {
        let page: Value = scan(key, &from).query_async(connection).await?;
        let [next, records] = array(&page)? else {
            return Err(Fault::Damaged("an answer of another form"));
        };
        all.extend(array(records)?.iter().cloned());
        cursor = next_page(next)?;
    }
    Ok(all)
}

/// A page of a hash.
pub(super) fn scan(key: &str, cursor: &str) -> Cmd {
    let mut scan = redis::cmd("HSCAN");
    scan.arg(&[key, cursor, "COUNT"]).arg(PAGE);
    scan
}

/// Entries after one: none only if there are no more.
pub(super) async fn entries_page(
    connection: &mut MultiplexedConnection,
    log: &str,
    after: u64,
) -> Result<Vec<Logged>, Fault> {
    let page: Value = redis::cmd("XRANGE")
        .arg(&[log, &format!("({after}-0"), "+", "COUNT"])
        .arg(PAGE)
        .query_async(connection)
        .await?;
    Logged::read_all(&page)
}
