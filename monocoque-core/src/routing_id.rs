//! Routing ids: the addresses of peers.

use std::borrow::{Borrow, Cow};
use std::fmt::{self, Write as _};
use std::ops::Deref;
use std::str::{FromStr, Utf8Error};
use std::string::FromUtf8Error;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::Frame;

/// The address of a peer: 1 to 255 bytes.
///
/// Making one copies the bytes, so that an id does not keep the memory it was received in.
///
/// ```
/// use monocoque_core::{RoutingId, RoutingIdError};
///
/// let id = RoutingId::try_from("worker-1")?;
/// assert_eq!(id, "worker-1");
/// assert_eq!(id.to_string(), "worker-1");
/// assert_eq!(RoutingId::try_from(&[0, 0xab][..])?.to_string(), "0x00ab");
/// assert_eq!(RoutingId::try_from(""), Err(RoutingIdError::Empty));
/// # Ok::<(), RoutingIdError>(())
/// ```
#[derive(Clone)]
pub struct RoutingId(Frame);

impl RoutingId {
    /// The longest an id can be, in bytes.
    pub const MAX_LEN: usize = 255;

    fn new(id: &[u8]) -> Result<Self, RoutingIdError> {
        match id.len() {
            0 => Err(RoutingIdError::Empty),
            1..=Self::MAX_LEN => Ok(Self(Frame::copy_from(id))),
            len => Err(RoutingIdError::TooLong(len)),
        }
    }

    /// Returns the id as text.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8, as the ids that a ROUTER generates are not.
    pub fn as_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(self)
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self
    }

    pub(crate) fn into_frame(self) -> Frame {
        self.0
    }
}

/// The reason why bytes are no [`RoutingId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RoutingIdError {
    /// The id has no bytes.
    #[error("a routing id has at least one byte")]
    Empty,
    /// The id has this many bytes.
    #[error("a routing id has at most 255 bytes, not {0}")]
    TooLong(usize),
}

macro_rules! routing_id_from {
    ($($bytes:ty),+) => {$(
        impl TryFrom<$bytes> for RoutingId {
            type Error = RoutingIdError;

            /// Copies the bytes.
            fn try_from(id: $bytes) -> Result<Self, RoutingIdError> {
                Self::new(id.as_ref())
            }
        }
    )+};
}

routing_id_from! {
    &[u8], &str, &Bytes, &Frame, &String, &Vec<u8>, Bytes, Frame, String, Vec<u8>, Box<[u8]>,
    Arc<[u8]>, Cow<'_, [u8]>
}

macro_rules! routing_id_from_text {
    ($($text:ty),+) => {$(
        impl TryFrom<$text> for RoutingId {
            type Error = RoutingIdError;

            /// Copies the text.
            fn try_from(id: $text) -> Result<Self, RoutingIdError> {
                Self::new(id.as_bytes())
            }
        }
    )+};
}

routing_id_from_text!(&&str, &mut String, Box<str>, Arc<str>, Cow<'_, str>);

impl From<RoutingId> for Vec<u8> {
    /// Copies the bytes.
    fn from(id: RoutingId) -> Self {
        id.0.into()
    }
}

impl From<RoutingId> for Bytes {
    /// Takes a long id over, without a copy; copies a short one.
    fn from(id: RoutingId) -> Self {
        id.0.into()
    }
}

impl TryFrom<RoutingId> for String {
    type Error = FromUtf8Error;

    /// Copies the text. `Display` shows any id.
    fn try_from(id: RoutingId) -> Result<Self, FromUtf8Error> {
        id.0.try_into()
    }
}

impl<const N: usize> TryFrom<&[u8; N]> for RoutingId {
    type Error = RoutingIdError;

    /// Copies the bytes.
    fn try_from(id: &[u8; N]) -> Result<Self, RoutingIdError> {
        Self::new(id)
    }
}

impl FromStr for RoutingId {
    type Err = RoutingIdError;

    /// Copies the text.
    fn from_str(text: &str) -> Result<Self, RoutingIdError> {
        Self::new(text.as_bytes())
    }
}

impl<const N: usize> TryFrom<[u8; N]> for RoutingId {
    type Error = RoutingIdError;

    /// Copies the bytes.
    fn try_from(id: [u8; N]) -> Result<Self, RoutingIdError> {
        Self::new(&id)
    }
}

impl From<&Self> for RoutingId {
    /// Shares the bytes of a long id, and copies a short one.
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

impl Deref for RoutingId {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for RoutingId {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Compares and hashes like the bytes.
impl Borrow<[u8]> for RoutingId {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self
    }
}

/// Text if it is printable ASCII, else hex.
impl fmt::Display for RoutingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self) {
            Ok(text) if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) => f.pad(text),
            _ => {
                let mut text = String::from("0x");
                self.iter().try_for_each(|byte| write!(text, "{byte:02x}"))?;
                f.pad(&text)
            }
        }
    }
}

impl fmt::Debug for RoutingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoutingId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routing_id_length_is_checked() {
        assert_eq!(RoutingId::try_from(Bytes::new()), Err(RoutingIdError::Empty));
        assert_eq!(RoutingId::try_from(vec![1; 256]), Err(RoutingIdError::TooLong(256)));
        let long = RoutingId::try_from(vec![0; 255]).unwrap();
        assert_eq!(long.len(), 255);
        assert_eq!(RoutingId::try_from(Frame::from(long.clone())).unwrap(), long);
        assert_eq!(
            format!("{:?} {}", RoutingId::try_from("3").unwrap(), RoutingId::try_from("\n").unwrap()),
            "RoutingId(3) 0x0a"
        );
        assert!(RoutingId::try_from("b").unwrap() > RoutingId::try_from("abc").unwrap());
    }
}
