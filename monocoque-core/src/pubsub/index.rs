//! The prefix table: from topics to what is kept for them, and from a subject to all topics it starts with.
//!
//! A crit-bit tree: a branch names the first bit in which the topics on its two sides differ, and nothing else is looked at
//! on the way down. Whatever the topics are, a walk passes at most nine branches for each byte of the subject, and
//! compares the subject with one topic. No recursion, however long they are; no hashing.
//!
//! ```text
//!   "weather" "weather.rome" "traffic"            branch: 't' and 'w' differ in the seventh bit of byte 0
//!                                                  /                                        \
//!                                            "traffic"         branch: one ends at byte 7, the other does not
//!                                                                 /                            \
//!                                                            "weather"                   "weather.rome"
//! ```

#![expect(
    clippy::indexing_slicing,
    reason = "a link leads to a leaf or a branch that is there: every test would fail else"
)]

use std::fmt;
use std::iter::FusedIterator;

use bytes::Bytes;

/// A sorted table from topics to values, searched for the topics that are a prefix of a subject.
///
/// The empty topic is a prefix of everything.
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
    /// Without gaps: the last one moves to the place of one that goes.
    leaves: Vec<Leaf<V>>,
    /// As many, of which one is [`NO_BRANCH`]. Below each branch there is the leaf of the same place.
    branches: Vec<Branch>,
    /// Of no meaning while there are no leaves.
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
    sides: [Node; 2],
    parent: Parent,
}

/// The place of the branch above, `usize::MAX` at the root.
type Parent = usize;

impl<V> SubscriptionIndex<V> {
    /// An empty table.
    pub const fn new() -> Self {
        Self { leaves: Vec::new(), branches: Vec::new(), root: Node::leaf(0) }
    }

    /// Sets the value of a topic and gives back the one it had.
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

    /// The value of exactly this topic.
    pub fn get(&self, topic: &[u8]) -> Option<&V> {
        self.search(topic).ok().map(|at| &self.leaves[at].value)
    }

    /// The value of exactly this topic, to change.
    pub fn get_mut(&mut self, topic: &[u8]) -> Option<&mut V> {
        self.get_key_value_mut(topic).map(|(_, value)| value)
    }

    /// The value of exactly this topic, with the topic as the table holds it, to share.
    pub fn get_key_value(&self, topic: &[u8]) -> Option<(&Bytes, &V)> {
        let Leaf { topic, value, .. } = &self.leaves[self.search(topic).ok()?];
        Some((topic, value))
    }

    /// The value of exactly this topic, to change, with the topic as the table holds it, to share.
    pub fn get_key_value_mut(&mut self, topic: &[u8]) -> Option<(&Bytes, &mut V)> {
        let Leaf { topic, value, .. } = self.locate(topic).ok()?;
        Some((topic, value))
    }

