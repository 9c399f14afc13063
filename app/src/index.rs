//! Where among some rows each user is. It is made once for a change of the rows, so that
//! the cost of a change grows with the rows, and not with their square. Pure.

use rustc_hash::FxHashMap;

/// See the module.
pub(crate) struct Index<'a>(FxHashMap<&'a str, usize>);

impl<'a> Index<'a> {
    /// The index of rows in order, by the ids of their users.
    pub(crate) fn of(ids: impl Iterator<Item = &'a str>) -> Index<'a> {
        Index(ids.zip(0..).collect())
    }

    /// At which place the user with this id is, counted from 0.
    pub(crate) fn get(&self, id: &str) -> Option<usize> {
        self.0.get(id).copied()
    }
}
