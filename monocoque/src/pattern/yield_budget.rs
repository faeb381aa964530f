//! The amount of work after which senders let other tasks run.

/// The work queued since a write pump last ran. A sender [yields](Self::is_spent) after about one
/// large write.
#[derive(Debug, Default)]
pub(crate) struct YieldBudget {
    used: usize,
}

impl YieldBudget {
    /// Notes the length of a connection's queue.
    #[inline]
    pub(super) fn note_queue(&mut self, messages: usize, bytes: usize) {
        self.used = self.used.max(bytes + messages * PER_MESSAGE);
    }

    /// Adds a message that is in no queue: it went to an inproc peer, or was dropped.
    #[inline]
    pub(super) fn add_message(&mut self, len: usize) {
        self.used += PER_MESSAGE + len;
    }

    /// Resets the budget: a write pump has taken a batch.
    #[inline]
    pub(super) fn reset(&mut self) {
        self.used = 0;
    }

    /// Returns whether a sender is to let the write pumps run, and if so resets the budget.
    #[inline]
    pub(crate) fn is_spent(&mut self) -> bool {
        let is_spent = self.used >= YIELD_AFTER;
        if is_spent {
            self.used = 0;
        }
        is_spent
    }
}

/// The amount of work after which a sender yields: about one large write, in bytes.
const YIELD_AFTER: usize = 256 * 1024;
/// The bytes charged for each message in addition to its length, so that 512 empty ones are enough.
const PER_MESSAGE: usize = 256;
