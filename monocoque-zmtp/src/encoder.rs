//! The sending half: from messages and subscriptions to bytes.
//!
//! Owns how traffic looks. It does not know who writes, nor how much may wait. [`encode_message`] is called by whoever
//! queues a message, [`encode_subscription`] by whoever keeps subscriptions, the [`Encoder`] by the write pump through
//! [`Encode`](monocoque_core::Encode).

use std::time::Instant;

use monocoque_core::{Message, Outbox};

use crate::command::{Command, CommandKind, put_command};
use crate::frame::{MORE, QueuedFrame, put_header};
use crate::heartbeat::{AnnouncedTtl, Heartbeat};
use crate::{Revision, SessionConfig, SocketType};

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
        out.put_part(part);
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

/// Puts a subscription, as one message of the outbox.
///
/// A peer of ZMTP 3.0 gets it as a message: that is up to the [`Encoder`] of its connection.
///
/// ```
/// use monocoque_core::Outbox;
/// use monocoque_zmtp::{Subscription, encode_subscription};
///
/// let mut outbox = Outbox::new();
/// encode_subscription(Subscription::Subscribe, b"A", &mut outbox);
/// assert_eq!(outbox.chunk(), b"\x04\x0b\x09SUBSCRIBEA");
/// ```
pub fn encode_subscription(kind: Subscription, topic: &[u8], out: &mut Outbox) {
    let command = match kind {
        Subscription::Subscribe => CommandKind::Subscribe,
        Subscription::Cancel => CommandKind::Cancel,
    };
    put_command(command, topic, out);
}

/// The sending half of a connection. It is used through [`Encode`](monocoque_core::Encode).
///
/// It keeps the connection alive, and rewrites the subscriptions of a subscriber whose peer speaks ZMTP 3.0. All else goes
/// out as it is queued.
#[derive(Debug)]
pub struct Encoder {
    pub(crate) heartbeat: Heartbeat,
    /// Subscriptions go out as messages.
    pub(crate) rewrites: bool,
}

impl Encoder {
    pub(crate) fn new(config: &SessionConfig, revision: Revision, now: Instant) -> Self {
        let subscribes = matches!(config.socket_type, SocketType::Sub | SocketType::Xsub);
        let rewrites = subscribes && revision == Revision::V3_0;
        Self { heartbeat: Heartbeat::new(&config.heartbeat, now), rewrites }
    }

    pub(crate) fn announced_ttl(&self) -> AnnouncedTtl {
        self.heartbeat.announced_ttl()
    }
}

/// Puts a frame as a peer of ZMTP 3.0 takes it.
pub(crate) fn put_v3_0(frame: &QueuedFrame<'_>, out: &mut Outbox) {
    let command = if frame.is_command() { Command::parse(frame.body().body()).ok() } else { None };
    let (prefix, topic) = match command {
        Some(Command::Subscribe(topic)) => (1, topic),
        Some(Command::Cancel(topic)) => (0, topic),
        _ => return frame.put(out),
    };
    put_header(0, 1 + topic.len(), out);
    out.put(&[prefix]);
    out.put(topic);
}
