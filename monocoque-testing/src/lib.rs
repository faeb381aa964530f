//! Parts that tests of several packages share.
//!
//! [`session`] has two ends of the protocol and an emulated wire between them. With the feature
//! `sockets` there is all that tests of sockets need: macros such as [`everywhere`] that run a body
//! in several ways, [peers](Wire) that speak in bytes, a [`proxy`] that harms connections,
//! [`hostile`] peers, and a [`ledger`] of messages.
#![expect(missing_docs, reason = "read beside the tests that use it")]

pub mod bytes;
pub mod session;
mod wait;

#[cfg(feature = "sockets")]
mod cases;
#[cfg(feature = "sockets")]
pub mod hostile;
#[cfg(feature = "sockets")]
pub mod ledger;
#[cfg(feature = "sockets")]
mod macros;
#[cfg(feature = "sockets")]
mod number_sets;
#[cfg(feature = "sockets")]
mod peers;
#[cfg(feature = "sockets")]
pub mod process_stats;
#[cfg(feature = "sockets")]
pub mod proxy;
#[cfg(feature = "sockets")]
mod python;

pub use bytes::{command, frame, greeting, property, ready};
#[cfg(feature = "sockets")]
pub use cases::{
    At, Placement, Transport, aside, chance, fill, meanwhile, numbered, pass_time, rebind, run, run_polling,
    run_within,
};
#[cfg(feature = "sockets")]
pub use peers::{Strangers, Wire, WireListener};
#[cfg(feature = "sockets")]
pub use process_stats::resident;
#[cfg(feature = "sockets")]
pub use python::python;
pub use wait::{AtOnce, DEADLINE, at_once, eventually, eventually_async, within, yield_now};
