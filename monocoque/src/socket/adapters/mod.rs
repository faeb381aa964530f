//! Sockets as streams and sinks of messages, and one direction of a proxy.

pub(crate) mod forward;
pub(crate) mod sink;
pub(crate) mod stream;
