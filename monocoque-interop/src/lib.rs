//! Monocoque beside other implementations: libzmq, by the `zmq` crate; pyzmq, in a process of its
//! own; and TLS.
//!
//! What is here needs a C++ compiler, for libzmq is built from source; no other package does. The
//! tests are in `tests`, the examples in `examples` of the repository.

pub mod tls;

#[cfg(doctest)]
#[doc = include_str!("../../docs/guide/tls.md")]
mod guide {}
