//! Connections on a wire in memory: actors, what their encoders do, and the link to whoever owns
//! them.
#![cfg(feature = "runtime")]

mod actor;
mod common;
mod encoder;
mod link;
