//! draft
#[cfg(feature = "runtime")]
pub mod actor;
#[cfg(feature = "runtime")]
mod alloc;
mod backpressure;
mod buffer;
mod endpoint;
#[cfg(feature = "runtime")]
pub mod home;
mod message;
mod outbox;
mod peer;
mod protocol;
mod pubsub;
#[cfg(feature = "runtime")]
mod queue;
#[cfg(feature = "runtime")]
mod reconnect;
mod router;
#[cfg(feature = "runtime")]
pub mod transport;
mod waiters;

#[cfg(feature = "runtime")]
pub use alloc::{IoArena, SlabMut};
pub use backpressure::{BytePermits, Hwm};
pub use buffer::SegmentedBuffer;
pub use endpoint::{Endpoint, EndpointError, Host, HostName, IpcAddress};
pub use message::{Frame, IntoIter, Iter, Message, Part, Parts};
pub use outbox::Outbox;
pub use peer::{PeerEvent, PeerKey, PeerTable};
pub use protocol::{Decode, Encode, Established, PlainEncoder, Protocol, Step};
pub use pubsub::{
    Cancelled, Matches, PubSubHub, Subscribed, SubscriptionIndex, SubscriptionLimit, SubscriptionLimits,
};
pub use router::{
    DuplicateId, NoRoute, PeerCmd, Room, RouterBehavior, RouterCmd, RouterHub, RoutingId, RoutingIdError, Unroutable,
};
#[cfg(feature = "runtime")]
pub use home::{Driver, Home, HomeGone, ThreadSettings};
#[cfg(feature = "runtime")]
pub use queue::{Inbox, InboxClosed, LaneKey, Weigh};
#[cfg(feature = "runtime")]
pub use reconnect::Backoff;
pub use waiters::{Ticket, Waiters};
