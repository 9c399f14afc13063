//! Looking for keys by what they begin with.

use redis::{Value, aio::MultiplexedConnection};

use super::{
    fault::Fault,
    record::{array, bytes, text},
};

/// Keys that are looked for at once: the histories of so many are in memory together.
const KEYS: usize = 256;

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
