//! Messages that wait for a peer, for whichever is ready first.

use std::collections::VecDeque;

use monocoque_core::{Message, Outbox};
use monocoque_zmtp::decode_messages;

/// A queue of whole messages: who will get them, and how they are written there, is not known yet.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    messages: VecDeque<Message>,
    bytes: usize,
}

impl Backlog {
    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.byte_len();
        self.messages.push_back(message);
    }

    /// Takes the first message.
    pub(super) fn pop(&mut self) -> Option<Message> {
        let Some(message) = self.messages.pop_front() else {
            // What a burst took is not kept.
            self.messages = VecDeque::new();
            return None;
        };
        self.bytes -= message.byte_len();
        Some(message)
    }

    /// Puts back what was taken.
    pub(super) fn put_back(&mut self, message: Message) {
        self.bytes += message.byte_len();
        self.messages.push_front(message);
    }

    /// Takes back what was encoded for a peer that is gone: it comes before all others.
    pub(super) fn take_back(&mut self, orphans: Outbox) {
        let mut messages = VecDeque::from(decode_messages(orphans));
        self.bytes += messages.iter().map(Message::byte_len).sum::<usize>();
        messages.append(&mut self.messages);
        self.messages = messages;
    }

    /// Drops all, and says how many messages that were.
    pub(super) fn clear(&mut self) -> u64 {
        std::mem::take(self).messages.len() as u64
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    #[cfg(all(test, not(monocoque_loom)))]
    pub(super) fn messages(&self) -> impl Iterator<Item = Message> {
        self.messages.iter().cloned()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
