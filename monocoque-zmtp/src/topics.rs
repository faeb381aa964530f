//! How many bytes of topics a peer may still subscribe to.
//!
//! Shared by the decoder, which refuses a subscription beyond it at its header, and the owner of the subscriptions,
//! which keeps it up to date.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a peer may still add to its topics, in bytes.
///
/// Clones share one value. [`Default`] is a peer without topics, which may add 64 MiB.
///
/// ```
/// use monocoque_zmtp::TopicAllowance;
///
/// let topics = TopicAllowance::default();
/// topics.clone().set_used(1024);
/// assert_eq!(topics.left(), 64 * 1024 * 1024 - 1024);
/// ```
#[derive(Clone, Debug, Default)]
pub struct TopicAllowance(Arc<AtomicU64>);

impl TopicAllowance {
    /// Notes how many bytes the topics of the peer have, all together.
    pub fn set_used(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// How many bytes the topics of the peer have.
    pub fn used(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// How many bytes the peer may add.
    pub fn left(&self) -> u64 {
        MAX_TOPICS.saturating_sub(self.used())
    }
}

/// How many bytes of topics a peer may have.
const MAX_TOPICS: u64 = 64 * 1024 * 1024;
