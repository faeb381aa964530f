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
    pub(super) fn copy(&self, stretch: &mut Stretch, outbox: &mut Outbox) {
        let Stretch { messages, bytes } = std::mem::take(stretch);
        let from = start(&self.ends, messages.start);
        outbox.copy_run(&self.bytes[from..from + bytes], self.ends[messages].iter().map(|end| end - from));
    }

    /// Shares what is on it, and starts anew.
    pub(super) fn cut(&mut self) -> Cut {
        let (bytes, ends) = (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.ends.len()));
        let Self { bytes, ends, users } = std::mem::replace(self, Self { bytes, ends, users: Vec::new() });
        Cut { bytes: bytes.into(), ends, users }
    }
}

impl Cut {
    /// Moves a stretch to an outbox: by reference if it is a good part of the tape, all of which that keeps.
    pub(super) fn share(&self, stretch: &mut Stretch, outbox: &mut Outbox) {
        let Stretch { messages, bytes } = std::mem::take(stretch);
        if messages.is_empty() {
            return;
        }
        let from = start(&self.ends, messages.start);
        let piece = from..from + bytes;
        let ends = self.ends[messages].iter().map(|end| end - from);
        if bytes >= SHARE_MIN && bytes >= self.bytes.len() / 4 {
            outbox.put_run(self.bytes.slice(piece), ends);
        } else {
            outbox.copy_run(&self.bytes[piece], ends);
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
fn start(ends: &[usize], message: usize) -> usize {
    message.checked_sub(1).map_or(0, |before| ends[before])
}

/// From which length on a stretch is shared instead of being copied.
const SHARE_MIN: usize = 4096;
/// How long a tape gets that nobody comes for.
const LENGTH_MAX: usize = 256 * 1024;
