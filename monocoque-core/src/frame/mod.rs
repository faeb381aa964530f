//! Frames: the parts of a message.
//!
//! | file | owns |
//! |---|---|
//! | `compare` | comparison with bytes and text, order, hash |
//! | `convert` | conversions from and to other types |

mod compare;
mod convert;

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Deref, RangeBounds};
use std::str::Utf8Error;

use bytes::Bytes;

pub use compare::FrameBytes;

/// One frame of a [`Message`](crate::Message): bytes of any length, zero included.
///
/// Short frames are stored in the value, longer ones by reference to shared memory.
///
/// ```
/// use monocoque_core::Frame;
///
/// let frame = Frame::from("hello");
/// assert_eq!(frame, "hello");
/// assert_eq!(frame.as_str(), Ok("hello"));
/// assert_eq!(frame[1..3], *b"el");
/// ```
#[derive(Clone)]
pub struct Frame(pub(crate) FrameRepr);

#[derive(Clone)]
pub(crate) enum FrameRepr {
    Inline { len: u8, buf: [u8; FRAME_INLINE] },
    Shared(Bytes),
}

impl Frame {
    /// A frame that holds a copy of `body`.
    #[expect(clippy::indexing_slicing, reason = "it fits, as was just found")]
    pub fn copy_from(body: &[u8]) -> Self {
        if body.len() <= FRAME_INLINE {
            let mut buf = [0; FRAME_INLINE];
            buf[..body.len()].copy_from_slice(body);
            Self(FrameRepr::Inline { len: body.len() as u8, buf })
        } else {
            Self(FrameRepr::Shared(Bytes::copy_from_slice(body)))
        }
    }

    /// The empty frame.
    pub const fn new() -> Self {
        Self(FrameRepr::Inline { len: 0, buf: [0; FRAME_INLINE] })
    }

    /// A frame that holds a copy of `body`, under the name that `Bytes` has for it: the same as
    /// [`copy_from`](Self::copy_from).
    pub fn copy_from_slice(body: &[u8]) -> Self {
        Self::copy_from(body)
    }

    /// A frame of static bytes, without a copy.
    pub const fn from_static(body: &'static [u8]) -> Self {
        Self(FrameRepr::Shared(Bytes::from_static(body)))
    }

    /// Returns the text of a frame of UTF-8. `Display` shows any frame, with U+FFFD in the place of
    /// what is no UTF-8.
    pub fn as_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(self)
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self
    }

    /// Returns a frame of some of the bytes: `frame.slice(4..)`. A long frame is shared, a short
    /// one is copied. `&frame[4..]` borrows the bytes.
    ///
    /// ```
    /// use monocoque_core::Frame;
    ///
    /// assert_eq!(Frame::from("topic.sub").slice(6..), "sub");
    /// ```
    ///
    /// # Panics
    ///
    /// If the range ends behind the last byte, or before it starts.
    #[expect(clippy::indexing_slicing, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        match &self.0 {
            FrameRepr::Inline { .. } => {
                Self::copy_from(&self[(range.start_bound().cloned(), range.end_bound().cloned())])
            }
            FrameRepr::Shared(bytes) => Self(FrameRepr::Shared(bytes.slice(range))),
        }
    }

    /// Returns the frame as [`Bytes`]: without a copy for a long frame, with a copy of at most 38
    /// bytes for a short one.
    ///
    /// [`Bytes`]: https://docs.rs/bytes/1/bytes/struct.Bytes.html
    #[expect(clippy::indexing_slicing, reason = "what is inline is as long as was kept")]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            FrameRepr::Inline { len, buf } => Bytes::copy_from_slice(&buf[..len.into()]),
            FrameRepr::Shared(bytes) => bytes,
        }
    }
}

impl Deref for Frame {
    type Target = [u8];

    #[expect(clippy::indexing_slicing, reason = "what is inline is as long as was kept")]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            FrameRepr::Inline { len, buf } => &buf[..usize::from(*len)],
            FrameRepr::Shared(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Compares and hashes like the bytes: a map with frames as keys can be asked with a slice.
impl Borrow<[u8]> for Frame {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl Default for Frame {
    /// Returns the empty frame.
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Preview(self).fmt(f)
    }
}

/// Shows the first bytes of a frame and how long it is.
pub(crate) struct Preview<'a>(pub(crate) &'a [u8]);

impl fmt::Debug for Preview<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..PREVIEW) {
            Some(start) if self.0.len() > PREVIEW => {
                write!(f, "b\"{}\"... ({} bytes)", start.escape_ascii(), self.0.len())
            }
            _ => write!(f, "b\"{}\"", self.0.escape_ascii()),
        }
    }
}

/// Makes a [`Frame`] 40 bytes: enough for identities, UUIDs in text and most topics.
const FRAME_INLINE: usize = 38;
/// The number of bytes of a frame that `Debug` shows.
const PREVIEW: usize = 32;
