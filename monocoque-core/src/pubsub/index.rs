//! The prefix table: maps topics to values, and a subject to all topics that it starts with.
//!
//! A crit-bit tree: a branch holds the first bit in which the topics on its two children differ,
//! and a walk reads nothing else on the way down. For any set of topics, a walk passes at most nine
//! branches for each byte of the subject, and compares the subject with one topic. There is no
//! recursion, and no hashing.
//!
//! ```text
//!  "weather" "weather.rome" "traffic"      branch: 't' and 'w' differ in the seventh bit of byte 0
//!                                            /                                  \
//!                                       "traffic"      branch: one ends at byte 7, the other not
//!                                                          /                        \
//!                                                      "weather"              "weather.rome"
//! ```

#![expect(
    clippy::indexing_slicing,
    reason = "a link leads to a leaf or a branch that is there: every test would fail else"
)]

use std::fmt;
use std::iter::FusedIterator;

use bytes::Bytes;

/// A sorted table of topics and values that finds the topics that are a prefix of a subject.
///
/// The empty topic is a prefix of every subject.
///
/// ```
/// use monocoque_core::SubscriptionIndex;
///
/// let mut index = SubscriptionIndex::new();
/// index.insert("weather", 1);
/// index.insert("weather.rome", 2);
/// index.insert("traffic", 3);
///
/// let found: Vec<_> = index.matches(b"weather.rome.today").map(|(_, value)| *value).collect();
/// assert_eq!(found, [2, 1]);
/// assert!(!index.any_match(b"weat"));
/// ```
#[derive(Clone)]
pub struct SubscriptionIndex<V> {
    /// The leaves, without gaps: the last one moves to the place of a removed one.
    leaves: Vec<Leaf<V>>,
    /// The branches, as many as leaves, of which one is [`NO_BRANCH`]. The leaf at the index of a
    /// branch is below it.
    branches: Vec<Branch>,
    /// Without a meaning while there are no leaves.
    root: Node,
}

#[derive(Clone, Debug)]
struct Leaf<V> {
    topic: Bytes,
    value: V,
    parent: Parent,
}

#[derive(Clone, Copy)]
struct Branch {
    /// The topics below agree in all bits before this one.
    bit: Bit,
    /// The topics whose bit is 0, and those whose bit is 1.
    children: [Node; 2],
    parent: Parent,
}

/// The index of the branch above; `usize::MAX` at the root.
type Parent = usize;

impl<V> SubscriptionIndex<V> {
    /// An empty table.
    pub const fn new() -> Self {
        Self { leaves: Vec::new(), branches: Vec::new(), root: Node::leaf(0) }
    }

    /// Sets the value of a topic, and returns the previous one.
    pub fn insert(&mut self, topic: impl Into<Bytes>, value: V) -> Option<V> {
        let topic = topic.into();
        match self.locate(&topic) {
            Ok(leaf) => Some(std::mem::replace(&mut leaf.value, value)),
            Err(bit) => {
                self.add(bit, topic, value);
                None
            }
        }
    }

    /// Returns the value of exactly this topic.
    pub fn get(&self, topic: &[u8]) -> Option<&V> {
        self.search(topic).ok().map(|at| &self.leaves[at].value)
    }

    /// Returns the value of exactly this topic, to change.
    pub fn get_mut(&mut self, topic: &[u8]) -> Option<&mut V> {
        self.get_key_value_mut(topic).map(|(_, value)| value)
    }

    /// Returns the value of exactly this topic, and the shared bytes of the topic.
    pub fn get_key_value(&self, topic: &[u8]) -> Option<(&Bytes, &V)> {
        let Leaf { topic, value, .. } = &self.leaves[self.search(topic).ok()?];
        Some((topic, value))
    }

    /// Returns the value of exactly this topic, to change, and the shared bytes of the topic.
    pub fn get_key_value_mut(&mut self, topic: &[u8]) -> Option<(&Bytes, &mut V)> {
        let Leaf { topic, value, .. } = self.locate(topic).ok()?;
        Some((topic, value))
    }

