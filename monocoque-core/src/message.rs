//! A message: one or more frames, sent and received as a whole.
//!
//! Owns how frames are stored. Small messages, of any number of frames, live inside the value: no heap.
//! Larger ones are a rope of [`Bytes`], shared and never copied. It knows nothing of how frames look on a wire.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Index;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::frame::{Frame, FrameRepr, Preview};

/// A message of one or more frames.
///
/// A message of up to seven frames that come to at most 72 bytes together is stored in the value itself, so making, moving
/// and dropping it never touches the heap.
///
/// ```
/// use monocoque_core::Message;
///
/// let message = Message::from(["topic", "payload"]);
/// assert_eq!(message.len(), 2);
/// assert_eq!(&message[1], b"payload");
/// ```
#[derive(Clone)]
pub struct Message(Repr);

#[derive(Clone)]
enum Repr {
    Inline(Inline),
    Rope(SmallVec<[Bytes; 2]>),
}

/// Short frames back to back.
#[derive(Clone)]
struct Inline {
    lens: Lens,
    bodies: Bodies,
}

/// How many frames, in the lowest byte, and their lengths, in the bytes above it.
///
/// One word, and never zero: what is written as a whole can be read as a whole at once, so that a message which was just made
/// is moved without waiting for its parts; and zero is left to tell a rope.
#[derive(Clone, Copy, Debug)]
struct Lens(NonZeroU64);

/// Aligned like the rope, so that either is moved by the same few wide copies: a message is moved half a dozen times between
/// the wire and the user.
#[derive(Clone)]
#[repr(align(8))]
struct Bodies([[u8; WORD]; WORDS]);

impl Message {
    /// The length of a [`block`](Self::block).
    pub const BLOCK: usize = WORDS * WORD;

    /// A message without frames, to push frames to. It cannot be sent as it is.
    pub const fn new() -> Self {
        Self(Repr::Inline(Inline::NONE))
    }

