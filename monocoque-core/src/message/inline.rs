//! Small messages: frames stored in the value.

use std::num::NonZeroU64;

use crate::Frame;

/// Short frames, one after the other.
#[derive(Clone)]
pub(super) struct Inline {
    lens: Lens,
    bodies: Bodies,
}

/// The number of frames, in the lowest byte, and their lengths, in the bytes above it.
///
/// One word, so that a message that was just made is moved without waiting for the stores of its
/// parts; and never zero, so that zero can mark a rope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lens(NonZeroU64);

/// Aligned like the rope, so that either is moved by the same few wide copies: a message is moved
/// half a dozen times between the wire and the user.
#[derive(Clone)]
#[repr(align(8))]
struct Bodies([[u8; WORD]; WORDS]);

impl Inline {
    pub(super) const NONE: Self = Self { lens: Lens::NONE, bodies: Bodies([[0; WORD]; WORDS]) };

    /// Returns how many frames there are.
    #[inline]
    pub(super) const fn count(&self) -> usize {
        self.lens.count()
    }

    /// Returns the length of all frames.
    #[inline]
    pub(super) const fn byte_len(&self) -> usize {
        self.lens.sum()
    }

    /// Returns the lengths of the frames, and their bodies one after the other.
    #[inline]
    pub(super) fn parts(&self) -> (Lens, &[u8]) {
        (self.lens, self.bodies.0.as_flattened())
    }

    /// Returns the memory of all frames, which starts with the first one.
    #[inline]
    pub(super) fn block(&self) -> Option<&[u8; CAPACITY]> {
        self.bodies.0.as_flattened().first_chunk()
    }

    /// Makes a message of a single frame, if it fits.
    ///
    /// Word by word, which the compiler keeps in registers until it knows the place of the message:
    /// a detour through memory costs more than all the rest.
    #[inline]
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        if body.len() > CAPACITY {
            return None;
        }
        let words = body.chunks_exact(WORD);
        let (count, mut last) = (words.len(), [0; WORD]);
        for (to, from) in last.iter_mut().zip(words.remainder()) {
            *to = *from;
        }
        let mut bodies = [[0; WORD]; WORDS];
        for (n, to) in bodies.iter_mut().enumerate() {
            match body.get(n * WORD..).and_then(<[u8]>::first_chunk) {
                Some(word) => *to = *word,
                None if n == count => *to = last,
                None => {}
            }
        }
        Some(Self { lens: Lens::NONE.push_back(body.len()), bodies: Bodies(bodies) })
    }

    /// Adds the first frame, from a block that starts with it.
    #[inline]
    pub(super) fn fill(&mut self, block: &[u8; CAPACITY], len: usize) -> bool {
        if self.lens.count() > 0 || len > CAPACITY {
            return false;
        }
        self.bodies.0.as_flattened_mut().copy_from_slice(block);
        self.lens = self.lens.push_back(len);
        true
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "`has_room` counts the bytes that are used")]
    pub(super) fn push(&mut self, body: &[u8]) -> bool {
        if !self.lens.has_room(body.len()) {
            return false;
        }
        let used = self.lens.sum();
        self.bodies.0.as_flattened_mut()[used..used + body.len()].copy_from_slice(body);
        self.lens = self.lens.push_back(body.len());
        true
    }

    #[expect(clippy::indexing_slicing, reason = "`has_room` counts the bytes that are used")]
    pub(super) fn insert_front(&mut self, body: &[u8]) -> bool {
        if !self.lens.has_room(body.len()) {
            return false;
        }
        let bodies = self.bodies.0.as_flattened_mut();
        bodies.copy_within(..self.lens.sum(), body.len());
        bodies[..body.len()].copy_from_slice(body);
        self.lens = self.lens.push_front(body.len());
        true
    }

    #[expect(clippy::indexing_slicing, reason = "lengths add up to what is used")]
    pub(super) fn remove_back(&mut self) -> Option<Frame> {
        let rest = self.lens.pop_back()?;
        let frame = Frame::copy_from(&self.bodies.0.as_flattened()[rest.sum()..self.lens.sum()]);
        self.lens = rest;
        Some(frame)
    }

    #[expect(clippy::indexing_slicing, reason = "lengths add up to what is used")]
    pub(super) fn remove_front(&mut self) -> Option<Frame> {
        let (len, rest) = self.lens.pop_front()?;
        let used = self.lens.sum();
        let bodies = self.bodies.0.as_flattened_mut();
        let frame = Frame::copy_from(&bodies[..len]);
        bodies.copy_within(len..used, 0);
        self.lens = rest;
        Some(frame)
    }
}

impl Lens {
    const NONE: Self = Self::new(0, 0);

    /// Packs the lengths. The first one is in the lowest byte of `lens`.
    #[inline]
    const fn new(count: u64, lens: u64) -> Self {
        match NonZeroU64::new(lens << 8 | MARK | count) {
            Some(word) => Self(word),
            None => unreachable!(),
        }
    }

    #[inline]
    pub(super) const fn count(self) -> usize {
        (self.0.get() & (MARK - 1)) as usize
    }

    #[inline]
    const fn lens(self) -> u64 {
        self.0.get() >> 8
    }

    /// Returns the length of all frames: the highest byte of the product is the sum of all bytes.
    #[inline]
    pub(super) const fn sum(self) -> usize {
        (self.lens().wrapping_mul(0x0101_0101_0101_0101) >> 56) as usize
    }

    #[inline]
    const fn has_room(self, len: usize) -> bool {
        self.count() < MAX_FRAMES && self.sum() + len <= CAPACITY
    }

    #[inline]
    const fn push_back(self, len: usize) -> Self {
        let at = 8 * self.count() as u32;
        Self::new(self.count() as u64 + 1, self.lens() | (len as u64) << at)
    }

    const fn push_front(self, len: usize) -> Self {
        Self::new(self.count() as u64 + 1, self.lens() << 8 | len as u64)
    }

    #[inline]
    pub(super) const fn pop_front(self) -> Option<(usize, Self)> {
        match self.count() {
            0 => None,
            count => Some(((self.lens() & 0xff) as usize, Self::new(count as u64 - 1, self.lens() >> 8))),
        }
    }

    pub(super) const fn pop_back(self) -> Option<Self> {
        match self.count() {
            0 => None,
            count => Some(Self::new(count as u64 - 1, self.lens() & !(0xff << (8 * (count - 1))))),
        }
    }
}

/// Makes a [`Message`](super::Message) 80 bytes: a body of 64 bytes fits with a five-byte identity
/// and a delimiter.
pub(super) const CAPACITY: usize = WORDS * WORD;
const WORDS: usize = 9;
const WORD: usize = 8;
/// The number of lengths that fit into a word together with their count.
const MAX_FRAMES: usize = 7;
/// Set in the lowest byte of [`Lens`], above the number of frames.
const MARK: u64 = 0x80;
