//! Where among some rows each user is. It is made once for a change of the rows, so that
//! the cost of a change grows with the rows, and not with their square. Pure.

use std::hash::BuildHasherDefault;

use indexmap::IndexSet;
use rustc_hash::FxHasher;

/// See the module. It is the type by which Leptos compares lists with keys, so that the
/// page has one table of this kind and not two.
pub(crate) struct Index(IndexSet<String, BuildHasherDefault<FxHasher>>);

impl Index {
    /// The index of rows in order, by the ids of their users, who have one row each.
    pub(crate) fn of<'a>(ids: impl Iterator<Item = &'a String>) -> Index {
        let mut index = IndexSet::default();
        for id in ids {
            index.insert(id.clone());
        }
        Index(index)
    }

    /// At which place the user with this id is, counted from 0.
    pub(crate) fn get(&self, id: &str) -> Option<usize> {
        self.0.get_index_of(id)
    }
}