    /// How many frames.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Inline(inline) => inline.lens.count(),
            Repr::Rope(rope) => rope.len(),
        }
    }

    /// Whether there is no frame at all. A message of one empty frame is not empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of all frames together, in bytes.
    #[inline]
    pub fn byte_len(&self) -> usize {
        match &self.0 {
            Repr::Inline(inline) => inline.lens.sum(),
            Repr::Rope(rope) => rope.iter().map(Bytes::len).sum(),
        }
    }

    /// How many bytes it keeps beside itself: large frames, and what leads to them.
    #[inline]
    pub fn heap_len(&self) -> usize {
        match &self.0 {
            Repr::Inline(_) => 0,
            Repr::Rope(rope) => rope.iter().map(|frame| frame.len() + size_of::<Bytes>()).sum(),
        }
    }

    /// The frame at `index`, if there is one.
    pub fn frame(&self, index: usize) -> Option<&[u8]> {
        self.iter().nth(index)
    }

    /// The frames, in order.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.parts())
    }

    /// The frames, in order, each with the shared memory behind it where there is some.
    ///
    /// For encoders, which copy a small frame but pass a large one on by reference.
    #[inline]
    pub fn parts(&self) -> Parts<'_> {
        Parts(match &self.0 {
            Repr::Inline(inline) => PartsRepr::Inline(inline.lens, inline.bodies.0.as_flattened()),
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

    /// Adds a frame in front of all others.
    pub fn push_front(&mut self, frame: impl Into<Frame>) {
        let frame = frame.into();
        if self.inline_mut().is_some_and(|inline| inline.insert_front(&frame)) {
            return;
        }
        self.rope().insert(0, frame.into_bytes());
    }

    /// Takes the first frame off, if there is one.
    pub fn pop_front(&mut self) -> Option<Frame> {
        match &mut self.0 {
            Repr::Inline(inline) => inline.remove_front(),
            Repr::Rope(rope) if rope.is_empty() => None,
            Repr::Rope(rope) => Some(rope.remove(0).into()),
        }
    }

    /// Takes the last frame off, if there is one.
    ///
    /// ```
    /// use monocoque_core::Message;
    ///
    /// let mut message = Message::from(["envelope", "body"]);
    /// assert_eq!(&*message.pop_back().unwrap(), b"body");
    /// message.push_back("another body");
    /// assert_eq!(message, ["envelope", "another body"].into());
    /// ```
    pub fn pop_back(&mut self) -> Option<Frame> {
        match &mut self.0 {
            Repr::Inline(inline) => inline.remove_back(),
            Repr::Rope(rope) => rope.pop().map(Frame::from),
        }
    }

    /// Takes the first `n` frames off, or all there are, as a message of their own.
    pub fn split_front(&mut self, n: usize) -> Self {
        let n = n.min(self.len());
        match &mut self.0 {
            Repr::Inline(_) => std::iter::from_fn(|| self.pop_front()).take(n).collect(),
            Repr::Rope(rope) => Self(Repr::Rope(rope.drain(..n).collect())),
        }
    }

    /// Adds the frames of `other` at the end; what is shared stays shared.
    pub fn append(&mut self, other: &Self) {
        for part in other.parts() {
            match part {
                Part::Inline(body) => self.push_copy(body),
                Part::Shared(body) => self.push_bytes(body.clone()),
            }
        }
    }

    /// Adds a copy of `body` as the last frame, in place when it fits.
    #[inline]
    pub fn push_copy(&mut self, body: &[u8]) {
        if self.inline_mut().is_some_and(|inline| inline.push(body)) {
            return;
        }
        self.rope().push(Bytes::copy_from_slice(body));
    }

    /// Adds a copy of the first `len` of `bytes` as the last frame.
    ///
    /// For decoders: what lies behind them is read as well where that is faster. It cannot be seen.
    ///
    /// # Panics
    ///
    /// If there are fewer than `len` bytes.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn push_start(&mut self, bytes: &[u8], len: usize) {
        let block = bytes.first_chunk();
        if block.is_some_and(|block| self.inline_mut().is_some_and(|inline| inline.fill(block, len))) {
            return;
        }
        self.push_copy(&bytes[..len]);
    }

    /// The frames that are stored in the message, if all of them are.
    #[inline]
    fn inline_mut(&mut self) -> Option<&mut Inline> {
        match &mut self.0 {
            Repr::Inline(inline) => Some(inline),
            Repr::Rope(_) => None,
        }
    }

    /// The only frame, if it is stored in the message: its length, and a block that it is the start of.
    ///
    /// For encoders: to copy a block of fixed length is faster than to copy just the frame.
    #[inline]
    pub fn block(&self) -> Option<(usize, &[u8; Self::BLOCK])> {
        match &self.0 {
            Repr::Inline(Inline { lens, bodies }) if lens.count() == 1 => {
                Some((lens.sum(), bodies.0.as_flattened().first_chunk()?))
            }
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

impl Inline {
    const NONE: Self = Self { lens: Lens::NONE, bodies: Bodies([[0; WORD]; WORDS]) };

    /// A single frame, if it fits.
    ///
    /// Word by word, which the compiler keeps in registers until it knows where the message is to be: a detour through
    /// memory costs more than all the rest.
    #[inline]
    fn of(body: &[u8]) -> Option<Self> {
        if body.len() > MESSAGE_INLINE {
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

    /// Adds the first frame, out of a block that it is the start of.
    #[inline]
    fn fill(&mut self, block: &[u8; MESSAGE_INLINE], len: usize) -> bool {
        if self.lens.count() > 0 || len > MESSAGE_INLINE {
            return false;
        }
        self.bodies.0.as_flattened_mut().copy_from_slice(block);
        self.lens = self.lens.push_back(len);
        true
    }

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "`has_room` counts the bytes that are used")]
    fn push(&mut self, body: &[u8]) -> bool {
        if !self.lens.has_room(body.len()) {
            return false;
        }
        let used = self.lens.sum();
        self.bodies.0.as_flattened_mut()[used..used + body.len()].copy_from_slice(body);
        self.lens = self.lens.push_back(body.len());
        true
    }

    #[expect(clippy::indexing_slicing, reason = "`has_room` counts the bytes that are used")]
    fn insert_front(&mut self, body: &[u8]) -> bool {
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
    fn remove_back(&mut self) -> Option<Frame> {
        let rest = self.lens.pop_back()?;
        let frame = Frame::copy_from(&self.bodies.0.as_flattened()[rest.sum()..self.lens.sum()]);
        self.lens = rest;
        Some(frame)
    }

    #[expect(clippy::indexing_slicing, reason = "lengths add up to what is used")]
    fn remove_front(&mut self) -> Option<Frame> {
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

    /// The first length is in the lowest byte of `lens`.
    #[inline]
    const fn new(count: u64, lens: u64) -> Self {
        match NonZeroU64::new(lens << 8 | INLINE_MARK | count) {
            Some(word) => Self(word),
            None => unreachable!(),
        }
    }

    #[inline]
    const fn count(self) -> usize {
        (self.0.get() & (INLINE_MARK - 1)) as usize
    }

    #[inline]
    const fn lens(self) -> u64 {
        self.0.get() >> 8
    }

    /// The length of all frames: the highest byte of this product is the sum of all bytes.
    #[inline]
    const fn sum(self) -> usize {
        (self.lens().wrapping_mul(0x0101_0101_0101_0101) >> 56) as usize
    }

    #[inline]
    const fn has_room(self, len: usize) -> bool {
        self.count() < FRAMES_INLINE && self.sum() + len <= MESSAGE_INLINE
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
    const fn pop_front(self) -> Option<(usize, Self)> {
        match self.count() {
            0 => None,
            count => Some(((self.lens() & 0xff) as usize, Self::new(count as u64 - 1, self.lens() >> 8))),
        }
    }

    const fn pop_back(self) -> Option<Self> {
        match self.count() {
            0 => None,
            count => Some(Self::new(count as u64 - 1, self.lens() & !(0xff << (8 * (count - 1))))),
        }
    }
}

/// The frames of a [`Message`] as slices; see [`Message::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a>(Parts<'a>);

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

/// A frame of a [`Message`], lent to an encoder; see [`Message::parts`].
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A frame stored in the message itself: copy it.
    Inline(&'a [u8]),
    /// A frame in shared memory: a clone costs a reference count.
    Shared(&'a Bytes),
}

impl<'a> Part<'a> {
    /// The bytes of the frame.
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
pub struct Parts<'a>(PartsRepr<'a>);

#[derive(Clone, Debug)]
enum PartsRepr<'a> {
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

/// The frames of a [`Message`], taken out of it.
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

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

impl Index<usize> for Message {
    type Output = [u8];

    /// The frame at `index`.
    ///
    /// # Panics
    ///
    /// If there is no such frame; [`Message::frame`] does not.
    #[expect(clippy::panic, reason = "what `Index` is for, and documented: `frame` does not panic")]
    fn index(&self, index: usize) -> &[u8] {
        match self.frame(index) {
            Some(frame) => frame,
            None => panic!("frame {index} of a message of {} frames", self.len()),
        }
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Preview)).finish()
    }
}

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

/// Makes a [`Message`] 80 bytes: a body of 64 bytes fits together with a five-byte identity and a delimiter.
const MESSAGE_INLINE: usize = Message::BLOCK;
const WORDS: usize = 9;
const WORD: usize = 8;
/// As many lengths as fit into a word beside their number.
const FRAMES_INLINE: usize = 7;
/// Set in the lowest byte of [`Lens`], above the number of frames.
const INLINE_MARK: u64 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_what_the_constants_promise() {
        assert_eq!(size_of::<Frame>(), 40);
        assert_eq!(size_of::<Message>(), 80);
    }

    #[test]
    fn every_conversion_keeps_the_bytes() {
        let long = [7u8; 300];
        assert_eq!(&Message::from("a")[0], b"a");
        assert_eq!(&Message::from(b"a")[0], b"a");
        assert_eq!(&Message::from(long.as_slice())[0], long);
        assert_eq!(&Message::from(long.to_vec())[0], long);
        assert_eq!(&Message::from(Bytes::copy_from_slice(&long))[0], long);
        assert_eq!(&Message::from(String::from("s"))[0], b"s");
        assert_eq!(Message::from(vec!["a", "b"]), Message::from(["a", "b"]));
        assert_eq!(Message::from(vec![vec![1u8], vec![2]]).len(), 2);
    }

    #[test]
    fn frames_move_from_the_value_to_the_heap_without_a_change() {
        let mut message = Message::new();
        let mut expected = Vec::new();
        for len in [0, 1, 37, 38, 39, 0, 255, 256, 3] {
            let body = vec![len as u8; len];
            message.push_back(body.as_slice());
            expected.push(body);
            assert!(message.iter().eq(expected.iter().map(Vec::as_slice)));
            assert_eq!(message.byte_len(), expected.iter().map(Vec::len).sum::<usize>());
        }
        for body in &expected {
            assert_eq!(*message.pop_front().expect("a frame"), **body);
        }
        assert!(message.pop_front().is_none());
    }

    #[test]
    fn the_last_frame_leaves_what_is_in_front_of_it() {
        for bodies in [
            &["", "a", "bc", "", "def"][..],
            &["x", "", "more than fits beside what is there, or so it seems here"],
        ] {
            let mut message: Message = bodies.iter().copied().collect();
            for left in (0..bodies.len()).rev() {
                assert_eq!(&*message.pop_back().expect("a frame"), bodies[left].as_bytes());
                assert_eq!(message, bodies[..left].iter().copied().collect());
            }
            assert!(message.pop_back().is_none());
            message.push_back("again");
            assert_eq!(message, "again".into());
        }
    }

    #[test]
    fn splits_and_appends_to_the_same_frames() {
        for len in [1, 30, 100] {
            let frames: Vec<_> = (0..6).map(|n| vec![n; len]).collect();
            for n in 0..=7 {
                let mut rest = Message::from(frames.clone());
                let mut front = rest.split_front(n);
                assert_eq!(front.len(), n.min(6));
                front.append(&rest);
                assert!(front.into_iter().map(Frame::into_bytes).eq(frames.iter().cloned()));
            }
        }
    }

    #[test]
    fn front_and_back_agree() {
        for len in [0, 10, 64, 65, 66, 71, 72, 200] {
            let body = vec![9; len];
            let mut message = Message::from(body.as_slice());
            message.push_front("");
            message.push_front(b"\0\x01\x02\x03\x04");
            assert_eq!(message.len(), 3);
            assert_eq!(&message[2], body);
            assert_eq!(&*message.pop_front().expect("the identity"), b"\0\x01\x02\x03\x04");
            assert_eq!(&*message.pop_front().expect("the delimiter"), b"");
            assert_eq!(message, Message::from(body));
        }
    }

    #[test]
    fn a_small_message_stays_in_the_value() {
        let mut message = Message::from([7; 64].as_slice());
        message.push_front("");
        message.push_front(b"\0\x01\x02\x03\x04");
        assert!(matches!(message.0, Repr::Inline(_)));
    }

    #[test]
    fn the_start_of_what_is_longer_is_a_frame_like_any_other() {
        let bytes: Vec<_> = (1..=200).collect();
        for given in [0, 1, 71, 72, 73, 80, 200] {
            for len in 0..=given {
                let mut message = Message::new();
                message.push_start(&bytes[..given], len);
                assert_eq!(message, Message::from(&bytes[..len]), "{len} of {given}");
                assert_eq!(matches!(message.0, Repr::Inline(_)), len <= Message::BLOCK);
                message.push_start(&bytes[..given], len);
                message.push_copy(b"behind");
                assert_eq!(message, Message::from([&bytes[..len], &bytes[..len], b"behind"]));
                let mut front = message;
                front.push_front("");
                assert_eq!(front.into_iter().map(Frame::into_bytes).last().expect("four"), "behind");
            }
        }
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn a_start_is_no_longer_than_the_whole() {
        Message::new().push_start(b"short", 6);
    }

    #[test]
    fn only_a_lone_frame_in_the_value_is_the_start_of_a_block() {
        let bytes: Vec<_> = (1..=80).collect();
        for len in 0..=bytes.len() {
            let body = &bytes[..len];
            let mut started = Message::new();
            started.push_start(&bytes, len);
            for message in [Message::from(body), started] {
                match message.block() {
                    Some((found, block)) => assert_eq!((found, &block[..len]), (len, body)),
                    None => assert!(len > Message::BLOCK),
                }
            }
        }
        assert!(Message::new().block().is_none());
        assert!(Message::from(["a", "b"]).block().is_none());
        assert!(Message::from(Bytes::from_static(b"shared")).block().is_none());
        let mut rest = Message::from(["gone", "kept"]);
        rest.pop_front();
        let (len, block) = rest.block().expect("one frame is left");
        assert_eq!(&block[..len], b"kept");
    }

    #[test]
    fn debug_is_bounded() {
        let shown = format!("{:?}", Message::from(vec![b'x'; 1 << 20]));
        assert!(shown.len() < 80 && shown.contains("1048576"), "{shown}");
    }
}
