//! Encoded messages that wait to be written.
//!
//! Small bodies lie in one contiguous buffer, so that a thousand messages are one slice for the kernel; large ones are
//! chained by reference. Message boundaries are kept: after a lost connection the messages of which the kernel did
//! not take every byte are still here, whole and in order. It knows nothing of how messages are encoded, nor of locks.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{Part, SegmentedBuffer};

/// A queue of encoded messages.
///
/// An encoder [`put`](Self::put)s the bytes of a message and [ends](Self::end_message) it; a writer passes
/// [`slices`](Self::slices) to the kernel and [consumes](Self::consume) what was taken.
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
/// assert_eq!((outbox.messages(), outbox.is_begun()), (1, true));
/// outbox.rewind(); // the connection is lost: the second message starts anew
/// assert_eq!(outbox.slices().next(), Some(&b"world\n"[..]));
/// ```
#[derive(Debug, Default)]
pub struct Outbox {
    small: Vec<u8>,
    chain: VecDeque<Chained>,
    /// Where each message ends, counted in bytes put since the outbox was last empty.
    ends: VecDeque<usize>,
    /// Bytes put and bytes consumed since the outbox was last empty.
    put: usize,
    consumed: usize,
    /// Where the first message that is not wholly consumed starts, in the same count.
    first: usize,
    cursor: Cursor,
    /// Messages that were begun before, by where they end, and how often.
    attempts: VecDeque<(usize, u32)>,
}

/// A large body, to be written after the first `at` bytes of the contiguous buffer.
#[derive(Debug)]
struct Chained {
    at: usize,
    body: Bytes,
}

/// How far the outbox has been consumed: so many contiguous bytes, so many whole bodies, and a part of the next one.
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

    /// Adds bytes to the message that is being put, by copy.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.small.extend_from_slice(bytes);
        self.put += bytes.len();
    }

    /// Adds the first `len` bytes of a block to the message that is being put: faster than to add just those.
    ///
    /// # Panics
    ///
    /// If `len` is more than `N`.
    #[inline]
    pub fn put_start<const N: usize>(&mut self, block: &[u8; N], len: usize) {
        assert!(len <= N, "{len} bytes of a block of {N}");
        let end = self.small.len() + len;
        self.small.extend_from_slice(block);
        self.small.truncate(end);
        self.put += len;
    }

    /// Adds a body to the message that is being put: by reference when it is large, else by copy.
    #[inline]
    pub fn put_shared(&mut self, body: &Bytes) {
        if body.len() < CHAIN_MIN {
            self.put(body);
        } else {
            self.put += body.len();
            self.chain.push_back(Chained { at: self.small.len(), body: body.clone() });
        }
    }

    /// Adds a part of another message to the one that is being put: by reference if it is shared and large, else by copy.
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

    /// How many messages are not consumed yet; one that was consumed in part counts.
    #[inline]
    pub fn messages(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes are not consumed yet.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.put - self.consumed
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.put == self.consumed
    }

    /// Whether a part of the first message was consumed.
    #[inline]
    pub fn is_begun(&self) -> bool {
        self.consumed != self.first
    }

    /// Whether what waits is one slice that was put by copy.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.cursor.chained == self.chain.len()
    }

    /// Whether what waits is one slice, shared or not.
    pub fn is_one_slice(&self) -> bool {
        self.is_contiguous() || self.slices().nth(1).is_none()
    }

    /// What waits, as slices in the order in which they are to be written.
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

    /// The first slice, empty when nothing waits.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the cursor lies within what was put")]
    pub fn chunk(&self) -> &[u8] {
        if self.is_contiguous() {
            &self.small[self.cursor.small..]
        } else {
            self.slices().next().unwrap_or_default()
        }
    }

    /// Notes that the first `n` bytes were taken by the kernel.
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

    /// Forgets that a part of the first message was taken, so that it is written whole. That counts as an attempt.
    pub fn rewind(&mut self) {
        if self.is_begun() {
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

    /// Forgets everything but keeps the memory.
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

    /// How often the first message was begun before, and [started anew](Self::rewind).
    pub fn first_attempts(&self) -> u32 {
        match (self.attempts.front(), self.ends.front()) {
            (Some((at, attempts)), Some(end)) if at == end => *attempts,
            _ => 0,
        }
    }

    /// How often messages were begun before: those that were, by their place in the queue.
    pub fn attempts(&self) -> impl Iterator<Item = (usize, u32)> {
        self.attempts.iter().map(|(at, attempts)| (self.ends.partition_point(|end| end < at), *attempts))
    }

    /// Notes how often the message that was put last was begun before.
    pub fn note_attempts(&mut self, attempts: u32) {
        if attempts == 0 {
            return;
        }
        if let Some(&end) = self.ends.back() {
            self.attempts.push_back((end, attempts));
        }
    }

    /// Drops the first message, and gives its length in bytes.
    pub fn drop_first(&mut self) -> usize {
        let len = self.ends.front().map_or(0, |end| end - self.consumed);
        self.consume(len);
        len
    }

    /// Reads messages from a place on, which is the first one that waits if it is the default.
    pub fn read_from<'a>(&'a self, place: &'a mut QueuedPlace) -> Queued<'a> {
        if place.messages == 0 {
            *place = QueuedPlace { messages: 0, cursor: self.cursor, bytes: self.consumed };
        }
        Queued { outbox: self, place }
    }

    /// What waits, to be read instead of written.
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

    /// Gives back memory beyond what a quiet connection needs. Only an empty outbox has some to give.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.small.capacity() > RETAIN {
            *self = Self::new();
        }
    }

    /// Appends all that waits in `other`: small bodies are copied, large ones shared.
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

    /// Adds several messages at once by reference, of which each ends at one of `ends`, counted from the front of them.
    pub fn put_run(&mut self, messages: Bytes, ends: impl Iterator<Item = usize>) {
        let start = self.put;
        self.put += messages.len();
        self.chain.push_back(Chained { at: self.small.len(), body: messages });
        self.ends.extend(ends.map(|end| start + end));
    }

    /// Adds several messages at once by copy, as [`put_run`](Self::put_run).
    pub fn copy_run(&mut self, messages: &[u8], ends: impl Iterator<Item = usize>) {
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

    /// Returns at most `n` bytes from a place on, as far as they lie in one piece, and moves the place behind them.
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

/// Messages of an outbox that are read one after the other and stay in it.
///
/// ```
/// # use monocoque_core::{Outbox, Queued};
/// # let mut outbox = Outbox::new();
/// # outbox.put(b"hello");
/// # outbox.end_message();
/// # let mut place = monocoque_core::QueuedPlace::default();
/// # let mut queued = outbox.read_from(&mut place);
/// while let Some(message) = queued.next_message() {
///     let bytes: Vec<_> = message.flat_map(|part| part.body().to_vec()).collect();
///     assert_eq!(bytes, b"hello");
/// }
/// ```
#[derive(Debug)]
pub struct Queued<'a> {
    outbox: &'a Outbox,
    place: &'a mut QueuedPlace,
}

