//! The broadcast log: messages to many links, encoded once and added to each outbox in one piece.
//!
//! A publisher appends its messages to the log. Each link only records the range that it is to get,
//! so that the cost of a message does not depend on its number of links. When a pump takes a long
//! segment, the log is sealed: it becomes shared memory, and each link gets a slice of it. Short
//! segments are copied.

use std::ops::Range;

use bytes::Bytes;
use monocoque_core::{Outbox, PeerKey};

/// Encoded messages that wait for at least one link.
#[derive(Debug, Default)]
pub(super) struct BroadcastLog {
    bytes: Vec<u8>,
    /// The offset of the end of each message.
    ends: Vec<usize>,
    /// Links that have, or had, a segment of the log. A link may be listed twice.
    users: Vec<PeerKey>,
}

/// The range of the log that one link gets.
#[derive(Debug, Default)]
pub(super) struct Segment {
    messages: Range<usize>,
    pub(super) bytes: usize,
}

/// A sealed log: no message is added any more.
#[derive(Debug)]
pub(super) struct SealedBatch {
    bytes: Bytes,
    /// The number of bytes that a slice keeps allocated.
    memory: usize,
    ends: Vec<usize>,
    pub(super) users: Vec<PeerKey>,
}

impl BroadcastLog {
    /// Appends an encoded message. Returns its index.
    pub(super) fn append(&mut self, message: &[u8]) -> usize {
        self.bytes.extend_from_slice(message);
        self.ends.push(self.bytes.len());
        self.ends.len() - 1
    }

    /// Extends the segment of a link by a message. Returns the length of the message. If the link
    /// did not get the message before it, the old segment is copied to the outbox first.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the message is the last one on the log")]
    pub(super) fn extend(
        &mut self,
        key: PeerKey,
        segment: &mut Segment,
        message: usize,
        outbox: &mut Outbox,
    ) -> usize {
        if segment.messages.end != message || segment.is_empty() {
            self.copy(segment, outbox);
            segment.messages = message..message;
            self.users.push(key);
        }
        let len = self.ends[message] - start(&self.ends, message);
        segment.messages.end += 1;
        segment.bytes += len;
        len
    }

    /// Returns whether the log is to be sealed before the next message.
    pub(super) fn is_long(&self) -> bool {
        self.bytes.len() >= LENGTH_MAX
    }

    /// Moves a segment to an outbox, by copy.
    #[expect(clippy::indexing_slicing, reason = "a segment lies on its log")]
    pub(super) fn copy(&self, segment: &mut Segment, outbox: &mut Outbox) {
        let Segment { messages, bytes } = std::mem::take(segment);
        let from = start(&self.ends, messages.start);
        outbox.put_copied_messages(
            &self.bytes[from..from + bytes],
            self.ends[messages].iter().map(|end| end - from),
        );
    }

    /// Seals the log, and starts an empty one.
    pub(super) fn seal(&mut self) -> SealedBatch {
        let (bytes, ends) = (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.ends.len()));
        let Self { bytes, ends, users } = std::mem::replace(self, Self { bytes, ends, users: Vec::new() });
        SealedBatch { memory: bytes.capacity(), bytes: bytes.into(), ends, users }
    }
}

impl SealedBatch {
    /// Moves a segment to an outbox: by reference if it is at least a quarter of the memory that it
    /// keeps allocated, else by copy.
    #[expect(clippy::indexing_slicing, reason = "a segment lies on the log that was cut")]
    pub(super) fn share(&self, segment: &mut Segment, outbox: &mut Outbox) {
        let Segment { messages, bytes } = std::mem::take(segment);
        if messages.is_empty() {
            return;
        }
        let from = start(&self.ends, messages.start);
        let piece = from..from + bytes;
        let ends = self.ends[messages].iter().map(|end| end - from);
        if bytes >= SHARE_MIN && bytes >= self.memory / 4 {
            outbox.put_shared_messages(self.bytes.slice(piece), ends);
        } else {
            outbox.put_copied_messages(&self.bytes[piece], ends);
        }
    }
}

impl Segment {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    #[inline]
    pub(super) fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Returns whether the segment is long enough to be shared.
    pub(super) fn is_long(&self) -> bool {
        self.bytes >= SHARE_MIN
    }
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "a segment lies on its log")]
fn start(ends: &[usize], message: usize) -> usize {
    message.checked_sub(1).map_or(0, |before| ends[before])
}

