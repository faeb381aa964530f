//! Iterators over the frames of a message.

use std::iter::FusedIterator;

use bytes::Bytes;

use super::inline::Lens;
use super::{Message, Repr};
use crate::Frame;

/// The frames of a [`Message`] as slices; see [`Message::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a>(pub(super) Parts<'a>);

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.next().map(Part::body)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(Part::body)
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl FusedIterator for Iter<'_> {}

/// A frame of a [`Message`] with its storage; see [`Message::parts`].
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A frame stored in the message itself, to be copied.
    Inline(&'a [u8]),
    /// A frame in shared memory: a clone costs a reference count.
    Shared(&'a Bytes),
}

impl<'a> Part<'a> {
    /// Returns the bytes of the frame.
    #[inline]
    pub fn body(self) -> &'a [u8] {
        match self {
            Self::Inline(body) => body,
            Self::Shared(body) => body,
        }
    }
}

/// The frames of a [`Message`] with their storage; see [`Message::parts`].
#[derive(Clone, Debug)]
pub struct Parts<'a>(pub(super) PartsRepr<'a>);

#[derive(Clone, Debug)]
pub(super) enum PartsRepr<'a> {
    Inline(Lens, &'a [u8]),
    Rope(std::slice::Iter<'a, Bytes>),
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    #[inline]
    fn next(&mut self) -> Option<Part<'a>> {
        match &mut self.0 {
            PartsRepr::Inline(lens, bodies) => {
                let (len, rest) = lens.pop_front()?;
                let (body, behind) = bodies.split_at(len);
                *lens = rest;
                *bodies = behind;
                Some(Part::Inline(body))
            }
            PartsRepr::Rope(rope) => rope.next().map(Part::Shared),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            PartsRepr::Inline(lens, _) => (lens.count(), Some(lens.count())),
            PartsRepr::Rope(rope) => rope.size_hint(),
        }
    }
}

impl DoubleEndedIterator for Parts<'_> {
    #[expect(clippy::indexing_slicing, reason = "lengths add up to what is used")]
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            PartsRepr::Inline(lens, bodies) => {
                let rest = lens.pop_back()?;
                let body = &bodies[rest.sum()..lens.sum()];
                *lens = rest;
                Some(Part::Inline(body))
            }
            PartsRepr::Rope(rope) => rope.next_back().map(Part::Shared),
        }
    }
}

impl ExactSizeIterator for Parts<'_> {}

impl FusedIterator for Parts<'_> {}

/// The frames of a [`Message`], by value.
#[derive(Clone, Debug)]
pub struct IntoIter(IntoIterRepr);

#[derive(Clone, Debug)]
enum IntoIterRepr {
    Inline(Message),
    Rope(smallvec::IntoIter<[Bytes; 2]>),
}

impl Iterator for IntoIter {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        match &mut self.0 {
            IntoIterRepr::Inline(message) => message.pop_front(),
            IntoIterRepr::Rope(rope) => rope.next().map(Frame::from),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = match &self.0 {
            IntoIterRepr::Inline(message) => message.len(),
            IntoIterRepr::Rope(rope) => rope.len(),
        };
        (len, Some(len))
    }
}

impl DoubleEndedIterator for IntoIter {
    fn next_back(&mut self) -> Option<Frame> {
        match &mut self.0 {
            IntoIterRepr::Inline(message) => message.pop_back(),
            IntoIterRepr::Rope(rope) => rope.next_back().map(Frame::from),
        }
    }
}

impl ExactSizeIterator for IntoIter {}

impl FusedIterator for IntoIter {}

impl IntoIterator for Message {
    type Item = Frame;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(match self.0 {
            Repr::Inline(_) => IntoIterRepr::Inline(self),
            Repr::Rope(rope) => IntoIterRepr::Rope(rope.into_iter()),
        })
    }
}

impl<'a> IntoIterator for &'a Message {
    type Item = &'a [u8];
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
