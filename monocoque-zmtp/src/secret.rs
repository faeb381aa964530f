//! Secrets that are neither printed nor compared in variable time, and wiped when dropped.
//!
//! Owns the password of PLAIN and the entropy of a session. The secret key of CURVE is beside its
//! mechanism.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A password of any bytes. It has no `Debug` of its bytes and no `==`, and is wiped from memory
/// when it is dropped.
///
/// ```
/// use monocoque_zmtp::Password;
///
/// let password = Password::from("secret");
/// assert!(password.matches(b"secret") && !password.matches(b"public"));
/// assert_eq!(format!("{password:?}"), "Password(..)");
/// ```
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Returns true if the password is `other`. The time is the same for all that PLAIN can carry,
    /// of up to 255 bytes; that of longer ones depends on their length.
    pub fn matches(&self, other: &[u8]) -> bool {
        match (padded(&self.0), padded(other)) {
            (Some(ours), Some(theirs)) => ours.ct_eq(&theirs[..]).into(),
            _ => self.0.ct_eq(other).into(),
        }
    }

    /// Returns the bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Returns the length and the bytes of a password in a block of one size, if it fits.
fn padded(password: &[u8]) -> Option<Zeroizing<[u8; PADDED_LEN]>> {
    let mut block = Zeroizing::new([0; PADDED_LEN]);
    let [len, bytes @ ..] = &mut *block;
    *len = u8::try_from(password.len()).ok()?;
    bytes.get_mut(..password.len())?.copy_from_slice(password);
    Some(block)
}

impl From<&[u8]> for Password {
    fn from(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<String> for Password {
    /// Takes the memory of the text, which is wiped later.
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Password {
    /// Takes the memory of the bytes, which is wiped later.
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The random bytes of one session: this crate has no source of its own.
///
/// Every session needs new ones, from the system's generator.
pub struct Entropy(
    #[cfg_attr(not(feature = "curve"), expect(dead_code, reason = "no other mechanism uses it"))]
    Zeroizing<Vec<u8>>,
);

impl Entropy {
    /// The number of bytes.
    pub const LEN: usize = 96;

    /// Takes random bytes.
    pub fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(Zeroizing::new(Zeroizing::new(bytes).to_vec()))
    }

    /// No entropy, for a session that does not use it.
    pub(crate) fn none() -> Self {
        Self(Zeroizing::default())
    }

    /// Takes `N` bytes, from the byte `at` on.
    #[cfg(feature = "curve")]
    pub(crate) fn take<const N: usize>(&self, at: usize) -> Zeroizing<[u8; N]> {
        let mut bytes = Zeroizing::new([0; N]);
        bytes.iter_mut().zip(self.0.iter().skip(at)).for_each(|(byte, random)| *byte = *random);
        bytes
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

/// The length of the block in which passwords are compared.
const PADDED_LEN: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_match_by_length_and_bytes() {
        let lens = [0, 1, 254, 255, 256, 300];
        for ours in lens {
            let password = Password::from(vec![0; ours]);
            for theirs in lens {
                assert_eq!(password.matches(&vec![0; theirs]), ours == theirs, "{ours} and {theirs}");
            }
            let mut other = vec![0; ours];
            other.iter_mut().rev().take(1).for_each(|last| *last = 1);
            assert_eq!(password.matches(&other), ours == 0);
        }
    }
}
