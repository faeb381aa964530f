//! ZeroMQ sockets on io_uring.
//!
//! ZeroMQ is a messaging library: sockets that queue, route and distribute messages between
//! threads, processes and machines. This crate implements its protocol without C and exchanges
//! messages with libzmq and all programs that use it.
//!
//! ```
//! use monocoque::zmq::{RepSocket, ReqSocket};
//! use monocoque::{Context, Error, Result};
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     let context = Context::new()?; // an I/O thread for the connections
//!     let rep = RepSocket::new_in(&context)?;
//!     let endpoint = rep.bind("tcp://127.0.0.1:0").await?; // with the port that was chosen
//!     tokio::spawn(async move {
//!         while let Ok(request) = rep.recv().await {
//!             rep.send(("received", &request[0])).await?;
//!         }
//!         Ok::<_, Error>(())
//!     });
//!
//!     let req = ReqSocket::new_in(&context)?;
//!     req.connect(endpoint).await?; // returns at once; the connection is made in the background
//!     assert_eq!(req.request("hello").await?, ["received", "hello"]);
//!     context.shutdown().await;
//!     Ok(())
//! }
//! ```
//!
//! It needs these dependencies, on Linux, with Rust 1.95 or later. The package is called
//! `monocoque-zmq`; programs write `use monocoque`. It is a pre-release and not on crates.io: its
//! source is named by a path or the URL of its repository.
//!
//! ```toml
//! [dependencies]
//! monocoque-zmq = { path = "../monocoque/monocoque" }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! ```
//!
//! # Socket types
//!
//! Each socket type of ZeroMQ is a Rust type: an operation that it does not support does not
//! compile. An [`AnySocket`] has a type that is chosen at run time, and all methods.
//!
//! | type | sends | receives | peers | when the queue is full |
//! |---|---|---|---|---|
//! | [`ReqSocket`](zmq::ReqSocket) | requests, to its peers in turn | the reply | REP, ROUTER | `send` waits |
//! | [`RepSocket`](zmq::RepSocket) | the reply to the last request | requests from all in turn | REQ, DEALER | drops, counted |
//! | [`DealerSocket`](zmq::DealerSocket) | to its peers in turn | from all in turn | ROUTER, REP, DEALER | `send` waits |
//! | [`RouterSocket`](zmq::RouterSocket) | to the peer with the given routing id | from all, with the routing id | DEALER, REQ, ROUTER | drops, counted |
//! | [`PubSocket`](zmq::PubSocket) | to every peer with a matching subscription | - | SUB, XSUB | drops for that peer, counted |
//! | [`SubSocket`](zmq::SubSocket) | - | what it has subscribed to | PUB, XPUB | - |
//! | [`XpubSocket`](zmq::XpubSocket) | as PUB | subscriptions, and other messages | SUB, XSUB | drops for that peer, counted |
//! | [`XsubSocket`](zmq::XsubSocket) | subscriptions, and messages to every peer | from all in turn | PUB, XPUB | drops for that peer, counted |
//! | [`PushSocket`](zmq::PushSocket) | to its peers in turn | - | PULL | `send` waits |
//! | [`PullSocket`](zmq::PullSocket) | - | from all in turn | PUSH | - |
//! | [`PairSocket`](zmq::PairSocket) | to its one peer | from its one peer | PAIR | `send` waits |
//! | [`StreamSocket`](zmq::StreamSocket) | bytes to the peer with the given routing id | bytes from all | programs without ZeroMQ | `send` waits |
//!
//! # Runtimes
//!
//! The futures of this crate are `Send` and run on any executor. The connections of a socket run on
//! one thread, which is chosen when the socket is created:
//!
//! | program | sockets | connections |
//! |---|---|---|
//! | tokio, smol, any executor | `new_in(&context)`, `build_in(&context)` | on an I/O thread of the [`Context`] |
//! | plain threads | the same, and the calls of [`blocking()`](zmq::Blocking), such as `pull.blocking().recv()` | on an I/O thread of the [`Context`] |
//! | a current-thread tokio, a loop of your own | `new_in(&context)` with [`Context::embedded`] | on that thread, driven by the loop: [`guide::event_loops`] |
//! | compio | `new()`, `build()` | on the thread of the runtime, the fastest configuration: messages cross no thread |
//!
//! With compio the program must depend on the same version of it as this crate: 0.19. Elsewhere,
//! `new()` creates the socket in [`Context::shared`].
//!
//! # Concepts
//!
//! | concept | type |
//! |---|---|
//! | sockets | [`zmq`], and the trait of all of them, [`zmq::Socket`] |
//! | functions that are generic over socket types | [`zmq::capability`] |
//! | a socket whose type is chosen at run time | [`AnySocket`] |
//! | their options, with defaults and ranges | [`zmq::Builder`], [`guide::options`] |
//! | contexts and I/O threads | [`Context`], [`ContextBuilder`] |
//! | connections in an event loop of the program | [`Driver`], [`guide::event_loops`] |
//! | what is sent and received: messages of one or more frames | [`Message`], [`Frame`] |
//! | what converts into a message, and out of it | [`IntoMessage`], [`FromFrame`] |
//! | the names of peers | [`RoutingId`] |
//! | addresses: `tcp://`, `ipc://`, `inproc://` | [`Endpoint`] |
//! | streams of the program's own, such as TLS, inside a compio runtime | [`transport`], [`guide::tls`] |
//! | errors; a failed `send` returns its message | [`Error`], [`SendError`], [`ErrorKind`] |
//! | messages as a `Stream` and a `Sink` | [`zmq::MessageStream`], [`zmq::MessageSink`] |
//! | what happens to connections | [`Monitor`], [`SocketEvent`] |
//! | who sent a message | [`Peer`] |
//! | counters | [`SocketStats`] |
//! | brokers and forwarders | [`proxy()`], [`Proxy`] |
//! | encryption, and who may come in | [`security`] |
//!
//! # Guide
//!
//! | topic | see |
//! |---|---|
//! | a first program, and what `send` and `recv` guarantee | [`guide::getting_started`] |
//! | a chapter for each messaging pattern | [`guide`] |
//! | complete programs for common tasks, on tokio | [`guide::recipes`] |
//! | calls of libzmq, the `zmq` crate, `zeromq`, `tmq` and pyzmq | [`guide::migration`] |
//! | behaviour that differs from libzmq | [`guide::differences`] |
//!
//! # Cancellation
//!
//! Futures can be dropped at any time, by a timeout or `select!`. A dropped `send` has queued
//! nothing, and a dropped `recv` has taken nothing. A failed `send` returns its message:
//! [`SendError::into_message`].
//!
//! # Security
//!
//! By default, connections are neither encrypted nor authenticated. The module [`security`] has the
//! mechanisms CURVE and PLAIN, and authenticators, which decide who may come in:
//! [`guide::security`]. Inside a compio runtime, a TLS stream can be
//! [attached](zmq::PullSocket::attach): [`guide::tls`].
//! Connections within the process, over inproc, have no mechanism. Nothing has been audited by a
//! third party.
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `curve` | yes | the mechanism CURVE, by the crate dryoc. PLAIN and authenticators need no feature |
//! | `metrics` | no | counters and gauges of sockets and peers for the crate `metrics`: the module `metrics` has the table |
//! | `serde` | no | `Serialize` and `Deserialize` for [`Message`], [`Frame`], [`RoutingId`] and [`Endpoint`]; `Serialize` for events and statistics; `Deserialize` for a [`Builder`](zmq::Builder), so that options can stand in a file |
//! | `smol` | no | `Driver::run_smol`: the connections of an embedded context run in smol, or whatever else uses async-io |
//! | `tokio` | no | `Driver::run_local`: the connections of an embedded context run in a current-thread tokio, or a `LocalSet` |
//! | `tracing` | no | connection events for the crate `tracing`, in the spans `socket{type, id}` and `connection{id, endpoint, peer}`; the first failure of an endpoint is a warning: [`guide::heartbeats`](guide::heartbeats#diagnosing-missing-messages) |
//!
//! # Related crates
//!
//! The wire format is in the crate `monocoque-zmtp`, the engine in `monocoque-zmq-core`. The
//! program `mq` of `monocoque-cli` uses sockets from the command line.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(all(doc, not(doctest)))]
#[macro_use]
mod links;

