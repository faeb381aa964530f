//! Comparison of frames and routing ids with bytes and text, their order and hash: all by the
//! bytes.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Frame;
use crate::RoutingId;

/// Values that are equal to a [`Frame`] of the same bytes: text, slices, arrays, vectors.
///
/// ```
/// use monocoque_core::Frame;
///
/// let frame = Frame::from("key");
/// assert!(frame == "key" && frame == b"key" && frame == vec![b'k', b'e', b'y'] && "key" == frame);
/// ```
pub trait FrameBytes {
    /// Returns the bytes.
    fn frame_bytes(&self) -> &[u8];
}

/// Types that deref to bytes or text: comparison in both directions.
macro_rules! compare_with {
    ($($(const $n:ident,)? $type:ty: |$value:ident| $bytes:expr;)+) => {$(
        impl $(<const $n: usize>)? FrameBytes for $type {
            #[inline]
            fn frame_bytes(&self) -> &[u8] {
                let $value = self;
                $bytes
            }
        }

        impl $(<const $n: usize>)? PartialEq<Frame> for $type {
            fn eq(&self, frame: &Frame) -> bool {
                *self.frame_bytes() == **frame
            }
        }

        impl $(<const $n: usize>)? PartialEq<RoutingId> for $type {
            fn eq(&self, id: &RoutingId) -> bool {
                *self.frame_bytes() == **id
            }
        }
    )+};
}

compare_with! {
    [u8]: |bytes| bytes;
    &[u8]: |bytes| bytes;
    const N, [u8; N]: |bytes| bytes;
    const N, &[u8; N]: |bytes| *bytes;
    &Vec<u8>: |bytes| bytes;
    &&[u8]: |bytes| bytes;
    Vec<u8>: |bytes| bytes;
    Box<[u8]>: |bytes| bytes;
    Arc<[u8]>: |bytes| bytes;
    Bytes: |bytes| bytes;
    BytesMut: |bytes| bytes;
    Cow<'_, [u8]>: |bytes| bytes;
    str: |text| text.as_bytes();
    &str: |text| text.as_bytes();
    &&str: |text| text.as_bytes();
    String: |text| text.as_bytes();
    &String: |text| text.as_bytes();
    Box<str>: |text| text.as_bytes();
    Arc<str>: |text| text.as_bytes();
    Cow<'_, str>: |text| text.as_bytes();
}

impl FrameBytes for Frame {
    fn frame_bytes(&self) -> &[u8] {
        self
    }
}

impl FrameBytes for &Frame {
    fn frame_bytes(&self) -> &[u8] {
        self
    }
}

impl FrameBytes for RoutingId {
    fn frame_bytes(&self) -> &[u8] {
        self
    }
}

impl FrameBytes for &RoutingId {
    fn frame_bytes(&self) -> &[u8] {
        self
    }
}

/// Equality and order with whatever has bytes, and hash by the bytes.
macro_rules! compare_by_bytes {
    ($($type:ty),+) => {$(
        impl<T: FrameBytes + ?Sized> PartialEq<T> for $type {
            #[inline]
            fn eq(&self, other: &T) -> bool {
                **self == *other.frame_bytes()
            }
        }

        impl Eq for $type {}

        impl<T: FrameBytes + ?Sized> PartialOrd<T> for $type {
            fn partial_cmp(&self, other: &T) -> Option<Ordering> {
                Some((**self).cmp(other.frame_bytes()))
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> Ordering {
                (**self).cmp(&**other)
            }
        }

        impl Hash for $type {
            #[inline]
            fn hash<H: Hasher>(&self, state: &mut H) {
                (**self).hash(state);
            }
        }
    )+};
}

compare_by_bytes!(Frame, RoutingId);
