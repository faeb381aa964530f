//! Parts that tests of several packages share.
//!
//! [`session`] has two protocol peers and a simulated connection between them. The feature
//! `sockets` adds what tests of sockets need: macros such as [`everywhere`] that run a test body in
//! several configurations, [raw peers](RawPeer) that exchange bytes, a [`proxy`] that injects
//! faults into connections, [`hostile`] peers, and a [`ledger`] of messages.
#![expect(missing_docs, reason = "read beside the tests that use it")]

pub mod bytes;
pub mod session;
mod wait;

#[cfg(feature = "sockets")]
mod cases;
#[cfg(feature = "sockets")]
pub mod event_loop;
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
    At, Placement, Transport, fill, numbered, on_blocking_thread, pass_time, rebind, repeat_until, run,
    run_polling, run_within, seeded_rng,
};
#[cfg(feature = "sockets")]
pub use peers::{RawPeer, RawPeerListener, RawPeerSource};
#[cfg(feature = "sockets")]
pub use process_stats::resident_bytes;
#[cfg(feature = "sockets")]
pub use python::{python, start_python_peer};
pub use wait::{AtOnce, DEADLINE, at_once, eventually, eventually_async, within, yield_now};
