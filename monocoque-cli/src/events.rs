//! The events of connections, as text and as JSON.

use std::time::SystemTime;

use anstyle::Style;
use monocoque::{Connection, Endpoint, SocketEvent};
use serde_json::{Value, json};

use crate::terminal::{BAD, FAINT, GOOD};

/// The description of an event.
#[derive(Debug)]
pub(crate) struct Described {
    name: &'static str,
    style: Style,
    /// The line of the event, which begins with its name in words.
    line: String,
    fields: Value,
}

impl Described {
    /// Returns the event as a line of text, with its name in colour.
    pub(crate) fn coloured(&self) -> String {
        let Self { name, style, line, .. } = self;
        let name = name.replace('_', " ");
        match line.strip_prefix(&name) {
            Some(rest) => format!("{style}{name}{style:#}{rest}"),
            None => line.clone(),
        }
    }

    /// Returns the event as a line of JSON, with the present time.
    pub(crate) fn json(self) -> String {
        let time = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        let first = json!({ "event": self.name, "time": time });
        with(first, self.fields).to_string()
    }
}

pub(crate) fn describe(event: &SocketEvent) -> Described {
    let (name, style, fields) = match event {
        SocketEvent::Listening { endpoint } => ("listening", GOOD, of_endpoint(endpoint)),
        SocketEvent::BindFailed { endpoint, error } => {
            ("bind_failed", BAD, with(of_endpoint(endpoint), json!({ "error": error.to_string() })))
        }
        SocketEvent::Unbound { endpoint } => ("unbound", FAINT, of_endpoint(endpoint)),
        SocketEvent::Accepted { connection } => ("accepted", FAINT, of_connection(connection)),
        SocketEvent::AcceptFailed { endpoint, error } => {
            ("accept_failed", BAD, with(of_endpoint(endpoint), json!({ "error": error.to_string() })))
        }
        SocketEvent::Connected { connection } => ("connected", FAINT, of_connection(connection)),
        SocketEvent::ConnectFailed { endpoint, error } => {
            ("connect_failed", BAD, with(of_endpoint(endpoint), json!({ "error": error.to_string() })))
        }
        SocketEvent::HandshakeSucceeded { connection, socket_type, routing_id } => {
            let more = json!({ "type": socket_type.name(), "routing_id": routing_id.to_string() });
            ("handshake_succeeded", GOOD, with(of_connection(connection), more))
        }
        SocketEvent::HandshakeFailed { connection, reason } => {
            let more = json!({ "reason": reason.to_string() });
            ("handshake_failed", BAD, with(of_connection(connection), more))
        }
        SocketEvent::Disconnected { connection, reason } => {
            let more = json!({ "reason": reason.to_string() });
            ("disconnected", BAD, with(of_connection(connection), more))
        }
        SocketEvent::Retrying { endpoint, delay } => {
            let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            ("retrying", FAINT, with(of_endpoint(endpoint), json!({ "delay_ms": delay })))
        }
        SocketEvent::GivenUp { endpoint } => ("given_up", BAD, of_endpoint(endpoint)),
        SocketEvent::MessageDropped { connection, bytes, attempts } => {
            let more = json!({ "bytes": bytes, "attempts": attempts });
            ("message_dropped", BAD, with(of_endpoint(&connection.endpoint), more))
        }
        SocketEvent::TaskPanicked { endpoint, message } => {
            ("task_panicked", BAD, with(of_endpoint(endpoint), json!({ "error": &**message })))
        }
        SocketEvent::Closed => ("closed", FAINT, json!({})),
        SocketEvent::Lagged(events) => ("lagged", BAD, json!({ "events": events })),
        _ => ("other", FAINT, json!({})),
    };
    Described { name, style, line: event.to_string(), fields }
}

fn of_endpoint(endpoint: &Endpoint) -> Value {
    json!({ "endpoint": endpoint.to_string() })
}

fn of_connection(connection: &Connection) -> Value {
    let Connection { id, endpoint, peer, .. } = connection;
    json!({ "connection": u64::from(*id), "endpoint": endpoint.to_string(), "peer": peer.to_string() })
}

/// Adds further fields.
fn with(mut fields: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}
