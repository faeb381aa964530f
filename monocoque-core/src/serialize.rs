//! Serialization of values, with the feature `serde`.
//!
//! A frame is bytes; in formats for people, such as JSON, it is a string if it is UTF-8, else a
//! list of numbers. Either form is read. A message is a list of frames, a routing id a frame, an
//! endpoint its text.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::{Endpoint, Frame, Message, RoutingId};

impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Body(self).serialize(serializer)
    }
}

impl Serialize for RoutingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Body(self).serialize(serializer)
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Body))
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_any(FrameVisitor),
            false => deserializer.deserialize_byte_buf(FrameVisitor),
        }
    }
}

impl<'de> Deserialize<'de> for RoutingId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Frame::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Frame>::deserialize(deserializer).map(Self::from)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The bytes of a frame.
struct Body<'a>(&'a [u8]);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) if serializer.is_human_readable() => serializer.serialize_str(text),
            _ => serializer.serialize_bytes(self.0),
        }
    }
}

struct FrameVisitor;

impl<'de> Visitor<'de> for FrameVisitor {
    type Value = Frame;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Frame, E> {
        Ok(text.into())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Frame, E> {
        Ok(text.into())
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Frame, E> {
        Ok(bytes.into())
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Frame, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Frame, A::Error> {
        let mut body = Vec::with_capacity(bytes.size_hint().unwrap_or(0).min(4096));
        while let Some(byte) = bytes.next_element()? {
            body.push(byte);
        }
        Ok(body.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;

    use super::*;

    fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, json: &str) {
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
        assert_eq!(serde_json::from_str::<T>(json).unwrap(), value);
        let bytes = postcard::to_allocvec(&value).unwrap();
        assert_eq!(postcard::from_bytes::<T>(&bytes).unwrap(), value);
    }

    #[test]
    fn values_survive_serialization() {
        round_trip(Frame::from("text"), "\"text\"");
        round_trip(Frame::from([0, 255]), "[0,255]");
        round_trip(Frame::default(), "\"\"");
        round_trip(Message::from([&b"topic"[..], b"", b"\xff"]), "[\"topic\",\"\",[255]]");
        round_trip(Message::new(), "[]");
        round_trip("worker".parse::<RoutingId>().unwrap(), "\"worker\"");
        round_trip("tcp://[::1]:5555".parse::<Endpoint>().unwrap(), "\"tcp://[::1]:5555\"");
    }

    #[test]
    fn invalid_values_are_refused() {
        assert!(serde_json::from_str::<Endpoint>("\"foo\"").unwrap_err().to_string().contains("\"foo\""));
        assert!(serde_json::from_str::<RoutingId>("\"\"").unwrap_err().to_string().contains("one byte"));
        for json in ["[256]", "[\"a\"]", "1", "{}"] {
            assert!(serde_json::from_str::<Frame>(json).is_err(), "{json}");
        }
    }
}
