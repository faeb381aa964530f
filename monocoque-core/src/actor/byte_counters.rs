//! The bytes of one connection, counted once a read and once a write.
//!
//! Without the feature `metrics` nothing is counted.

#[cfg(feature = "metrics")]
use std::sync::Arc;

#[cfg(feature = "metrics")]
use crate::sync::{AtomicU64, Ordering};

/// The counters of a connection, or nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Traffic {
    #[cfg(feature = "metrics")]
    pub(super) bytes: Arc<ByteCounters>,
}

#[cfg(not(feature = "metrics"))]
impl Traffic {
    #[inline]
    pub(super) fn add_sent(&self, _bytes: usize) {}

    #[inline]
    pub(super) fn add_received(&self, _bytes: usize) {}
}

#[cfg(feature = "metrics")]
impl Traffic {
    pub(super) fn add_sent(&self, bytes: usize) {
        self.bytes.add_sent(bytes);
    }

    pub(super) fn add_received(&self, bytes: usize) {
        self.bytes.add_received(bytes);
    }
}

/// The numbers of bytes that a connection has sent and received.
///
/// ```
/// use monocoque_core::actor::ByteCounters;
///
/// let bytes = ByteCounters::default();
/// bytes.add_sent(10);
/// assert_eq!((bytes.sent(), bytes.received()), (10, 0));
/// ```
#[cfg(feature = "metrics")]
#[derive(Debug, Default)]
pub struct ByteCounters {
    sent: AtomicU64,
    received: AtomicU64,
}

#[cfg(feature = "metrics")]
impl ByteCounters {
    /// Counts bytes that the kernel has taken.
    pub fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes that have arrived.
    pub fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Returns the number of bytes that the kernel has taken.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes that have arrived.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}
