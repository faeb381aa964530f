//! ZMTP 3.1, the protocol of ZeroMQ, as a pure state machine: bytes in, items and bytes out.
//!
//! This crate has no I/O, no clock, no randomness and no threads: instants are arguments, bytes
//! arrive in a [`SegmentedBuffer`](monocoque_core::SegmentedBuffer) and leave in an
//! [`Outbox`](monocoque_core::Outbox). It builds for `wasm32-unknown-unknown` as well as for a
//! server, and is tested in virtual time with its input cut at every place.
//!
//! # How to use it
//!
//! A connection has two phases. In the first, a [`ZmtpSession`] is
//! [advanced](monocoque_core::Protocol::advance) once with an empty input, which puts the greeting
//! into the outbox, and then after every read, until it is `Established`. It then becomes two
//! halves that share no lock:
//!
//! * The [`Decoder`], for the reader: [`next`](monocoque_core::Decode::next) puts messages at the
//!   end of a queue, and returns the meaning of each ([`Inbound`]), until it needs more bytes. Not
//!   calling it is back-pressure.
//! * The [`Encoder`], for the writer: it owns the heartbeat, and rewrites messages for a peer that
//!   needs [another form](monocoque_core::Encode::is_identity). At its
//!   [`deadline`](monocoque_core::Encode::deadline), call
//!   [`on_deadline`](monocoque_core::Encode::on_deadline).
//!
//! Messages and subscriptions are encoded by [`encode_message`] and [`encode_subscription`], which
//! need no state.
//!
//! After an error, write the rest of the outbox and close the connection.
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
//!         Step::Ask(..) => unreachable!("only with `SessionConfig::authenticates`"),
//!         Step::Established(established) => break established,
//!     }
//!     output.clear(); // a program would write it
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
//! | `greeting`, `frame`, `command`, `properties` | the form of each on the wire |
//! | `mechanism` | the commands between the greeting and the traffic, one file a mechanism |
//! | `decoder`, `encoder`, `heartbeat` | the traffic |
//! | `protocol` | the contract of the engine, implemented by the above |
//!
//! # Deliberate omissions
//!
//! * Peers older than ZMTP 3.0: their greetings cannot be told from noise, and they bypass every
//!   mechanism.
//! * The check of `as-server`: libzmq never sets it.
//! * The check of the padding of the greeting: libzmq does not leave it zero.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]
#![cfg_attr(not(test), warn(clippy::cast_possible_truncation))]

mod auth;
mod command;
mod config;
mod decoder;
mod encoder;
mod error;
mod frame;
mod greeting;
mod heartbeat;
mod mechanism;
mod names;
mod properties;
mod protocol;
mod secret;
mod session;
mod socket_type;
mod topic_budget;
mod z85;

pub use auth::{Admission, AuthQuestion, AuthReply, Credentials}; // whether a peer may come in
pub use config::{Limits, MechanismConfig, SessionConfig}; // the configuration of a connection
pub use decoder::{Decoder, Inbound, decode_messages}; // the receiving half and its items
pub use encoder::{Encoder, Subscription, encode_message, encode_subscription}; // the sending half
pub use error::{
    AuthFault, ConfigError, Incompatible, Malformed, Misbehaved, Reason, RefusalStatus, ZmtpError,
}; // errors, by who is to blame
pub use frame::{QueuedFrame, QueuedFrames}; // the parts of a queued message
pub use greeting::Revision; // the version of a peer
pub use heartbeat::HeartbeatConfig; // part of the configuration
#[cfg(feature = "curve")]
pub use mechanism::curve::{CurvePublicKey, CurveSecretKey, KeyError}; // the keys of CURVE
pub use mechanism::plain::PlainCredentials; // the credentials of PLAIN
pub use names::{CommandKind, MechanismName}; // the names in an error
pub use properties::Properties; // the metadata of a peer
pub use secret::{Entropy, Password}; // secrets
pub use session::{PeerInfo, ZmtpSession}; // the handshake and its result
pub use socket_type::SocketType; // which types are compatible
pub use topic_budget::TopicBudget; // how much a peer may subscribe to
pub use z85::{Z85Error, z85_decode, z85_encode}; // the text of keys

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
