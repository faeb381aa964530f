//! Comparison of messages with frames, bytes and text, their order and hash: all by the bytes of
//! the frames.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::iter;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Message;
use crate::frame::FrameBytes;
use crate::{Frame, RoutingId};

/// Values that are equal to a [`Message`] of the same frames: bytes and text, which are one frame,
/// and arrays, slices and vectors of those.
///
/// ```
/// use monocoque_core::Message;
///
/// assert_eq!(Message::from("text"), "text");
/// assert_eq!(Message::from(["topic", "body"]), ["topic", "body"]);
/// assert_ne!(Message::from(["topic", "body"]), "topic");
/// ```
pub trait MessageFrames {
    /// Returns the frames.
    fn message_frames(&self) -> impl Iterator<Item = &[u8]>;
}

impl<T: MessageFrames + ?Sized> PartialEq<T> for Message {
    fn eq(&self, other: &T) -> bool {
        self.iter().eq(other.message_frames())
    }
}

impl Eq for Message {}

impl PartialOrd for Message {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Message {
    /// Compares frame by frame.
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other)
    }
}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        self.iter().for_each(|frame| frame.hash(state));
    }
}

impl MessageFrames for Message {
    fn message_frames(&self) -> impl Iterator<Item = &[u8]> {
        self.iter()
    }
}

impl MessageFrames for &Message {
    fn message_frames(&self) -> impl Iterator<Item = &[u8]> {
        self.iter()
    }
}

/// Types of one frame: comparison in both directions.
macro_rules! compare_with_frame {
    ($($(const $n:ident,)? $type:ty),+) => {$(
        impl $(<const $n: usize>)? MessageFrames for $type {
            fn message_frames(&self) -> impl Iterator<Item = &[u8]> {
                iter::once(self.frame_bytes())
            }
        }

        impl $(<const $n: usize>)? PartialEq<Message> for $type {
            fn eq(&self, message: &Message) -> bool {
                message == self
            }
        }
    )+};
}

compare_with_frame! {
    [u8], &[u8], const N, [u8; N], const N, &[u8; N], Vec<u8>, &Vec<u8>, Box<[u8]>, Arc<[u8]>, Bytes, BytesMut,
    Cow<'_, [u8]>, str, &str, &&str, String, &String, Box<str>, Arc<str>, Cow<'_, str>
}

impl MessageFrames for Frame {
    fn message_frames(&self) -> impl Iterator<Item = &[u8]> {
        iter::once(&**self)
    }
}

impl PartialEq<Message> for Frame {
    fn eq(&self, message: &Message) -> bool {
        message == self
    }
}

impl MessageFrames for RoutingId {
    fn message_frames(&self) -> impl Iterator<Item = &[u8]> {
        iter::once(&**self)
    }
}

/// Collections of frames: comparison in both directions.
macro_rules! compare_with_frames {
    ($($(const $n:ident,)? $type:ty),+) => {$(
        impl<F: FrameBytes $(, const $n: usize)?> MessageFrames for $type {
            fn message_frames(&self) -> impl Iterator<Item = &[u8]> {
                self.iter().map(F::frame_bytes)
            }
        }

        impl<F: FrameBytes $(, const $n: usize)?> PartialEq<Message> for $type {
            fn eq(&self, message: &Message) -> bool {
                message == self
            }
        }
    )+};
}

compare_with_frames!([F], &[F], const N, [F; N], const N, &[F; N], Vec<F>, &Vec<F>);

/// Tuples of frames: comparison in both directions.
macro_rules! compare_with_tuples {
    ($($($name:ident: $type:ident),+;)+) => {$(
        impl<$($type: FrameBytes),+> MessageFrames for ($($type,)+) {
            fn message_frames(&self) -> impl Iterator<Item = &[u8]> {
                let ($($name,)+) = self;
                [$($name.frame_bytes()),+].into_iter()
            }
        }

        impl<$($type: FrameBytes),+> PartialEq<Message> for ($($type,)+) {
            fn eq(&self, message: &Message) -> bool {
                message == self
            }
        }
    )+};
}

compare_with_tuples! {
    a: A;
    a: A, b: B;
    a: A, b: B, c: C;
    a: A, b: B, c: C, d: D;
    a: A, b: B, c: C, d: D, e: E;
    a: A, b: B, c: C, d: D, e: E, f: F;
    a: A, b: B, c: C, d: D, e: E, f: F, g: G;
    a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H;
}
