//! A large frame, which is opened piece by piece as it arrives: opened at once, it would take the
//! thread of the connections for long.
//!
//! Nothing of it is returned before the whole of it is authenticated.

use std::fmt;

use dryoc::classic::crypto_onetimeauth::{
    OnetimeauthState, crypto_onetimeauth_final, crypto_onetimeauth_update,
};
use monocoque_core::SegmentedBuffer;
use salsa20::Salsa20;
use salsa20::cipher::StreamCipher;
use subtle::ConstantTimeEq;

use super::boxes::MAC_LEN;

/// A frame of which a part has arrived.
pub(super) struct LargeFrame {
    pub(super) number: u64,
    mac: [u8; MAC_LEN],
    authenticator: OnetimeauthState,
    stream: Salsa20,
    plain: Vec<u8>,
    /// How many bytes have not arrived.
    left: usize,
}

impl LargeFrame {
    pub(super) fn new(
        number: u64,
        mac: [u8; MAC_LEN],
        (authenticator, stream): (OnetimeauthState, Salsa20),
        len: usize,
    ) -> Self {
        Self { number, mac, authenticator, stream, plain: Vec::new(), left: len }
    }

    /// Takes what has arrived, and returns how many bytes are left.
    pub(super) fn take(&mut self, input: &mut SegmentedBuffer) -> usize {
        while self.left > 0 {
            let chunk = input.chunk();
            let piece = chunk.get(..self.left).unwrap_or(chunk);
            let (start, len) = (self.plain.len(), piece.len());
            if len == 0 {
                break;
            }
            if self.plain.capacity() - start < len {
                // As much again, and no more than the frame: it grows with what has arrived.
                self.plain.reserve_exact(self.left.min(len.max(start)));
            }
            crypto_onetimeauth_update(&mut self.authenticator, piece);
            self.plain.extend_from_slice(piece);
            self.stream.apply_keystream(self.plain.get_mut(start..).unwrap_or_default());
            self.left -= len;
            input.advance(len);
        }
        self.left
    }

    /// Returns the flags and the body, `None` if the frame was not sealed so.
    pub(super) fn open(self) -> Option<Vec<u8>> {
        let mut mac = [0; MAC_LEN];
        crypto_onetimeauth_final(self.authenticator, &mut mac);
        bool::from(mac.ct_eq(&self.mac)).then_some(self.plain)
    }
}

impl fmt::Debug for LargeFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LargeFrame").field("left", &self.left).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zeroize::Zeroizing;

    use super::*;
    use crate::mechanism::curve::boxes::{FROM_SERVER, SharedKey};
    use crate::mechanism::curve::traffic::TrafficKey;

    const LEN: usize = 3_000_001;

    fn key() -> TrafficKey {
        let key = SharedKey::from_bytes(Zeroizing::new([7; 32]));
        TrafficKey::new(Arc::new(key), FROM_SERVER)
    }

    /// Returns a frame, and what is in it.
    fn sealed() -> (Vec<u8>, Vec<u8>) {
        let plain: Vec<u8> = (0..LEN).map(|at| (at % 251) as u8).collect();
        let mut sealed = [&[0; MAC_LEN][..], &plain].concat();
        key().seal_in_place(9, &mut sealed);
        (sealed, plain)
    }

    /// Opens a frame of which pieces of `len` bytes arrive. Each is taken at once.
    fn opened(sealed: &[u8], number: u64, len: usize) -> Option<Vec<u8>> {
        let (mac, body) = sealed.split_first_chunk().unwrap();
        let mut large = LargeFrame::new(number, *mac, key().open_in_pieces(number), body.len());
        let mut input = SegmentedBuffer::new();
        let mut left = body.len();
        for piece in body.chunks(len) {
            input.push(bytes::Bytes::copy_from_slice(piece));
            left -= piece.len();
            if left == 0 {
                input.push(bytes::Bytes::from_static(b"the next frame"));
            }
            assert_eq!(large.take(&mut input), left);
            assert_eq!(input.len(), if left == 0 { 14 } else { 0 });
            assert!(large.plain.capacity() <= (2 * large.plain.len()).min(LEN), "it grows as it arrives");
        }
        large.open()
    }

    #[test]
    fn pieces_open_to_whole_frame() {
        let (sealed, plain) = sealed();
        for len in [LEN, LEN - 1, 65_536, 4099] {
            assert_eq!(opened(&sealed, 9, len).as_ref(), Some(&plain), "pieces of {len} bytes");
        }
    }

    #[test]
    fn changed_frame_is_not_opened() {
        let (sealed, _) = sealed();
        assert_eq!(opened(&sealed, 10, 65_536), None);
        for at in [0, MAC_LEN - 1, MAC_LEN, LEN / 2, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 0x10;
            assert_eq!(opened(&changed, 9, 65_536), None, "byte {at}");
        }
    }
}