/// How far an outbox was [read](Outbox::read_from), counted from its first message.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueuedPlace {
    /// How many messages of those that are still there were read.
    messages: usize,
    cursor: Cursor,
    /// How many bytes were read, counted as in `Outbox::put`.
    bytes: usize,
}

/// The bytes of a message that waits, in parts. Only a body that was shared is a shared part.
#[derive(Debug)]
pub struct QueuedMessage<'a> {
    outbox: &'a Outbox,
    cursor: Cursor,
    left: usize,
}

impl<'a> Queued<'a> {
    /// Reads the next message; `None` if all were read.
    pub fn next_message(&mut self) -> Option<QueuedMessage<'a>> {
        let end = *self.outbox.ends.get(self.place.messages)?;
        let left = end - self.place.bytes;
        let message = QueuedMessage { outbox: self.outbox, cursor: self.place.cursor, left };
        self.outbox.advance(&mut self.place.cursor, left);
        self.place.bytes = end;
        self.place.messages += 1;
        Some(message)
    }
}

impl QueuedPlace {
    /// Notes that so many messages that were read are not in the outbox any more.
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

/// Bodies from this length on are chained by reference instead of being copied beside their header.
const CHAIN_MIN: usize = 4096;
/// How much memory a quiet outbox keeps: what a thousand small messages take, so that a connection whose queue is full now and
/// again does not grow it each time.
const RETAIN: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(outbox: &mut Outbox, id: u8, len: usize) -> Vec<u8> {
        let body = Bytes::from(vec![id; len]);
        outbox.put(&[id, 0xff]);
        outbox.put_shared(&body);
        outbox.end_message();
        [&[id, 0xff], &*body].concat()
    }

    fn written(outbox: &Outbox) -> Vec<u8> {
        outbox.slices().collect::<Vec<_>>().concat()
    }

