//! Conversions to messages: one frame from anything like bytes, or several from arrays and
//! iterators.

use bytes::Bytes;
use smallvec::SmallVec;

use super::inline::Inline;
use super::{Message, Repr};
use crate::Frame;

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

impl<F: Into<Frame>, const N: usize> From<[F; N]> for Message {
    fn from(frames: [F; N]) -> Self {
        frames.into_iter().collect()
    }
}

impl<F: Into<Frame>> From<Vec<F>> for Message {
    fn from(frames: Vec<F>) -> Self {
        frames.into_iter().collect()
    }
}

impl From<&[u8]> for Message {
    #[inline(always)]
    fn from(body: &[u8]) -> Self {
        match Inline::of(body) {
            Some(inline) => Self(Repr::Inline(inline)),
            None => Bytes::copy_from_slice(body).into(),
        }
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    #[inline]
    fn from(body: &[u8; N]) -> Self {
        body.as_slice().into()
    }
}

impl From<&str> for Message {
    #[inline]
    fn from(body: &str) -> Self {
        body.as_bytes().into()
    }
}

impl From<Bytes> for Message {
    #[inline]
    fn from(body: Bytes) -> Self {
        Self(Repr::Rope(SmallVec::from_iter([body])))
    }
}

impl From<Vec<u8>> for Message {
    fn from(body: Vec<u8>) -> Self {
        Bytes::from(body).into()
    }
}

impl From<String> for Message {
    fn from(body: String) -> Self {
        body.into_bytes().into()
    }
}

impl From<Frame> for Message {
    fn from(frame: Frame) -> Self {
        Self::from([frame])
    }
}