    /// Takes a topic out of the table.
    pub fn remove(&mut self, topic: &[u8]) -> Option<V> {
        let at = self.search(topic).ok()?;
        self.unhook(at);
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

    /// All topics that are a prefix of `subject`, the longest first.
    ///
    /// Takes time in proportion to the length of the subject at most, whatever the topics are.
    #[inline]
    pub fn matches<'a>(&'a self, subject: &[u8]) -> Matches<'a, V> {
        let mut matches = Matches { index: self, longest: None, fork: ROOT, forks: 0, common: 0 };
        let walk = self.walk(subject, |at, branch, side| {
            // Here a topic ends, and the subject goes on.
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

    /// Whether any topic is a prefix of `subject`.
    #[inline]
    pub fn any_match(&self, subject: &[u8]) -> bool {
        self.matches(subject).next().is_some()
    }

    /// All topics with their values, sorted.
    pub fn iter(&self) -> Topics<'_, V> {
        let next = (!self.leaves.is_empty()).then(|| self.first_below(self.root));
        Topics { index: self, next, left: self.leaves.len() }
    }

    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there is no topic.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    fn locate(&mut self, topic: &[u8]) -> Result<&mut Leaf<V>, Bit> {
        self.search(topic).map(|at| &mut self.leaves[at])
    }

    /// The place of a topic, or the first bit in which it differs from the nearest one.
    fn search(&self, topic: &[u8]) -> Result<usize, Bit> {
        let Some(near) = self.walk(topic, |_, _, _| {}) else {
            return Err(Bit::length(0));
        };
        let found = &self.leaves[near].topic;
        if topic == found { Ok(near) } else { Err(Bit::first_difference(topic, found)) }
    }

    /// Goes down by the bits of a subject. Where it ends there is either the one leaf that can be the subject's, or, if it
    /// is the subject that ends, any of those that are longer.
    #[inline]
    fn walk(&self, subject: &[u8], mut past: impl FnMut(usize, &Branch, usize)) -> Option<usize> {
        if self.leaves.is_empty() {
            return None;
        }
        let end = Bit::length(subject.len());
        let mut node = self.root;
        loop {
            let at = match node.place() {
                Place::Leaf(at) => return Some(at),
                Place::Branch(at) => at,
            };
            let branch = &self.branches[at];
            if branch.bit > end {
                return Some(at);
            }
            let side = branch.bit.of(subject);
            past(at, branch, side);
            node = branch.sides[side];
        }
    }

    /// Adds a topic that is not there; says where it is.
    fn add(&mut self, bit: Bit, topic: Bytes, value: V) -> usize {
        let at = self.leaves.len();
        if at == 0 {
            self.root = Node::leaf(at);
            self.branches.push(NO_BRANCH);
            self.leaves.push(Leaf { topic, value, parent: ROOT });
            return at;
        }
        // Below all branches that look at what the topic has in common with others.
        let (mut below, mut parent) = (self.root, ROOT);
        while let Place::Branch(next) = below.place() {
            let branch = &self.branches[next];
            if branch.bit >= bit {
                break;
            }
            (below, parent) = (branch.sides[branch.bit.of(&topic)], next);
        }
        let sides = if bit.of(&topic) == 1 { [below, Node::leaf(at)] } else { [Node::leaf(at), below] };
        self.relink(parent, below, Node::branch(at));
        self.set_parent(below, at);
        self.branches.push(Branch { bit, sides, parent });
        self.leaves.push(Leaf { topic, value, parent: at });
        at
    }

    /// Takes a leaf and the branch above it out of the tree, and leaves no branch at the leaf's place.
    fn unhook(&mut self, at: usize) {
        let gone = self.leaves[at].parent;
        if gone == ROOT {
            return;
        }
        let Branch { sides: [left, right], parent, .. } = self.branches[gone];
        let other = if left == Node::leaf(at) { right } else { left };
        self.relink(parent, Node::branch(gone), other);
        self.set_parent(other, parent);
        self.branches[gone] = NO_BRANCH;
        // The branch of the leaf's place was further up: below it there is the leaf of the branch that is gone.
        self.move_branch(at, gone);
    }

    /// Moves a branch, if there is one, to a place where there is none, and where there will be a leaf that is below it.
    fn move_branch(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        let branch = std::mem::replace(&mut self.branches[from], NO_BRANCH);
        self.branches[to] = branch;
        if branch.bit != NO_BRANCH.bit {
            self.relink(branch.parent, Node::branch(from), Node::branch(to));
            branch.sides.into_iter().for_each(|side| self.set_parent(side, to));
        }
    }

    /// Makes what is above `old` point to `new`.
    fn relink(&mut self, parent: Parent, old: Node, new: Node) {
        match self.branches.get_mut(parent) {
            None => self.root = new,
            Some(Branch { sides: [left, _], .. }) if *left == old => *left = new,
            Some(Branch { sides: [_, right], .. }) => *right = new,
        }
    }

    fn set_parent(&mut self, node: Node, parent: Parent) {
        match node.place() {
            Place::Branch(at) => self.branches[at].parent = parent,
            Place::Leaf(at) => self.leaves[at].parent = parent,
        }
    }

    /// The leaf that sorts first of those below.
    fn first_below(&self, mut node: Node) -> usize {
        loop {
            match node.place() {
                Place::Branch(at) => node = self.branches[at].sides[0],
                Place::Leaf(at) => return at,
            }
        }
    }

    /// The leaf that sorts next behind another.
    fn first_behind(&self, at: usize) -> Option<usize> {
        let (mut node, mut parent) = (Node::leaf(at), self.leaves[at].parent);
        loop {
            let Branch { sides: [left, right], parent: above, .. } = *self.branches.get(parent)?;
            if node == left {
                return Some(self.first_below(right));
            }
            (node, parent) = (Node::branch(parent), above);
        }
    }

    /// The next branch above at which a topic ends, and what is below goes on. There must be one.
    fn fork_above(&self, at: usize) -> usize {
        let (mut below, mut parent) = (at, self.branches[at].parent);
        loop {
            let branch = &self.branches[parent];
            if branch.bit.is_length() && branch.sides[1] == Node::branch(below) {
                return parent;
            }
            (below, parent) = (parent, branch.parent);
        }
    }

    /// How many branches a walk with this subject passes.
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

/// The topics a subject starts with; see [`SubscriptionIndex::matches`].
#[derive(Clone, Debug)]
pub struct Matches<'a, V> {
    index: &'a SubscriptionIndex<V>,
    /// What the walk has ended at, if it matches and is still to be told.
    longest: Option<&'a Leaf<V>>,
    /// The lowest branch that was passed at which a shorter topic ends, and how many there are from there up.
    fork: usize,
    forks: usize,
    /// How long a topic may be that was passed: so much the subject has in common with all of them.
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
            let Branch { bit, sides: [ended, _], .. } = self.index.branches[self.fork];
            self.forks -= 1;
            if self.forks > 0 {
                self.fork = self.index.fork_above(self.fork);
            }
            if bit.byte() <= self.common {
                let leaf = &self.index.leaves[self.index.first_below(ended)];
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
        self.next = self.index.first_behind(at);
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

/// A link down, to a leaf or to a branch: its place, times two, plus one for a leaf.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Node(usize);

enum Place {
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
    const fn place(self) -> Place {
        if self.0 & 1 == 1 { Place::Leaf(self.0 >> 1) } else { Place::Branch(self.0 >> 1) }
    }
}

/// A bit of a topic: of each byte first whether there is one, then its eight, the highest first. Behind the end all are 0, so
/// that topics sort as their bits do and no two have the same. The number of the byte times 16, plus 0 to 8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bit(usize);

impl Bit {
    /// Whether there is a byte at a place.
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

    /// Of two topics that are not the same.
    fn first_difference(one: &[u8], other: &[u8]) -> Self {
        let at = common_prefix(one, other);
        match (one.get(at), other.get(at)) {
            (Some(a), Some(b)) => Self(at << 4 | (1 + (a ^ b).leading_zeros() as usize)),
            _ => Self::length(at),
        }
    }
}

/// How many bytes two slices start with in common.
fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    let (blocks, others) = (one.chunks_exact(64), other.chunks_exact(64));
    let whole = 64 * blocks.zip(others).take_while(|(a, b)| a == b).count();
    let rest = one[whole..].iter().zip(&other[whole..]);
    whole + rest.take_while(|(a, b)| a == b).count()
}

/// Gives memory back when most of it is not used any more.
fn shrink<T>(places: &mut Vec<T>) {
    if places.capacity() > 16 && places.len() * 4 <= places.capacity() {
        places.shrink_to(places.len() * 2);
    }
}

/// The parent of the root.
const ROOT: Parent = usize::MAX;
/// Nothing links to it.
const NO_BRANCH: Branch = Branch { bit: Bit(usize::MAX), sides: [Node(0); 2], parent: ROOT };
