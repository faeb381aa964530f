//! Monocoque with libzmq peers, which run on threads of their own, over real transports.
//!
//! - [`exchange`]: every socket type with its counterparts, and messages of every shape.
//! - [`many_peers`]: several peers on one socket.
//! - [`type_matrix`]: which types are compatible.
//! - [`routing_ids`]: named peers, and notifications of their connections.
//! - [`stream_socket`]: STREAM, with libzmq and with plain sockets.
//! - [`churn`]: peers that disconnect and return.
//! - [`bursts`]: many messages at once.
//! - [`redelivery`]: a message that libzmq rejects.
//! - [`subscription_options`]: options that change the effect of subscriptions.
//! - [`proxy`]: a Monocoque proxy between libzmq peers.
//! - [`security`]: PLAIN and CURVE, in both roles, and who is refused.
//! - [`reliability`]: options that both libraries must interpret alike, and stopped peers.
//! - [`pyzmq`]: a newer libzmq, in Python processes.
//!
//! [`support`] has what they share. `docs/contributing/interop.md` explains how to run them and
//! what they need.

#[macro_use]
mod support;

mod bursts;
mod churn;
mod exchange;
mod many_peers;
mod proxy;
mod pyzmq;
mod redelivery;
mod reliability;
mod routing_ids;
mod security;
mod stream_socket;
mod subscription_options;
mod type_matrix;
