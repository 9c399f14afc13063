//! What `main` is by the log in a file, which is read by the way and left as it is, also while
//! a server has it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{
    file::{beside, length, resolve, writable},
    inspect,
};
use crate::{board::Settings, board_settings, store::StoreError};

/// What the last entries say comes into the tables with the commit after theirs.
const LATEST: &str = "SELECT coalesce(
    (SELECT json_extract(detail, '$.settings') FROM log, log_state
     WHERE seq > folded_through AND kind = 'board' AND board = 'main'
     ORDER BY seq DESC LIMIT 1),
    (SELECT settings FROM boards WHERE id = 'main'))";

/// The settings of `main`; `None` if nothing is there, if it is of an early form, in which the
/// log does not say, or if it cannot be read without changing anything.
///
/// # Errors
/// If what is there cannot be read.
pub(in crate::store) fn main_settings(path: &Path) -> Result<Option<Settings>, StoreError> {
    let path = &resolve(path).map_err(|source| writable(path, source))?;
    if !path.exists() {
        return Ok(None);
    }
    inspect::head(path)?;
    let size = |suffix: &str| {
        let file = beside(path, suffix);
        length(&file).map_err(|source| writable(&file, source))
    };
    // SQLite would make the index of a write-ahead log that has none, and would read a file
    // that nobody has open as one that others may write.
    let parameter = match (size("-wal")?, size("-shm")?) {
        (0, _) => "immutable=1",
        (_, 0) => return Ok(None),
        _ => "mode=ro",
    };
    let Some(address) = address(path, parameter) else {
        return Ok(None);
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(address, flags)?;
    let sql = "SELECT 1 FROM pragma_table_info('boards') WHERE name = 'settings'";
    if !connection.prepare(sql)?.exists([])? {
        return Ok(None);
    }
    let settings: Option<String> = connection.query_row(LATEST, [], |row| row.get(0))?;
    Ok(settings.and_then(|text| board_settings::from_text(&text)))
}

/// A path as SQLite reads it in an address; `None` for one that is not UTF-8.
fn address(path: &Path, parameter: &str) -> Option<String> {
    let path = path.to_str()?;
    let mut address = String::from("file:");
    for character in path.chars() {
        match character {
            '%' => address.push_str("%25"),
            '?' => address.push_str("%3f"),
            '#' => address.push_str("%23"),
            other => address.push(other),
        }
    }
    Some(format!("{address}?{parameter}"))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;
    use crate::store::sqlite;

    fn settings(title: &str) -> Settings {
        Settings {
            title: title.into(),
            ..Settings::main(crate::board::Rules::default())
        }
    }

    /// All that is in a folder.
    fn files(folder: &Path) -> BTreeMap<std::ffi::OsString, Vec<u8>> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        entries
            .map(|it| (it.file_name(), fs::read(it.path()).unwrap()))
            .collect()
    }

    #[test]
    fn what_main_is_is_read_and_nothing_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a %?#.db");
        assert_eq!(main_settings(&path).unwrap(), None);
        assert!(files(folder.path()).is_empty());

        let opened = sqlite::open(&path, &settings("Cup")).unwrap();
        let before = files(folder.path());
        assert_eq!(main_settings(&path).unwrap(), Some(settings("Cup")));
        let of_index = |name: &std::ffi::OsString| name.to_string_lossy().ends_with("-shm");
        let without_index = |mut files: BTreeMap<_, _>| {
            files.retain(|name, _| !of_index(name));
            files
        };
        let after = files(folder.path());
        assert_eq!(without_index(after), without_index(before));

        drop(opened);
        let before = files(folder.path());
        assert_eq!(main_settings(&path).unwrap(), Some(settings("Cup")));
        assert_eq!(files(folder.path()), before);
        // The log holds, whatever a later start says.
        drop(sqlite::open(&path, &settings("Other")).unwrap());
        assert_eq!(main_settings(&path).unwrap(), Some(settings("Cup")));
    }

    #[test]
    fn an_early_file_says_nothing_and_a_foreign_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("podium.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("CREATE TABLE boards (id INTEGER, epoch INTEGER)")
            .unwrap();
        drop(connection);
        assert_eq!(main_settings(&path).unwrap(), None);
        fs::write(&path, "no database at all").unwrap();
        main_settings(&path).unwrap_err();
    }
}
