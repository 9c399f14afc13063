//! Looking for keys by what they begin with.

use redis::{Value, aio::MultiplexedConnection};

use super::{
    fault::Fault,
    load,
    record::{array, bytes},
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
    Ok((found.collect::<Result<_, Fault>>()?, load::next_page(next)?))
}
