//! The order of a board's competitors, in entries as small as the board allows.

use super::{
    Slot,
    counted_tree::{CountedTree, Iter},
    entry::{Entry, Narrow, Position, Wide},
};

/// All who are ranked, in order.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    /// Of a board without a second score.
    Narrow(CountedTree<Narrow>),
    /// Of a board with one.
    Wide(CountedTree<Wide>),
}

impl Tree {
    pub(super) fn new(has_tiebreak: bool) -> Tree {
        Tree::load(has_tiebreak, Vec::new())
    }

    /// Of competitors in any order.
    pub(super) fn load(has_tiebreak: bool, positions: Vec<(Position, Slot)>) -> Tree {
        if has_tiebreak {
            Tree::Wide(sorted(positions))
        } else {
            Tree::Narrow(sorted(positions))
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Tree::Narrow(tree) => tree.len(),
            Tree::Wide(tree) => tree.len(),
        }
    }

    pub(super) fn insert(&mut self, position: Position, slot: Slot) -> bool {
        match self {
            Tree::Narrow(tree) => tree.insert(Entry::new(position, slot)),
            Tree::Wide(tree) => tree.insert(Entry::new(position, slot)),
        }
    }

    pub(super) fn remove(&mut self, position: Position, slot: Slot) -> bool {
        match self {
            Tree::Narrow(tree) => tree.remove(Entry::new(position, slot)),
            Tree::Wide(tree) => tree.remove(Entry::new(position, slot)),
        }
    }

    /// How many stand before this.
    pub(super) fn count_before(&self, position: Position, slot: Slot) -> usize {
        match self {
            Tree::Narrow(tree) => tree.count_before(Entry::new(position, slot)),
            Tree::Wide(tree) => tree.count_before(Entry::new(position, slot)),
        }
    }

    /// Those from a row on, counted from 0, in order.
    pub(super) fn iter_from(&self, start: usize) -> Rows<'_> {
        match self {
            Tree::Narrow(tree) => Rows::Narrow(tree.iter_from(start)),
            Tree::Wide(tree) => Rows::Wide(tree.iter_from(start)),
        }
    }
}

fn sorted<E: Entry>(positions: Vec<(Position, Slot)>) -> CountedTree<E> {
    let entries = positions.into_iter();
    let mut entries: Vec<E> = entries.map(|(at, slot)| E::new(at, slot)).collect();
    entries.sort_unstable();
    CountedTree::from_sorted(&entries)
}

/// See [`Tree::iter_from`].
pub(super) enum Rows<'a> {
    Narrow(Iter<'a, Narrow>),
    Wide(Iter<'a, Wide>),
}

impl Iterator for Rows<'_> {
    type Item = (Position, Slot);

    fn next(&mut self) -> Option<(Position, Slot)> {
        fn parts<E: Entry>(entry: E) -> (Position, Slot) {
            (entry.position(), entry.slot())
        }
        match self {
            Rows::Narrow(rows) => rows.next().map(parts),
            Rows::Wide(rows) => rows.next().map(parts),
        }
    }
}
