//! The mechanisms, in both roles: handshakes, what an application is asked, and sealed traffic.

mod common;
mod curve;
mod hostile_curve;
mod null;
mod plain;
mod transcripts;