    /// Removes a topic, and returns its value.
    pub fn remove(&mut self, topic: &[u8]) -> Option<V> {
        let at = self.search(topic).ok()?;
        self.unlink_leaf(at);
        let last = self.leaves.len() - 1;
        self.move_branch(last, at);
        self.branches.pop();
        let leaf = self.leaves.swap_remove(at);
        if let Some(parent) = self.leaves.get(at).map(|moved| moved.parent) {
            self.relink(parent, Node::leaf(last), Node::leaf(at));
        }
        shrink(&mut self.leaves);
        shrink(&mut self.branches);
        Some(leaf.value)
    }

    /// Returns all topics that are a prefix of `subject`, the longest first.
    ///
    /// The time is at most in proportion to the length of the subject, for any set of topics.
    #[inline]
    pub fn matches<'a>(&'a self, subject: &[u8]) -> Matches<'a, V> {
        let mut matches = Matches { index: self, longest: None, fork: ROOT, forks: 0, common: 0 };
        let walk = self.walk(subject, |at, branch, side| {
            // A topic ends here, and the subject goes on.
            if side == 1 && branch.bit.is_length() {
                matches.fork = at;
                matches.forks += 1;
            }
        });
        let Some(at) = walk else { return matches };
        let last = &self.leaves[at];
        if subject.starts_with(&last.topic) {
            matches.longest = Some(last);
            matches.common = last.topic.len();
        } else if matches.forks > 0 {
            matches.common = common_prefix(subject, &last.topic);
        }
        matches
    }

    /// Returns true if any topic is a prefix of `subject`.
    #[inline]
    pub fn any_match(&self, subject: &[u8]) -> bool {
        self.matches(subject).next().is_some()
    }

    /// Returns all topics with their values, sorted.
    pub fn iter(&self) -> Topics<'_, V> {
        let next = (!self.leaves.is_empty()).then(|| self.leftmost_leaf(self.root));
        Topics { index: self, next, left: self.leaves.len() }
    }

    /// Returns how many topics there are.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Returns true if there is no topic.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    fn locate(&mut self, topic: &[u8]) -> Result<&mut Leaf<V>, Bit> {
        self.search(topic).map(|at| &mut self.leaves[at])
    }

    /// Returns the leaf of a topic, or the first bit in which it differs from the nearest one.
    fn search(&self, topic: &[u8]) -> Result<usize, Bit> {
        let Some(near) = self.walk(topic, |_, _, _| {}) else {
            return Err(Bit::length(0));
        };
        let found = &self.leaves[near].topic;
        if topic == found { Ok(near) } else { Err(Bit::first_difference(topic, found)) }
    }

    /// Walks down by the bits of a subject. Returns the only leaf that can be a prefix of it; if
    /// the subject ends first, any leaf below.
    #[inline]
    fn walk(&self, subject: &[u8], mut past: impl FnMut(usize, &Branch, usize)) -> Option<usize> {
        if self.leaves.is_empty() {
            return None;
        }
        let end = Bit::length(subject.len());
        let mut node = self.root;
        loop {
            let at = match node.unpack() {
                NodeRef::Leaf(at) => return Some(at),
                NodeRef::Branch(at) => at,
            };
            let branch = &self.branches[at];
            if branch.bit > end {
                return Some(at);
            }
            let side = branch.bit.of(subject);
            past(at, branch, side);
            node = branch.children[side];
        }
    }

    /// Adds a new topic, and returns the index of its leaf.
    fn add(&mut self, bit: Bit, topic: Bytes, value: V) -> usize {
        let at = self.leaves.len();
        if at == 0 {
            self.root = Node::leaf(at);
            self.branches.push(NO_BRANCH);
            self.leaves.push(Leaf { topic, value, parent: ROOT });
            return at;
        }
        // Below all branches on bits that the topic has in common with others.
        let (mut below, mut parent) = (self.root, ROOT);
        while let NodeRef::Branch(next) = below.unpack() {
            let branch = &self.branches[next];
            if branch.bit >= bit {
                break;
            }
            (below, parent) = (branch.children[branch.bit.of(&topic)], next);
        }
        let children = if bit.of(&topic) == 1 { [below, Node::leaf(at)] } else { [Node::leaf(at), below] };
        self.relink(parent, below, Node::branch(at));
        self.set_parent(below, at);
        self.branches.push(Branch { bit, children, parent });
        self.leaves.push(Leaf { topic, value, parent: at });
        at
    }

    /// Unlinks a leaf and the branch above it, and leaves no branch at the index of the leaf.
    fn unlink_leaf(&mut self, at: usize) {
        let gone = self.leaves[at].parent;
        if gone == ROOT {
            return;
        }
        let Branch { children: [left, right], parent, .. } = self.branches[gone];
        let other = if left == Node::leaf(at) { right } else { left };
        self.relink(parent, Node::branch(gone), other);
        self.set_parent(other, parent);
        self.branches[gone] = NO_BRANCH;
        // The branch at the index of the leaf was further up: below it is the leaf at the index of
        // the removed branch.
        self.move_branch(at, gone);
    }

    /// Moves a branch, if there is one, to a free index, whose leaf will be below it.
    fn move_branch(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        let branch = std::mem::replace(&mut self.branches[from], NO_BRANCH);
        self.branches[to] = branch;
        if branch.bit != NO_BRANCH.bit {
            self.relink(branch.parent, Node::branch(from), Node::branch(to));
            branch.children.into_iter().for_each(|side| self.set_parent(side, to));
        }
    }

    /// Makes the parent of `old` point to `new`.
    fn relink(&mut self, parent: Parent, old: Node, new: Node) {
        match self.branches.get_mut(parent) {
            None => self.root = new,
            Some(Branch { children: [left, _], .. }) if *left == old => *left = new,
            Some(Branch { children: [_, right], .. }) => *right = new,
        }
    }

    fn set_parent(&mut self, node: Node, parent: Parent) {
        match node.unpack() {
            NodeRef::Branch(at) => self.branches[at].parent = parent,
            NodeRef::Leaf(at) => self.leaves[at].parent = parent,
        }
    }

    /// Returns the leaf below that sorts first.
    fn leftmost_leaf(&self, mut node: Node) -> usize {
        loop {
            match node.unpack() {
                NodeRef::Branch(at) => node = self.branches[at].children[0],
                NodeRef::Leaf(at) => return at,
            }
        }
    }

    /// Returns the leaf that sorts next after another.
    fn successor(&self, at: usize) -> Option<usize> {
        let (mut node, mut parent) = (Node::leaf(at), self.leaves[at].parent);
        loop {
            let Branch { children: [left, right], parent: above, .. } = *self.branches.get(parent)?;
            if node == left {
                return Some(self.leftmost_leaf(right));
            }
            (node, parent) = (Node::branch(parent), above);
        }
    }

    /// Returns the next branch above at which a topic ends and longer ones go on. There must be
    /// one.
    fn fork_above(&self, at: usize) -> usize {
        let (mut below, mut parent) = (at, self.branches[at].parent);
        loop {
            let branch = &self.branches[parent];
            if branch.bit.is_length() && branch.children[1] == Node::branch(below) {
                return parent;
            }
            (below, parent) = (parent, branch.parent);
        }
    }

    /// Returns how many branches a walk with this subject passes.
    #[cfg(test)]
    pub(super) fn steps(&self, subject: &[u8]) -> usize {
        let mut steps = 0;
        self.walk(subject, |_, _, _| steps += 1);
        steps
    }
}

