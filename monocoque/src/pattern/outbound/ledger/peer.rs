//! Connections, the messages they are given, and the bytes on their wires.

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};

use monocoque_core::actor::InFlight;
use monocoque_core::sync::AtomicBool;
use monocoque_core::transport::DirectWriter;
use monocoque_core::{Encode, Message, Outbox, PeerKey, Queued, RoutingId};
use monocoque_zmtp::encode_message;

use crate::endpoint::EndpointKey;
use crate::pattern::link::{Link, Pump, Way};

/// A stream that is full after a number of bytes at a time, and records all that it accepted.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) takes: usize,
    pub(super) bytes: Mutex<Vec<u8>>,
}

impl Wire {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("not poisoned").clone()
    }

    pub(super) fn extend(&self, bytes: &[u8]) {
        self.bytes.lock().expect("not poisoned").extend(bytes);
    }
}

impl DirectWriter for Wire {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let n = bytes.len().min(self.takes);
        self.extend(&bytes[..n]);
        Ok(n)
    }
}

/// The encoder of a connection: the identity, or one that changes every byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) masks: bool,
}

impl Encode for Form {
    type Error = io::Error;

    fn is_identity(&self) -> bool {
        !self.masks
    }

    fn encode(&mut self, queued: &mut Queued<'_>, wire: &mut Outbox, limit: usize) {
        while wire.bytes() < limit
            && let Some(message) = queued.next_message()
        {
            wire.put(&mask(&message.flat_map(|part| part.body().to_vec()).collect::<Vec<_>>()));
            wire.end_message();
        }
    }
}

pub(super) fn mask(message: &[u8]) -> Vec<u8> {
    let masked: Vec<_> = message.iter().map(|byte| byte ^ 0x5a).collect();
    [b"<", &*masked, b">"].concat()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) number: u32,
    pub(super) len: usize,
}

impl Sent {
    pub(super) fn message(self) -> Message {
        let mut body = self.number.to_be_bytes().to_vec();
        body.resize(4 + self.len, self.number as u8);
        Message::from(body)
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        let mut outbox = Outbox::new();
        encode_message(&self.message(), &mut outbox);
        bytes(&outbox)
    }
}

pub(super) fn bytes(outbox: &Outbox) -> Vec<u8> {
    outbox.slices().collect::<Vec<_>>().concat()
}

pub(super) fn encoded<'a>(messages: impl IntoIterator<Item = &'a Sent>) -> Vec<u8> {
    messages.into_iter().flat_map(|message| message.bytes()).collect()
}

pub(super) fn outbox_of(link: &Link) -> &Outbox {
    match &link.way {
        Way::Stream(stream) => &stream.outbox,
        Way::Inproc(_) => panic!("all links are streams"),
    }
}

pub(super) fn is_parked(link: &Link) -> bool {
    matches!(&link.way, Way::Stream(stream) if matches!(stream.pump, Pump::Parked(_)))
}

/// A connection.
pub(super) struct Peer {
    pub(super) key: PeerKey,
    pub(super) endpoint_key: EndpointKey,
    pub(super) name: RoutingId,
    pub(super) wire: Arc<Wire>,
    pub(super) has_input: Arc<AtomicBool>,
    pub(super) form: Form,
    /// The batch of its pump.
    pub(super) batch: InFlight,
    /// All messages that are to go over it, from the beginning.
    pub(super) given: Vec<Sent>,
    /// Its endpoint was detached.
    pub(super) leaving: bool,
    /// Another peer has taken over its name.
    pub(super) is_replaced: bool,
}

impl Peer {
    /// Returns the number of its messages that are on the wire, whole.
    pub(super) fn written(&self) -> usize {
        let bytes = self.wire.bytes().len();
        let ends = self.given.iter().scan(0, |end, message| {
            *end += message.bytes().len() + if self.form.masks { 2 } else { 0 };
            Some(*end)
        });
        ends.take_while(|end| *end <= bytes).count()
    }

    /// Returns the number of its messages that the socket has handed out, whole.
    pub(super) fn taken(&self) -> usize {
        self.written() + self.batch.queued().messages()
    }

    /// Returns all of its messages as queued, without the begun part of a message still in the
    /// batch.
    pub(super) fn bytes(&self, outbox: &Outbox) -> Vec<u8> {
        let mut on_wire = self.wire.bytes();
        if self.form.masks {
            on_wire = self.unmasked(&on_wire);
        }
        [on_wire, bytes(self.batch.queued()), bytes(outbox)].concat()
    }

    /// Returns the messages that are on the wire whole, with their masks removed.
    pub(super) fn unmasked(&self, mut wire: &[u8]) -> Vec<u8> {
        let whole = &self.given[..self.written()];
        for message in whole {
            wire = wire.strip_prefix(&mask(&message.bytes())[..]).expect("the mask of what was given");
        }
        if let Some(begun) = self.given.get(whole.len()) {
            assert!(mask(&begun.bytes()).starts_with(wire), "no other byte is there");
        }
        encoded(whole)
    }

    /// Writes a part of the pump's batch, in 256ths.
    pub(super) fn write(&mut self, part: usize) {
        let queued = self.batch.queued();
        let all = queued.bytes() + if self.form.masks { 2 * queued.messages() } else { 0 };
        let mut left = all * part / 256;
        while left > 0 {
            self.batch.encode(&mut self.form);
            let n = left.min(self.batch.wire().bytes());
            self.wire.extend(&bytes(self.batch.wire())[..n]);
            self.batch.consume(n);
            left -= n;
        }
        // Encoded bytes that are not written are lost with the connection.
        self.batch.encode(&mut self.form);
    }

    pub(super) fn waiting(&self) -> usize {
        self.given.len() - self.taken()
    }

    pub(super) fn is_there(&self) -> bool {
        !self.leaving && !self.is_replaced
    }
}
