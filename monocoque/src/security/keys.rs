//! Key pairs of CURVE.

use monocoque_zmtp::{CurvePublicKey, CurveSecretKey};

/// A long-term key pair of CURVE (`zmq_curve_keypair`).
///
/// ```
/// use monocoque::security::{CurveKeyPair, CurveSecretKey};
///
/// let keys = CurveKeyPair::generate();
/// println!("give this to your peers: {}", keys.public);
///
/// let secret: CurveSecretKey = keys.secret.to_z85().parse()?; // from a file, for example
/// assert_eq!(CurveKeyPair::from(secret).public, keys.public);
/// # Ok::<(), monocoque::security::KeyError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CurveKeyPair {
    /// The key that peers know.
    pub public: CurvePublicKey,
    /// The key that nobody else knows.
    pub secret: CurveSecretKey,
}

impl CurveKeyPair {
    /// A new key pair, from the random generator of the system.
    ///
    /// # Panics
    ///
    /// If the system has no random generator.
    #[expect(clippy::expect_used, reason = "a system without randomness has no security to offer")]
    pub fn generate() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the random generator of the system");
        CurveSecretKey::from_bytes(bytes).into()
    }
}

impl From<CurveSecretKey> for CurveKeyPair {
    fn from(secret: CurveSecretKey) -> Self {
        Self { public: secret.public_key(), secret }
    }
}

impl From<CurveKeyPair> for CurveSecretKey {
    fn from(keys: CurveKeyPair) -> Self {
        keys.secret
    }
}

impl From<&CurveKeyPair> for CurveSecretKey {
    fn from(keys: &CurveKeyPair) -> Self {
        keys.secret.clone()
    }
}
