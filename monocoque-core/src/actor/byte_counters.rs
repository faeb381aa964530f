//! Counters of the bytes of one connection.

// Those of the standard library in every build: nothing waits for them.
use std::sync::atomic::{AtomicU64, Ordering};

/// The numbers of bytes that a connection has read and written since its handshake, in the form of
/// the wire.
///
/// Each number has one writer at a time: the pump, or the direct write that takes its place.
#[derive(Debug, Default)]
pub struct ByteCounters {
    read: AtomicU64,
    written: AtomicU64,
}

impl ByteCounters {
    /// Returns the number of bytes that were read.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes that the system has taken.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub(super) fn add_read(&self, bytes: usize) {
        self.read.store(self.read().wrapping_add(bytes as u64), Ordering::Relaxed);
    }

    /// Adds the bytes of a write.
    pub fn add_written(&self, bytes: usize) {
        self.written.store(self.written().wrapping_add(bytes as u64), Ordering::Relaxed);
    }
}
