//! The operations of a socket in a child process, common to Monocoque and libzmq.

use std::time::Duration;

use testing::ledger::Frames;

/// A socket of either implementation. Its calls block for at most [`WAIT`].
pub(crate) trait Attaches {
    fn bind(&self, endpoint: &str) -> Result<(), String>;
    fn connect(&self, endpoint: &str);
    /// Returns the number of lost connections, if the implementation reports it.
    fn lost_connections(&self) -> u64;
    fn close(self);
}

pub(crate) trait Sends: Attaches {
    /// Returns `false` if the queue was full.
    fn send(&self, frames: Frames) -> bool;
}

pub(crate) trait Receives: Attaches {
    /// Returns a message that arrives within `wait`.
    fn receive(&self, wait: Duration) -> Option<Frames>;
}

/// How long a call may block.
pub(crate) const WAIT: Duration = Duration::from_millis(20);
