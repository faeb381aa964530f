//! Messages: one or more frames, sent and received as a whole.
//!
//! Owns the storage of frames. Small messages, of up to seven frames, live inside the value,
//! without a heap. Larger ones are a rope of [`Bytes`], shared and never copied. It does not know
//! the form of frames on a wire.
//!
//! | file | owns |
//! |---|---|
//! | `inline` | the storage of small messages |
//! | `iter` | the iterators over frames |
//! | `edit` | inserting, removing and splitting |
//! | `compare` | comparison with frames, bytes and text, order, hash |
//! | `convert` | conversions from other types |
//! | `convert_out` | conversions to other types |

mod compare;
mod convert;
mod convert_out;
mod edit;
mod inline;
mod iter;

use std::fmt;
use std::ops::Index;
use std::str::Utf8Error;

use bytes::Bytes;
use smallvec::SmallVec;
use thiserror::Error;

use crate::frame::{Frame, FrameRepr, Preview};

pub use compare::MessageFrames;
pub use convert::IntoMessage;
pub use convert_out::{FrameCountError, FromFrame};
use inline::Inline;
use iter::PartsRepr;
pub use iter::{IntoIter, Iter, Part, Parts};

/// A message of one or more frames.
///
/// A message of up to seven frames with at most 72 bytes in all is stored in the value itself:
/// making, moving and dropping it never touches the heap.
///
/// ```
/// use monocoque_core::Message;
///
/// let message = Message::from(("topic", vec![1, 2]));
/// assert_eq!(message.len(), 2);
/// assert_eq!(message.str(0)?, "topic");
/// assert_eq!(message[1], [1, 2]);
/// assert_eq!(message, [&b"topic"[..], &[1, 2]]);
/// let (topic, payload): (String, Vec<u8>) = message.try_into()?;
/// assert_eq!(topic, "topic");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Message(Repr);

#[derive(Clone)]
enum Repr {
    Inline(Inline),
    Rope(SmallVec<[Bytes; 2]>),
}

impl Message {
    /// The length of an [`inline_block`](Self::inline_block).
    #[doc(hidden)]
    pub const INLINE_BLOCK: usize = inline::CAPACITY;

    /// A message without frames, to push frames to. It cannot be sent.
    pub const fn new() -> Self {
        Self(Repr::Inline(Inline::NONE))
    }

