//! A JSON object for each message: `{"time":"...","frames":["text",{"base64":"AP8="}]}`. With a
//! ROUTER, `"id"` is the routing id of the peer.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Encoder, FirstFrame, FormatError, JsonPayloads, Received};
use monocoque::Message;

/// Parses a message. An `"id"` becomes the first frame; other keys than that and `"frames"` are
/// ignored.
pub(super) fn parse(text: &[u8]) -> Result<Message, FormatError> {
    let Value::Object(mut object) = serde_json::from_slice(text).map_err(FormatError::Json)? else {
        return Err(FormatError::Shape("a message is an object"));
    };
    let Some(Value::Array(frames)) = object.remove("frames") else {
        return Err(FormatError::Shape("a message needs \"frames\", an array"));
    };
    let id = object.remove("id");
    let frames = id.into_iter().chain(frames).map(body).collect::<Result<Vec<_>, _>>()?;
    if frames.is_empty() {
        return Err(FormatError::Shape("a message needs at least one frame"));
    }
    Ok(frames.into())
}

fn body(frame: Value) -> Result<Vec<u8>, FormatError> {
    match frame {
        Value::String(text) => Ok(text.into_bytes()),
        Value::Object(object) => encoded(&object),
        _ => Err(FormatError::Shape("a frame is a string, or an object with \"base64\" or \"json\"")),
    }
}

fn encoded(object: &Map<String, Value>) -> Result<Vec<u8>, FormatError> {
    match (object.get("base64"), object.get("json")) {
        (Some(Value::String(text)), None) if object.len() == 1 => {
            STANDARD.decode(text).map_err(FormatError::Base64)
        }
        (None, Some(value)) if object.len() == 1 => Ok(value.to_string().into_bytes()),
        _ => Err(FormatError::Shape(
            "a frame that is an object has \"base64\", a string, or \"json\", and nothing else",
        )),
    }
}

pub(super) fn write(received: &Received, how: &Encoder, out: &mut impl Write) -> io::Result<()> {
    let Received { message, peer, .. } = received;
    let mut frames = message.iter();
    write!(out, "{{\"time\":\"{}\",", received.time())?;
    if let Some(peer) = peer {
        let peer =
            json!({ "peer": peer.connection().peer.to_string(), "peer_id": peer.routing_id().to_string() });
        let text = peer.to_string();
        write!(out, "{},", &text[1..text.len() - 1])?;
    }
    if let (FirstFrame::RoutingId, Some(id)) = (how.first, message.get(0)) {
        frames.next();
        out.write_all(b"\"id\":")?;
        write_frame(id, JsonPayloads::AsText, out)?;
        out.write_all(b",")?;
    }
    out.write_all(b"\"frames\":[")?;
    for (n, frame) in frames.enumerate() {
        if n > 0 {
            out.write_all(b",")?;
        }
        write_frame(frame, how.payloads, out)?;
    }
    out.write_all(b"]}\n")
}

fn write_frame(frame: &[u8], payloads: JsonPayloads, out: &mut impl Write) -> io::Result<()> {
    if let (JsonPayloads::AsJson, Some(value)) = (payloads, document(frame)) {
        return write!(out, "{{\"json\":{value}}}");
    }
    match std::str::from_utf8(frame) {
        Ok(text) => serde_json::to_writer(out, text).map_err(io::Error::from),
        Err(_) => write!(out, "{{\"base64\":\"{}\"}}", STANDARD.encode(frame)),
    }
}

/// Returns the JSON object or array that a frame is.
fn document(frame: &[u8]) -> Option<Value> {
    let first = frame.iter().find(|byte| !byte.is_ascii_whitespace())?;
    matches!(first, b'{' | b'[').then(|| serde_json::from_slice(frame).ok()).flatten()
}
