//! Connections over an in-memory stream: actors, encoders, and the channels of their owners.
#![cfg(feature = "runtime")]

mod actor;
mod common;
mod encoder;
mod link;