    /// Returns how many frames there are.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Inline(inline) => inline.count(),
            Repr::Rope(rope) => rope.len(),
        }
    }

    /// Returns true if there is no frame. A message of one empty frame is not empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the length of all frames together, in bytes.
    #[inline]
    pub fn byte_len(&self) -> usize {
        match &self.0 {
            Repr::Inline(inline) => inline.byte_len(),
            Repr::Rope(rope) => rope.iter().map(Bytes::len).sum(),
        }
    }

    /// Returns how many bytes of heap the message uses.
    #[inline]
    pub fn heap_len(&self) -> usize {
        match &self.0 {
            Repr::Inline(_) => 0,
            Repr::Rope(rope) => rope.iter().map(|frame| frame.len() + size_of::<Bytes>()).sum(),
        }
    }

    /// Returns the frame at `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.iter().nth(index)
    }

    /// Returns the frame at `index`, as [`get`](Self::get) does.
    pub fn frame(&self, index: usize) -> Option<&[u8]> {
        self.get(index)
    }

    /// Returns the first frame, if there is one.
    pub fn first(&self) -> Option<&[u8]> {
        self.get(0)
    }

    /// Returns the last frame, if there is one.
    pub fn last(&self) -> Option<&[u8]> {
        self.iter().next_back()
    }

    /// Returns the text of the frame at `index`. Fails if there is no such frame, or it is no
    /// UTF-8. `Display` shows any message: its frames as text, with a space between them.
    pub fn str(&self, index: usize) -> Result<&str, TextError> {
        let frames = self.len();
        let frame = self.get(index).ok_or(TextError::NoFrame { index, frames })?;
        std::str::from_utf8(frame).map_err(|error| TextError::NotUtf8 { index, error })
    }

    /// Returns copies of the frames. [`Vec<Frame>`](Frame) and `Vec<Bytes>` are made from a message
    /// without copies of long ones.
    pub fn to_vec(&self) -> Vec<Vec<u8>> {
        self.iter().map(<[u8]>::to_vec).collect()
    }

    /// Returns the frames, in order.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.parts())
    }

    /// Returns the frames, in order, each with its shared memory if it has any.
    ///
    /// For encoders, which copy a small frame but pass a large one on by reference.
    #[inline]
    pub fn parts(&self) -> Parts<'_> {
        Parts(match &self.0 {
            Repr::Inline(inline) => {
                let (lens, bodies) = inline.parts();
                PartsRepr::Inline(lens, bodies)
            }
            Repr::Rope(rope) => PartsRepr::Rope(rope.iter()),
        })
    }

    /// Adds a frame at the end.
    #[expect(clippy::indexing_slicing, reason = "what is inline is as long as was kept")]
    pub fn push_back(&mut self, frame: impl Into<Frame>) {
        match frame.into().0 {
            FrameRepr::Inline { len, buf } => self.push_copy(&buf[..len.into()]),
            FrameRepr::Shared(bytes) => self.push_bytes(bytes),
        }
    }

    /// Adds a frame at the end, as [`push_back`](Self::push_back) does.
    pub fn push(&mut self, frame: impl Into<Frame>) {
        self.push_back(frame);
    }

    /// Adds a frame in front of all others.
    pub fn push_front(&mut self, frame: impl Into<Frame>) {
        let frame = frame.into();
        if self.inline_mut().is_some_and(|inline| inline.insert_front(&frame)) {
            return;
        }
        self.rope().insert(0, frame.into_bytes());
    }

    /// Removes and returns the first frame, if there is one.
    pub fn pop_front(&mut self) -> Option<Frame> {
        match &mut self.0 {
            Repr::Inline(inline) => inline.remove_front(),
            Repr::Rope(rope) if rope.is_empty() => None,
            Repr::Rope(rope) => Some(rope.remove(0).into()),
        }
    }

    /// Removes and returns the last frame, if there is one.
    ///
    /// ```
    /// use monocoque_core::Message;
    ///
    /// let mut message = Message::from(["envelope", "body"]);
    /// assert_eq!(&*message.pop_back().unwrap(), b"body");
    /// message.push_back("another body");
    /// assert_eq!(message, ["envelope", "another body"]);
    /// ```
    pub fn pop_back(&mut self) -> Option<Frame> {
        match &mut self.0 {
            Repr::Inline(inline) => inline.remove_back(),
            Repr::Rope(rope) => rope.pop().map(Frame::from),
        }
    }

    /// Removes and returns the last frame, as [`pop_back`](Self::pop_back) does.
    pub fn pop(&mut self) -> Option<Frame> {
        self.pop_back()
    }

    /// Adds the frames of `other` at the end. Shared frames stay shared.
    pub fn append(&mut self, other: &Self) {
        other.parts().for_each(|part| self.push_part(part));
    }

    fn push_part(&mut self, part: Part<'_>) {
        match part {
            Part::Inline(body) => self.push_copy(body),
            Part::Shared(body) => self.push_bytes(body.clone()),
        }
    }

    /// Adds a copy of `body` as the last frame.
    #[inline]
    pub fn push_copy(&mut self, body: &[u8]) {
        if self.inline_mut().is_some_and(|inline| inline.push(body)) {
            return;
        }
        self.rope().push(Bytes::copy_from_slice(body));
    }

    /// Adds a copy of the first `len` of `bytes` as the last frame.
    ///
    /// For decoders: it copies the bytes after them as well where that is faster. They are not
    /// visible.
    ///
    /// # Panics
    ///
    /// If there are fewer than `len` bytes.
    #[doc(hidden)]
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn push_prefix(&mut self, bytes: &[u8], len: usize) {
        let block = bytes.first_chunk();
        if block.is_some_and(|block| self.inline_mut().is_some_and(|inline| inline.fill(block, len))) {
            return;
        }
        self.push_copy(&bytes[..len]);
    }

    /// Returns the inline frames, unless the message is a rope.
    #[inline]
    fn inline_mut(&mut self) -> Option<&mut Inline> {
        match &mut self.0 {
            Repr::Inline(inline) => Some(inline),
            Repr::Rope(_) => None,
        }
    }

    /// Returns the only frame of an inline message: its length, and a block that starts with it.
    ///
    /// For encoders: copying a block of fixed length is faster than copying just the frame.
    #[doc(hidden)]
    #[inline]
    pub fn inline_block(&self) -> Option<(usize, &[u8; Self::INLINE_BLOCK])> {
        match &self.0 {
            Repr::Inline(inline) if inline.count() == 1 => Some((inline.byte_len(), inline.block()?)),
            _ => None,
        }
    }

    /// Adds `body` as the last frame, by reference.
    pub fn push_bytes(&mut self, body: Bytes) {
        self.rope().push(body);
    }

    fn rope(&mut self) -> &mut SmallVec<[Bytes; 2]> {
        if let Repr::Inline(_) = self.0 {
            // One allocation serves all frames that leave the value.
            let mut bodies = Vec::with_capacity(self.byte_len());
            self.iter().for_each(|frame| bodies.extend_from_slice(frame));
            let mut bodies = Bytes::from(bodies);
            let rope = self.iter().map(|frame| bodies.split_to(frame.len())).collect();
            self.0 = Repr::Rope(rope);
        }
        match &mut self.0 {
            Repr::Rope(rope) => rope,
            Repr::Inline(_) => unreachable!("made a rope above"),
        }
    }
}

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

impl Index<usize> for Message {
    type Output = [u8];

    /// Returns the frame at `index`. There is no `message[1..]`: frames may lie in the message
    /// itself, one behind the other, so that there is no slice of them to borrow. Some of the
    /// frames, as a message, are [`message.slice(1..)`](Message::slice).
    ///
    /// # Panics
    ///
    /// If there is no such frame; [`Message::get`] does not panic.
    #[expect(clippy::panic, reason = "what `Index` is for, and documented: `get` does not panic")]
    fn index(&self, index: usize) -> &[u8] {
        match self.get(index) {
            Some(frame) => frame,
            None => panic!("frame {index} of a message of {} frames", self.len()),
        }
    }
}

/// The reason why a frame, or a message, is no text, or not as many texts as were expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TextError {
    /// The message has no such frame.
    #[error("no frame {index}: the message has {frames}")]
    NoFrame {
        /// The index that was asked for.
        index: usize,
        /// The number of frames.
        frames: usize,
    },
    /// The text of a whole message was asked for, which has more than one frame, or none.
    #[error("not one frame: the message has {frames}")]
    NotOneFrame {
        /// The number of frames.
        frames: usize,
    },
    /// The message has not as many frames as were expected. It is in the error.
    #[error("{0}")]
    FrameCount(Box<FrameCountError>),
    /// The frame is no UTF-8.
    #[error("frame {index} is not UTF-8: {error}")]
    NotUtf8 {
        /// The index of the frame.
        index: usize,
        /// The place of the first byte that is not UTF-8.
        error: Utf8Error,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames: Vec<_> = self.iter().map(String::from_utf8_lossy).collect();
        f.pad(&frames.join(" "))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Preview)).finish()
    }
}

#[cfg(test)]
mod tests;
