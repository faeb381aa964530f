//! ZeroMQ sockets on io_uring.
//!
//! ZeroMQ is a messaging library: sockets that queue, route and distribute messages between
//! threads, processes and machines. This crate implements its protocol without C and exchanges
//! messages with libzmq and all programs that use it.
//!
//! ```
//! use monocoque::zmq::{RepSocket, ReqSocket};
//! use monocoque::{Context, MonocoqueError};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), MonocoqueError> {
//!     let context = Context::new()?; // an I/O thread for the connections
//!     let rep = RepSocket::new_in(&context)?;
//!     let endpoint = rep.bind("tcp://127.0.0.1:0").await?;
//!     let server = tokio::spawn(async move {
//!         let request = rep.recv().await?;
//!         rep.send(request).await?;
//!         rep.close().await;
//!         Ok::<_, MonocoqueError>(())
//!     });
//!
//!     let req = ReqSocket::new_in(&context)?;
//!     req.connect(endpoint).await?;
//!     assert_eq!(&req.request("hello").await?[0], b"hello");
//!     server.await.expect("the server does not panic")?;
//!     context.shutdown().await;
//!     Ok(())
//! }
//! ```
//!
//! # Where to start
//!
//! | topic | see |
//! |---|---|
//! | a first program, and what `send` and `recv` guarantee | [`guide::getting_started`] |
//! | a chapter for each messaging pattern | [`guide`] |
//! | the socket types | [`zmq`] |
//! | options of sockets | [`Builder`](zmq::Builder), [`guide::options`] |
//! | encryption, and who may come in | [`security`], [`guide::security`] |
//! | calls of the `zmq` crate, `zeromq`, `tmq` and pyzmq | [`guide::migration`] |
//! | behaviour that differs from libzmq | [`guide::differences`] |
//!
//! # Runtimes
//!
//! The futures of this crate run on any executor. The connections of a socket run on one thread:
//!
//! * **tokio, smol, others**: [`Context::new`] starts an I/O thread, and `new_in(&context)` creates
//!   sockets there.
//! * **compio**: `new()` inside a compio runtime uses its thread. No thread is crossed, which is
//!   the fastest configuration. The program must depend on the same version of compio as this
//!   crate.
//! * **no runtime**: calls of [`blocking()`](zmq::Blocking), such as `pull.blocking().recv()`, park
//!   the calling thread.
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
//! [`guide::security`]. A TLS stream can be [attached](zmq::PullSocket::attach): [`guide::tls`].
//! Connections within the process, over inproc, have no mechanism.
//!
//! # Features
//!
//! * `curve` (default): the mechanism CURVE, by the crate dryoc. PLAIN and authenticators need no
//!   feature.
//! * `tracing`: reports connection events to the crate `tracing`, with a span for each connection.
//!
//! # Related crates
//!
//! The wire format is in the crate `monocoque-zmtp`, the engine in
//! `monocoque-zmq-core`.
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
mod endpoint;
mod error;
mod exit;
#[cfg(any(doc, doctest))]
pub mod guide;
mod inproc;
mod monitor;
mod options;
mod pattern;
mod peer;
mod proxy;
mod raw;
pub mod security;
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

pub use context::{Context, ContextBuilder};
pub use error::{ErrorKind, MonocoqueError, MonocoqueError as Error, Result, SendError};
pub use monitor::{Connection, ConnectionId, DisconnectReason, Monitor, SocketEvent};
pub use monocoque_core::{
    AttachedStream, Driver, Endpoint, EndpointError, EndpointErrorKind, Frame, FrameBytes, FrameCountError,
    Host, HostName, InprocName, IntoMessage, IpcAddress, Message, MessageFrames, Part, Parts, RoutingId,
    RoutingIdError, Source, TextError,
};
pub use options::{ReconnectStop, RouterNotify};
pub use peer::Peer;
pub use proxy::{Proxy, ProxyControl, ProxyStats, Traffic, blocking_proxy, proxy};
pub use stats::SocketStats;
