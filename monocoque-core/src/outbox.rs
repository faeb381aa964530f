//! The outbox: encoded messages that wait to be written.
//!
//! Small bodies lie in one contiguous buffer, so that a thousand messages are one slice for the
//! kernel; large ones are chained by reference. Message boundaries are kept: after a lost
//! connection the messages of which the kernel did not take every byte are still here, whole and in
//! order. It knows neither the encoding nor locks.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{Part, SegmentedBuffer};

/// A queue of encoded messages.
///
/// An encoder [puts](Self::put) the bytes of a message and [ends](Self::end_message) it; a writer
/// passes [`slices`](Self::slices) to the kernel and [consumes](Self::consume) what was taken.
///
/// ```
/// use monocoque_core::Outbox;
///
/// let mut outbox = Outbox::new();
/// outbox.put(b"hello\n");
/// outbox.end_message();
/// outbox.put(b"world\n");
/// outbox.end_message();
///
/// outbox.consume(8); // the kernel took the first message and a part of the second
/// assert_eq!((outbox.messages(), outbox.is_partly_written()), (1, true));
/// outbox.rewind(); // the connection is lost: the second message starts again
/// assert_eq!(outbox.slices().next(), Some(&b"world\n"[..]));
/// ```
#[derive(Debug, Default)]
pub struct Outbox {
    small: Vec<u8>,
    chain: VecDeque<Chained>,
    /// The end of each message, counted in bytes put since the outbox was last empty.
    ends: VecDeque<usize>,
    /// Bytes put and bytes consumed since the outbox was last empty.
    put: usize,
    consumed: usize,
    /// The start of the first message that is not wholly consumed, in the same count.
    first: usize,
    cursor: Cursor,
    /// Messages that were partly written before: the end of each, and how often.
    attempts: VecDeque<(usize, u32)>,
}

/// A large body, which is written after the first `at` bytes of the contiguous buffer.
#[derive(Debug)]
struct Chained {
    at: usize,
    body: Bytes,
}

/// A position in an outbox: so many contiguous bytes, so many whole bodies, and a part of the next.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    small: usize,
    chained: usize,
    body: usize,
}

