//! An ordered set of small entries that knows how many entries stand before any
//! one: a B+ tree whose branches count what is below each child (order statistics:
//! Cormen et al., *Introduction to Algorithms*, ch. 14, on the B+ tree of Comer,
//! *The Ubiquitous B-Tree*, 1979).

/// Entries in a full leaf: 2 or 3 KiB, of which an insertion moves half on average.
const LEAF: usize = 128;
/// Children of a full branch.
const FANOUT: usize = 64;

/// The number of entries below a node.
type Count = u32;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct CountedTree<E> {
    root: Node<E>,
    len: usize,
}

#[derive(Debug, Clone)]
enum Node<E> {
    Leaf(Vec<E>),
    Branch(Branch<E>),
}

/// `lows[i]` is a lower bound of the entries below `children[i]` and above all
/// those below `children[i - 1]`; it need not be an entry any more. The three
/// vectors have one length.
#[derive(Debug, Clone)]
struct Branch<E> {
    lows: Vec<E>,
    counts: Vec<Count>,
    children: Vec<Node<E>>,
}

impl<E: Copy + Ord> Branch<E> {
    fn with_room() -> Branch<E> {
        Branch {
            lows: Vec::with_capacity(FANOUT),
            counts: Vec::with_capacity(FANOUT),
            children: Vec::with_capacity(FANOUT),
        }
    }

    fn push(&mut self, low: E, child: Node<E>) {
        self.lows.push(low);
        self.counts.push(child.count());
        self.children.push(child);
    }

    /// The child that holds `entry`, if any does.
    fn child_of(&self, entry: E) -> usize {
        // The first child also takes what is below its bound.
        self.lows[1..].partition_point(|&low| low <= entry)
    }

    /// Mends child `i` after a removal left it less than a quarter full: merges
    /// it with a neighbour, or evens the two out.
    fn rebalance(&mut self, i: usize) {
        let child = &self.children[i];
        if child.width() >= child.capacity() / 4 || self.children.len() < 2 {
            return;
        }
        let left = i.saturating_sub(1);
        let right = left + 1;
        let (before, after) = self.children.split_at_mut(right);
        let (Some(a), Some(b)) = (before.last_mut(), after.first_mut()) else {
            return;
        };
        if a.width() + b.width() <= a.capacity() * 3 / 4 {
            a.take_front(b, usize::MAX, self.lows[right]);
            self.counts[left] = a.count();
            self.lows.remove(right);
            self.counts.remove(right);
            self.children.remove(right);
        } else {
            let half = (a.width() + b.width()) / 2;
            self.lows[right] = if a.width() < half {
                let missing = half - a.width();
                a.take_front(b, missing, self.lows[right])
            } else {
                a.give_back(b, half, self.lows[right])
            };
            self.counts[left] = a.count();
            self.counts[right] = b.count();
        }
    }
}

impl<E: Copy + Ord> Node<E> {
    fn count(&self) -> Count {
        match self {
            Node::Leaf(entries) => entries.len() as Count,
            Node::Branch(branch) => branch.counts.iter().sum(),
        }
    }