impl<V> Default for SubscriptionIndex<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: fmt::Debug> fmt::Debug for SubscriptionIndex<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<'a, V> IntoIterator for &'a SubscriptionIndex<V> {
    type Item = (&'a Bytes, &'a V);
    type IntoIter = Topics<'a, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The topics that a subject starts with; see [`SubscriptionIndex::matches`].
#[derive(Clone, Debug)]
pub struct Matches<'a, V> {
    index: &'a SubscriptionIndex<V>,
    /// The leaf at the end of the walk, if it matches and was not yielded yet.
    longest: Option<&'a Leaf<V>>,
    /// The lowest branch of the walk at which a shorter topic ends, and how many there are from it
    /// up.
    fork: usize,
    forks: usize,
    /// The longest that a topic on the walk may be: so much the subject has in common with all of
    /// them.
    common: usize,
}

impl<'a, V> Iterator for Matches<'a, V> {
    type Item = (&'a Bytes, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(leaf) = self.longest.take() {
            return Some((&leaf.topic, &leaf.value));
        }
        while self.forks > 0 {
            let Branch { bit, children: [ended, _], .. } = self.index.branches[self.fork];
            self.forks -= 1;
            if self.forks > 0 {
                self.fork = self.index.fork_above(self.fork);
            }
            if bit.byte() <= self.common {
                let leaf = &self.index.leaves[self.index.leftmost_leaf(ended)];
                return Some((&leaf.topic, &leaf.value));
            }
        }
        None
    }
}