impl Outbox {
    /// An empty outbox, without memory of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a copy of `bytes` to the message that is being put.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.small.extend_from_slice(bytes);
        self.put += bytes.len();
    }

    /// Returns the last `len` bytes that were [put](Self::put) by copy, to change them in place;
    /// none if there are fewer.
    #[inline]
    pub fn last_put_mut(&mut self, len: usize) -> &mut [u8] {
        let start = self.small.len().checked_sub(len);
        start.and_then(|start| self.small.get_mut(start..)).unwrap_or_default()
    }

    /// Adds a copy of the first `len` bytes of a block to the message that is being put.
    ///
    /// Copying a block of fixed length is faster than copying just those bytes.
    ///
    /// # Panics
    ///
    /// If `len` is more than `N`.
    #[inline]
    pub fn put_prefix<const N: usize>(&mut self, block: &[u8; N], len: usize) {
        assert!(len <= N, "{len} bytes of a block of {N}");
        let end = self.small.len() + len;
        self.small.extend_from_slice(block);
        self.small.truncate(end);
        self.put += len;
    }

    /// Adds a body to the message that is being put: by reference if it is large, else by copy.
    #[inline]
    pub fn put_shared(&mut self, body: &Bytes) {
        if body.len() < CHAIN_MIN {
            self.put(body);
        } else {
            self.put += body.len();
            self.chain.push_back(Chained { at: self.small.len(), body: body.clone() });
        }
    }

    /// Adds a part of another message to the one that is being put: by reference if it is shared
    /// and large, else by copy.
    #[inline]
    pub fn put_part(&mut self, part: Part<'_>) {
        match part {
            Part::Inline(body) => self.put(body),
            Part::Shared(body) => self.put_shared(body),
        }
    }

    /// Ends the message that is being put.
    #[inline]
    pub fn end_message(&mut self) {
        self.ends.push_back(self.put);
    }

    /// Returns how many messages are not wholly consumed.
    #[inline]
    pub fn messages(&self) -> usize {
        self.ends.len()
    }

    /// Returns how many bytes are not consumed.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.put - self.consumed
    }

    /// Returns true if all bytes are consumed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.put == self.consumed
    }

    /// Returns true if a part of the first message was consumed.
    #[inline]
    pub fn is_partly_written(&self) -> bool {
        self.consumed != self.first
    }

    /// Returns true if all that waits is one slice that was put by copy.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.cursor.chained == self.chain.len()
    }

    /// Returns true if all that waits is one slice, shared or not.
    pub fn is_one_slice(&self) -> bool {
        self.is_contiguous() || self.slices().nth(1).is_none()
    }

    /// Returns the bytes that wait, as slices in the order of writing.
    #[expect(clippy::indexing_slicing, reason = "the cursor and the chain lie within what was put")]
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let Cursor { small, chained, mut body } = self.cursor;
        let mut from = small;
        let chain = self.chain.range(chained..).flat_map(move |link| {
            let before = &self.small[from..link.at];
            from = link.at;
            [before, &link.body[std::mem::take(&mut body)..]]
        });
        let last_at = self.chain.back().map_or(0, |link| link.at).max(small);
        chain.chain(std::iter::once(&self.small[last_at..])).filter(|slice| !slice.is_empty())
    }

    /// Returns the first slice; it is empty if no byte waits.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the cursor lies within what was put")]
    pub fn chunk(&self) -> &[u8] {
        if self.is_contiguous() {
            &self.small[self.cursor.small..]
        } else {
            self.slices().next().unwrap_or_default()
        }
    }

    /// Notes that the kernel has taken the first `n` bytes.
    ///
    /// # Panics
    ///
    /// If fewer than `n` bytes wait.
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.bytes(), "consumed more than was put");
        self.consumed += n;
        if self.is_empty() {
            self.clear();
            return;
        }
        self.advance_cursor(n);
        while let Some(&end) = self.ends.front().filter(|end| **end <= self.consumed) {
            self.first = end;
            self.ends.pop_front();
        }
        while self.attempts.front().is_some_and(|(end, _)| *end <= self.consumed) {
            self.attempts.pop_front();
        }
    }

    /// Returns to the start of the first message, if it was partly written, which counts as an
    /// attempt.
    pub fn rewind(&mut self) {
        if self.is_partly_written() {
            self.count_attempt();
        }
        self.cursor = Cursor::default();
        self.consumed = self.first;
        self.advance_cursor(self.first);
    }

    /// Counts an attempt at the first message.
    pub(crate) fn count_attempt(&mut self) {
        let Some(&end) = self.ends.front() else { return };
        let before = self.first_attempts();
        if before > 0 {
            self.attempts.pop_front();
        }
        self.attempts.push_front((end, before + 1));
    }

    /// Drops all messages and keeps the memory.
    pub fn clear(&mut self) {
        self.small.clear();
        self.chain.clear();
        self.ends.clear();
        self.put = 0;
        self.consumed = 0;
        self.first = 0;
        self.cursor = Cursor::default();
        self.attempts.clear();
    }

    /// Returns how many [attempts](Self::rewind) at the first message have failed.
    pub fn first_attempts(&self) -> u32 {
        match (self.attempts.front(), self.ends.front()) {
            (Some((at, attempts)), Some(end)) if at == end => *attempts,
            _ => 0,
        }
    }

    /// Returns the messages at which attempts have failed: their index in the queue, and how many.
    pub fn attempts(&self) -> impl Iterator<Item = (usize, u32)> {
        self.attempts.iter().map(|(at, attempts)| (self.ends.partition_point(|end| end < at), *attempts))
    }

    /// Sets how many attempts at the message that was put last have failed.
    pub fn set_last_attempts(&mut self, attempts: u32) {
        if attempts == 0 {
            return;
        }
        if let Some(&end) = self.ends.back() {
            self.attempts.push_back((end, attempts));
        }
    }

    /// Drops the first message, and returns its length in bytes.
    pub fn drop_first(&mut self) -> usize {
        let len = self.ends.front().map_or(0, |end| end - self.consumed);
        self.consume(len);
        len
    }

    /// Reads messages from a cursor on, without consuming them. The default cursor is at the first
    /// one.
    pub fn read_queued<'a>(&'a self, cursor: &'a mut QueuedCursor) -> Queued<'a> {
        if cursor.messages == 0 {
            *cursor = QueuedCursor { messages: 0, at: self.cursor, bytes: self.consumed };
        }
        Queued { outbox: self, cursor }
    }

    /// Turns the bytes that wait into a buffer for a decoder.
    pub fn into_segments(self) -> SegmentedBuffer {
        let Self { small, chain, cursor: Cursor { small: mut from, chained, mut body }, .. } = self;
        let small = Bytes::from(small);
        let mut segments = SegmentedBuffer::new();
        for link in chain.into_iter().skip(chained) {
            segments.push(small.slice(from..link.at));
            segments.push(link.body.slice(std::mem::take(&mut body)..));
            from = link.at;
        }
        segments.push(small.slice(from..));
        segments
    }

    /// Releases memory beyond what an idle connection needs, if the outbox is empty.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.small.capacity() > MAX_RETAINED {
            *self = Self::new();
        }
    }

    /// Appends the messages of `other`: small bodies are copied, large ones shared.
    ///
    /// For a fan-out, which encodes once and appends to many.
    #[expect(clippy::indexing_slicing, reason = "the cursor and the chain lie within what was put")]
    pub fn append(&mut self, other: &Self) {
        let start = self.put;
        let Cursor { small: mut from, chained, mut body } = other.cursor;
        for link in other.chain.range(chained..) {
            self.put(&other.small[from..link.at]);
            self.put_shared(&link.body.slice(std::mem::take(&mut body)..));
            from = link.at;
        }
        self.put(&other.small[from..]);
        self.ends.extend(other.ends.iter().map(|end| start + end - other.consumed));
        let attempts = other.attempts.iter().map(|(end, attempts)| (start + end - other.consumed, *attempts));
        self.attempts.extend(attempts);
    }

    /// Adds several messages at once, by reference. Each ends at one of `ends`, in bytes from the
    /// start of `messages`.
    pub fn put_shared_messages(&mut self, messages: Bytes, ends: impl Iterator<Item = usize>) {
        let start = self.put;
        self.put += messages.len();
        self.chain.push_back(Chained { at: self.small.len(), body: messages });
        self.ends.extend(ends.map(|end| start + end));
    }

    /// Adds several messages at once, by copy, as
    /// [`put_shared_messages`](Self::put_shared_messages) does by reference.
    pub fn put_copied_messages(&mut self, messages: &[u8], ends: impl Iterator<Item = usize>) {
        let start = self.put;
        self.put(messages);
        self.ends.extend(ends.map(|end| start + end));
    }

    fn advance_cursor(&mut self, n: usize) {
        let mut cursor = self.cursor;
        self.advance(&mut cursor, n);
        self.cursor = cursor;
    }

    fn advance(&self, cursor: &mut Cursor, mut n: usize) {
        while n > 0 {
            let Some(part) = self.part_at(cursor, n) else { return };
            n -= part.body().len();
        }
    }

    /// Returns at most `n` bytes from a cursor on, as far as they lie in one piece, and moves the
    /// cursor past them.
    #[expect(clippy::indexing_slicing, reason = "a cursor lies within what was put, and so does the chain")]
    fn part_at(&self, cursor: &mut Cursor, n: usize) -> Option<Part<'_>> {
        let Cursor { small, chained, body } = cursor;
        let link = self.chain.get(*chained);
        let end = link.map_or(self.small.len(), |link| link.at);
        if *small < end {
            let from = *small;
            *small = end.min(from + n);
            return Some(Part::Inline(&self.small[from..*small]));
        }
        let link = link?;
        let (from, len) = (*body, link.body.len());
        if from + n < len {
            *body += n;
            return Some(Part::Inline(&link.body[from..*body]));
        }
        (*body, *chained) = (0, *chained + 1);
        Some(if from == 0 { Part::Shared(&link.body) } else { Part::Inline(&link.body[from..]) })
    }
}

