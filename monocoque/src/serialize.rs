//! Serialization of statistics and events, with the feature `serde`.
//!
//! Statistics are their fields. An event is a map: its name, as `event`, then its fields. A reason
//! has a name, as `reason`, and a text, as `text`. Durations are seconds.

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use crate::{
    Connection, ConnectionId, DisconnectReason, PeerStats, ProxyStats, SocketEvent, SocketStats, Traffic,
};

/// Statistics as their fields.
macro_rules! serialize_fields {
    ($($type:ident: $($field:ident),+;)+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let Self { $($field),+ } = self;
                let mut fields = serializer.serialize_struct(stringify!($type), [$(stringify!($field)),+].len())?;
                $(fields.serialize_field(stringify!($field), $field)?;)+
                fields.end()
            }
        }
    )+};
}

serialize_fields! {
    SocketStats: sent, received, dropped, discarded, send_queue, recv_queue, peers, lost_connections,
        failed_handshakes, auth_failures, redelivered, violations;
    ProxyStats: forward, backward, not_captured;
    Traffic: messages, bytes;
}

impl Serialize for PeerStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { peer, sent, received, bytes_written, bytes_read, send_queue, recv_queue } = self;
        let mut fields = serializer.serialize_struct("PeerStats", 11)?;
        fields.serialize_field("connection", peer.connection())?;
        fields.serialize_field("socket_type", peer.socket_type().name())?;
        fields.serialize_field("routing_id", peer.routing_id())?;
        fields.serialize_field("user_id", &peer.user_id())?;
        fields.serialize_field("age", &peer.age().as_secs_f64())?;
        fields.serialize_field("sent", sent)?;
        fields.serialize_field("received", received)?;
        fields.serialize_field("bytes_written", bytes_written)?;
        fields.serialize_field("bytes_read", bytes_read)?;
        fields.serialize_field("send_queue", send_queue)?;
        fields.serialize_field("recv_queue", recv_queue)?;
        fields.end()
    }
}

impl Serialize for ConnectionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        u64::from(*self).serialize(serializer)
    }
}

impl Serialize for Connection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { id, endpoint, peer } = self;
        let mut fields = serializer.serialize_struct("Connection", 3)?;
        fields.serialize_field("id", id)?;
        fields.serialize_field("endpoint", endpoint)?;
        fields.serialize_field("peer", peer)?;
        fields.end()
    }
}

impl Serialize for SocketEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Listening { endpoint } => fields(&mut map, "listening", &[("endpoint", endpoint)])?,
            Self::BindFailed { endpoint, error } => {
                fields(&mut map, "bind_failed", &[("endpoint", endpoint)])?;
                map.serialize_entry("text", &error.to_string())?;
            }
            Self::Unbound { endpoint } => fields(&mut map, "unbound", &[("endpoint", endpoint)])?,
            Self::Accepted { connection } => fields(&mut map, "accepted", &[("connection", &**connection)])?,
            Self::AcceptFailed { endpoint, error } => {
                fields(&mut map, "accept_failed", &[("endpoint", endpoint)])?;
                map.serialize_entry("text", &error.to_string())?;
            }
            Self::Connected { connection } => {
                fields(&mut map, "connected", &[("connection", &**connection)])?
            }
            Self::ConnectFailed { endpoint, error } => {
                fields(&mut map, "connect_failed", &[("endpoint", endpoint)])?;
                map.serialize_entry("text", &error.to_string())?;
            }
            Self::HandshakeSucceeded { connection, socket_type, routing_id } => {
                fields(&mut map, "handshake_succeeded", &[("connection", &**connection)])?;
                map.serialize_entry("socket_type", socket_type.name())?;
                map.serialize_entry("routing_id", routing_id)?;
            }
            Self::HandshakeFailed { connection, reason } => {
                ended(&mut map, "handshake_failed", connection, reason)?;
            }
            Self::Disconnected { connection, reason } => ended(&mut map, "disconnected", connection, reason)?,
            Self::Retrying { endpoint, delay } => {
                fields(&mut map, "retrying", &[("endpoint", endpoint)])?;
                map.serialize_entry("delay", &delay.as_secs_f64())?;
            }
            Self::GivenUp { endpoint } => fields(&mut map, "given_up", &[("endpoint", endpoint)])?,
            Self::TaskPanicked { endpoint, message } => {
                fields(&mut map, "task_panicked", &[("endpoint", endpoint)])?;
                map.serialize_entry("text", &**message)?;
            }
            Self::MessageDropped { connection, bytes, attempts } => {
                fields(&mut map, "message_dropped", &[("connection", &**connection)])?;
                map.serialize_entry("bytes", bytes)?;
                map.serialize_entry("attempts", attempts)?;
            }
            Self::Closed => fields::<_, ()>(&mut map, "closed", &[])?,
            Self::Lagged(events) => fields(&mut map, "lagged", &[("events", events)])?,
        }
        map.end()
    }
}

/// Adds the name of an event, and its first fields.
fn fields<M: SerializeMap, T: Serialize>(
    map: &mut M,
    event: &str,
    fields: &[(&str, &T)],
) -> Result<(), M::Error> {
    map.serialize_entry("event", event)?;
    fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))
}

/// Adds the end of a connection.
fn ended<M: SerializeMap>(
    map: &mut M,
    event: &str,
    connection: &Connection,
    reason: &DisconnectReason,
) -> Result<(), M::Error> {
    fields(map, event, &[("connection", connection)])?;
    map.serialize_entry("reason", reason.label())?;
    map.serialize_entry("text", &reason.to_string())
}

#[cfg(all(test, not(monocoque_loom)))]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn statistics_are_their_fields() {
        let stats = SocketStats { sent: 3, peers: 1, ..SocketStats::default() };
        let value = serde_json::to_value(stats).unwrap();
        assert_eq!(
            (&value["sent"], &value["peers"], &value["redelivered"]),
            (&json!(3), &json!(1), &json!(0))
        );
        let value = serde_json::to_value(ProxyStats::default()).unwrap();
        assert_eq!(value["forward"], json!({ "messages": 0, "bytes": 0 }));
    }

    #[test]
    fn events_have_name_and_fields() {
        let endpoint: crate::Endpoint = "tcp://127.0.0.1:1".parse().unwrap();
        let connection =
            Connection { id: ConnectionId::new(7), endpoint: endpoint.clone(), peer: endpoint.clone() };
        let connection = std::sync::Arc::new(connection);
        let described = json!({ "id": 7, "endpoint": "tcp://127.0.0.1:1", "peer": "tcp://127.0.0.1:1" });
        for (event, expected) in [
            (
                SocketEvent::Listening { endpoint },
                json!({ "event": "listening", "endpoint": "tcp://127.0.0.1:1" }),
            ),
            (
                SocketEvent::Accepted { connection: connection.clone() },
                json!({ "event": "accepted", "connection": described }),
            ),
            (
                SocketEvent::Disconnected { connection, reason: DisconnectReason::PairInUse },
                json!({
                    "event": "disconnected",
                    "connection": described,
                    "reason": "pair_in_use",
                    "text": DisconnectReason::PairInUse.to_string(),
                }),
            ),
            (SocketEvent::Lagged(2), json!({ "event": "lagged", "events": 2 })),
            (SocketEvent::Closed, json!({ "event": "closed" })),
        ] {
            assert_eq!(serde_json::to_value(&event).unwrap(), expected);
        }
    }
}
