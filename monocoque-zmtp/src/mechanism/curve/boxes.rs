//! The boxes of the handshake: what is sealed with which key and nonce.
//!
//! Owns the layout of nonces, and the calls of the cryptography. It does not know commands.

use dryoc::classic::crypto_box::{crypto_box_beforenm, crypto_box_detached_afternm_inplace};
use dryoc::classic::crypto_secretbox::crypto_secretbox_open_detached;
use zeroize::Zeroizing;

use super::keys::KEY_LEN;
use crate::Misbehaved;
use crate::names::CommandKind;

/// A nonce of a box.
pub(super) type Nonce = [u8; 24];

/// A key that both sides have. It is wiped when it is dropped.
pub(crate) struct SharedKey(Zeroizing<[u8; KEY_LEN]>);

impl SharedKey {
    /// The key that the owners of both secret keys have.
    pub(super) fn agree(theirs: &[u8; KEY_LEN], ours: &[u8; KEY_LEN]) -> Result<Self, Misbehaved> {
        let key = crypto_box_beforenm(theirs, ours).map_err(|_| Misbehaved::WeakKey)?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// A key that was not agreed upon: it is random, or derived from another one.
    pub(super) fn from_bytes(key: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self(key)
    }

    pub(super) fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// Adds a box with `plain` to `out`.
    pub(super) fn seal(&self, nonce: &Nonce, plain: &[u8], out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(&[0; MAC_LEN]);
        out.extend_from_slice(plain);
        self.seal_in_place(nonce, out.get_mut(at..).unwrap_or_default());
    }

    /// Seals what is behind the place of the authenticator.
    pub(super) fn seal_in_place(&self, nonce: &Nonce, sealed: &mut [u8]) {
        let Some((mac, body)) = sealed.split_first_chunk_mut() else {
            unreachable!("nothing leaves unsealed: there is room for the authenticator");
        };
        crypto_box_detached_afternm_inplace(body, mac, nonce, &self.0);
    }

    /// Opens a box.
    pub(super) fn open(
        &self,
        nonce: &Nonce,
        sealed: &[u8],
        kind: CommandKind,
    ) -> Result<Zeroizing<Vec<u8>>, Misbehaved> {
        let error = Misbehaved::CannotOpen(kind);
        let (mac, body) = sealed.split_first_chunk().ok_or(error)?;
        let mut plain = Zeroizing::new(vec![0; body.len()]);
        if self.open_to(nonce, mac, body, &mut plain) { Ok(plain) } else { Err(error) }
    }

    /// Opens `sealed` into `plain`, which is as long. Returns false if it was not sealed so.
    pub(super) fn open_to(
        &self,
        nonce: &Nonce,
        mac: &[u8; MAC_LEN],
        sealed: &[u8],
        plain: &mut [u8],
    ) -> bool {
        crypto_secretbox_open_detached(plain, sealed, mac, nonce, &self.0).is_ok()
    }
}

impl std::fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedKey(..)")
    }
}

/// The nonce of the `number`th command of a side.
#[inline]
pub(super) fn short_nonce(prefix: &[u8; 16], number: u64) -> Nonce {
    let mut nonce = [0; 24];
    let (start, end) = nonce.split_at_mut(prefix.len());
    start.copy_from_slice(prefix);
    end.copy_from_slice(&number.to_be_bytes());
    nonce
}

/// A nonce of random bytes.
pub(super) fn long_nonce(prefix: &[u8; 8], random: &[u8; 16]) -> Nonce {
    let mut nonce = [0; 24];
    let (start, end) = nonce.split_at_mut(prefix.len());
    start.copy_from_slice(prefix);
    end.copy_from_slice(random);
    nonce
}

/// The length of the authenticator in front of a box.
pub(super) const MAC_LEN: usize = 16;

// The prefixes of nonces, by what is sealed.
pub(super) const HELLO: &[u8; 16] = b"CurveZMQHELLO---";
pub(super) const INITIATE: &[u8; 16] = b"CurveZMQINITIATE";
pub(super) const READY: &[u8; 16] = b"CurveZMQREADY---";
pub(super) const FROM_CLIENT: &[u8; 16] = b"CurveZMQMESSAGEC";
pub(super) const FROM_SERVER: &[u8; 16] = b"CurveZMQMESSAGES";
pub(super) const WELCOME: &[u8; 8] = b"WELCOME-";
pub(super) const COOKIE: &[u8; 8] = b"COOKIE--";
pub(super) const VOUCH: &[u8; 8] = b"VOUCH---";
