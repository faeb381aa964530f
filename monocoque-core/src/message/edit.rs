//! Changes of a message: inserting, removing and splitting.

use std::ops::{Bound, RangeBounds};

use super::{Message, Repr};
use crate::Frame;

impl Message {
    /// Removes the first `n` frames, or all if there are fewer, and returns them as a message.
    pub fn split_front(&mut self, n: usize) -> Self {
        let n = n.min(self.len());
        match &mut self.0 {
            Repr::Inline(_) => std::iter::from_fn(|| self.pop_front()).take(n).collect(),
            Repr::Rope(rope) => Self(Repr::Rope(rope.drain(..n).collect())),
        }
    }

    /// Removes the frames from `at` on and returns them as a message, which is empty if there are
    /// none.
    pub fn split_off(&mut self, at: usize) -> Self {
        let front = self.split_front(at);
        std::mem::replace(self, front)
    }

    /// Inserts a frame in front of the one at `index`, or at the end.
    ///
    /// ```
    /// use monocoque_core::Message;
    ///
    /// let mut message = Message::from(["id", "body"]);
    /// message.insert(1, "");
    /// assert_eq!(message, ["id", "", "body"]);
    /// ```
    ///
    /// # Panics
    ///
    /// If there are fewer than `index` frames.
    #[expect(clippy::panic, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn insert(&mut self, index: usize, frame: impl Into<Frame>) {
        if index > self.len() {
            panic!("frame inserted at {index} into a message of {} frames", self.len());
        }
        let behind = self.split_off(index);
        self.push_back(frame);
        self.append(&behind);
    }

    /// Removes and returns the frame at `index`, if there is one.
    pub fn remove(&mut self, index: usize) -> Option<Frame> {
        let mut behind = self.split_off(index);
        let removed = behind.pop_front();
        self.append(&behind);
        removed
    }

    /// Replaces the frame at `index`, and returns the old one. Without one, nothing changes.
    pub fn replace(&mut self, index: usize, frame: impl Into<Frame>) -> Option<Frame> {
        let mut behind = self.split_off(index);
        let replaced = behind.pop_front();
        if replaced.is_some() {
            self.push_back(frame);
        }
        self.append(&behind);
        replaced
    }

    /// Removes the frames from `len` on.
    pub fn truncate(&mut self, len: usize) {
        drop(self.split_off(len));
    }

    /// Removes all frames.
    pub fn clear(&mut self) {
        match &mut self.0 {
            Repr::Inline(_) => *self = Self::new(),
            Repr::Rope(rope) => rope.clear(),
        }
    }

    /// Returns a message of some of the frames: `m.slice(1..)`. Long frames are shared. Frames lie
    /// in the message itself, so that there is no slice of them, and no `m[1..]`.
    ///
    /// # Panics
    ///
    /// If the range ends behind the last frame, or before it starts.
    #[expect(clippy::panic, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => self.len(),
        };
        if start > end || end > self.len() {
            panic!("frames {start}..{end} of a message of {} frames", self.len());
        }
        let mut slice = Self::new();
        self.parts().skip(start).take(end - start).for_each(|part| slice.push_part(part));
        slice
    }
}