    #[test]
    fn every_cut_leaves_the_rest_and_rewinds_to_a_boundary() {
        let lens = [3, CHAIN_MIN, 0, CHAIN_MIN + 1, CHAIN_MIN, 7];
        let mut probe = Outbox::new();
        let bodies: Vec<_> = lens.iter().zip(1..).map(|(&len, id)| message(&mut probe, id, len)).collect();
        let whole = bodies.concat();
        let mut starts = vec![0];
        bodies.iter().for_each(|body| starts.push(starts[starts.len() - 1] + body.len()));

        for cut in (0..whole.len()).filter(|cut| cut % 97 < 3 || whole.len() - cut < 20) {
            let mut outbox = Outbox::new();
            lens.iter().zip(1..).for_each(|(&len, id)| drop(message(&mut outbox, id, len)));
            outbox.consume(cut / 2);
            outbox.consume(cut - cut / 2);
            assert_eq!(written(&outbox), whole[cut..], "cut at {cut}");
            assert!(whole[cut..].starts_with(outbox.chunk()) && !outbox.chunk().is_empty());
            let done = starts.iter().filter(|&&start| start <= cut).count() - 1;
            assert_eq!(outbox.messages(), lens.len() - done);
            outbox.rewind();
            assert_eq!(written(&outbox), whole[starts[done]..]);
            assert_eq!(outbox.bytes(), whole.len() - starts[done]);
        }
    }

    #[test]
    fn attempts_are_counted_for_the_message_that_was_begun() {
        let mut outbox = Outbox::new();
        let first = message(&mut outbox, 1, 10).len();
        message(&mut outbox, 2, 20);
        message(&mut outbox, 3, 30);
        outbox.rewind();
        assert_eq!(outbox.first_attempts(), 0, "nothing was begun");
        outbox.consume(first + 1);
        outbox.rewind();
        outbox.consume(1);
        outbox.rewind();
        assert_eq!(outbox.first_attempts(), 2);
        let mut next = Outbox::new();
        message(&mut next, 9, 5);
        next.append(&outbox);
        assert_eq!(next.attempts().collect::<Vec<_>>(), [(1, 2)]);
        assert_eq!(next.first_attempts(), 0);
        assert_eq!(next.drop_first(), 7);
        assert_eq!(next.first_attempts(), 2);
        assert_eq!((next.drop_first(), next.first_attempts(), next.messages()), (22, 0, 1));
        next.note_attempts(3);
        assert_eq!(next.first_attempts(), 3);
        next.consume(next.bytes());
        assert_eq!((next.first_attempts(), next.attempts().count()), (0, 0));
    }

    #[test]
    fn small_messages_are_one_slice_and_large_bodies_are_shared() {
        let mut outbox = Outbox::new();
        for id in 0..100 {
            message(&mut outbox, id, 64);
        }
        assert!(outbox.is_contiguous());
        assert_eq!(outbox.slices().count(), 1);
        let body = Bytes::from(vec![1; CHAIN_MIN]);
        outbox.put_shared(&body);
        outbox.end_message();
        assert!(outbox.slices().any(|slice| slice.as_ptr() == body.as_ptr()));
    }

    #[test]
    fn a_fan_out_copies_small_and_shares_large_bodies() {
        let mut one = Outbox::new();
        let expected =
            [message(&mut one, 1, 9), message(&mut one, 2, CHAIN_MIN), message(&mut one, 3, 1)].concat();
        let mut target = Outbox::new();
        let before = message(&mut target, 9, 30);
        target.append(&one);
        target.append(&one);
        assert_eq!(written(&target), [&*before, &*expected, &*expected].concat());
        assert_eq!(target.messages(), 7);
        target.consume(before.len() + 11);
        assert_eq!(target.messages(), 5);
    }

    #[test]
    fn the_start_of_a_block_is_put_and_nothing_behind_it() {
        let block: [u8; 72] = std::array::from_fn(|n| n as u8);
        let (mut started, mut put) = (Outbox::new(), Outbox::new());
        for len in 0..=block.len() {
            started.put_start(&block, len);
            put.put(&block[..len]);
            if len % 3 == 0 {
                started.end_message();
                put.end_message();
            }
        }
        assert_eq!(written(&started), written(&put));
        assert_eq!((started.bytes(), started.messages()), (put.bytes(), put.messages()));
        assert!(started.is_contiguous());
    }

