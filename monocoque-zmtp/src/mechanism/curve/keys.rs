//! Long-term keys of CURVE.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use dryoc::classic::crypto_core::crypto_scalarmult_base;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::{Z85Error, z85_decode, z85_encode};

/// The long-term public key of a CURVE client or server (`ZMQ_CURVE_PUBLICKEY`,
/// `ZMQ_CURVE_SERVERKEY`).
///
/// As text it is Z85, of 40 characters.
///
/// ```
/// use monocoque_zmtp::CurvePublicKey;
///
/// let key: CurvePublicKey = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID".parse()?;
/// assert_eq!(key.to_string(), "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");
/// assert_eq!(CurvePublicKey::from_bytes(*key.as_bytes()), key);
/// # Ok::<(), monocoque_zmtp::KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CurvePublicKey([u8; KEY_LEN]);

/// The long-term secret key of a CURVE client or server (`ZMQ_CURVE_SECRETKEY`).
///
/// Its bytes are not in `Debug`; there is no `==`, and [`ct_eq`](Self::ct_eq) takes the same time
/// for all keys. Clones share one place in memory, which is wiped with the last of them.
///
/// ```
/// use monocoque_zmtp::CurveSecretKey;
///
/// let key: CurveSecretKey = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs".parse()?;
/// assert_eq!(key.public_key().to_string(), "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");
/// assert_eq!(format!("{key:?}"), "CurveSecretKey(..)");
/// # Ok::<(), monocoque_zmtp::KeyError>(())
/// ```
#[derive(Clone)]
pub struct CurveSecretKey(Arc<KeyPair>);

struct KeyPair {
    secret: Zeroizing<[u8; KEY_LEN]>,
    public: CurvePublicKey,
}

/// The reason why text or bytes are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A key has 32 bytes, or 40 characters.
    #[error("a key of {0} bytes or characters: it has 32 bytes, or 40 characters of Z85")]
    Length(usize),
    /// The text is not Z85.
    #[error(transparent)]
    Z85(#[from] Z85Error),
}

impl CurvePublicKey {
    /// A key of these bytes.
    pub const fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl CurveSecretKey {
    /// A key of these bytes, which are to be random.
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        let secret = Zeroizing::new(bytes);
        let mut public = [0; KEY_LEN];
        crypto_scalarmult_base(&mut public, &secret);
        Self(Arc::new(KeyPair { secret, public: CurvePublicKey(public) }))
    }

    /// Returns the public key that belongs to it.
    pub fn public_key(&self) -> CurvePublicKey {
        self.0.public
    }

    /// Returns whether both are the same key, in constant time.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }

    /// Returns the bytes, which are not to be logged.
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0.secret
    }

    /// Returns the key as Z85, which is not to be logged. The text is wiped when it is dropped.
    pub fn to_z85(&self) -> Zeroizing<String> {
        Zeroizing::new(z85_encode(self.expose()).unwrap_or_default())
    }
}

impl fmt::Display for CurvePublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&z85_encode(&self.0).unwrap_or_default())
    }
}

impl fmt::Debug for CurvePublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CurvePublicKey({self})")
    }
}

impl fmt::Debug for CurveSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CurveSecretKey(..)")
    }
}

impl FromStr for CurvePublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Ok(Self(*decode(text)?))
    }
}

impl FromStr for CurveSecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Ok(Self::from_bytes(*decode(text)?))
    }
}

impl TryFrom<&[u8]> for CurvePublicKey {
    type Error = KeyError;

    fn try_from(bytes: &[u8]) -> Result<Self, KeyError> {
        bytes.try_into().map(Self).map_err(|_| KeyError::Length(bytes.len()))
    }
}

fn decode(text: &str) -> Result<Zeroizing<[u8; KEY_LEN]>, KeyError> {
    if text.len() != TEXT_LEN {
        return Err(KeyError::Length(text.len()));
    }
    let mut bytes = z85_decode(text)?;
    let mut key = Zeroizing::new([0; KEY_LEN]);
    key.copy_from_slice(&bytes);
    bytes.zeroize();
    Ok(key)
}

/// The length of a key, in bytes and in characters of Z85.
pub(super) const KEY_LEN: usize = 32;
const TEXT_LEN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_text_is_validated() {
        let parse = |text: &str| text.parse::<CurvePublicKey>().err();
        assert_eq!(parse(""), Some(KeyError::Length(0)));
        assert_eq!(parse(&"0".repeat(39)), Some(KeyError::Length(39)));
        assert_eq!(parse(&" ".repeat(40)), Some(Z85Error::Character(0).into()));
        assert_eq!(parse(&"#".repeat(40)), Some(Z85Error::Overflow(0).into()));
        assert!("0".repeat(41).parse::<CurveSecretKey>().is_err());
        assert_eq!(CurvePublicKey::try_from(&[1; 31][..]), Err(KeyError::Length(31)));
    }

    #[test]
    fn secret_keys_are_compared_by_value() {
        let [a, b] = [1, 2].map(|byte| CurveSecretKey::from_bytes([byte; 32]));
        assert!(a.ct_eq(&a.to_z85().parse().expect("a key")));
        assert!(!a.ct_eq(&b));
    }
}
