//! Connections between sockets of one process.
//!
//! There is no stream, no task and no thread between two inproc peers: a sender puts each message
//! into the receiver's lane. The [`registry`] knows the sockets that are bound and connected to a
//! name, [`connect`] connects them; a [`pipe`] is one direction of a connection. A connection ends
//! when one of the sockets drops its pipe: the other one is notified, and drops its own.
//!
//! Lock order: the registry; the topics of a subscriber; the sending side of a subscriber, or of
//! any sender; the sending side of the publisher; the inbox. Only [`InprocRegistry::settle`] locks
//! two sending sides in another order, under the registry's lock. Pipes are dropped with no lock
//! held.

pub(crate) mod connect;
mod pipe;
mod registry;

pub(crate) use registry::InprocRegistry;

#[cfg(all(test, monocoque_loom))]
mod models;
