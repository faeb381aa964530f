//! Who is at the other end of a connection, and what may happen to them.
//!
//! A peer exists once its handshake is done. Its [`PeerKey`] names that one connection and no later one,
//! so that an event that arrives late can be told from one that matters.

use std::fmt;

/// Names one connection of a socket: a place in its tables and the generation of that place.
///
/// A place is used again after its connection has ended, an epoch never is. Whoever holds a key of an older epoch holds
/// nothing: all tables ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerKey {
    slot: u32,
    epoch: u64,
}

impl PeerKey {
    /// The key of generation `epoch` of place `slot`.
    pub const fn new(slot: u32, epoch: u64) -> Self {
        Self { slot, epoch }
    }

    /// The place in the socket's tables.
    #[inline]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    /// The generation; grows with each connection of the socket.
    #[inline]
    pub const fn epoch(self) -> u64 {
        self.epoch
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.slot, self.epoch)
    }
}

/// What a hub is told of a peer's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent<Id> {
    /// The handshake is done; from now on the peer takes part in routing under `id`.
    Up {
        /// The connection.
        key: PeerKey,
        /// What the peer is addressed by.
        id: Id,
    },
    /// The connection has ended.
    Down {
        /// The connection.
        key: PeerKey,
    },
}

/// A table with a row per connection, addressed by [`PeerKey`].
///
/// The one place that hands out slots and epochs: rows of ended connections cannot be reached by an old key.
#[derive(Debug)]
pub struct PeerTable<T> {
    rows: Vec<Option<(u64, T)>>,
    free: Vec<u32>,
    next_epoch: u64,
}

impl<T> PeerTable<T> {
    /// An empty table.
    pub const fn new() -> Self {
        Self { rows: Vec::new(), free: Vec::new(), next_epoch: 1 }
    }

    /// Adds a row under a new key.
    #[expect(clippy::indexing_slicing, reason = "the place was free, or has just been added")]
    pub fn insert(&mut self, row: T) -> PeerKey {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.rows.push(None);
            (self.rows.len() - 1) as u32
        });
        let key = PeerKey::new(slot, self.next_epoch);
        self.next_epoch += 1;
        self.rows[key.slot()] = Some((key.epoch, row));
        key
    }

    /// Takes a row out; `None` if the key is of an ended connection.
    pub fn remove(&mut self, key: PeerKey) -> Option<T> {
        self.get(key)?;
        let (_, row) = self.rows.get_mut(key.slot())?.take()?;
        self.free.push(key.slot);
        if self.free.len() == self.rows.len() {
            self.rows = Vec::new();
            self.free = Vec::new();
        }
        Some(row)
    }

    /// The row of a connection that has not ended.
    #[inline]
    pub fn get(&self, key: PeerKey) -> Option<&T> {
        match self.rows.get(key.slot()) {
            Some(Some((epoch, row))) if *epoch == key.epoch => Some(row),
            _ => None,
        }
    }

    /// The row of a connection that has not ended.
    #[inline]
    pub fn get_mut(&mut self, key: PeerKey) -> Option<&mut T> {
        match self.rows.get_mut(key.slot()) {
            Some(Some((epoch, row))) if *epoch == key.epoch => Some(row),
            _ => None,
        }
    }

    /// All rows with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (PeerKey, &T)> {
        self.rows.iter().enumerate().filter_map(|(slot, row)| {
            row.as_ref().map(|(epoch, row)| (PeerKey::new(slot as u32, *epoch), row))
        })
    }

    /// All rows with their keys, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (PeerKey, &mut T)> {
        self.rows.iter_mut().enumerate().filter_map(|(slot, row)| {
            row.as_mut().map(|(epoch, row)| (PeerKey::new(slot as u32, *epoch), row))
        })
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Default for PeerTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A row for each live peer of a hub, under keys that somebody else hands out and in whatever order news of them comes.
#[derive(Debug)]
pub(crate) struct PeerRows<T> {
    rows: Vec<Option<(u64, T)>>,
    /// For each place, the first epoch that has not ended. Outlives the rows, at eight bytes a place.
    from: Vec<u64>,
    len: usize,
}

impl<T> PeerRows<T> {
    /// How many places it has rows for, live ones or not.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.rows.len()
    }

    /// The row of a live peer.
    #[inline]
    pub(crate) fn get(&self, key: PeerKey) -> Option<&T> {
        match self.rows.get(key.slot()) {
            Some(Some((epoch, row))) if *epoch == key.epoch() => Some(row),
            _ => None,
        }
    }

    /// The row of a live peer.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: PeerKey) -> Option<&mut T> {
        match self.rows.get_mut(key.slot()) {
            Some(Some((epoch, row))) if *epoch == key.epoch() => Some(row),
            _ => None,
        }
    }

    /// The live peer at a place.
    pub(crate) fn occupant(&self, slot: usize) -> Option<PeerKey> {
        let (epoch, _) = self.rows.get(slot)?.as_ref()?;
        Some(PeerKey::new(slot as u32, *epoch))
    }

    /// All live peers.
    pub(crate) fn keys(&self) -> impl Iterator<Item = PeerKey> {
        (0..self.rows.len()).filter_map(|slot| self.occupant(slot))
    }

    /// Whether the connection has ended, or a later one has its place.
    pub(crate) fn is_late(&self, key: PeerKey) -> bool {
        self.from.get(key.slot()).is_some_and(|from| key.epoch() < *from)
    }

    /// Adds the row of a peer that is not late, at a place that is free.
    #[expect(clippy::indexing_slicing, reason = "the place has just been made")]
    pub(crate) fn insert(&mut self, key: PeerKey, row: T) {
        debug_assert!(!self.is_late(key) && self.occupant(key.slot()).is_none());
        if self.rows.len() <= key.slot() {
            self.rows.resize_with(key.slot() + 1, || None);
        }
        self.rows[key.slot()] = Some((key.epoch(), row));
        self.raise(key.slot(), key.epoch());
        self.len += 1;
    }

    /// Takes the row of a live peer; whether or not there is one, the connection has ended from now on.
    pub(crate) fn remove(&mut self, key: PeerKey) -> Option<T> {
        self.raise(key.slot(), key.epoch() + 1);
        self.get(key)?;
        let (_, row) = self.rows.get_mut(key.slot())?.take()?;
        self.len -= 1;
        if self.len == 0 {
            self.rows = Vec::new();
        }
        Some(row)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[expect(clippy::indexing_slicing, reason = "the place has just been made")]
    fn raise(&mut self, slot: usize, epoch: u64) {
        if self.from.len() <= slot {
            self.from.resize(slot + 1, 0);
        }
        self.from[slot] = self.from[slot].max(epoch);
    }
}

impl<T> Default for PeerRows<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), from: Vec::new(), len: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_never_reaches_a_new_row() {
        let mut table = PeerTable::new();
        let old = table.insert("old");
        let other = table.insert("other");
        assert_eq!(table.remove(old), Some("old"));
        let new = table.insert("new");
        assert_eq!(new.slot(), old.slot());
        assert_eq!(table.get(old), None);
        assert_eq!(table.remove(old), None);
        assert_eq!(table.get(new), Some(&"new"));
        assert_eq!(table.iter().map(|(_, row)| *row).collect::<Vec<_>>(), ["new", "other"]);
        assert!(table.remove(other).is_some() && table.remove(new).is_some());
        assert!(table.is_empty());
        assert_eq!(table.get(new), None);
        assert!(table.insert("again").epoch() > new.epoch(), "epochs are never used again");
    }
}
