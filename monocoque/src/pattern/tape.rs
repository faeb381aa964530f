//! What goes to many: encoded once, and put into the outboxes in one piece when a pump comes for it.
//!
//! A publisher records its messages on a tape. Each link only notes from where to where it is to get them, so that a message
//! costs a link next to nothing, however many links there are. When a pump takes a long stretch, the tape is cut: it
//! becomes shared memory, of which each link gets its piece. Short stretches are copied.

use std::ops::Range;

use bytes::Bytes;
use monocoque_core::{Outbox, PeerKey};

/// Messages that wait for at least one link.
#[derive(Debug, Default)]
pub(super) struct Tape {
    bytes: Vec<u8>,
    /// Where each message ends.
    ends: Vec<usize>,
    /// Links that have, or had, a stretch of it.
    users: Vec<PeerKey>,
}

/// What a link gets of the tape.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    messages: Range<usize>,
    pub(super) bytes: usize,
}

/// A tape that was cut: nothing is added to it any more.
#[derive(Debug)]
pub(super) struct Cut {
    bytes: Bytes,
    /// How much memory whoever has a piece keeps.
    memory: usize,
    ends: Vec<usize>,
    pub(super) users: Vec<PeerKey>,
}

impl Tape {
    /// Adds an encoded message, and says which one it is.
    pub(super) fn record(&mut self, message: &[u8]) -> usize {
        self.bytes.extend_from_slice(message);
        self.ends.push(self.bytes.len());
        self.ends.len() - 1
    }

    /// Gives a link one more message, and says how long that is. What it had before one that it did not get is copied to its
    /// outbox.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the message is the last one on the tape")]
    pub(super) fn extend(
        &mut self,
        key: PeerKey,
        stretch: &mut Stretch,
        message: usize,
        outbox: &mut Outbox,
    ) -> usize {
        if stretch.messages.end != message || stretch.is_empty() {
            self.copy(stretch, outbox);
            stretch.messages = message..message;
            self.users.push(key);
        }
        let len = self.ends[message] - start(&self.ends, message);
        stretch.messages.end += 1;
        stretch.bytes += len;
        len
    }

    /// Whether it is long enough to be cut before the next message.
    pub(super) fn is_long(&self) -> bool {
        self.bytes.len() >= LENGTH_MAX
    }

    /// Moves a stretch to an outbox, by copy.
    #[expect(clippy::indexing_slicing, reason = "a stretch lies on its tape")]
    pub(super) fn copy(&self, stretch: &mut Stretch, outbox: &mut Outbox) {
        let Stretch { messages, bytes } = std::mem::take(stretch);
        let from = start(&self.ends, messages.start);
        outbox.put_copied_messages(
            &self.bytes[from..from + bytes],
            self.ends[messages].iter().map(|end| end - from),
        );
    }

    /// Shares what is on it, and starts anew.
    pub(super) fn cut(&mut self) -> Cut {
        let (bytes, ends) = (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.ends.len()));
        let Self { bytes, ends, users } = std::mem::replace(self, Self { bytes, ends, users: Vec::new() });
        Cut { memory: bytes.capacity(), bytes: bytes.into(), ends, users }
    }
}

impl Cut {
    /// Moves a stretch to an outbox: by reference if it is a good part of the tape, all of which that keeps.
    #[expect(clippy::indexing_slicing, reason = "a stretch lies on the tape that was cut")]
    pub(super) fn share(&self, stretch: &mut Stretch, outbox: &mut Outbox) {
        let Stretch { messages, bytes } = std::mem::take(stretch);
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

impl Stretch {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    #[inline]
    pub(super) fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Whether a cut is worth its while.
    pub(super) fn is_long(&self) -> bool {
        self.bytes >= SHARE_MIN
    }
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "a stretch lies on its tape")]
fn start(ends: &[usize], message: usize) -> usize {
    message.checked_sub(1).map_or(0, |before| ends[before])
}

/// From which length on a stretch is shared instead of being copied.
const SHARE_MIN: usize = 4096;
/// How long a tape gets that nobody comes for.
const LENGTH_MAX: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of a tape, and what it is to end up with.
    #[derive(Debug)]
    struct User {
        key: PeerKey,
        stretch: Stretch,
        outbox: Outbox,
        expected: Vec<u8>,
        messages: usize,
    }

    impl User {
        fn new(slot: u32) -> Self {
            let (stretch, outbox) = (Stretch::default(), Outbox::new());
            Self { key: PeerKey::new(slot, 1), stretch, outbox, expected: Vec::new(), messages: 0 }
        }

        fn gets(&mut self, tape: &mut Tape, place: usize, message: &[u8]) {
            let len = tape.extend(self.key, &mut self.stretch, place, &mut self.outbox);
            assert_eq!(len, message.len());
            self.expected.extend_from_slice(message);
            self.messages += 1;
            assert_eq!(self.outbox.messages() + self.stretch.messages(), self.messages);
            assert_eq!(self.outbox.bytes() + self.stretch.bytes, self.expected.len());
        }

