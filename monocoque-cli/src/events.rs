//! The events of connections, as text and as JSON.

use std::time::SystemTime;

use anstyle::Style;
use monocoque::{Connection, SocketEvent};
use serde_json::{Map, Value, json};

use crate::terminal::{BAD, FAINT, GOOD};

/// The description of an event.
#[derive(Debug)]
pub(crate) struct Described {
    name: &'static str,
    style: Style,
    /// The text after the name.
    rest: String,
    fields: Map<String, Value>,
}

impl Described {
    /// Returns the event as a line of text.
    pub(crate) fn coloured(&self) -> String {
        let Self { name, style, rest, .. } = self;
        format!("{style}{}{style:#} {rest}", name.replace('_', " ")).trim_end().to_owned()
    }

    /// Returns the event as a line of JSON, with the present time.
    pub(crate) fn json(self) -> String {
        let time = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        let first = [("event".to_owned(), self.name.into()), ("time".to_owned(), time.into())];
        Value::Object(first.into_iter().chain(self.fields).collect()).to_string()
    }
}

pub(crate) fn describe(event: &SocketEvent) -> Described {
    match event {
        SocketEvent::Listening { endpoint } => event_line(
            "listening",
            GOOD,
            format!("on {endpoint}"),
            json!({ "endpoint": endpoint.to_string() }),
        ),
        SocketEvent::BindFailed { endpoint, error } => failed("bind_failed", endpoint, error),
        SocketEvent::Unbound { endpoint } => {
            event_line("unbound", FAINT, endpoint.to_string(), json!({ "endpoint": endpoint.to_string() }))
        }
        SocketEvent::Accepted { connection } => connected("accepted", FAINT, connection, "", json!({})),
        SocketEvent::AcceptFailed { endpoint, error } => failed("accept_failed", endpoint, error),
        SocketEvent::Connected { connection } => connected("connected", FAINT, connection, "", json!({})),
        SocketEvent::ConnectFailed { endpoint, error } => failed("connect_failed", endpoint, error),
        SocketEvent::HandshakeSucceeded { connection, socket_type, routing_id } => {
            let (kind, id) = (socket_type.name(), routing_id.to_string());
            let rest = format!(", a {kind} with the routing id {id}");
            connected(
                "handshake_succeeded",
                GOOD,
                connection,
                &rest,
                json!({ "type": kind, "routing_id": id }),
            )
        }
        SocketEvent::HandshakeFailed { connection, reason } => {
            let reason = reason.to_string();
            connected(
                "handshake_failed",
                BAD,
                connection,
                &format!(": {reason}"),
                json!({ "reason": reason }),
            )
        }
        SocketEvent::Disconnected { connection, reason } => {
            let reason = reason.to_string();
            connected("disconnected", BAD, connection, &format!(": {reason}"), json!({ "reason": reason }))
        }
        SocketEvent::Retrying { endpoint, delay } => {
            let rest = format!("{endpoint} in {delay:.0?}");
            let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            event_line(
                "retrying",
                FAINT,
                rest,
                json!({ "endpoint": endpoint.to_string(), "delay_ms": delay }),
            )
        }
        SocketEvent::GivenUp { endpoint } => {
            event_line("given_up", BAD, endpoint.to_string(), json!({ "endpoint": endpoint.to_string() }))
        }
        SocketEvent::MessageDropped { connection, bytes, attempts } => event_line(
            "message_dropped",
            BAD,
            format!("{bytes} bytes to {}, lost with {attempts} connections", connection.peer),
            json!({ "endpoint": connection.endpoint.to_string(), "bytes": bytes, "attempts": attempts }),
        ),
        SocketEvent::TaskPanicked { endpoint, message } => event_line(
            "task_panicked",
            BAD,
            format!("{endpoint}: {message}"),
            json!({ "endpoint": endpoint.to_string(), "error": &**message }),
        ),
        SocketEvent::Closed => event_line("closed", FAINT, String::new(), json!({})),
        SocketEvent::Lagged(events) => {
            event_line("lagged", BAD, format!("{events} events are missing"), json!({ "events": events }))
        }
        other => event_line("other", FAINT, format!("{other:?}"), json!({})),
    }
}

fn failed(name: &'static str, endpoint: &monocoque::Endpoint, error: &std::io::Error) -> Described {
    let fields = json!({ "endpoint": endpoint.to_string(), "error": error.to_string() });
    event_line(name, BAD, format!("{endpoint}: {error}"), fields)
}

fn connected(
    name: &'static str,
    style: Style,
    connection: &Connection,
    rest: &str,
    more: Value,
) -> Described {
    let Connection { id, endpoint, peer, .. } = connection;
    let mut described =
        event_line(name, style, format!("{peer} (connection {id} of {endpoint}){rest}"), more);
    described.fields.insert("connection".into(), u64::from(*id).into());
    described.fields.insert("endpoint".into(), endpoint.to_string().into());
    described.fields.insert("peer".into(), peer.clone().into());
    described
}

fn event_line(name: &'static str, style: Style, rest: String, fields: Value) -> Described {
    let Value::Object(fields) = fields else { unreachable!("fields are written as an object") };
    Described { name, style, rest, fields }
}
