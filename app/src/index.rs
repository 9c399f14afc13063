//! The positions of users among rows. It is built once for a change of the rows, so that the
//! cost of a change grows with the rows, and not with their square. Pure.

use indexmap::IndexSet;

#[cfg(not(test))]
type Hashing = std::hash::BuildHasherDefault<rustc_hash::FxHasher>;
#[cfg(test)]
type Hashing = counted::Hashing;

/// See the module. It is the type by which Leptos compares lists with keys, so that the
/// page has one table of this kind and not two.
pub(crate) struct Index(IndexSet<String, Hashing>);

impl Index {
    /// The index of rows in order, by the ids of their users, who have one row each.
    pub(crate) fn of<'a>(ids: impl Iterator<Item = &'a String>) -> Index {
        let mut index = IndexSet::default();
        for id in ids {
            index.insert(id.clone());
        }
        Index(index)
    }

    /// At which position the user with this id is, counted from 0.
    pub(crate) fn get(&self, id: &str) -> Option<usize> {
        self.0.get_index_of(id)
    }
}

/// The same hashing, which counts.
#[cfg(test)]
pub(crate) mod counted {
    use std::{cell::Cell, hash::BuildHasher};

    use rustc_hash::FxHasher;

    thread_local! {
        static HASHED: Cell<usize> = const { Cell::new(0) };
    }

    #[derive(Default)]
    pub(super) struct Hashing;

    impl BuildHasher for Hashing {
        type Hasher = FxHasher;

        fn build_hasher(&self) -> FxHasher {
            HASHED.set(HASHED.get() + 1);
            FxHasher::default()
        }
    }

    /// How many ids this thread hashes in the course of `work`.
    pub(crate) fn hashes(work: impl FnOnce()) -> usize {
        let before = HASHED.get();
        work();
        HASHED.get() - before
    }
}