/// The minimum length of a segment that is shared instead of copied, in bytes.
const SHARE_MIN: usize = 4096;
/// The length at which a log is sealed although no pump has come for it, in bytes.
const LENGTH_MAX: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of a log, and its expected output.
    #[derive(Debug)]
    struct User {
        key: PeerKey,
        segment: Segment,
        outbox: Outbox,
        expected: Vec<u8>,
        messages: usize,
    }

    impl User {
        fn new(slot: u32) -> Self {
            let (segment, outbox) = (Segment::default(), Outbox::new());
            Self { key: PeerKey::new(slot, 1), segment, outbox, expected: Vec::new(), messages: 0 }
        }

        fn gets(&mut self, log: &mut BroadcastLog, place: usize, message: &[u8]) {
            let len = log.extend(self.key, &mut self.segment, place, &mut self.outbox);
            assert_eq!(len, message.len());
            self.expected.extend_from_slice(message);
            self.messages += 1;
            assert_eq!(self.outbox.messages() + self.segment.messages(), self.messages);
            assert_eq!(self.outbox.bytes() + self.segment.bytes, self.expected.len());
        }

        /// Asserts that all messages of the link are in the outbox: whole, in order, each with its
        /// own end.
        fn check(&mut self, lens: &[usize]) {
            assert!(self.segment.is_empty());
            assert_eq!(self.outbox.slices().collect::<Vec<_>>().concat(), self.expected);
            for len in lens {
                let left = self.outbox.messages();
                self.outbox.consume(len - 1);
                assert_eq!(self.outbox.messages(), left);
                self.outbox.consume(1);
            }
            assert_eq!((self.outbox.messages(), self.outbox.bytes()), (0, 0));
        }
    }

    /// Appends a message of `len` bytes for `users`.
    fn record(log: &mut BroadcastLog, len: usize, users: &mut [&mut User]) {
        let message: Vec<_> = (0..len).map(|n| (n + len) as u8).collect();
        let place = log.append(&message);
        users.iter_mut().for_each(|user| user.gets(log, place, &message));
    }

    #[test]
    fn copied_span_matches_recorded_messages() {
        let (mut log, mut early, mut late) = (BroadcastLog::default(), User::new(0), User::new(1));
        record(&mut log, 10, &mut [&mut early]);
        record(&mut log, 20, &mut [&mut early, &mut late]);
        record(&mut log, 2, &mut [&mut early, &mut late]);
        log.copy(&mut early.segment, &mut early.outbox);
        record(&mut log, 30, &mut [&mut late, &mut early]);
        for user in [&mut early, &mut late] {
            log.copy(&mut user.segment, &mut user.outbox);
            assert!(user.outbox.is_contiguous());
        }
        log.copy(&mut late.segment, &mut late.outbox);
        early.check(&[10, 20, 2, 30]);
        late.check(&[20, 2, 30]);
    }

    #[test]
    fn span_skips_unmatched_messages() {
        let (mut log, mut all, mut some) = (BroadcastLog::default(), User::new(0), User::new(1));
        for n in 0..100 {
            let mut both = [&mut all, &mut some];
            let users = if n % 7 < 3 { 2 } else { 1 };
            record(&mut log, 100 + n, &mut both[..users]);
        }
        let sealed = log.seal();
        for user in [&mut all, &mut some] {
            sealed.share(&mut user.segment, &mut user.outbox);
        }
        all.check(&(100..200).collect::<Vec<_>>());
        some.check(&(0..100).filter(|n| n % 7 < 3).map(|n| 100 + n).collect::<Vec<_>>());
    }

    #[test]
    fn links_share_one_segment() {
        let mut log = BroadcastLog::default();
        let mut users: Vec<_> = (0..3).map(User::new).collect();
        let lens: Vec<_> = (0..20).map(|n| 500 + n).collect();
        for (n, len) in lens.iter().enumerate() {
            // The last link joins late.
            let there = if n < 5 { 2 } else { 3 };
            record(&mut log, *len, &mut users[..there].iter_mut().collect::<Vec<_>>());
        }
        let sealed = log.seal();
        assert_eq!(sealed.users, users.iter().map(|user| user.key).collect::<Vec<_>>());
        let whole = sealed.bytes.as_ptr_range();
        for (user, skipped) in users.iter_mut().zip([0, 0, 5]) {
            assert!(user.segment.is_long());
            sealed.share(&mut user.segment, &mut user.outbox);
            let piece = user.outbox.chunk().as_ptr_range();
            assert!(user.outbox.is_one_slice() && !user.outbox.is_contiguous());
            assert_eq!((piece.end, whole.contains(&piece.start)), (whole.end, true));
            // Some links are listed twice.
            sealed.share(&mut user.segment, &mut user.outbox);
            user.check(&lens[skipped..]);
        }
        assert!(sealed.bytes.is_unique(), "it lasts as long as somebody has not written it");
    }

    #[test]
    fn short_span_is_copied() {
        let (mut log, mut all, mut some) = (BroadcastLog::default(), User::new(0), User::new(1));
        (0..32).for_each(|_| record(&mut log, 1024, &mut [&mut all]));
        (0..8).for_each(|_| record(&mut log, 1024, &mut [&mut all, &mut some]));
        let sealed = log.seal();
        assert!(some.segment.is_long(), "long enough, were it not for the rest");
        sealed.share(&mut some.segment, &mut some.outbox);
        assert!(some.outbox.is_contiguous() && sealed.bytes.is_unique());
        sealed.share(&mut all.segment, &mut all.outbox);
        assert!(!sealed.bytes.is_unique());
        some.check(&[1024; 8]);
        all.check(&[1024; 40]);
    }

    #[test]
    fn small_segment_is_always_copied() {
        let (mut log, mut user) = (BroadcastLog::default(), User::new(0));
        record(&mut log, SHARE_MIN - 1, &mut [&mut user]);
        assert!(!user.segment.is_long());
        let sealed = log.seal();
        sealed.share(&mut user.segment, &mut user.outbox);
        assert!(user.outbox.is_contiguous() && sealed.bytes.is_unique());
        user.check(&[SHARE_MIN - 1]);
    }

    #[test]
    fn log_restarts_after_segment() {
        let (mut log, mut user) = (BroadcastLog::default(), User::new(0));
        for _ in 0..3 {
            while !log.is_long() {
                record(&mut log, 1000, &mut [&mut user]);
            }
            let sealed = log.seal();
            assert_eq!(sealed.bytes.len(), LENGTH_MAX.next_multiple_of(1000));
            assert!(sealed.users == [user.key] && !log.is_long());
            sealed.share(&mut user.segment, &mut user.outbox);
        }
        assert_eq!(log.append(b"first"), 0);
        user.check(&vec![1000; user.messages]);
    }
}
