//! The greeting: the first 64 bytes of either side (RFC 23, section 'Version Negotiation').
//!
//! Owns their layout and the supported versions. Of a mechanism it knows only the name. Called by
//! the session, again and again with the bytes that have arrived so far: a bad greeting is refused
//! at the first byte that shows it.

use crate::names::MechanismName;
use crate::{Incompatible, Malformed, ZmtpError};

/// The revision of the protocol on a connection. Later revisions of a peer count as ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// ZMTP 3.0: subscriptions are messages.
    V3_0,
    /// ZMTP 3.1: subscriptions are commands.
    V3_1,
}

/// Returns our greeting. It is sent whole at once, so that two peers never wait for each other for
/// ever.
pub(crate) fn greeting(mechanism: MechanismName, as_server: bool) -> [u8; GREETING_LEN] {
    let mut bytes = [0; GREETING_LEN];
    bytes[0] = SIGNATURE_FIRST;
    bytes[SIGNATURE_END] = SIGNATURE_LAST;
    bytes[VERSION] = 3;
    bytes[VERSION + 1] = 1;
    bytes[MECHANISM..AS_SERVER].copy_from_slice(&mechanism.0);
    bytes[AS_SERVER] = as_server.into();
    bytes
}

/// Checks the part of the peer's greeting that has arrived; `None` while it is not whole.
/// libzmq never announces that it is a server.
pub(crate) fn check_greeting(
    bytes: &[u8],
    mechanism: MechanismName,
    is_server: bool,
) -> Result<Option<Revision>, ZmtpError> {
    if bytes.first().is_some_and(|&byte| byte != SIGNATURE_FIRST)
        || bytes.get(SIGNATURE_END).is_some_and(|&byte| byte != SIGNATURE_LAST)
    {
        return Err(Malformed::Signature.into());
    }
    if let Some(&major) = bytes.get(VERSION).filter(|major| **major < 3) {
        return Err(Incompatible::Version { major }.into());
    }
    let theirs = bytes.get(MECHANISM..).and_then(<[u8]>::first_chunk).map(|name| MechanismName(*name));
    if let Some(theirs) = theirs.filter(|theirs| *theirs != mechanism) {
        return Err(Incompatible::Mechanism { theirs }.into());
    }
    if is_server && bytes.get(AS_SERVER) == Some(&1) {
        return Err(Incompatible::BothServers { mechanism }.into());
    }
    Ok(match bytes.get(VERSION..GREETING_LEN) {
        None => None,
        Some([3, 0, ..]) => Some(Revision::V3_0),
        Some(_) => Some(Revision::V3_1),
    })
}

/// The length of a greeting.
pub(crate) const GREETING_LEN: usize = 64;
const SIGNATURE_FIRST: u8 = 0xff;
const SIGNATURE_LAST: u8 = 0x7f;
// The offsets of the fields.
const SIGNATURE_END: usize = 9;
const VERSION: usize = 10;
const MECHANISM: usize = 12;
const AS_SERVER: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> Result<Option<Revision>, ZmtpError> {
        check_greeting(bytes, MechanismName::NULL, false)
    }

    #[test]
    fn own_greeting_matches_rfc() {
        let bytes = greeting(MechanismName::NULL, false);
        assert_eq!(bytes[..16], *b"\xff\0\0\0\0\0\0\0\0\x7f\x03\x01NULL");
        assert_eq!(bytes[16..], [0; 48]);
        assert_eq!(greeting(MechanismName::NULL, true)[32], 1);
        assert_eq!(check(&bytes), Ok(Some(Revision::V3_1)));
    }

    #[test]
    fn second_server_is_rejected() {
        let both = Incompatible::BothServers { mechanism: MechanismName::PLAIN };
        let bytes = greeting(MechanismName::PLAIN, true);
        for len in 0..=64 {
            let expected = if len > 32 { Err(both.into()) } else { Ok(None) };
            assert_eq!(check_greeting(&bytes[..len], MechanismName::PLAIN, true), expected, "{len} bytes");
        }
        for (theirs, ours) in [(true, false), (false, true), (false, false)] {
            let bytes = greeting(MechanismName::PLAIN, theirs);
            assert_eq!(check_greeting(&bytes, MechanismName::PLAIN, ours), Ok(Some(Revision::V3_1)));
        }
    }

    #[test]
    fn peer_version_selects_revision() {
        let mut bytes = greeting(MechanismName::NULL, false);
        for (version, revision) in [
            ([3, 0], Revision::V3_0),
            ([3, 2], Revision::V3_1),
            ([4, 0], Revision::V3_1),
            ([255, 255], Revision::V3_1),
        ] {
            bytes[10..12].copy_from_slice(&version);
            assert_eq!(check(&bytes), Ok(Some(revision)));
        }
    }

    #[test]
    fn invalid_byte_is_rejected_immediately() {
        let good = greeting(MechanismName::NULL, false);
        for (at, byte, seen_at, error) in [
            (0, 0xfe, 0, ZmtpError::from(Malformed::Signature)),
            (9, 0x7e, 9, Malformed::Signature.into()),
            (10, 2, 10, Incompatible::Version { major: 2 }.into()),
        ] {
            let mut bytes = good;
            bytes[at] = byte;
            for len in 0..=64 {
                let expected = if len > seen_at { Err(error.clone()) } else { Ok(None) };
                assert_eq!(check(&bytes[..len]), expected, "{len} bytes");
            }
        }
    }

    #[test]
    fn padding_and_role_are_ignored() {
        let mut bytes = greeting(MechanismName::NULL, false);
        bytes[1..9].fill(0xaa);
        bytes[32..].fill(0xbb);
        assert_eq!(check(&bytes), Ok(Some(Revision::V3_1)));
    }

    #[test]
    fn mechanism_name_matches_exactly() {
        for at in 12..32 {
            let mut bytes = greeting(MechanismName::NULL, false);
            bytes[at] ^= 1;
            assert!(matches!(check(&bytes), Err(ZmtpError::Incompatible(Incompatible::Mechanism { .. }))));
        }
        assert_eq!(MechanismName::NULL.to_string(), "NULL");
        assert_eq!(MechanismName([0; 20]).to_string(), "");
    }
}
