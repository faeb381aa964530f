//! The queue of messages that wait for any peer.

use std::collections::VecDeque;

use monocoque_core::{Message, Outbox};
use monocoque_zmtp::decode_messages;

/// A queue of whole messages that are not assigned to a peer yet, and not encoded.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    messages: VecDeque<BacklogEntry>,
    bytes: usize,
    /// The number of messages at the front that lost connections have given back.
    returned: usize,
}

/// A message that waits for a peer.
#[derive(Debug)]
pub(super) struct BacklogEntry {
    pub(super) message: Message,
    /// The number of connections on which its transmission began.
    pub(super) attempts: u32,
    returned: bool,
}

impl Backlog {
    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.byte_len();
        self.messages.push_back(BacklogEntry { message, attempts: 0, returned: false });
    }

    /// Removes the first message.
    pub(super) fn pop(&mut self) -> Option<BacklogEntry> {
        let Some(waiting) = self.messages.pop_front() else {
            // Frees the memory of a burst.
            self.messages = VecDeque::new();
            return None;
        };
        self.bytes -= waiting.message.byte_len();
        self.returned -= usize::from(waiting.returned);
        Some(waiting)
    }

    /// Puts back a message that was popped.
    pub(super) fn put_back(&mut self, waiting: BacklogEntry) {
        self.bytes += waiting.message.byte_len();
        self.returned += usize::from(waiting.returned);
        self.messages.push_front(waiting);
    }

    /// Puts back the unsent messages of an ended connection, in front of all others.
    pub(super) fn take_back(&mut self, unsent: Outbox) {
        let attempts: Vec<_> = unsent.attempts().collect();
        let mut waiting: VecDeque<_> = decode_messages(unsent)
            .into_iter()
            .map(|message| BacklogEntry { message, attempts: 0, returned: true })
            .collect();
        for (at, attempts) in attempts {
            if let Some(waiting) = waiting.get_mut(at) {
                waiting.attempts = attempts;
            }
        }
        self.bytes += waiting.iter().map(|waiting| waiting.message.byte_len()).sum::<usize>();
        self.returned += waiting.len();
        waiting.append(&mut self.messages);
        self.messages = waiting;
    }

    /// Returns whether it holds messages that lost connections have given back.
    pub(super) fn has_returned(&self) -> bool {
        self.returned > 0
    }

    /// Drops all messages. Returns their number.
    pub(super) fn clear(&mut self) -> u64 {
        std::mem::take(self).messages.len() as u64
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    #[cfg(all(test, not(monocoque_loom)))]
    pub(super) fn messages(&self) -> impl Iterator<Item = Message> {
        self.messages.iter().map(|waiting| waiting.message.clone())
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
