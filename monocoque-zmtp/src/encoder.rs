//! The sending half: from messages and subscriptions to bytes.
//!
//! Owns how traffic looks. It does not know who writes, nor how much may wait. [`encode_message`] is called by whoever
//! queues a message, [`encode_subscription`] by whoever keeps subscriptions, the [`Encoder`] by the write pump through
//! [`Encode`](monocoque_core::Encode).

use std::time::Instant;

use monocoque_core::{Message, Outbox, Part};

use crate::command::{CommandKind, put_command};
use crate::frame::{MORE, put_header};
use crate::heartbeat::{AnnouncedTtl, Heartbeat};
use crate::{HeartbeatConfig, Revision};

/// Puts a message, as one message of the outbox: small bodies by copy, large ones by reference.
///
/// A message without frames puts nothing.
///
/// ```
/// use monocoque_core::{Message, Outbox};
/// use monocoque_zmtp::encode_message;
///
/// let mut outbox = Outbox::new();
/// encode_message(&Message::from(["A", "B"]), &mut outbox);
/// assert_eq!(outbox.chunk(), b"\x01\x01A\x00\x01B");
/// ```
#[inline]
pub fn encode_message(message: &Message, out: &mut Outbox) {
    if let Some((len, block)) = message.block() {
        put_header(0, len, out);
        out.put_start(block, len);
        return out.end_message();
    }
    let mut parts = message.parts();
    let Some(mut part) = parts.next() else { return };
    loop {
        let next = parts.next();
        put_header(if next.is_some() { MORE } else { 0 }, part.body().len(), out);
        match part {
            Part::Inline(body) => out.put(body),
            Part::Shared(body) => out.put_shared(body),
        }
        match next {
            Some(next) => part = next,
            None => break,
        }
    }
    out.end_message();
}

/// What a subscriber asks of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// All messages that start with the topic.
    Subscribe,
    /// Those no more.
    Cancel,
}

/// Puts a subscription, in the form that a peer of this revision understands.
///
/// ```
/// use monocoque_core::Outbox;
/// use monocoque_zmtp::{Revision, Subscription, encode_subscription};
///
/// let mut outbox = Outbox::new();
/// encode_subscription(Subscription::Subscribe, b"A", Revision::V3_0, &mut outbox);
/// assert_eq!(outbox.chunk(), b"\x00\x02\x01A");
/// ```
pub fn encode_subscription(kind: Subscription, topic: &[u8], revision: Revision, out: &mut Outbox) {
    let (command, prefix) = match kind {
        Subscription::Subscribe => (CommandKind::Subscribe, 1),
        Subscription::Cancel => (CommandKind::Cancel, 0),
    };
    match revision {
        Revision::V3_0 => {
            put_header(0, 1 + topic.len(), out);
            out.put(&[prefix]);
            out.put(topic);
            out.end_message();
        }
        Revision::V3_1 => put_command(command, topic, out),
    }
}

/// The sending half of a connection. It is used through [`Encode`](monocoque_core::Encode).
///
/// It keeps the connection alive; messages are encoded without it.
#[derive(Debug)]
pub struct Encoder {
    pub(crate) heartbeat: Heartbeat,
}

impl Encoder {
    pub(crate) fn new(heartbeat: &HeartbeatConfig, now: Instant) -> Self {
        Self { heartbeat: Heartbeat::new(heartbeat, now) }
    }

    pub(crate) fn announced_ttl(&self) -> AnnouncedTtl {
        self.heartbeat.announced_ttl()
    }
}
