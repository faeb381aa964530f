//! A received message with its circumstances.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use monocoque::{Message, Peer};

/// A message as it is printed.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) message: Message,
    /// The time at which it was taken out of the receive queue.
    pub(crate) at: SystemTime,
    /// The sender, if it was asked for.
    pub(crate) peer: Option<Arc<Peer>>,
}

impl Received {
    /// Returns the time as text, in UTC with microseconds.
    pub(super) fn time(&self) -> humantime::Rfc3339Timestamp {
        humantime::format_rfc3339_micros(self.at)
    }

    /// Returns the time since 1970.
    pub(super) fn unix(&self) -> Duration {
        self.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

impl From<Message> for Received {
    /// A message that was received now, from a peer that is not shown.
    fn from(message: Message) -> Self {
        Self { message, at: SystemTime::now(), peer: None }
    }
}
