//! Received bytes that wait to be decoded.
//!
//! A rope: reads push segments at the back, and a decoder takes bytes from the front. Bytes that
//! lie within one segment are taken without a copy.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// A rope of received [`Bytes`].
///
/// ```
/// use bytes::Bytes;
/// use monocoque_core::SegmentedBuffer;
///
/// let mut buffer = SegmentedBuffer::new();
/// buffer.push(Bytes::from_static(b"ab"));
/// buffer.push(Bytes::from_static(b"cd"));
/// assert_eq!(buffer.peek::<3>(), Some(*b"abc"));
/// assert_eq!(buffer.take(3).unwrap(), "abc");
/// assert_eq!(buffer.len(), 1);
/// ```
#[derive(Debug, Default)]
pub struct SegmentedBuffer {
    /// The first segment, of which `pos` bytes were taken.
    front: Bytes,
    pos: usize,
    rest: VecDeque<Bytes>,
    len: usize,
}

impl SegmentedBuffer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many bytes wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns true if no byte waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a segment at the back.
    pub fn push(&mut self, segment: Bytes) {
        if segment.is_empty() {
            return;
        }
        self.len += segment.len();
        if self.chunk().is_empty() {
            self.front = segment;
            self.pos = 0;
        } else {
            self.rest.push_back(segment);
        }
    }

    /// Returns the bytes up to the end of the first segment. They are empty only if the buffer is.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "`advance` keeps the position within the first segment")]
    pub fn chunk(&self) -> &[u8] {
        &self.front[self.pos..]
    }

    /// Returns the first `N` bytes, if that many wait.
    #[inline]
    pub fn peek<const N: usize>(&self) -> Option<[u8; N]> {
        if let Some(bytes) = self.chunk().first_chunk() {
            return Some(*bytes);
        }
        let mut bytes = [0; N];
        (self.peek_into(&mut bytes) == N).then_some(bytes)
    }

    /// Copies the first bytes into `target`, and returns how many there were.
    #[expect(clippy::indexing_slicing, reason = "at most the shorter of the two")]
    pub fn peek_into(&self, target: &mut [u8]) -> usize {
        let mut filled = 0;
        for segment in std::iter::once(self.chunk()).chain(self.rest.iter().map(|segment| &**segment)) {
            let n = segment.len().min(target.len() - filled);
            target[filled..filled + n].copy_from_slice(&segment[..n]);
            filled += n;
            if filled == target.len() {
                break;
            }
        }
        filled
    }

    /// Copies the bytes into memory of their own. A segment keeps all of the memory that it was
    /// read into.
    pub fn compact(&mut self) {
        let mut whole = BytesMut::zeroed(self.len);
        self.peek_into(&mut whole);
        *self = Self { front: whole.freeze(), pos: 0, rest: VecDeque::new(), len: self.len };
    }

    /// Drops the first `n` bytes.
    ///
    /// # Panics
    ///
    /// If fewer than `n` bytes wait.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.len, "advanced past the end of the buffer");
        self.len -= n;
        self.pos += n;
        while self.pos >= self.front.len() && self.pos > 0 {
            self.pos -= self.front.len();
            self.front = self.rest.pop_front().unwrap_or_default();
        }
    }

    /// Takes the first `n` bytes in one piece: shared if they lie within one segment, else copied.
    ///
    /// `None` if fewer than `n` bytes wait.
    pub fn take(&mut self, n: usize) -> Option<Bytes> {
        if n > self.len {
            return None;
        }
        let piece = if n <= self.chunk().len() {
            self.front.slice(self.pos..self.pos + n)
        } else {
            let mut joined = BytesMut::zeroed(n);
            self.peek_into(&mut joined);
            joined.freeze()
        };
        self.advance(n);
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(segments: &[&'static str]) -> SegmentedBuffer {
        let mut buffer = SegmentedBuffer::new();
        segments.iter().for_each(|segment| buffer.push(Bytes::from_static(segment.as_bytes())));
        buffer
    }

    #[test]
    fn take_spans_segments() {
        let mut buffer = buffer(&["a", "", "bc", "def", "g"]);
        assert_eq!(buffer.len(), 7);
        assert_eq!(buffer.take(8), None);
        assert_eq!(buffer.take(2).expect("two"), "ab");
        assert_eq!(buffer.chunk(), b"c");
        assert_eq!(buffer.take(0).expect("none"), "");
        assert_eq!(buffer.take(5).expect("five"), "cdefg");
        assert!(buffer.is_empty());
        buffer.push(Bytes::from_static(b"again"));
        assert_eq!(buffer.take(5).expect("five"), "again");
    }

    #[test]
    fn take_within_segment_shares_memory() {
        let segment = Bytes::from(vec![1, 2, 3, 4]);
        let at = segment.as_ptr();
        let mut buffer = SegmentedBuffer::new();
        buffer.push(segment);
        buffer.advance(1);
        assert_eq!(buffer.take(2).expect("two").as_ptr(), at.wrapping_add(1));
    }

    #[test]
    fn consumed_segment_is_released() {
        let mut segment = BytesMut::from(&b"abc"[..]);
        let whole = segment.split().freeze();
        let mut buffer = SegmentedBuffer::new();
        buffer.push(whole);
        buffer.advance(3);
        assert!(buffer.is_empty());
        assert!(segment.try_reclaim(3), "nothing refers to the consumed segment");
    }

    #[test]
    fn compact_releases_shared_pages() {
        let mut page = BytesMut::zeroed(100);
        let mut buffer = SegmentedBuffer::new();
        buffer.push(page.split_to(60).freeze());
        buffer.push(Bytes::from_static(b"end"));
        buffer.advance(58);
        buffer.compact();
        assert!(page.try_reclaim(60), "nothing refers to what was read");
        assert_eq!(buffer.take(4).expect("four"), b"\0\0en"[..]);
        assert_eq!((buffer.len(), buffer.chunk()), (1, &b"d"[..]));
    }

    #[test]
    fn peek_spans_segments() {
        let buffer = buffer(&["a", "bc", "d"]);
        assert_eq!(buffer.peek::<4>(), Some(*b"abcd"));
        assert_eq!(buffer.peek::<5>(), None);
        let mut target = [0; 9];
        assert_eq!(buffer.peek_into(&mut target), 4);
    }
}
