//! The budget of a peer for the bytes of its topics.
//!
//! Shared by the decoder, which refuses a subscription beyond it at its header, and the owner of
//! the subscriptions, which keeps it up to date.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that the topics of a peer have, and may have.
///
/// Clones share one value. [`Default`] is a peer without topics, which may add 64 MiB.
///
/// ```
/// use monocoque_zmtp::TopicBudget;
///
/// let budget = TopicBudget::default();
/// budget.clone().set_used(1024);
/// assert_eq!(budget.remaining(), 64 * 1024 * 1024 - 1024);
/// ```
#[derive(Clone, Debug, Default)]
pub struct TopicBudget(Arc<AtomicU64>);

impl TopicBudget {
    /// Sets how many bytes the topics of the peer have in all.
    pub fn set_used(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// Returns how many bytes the topics of the peer have.
    pub fn used(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns how many bytes the peer may add.
    pub fn remaining(&self) -> u64 {
        MAX_TOPICS.saturating_sub(self.used())
    }
}

/// The most bytes of topics of a peer.
const MAX_TOPICS: u64 = 64 * 1024 * 1024;
