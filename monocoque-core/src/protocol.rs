//! The contract between an engine and a protocol. Read this first.
//!
//! A protocol is a state machine without I/O and without a clock: bytes and instants go in, bytes and items come out.
//! [`Protocol`] is the handshake: it is advanced, by value, until it is done. It then splits into a [`Decode`] half for
//! the read pump and an [`Encode`] half for the write pump, which share no lock.
//!
//! ```text
//!                      +----------------+  Established   +--------+  items  +-----------+
//!  received bytes ---> | Protocol       | -------------> | Decode | ------> | read pump |
//!  bytes to write <--- | (handshake)    |       |        +--------+         +-----------+
//!                      +----------------+       |        +--------+ encode  +------------+
//!                                               +------> | Encode | <------ | write pump |
//!                                                        +--------+ deadline+------------+
//! ```
//!
//! Messages are queued in one neutral form, in the [`Outbox`] of a connection. The [`Encode`] half turns a batch of them
//! into what this peer gets, and keeps the connection alive. For most peers the two forms are the same, and nothing is
//! done; a lost connection gives back the neutral form in any case.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt::Debug;
use std::time::Instant;

use crate::{Outbox, Queued, SegmentedBuffer};

/// A protocol's handshake, from the first byte to the split into two halves.
pub trait Protocol: Debug + Sized + 'static {
    /// What the handshake learns about the peer.
    type Peer: Debug + 'static;
    /// The receiving half.
    type Decoder: Decode<Error = Self::Error>;
    /// The sending half.
    type Encoder: Encode<Error = Self::Error>;
    /// What the peer, or its bytes, can do wrong.
    type Error: Error + Send + Sync + 'static;

    /// Takes in what has arrived and puts out what is to be written; called once at the start with nothing arrived,
    /// then after each read.
    ///
    /// Bytes after the handshake stay in `input`. On an error, what is in `output` is still written before the
    /// connection is closed.
    fn advance(
        self,
        input: &mut SegmentedBuffer,
        output: &mut Outbox,
        now: Instant,
    ) -> Result<Step<Self>, Self::Error>;

    /// How many bytes [`advance`](Self::advance) needs before it can go on, counted from the front of the input.
    ///
    /// A hint, as [`Decode::need`] is.
    fn need(&self) -> usize {
        1
    }
}

/// Where a handshake stands.
#[derive(Debug)]
pub enum Step<P: Protocol> {
    /// More bytes are needed.
    NeedInput(P),
    /// The handshake is done.
    Established(Established<P>),
}

/// A finished handshake.
#[derive(Debug)]
pub struct Established<P: Protocol> {
    /// What was learnt about the peer.
    pub peer: P::Peer,
    /// For the read pump.
    pub decoder: P::Decoder,
    /// For the write pump.
    pub encoder: P::Encoder,
}

/// The receiving half of a connection. It is pulled: not calling it is back-pressure.
pub trait Decode: Debug + 'static {
    /// What is decoded.
    type Item: 'static;
    /// What sorts of items there are: `()` if there is one.
    type Kind;
    /// What the peer can do wrong.
    type Error;

    /// Puts the next item at the end of `items` and says of which kind it is, or `None` if more bytes are needed.
    ///
    /// An item is made where it will wait: to move one that was just made costs more than to make it.
    ///
    /// `replies` is the control lane of the connection: what is put there is written behind the batch that is being
    /// written. It is not empty while earlier replies wait, by which a decoder bounds what a peer can make it queue.
    fn next(
        &mut self,
        input: &mut SegmentedBuffer,
        replies: &mut Outbox,
        items: &mut VecDeque<Self::Item>,
    ) -> Result<Option<Self::Kind>, Self::Error>;

    /// How many bytes [`next`](Self::next) wants to find before it can go on, counted from the front of the input.
    ///
    /// A hint: a reader uses it to read a large body into one place. It comes from the peer and may be a lie.
    fn need(&self) -> usize {
        1
    }
}

/// The sending half of a connection.
pub trait Encode: Debug + 'static {
    /// What the peer can do wrong by staying silent.
    type Error;

    /// True if messages go over the wire as they are queued. [`encode`](Self::encode) is not called then. It does not change.
    fn is_identity(&self) -> bool {
        true
    }

    /// Encodes messages from the front of `queued` and adds them to `wire`, one message there for each one that was taken.
    /// Stops when all are taken, or `wire` has `limit` bytes or more.
    fn encode(&mut self, queued: &mut Queued<'_>, wire: &mut Outbox, limit: usize) {
        while wire.bytes() < limit {
            let Some(message) = queued.next_message() else { return };
            message.for_each(|part| wire.put_part(part));
            wire.end_message();
        }
    }

    /// When [`on_deadline`](Self::on_deadline) wants to be called.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Called at or after the [`deadline`](Self::deadline): puts out what keeps the connection alive, or gives it up.
    ///
    /// `last_heard` is when bytes last arrived; it is `now` while the receiver holds the peer back. As long as `output` holds
    /// what was put there before, the peer is also heard by what it takes of the batch in front of that.
    fn on_deadline(
        &mut self,
        _now: Instant,
        _last_heard: Instant,
        _output: &mut Outbox,
    ) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// The encoder of a protocol that sends what is queued as it is, and does not keep connections alive.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainEncoder<E>(std::marker::PhantomData<fn() -> E>);

impl<E> PlainEncoder<E> {
    /// The encoder; it has no state.
    pub const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<E: Debug + 'static> Encode for PlainEncoder<E> {
    type Error = E;
}