    /// Entries of a leaf, children of a branch.
    fn width(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Branch(branch) => branch.children.len(),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Node::Leaf(_) => LEAF,
            Node::Branch(_) => FANOUT,
        }
    }

    /// Moves the first `n` items of `right`, its neighbour, whose lower bound is
    /// `low`, to the end of this node. Answers the new lower bound of `right`.
    fn take_front(&mut self, right: &mut Node<E>, n: usize, low: E) -> E {
        match (self, right) {
            (Node::Leaf(a), Node::Leaf(b)) => {
                a.extend(b.drain(..n.min(b.len())));
                b.first().copied().unwrap_or(low)
            }
            (Node::Branch(a), Node::Branch(b)) => {
                let n = n.min(b.children.len());
                // Inside its own node a first child needs no bound; here it does.
                b.lows[0] = low;
                a.lows.extend(b.lows.drain(..n));
                a.counts.extend(b.counts.drain(..n));
                a.children.extend(b.children.drain(..n));
                b.lows.first().copied().unwrap_or(low)
            }
            _ => unreachable!("neighbours in a B+ tree have the same height"),
        }
    }

    /// Moves all but the first `keep` items of this node to the front of
    /// `right`, its neighbour, whose lower bound is `low`. Answers the new lower
    /// bound of `right`.
    fn give_back(&mut self, right: &mut Node<E>, keep: usize, low: E) -> E {
        match (self, right) {
            (Node::Leaf(a), Node::Leaf(b)) => {
                b.splice(..0, a.drain(keep..));
                b.first().copied().unwrap_or(low)
            }
            (Node::Branch(a), Node::Branch(b)) => {
                b.lows[0] = low;
                b.lows.splice(..0, a.lows.drain(keep..));
                b.counts.splice(..0, a.counts.drain(keep..));
                b.children.splice(..0, a.children.drain(keep..));
                b.lows.first().copied().unwrap_or(low)
            }
            _ => unreachable!("neighbours in a B+ tree have the same height"),
        }
    }

    /// Inserts `entry`. `None` if it was there; otherwise whether the node split,
    /// with the new right neighbour and its lower bound.
    fn insert(&mut self, entry: E) -> Option<Option<(E, Node<E>)>> {
        match self {
            Node::Leaf(entries) => {
                let at = entries.binary_search(&entry).err()?;
                if entries.len() < LEAF {
                    entries.insert(at, entry);
                    return Some(None);
                }
                // Entries that arrive in order leave full leaves behind.
                let split = if at == LEAF { LEAF } else { LEAF / 2 };
                let mut right = Vec::with_capacity(LEAF);
                right.extend(entries.drain(split..));
                if at < split {
                    entries.insert(at, entry);
                } else {
                    right.insert(at - split, entry);
                }
                Some(Some((right[0], Node::Leaf(right))))
            }
            Node::Branch(branch) => {
                let i = branch.child_of(entry);
                let split = branch.children[i].insert(entry)?;
                branch.counts[i] += 1;
                let Some((low, child)) = split else {
                    return Some(None);
                };
                branch.counts[i] -= child.count();
                let at = i + 1;
                if branch.children.len() < FANOUT {
                    branch.lows.insert(at, low);
                    branch.counts.insert(at, child.count());
                    branch.children.insert(at, child);
                    return Some(None);
                }
                let middle = if at == FANOUT { FANOUT } else { FANOUT / 2 };
                let mut right = Branch::with_room();
                right.lows.extend(branch.lows.drain(middle..));
                right.counts.extend(branch.counts.drain(middle..));
                right.children.extend(branch.children.drain(middle..));
                let (side, at) = if at < middle {
                    (branch, at)
                } else {
                    (&mut right, at - middle)
                };
                side.lows.insert(at, low);
                side.counts.insert(at, child.count());
                side.children.insert(at, child);
                Some(Some((right.lows[0], Node::Branch(right))))
            }
        }
    }

    fn remove(&mut self, entry: E) -> bool {
        match self {
            Node::Leaf(entries) => match entries.binary_search(&entry) {
                Ok(at) => {
                    entries.remove(at);
                    true
                }
                Err(_) => false,
            },
            Node::Branch(branch) => {
                let i = branch.child_of(entry);
                if !branch.children[i].remove(entry) {
                    return false;
                }
                branch.counts[i] -= 1;
                if branch.counts[i] == 0 && branch.children.len() > 1 {
                    branch.lows.remove(i);
                    branch.counts.remove(i);
                    branch.children.remove(i);
                } else {
                    branch.rebalance(i);
                }
                true
            }
        }
    }
}

impl<E: Copy + Ord> CountedTree<E> {
    /// A tree without entries.
    pub(super) fn new() -> CountedTree<E> {
        CountedTree {
            root: Node::Leaf(Vec::with_capacity(LEAF)),
            len: 0,
        }
    }

    /// A tree of entries that are already in order and distinct, with a little
    /// room in every node. O(n).
    pub(super) fn from_sorted(entries: &[E]) -> CountedTree<E> {
        let mut level: Vec<(E, Node<E>)> = entries
            .chunks(LEAF * 7 / 8)
            .map(|chunk| {
                let mut leaf = Vec::with_capacity(LEAF);
                leaf.extend_from_slice(chunk);
                (chunk[0], Node::Leaf(leaf))
            })
            .collect();
        while level.len() > 1 {
            let mut above = Vec::with_capacity(level.len().div_ceil(FANOUT * 7 / 8));
            let mut below = level.into_iter().peekable();
            while let Some(&(low, _)) = below.peek() {
                let mut branch = Branch::with_room();
                for (low, child) in below.by_ref().take(FANOUT * 7 / 8) {
                    branch.push(low, child);
                }
                above.push((low, Node::Branch(branch)));
            }
            level = above;
        }
        match level.pop() {
            Some((_, root)) => CountedTree {
                root,
                len: entries.len(),
            },
            None => CountedTree::new(),
        }
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Inserts an entry; `false` if it was there already. O(log n).
    pub(super) fn insert(&mut self, entry: E) -> bool {
        let Some(split) = self.root.insert(entry) else {
            return false;
        };
        self.len += 1;
        if let Some((low, right)) = split {
            let left = std::mem::replace(&mut self.root, Node::Leaf(Vec::new()));
            let mut root = Branch::with_room();
            // The bound of a first child is never looked at.
            root.push(low, left);
            root.push(low, right);
            self.root = Node::Branch(root);
        }
        true
    }

    /// Removes an entry; `false` if it was not there. O(log n).
    pub(super) fn remove(&mut self, entry: E) -> bool {
        if !self.root.remove(entry) {
            return false;
        }
        self.len -= 1;
        while let Node::Branch(branch) = &mut self.root
            && branch.children.len() == 1
            && let Some(only) = branch.children.pop()
        {
            self.root = only;
        }
        true
    }

    /// How many entries stand before `entry`, which need not be in the tree.
    /// O(log n).
    pub(super) fn count_before(&self, entry: E) -> usize {
        let mut before = 0;
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(entries) => {
                    return before + entries.partition_point(|&probe| probe < entry);
                }
                Node::Branch(branch) => {
                    let i = branch.child_of(entry);
                    before += branch.counts[..i].iter().sum::<Count>() as usize;
                    node = &branch.children[i];
                }
            }
        }
    }

    /// The entries from place `start` (counted from 0) on, in order. O(log n)
    /// to begin, then O(1) each.
    pub(super) fn iter_from(&self, start: usize) -> Iter<'_, E> {
        let mut iter = Iter {
            path: Vec::new(),
            leaf: [].iter(),
        };
        if start < self.len {
            iter.descend(&self.root, start);
        }
        iter
    }
}