        /// All it has got is in the outbox: whole, in order, and each a message of its own.
        fn check(&mut self, lens: &[usize]) {
            assert!(self.stretch.is_empty());
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

    /// Records a message of `len` bytes, for `users`.
    fn record(tape: &mut Tape, len: usize, users: &mut [&mut User]) {
        let message: Vec<_> = (0..len).map(|n| (n + len) as u8).collect();
        let place = tape.record(&message);
        users.iter_mut().for_each(|user| user.gets(tape, place, &message));
    }

    #[test]
    fn a_copy_is_what_was_recorded_for_the_link() {
        let (mut tape, mut early, mut late) = (Tape::default(), User::new(0), User::new(1));
        record(&mut tape, 10, &mut [&mut early]);
        record(&mut tape, 20, &mut [&mut early, &mut late]);
        record(&mut tape, 2, &mut [&mut early, &mut late]);
        tape.copy(&mut early.stretch, &mut early.outbox);
        record(&mut tape, 30, &mut [&mut late, &mut early]);
        for user in [&mut early, &mut late] {
            tape.copy(&mut user.stretch, &mut user.outbox);
            assert!(user.outbox.is_contiguous());
        }
        tape.copy(&mut late.stretch, &mut late.outbox);
        early.check(&[10, 20, 2, 30]);
        late.check(&[20, 2, 30]);
    }

    #[test]
    fn what_lies_between_two_messages_of_a_link_is_left_out() {
        let (mut tape, mut all, mut some) = (Tape::default(), User::new(0), User::new(1));
        for n in 0..100 {
            let mut both = [&mut all, &mut some];
            let users = if n % 7 < 3 { 2 } else { 1 };
            record(&mut tape, 100 + n, &mut both[..users]);
        }
        let cut = tape.cut();
        for user in [&mut all, &mut some] {
            cut.share(&mut user.stretch, &mut user.outbox);
        }
        all.check(&(100..200).collect::<Vec<_>>());
        some.check(&(0..100).filter(|n| n % 7 < 3).map(|n| 100 + n).collect::<Vec<_>>());
    }

    #[test]
    fn all_links_share_what_was_cut() {
        let mut tape = Tape::default();
        let mut users: Vec<_> = (0..3).map(User::new).collect();
        let lens: Vec<_> = (0..20).map(|n| 500 + n).collect();
        for (n, len) in lens.iter().enumerate() {
            // The last one comes late.
            let there = if n < 5 { 2 } else { 3 };
            record(&mut tape, *len, &mut users[..there].iter_mut().collect::<Vec<_>>());
        }
        let cut = tape.cut();
        assert_eq!(cut.users, users.iter().map(|user| user.key).collect::<Vec<_>>());
        let whole = cut.bytes.as_ptr_range();
        for (user, skipped) in users.iter_mut().zip([0, 0, 5]) {
            assert!(user.stretch.is_long());
            cut.share(&mut user.stretch, &mut user.outbox);
            let piece = user.outbox.chunk().as_ptr_range();
            assert!(user.outbox.is_one_slice() && !user.outbox.is_contiguous());
            assert_eq!((piece.end, whole.contains(&piece.start)), (whole.end, true));
            // Some are listed twice.
            cut.share(&mut user.stretch, &mut user.outbox);
            user.check(&lens[skipped..]);
        }
        assert!(cut.bytes.is_unique(), "it lasts as long as somebody has not written it");
    }

    #[test]
    fn a_short_stretch_does_not_keep_a_long_tape() {
        let (mut tape, mut all, mut some) = (Tape::default(), User::new(0), User::new(1));
        (0..32).for_each(|_| record(&mut tape, 1024, &mut [&mut all]));
        (0..8).for_each(|_| record(&mut tape, 1024, &mut [&mut all, &mut some]));
        let cut = tape.cut();
        assert!(some.stretch.is_long(), "long enough, were it not for the rest");
        cut.share(&mut some.stretch, &mut some.outbox);
        assert!(some.outbox.is_contiguous() && cut.bytes.is_unique());
        cut.share(&mut all.stretch, &mut all.outbox);
        assert!(!cut.bytes.is_unique());
        some.check(&[1024; 8]);
        all.check(&[1024; 40]);
    }

    #[test]
    fn little_is_copied_be_it_all_there_is() {
        let (mut tape, mut user) = (Tape::default(), User::new(0));
        record(&mut tape, SHARE_MIN - 1, &mut [&mut user]);
        assert!(!user.stretch.is_long());
        let cut = tape.cut();
        cut.share(&mut user.stretch, &mut user.outbox);
        assert!(user.outbox.is_contiguous() && cut.bytes.is_unique());
        user.check(&[SHARE_MIN - 1]);
    }

    #[test]
    fn a_tape_starts_anew_where_it_was_cut() {
        let (mut tape, mut user) = (Tape::default(), User::new(0));
        for _ in 0..3 {
            while !tape.is_long() {
                record(&mut tape, 1000, &mut [&mut user]);
            }
            let cut = tape.cut();
            assert_eq!(cut.bytes.len(), LENGTH_MAX.next_multiple_of(1000));
            assert!(cut.users == [user.key] && !tape.is_long());
            cut.share(&mut user.stretch, &mut user.outbox);
        }
        assert_eq!(tape.record(b"first"), 0);
        user.check(&vec![1000; user.messages]);
    }
}
