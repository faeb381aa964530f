//! Conversions to messages: one frame from anything like bytes, or several from arrays, tuples and
//! iterators. And back: to arrays and tuples, if there are as many frames, and to vectors.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use thiserror::Error;

use super::inline::Inline;
use super::{Message, Repr, TextError};
use crate::{Frame, RoutingId};

/// Values that can be sent: whatever converts [into a message](Message#trait-implementations).
///
/// For a type of your own, implement `From<YourType> for Message`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "cannot be sent",
    note = "a message is text, bytes or frames, or an array, a tuple or a vector of these",
    note = "for a type of your own, implement `From<{Self}> for Message`"
)]
pub trait IntoMessage: Into<Message> {}

#[diagnostic::do_not_recommend]
impl<T: Into<Message>> IntoMessage for T {}

impl<F: Into<Frame>> Extend<F> for Message {
    fn extend<I: IntoIterator<Item = F>>(&mut self, frames: I) {
        frames.into_iter().for_each(|frame| self.push_back(frame));
    }
}

impl<F: Into<Frame>> FromIterator<F> for Message {
    fn from_iter<I: IntoIterator<Item = F>>(frames: I) -> Self {
        let mut message = Self::new();
        message.extend(frames);
        message
    }
}

/// Conversions of collections: each element is a frame.
macro_rules! message_from_frames {
    ($($(#[$copies:meta])+ $([$bound:path])? $(const $n:ident,)? $from:ty;)+) => {$(
        impl<F: Into<Frame> $(+ $bound)? $(, const $n: usize)?> From<$from> for Message {
            $(#[$copies])+
            fn from(frames: $from) -> Self {
                frames.into_iter().collect()
            }
        }
    )+};
}

message_from_frames! {
    /// Converts each element to a frame.
    const N, [F; N];
    /// Converts each element to a frame.
    Vec<F>;
}

/// Conversions of borrowed collections.
macro_rules! message_from_borrowed_frames {
    ($($(const $n:ident,)? $from:ty),+) => {$(
        impl<F: Into<Frame> + Clone $(, const $n: usize)?> From<$from> for Message {
            /// Clones each element, and converts it to a frame.
            fn from(frames: $from) -> Self {
                frames.iter().cloned().collect()
            }
        }
    )+};
}

message_from_borrowed_frames!(&[F], const N, &[F; N], &Vec<F>);

/// Conversions from and to tuples: each element is a frame.
macro_rules! message_from_tuple {
    ($($name:ident: $type:ident, $frame:ty);+) => {
        impl<$($type: Into<Frame>),+> From<($($type,)+)> for Message {
            /// Converts each element to a frame.
            fn from(($($name,)+): ($($type,)+)) -> Self {
                let mut message = Self::new();
                $(message.push_back($name);)+
                message
            }
        }

        impl TryFrom<Message> for ($($frame,)+) {
            type Error = FrameCountError;

            /// Takes the frames out, without copies of long ones.
            fn try_from(message: Message) -> Result<Self, FrameCountError> {
                let [$($name),+] = message.try_into()?;
                Ok(($($name,)+))
            }
        }
    };
}

message_from_tuple!(a: A, Frame);
message_from_tuple!(a: A, Frame; b: B, Frame);
message_from_tuple!(a: A, Frame; b: B, Frame; c: C, Frame);
message_from_tuple!(a: A, Frame; b: B, Frame; c: C, Frame; d: D, Frame);
message_from_tuple!(a: A, Frame; b: B, Frame; c: C, Frame; d: D, Frame; e: E, Frame);
message_from_tuple!(a: A, Frame; b: B, Frame; c: C, Frame; d: D, Frame; e: E, Frame; f: F, Frame);

/// Conversions of one frame, with the copies that the frame needs.
macro_rules! message_from_frame {
    ($($(const $n:ident,)? $from:ty),+) => {$(
        impl $(<const $n: usize>)? From<$from> for Message {
            /// Copies as much as the [`Frame`] of it.
            fn from(body: $from) -> Self {
                Frame::from(body).into()
            }
        }
    )+};
}

message_from_frame! {
    &Bytes, BytesMut, Box<[u8]>, Arc<[u8]>, Cow<'_, [u8]>, Cow<'_, str>, &Frame, RoutingId, &RoutingId
}

/// Conversions of one frame that is copied.
macro_rules! message_from_copy {
    ($($(const $n:ident,)? $from:ty: |$body:ident| $bytes:expr),+) => {$(
        impl $(<const $n: usize>)? From<$from> for Message {
            /// Copies the bytes.
            #[inline]
            fn from($body: $from) -> Self {
                let bytes: &[u8] = $bytes;
                bytes.into()
            }
        }
    )+};
}

message_from_copy! {
    const N, &[u8; N]: |body| body,
    const N, [u8; N]: |body| &body,
    &Vec<u8>: |body| body,
    &str: |body| body.as_bytes(),
    &String: |body| body.as_bytes()
}

impl From<&Self> for Message {
    /// Shares long frames, and copies short ones.
    fn from(message: &Self) -> Self {
        message.clone()
    }
}

impl From<&[u8]> for Message {
    /// Copies the bytes.
    #[inline(always)]
    fn from(body: &[u8]) -> Self {
        match Inline::of(body) {
            Some(inline) => Self(Repr::Inline(inline)),
            None => Bytes::copy_from_slice(body).into(),
        }
    }
}

impl From<Bytes> for Message {
    /// Takes the bytes over, without a copy.
    #[inline]
    fn from(body: Bytes) -> Self {
        Self(Repr::Rope(SmallVec::from_iter([body])))
    }
}

impl From<Vec<u8>> for Message {
    /// Takes the bytes over, without a copy.
    fn from(body: Vec<u8>) -> Self {
        Bytes::from(body).into()
    }
}

impl From<String> for Message {
    /// Takes the text over, without a copy.
    fn from(body: String) -> Self {
        body.into_bytes().into()
    }
}

impl From<Frame> for Message {
    /// Takes a long frame over, without a copy.
    fn from(frame: Frame) -> Self {
        Self::from([frame])
    }
}

impl<const N: usize> TryFrom<Message> for [Frame; N] {
    type Error = FrameCountError;

    /// Takes the frames out, without copies of long ones.
    fn try_from(message: Message) -> Result<Self, FrameCountError> {
        if message.len() != N {
            return Err(FrameCountError { expected: N, message });
        }
        let mut frames = message.into_iter();
        Ok(std::array::from_fn(|_| frames.next().unwrap_or_default()))
    }
}

impl TryFrom<Message> for Frame {
    type Error = FrameCountError;

    /// Takes the only frame out, without a copy of a long one.
    fn try_from(message: Message) -> Result<Self, FrameCountError> {
        <[Self; 1]>::try_from(message).map(|[frame]| frame)
    }
}

impl From<Message> for Vec<Frame> {
    /// Takes the frames out, without copies of long ones.
    fn from(message: Message) -> Self {
        message.into_iter().collect()
    }
}

impl From<Message> for Vec<Bytes> {
    /// Takes the frames out, without copies of long ones.
    fn from(message: Message) -> Self {
        message.into_iter().map(Bytes::from).collect()
    }
}

impl From<Message> for Vec<Vec<u8>> {
    /// Copies the frames, unless they are vectors that nobody shares.
    fn from(message: Message) -> Self {
        message.into_iter().map(Vec::from).collect()
    }
}

/// A message that has not as many frames as were expected. It is in the error.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a message of {} frames, expected {expected}", message.len())]
pub struct FrameCountError {
    expected: usize,
    message: Message,
}

impl FrameCountError {
    /// Returns how many frames were expected.
    pub fn expected(&self) -> usize {
        self.expected
    }

    /// Returns how many frames there were.
    pub fn found(&self) -> usize {
        self.message.len()
    }

    /// Returns the message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Returns the message, by value.
    pub fn into_message(self) -> Message {
        self.message
    }
}

impl TryFrom<Message> for String {
    type Error = TextError;

    /// Converts a message of one frame of UTF-8. Copies the bytes.
    fn try_from(message: Message) -> Result<Self, TextError> {
        match message.len() {
            1 => message.str(0).map(str::to_owned),
            frames => Err(TextError::NotOneFrame { frames }),
        }
    }
}
