//! Connections whose receiving side has ended, until they are cleaned up.

use std::collections::VecDeque;

use monocoque_core::{LaneKey, Message, PeerKey};

/// The closed connections whose cleanup is still to be done.
#[derive(Debug, Default)]
pub(crate) struct Departures {
    pub(crate) queue: VecDeque<Departure>,
    /// A task does the cleanup.
    pub(crate) is_served: bool,
}

/// A connection whose receiving side has ended.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) key: PeerKey,
    pub(crate) lane: LaneKey,
    /// The messages that the program receives last, and their weight.
    pub(crate) last: VecDeque<Message>,
    pub(crate) bytes: usize,
}
