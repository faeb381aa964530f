//! The values that sockets report to the `metrics` crate.
//!
//! The counters of a socket are sampled once a second by its supervisor, and once more at the end;
//! only failures are reported as they occur. Without the feature `metrics` all of it compiles to
//! nothing.

#[cfg(not(feature = "metrics"))]
mod off;
#[cfg(feature = "metrics")]
mod on;
#[cfg(feature = "metrics")]
mod peer;

#[cfg(not(feature = "metrics"))]
pub(crate) use self::off::{ON, PeerMeter, beside, connect_failed, ended, handshake_failed};
#[cfg(feature = "metrics")]
pub(crate) use self::on::{ON, beside, connect_failed, ended, handshake_failed};
#[cfg(feature = "metrics")]
pub(crate) use self::peer::{PeerMeter, SocketMeter};
