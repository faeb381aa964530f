//! Frame headers: `flags(1) size(1 or 8)` (RFC 23, section 'Framing').
//!
//! Owns the legal flags and sizes. It does not know the meaning of a frame, nor our own limits.
//! Called by the session and the decoder for received frames, and by all encoders.

use monocoque_core::{Outbox, Part, QueuedMessage};

use crate::Malformed;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    flags: u8,
    /// The length of the body.
    pub(crate) size: u64,
}

impl FrameHeader {
    /// Parses the header at the start of `bytes`; `None` while it is not whole.
    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((&flags, rest)) = bytes.split_first() else { return Ok(None) };
        if flags > LAST_FLAGS || flags == COMMAND | MORE {
            return Err(illegal_flags(flags));
        }
        if flags & LONG == 0 {
            return Ok(rest.first().map(|&size| Self { flags, size: size.into() }));
        }
        let Some(size) = rest.first_chunk() else { return Ok(None) };
        let size = u64::from_be_bytes(*size);
        if size > MAX_SIZE {
            return Err(Malformed::FrameLength(size));
        }
        Ok(Some(Self { flags, size }))
    }

    /// Returns the length of a header that starts with `bytes`, as far as they tell.
    pub(crate) fn header_len(bytes: &[u8]) -> usize {
        match bytes.first() {
            None => 1,
            Some(flags) if flags & LONG == 0 => SHORT_LEN,
            Some(_) => MAX_HEADER_LEN,
        }
    }

    /// Returns the length of the header itself.
    #[inline]
    pub(crate) const fn len(self) -> usize {
        if self.flags & LONG == 0 { SHORT_LEN } else { MAX_HEADER_LEN }
    }

    /// Returns the length of the body as a length in memory, at most `usize::MAX`.
    #[inline]
    pub(crate) fn body_len(self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// Returns the length of header and body.
    #[inline]
    pub(crate) fn frame_len(self) -> usize {
        self.body_len().saturating_add(self.len())
    }

    /// Returns true if more frames of the message follow.
    #[inline]
    pub(crate) const fn has_more(self) -> bool {
        self.flags & MORE != 0
    }

    /// Returns true if the body is a command.
    #[inline]
    pub(crate) const fn is_command(self) -> bool {
        self.flags & COMMAND != 0
    }
}

/// A frame of a queued message.
#[derive(Clone, Copy, Debug)]
pub struct QueuedFrame<'a> {
    header: FrameHeader,
    body: Part<'a>,
}

/// The frames of a queued message.
#[derive(Debug)]
pub struct QueuedFrames<'a> {
    parts: QueuedMessage<'a>,
    /// The rest of a part.
    rest: &'a [u8],
}

impl<'a> QueuedFrame<'a> {
    /// Returns the body.
    pub const fn body(&self) -> Part<'a> {
        self.body
    }

    /// Returns true if the body is a command.
    pub(crate) const fn is_command(&self) -> bool {
        self.header.is_command()
    }

    /// Returns [`MORE`], [`COMMAND`] or none.
    pub(crate) const fn flags(&self) -> u8 {
        self.header.flags & !LONG
    }
}

impl<'a> QueuedFrames<'a> {
    /// Returns the frames of a message that was encoded by
    /// [`encode_message`](crate::encode_message) or
    /// [`encode_subscription`](crate::encode_subscription).
    pub const fn new(message: QueuedMessage<'a>) -> Self {
        Self { parts: message, rest: &[] }
    }
}

impl<'a> Iterator for QueuedFrames<'a> {
    type Item = QueuedFrame<'a>;

    fn next(&mut self) -> Option<QueuedFrame<'a>> {
        if self.rest.is_empty() {
            self.rest = self.parts.next()?.body();
        }
        let header = FrameHeader::parse(self.rest).ok().flatten()?;
        let (_, behind) = self.rest.split_at_checked(header.len())?;
        let (body, rest) = match behind.split_at_checked(header.body_len()) {
            Some((body, rest)) => (Part::Inline(body), rest),
            // A large body is a part of its own.
            None => (self.parts.next()?, &[][..]),
        };
        debug_assert_eq!(body.body().len(), header.body_len(), "not what was encoded");
        self.rest = rest;
        Some(QueuedFrame { header, body })
    }
}

/// Adds the header of a frame. `flags` are [`MORE`], [`COMMAND`] or none.
#[inline]
pub(crate) fn put_header(flags: u8, size: usize, out: &mut Outbox) {
    if let Ok(size) = u8::try_from(size) {
        out.put(&[flags, size]);
    } else {
        let [a, b, c, d, e, f, g, h] = (size as u64).to_be_bytes();
        out.put(&[flags | LONG, a, b, c, d, e, f, g, h]);
    }
}

#[cold]
fn illegal_flags(flags: u8) -> Malformed {
    if flags & RESERVED != 0 { Malformed::ReservedFlags(flags) } else { Malformed::CommandWithMore }
}

/// More frames of the same message follow.
pub(crate) const MORE: u8 = 0x01;
/// The size takes eight bytes.
const LONG: u8 = 0x02;
/// The body is a command.
pub(crate) const COMMAND: u8 = 0x04;
const RESERVED: u8 = 0xf8;
/// The largest legal flags byte. Up to it only `COMMAND | MORE` is not legal.
const LAST_FLAGS: u8 = COMMAND | LONG;
const SHORT_LEN: usize = 2;
/// The longest header.
pub(crate) const MAX_HEADER_LEN: usize = 9;
const MAX_SIZE: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_flag_bits_are_rejected() {
        for flags in 0..=u8::MAX {
            let parsed = FrameHeader::parse(&[flags, 0, 0, 0, 0, 0, 0, 0, 9]);
            match flags {
                0x00 | 0x01 | 0x04 => assert_eq!(parsed, Ok(Some(FrameHeader { flags, size: 0 }))),
                0x02 | 0x03 | 0x06 => assert_eq!(parsed, Ok(Some(FrameHeader { flags, size: 9 }))),
                0x05 | 0x07 => assert_eq!(parsed, Err(Malformed::CommandWithMore)),
                _ => assert_eq!(parsed, Err(Malformed::ReservedFlags(flags))),
            }
        }
    }

    #[test]
    fn header_round_trips_at_any_size() {
        for size in [0, 1, 255, 256, 65_536, u32::MAX as usize] {
            for flags in [0, MORE, COMMAND] {
                let mut out = Outbox::new();
                put_header(flags, size, &mut out);
                let bytes = out.chunk();
                assert_eq!(bytes.len(), if size < 256 { 2 } else { 9 });
                for cut in 0..bytes.len() {
                    assert_eq!(FrameHeader::parse(&bytes[..cut]), Ok(None));
                    assert_eq!(
                        FrameHeader::header_len(&bytes[..cut]),
                        if cut == 0 { 1 } else { bytes.len() }
                    );
                }
                let header = FrameHeader::parse(bytes).expect("legal").expect("whole");
                assert_eq!((header.size, header.len()), (size as u64, bytes.len()));
                assert_eq!((header.has_more(), header.is_command()), (flags == MORE, flags == COMMAND));
            }
        }
    }

    #[test]
    fn size_beyond_63_bits_is_rejected() {
        let parse = |size: u64| FrameHeader::parse(&[&[2][..], &size.to_be_bytes()].concat());
        assert!(parse(i64::MAX as u64).is_ok());
        for size in [1 << 63, u64::MAX - 37, u64::MAX] {
            assert_eq!(parse(size), Err(Malformed::FrameLength(size)));
        }
    }
}