impl<V> FusedIterator for Matches<'_, V> {}

/// All topics, sorted; see [`SubscriptionIndex::iter`].
#[derive(Clone, Debug)]
pub struct Topics<'a, V> {
    index: &'a SubscriptionIndex<V>,
    next: Option<usize>,
    left: usize,
}

impl<'a, V> Iterator for Topics<'a, V> {
    type Item = (&'a Bytes, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next?;
        self.next = self.index.successor(at);
        self.left -= 1;
        let leaf = &self.index.leaves[at];
        Some((&leaf.topic, &leaf.value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<V> ExactSizeIterator for Topics<'_, V> {}
impl<V> FusedIterator for Topics<'_, V> {}

/// A link down, to a leaf or to a branch: its index, times two, plus one for a leaf.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Node(usize);

enum NodeRef {
    Leaf(usize),
    Branch(usize),
}

impl Node {
    const fn leaf(at: usize) -> Self {
        Self(at << 1 | 1)
    }

    const fn branch(at: usize) -> Self {
        Self(at << 1)
    }

    #[inline]
    const fn unpack(self) -> NodeRef {
        if self.0 & 1 == 1 { NodeRef::Leaf(self.0 >> 1) } else { NodeRef::Branch(self.0 >> 1) }
    }
}

/// A bit of a topic: for each byte first one bit that is set if there is a byte, then its eight
/// bits, the highest first. Past the end all are 0, so that topics sort as their bits do and no two
/// topics have the same bits. The value is the index of the byte times 16, plus 0 to 8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bit(usize);

impl Bit {
    /// The bit that is set if there is a byte at this index.
    const fn length(byte: usize) -> Self {
        Self(byte << 4)
    }

    #[inline]
    const fn is_length(self) -> bool {
        self.0 & 15 == 0
    }

    #[inline]
    const fn byte(self) -> usize {
        self.0 >> 4
    }

    #[inline]
    fn of(self, topic: &[u8]) -> usize {
        match topic.get(self.byte()) {
            Some(&byte) => (0x100 | usize::from(byte)) >> (8 - (self.0 & 15)) & 1,
            None => 0,
        }
    }

    /// Returns the first bit that differs between two different topics.
    fn first_difference(one: &[u8], other: &[u8]) -> Self {
        let at = common_prefix(one, other);
        match (one.get(at), other.get(at)) {
            (Some(a), Some(b)) => Self(at << 4 | (1 + (a ^ b).leading_zeros() as usize)),
            _ => Self::length(at),
        }
    }
}

/// Returns the length of the common prefix of two slices.
fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    let (blocks, others) = (one.chunks_exact(64), other.chunks_exact(64));
    let whole = 64 * blocks.zip(others).take_while(|(a, b)| a == b).count();
    let rest = one[whole..].iter().zip(&other[whole..]);
    whole + rest.take_while(|(a, b)| a == b).count()
}

/// Releases memory when most of it is not used any more.
fn shrink<T>(places: &mut Vec<T>) {
    if places.capacity() > 16 && places.len() * 4 <= places.capacity() {
        places.shrink_to(places.len() * 2);
    }
}

/// The parent of the root.
const ROOT: Parent = usize::MAX;
/// An unused entry: nothing links to it.
const NO_BRANCH: Branch = Branch { bit: Bit(usize::MAX), children: [Node(0); 2], parent: ROOT };