mod connection;
mod context;
mod driver;
mod endpoint;
mod error;
mod exit;
#[cfg(any(doc, doctest))]
pub mod guide;
mod inproc;
mod meter;
#[cfg(feature = "metrics")]
pub mod metrics;
mod monitor;
mod options;
mod pattern;
mod peer;
mod poll;
mod proxy;
mod raw;
mod readiness;
pub mod security;
#[cfg(feature = "serde")]
mod serialize;
mod socket;
mod stats;
mod trace;
pub mod transport {
    //! Streams created outside the library, for [`attach`](crate::zmq::Socket::attach).

    pub use monocoque_core::transport::{AnyStream, ByteStream, DirectWriter, Halves, InterfaceNameError};
}
pub mod zmq;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    //! The entry points of fuzz targets.

    pub use crate::connection::fuzzing::Peer;
    pub use crate::security::parse_zap_reply;
}

/// The runtime that the library uses, in its version.
///
/// A runtime of another version of compio is none for the library: `new()` takes an I/O thread
/// then, and [`Context::current`] fails. Features beyond those of the library, such as `macros`,
/// are those of the program's own dependency on the same version.
///
/// ```
/// use monocoque::{Context, compio};
///
/// let runtime = compio::runtime::Runtime::new()?;
/// assert!(runtime.block_on(async { Context::current() }).is_ok());
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(no_inline)]
pub use monocoque_core::compio;

pub use context::{Context, ContextBuilder};
pub use driver::Driver;
pub use error::{ErrorKind, MonocoqueError, MonocoqueError as Error, Result, SendError};
pub use monitor::{Connection, ConnectionId, DisconnectReason, Monitor, SocketEvent};
pub use monocoque_core::{
    AttachedStream, DriverType, Endpoint, EndpointError, EndpointErrorKind, Frame, FrameBytes,
    FrameCountError, FromFrame, Host, HostName, InprocName, IntoMessage, IpcAddress, Message, MessageFrames,
    Part, Parts, RoutingId, RoutingIdError, Source, TextError,
};
pub use options::{ReconnectStop, RouterNotify};
pub use peer::Peer;
pub use poll::{PollItem, poll};
pub use proxy::{Proxy, ProxyControl, ProxyStats, Traffic, blocking_proxy, proxy};
pub use readiness::Events;
pub use stats::{PeerStats, SocketStats};
pub use zmq::AnySocket;
