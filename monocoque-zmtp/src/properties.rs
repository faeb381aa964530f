//! Metadata: the properties that two peers exchange in a handshake (RFC 23, section 'Metadata').
//!
//! Owns `name-len(1) name value-len(4) value`, repeated, and the limit on their number. It does not
//! know the meaning of a property. Called by the mechanisms, and by applications through
//! [`PeerInfo`](crate::PeerInfo).

use std::fmt;

use bytes::Bytes;

use crate::{ConfigError, Malformed, Misbehaved, ZmtpError};

/// The properties of a peer, in the order of its metadata.
///
/// `Socket-Type` and, for some types, `Identity`; names that start with `X-` belong to
/// applications.
///
/// ```
/// # use monocoque_zmtp::Properties;
/// fn zone(peer: &Properties) -> Option<&[u8]> {
///     peer.get("x-zone")
/// }
/// assert_eq!(zone(&Properties::default()), None);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(
    /// The metadata as it was sent. It is well-formed.
    Bytes,
);

impl Properties {
    /// Returns the value of a property. Names are compared without case, and the first one of a
    /// name counts.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns the name and the value of each property.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (name, value, next) = split_property(rest).ok()?;
            rest = next;
            Some((name, value))
        })
    }

    /// Adds a property.
    ///
    /// # Errors
    ///
    /// If the name is empty, longer than 255 bytes, or has anything but letters, digits and `-_.+`,
    /// or if there are more than 256 properties or 32 KiB.
    pub fn push(&mut self, name: &str, value: &[u8]) -> Result<(), ConfigError> {
        if !matches!(name.len(), 1..=MAX_NAME) || !is_name(name.as_bytes()) {
            return Err(ConfigError::PropertyName);
        }
        let len = self.0.len().saturating_add(1 + name.len() + 4).saturating_add(value.len());
        if len > MAX_OWN || self.iter().count() == MAX_PROPERTIES {
            return Err(ConfigError::MetadataTooLarge);
        }
        let mut metadata = Vec::from(std::mem::take(&mut self.0));
        push_property(name, value, &mut metadata);
        self.0 = metadata.into();
        Ok(())
    }

    /// Checks properties of our own: those of applications begin with `X-`.
    pub(crate) fn check_own(&self) -> Result<(), ConfigError> {
        let is_own = |name: &str| name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-"));
        if self.0.len() > MAX_OWN || self.iter().count() >= MAX_PROPERTIES - 2 {
            return Err(ConfigError::MetadataTooLarge);
        }
        if self.iter().all(|(name, _)| is_own(name)) { Ok(()) } else { Err(ConfigError::PropertyName) }
    }

    /// Returns the properties in their form on the wire.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads properties in their form on the wire, for example in a reply of ZAP.
    ///
    /// # Errors
    ///
    /// If they are malformed, or more than 256.
    pub fn from_wire(metadata: &[u8]) -> Result<Self, ZmtpError> {
        Self::parse(metadata)
    }

    /// Checks metadata and copies it, so that the connection does not keep the memory that the
    /// handshake was read into, and a property costs no more than its own bytes.
    pub(crate) fn parse(metadata: &[u8]) -> Result<Self, ZmtpError> {
        let (mut rest, mut properties) = (metadata, 0);
        while !rest.is_empty() {
            if properties == MAX_PROPERTIES {
                return Err(Misbehaved::TooManyProperties.into());
            }
            (_, _, rest) = split_property(rest)?;
            properties += 1;
        }
        Ok(Self(Bytes::copy_from_slice(metadata)))
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = self.iter().map(|(name, value)| (name, value.escape_ascii().to_string()));
        f.debug_map().entries(escaped).finish()
    }
}

/// Returns the name and the value of the first property, and the rest.
fn split_property(metadata: &[u8]) -> Result<(&str, &[u8], &[u8]), Malformed> {
    let (&name_len, rest) = metadata.split_first().ok_or(Malformed::PropertyOverrun)?;
    if name_len == 0 {
        return Err(Malformed::EmptyPropertyName);
    }
    let (name, rest) = rest.split_at_checked(name_len.into()).ok_or(Malformed::PropertyOverrun)?;
    if !is_name(name) {
        return Err(Malformed::PropertyName);
    }
    let name = std::str::from_utf8(name).map_err(|_| Malformed::PropertyName)?;
    let (value_len, rest) = rest.split_first_chunk().ok_or(Malformed::PropertyOverrun)?;
    let value_len = usize::try_from(u32::from_be_bytes(*value_len)).unwrap_or(usize::MAX);
    let (value, rest) = rest.split_at_checked(value_len).ok_or(Malformed::PropertyOverrun)?;
    Ok((name, value, rest))
}

fn is_name(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(byte))
}

/// Adds one of our own properties, whose names and values are short.
pub(crate) fn push_property(name: &str, value: &[u8], metadata: &mut Vec<u8>) {
    metadata.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    metadata.extend_from_slice(name.as_bytes());
    metadata.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    metadata.extend_from_slice(value);
}

/// The property that every peer sends.
pub(crate) const SOCKET_TYPE: &str = "Socket-Type";
/// The routing id.
pub(crate) const IDENTITY: &str = "Identity";
/// The most properties: far more than any peer sends, and few enough for a linear search.
const MAX_PROPERTIES: usize = 256;
/// The longest name.
const MAX_NAME: usize = 255;
/// The most bytes of our own properties: half of what a peer accepts in a handshake.
const MAX_OWN: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn malformed(metadata: &[u8]) -> Malformed {
        match Properties::parse(metadata) {
            Err(ZmtpError::Malformed(malformed)) => malformed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn property_lookup_ignores_case_takes_first() {
        let mut metadata = Vec::new();
        push_property("socket-TYPE", b"PUB", &mut metadata);
        push_property("Socket-Type", b"SUB", &mut metadata);
        push_property("X-empty", b"", &mut metadata);
        let properties = Properties::parse(&metadata).expect("well-formed");
        assert_eq!(properties.get("Socket-Type"), Some(&b"PUB"[..]));
        assert_eq!(properties.get("x-EMPTY"), Some(&b""[..]));
        assert_eq!(properties.get("Identity"), None);
        assert_eq!(properties.iter().count(), 3);
    }

    #[test]
    fn truncated_metadata_is_rejected() {
        let mut metadata = Vec::new();
        push_property(SOCKET_TYPE, b"DEALER", &mut metadata);
        for cut in 1..metadata.len() {
            assert_eq!(malformed(&metadata[..cut]), Malformed::PropertyOverrun, "cut at {cut}");
        }
    }

    #[test]
    fn invalid_property_lengths_are_rejected() {
        assert_eq!(malformed(b"\0"), Malformed::EmptyPropertyName);
        assert_eq!(malformed(b"\x01a\xff\xff\xff\xff"), Malformed::PropertyOverrun);
        assert_eq!(malformed(b"\x01a\x00\x00\x00\x01"), Malformed::PropertyOverrun);
        assert_eq!(malformed(b"\xffa"), Malformed::PropertyOverrun);
        assert_eq!(malformed(b"\x01 \x00\x00\x00\x00"), Malformed::PropertyName);
        assert_eq!(malformed(b"\x01\xff\x00\x00\x00\x00"), Malformed::PropertyName);
    }

    #[test]
    fn property_count_is_bounded() {
        let one = b"\x01a\0\0\0\0";
        assert!(Properties::parse(&one.repeat(MAX_PROPERTIES)).is_ok());
        assert_eq!(
            Properties::parse(&one.repeat(MAX_PROPERTIES + 1)),
            Err(Misbehaved::TooManyProperties.into())
        );
    }
}
