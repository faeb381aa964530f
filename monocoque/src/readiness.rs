//! Events of sockets: what can be received and sent without waiting.

use std::ops::{BitAnd, BitOr};

/// The readiness of a socket or a descriptor, or the interest of a [`PollItem`](crate::PollItem)
/// (`ZMQ_EVENTS`: `ZMQ_POLLIN`, `ZMQ_POLLOUT`).
///
/// ```
/// use monocoque::Events;
///
/// let events = Events::READABLE | Events::WRITABLE;
/// assert!(events.is_readable() && events.is_writable());
/// assert_eq!(events & Events::WRITABLE, Events::WRITABLE);
/// assert!(Events::NONE.is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Events {
    readable: bool,
    writable: bool,
}

impl Events {
    /// Neither.
    pub const NONE: Self = Self::new(false, false);
    /// A message can be received (`ZMQ_POLLIN`).
    pub const READABLE: Self = Self::new(true, false);
    /// A message can be sent (`ZMQ_POLLOUT`).
    pub const WRITABLE: Self = Self::new(false, true);
    /// Both.
    pub const ALL: Self = Self::new(true, true);

    pub(crate) const fn new(readable: bool, writable: bool) -> Self {
        Self { readable, writable }
    }

    /// Returns whether a message can be received without waiting.
    pub const fn is_readable(self) -> bool {
        self.readable
    }

    /// Returns whether a message can be sent without waiting.
    pub const fn is_writable(self) -> bool {
        self.writable
    }

    /// Returns whether it is neither.
    pub const fn is_empty(self) -> bool {
        !self.readable && !self.writable
    }
}

impl BitOr for Events {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self::new(self.readable || other.readable, self.writable || other.writable)
    }
}

impl BitAnd for Events {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self::new(self.readable && other.readable, self.writable && other.writable)
    }
}
