//! Sealed traffic: one MESSAGE for each frame (RFC 26, section 'The MESSAGE Command').
//!
//! ```text
//! header  07 MESSAGE  number(8)  authenticator(16)  box: flags(1) body
//! ```
//!
//! The header is that of a message, without MORE, as libzmq writes it. RFC 26 says that of a
//! command, which is accepted as well. Only the flags in the box tell messages and commands apart.

use std::sync::Arc;

use bytes::Bytes;
use monocoque_core::{Message, Outbox, SegmentedBuffer};

use super::boxes::{MAC_LEN, SharedKey};
use super::large::LargeFrame;
use super::traffic::TrafficKey;
use crate::frame::{COMMAND, FrameHeader, MAX_HEADER_LEN, MORE, put_header};
use crate::names::CommandKind;
use crate::{Malformed, Misbehaved, ZmtpError};

/// The sending end of a sealed link.
#[derive(Debug)]
pub(crate) struct Sealer {
    key: TrafficKey,
    /// The number of the next frame.
    next: u64,
}

/// The receiving end of a sealed link.
#[derive(Debug)]
pub(crate) struct Opener {
    key: TrafficKey,
    /// The number of the last frame.
    last: u64,
    small: [u8; SMALL_MAX],
    /// The frame that is opened piece by piece.
    large: Option<LargeFrame>,
}

/// Flags and body of a frame that was opened.
#[derive(Debug)]
pub(crate) enum Opened<'a> {
    /// A small one, in memory of the opener.
    Small(&'a [u8]),
    /// A large one, in memory of its own.
    Large(Bytes),
}

impl Sealer {
    pub(super) fn new(key: Arc<SharedKey>, prefix: &'static [u8; 16], next: u64) -> Self {
        Self { key: TrafficKey::new(key, prefix), next }
    }

    /// Adds a frame of which the body begins with `start`. `flags` are those of an open frame.
    #[inline]
    pub(crate) fn put(&mut self, flags: u8, start: &[u8], body: &[u8], out: &mut Outbox) {
        let number = self.next;
        self.next += 1;
        let is_command = flags & COMMAND != 0;
        // The place of the authenticator, and the flags.
        let mut head = [0; MAC_LEN + 1];
        let [.., sealed_flags] = &mut head;
        *sealed_flags = flags & MORE | if is_command { SEALED_COMMAND } else { 0 };
        let number_bytes = number.to_be_bytes();
        let parts = [&MESSAGE[..], &number_bytes, &head, start, body];
        let sealed_len = head.len() + start.len() + body.len();
        put_header(0, START_LEN + sealed_len, out);
        if sealed_len < LARGE_MIN {
            parts.into_iter().for_each(|part| out.put(part));
            self.key.seal_in_place(number, out.last_put_mut(sealed_len));
        } else {
            let mut frame = parts.concat();
            self.key.seal_in_place(number, frame.get_mut(START_LEN..).unwrap_or_default());
            out.put_shared(&frame.into());
        }
    }
}

impl Opener {
    pub(super) fn new(key: Arc<SharedKey>, prefix: &'static [u8; 16], last: u64) -> Self {
        Self { key: TrafficKey::new(key, prefix), last, small: [0; SMALL_MAX], large: None }
    }

    /// Checks the name and the number of a frame, if they have arrived.
    pub(crate) fn check_start(&self, header: FrameHeader, input: &SegmentedBuffer) -> Result<(), ZmtpError> {
        let mut bytes = [0; MAX_HEADER_LEN + START_LEN];
        let arrived = input.peek_into(&mut bytes);
        match bytes.get(header.len()..arrived).and_then(<[u8]>::first_chunk) {
            Some(start) => self.number(start).map(drop),
            None => Ok(()),
        }
    }

    fn number(&self, start: &[u8; START_LEN]) -> Result<u64, ZmtpError> {
        let (name, number) = start.split_at(MESSAGE.len());
        if name != MESSAGE {
            return Err(Malformed::Unsealed.into());
        }
        let number = number.first_chunk().map_or(0, |number| u64::from_be_bytes(*number));
        if number <= self.last {
            return Err(Misbehaved::NonceReused(CommandKind::Message).into());
        }
        Ok(number)
    }

