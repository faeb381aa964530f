//! The contract between the engine and a protocol. Read this first.
//!
//! A protocol is a state machine without I/O and without a clock: bytes and instants go in, bytes
//! and items come out. [`Protocol`] is the handshake: it is advanced, by value, until it is done.
//! It then splits into a [`Decode`] half for the read pump and an [`Encode`] half for the write
//! pump, which share no lock.
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
//! Messages are queued in one neutral form, in the [`Outbox`] of a connection. The [`Encode`] half
//! turns a batch of them into the form of this peer, and keeps the connection alive. For most peers
//! the two forms are the same, and encoding does nothing. A lost connection gives back the neutral
//! form in any case.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::Debug;
use std::time::Instant;

use crate::{Outbox, Queued, SegmentedBuffer};

/// The handshake of a protocol, from the first byte to the split into two halves.
pub trait Protocol: Debug + Sized + 'static {
    /// The knowledge about the peer that the handshake yields.
    type Peer: Debug + 'static;
    /// The receiving half.
    type Decoder: Decode<Error = Self::Error>;
    /// The sending half.
    type Encoder: Encode<Error = Self::Error>;
    /// A question on which the handshake depends; [`Infallible`] for a protocol that never asks.
    type Question: Question;
    /// The faults of the peer or its bytes.
    type Error: Error + Send + Sync + 'static;

    /// Takes received bytes from `input` and puts bytes to be written into `output`. Called at the
    /// start with an empty input, then after each read.
    ///
    /// Bytes after the handshake stay in `input`. After an error, `output` is still written before
    /// the connection is closed.
    fn advance(
        self,
        input: &mut SegmentedBuffer,
        output: &mut Outbox,
        now: Instant,
    ) -> Result<Step<Self>, Self::Error>;

    /// Takes the answer to a [question](Step::Ask). [`advance`](Self::advance) is called next.
    fn resume(self, answer: <Self::Question as Question>::Answer) -> Self;

    /// Returns how many bytes [`advance`](Self::advance) needs at the front of the input to go on.
    ///
    /// A hint, as [`Decode::need`] is.
    fn need(&self) -> usize {
        1
    }
}

/// The state of a handshake.
#[derive(Debug)]
pub enum Step<P: Protocol> {
    /// More bytes are needed.
    NeedInput(P),
    /// The application is asked, for example whether this peer may come in. The handshake
    /// [goes on](Protocol::resume) with its answer.
    Ask(P, P::Question),
    /// The handshake is done.
    Established(Established<P>),
}

/// A question of a handshake.
pub trait Question: Debug + 'static {
    /// The answer to it.
    type Answer: 'static;
}

/// Never asked.
impl Question for Infallible {
    type Answer = Self;
}

/// A finished handshake.
#[derive(Debug)]
pub struct Established<P: Protocol> {
    /// The knowledge about the peer.
    pub peer: P::Peer,
    /// The half for the read pump.
    pub decoder: P::Decoder,
    /// The half for the write pump.
    pub encoder: P::Encoder,
}

/// The receiving half of a connection. The read pump pulls it: not calling it is back-pressure.
pub trait Decode: Debug + 'static {
    /// A decoded item.
    type Item: 'static;
    /// The kinds of items; `()` if there is only one.
    type Kind;
    /// The faults of the peer.
    type Error;

    /// Puts the next item at the end of `items` and returns its kind, or `None` if more bytes are
    /// needed.
    ///
    /// An item is made in its queue, because moving it afterwards costs more than making it.
    ///
    /// `replies` is the control lane of the connection: replies are written after the batch in
    /// flight. It is not empty while earlier replies wait, which lets a decoder bound the replies
    /// that a peer can make it queue.
    fn next(
        &mut self,
        input: &mut SegmentedBuffer,
        replies: &mut Outbox,
        items: &mut VecDeque<Self::Item>,
    ) -> Result<Option<Self::Kind>, Self::Error>;

    /// Returns how many bytes [`next`](Self::next) needs at the front of the input to go on.
    ///
    /// A hint, with which a reader reads a large body into one place. It comes from the peer and
    /// may be a lie.
    fn need(&self) -> usize {
        1
    }
}

/// The sending half of a connection.
pub trait Encode: Debug + 'static {
    /// The faults of a peer that stays silent.
    type Error;

    /// Returns true if messages go over the wire in their queued form. [`encode`](Self::encode) is
    /// not called then. The answer never changes.
    fn is_identity(&self) -> bool {
        true
    }

    /// Encodes messages from the front of `queued` and adds them to `wire`, one there for each one
    /// that was taken. Stops when all are taken, or `wire` has `limit` bytes or more.
    fn encode(&mut self, queued: &mut Queued<'_>, wire: &mut Outbox, limit: usize) {
        while wire.bytes() < limit {
            let Some(message) = queued.next_message() else { return };
            message.for_each(|part| wire.put_part(part));
            wire.end_message();
        }
    }

    /// Returns when [`on_deadline`](Self::on_deadline) is to be called.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Called at or after the [`deadline`](Self::deadline): puts a message that keeps the
    /// connection alive into `output`, or gives the peer up.
    ///
    /// `last_received` is when bytes last arrived; it is `now` while the receiver has no room for
    /// more. As long as `output` holds earlier messages, it is also when the peer last took bytes
    /// of the batch in front of them.
    fn on_deadline(
        &mut self,
        _now: Instant,
        _last_received: Instant,
        _output: &mut Outbox,
    ) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// The encoder that sends messages in their queued form, and does not keep connections alive.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdentityEncoder<E>(std::marker::PhantomData<fn() -> E>);

impl<E> IdentityEncoder<E> {
    /// The encoder, which has no state.
    pub const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<E: Debug + 'static> Encode for IdentityEncoder<E> {
    type Error = E;
}
