//! The prefix table: from topics to what is kept for them, and from a subject to all topics it starts with.
//!
//! One sorted map. A walk goes from the longest topic that matches to the shortest, a lookup each, and skips the lengths
//! that no topic has. What it costs depends on the subject and on how varied topics are in length, hardly on how many
//! there are. No recursion, however long they are.

use std::collections::BTreeMap;
use std::collections::btree_map::{self, Entry};
use std::ops::Bound::{Included, Unbounded};

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
#[derive(Clone, Debug)]
pub struct SubscriptionIndex<V> {
    topics: BTreeMap<Bytes, V>,
    /// How many topics there are of each length.
    lengths: BTreeMap<usize, usize>,
}

impl<V> SubscriptionIndex<V> {
    /// An empty table.
    pub const fn new() -> Self {
        Self { topics: BTreeMap::new(), lengths: BTreeMap::new() }
    }

    /// Sets the value of a topic and gives back the one it had.
    pub fn insert(&mut self, topic: impl Into<Bytes>, value: V) -> Option<V> {
        let topic = topic.into();
        let len = topic.len();
        let old = self.topics.insert(topic, value);
        if old.is_none() {
            *self.lengths.entry(len).or_default() += 1;
        }
        old
    }

    /// The value of a topic, to change; if there is none yet, the topic is added with what `new` makes.
    pub fn get_or_insert_with(&mut self, topic: impl Into<Bytes>, new: impl FnOnce() -> V) -> &mut V {
        match self.topics.entry(topic.into()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                *self.lengths.entry(entry.key().len()).or_default() += 1;
                entry.insert(new())
            }
        }
    }

    /// The value of exactly this topic.
    pub fn get(&self, topic: &[u8]) -> Option<&V> {
        self.topics.get(topic)
    }

    /// The value of exactly this topic, to change.
    pub fn get_mut(&mut self, topic: &[u8]) -> Option<&mut V> {
        self.topics.get_mut(topic)
    }

    /// The value of exactly this topic, to change, with the topic as the table holds it, to share.
    pub fn get_key_value_mut(&mut self, topic: &[u8]) -> Option<(&Bytes, &mut V)> {
        self.topics.range_mut::<[u8], _>((Included(topic), Included(topic))).next()
    }

    /// Takes a topic out of the table.
    pub fn remove(&mut self, topic: &[u8]) -> Option<V> {
        let value = self.topics.remove(topic)?;
        if let Some(count) = self.lengths.get_mut(&topic.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&topic.len());
            }
        }
        Some(value)
    }

    /// All topics that are a prefix of `subject`, the longest first.
    ///
    /// Takes at most a lookup for each length that topics have, up to the length of the subject; where all topics have one
    /// length that is a single one.
    #[inline]
    pub fn matches<'a>(&'a self, subject: &'a [u8]) -> Matches<'a, V> {
        Matches { index: self, rest: Some(subject) }
    }

    /// Whether any topic is a prefix of `subject`.
    #[inline]
    pub fn any_match(&self, subject: &[u8]) -> bool {
        self.matches(subject).next().is_some()
    }

    /// All topics with their values, sorted.
    pub fn iter(&self) -> btree_map::Iter<'_, Bytes, V> {
        self.topics.iter()
    }

    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.topics.len()
    }

    /// Whether there is no topic.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }
}

impl<V> Default for SubscriptionIndex<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, V> IntoIterator for &'a SubscriptionIndex<V> {
    type Item = (&'a Bytes, &'a V);
    type IntoIter = btree_map::Iter<'a, Bytes, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The topics a subject starts with; see [`SubscriptionIndex::matches`].
#[derive(Clone, Debug)]
pub struct Matches<'a, V> {
    index: &'a SubscriptionIndex<V>,
    /// The part of the subject that what is still to be found is a prefix of.
    rest: Option<&'a [u8]>,
}

impl<'a, V> Iterator for Matches<'a, V> {
    type Item = (&'a Bytes, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest.take()?;
            let (&len, _) = self.index.lengths.range(..=rest.len()).next_back()?;
            if len == 0 {
                // The empty topic, which sorts first: no need to compare anything.
                return self.index.topics.first_key_value();
            }
            let rest = &rest[..len];
            // A prefix of `rest` sorts before it, and what sorts between the two starts with that prefix too. So all
            // prefixes that are left are prefixes of the last topic up to `rest`, and of what the two have in common.
            let upto = (Unbounded, Included(rest));
            let (topic, value) = self.index.topics.range::<[u8], _>(upto).next_back()?;
            if rest.starts_with(topic) {
                self.rest = topic.len().checked_sub(1).map(|end| &rest[..end]);
                return Some((topic, value));
            }
            let common = topic.iter().zip(rest).take_while(|(a, b)| a == b).count();
            self.rest = Some(&rest[..common]);
        }
    }
}

impl<V> std::iter::FusedIterator for Matches<'_, V> {}