    #[test]
    #[should_panic(expected = "9 bytes of a block of 8")]
    fn a_block_has_no_more_than_its_length() {
        Outbox::new().put_start(&[0; 8], 9);
    }

    #[test]
    fn a_run_is_its_messages_whether_it_is_shared_or_copied() {
        let ends = [3, 4, 10, CHAIN_MIN, CHAIN_MIN + 1];
        let run: Vec<_> = (0..=CHAIN_MIN).map(|n| (n % 251) as u8).collect();
        let run = Bytes::from(run);
        for shared in [true, false] {
            let fill = || {
                let mut outbox = Outbox::new();
                message(&mut outbox, 1, 5);
                match shared {
                    true => outbox.put_run(run.clone(), ends.into_iter()),
                    false => outbox.copy_run(&run, ends.into_iter()),
                }
                message(&mut outbox, 2, 5);
                outbox
            };
            let outbox = fill();
            let whole = [&[1, 0xff, 1, 1, 1, 1, 1], &*run, &[2, 0xff, 2, 2, 2, 2, 2]].concat();
            assert_eq!(
                (written(&outbox), outbox.bytes(), outbox.messages()),
                (whole.clone(), whole.len(), 7)
            );
            assert_eq!(outbox.slices().any(|slice| slice.as_ptr() == run.as_ptr()), shared);
            assert_eq!(outbox.is_contiguous(), !shared);
            let starts = [0, 7].into_iter().chain(ends.iter().map(|end| 7 + end)).chain([whole.len()]);
            let starts: Vec<_> = starts.collect();
            for cut in 0..whole.len() {
                let mut outbox = fill();
                outbox.consume(cut);
                let done = starts.iter().rposition(|start| *start <= cut).expect("the first starts at 0");
                assert_eq!(outbox.messages(), 7 - done, "cut at {cut}");
                outbox.rewind();
                assert_eq!(written(&outbox), whole[starts[done]..], "cut at {cut}");
            }
            let mut target = fill();
            target.append(&fill());
            assert_eq!((written(&target), target.messages()), ([&*whole, &*whole].concat(), 14));
        }
    }

    #[test]
    fn segments_are_what_waits_and_share_it() {
        let mut outbox = Outbox::new();
        let run = Bytes::from(vec![3; CHAIN_MIN]);
        message(&mut outbox, 1, 5);
        outbox.put_run(run.clone(), [CHAIN_MIN].into_iter());
        message(&mut outbox, 2, CHAIN_MIN);
        message(&mut outbox, 3, 5);
        let all = written(&outbox);
        for cut in [0, 1, 7, 8, 7 + CHAIN_MIN, 10 + CHAIN_MIN, all.len()] {
            let mut rest = Outbox::new();
            rest.append(&outbox);
            rest.consume(cut);
            let mut segments = rest.into_segments();
            assert_eq!(segments.len(), all.len() - cut);
            assert_eq!(segments.take(all.len() - cut).unwrap_or_default(), all[cut..]);
        }
        let mut segments = outbox.into_segments();
        segments.advance(7);
        assert_eq!(segments.chunk().as_ptr(), run.as_ptr());
    }

    #[test]
    fn one_slice_is_one_whether_it_is_shared_or_not() {
        let run = || Bytes::from_static(b"one run");
        let mut outbox = Outbox::new();
        assert!(outbox.is_one_slice(), "none needs no more than one");
        outbox.put_run(run(), [7].into_iter());
        assert!(outbox.is_one_slice() && !outbox.is_contiguous());
        outbox.consume(3);
        assert!(outbox.is_one_slice());
        outbox.copy_run(b"and another", [11].into_iter());
        assert!(!outbox.is_one_slice());
        outbox.consume(4);
        assert!(outbox.is_one_slice() && outbox.is_contiguous());
        outbox.put_run(run(), [7].into_iter());
        assert!(!outbox.is_one_slice());
        outbox.consume(11);
        assert!(outbox.is_one_slice() && !outbox.is_contiguous());
        outbox.put_run(run(), [7].into_iter());
        assert!(!outbox.is_one_slice(), "two that are shared");
    }

    #[test]
    fn memory_is_given_back_when_empty() {
        let mut outbox = Outbox::new();
        for _ in 0..1000 {
            message(&mut outbox, 1, 1000);
        }
        outbox.shrink();
        assert!(!outbox.is_empty());
        outbox.consume(outbox.bytes());
        outbox.shrink();
        assert_eq!(outbox.small.capacity(), 0);
    }
}
