//! ZeroMQ in Rust, from the wire up, on io_uring.
//!
//! ```
//! use monocoque::zmq::{DealerSocket, RouterSocket};
//!
//! # fn main() -> Result<(), monocoque::MonocoqueError> {
//! # compio::runtime::Runtime::new().unwrap().block_on(async {
//! let router = RouterSocket::new()?;
//! let endpoint = router.bind("tcp://127.0.0.1:0").await?;
//!
//! let dealer = DealerSocket::new()?;
//! dealer.connect(endpoint).await?;
//! dealer.send("hello").await?;
//!
//! let (peer, message) = router.recv_from().await?;
//! router.send_to(&peer, message).await?;
//! assert_eq!(&dealer.recv().await?[0], b"hello");
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! Sockets are in [`zmq`]; where their connections live is said by a [`Context`]; what they carry is a [`Message`].
//! The wire format is in the crate `monocoque-zmtp`, the engine below it in `monocoque-core`.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod error;
mod exit;

#[cfg(feature = "zmq")]
mod context;
#[cfg(feature = "zmq")]
mod engine;
#[cfg(all(doctest, feature = "zmq"))]
mod guide;
#[cfg(feature = "zmq")]
mod monitor;
#[cfg(feature = "zmq")]
mod options;
#[cfg(feature = "zmq")]
mod pattern;
#[cfg(feature = "zmq")]
mod peer;
#[cfg(feature = "zmq")]
mod proxy;
#[cfg(feature = "zmq")]
mod raw;
#[cfg(feature = "zmq")]
mod stats;
#[cfg(feature = "zmq")]
mod trace;
#[cfg(feature = "zmq")]
pub mod transport {
    //! Streams that are made elsewhere, for [`attach`](crate::zmq::Socket::attach).

    pub use monocoque_core::transport::{AnyStream, ByteStream, DirectWriter, Halves, InterfaceNameError};
}
#[cfg(feature = "zmq")]
pub mod zmq;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use engine::fuzzing;

#[cfg(feature = "zmq")]
pub use context::{Context, ContextBuilder};
pub use error::{MonocoqueError, SendError};
#[cfg(feature = "zmq")]
pub use monitor::{Connection, DisconnectReason, Monitor, SocketEvent};
pub use monocoque_core::{
    AttachedStream, Driver, Endpoint, EndpointError, Frame, Host, HostName, InprocName, IpcAddress, Message,
    Part, Parts, RoutingId, RoutingIdError, Source,
};
#[cfg(feature = "zmq")]
pub use options::{ReconnectStop, RouterNotify};
#[cfg(feature = "zmq")]
pub use peer::Peer;
#[cfg(feature = "zmq")]
pub use proxy::{Proxy, ProxyControl, ProxyStats, Traffic, blocking_proxy, proxy};
#[cfg(feature = "zmq")]
pub use stats::SocketStats;