    /// Takes a frame out of the input, which has all of it, and opens it.
    #[inline]
    pub(crate) fn open(
        &mut self,
        header: FrameHeader,
        input: &mut SegmentedBuffer,
    ) -> Result<Opened<'_>, ZmtpError> {
        match input.chunk().get(header.len()..header.frame_len()) {
            Some(frame) => {
                let opened = self.open_frame(frame)?;
                input.advance(header.frame_len());
                Ok(opened)
            }
            None => {
                input.advance(header.len());
                self.open_frame(&input.take(header.body_len()).unwrap_or_default())
            }
        }
    }

    fn open_frame(&mut self, frame: &[u8]) -> Result<Opened<'_>, ZmtpError> {
        let (start, sealed) = frame.split_first_chunk().ok_or(Malformed::Unsealed)?;
        let (mac, sealed) = sealed.split_first_chunk().ok_or(Malformed::Unsealed)?;
        let number = self.number(start)?;
        let Self { key, small, .. } = self;
        let (is_open, opened) = match small.get_mut(..sealed.len()) {
            Some(plain) => (key.open_to(number, mac, sealed, plain), Opened::Small(plain)),
            None => {
                let mut plain = vec![0; sealed.len()];
                (key.open_to(number, mac, sealed, &mut plain), Opened::Large(plain.into()))
            }
        };
        if !is_open {
            return Err(Misbehaved::CannotOpen(CommandKind::Message).into());
        }
        self.last = number;
        opened.checked()
    }

    /// Returns true while a large frame arrives.
    pub(crate) const fn is_opening(&self) -> bool {
        self.large.is_some()
    }

    /// Begins to open a large frame, of which at least [`BOX_START`] bytes behind the header have
    /// arrived.
    pub(crate) fn begin(
        &mut self,
        header: FrameHeader,
        input: &mut SegmentedBuffer,
    ) -> Result<(), ZmtpError> {
        input.advance(header.len());
        let start = input.take(BOX_START).unwrap_or_default();
        let (start, mac) = start.split_first_chunk().ok_or(Malformed::Unsealed)?;
        let mac = mac.first_chunk().ok_or(Malformed::Unsealed)?;
        let number = self.number(start)?;
        let sealed_len = header.body_len() - BOX_START;
        self.large = Some(LargeFrame::new(number, *mac, self.key.open_in_pieces(number), sealed_len));
        Ok(())
    }

    /// Goes on with a large frame, and returns how many bytes of it are left.
    pub(crate) fn go_on(&mut self, input: &mut SegmentedBuffer) -> usize {
        self.large.as_mut().map_or(0, |large| large.take(input))
    }

    /// Returns a large frame of which all has arrived.
    pub(crate) fn finish(&mut self) -> Result<Opened<'_>, ZmtpError> {
        let error = Misbehaved::CannotOpen(CommandKind::Message);
        let large = self.large.take().ok_or(error)?;
        let number = large.number;
        let plain = large.open().ok_or(error)?;
        self.last = number;
        Opened::Large(plain.into()).checked()
    }
}

impl Opened<'_> {
    fn checked(self) -> Result<Self, ZmtpError> {
        match self.plain().first().copied() {
            Some(0 | MORE | SEALED_COMMAND) => Ok(self),
            Some(flags) => Err(Misbehaved::SealedFlags(flags).into()),
            None => Err(Malformed::Unsealed.into()),
        }
    }

    fn plain(&self) -> &[u8] {
        match self {
            Self::Small(plain) => plain,
            Self::Large(plain) => plain,
        }
    }

    /// Returns true if more frames of the message follow.
    pub(crate) fn has_more(&self) -> bool {
        self.plain().first() == Some(&MORE)
    }

    /// Returns true if the body is a command.
    pub(crate) fn is_command(&self) -> bool {
        self.plain().first() == Some(&SEALED_COMMAND)
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.plain().get(1..).unwrap_or_default()
    }

    /// Adds the body to a message.
    pub(crate) fn push_to(self, message: &mut Message) {
        match self {
            Self::Small(plain) => message.push_copy(plain.get(1..).unwrap_or_default()),
            Self::Large(plain) => message.push_bytes(plain.slice(1..)),
        }
    }
}

/// The bytes that sealing adds to the body of a frame.
pub(crate) const SEALED_OVERHEAD: u64 = (START_LEN + MAC_LEN + 1) as u64;
const MESSAGE: &[u8; 8] = b"\x07MESSAGE";
/// The length of the name and the number.
const START_LEN: usize = 16;
/// The length of what is in front of the sealed bytes, behind the header of the frame.
pub(crate) const BOX_START: usize = START_LEN + MAC_LEN;
/// The length up to which a frame is opened at once, when all of it has arrived.
pub(crate) const AT_ONCE_MAX: usize = 1 << 20;
/// The flag of a command, in a box.
const SEALED_COMMAND: u8 = 0x02;
/// The length of flags and body up to which they are opened in memory of the opener.
const SMALL_MAX: usize = 257;
/// The length from which on a sealed body has memory of its own.
const LARGE_MIN: usize = 4096;
