//! The engine below a messaging library: buffers, queues, routing and pumps, without a protocol.
//!
//! A protocol is plugged in as a state machine: read [`Protocol`] first.
//! `examples/custom_protocol.rs` implements one in a page.
//!
//! The path of a received message:
//!
//! ```text
//! transport -> IoArena lease -> read pump -> SegmentedBuffer -> Decode -> Inlet -> Inbox -> recv
//!                                                             |
//!                                             replies (control lane) -> write pump
//! ```
//!
//! The path of a sent message:
//!
//! ```text
//! send -> RouterHub | PubSubHub -> Outbox of a peer -> write pump -> Encode::encode -> transport
//!         (which peers)            (Hwm, BytePermits)  (one batch, one write)
//! ```
//!
//! | module | owns |
//! |---|---|
//! | `alloc` | the memory that the kernel reads into, and all of the `unsafe` |
//! | `buffer`, `outbox`, `message`, `frame` | received bytes, queued bytes, and messages |
//! | `protocol` | the contract between the engine and a protocol |
//! | `actor` | one connection: a handshake, then two pumps |
//! | `inbox`, `waiters`, `backpressure` | received messages, queues of tasks, and limits |
//! | `deadline` | deadlines, and the grace for those that fire late |
//! | `peer`, `router`, `routing_id`, `pubsub` | peers, and which of them get a message |
//! | `transport`, `endpoint` | streams, and their addresses |
//! | `monitor` | events for monitors |
//! | `runtime` | the threads that connections live on, timers, and readiness |
//! | `serialize` | serialization of values, with the feature `serde` |
//! | `reconnect` | the delay before the next attempt to connect |
//! | `sync` | the source of locks and atomics |
//!
//! Without the feature `runtime`, only the types that need no stream, thread or lock remain;
//! protocol crates depend on these.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(feature = "runtime", allow(clippy::incompatible_msrv, reason = "compio needs a newer compiler"))]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(feature = "runtime")]
pub mod actor;
#[cfg(feature = "runtime")]
mod alloc;
mod backpressure;
mod buffer;
pub mod deadline;
mod endpoint;
mod frame;
#[cfg(feature = "runtime")]
mod inbox;
mod message;
#[cfg(feature = "runtime")]
mod monitor;
mod outbox;
mod peer;
mod protocol;
mod pubsub;
#[cfg(feature = "runtime")]
mod readiness;
#[cfg(feature = "runtime")]
mod reconnect;
mod router;
mod routing_id;
#[cfg(feature = "runtime")]
pub mod runtime;
#[cfg(feature = "serde")]
mod serialize;
#[cfg(feature = "runtime")]
#[doc(hidden)]
pub mod sync;
#[cfg(feature = "runtime")]
pub mod transport;
mod waiters;

#[cfg(feature = "runtime")]
pub use alloc::process_id;
pub use backpressure::{BytePermits, Hwm};
pub use buffer::SegmentedBuffer;
#[cfg(feature = "runtime")]
pub use compio;
pub use endpoint::{
    AttachedStream, Endpoint, EndpointError, EndpointErrorKind, Host, HostName, InprocName, IpcAddress,
    Source,
};
pub use frame::{Frame, FrameBytes};
#[cfg(feature = "runtime")]
pub use inbox::{Inbox, InboxClosed, LaneConfig, LaneCounters, LaneKey, NextItem, RecvGuard, Weigh};
pub use message::{
    FrameCountError, FromFrame, IntoIter, IntoMessage, Iter, Message, MessageFrames, Part, Parts, TextError,
};
#[cfg(feature = "runtime")]
pub use monitor::{Lagged, Monitor, Monitors};
pub use outbox::{Outbox, Queued, QueuedCursor, QueuedMessage};
pub use peer::{PeerEvent, PeerKey, PeerTable};
pub use protocol::{Decode, Encode, Established, IdentityEncoder, Protocol, Question, Step};
pub use pubsub::{
    Cancelled, Matches, PubSubHub, Subscribed, SubscriptionIndex, SubscriptionLimit, SubscriptionLimits,
    Topics,
};
#[cfg(feature = "runtime")]
pub use readiness::{EventFd, Readiness, reserve_spare};
#[cfg(feature = "runtime")]
pub use reconnect::Backoff;
pub use router::{DuplicateId, NoRoute, Room, RouterBehavior, RouterHub};
pub use routing_id::{RoutingId, RoutingIdError};
#[cfg(feature = "runtime")]
pub use runtime::{DriverType, IoThread, IoThreadSettings, RuntimeGone, RuntimeHandle, block_on};
pub use waiters::{Ticket, WaitGuard, Waiters};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