/// The messages of an outbox, read one after the other without being consumed.
///
/// ```
/// # use monocoque_core::{Outbox, Queued};
/// # let mut outbox = Outbox::new();
/// # outbox.put(b"hello");
/// # outbox.end_message();
/// # let mut cursor = monocoque_core::QueuedCursor::default();
/// # let mut queued = outbox.read_queued(&mut cursor);
/// while let Some(message) = queued.next_message() {
///     let bytes: Vec<_> = message.flat_map(|part| part.body().to_vec()).collect();
///     assert_eq!(bytes, b"hello");
/// }
/// ```
#[derive(Debug)]
pub struct Queued<'a> {
    outbox: &'a Outbox,
    cursor: &'a mut QueuedCursor,
}

/// A position up to which an outbox was [read](Outbox::read_queued).
#[derive(Clone, Copy, Debug, Default)]
pub struct QueuedCursor {
    /// The number of messages that were read and are still there.
    messages: usize,
    at: Cursor,
    /// The number of bytes that were read, counted as in `Outbox::put`.
    bytes: usize,
}

/// The bytes of a queued message, in parts. Only a body that was shared is a shared part.
#[derive(Debug)]
pub struct QueuedMessage<'a> {
    outbox: &'a Outbox,
    cursor: Cursor,
    left: usize,
}

impl<'a> Queued<'a> {
    /// Returns the next message; `None` if all were read.
    pub fn next_message(&mut self) -> Option<QueuedMessage<'a>> {
        let end = *self.outbox.ends.get(self.cursor.messages)?;
        let left = end - self.cursor.bytes;
        let message = QueuedMessage { outbox: self.outbox, cursor: self.cursor.at, left };
        self.outbox.advance(&mut self.cursor.at, left);
        self.cursor.bytes = end;
        self.cursor.messages += 1;
        Some(message)
    }
}

impl QueuedCursor {
    /// Notes that the outbox has dropped `messages` that were read.
    pub fn on_dropped(&mut self, messages: usize) {
        self.messages -= messages;
    }
}

impl<'a> Iterator for QueuedMessage<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if self.left == 0 {
            return None;
        }
        let part = self.outbox.part_at(&mut self.cursor, self.left)?;
        self.left -= part.body().len();
        Some(part)
    }
}

/// Bodies from this length on are chained by reference instead of being copied behind their header.
const CHAIN_MIN: usize = 4096;
/// The most memory of an empty outbox, in bytes: enough for a thousand small messages, so that a
/// connection whose queue is full now and again does not grow it each time.
const MAX_RETAINED: usize = 128 * 1024;

#[cfg(test)]
mod tests;
