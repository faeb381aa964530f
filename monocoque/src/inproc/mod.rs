//! Connections between sockets of one process.
//!
//! There is no stream, no task and no thread between two inproc peers: a sender puts each message into the lane of the
//! receiver. The [`registry`] connects sockets that are bound and connected to one name; a [`pipe`] is what each of the
//! two has of the other. A connection ends when one of the two drops its pipe: the socket at the other end is notified,
//! and drops its own.
//!
//! Locks, in this order: the registry; the topics of a subscriber; the sending side of a subscriber, or of any sender;
//! the sending side of a publisher that is subscribed to; the inbox. Only [`InprocRegistry::settle`] holds two sending
//! sides otherwise, and holds the registry meanwhile. All pipes are dropped with no lock held.

mod pipe;
mod registry;

pub(crate) use registry::InprocRegistry;

#[cfg(all(test, monocoque_loom))]
mod models;
