//! Monocoque against libzmq: real peers, on threads of their own, over real transports.
//!
//! [`exchange`]: every type with its counterparts, every shape of message. [`many`]: several
//! peers on one socket. [`matrix`]:
//! which types come together. [`named`]: peers that are named, and whose coming and going is told.
//! [`raw`]: STREAM, with theirs and with plain sockets. [`churn`]: peers that come and go.
//! [`bursts`]: many messages at once. [`redelivery`]: a message that they refuse. [`deciding`]:
//! options that change what a subscription does. [`proxied`]: our proxy between theirs.
//! [`reliability`]: options that both have to understand, and stopped peers. [`pyzmq`]: a newer
//! libzmq, in a Python process. What they share is in [`support`]. How to run them, and what they
//! need, is
//! said in `docs/contributing/interop.md`.

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
mod stream_socket;
mod subscription_options;
mod type_matrix;
