//! The engine below a messaging library: buffers, queues, routing and pumps, without a protocol.
//!
//! A protocol is plugged in as a state machine: read [`Protocol`] first. `examples/custom_protocol.rs` speaks one of its
//! own in a page.
//!
//! What comes in:
//!
//! ```text
//!  transport -> IoArena lease -> read pump -> SegmentedBuffer -> Decode -> Inlet -> Inbox -> receiver
//!                                                                  |
//!                                                  replies (control lane) -> write pump
//! ```
//!
//! What goes out:
//!
//! ```text
//!  sender -> RouterHub | PubSubHub -> Outbox of each link -> write pump -> Encode::encode -> transport
//!            (who gets it)            (Hwm, BytePermits)     (one batch, one write)
//! ```
//!
//! | module | owns |
//! |---|---|
//! | `alloc` | the memory that the kernel reads into: all of the `unsafe` |
//! | `buffer`, `outbox`, `message`, `frame` | bytes that came, bytes that go, and what they carry |
//! | `protocol` | the contract between an engine and a protocol |
//! | `actor` | one connection: a handshake, then two pumps |
//! | `queue`, `waiters`, `backpressure` | who waits for what, and how much may wait |
//! | `deadline` | when deadlines are, and what one is worth that fires late |
//! | `yielding` | when a task that need not wait gives others a turn |
//! | `peer`, `router`, `routing_id`, `pubsub` | who is there, and who gets what |
//! | `transport`, `endpoint` | streams, and what they are called |
//! | `monitor` | who is told what has happened |
//! | `home`, `reactor`, `reconnect` | where all of this runs, what has become readable there, and when it tries again |
//! | `sync` | where locks and atomics come from |
//!
//! Without the feature `runtime` only what needs no stream, thread or lock is left, for use by protocol crates.
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
pub mod home;
mod message;
#[cfg(feature = "runtime")]
mod monitor;
mod outbox;
mod park;
mod peer;
mod protocol;
mod pubsub;
#[cfg(feature = "runtime")]
mod queue;
#[cfg(feature = "runtime")]
mod reactor;
#[cfg(feature = "runtime")]
mod reconnect;
mod router;
mod routing_id;
#[cfg(feature = "runtime")]
#[doc(hidden)]
pub mod sync;
#[cfg(feature = "runtime")]
pub mod transport;
mod waiters;
#[cfg(feature = "runtime")]
pub mod yielding;

#[cfg(feature = "runtime")]
pub use alloc::process_id;
pub use backpressure::{BytePermits, Hwm};
pub use buffer::SegmentedBuffer;
pub use endpoint::{AttachedStream, Endpoint, EndpointError, Host, HostName, InprocName, IpcAddress, Source};
pub use frame::Frame;
#[cfg(feature = "runtime")]
pub use home::{Driver, Home, HomeGone, ThreadEnd, ThreadSettings};
pub use message::{IntoIter, Iter, Message, Part, Parts};
#[cfg(feature = "runtime")]
pub use monitor::{Lagged, Monitor, Monitors};
pub use outbox::{Outbox, Queued, QueuedMessage, QueuedPlace};
pub use park::block_on;
pub use peer::{PeerEvent, PeerKey, PeerTable};
pub use protocol::{Decode, Encode, Established, PlainEncoder, Protocol, Step};
pub use pubsub::{
    Cancelled, Matches, PubSubHub, Subscribed, SubscriptionIndex, SubscriptionLimit, SubscriptionLimits,
    Topics,
};
#[cfg(feature = "runtime")]
pub use queue::{Hold, Inbox, InboxClosed, LaneConfig, LaneKey, Next, Weigh};
#[cfg(feature = "runtime")]
pub use reconnect::Backoff;
pub use router::{DuplicateId, NoRoute, PeerCmd, Room, RouterBehavior, RouterCmd, RouterHub, Unroutable};
pub use routing_id::{RoutingId, RoutingIdError};
pub use waiters::{Seat, Ticket, Waiters};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
