//! Peers: their keys, the events of their lives, and tables of them.
//!
//! A peer exists once its handshake is done. Its [`PeerKey`] names that one connection and no later
//! one, so that late events of an ended connection can be recognized and ignored.

use std::fmt;

/// The key of one connection of a socket: a slot in its tables and the generation of that slot.
///
/// A slot is used again after its connection has ended, an epoch never is. All tables ignore keys
/// of an older epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerKey {
    slot: u32,
    epoch: u64,
}

impl PeerKey {
    /// The key of generation `epoch` of slot `slot`.
    pub const fn new(slot: u32, epoch: u64) -> Self {
        Self { slot, epoch }
    }

    /// Returns the slot in the tables of the socket.
    #[inline]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    /// Returns the generation, which grows with each connection of the socket.
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

/// An event of a peer, for a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent<Id> {
    /// The handshake is done: from now on messages are routed to the peer, under `id`.
    Up {
        /// The connection.
        key: PeerKey,
        /// The address of the peer.
        id: Id,
    },
    /// The connection has ended.
    Down {
        /// The connection.
        key: PeerKey,
    },
}

/// A table with a row for each connection, addressed by [`PeerKey`].
///
/// It hands out slots and epochs: an old key does not reach the row of a later connection.
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

    /// Adds a row, and returns its new key.
    #[expect(clippy::indexing_slicing, reason = "the slot was free, or has just been added")]
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

    /// Removes a row; `None` if the connection has ended.
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

    /// Returns the row of a connection; `None` if that has ended.
    #[inline]
    pub fn get(&self, key: PeerKey) -> Option<&T> {
        match self.rows.get(key.slot()) {
            Some(Some((epoch, row))) if *epoch == key.epoch => Some(row),
            _ => None,
        }
    }

    /// Returns the row of a connection, to change; `None` if that has ended.
    #[inline]
    pub fn get_mut(&mut self, key: PeerKey) -> Option<&mut T> {
        match self.rows.get_mut(key.slot()) {
            Some(Some((epoch, row))) if *epoch == key.epoch => Some(row),
            _ => None,
        }
    }

    /// Returns all rows with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (PeerKey, &T)> {
        self.rows.iter().enumerate().filter_map(|(slot, row)| {
            row.as_ref().map(|(epoch, row)| (PeerKey::new(slot as u32, *epoch), row))
        })
    }

    /// Returns all rows with their keys, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (PeerKey, &mut T)> {
        self.rows.iter_mut().enumerate().filter_map(|(slot, row)| {
            row.as_mut().map(|(epoch, row)| (PeerKey::new(slot as u32, *epoch), row))
        })
    }

    /// Returns how many connections there are.
    pub fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    /// Returns true if there is no connection.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Default for PeerTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A table with a row for each live peer of a hub, under the keys of a [`PeerTable`].
///
/// Events of peers may come in any order, and late.
#[derive(Debug)]
pub(crate) struct PeerRows<T> {
    rows: Vec<Option<(u64, T)>>,
    /// For each slot, the first epoch that has not ended. Outlives the rows, at eight bytes a slot.
    first_live: Vec<u64>,
    len: usize,
}

impl<T> PeerRows<T> {
    /// Returns how many slots it has rows for, live or not.
    #[cfg(test)]
    pub(crate) fn slots(&self) -> usize {
        self.rows.len()
    }

    /// Returns the row of a live peer.
    #[inline]
    pub(crate) fn get(&self, key: PeerKey) -> Option<&T> {
        match self.rows.get(key.slot()) {
            Some(Some((epoch, row))) if *epoch == key.epoch() => Some(row),
            _ => None,
        }
    }

    /// Returns the row of a live peer, to change.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: PeerKey) -> Option<&mut T> {
        match self.rows.get_mut(key.slot()) {
            Some(Some((epoch, row))) if *epoch == key.epoch() => Some(row),
            _ => None,
        }
    }

    /// Returns the live peer in a slot.
    pub(crate) fn at_slot(&self, slot: usize) -> Option<PeerKey> {
        let (epoch, _) = self.rows.get(slot)?.as_ref()?;
        Some(PeerKey::new(slot as u32, *epoch))
    }

    /// Returns the keys of all live peers.
    pub(crate) fn keys(&self) -> impl Iterator<Item = PeerKey> {
        (0..self.rows.len()).filter_map(|slot| self.at_slot(slot))
    }

    /// Returns true if the connection has ended, or a later one has its slot.
    pub(crate) fn is_stale(&self, key: PeerKey) -> bool {
        self.first_live.get(key.slot()).is_some_and(|first| key.epoch() < *first)
    }

    /// Adds the row of a peer that is not stale, in a slot that is free.
    #[expect(clippy::indexing_slicing, reason = "the slot has just been made")]
    pub(crate) fn insert(&mut self, key: PeerKey, row: T) {
        debug_assert!(!self.is_stale(key) && self.at_slot(key.slot()).is_none());
        if self.rows.len() <= key.slot() {
            self.rows.resize_with(key.slot() + 1, || None);
        }
        self.rows[key.slot()] = Some((key.epoch(), row));
        self.raise_epoch(key.slot(), key.epoch());
        self.len += 1;
    }

    /// Removes the row of a live peer. Even without one, the connection counts as ended from now
    /// on.
    pub(crate) fn remove(&mut self, key: PeerKey) -> Option<T> {
        self.raise_epoch(key.slot(), key.epoch() + 1);
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

    #[expect(clippy::indexing_slicing, reason = "the slot has just been made")]
    fn raise_epoch(&mut self, slot: usize, epoch: u64) {
        if self.first_live.len() <= slot {
            self.first_live.resize(slot + 1, 0);
        }
        self.first_live[slot] = self.first_live[slot].max(epoch);
    }
}

impl<T> Default for PeerRows<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), first_live: Vec::new(), len: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_key_finds_no_row() {
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
