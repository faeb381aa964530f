//! Tests of Monocoque with other implementations: libzmq, through the `zmq` crate; pyzmq, in
//! processes of its own; and TLS.
//!
//! This package needs a C++ compiler, since the `zmq` crate builds libzmq from source; no other
//! package does. The tests are in `tests`, the examples in `examples` of the repository.

pub mod tls;

#[cfg(doctest)]
#[doc = include_str!("../../docs/guide/tls.md")]
mod guide {}
