//! ZMTP 3.1, the protocol of ZeroMQ, as a pure state machine: bytes in, items and bytes out.
//!
//! This crate has no I/O, no clock, no randomness and no threads: instants are arguments, bytes arrive in a
//! [`SegmentedBuffer`](monocoque_core::SegmentedBuffer) and leave in an [`Outbox`](monocoque_core::Outbox). It builds for
//! `wasm32-unknown-unknown` as it does for a server, and is tested in virtual time at every chopping of its input.
//!
//! # How to use it
//!
//! A connection lives in two phases. In the first, a [`ZmtpSession`] is [advanced](monocoque_core::Protocol::advance)
//! once with nothing, which puts out the greeting, and then after every read, until it is `Established`. It is then
//! gone; what remains are two halves that share no lock:
//!
//! * the [`Decoder`], for whoever reads: [`next`](monocoque_core::Decode::next) puts messages at the end of a queue, and
//!   says of each what it is ([`Inbound`]), until it wants more bytes. Not calling it is back-pressure.
//! * the [`Encoder`], for whoever writes: it owns the heartbeat, and the form in which this peer gets what was put out,
//!   if that is [another one](monocoque_core::Encode::is_identity). Ask for its
//!   [`deadline`](monocoque_core::Encode::deadline), call [`on_deadline`](monocoque_core::Encode::on_deadline) then.
//!
//! Messages and subscriptions are encoded by [`encode_message`] and [`encode_subscription`], which need no state.
//!
//! An error means that the connection is to be closed, once what is in the outbox was written.
//!
//! ```
//! use std::collections::VecDeque;
//! use std::time::Instant;
//!
//! use bytes::Bytes;
//! use monocoque_core::{Decode, Outbox, Protocol, SegmentedBuffer, Step};
//! use monocoque_zmtp::{Inbound, SessionConfig, SocketType, ZmtpSession};
//!
//! // What a PUSH socket sends us, read by read.
//! let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
//! greeting.resize(64, 0);
//! let ready_and_message = &b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH\x00\x05HELLO"[..];
//! let mut reads = [Bytes::from(greeting), Bytes::from(ready_and_message)].into_iter();
//!
//! let (mut input, mut output) = (SegmentedBuffer::new(), Outbox::new());
//!
//! let mut session = ZmtpSession::new(SessionConfig::new(SocketType::Pull))?;
//! let mut established = loop {
//!     match session.advance(&mut input, &mut output, Instant::now())? {
//!         Step::NeedInput(next) => session = next,
//!         Step::Established(established) => break established,
//!     }
//!     output.clear(); // here it would be written
//!     input.push(reads.next().expect("a read"));
//! };
//! assert_eq!(established.peer.socket_type, SocketType::Push);
//!
//! let mut messages = VecDeque::new();
//! let inbound = established.decoder.next(&mut input, &mut output, &mut messages)?;
//! assert_eq!((inbound, &messages[0][0]), (Some(Inbound::Message), &b"HELLO"[..]));
//! assert_eq!(established.decoder.next(&mut input, &mut output, &mut messages)?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//!
//! | module | owns |
//! |---|---|
//! | `session` | the handshake: greeting, mechanism, peer check |
//! | `greeting`, `frame`, `command`, `properties` | what each looks like on the wire |
//! | `mechanism` | what is said between the greeting and the traffic, one file a mechanism |
//! | `decoder`, `encoder`, `heartbeat` | the traffic |
//! | `protocol` | the contract of the engine, implemented by the above |
//!
//! # What it deliberately does not do
//!
//! * Speak to peers older than ZMTP 3.0: their bytes are not told from noise, and they bypass every mechanism.
//! * Require `as-server` of a peer: libzmq never sets it.
//! * Check the padding of the greeting: libzmq does not leave it zero.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]
#![cfg_attr(not(test), warn(clippy::cast_possible_truncation))]

mod command;
mod config;
mod decoder;
mod encoder;
mod error;
mod frame;
mod greeting;
mod heartbeat;
mod mechanism;
mod properties;
mod protocol;
mod session;
mod socket_type;
mod topics;

pub use command::CommandKind; // which command an error is about
pub use config::{Limits, SessionConfig}; // what a connection is to be
pub use decoder::{Decoder, Inbound, decode_messages}; // the receiving half and what it yields
pub use encoder::{Encoder, Subscription, encode_message, encode_subscription}; // the sending half
pub use error::{ConfigError, Incompatible, Malformed, Misbehaved, Reason, ZmtpError}; // who is to blame
pub use frame::{QueuedFrame, QueuedFrames}; // what a message that waits is made of
pub use greeting::{MechanismName, Revision}; // what a greeting announces
pub use heartbeat::HeartbeatConfig; // part of the configuration
pub use mechanism::MechanismConfig; // part of the configuration
pub use properties::Properties; // what a peer says about itself
pub use session::{PeerInfo, ZmtpSession}; // the handshake and what it learns
pub use socket_type::SocketType; // who may talk to whom
pub use topics::TopicAllowance; // what a peer may still subscribe to

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
