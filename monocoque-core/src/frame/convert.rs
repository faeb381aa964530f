//! Conversions from and to frames. What is given by value is taken over without a copy, except
//! arrays; what is borrowed is copied, except frames and [`Bytes`], which are shared.

use std::array::TryFromSliceError;
use std::borrow::Cow;
use std::convert::Infallible;
use std::str::{FromStr, Utf8Error};
use std::string::FromUtf8Error;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{Frame, FrameRepr};
use crate::RoutingId;

/// Conversions into a frame, each with a word on copies.
macro_rules! frame_from {
    ($($(#[$copies:meta])+ $(const $n:ident,)? $from:ty => |$value:ident| $frame:expr;)+) => {$(
        impl $(<const $n: usize>)? From<$from> for Frame {
            $(#[$copies])+
            #[inline]
            fn from($value: $from) -> Self {
                $frame
            }
        }
    )+};
}

frame_from! {
    /// Takes the bytes over, without a copy.
    Bytes => |body| Self(FrameRepr::Shared(body));
    /// Shares the bytes, without a copy.
    &Bytes => |body| body.clone().into();
    /// Takes the bytes over, without a copy.
    BytesMut => |body| body.freeze().into();
    /// Takes the bytes over, without a copy.
    Vec<u8> => |body| Bytes::from(body).into();
    /// Takes the bytes over, without a copy.
    Box<[u8]> => |body| Bytes::from(body).into();
    /// Shares the bytes, without a copy.
    Arc<[u8]> => |body| Bytes::from_owner(body).into();
    /// Takes the text over, without a copy.
    String => |body| body.into_bytes().into();
    /// Copies the bytes.
    &[u8] => |body| Self::copy_from(body);
    /// Copies the bytes.
    const N, &[u8; N] => |body| Self::copy_from(body);
    /// Copies the bytes.
    const N, [u8; N] => |body| Self::copy_from(&body);
    /// Copies the bytes.
    &Vec<u8> => |body| Self::copy_from(body);
    /// Copies the text.
    &str => |body| Self::copy_from(body.as_bytes());
    /// Copies the text.
    &String => |body| Self::copy_from(body.as_bytes());
    /// Copies the text.
    &mut String => |body| Self::copy_from(body.as_bytes());
    /// Copies the text.
    &&str => |body| Self::copy_from(body.as_bytes());
    /// Copies the bytes.
    &&[u8] => |body| Self::copy_from(body);
    /// Takes the text over, without a copy.
    Box<str> => |body| String::from(body).into();
    /// Shares the text, without a copy.
    Arc<str> => |body| Arc::<[u8]>::from(body).into();
    /// Copies borrowed bytes, and takes owned ones over.
    Cow<'_, [u8]> => |body| match body {
        Cow::Borrowed(body) => body.into(),
        Cow::Owned(body) => body.into(),
    };
    /// Copies borrowed text, and takes owned text over.
    Cow<'_, str> => |body| match body {
        Cow::Borrowed(body) => body.into(),
        Cow::Owned(body) => body.into(),
    };
    /// Shares the bytes of a long frame, and copies a short one.
    &Frame => |frame| frame.clone();
    /// Takes the bytes over.
    RoutingId => |id| id.into_frame();
    /// Shares the bytes of a long id, and copies a short one.
    &RoutingId => |id| id.clone().into_frame();
}

impl From<Frame> for Bytes {
    /// Takes a long frame over, without a copy; copies a short one.
    fn from(frame: Frame) -> Self {
        frame.into_bytes()
    }
}

impl From<Frame> for Vec<u8> {
    /// Copies the bytes, unless the frame is a vector that nobody shares.
    fn from(frame: Frame) -> Self {
        match frame.0 {
            FrameRepr::Inline { .. } => frame.to_vec(),
            FrameRepr::Shared(bytes) => bytes.into(),
        }
    }
}

/// Conversions of a frame into what owns its bytes alone.
macro_rules! copied_from_frame {
    ($($type:ty),+) => {$(
        impl From<Frame> for $type {
            /// Copies the bytes.
            fn from(frame: Frame) -> Self {
                (&*frame).into()
            }
        }
    )+};
}

copied_from_frame!(Box<[u8]>, Arc<[u8]>, BytesMut);

impl<const N: usize> TryFrom<Frame> for [u8; N] {
    type Error = TryFromSliceError;

    /// Copies the bytes of a frame of that length.
    fn try_from(frame: Frame) -> Result<Self, TryFromSliceError> {
        (&*frame).try_into()
    }
}

impl<'a, const N: usize> TryFrom<&'a Frame> for &'a [u8; N] {
    type Error = TryFromSliceError;

    /// Borrows the bytes of a frame of that length.
    fn try_from(frame: &'a Frame) -> Result<Self, TryFromSliceError> {
        (&**frame).try_into()
    }
}

impl<'a> TryFrom<&'a Frame> for &'a str {
    type Error = Utf8Error;

    /// Borrows the text.
    fn try_from(frame: &'a Frame) -> Result<Self, Utf8Error> {
        frame.as_str()
    }
}

impl FromStr for Frame {
    type Err = Infallible;

    /// Copies the text.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl FromIterator<u8> for Frame {
    /// Collects the bytes.
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        bytes.into_iter().collect::<Vec<u8>>().into()
    }
}

impl TryFrom<Frame> for String {
    type Error = FromUtf8Error;

    /// Copies the text, unless the frame is a vector that nobody shares.
    fn try_from(frame: Frame) -> Result<Self, FromUtf8Error> {
        Self::from_utf8(frame.into())
    }
}
