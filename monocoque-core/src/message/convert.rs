//! Conversions to messages: one frame from anything like bytes, or several from arrays, tuples and
//! iterators.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use super::inline::Inline;
use super::{Message, Repr};
use crate::{Frame, RoutingId};

/// Values that can be sent: whatever converts [into a message](Message#trait-implementations).
///
/// For a type of your own, implement `From<YourType> for Message`. A type of another crate is
/// converted into bytes or text first.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "cannot be sent",
    note = "a message is text, bytes or frames, or an array, a tuple or a vector of these",
    note = "convert it into bytes or text, such as `value.to_string()`; for a type of your own, implement `From`"
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
    /// Converts each element to a frame.
    VecDeque<F>;
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

/// Conversions of tuples: each element is a frame.
macro_rules! message_from_tuple {
    ($($name:ident: $type:ident),+) => {
        impl<$($type: Into<Frame>),+> From<($($type,)+)> for Message {
            /// Converts each element to a frame.
            fn from(($($name,)+): ($($type,)+)) -> Self {
                let mut message = Self::new();
                $(message.push_back($name);)+
                message
            }
        }
    };
}

message_from_tuple!(a: A);
message_from_tuple!(a: A, b: B);
message_from_tuple!(a: A, b: B, c: C);
message_from_tuple!(a: A, b: B, c: C, d: D);
message_from_tuple!(a: A, b: B, c: C, d: D, e: E);
message_from_tuple!(a: A, b: B, c: C, d: D, e: E, f: F);
message_from_tuple!(a: A, b: B, c: C, d: D, e: E, f: F, g: G);
message_from_tuple!(a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H);

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
    &Bytes, BytesMut, Box<[u8]>, Arc<[u8]>, Box<str>, Arc<str>, Cow<'_, [u8]>, Cow<'_, str>, &Frame, RoutingId, &RoutingId
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
    &String: |body| body.as_bytes(),
    &mut String: |body| body.as_bytes(),
    &&str: |body| body.as_bytes(),
    &&[u8]: |body| body
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

impl FromStr for Message {
    type Err = Infallible;

    /// Copies the text, as one frame.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl From<Frame> for Message {
    /// Takes a long frame over, without a copy.
    fn from(frame: Frame) -> Self {
        Self::from([frame])
    }
}
