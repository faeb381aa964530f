//! The sending half: from messages and subscriptions to bytes.
//!
//! Owns the form of traffic. It does not know the writer, nor the limits of queues. Senders call
//! [`encode_message`], subscribers [`encode_subscription`], and the write pump the [`Encoder`]
//! through [`Encode`](monocoque_core::Encode).

use std::time::Instant;

use monocoque_core::{Message, Outbox, Part};

use crate::command::{Command, put_command};
use crate::frame::{MORE, QueuedFrame, put_header};
use crate::heartbeat::{AnnouncedTtl, Heartbeat};
use crate::mechanism::Sealer;
use crate::names::CommandKind;
use crate::{Revision, SessionConfig, SocketType};

/// Adds a message to the outbox: small bodies by copy, large ones by reference.
///
/// A message without frames adds nothing.
///
/// ```
/// use monocoque_core::{Message, Outbox, Part};
/// use monocoque_zmtp::encode_message;
///
/// let mut outbox = Outbox::new();
/// encode_message(&Message::from(["A", "B"]), &mut outbox);
/// assert_eq!(outbox.chunk(), b"\x01\x01A\x00\x01B");
/// ```
#[inline]
pub fn encode_message(message: &Message, out: &mut Outbox) {
    if let Some((len, block)) = message.inline_block() {
        put_header(0, len, out);
        out.put_prefix(block, len);
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

/// A request of a subscriber to a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// Subscribes to all messages that start with the topic.
    Subscribe,
    /// Cancels a subscription.
    Cancel,
}

/// Adds a subscription to the outbox, as one message.
///
/// The [`Encoder`] of a connection rewrites it for a peer of ZMTP 3.0.
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
/// It keeps the connection alive, rewrites subscriptions for a peer of ZMTP 3.0, and seals frames
/// on a sealed link. All other messages are sent in their queued form.
#[derive(Debug)]
pub struct Encoder {
    pub(crate) heartbeat: Heartbeat,
    /// Subscriptions are sent as messages.
    has_legacy_subscriptions: bool,
    /// Seals all frames.
    sealer: Option<Box<Sealer>>,
}

impl Encoder {
    pub(crate) fn new(
        config: &SessionConfig,
        revision: Revision,
        sealer: Option<Box<Sealer>>,
        now: Instant,
    ) -> Self {
        let subscribes = matches!(config.socket_type, SocketType::Sub | SocketType::Xsub);
        let has_legacy_subscriptions = subscribes && revision == Revision::V3_0;
        Self { heartbeat: Heartbeat::new(&config.heartbeat, now), has_legacy_subscriptions, sealer }
    }

    pub(crate) fn announced_ttl(&self) -> AnnouncedTtl {
        self.heartbeat.announced_ttl()
    }

    /// Returns true if this peer gets messages in their queued form.
    pub(crate) fn is_identity(&self) -> bool {
        !self.has_legacy_subscriptions && self.sealer.is_none()
    }

    /// Adds a frame in the form of this peer.
    pub(crate) fn put_frame(&mut self, frame: &QueuedFrame<'_>, out: &mut Outbox) {
        let legacy = if self.has_legacy_subscriptions { as_legacy_subscription(frame) } else { None };
        let (flags, start, body) = match legacy {
            Some((prefix, topic)) => (0, prefix, Part::Inline(topic)),
            None => (frame.flags(), &[][..], frame.body()),
        };
        match &mut self.sealer {
            Some(sealer) => sealer.put(flags, start, body.body(), out),
            None => {
                put_header(flags, start.len() + body.body().len(), out);
                out.put(start);
                out.put_part(body);
            }
        }
    }
}

/// Returns a subscription in the form of ZMTP 3.0: a prefix and a topic.
fn as_legacy_subscription<'a>(frame: &QueuedFrame<'a>) -> Option<(&'static [u8], &'a [u8])> {
    if !frame.is_command() {
        return None;
    }
    match Command::parse(frame.body().body()).ok()? {
        Command::Subscribe(topic) => Some((&[1], topic)),
        Command::Cancel(topic) => Some((&[0], topic)),
        _ => None,
    }
}
