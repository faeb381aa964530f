//! The metrics of sockets, for the `metrics` crate (feature `metrics`).
//!
//! Install a recorder of the `metrics` crate, such as `metrics-exporter-prometheus`: all sockets
//! report to it. Each is sampled once a second, on the thread of its connections, and once more
//! when it ends. The path of a message does nothing more: of a stream, bytes are counted once a
//! read and once a write, and received messages once a batch. Failures are reported as they occur.
//!
//! Every metric has the labels `socket`, the number of the socket within the process, as in the
//! span of the feature `tracing`, and `type`, such as `PUSH`. The names begin with `monocoque_`.
//!
//! | metric | kind | unit | value |
//! |---|---|---|---|
//! | `sent_messages_total` | counter | messages | [`sent`](crate::SocketStats::sent) |
//! | `received_messages_total` | counter | messages | [`received`](crate::SocketStats::received) |
//! | `dropped_messages_total` | counter | messages | [`dropped`](crate::SocketStats::dropped) |
//! | `discarded_messages_total` | counter | messages | [`discarded`](crate::SocketStats::discarded) |
//! | `redelivered_messages_total` | counter | messages | [`redelivered`](crate::SocketStats::redelivered) |
//! | `sent_bytes_total`, `received_bytes_total` | counter | bytes | over streams, without handshakes |
//! | `violations_total` | counter | connections | [`violations`](crate::SocketStats::violations) |
//! | `lost_connections_total` | counter | connections | [`lost_connections`](crate::SocketStats::lost_connections) |
//! | `connect_failures_total` | counter | attempts | no connection was made |
//! | `handshake_failures_total` | counter | connections | by `reason`, a label of few values |
//! | `auth_failures_total` | counter | connections | [`auth_failures`](crate::SocketStats::auth_failures) |
//! | `send_queue_messages` | gauge | messages | [`send_queue`](crate::SocketStats::send_queue) |
//! | `recv_queue_messages` | gauge | messages | [`recv_queue`](crate::SocketStats::recv_queue) |
//! | `peers` | gauge | connections | [`peers`](crate::SocketStats::peers) |
//! | `peer_sent_messages_total` | counter | messages | taken by the write pump of the peer |
//! | `peer_received_messages_total` | counter | messages | received from the peer |
//! | `peer_sent_bytes_total`, `peer_received_bytes_total` | counter | bytes | without the handshake |
//! | `peer_send_queue_messages` | gauge | messages | waiting to be written to the peer |
//!
//! Those of a peer also have the labels `connection`, `endpoint` and `peer`: the fields of a
//! [`Connection`](crate::Connection). A socket reports at most 256 peers at a time, and none over
//! inproc. A connection has series of its own: give the exporter an idle timeout, or they stay when
//! peers have left.

use metrics::{Unit, describe_counter, describe_gauge};

/// The names of the metrics.
pub(crate) mod names {
    pub(crate) const SENT_MESSAGES: &str = "monocoque_sent_messages_total";
    pub(crate) const RECEIVED_MESSAGES: &str = "monocoque_received_messages_total";
    pub(crate) const DROPPED_MESSAGES: &str = "monocoque_dropped_messages_total";
    pub(crate) const DISCARDED_MESSAGES: &str = "monocoque_discarded_messages_total";
    pub(crate) const REDELIVERED_MESSAGES: &str = "monocoque_redelivered_messages_total";
    pub(crate) const SENT_BYTES: &str = "monocoque_sent_bytes_total";
    pub(crate) const RECEIVED_BYTES: &str = "monocoque_received_bytes_total";
    pub(crate) const VIOLATIONS: &str = "monocoque_violations_total";
    pub(crate) const LOST_CONNECTIONS: &str = "monocoque_lost_connections_total";
    pub(crate) const CONNECT_FAILURES: &str = "monocoque_connect_failures_total";
    pub(crate) const HANDSHAKE_FAILURES: &str = "monocoque_handshake_failures_total";
    pub(crate) const AUTH_FAILURES: &str = "monocoque_auth_failures_total";
    pub(crate) const SEND_QUEUE: &str = "monocoque_send_queue_messages";
    pub(crate) const RECV_QUEUE: &str = "monocoque_recv_queue_messages";
    pub(crate) const PEERS: &str = "monocoque_peers";
    pub(crate) const PEER_SENT_MESSAGES: &str = "monocoque_peer_sent_messages_total";
    pub(crate) const PEER_RECEIVED_MESSAGES: &str = "monocoque_peer_received_messages_total";
    pub(crate) const PEER_SENT_BYTES: &str = "monocoque_peer_sent_bytes_total";
    pub(crate) const PEER_RECEIVED_BYTES: &str = "monocoque_peer_received_bytes_total";
    pub(crate) const PEER_SEND_QUEUE: &str = "monocoque_peer_send_queue_messages";
}

/// Gives the recorder the units and descriptions of all metrics.
///
/// Each socket does so with its first sample: call it only to have them before.
///
/// ```
/// monocoque::metrics::describe();
/// ```
pub fn describe() {
    for (name, unit, text) in COUNTERS {
        describe_counter!(name, unit, text);
    }
    for (name, text) in GAUGES {
        describe_gauge!(name, Unit::Count, text);
    }
}

const COUNTERS: [(&str, Unit, &str); 16] = [
    (names::SENT_MESSAGES, Unit::Count, "Messages that send has accepted"),
    (names::RECEIVED_MESSAGES, Unit::Count, "Messages taken out of the receive queue"),
    (names::DROPPED_MESSAGES, Unit::Count, "Outgoing messages that were dropped, once for each peer"),
    (names::DISCARDED_MESSAGES, Unit::Count, "Incoming messages that were dropped"),
    (names::REDELIVERED_MESSAGES, Unit::Count, "Messages of lost connections that were queued again"),
    (names::SENT_BYTES, Unit::Bytes, "Bytes sent over streams"),
    (names::RECEIVED_BYTES, Unit::Bytes, "Bytes received over streams"),
    (names::LOST_CONNECTIONS, Unit::Count, "Established connections of connected endpoints that have ended"),
    (names::CONNECT_FAILURES, Unit::Count, "Attempts to connect that made no connection"),
    (names::HANDSHAKE_FAILURES, Unit::Count, "Connections that ended before their handshake was done"),
    (
        names::VIOLATIONS,
        Unit::Count,
        "Established connections ended since the peer violated the protocol or a limit",
    ),
    (names::AUTH_FAILURES, Unit::Count, "Connections refused for who the peer is"),
    (names::PEER_SENT_MESSAGES, Unit::Count, "Messages taken by the write pump of the peer"),
    (names::PEER_RECEIVED_MESSAGES, Unit::Count, "Messages received from the peer"),
    (names::PEER_SENT_BYTES, Unit::Bytes, "Bytes sent to the peer, without the handshake"),
    (names::PEER_RECEIVED_BYTES, Unit::Bytes, "Bytes received from the peer, without the handshake"),
];

const GAUGES: [(&str, &str); 4] = [
    (names::SEND_QUEUE, "Messages that wait to be written"),
    (names::RECV_QUEUE, "Messages that wait to be received"),
    (names::PEERS, "Connected peers whose handshake is done"),
    (names::PEER_SEND_QUEUE, "Messages that wait to be written to the peer"),
];
