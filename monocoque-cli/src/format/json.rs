//! A JSON object for each message: `{"frames":["text",{"base64":"AP8="}]}`. With a ROUTER, `"id"`
//! is the routing id of the peer.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use monocoque::Message;
use serde_json::{Map, Value};

use super::{FirstFrame, FormatError};

/// Parses a message. An `"id"` becomes the first frame.
pub(super) fn parse(text: &[u8]) -> Result<Message, FormatError> {
    let Value::Object(mut object) = serde_json::from_slice(text).map_err(FormatError::Json)? else {
        return Err(FormatError::Shape("a message is an object"));
    };
    let Some(Value::Array(frames)) = object.remove("frames") else {
        return Err(FormatError::Shape("a message needs \"frames\", an array"));
    };
    let id = object.remove("id");
    if !object.is_empty() {
        return Err(FormatError::Shape("a message has \"frames\" and perhaps \"id\", and nothing else"));
    }
    let frames = id.into_iter().chain(frames).map(body).collect::<Result<Vec<_>, _>>()?;
    if frames.is_empty() {
        return Err(FormatError::Shape("a message needs at least one frame"));
    }
    Ok(frames.into())
}

fn body(frame: Value) -> Result<Vec<u8>, FormatError> {
    match frame {
        Value::String(text) => Ok(text.into_bytes()),
        Value::Object(object) => STANDARD.decode(encoded(&object)?).map_err(FormatError::Base64),
        _ => Err(FormatError::Shape("a frame is a string, or an object with \"base64\"")),
    }
}

fn encoded(object: &Map<String, Value>) -> Result<&str, FormatError> {
    match object.get("base64") {
        Some(Value::String(text)) if object.len() == 1 => Ok(text),
        _ => Err(FormatError::Shape("a frame that is an object has \"base64\", a string, and nothing else")),
    }
}

pub(super) fn write(message: &Message, first: FirstFrame, out: &mut impl Write) -> io::Result<()> {
    let mut frames = message.iter();
    out.write_all(b"{")?;
    if let (FirstFrame::RoutingId, Some(id)) = (first, message.get(0)) {
        frames.next();
        out.write_all(b"\"id\":")?;
        write_frame(id, out)?;
        out.write_all(b",")?;
    }
    out.write_all(b"\"frames\":[")?;
    for (n, frame) in frames.enumerate() {
        if n > 0 {
            out.write_all(b",")?;
        }
        write_frame(frame, out)?;
    }
    out.write_all(b"]}\n")
}

fn write_frame(frame: &[u8], out: &mut impl Write) -> io::Result<()> {
    match std::str::from_utf8(frame) {
        Ok(text) => serde_json::to_writer(out, text).map_err(io::Error::from),
        Err(_) => write!(out, "{{\"base64\":\"{}\"}}", STANDARD.encode(frame)),
    }
}