/// Entries in order; see [`CountedTree::iter_from`].
pub(super) struct Iter<'a, E> {
    /// The branches above the current leaf, each with its children still to come.
    path: Vec<std::slice::Iter<'a, Node<E>>>,
    leaf: std::slice::Iter<'a, E>,
}

impl<'a, E> Iter<'a, E> {
    fn descend(&mut self, mut node: &'a Node<E>, mut skip: usize) {
        loop {
            match node {
                Node::Leaf(entries) => {
                    self.leaf = entries[skip..].iter();
                    return;
                }
                Node::Branch(branch) => {
                    let mut i = 0;
                    while skip >= branch.counts[i] as usize {
                        skip -= branch.counts[i] as usize;
                        i += 1;
                    }
                    self.path.push(branch.children[i + 1..].iter());
                    node = &branch.children[i];
                }
            }
        }
    }
}

impl<E: Copy> Iterator for Iter<'_, E> {
    type Item = E;

    fn next(&mut self) -> Option<E> {
        loop {
            if let Some(&entry) = self.leaf.next() {
                return Some(entry);
            }
            match self.path.last_mut()?.next() {
                Some(node) => self.descend(node, 0),
                None => {
                    self.path.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every count and bound in the tree says what is below it.
    fn check_shape(node: &Node<u128>, root: bool) -> (usize, usize) {
        match node {
            Node::Leaf(entries) => {
                assert!(entries.len() <= LEAF);
                assert!(entries.is_sorted());
                (entries.len(), 0)
            }
            Node::Branch(branch) => {
                assert!(branch.children.len() <= FANOUT);
                assert!(!root || branch.children.len() > 1);
                assert_eq!(branch.children.len(), branch.counts.len());
                assert_eq!(branch.children.len(), branch.lows.len());
                let mut total = 0;
                let mut heights = BTreeSet::new();
                for (child, &count) in branch.children.iter().zip(&branch.counts) {
                    let (len, height) = check_shape(child, false);
                    assert_eq!(len, count as usize);
                    total += len;
                    heights.insert(height);
                }
                assert_eq!(heights.len(), 1, "all leaves have the same depth");
                (total, heights.first().copied().unwrap_or(0) + 1)
            }
        }
    }

    fn check(tree: &CountedTree<u128>, oracle: &BTreeSet<u128>) {
        assert_eq!(check_shape(&tree.root, true).0, oracle.len());
        assert!(tree.iter_from(0).eq(oracle.iter().copied()));
    }

    #[test]
    fn survives_growing_to_three_levels_and_emptying_again() {
        let mut tree = CountedTree::new();
        let mut oracle = BTreeSet::new();
        // A full-period generator visits every residue once, in a scattered order.
        let n: u128 = 1 << 15;
        let scattered = |i: u128| (i * 20_021 + 7) % n;
        for i in 0..n {
            assert!(tree.insert(scattered(i)));
            oracle.insert(scattered(i));
        }
        assert!(!tree.insert(5));
        check(&tree, &oracle);
        for i in 0..n {
            let entry = scattered(scattered(i));
            assert!(tree.remove(entry));
            oracle.remove(&entry);
            if i % 4096 == 0 || n - i < 300 {
                check(&tree, &oracle);
            }
        }
        assert!(!tree.remove(5));
        assert_eq!(tree.len(), 0);
    }

    #[test]
    fn entries_in_order_fill_their_leaves() {
        let mut tree = CountedTree::new();
        for i in 0..10_000 {
            tree.insert(i);
        }
        let Node::Branch(root) = &tree.root else {
            panic!("10,000 entries need more than a leaf");
        };
        let leaves: usize = root.children.iter().map(Node::width).sum();
        assert!(leaves <= 10_000 / LEAF + 1, "{leaves} leaves");
    }

    #[test]
    fn bulk_loading_gives_the_same_set() {
        for n in [0u128, 1, 111, 112, 113, 6_273, 50_000] {
            let entries: Vec<u128> = (0..n).map(|i| i * 3).collect();
            let mut tree = CountedTree::from_sorted(&entries);
            let mut oracle: BTreeSet<u128> = entries.into_iter().collect();
            check(&tree, &oracle);
            for i in 0..n.min(500) {
                tree.insert(i * 3 + 1);
                oracle.insert(i * 3 + 1);
                tree.remove(i * 6);
                oracle.remove(&(i * 6));
            }
            check(&tree, &oracle);
        }
    }
}
