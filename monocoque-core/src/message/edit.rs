//! Changes of a message: inserting, removing and splitting.

use std::ops::{Bound, Range, RangeBounds};

use super::{IntoIter, Message, MessageFrames, Repr};
use crate::Frame;
use crate::frame::FrameBytes;

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

    /// Exchanges the frames at two places. Short frames are copied.
    ///
    /// # Panics
    ///
    /// If there is no frame at one of them.
    #[expect(clippy::panic, reason = "documented, with `# Panics`: the caller's mistake")]
    pub fn swap(&mut self, a: usize, b: usize) {
        let frames = self.len();
        if a.max(b) >= frames {
            panic!("frames {a} and {b} of a message of {frames} frames");
        }
        let mut frames = Vec::<Frame>::from(std::mem::take(self));
        frames.swap(a, b);
        *self = frames.into();
    }

    /// Removes the frames for which `keep` returns false.
    ///
    /// ```
    /// use monocoque_core::Message;
    ///
    /// let mut message = Message::from(["id", "", "body"]);
    /// message.retain(|frame| !frame.is_empty());
    /// assert_eq!(message, ["id", "body"]);
    /// ```
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8]) -> bool) {
        let mut kept = Self::new();
        self.parts().filter(|part| keep(part.body())).for_each(|part| kept.push_part(part));
        *self = kept;
    }

    /// Removes the frames in a range, and returns them: all at once, also if the iterator is
    /// dropped early.
    ///
    /// # Panics
    ///
    /// If the range ends behind the last frame, or before it starts.
    pub fn drain(&mut self, range: impl RangeBounds<usize>) -> IntoIter {
        let Range { start, end } = self.range(range);
        let mut drained = self.split_off(start);
        self.append(&drained.split_off(end - start));
        drained.into_iter()
    }

    /// Returns whether a frame has these bytes or this text.
    pub fn contains(&self, frame: impl FrameBytes) -> bool {
        self.iter().any(|body| body == frame.frame_bytes())
    }

    /// Returns whether the first frames are these: a value of one frame, or an array, a tuple or a
    /// vector of more.
    ///
    /// ```
    /// use monocoque_core::Message;
    ///
    /// let message = Message::from(["id", "", "body"]);
    /// assert!(message.starts_with("id") && message.starts_with(["id", ""]));
    /// ```
    pub fn starts_with(&self, frames: impl MessageFrames) -> bool {
        let mut own = self.iter();
        frames.message_frames().all(|frame| own.next() == Some(frame))
    }

    /// Returns the first frame, and a message of the others, which shares long frames and copies
    /// short ones; `None` if there is no frame.
    pub fn split_first(&self) -> Option<(&[u8], Self)> {
        Some((self.first()?, self.slice(1..)))
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
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let Range { start, end } = self.range(range);
        let mut slice = Self::new();
        self.parts().skip(start).take(end - start).for_each(|part| slice.push_part(part));
        slice
    }

    /// Returns the range, of which the caller promises that there are such frames.
    #[expect(clippy::panic, reason = "documented, with `# Panics`: the caller's mistake")]
    fn range(&self, range: impl RangeBounds<usize>) -> Range<usize> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => self.len(),
        };
        if start > end || end > self.len() {
            panic!("frames {start}..{end} of a message of {} frames", self.len());
        }
        start..end
    }
}
