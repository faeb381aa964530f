//! The key of one direction of the traffic.
//!
//! XSalsa20 makes a key from the first 16 bytes of a nonce, and uses it with the other eight. In
//! the traffic of one direction the first 16 are always the same, so that this key is made once.
//! Frames that need no more than [`BLOCKS`] blocks of key stream are sealed and opened with it; for
//! larger ones the box as a whole is faster, because it computes several blocks at a time.

use std::sync::Arc;

use dryoc::classic::crypto_core::crypto_core_hsalsa20;
use dryoc::classic::crypto_onetimeauth::{
    OnetimeauthState, crypto_onetimeauth, crypto_onetimeauth_init, crypto_onetimeauth_verify,
};
use salsa20::cipher::consts::U10;
use salsa20::cipher::{KeyIvInit, StreamCipher, StreamCipherCore};
use salsa20::{Salsa20, SalsaCore};
use zeroize::{Zeroize, Zeroizing};

use super::boxes::{MAC_LEN, SharedKey, short_nonce};
use super::keys::KEY_LEN;

/// A key with the fixed part of its nonces.
#[derive(Debug)]
pub(super) struct TrafficKey {
    key: Arc<SharedKey>,
    prefix: &'static [u8; 16],
    /// The key that XSalsa20 makes from `key` and `prefix`.
    derived: SharedKey,
}

impl TrafficKey {
    pub(super) fn new(key: Arc<SharedKey>, prefix: &'static [u8; 16]) -> Self {
        let mut derived = Zeroizing::new([0; KEY_LEN]);
        crypto_core_hsalsa20(&mut derived, prefix, key.expose(), None);
        Self { key, prefix, derived: SharedKey::from_bytes(derived) }
    }

    /// Seals what is behind the place of the authenticator, as the `number`th frame.
    #[inline]
    pub(super) fn seal_in_place(&self, number: u64, sealed: &mut [u8]) {
        if sealed.len() > MAC_LEN + SHORT_MAX {
            return self.key.seal_in_place(&short_nonce(self.prefix, number), sealed);
        }
        let Some((mac, body)) = sealed.split_first_chunk_mut() else {
            unreachable!("nothing leaves unsealed: there is room for the authenticator");
        };
        self.with_stream(number, body.len(), |mac_key, stream| {
            body.iter_mut().zip(stream).for_each(|(byte, key)| *byte ^= key);
            crypto_onetimeauth(mac, body, mac_key);
        });
    }

    /// Opens `sealed`, the `number`th frame, into `plain`, which is as long. Returns false if it
    /// was not sealed so.
    #[inline]
    pub(super) fn open_to(&self, number: u64, mac: &[u8; MAC_LEN], sealed: &[u8], plain: &mut [u8]) -> bool {
        if sealed.len() > SHORT_MAX {
            return self.key.open_to(&short_nonce(self.prefix, number), mac, sealed, plain);
        }
        self.with_stream(number, sealed.len(), |mac_key, stream| {
            let is_right = crypto_onetimeauth_verify(mac, sealed, mac_key).is_ok();
            if is_right {
                let bytes = plain.iter_mut().zip(sealed).zip(stream);
                bytes.for_each(|((plain, byte), key)| *plain = byte ^ key);
            }
            is_right
        })
    }

    /// Returns the authenticator and the key stream of the `number`th frame, to open it piece by
    /// piece.
    pub(super) fn open_in_pieces(&self, number: u64) -> (OnetimeauthState, Salsa20) {
        let mut stream = Salsa20::new(self.derived.expose().into(), &number.to_be_bytes().into());
        let mut mac_key = Zeroizing::new([0; KEY_LEN]);
        stream.apply_keystream(&mut *mac_key);
        (crypto_onetimeauth_init(&mac_key), stream)
    }

    /// Calls `work` with the key of the authenticator and the key stream of a short frame, and
    /// wipes both.
    #[inline]
    fn with_stream<R>(&self, number: u64, len: usize, work: impl FnOnce(&[u8; KEY_LEN], &[u8]) -> R) -> R {
        let mut cipher = SalsaCore::<U10>::new(self.derived.expose().into(), &number.to_be_bytes().into());
        let mut blocks = [[0; BLOCK_LEN]; BLOCKS];
        for block in blocks.iter_mut().take((KEY_LEN + len).div_ceil(BLOCK_LEN)) {
            cipher.write_keystream_block(block.into());
        }
        let Some((mac_key, stream)) = blocks.as_flattened().split_first_chunk() else {
            unreachable!("a block is longer than a key");
        };
        let result = work(mac_key, stream);
        blocks.as_flattened_mut().zeroize();
        result
    }
}

/// The length of a block of key stream.
const BLOCK_LEN: usize = 64;
/// The number of blocks up to which one after the other is faster than several at a time.
const BLOCKS: usize = 2;
/// The length of flags and body of the largest short frame. The key of the authenticator is the
/// start of the key stream.
const SHORT_MAX: usize = BLOCKS * BLOCK_LEN - KEY_LEN;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanism::curve::boxes::FROM_CLIENT;

    #[test]
    fn short_frames_are_the_same_boxes() {
        let key = Arc::new(SharedKey::from_bytes(Zeroizing::new([7; KEY_LEN])));
        let traffic = TrafficKey::new(key.clone(), FROM_CLIENT);
        for len in 0..=2 * SHORT_MAX {
            for number in [1, 255, 256, u64::MAX] {
                let plain: Vec<u8> = (0..len).map(|at| at as u8).collect();
                let mut sealed = [&[0; MAC_LEN][..], &plain].concat();
                let mut boxed = sealed.clone();
                traffic.seal_in_place(number, &mut sealed);
                key.seal_in_place(&short_nonce(FROM_CLIENT, number), &mut boxed);
                assert_eq!(sealed, boxed, "{len} bytes, number {number}");

                let (mac, body) = sealed.split_first_chunk().unwrap();
                let mut opened = vec![0; len];
                assert!(traffic.open_to(number, mac, body, &mut opened), "{len} bytes, number {number}");
                assert_eq!(opened, plain);
                let mut untouched = vec![0; len];
                assert!(!traffic.open_to(number ^ 2, mac, body, &mut untouched));
                assert!(untouched.iter().all(|byte| *byte == 0), "nothing of a false box is opened");
            }
        }
    }
}
