//! Z85: four bytes as five printable characters (RFC 32).
//!
//! Owns the alphabet. Used by keys, and by programs that keep them as text.

use thiserror::Error;

/// The reason why text is not Z85, or bytes cannot be written as Z85.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Z85Error {
    /// The text is not a multiple of five characters long, or the bytes not one of four; a key has
    /// 40 characters.
    #[error("Z85 of {0} characters or bytes")]
    Length(usize),
    /// A character that does not belong to the alphabet.
    #[error("a character that is not in the alphabet of Z85, at position {0}")]
    Character(usize),
    /// Five characters that stand for more than 32 bits.
    #[error("five characters of Z85 that are more than 32 bits, at position {0}")]
    Overflow(usize),
}

/// Writes bytes as text.
///
/// # Errors
///
/// If their number is not a multiple of four.
///
/// ```
/// use monocoque_zmtp::{z85_decode, z85_encode};
///
/// let bytes = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
/// assert_eq!(z85_encode(&bytes)?, "HelloWorld");
/// assert_eq!(z85_decode("HelloWorld")?, bytes);
/// # Ok::<(), monocoque_zmtp::Z85Error>(())
/// ```
pub fn z85_encode(bytes: &[u8]) -> Result<String, Z85Error> {
    if bytes.len() % BYTE_GROUP != 0 {
        return Err(Z85Error::Length(bytes.len()));
    }
    let mut text = String::with_capacity(bytes.len() / BYTE_GROUP * TEXT_GROUP);
    for group in bytes.chunks(BYTE_GROUP) {
        let value = group.iter().fold(0, |value, byte| value << 8 | u32::from(*byte));
        let digits = [BASE.pow(4), BASE.pow(3), BASE.pow(2), BASE, 1].map(|unit| value / unit % BASE);
        text.extend(
            digits.iter().filter_map(|digit| ALPHABET.get(*digit as usize)).map(|&byte| char::from(byte)),
        );
    }
    Ok(text)
}

/// Reads bytes from text.
///
/// # Errors
///
/// If the text is not Z85.
pub fn z85_decode(text: &str) -> Result<Vec<u8>, Z85Error> {
    if text.len() % TEXT_GROUP != 0 {
        return Err(Z85Error::Length(text.len()));
    }
    let mut bytes = Vec::with_capacity(text.len() / TEXT_GROUP * BYTE_GROUP);
    for (group, at) in text.as_bytes().chunks(TEXT_GROUP).zip((0..).step_by(TEXT_GROUP)) {
        let mut value = 0_u64;
        for (character, offset) in group.iter().zip(0..) {
            let digit = ALPHABET.iter().position(|digit| digit == character);
            let digit = digit.ok_or(Z85Error::Character(at + offset))?;
            value = value * u64::from(BASE) + digit as u64;
        }
        let value = u32::try_from(value).map_err(|_| Z85Error::Overflow(at))?;
        bytes.extend_from_slice(&value.to_be_bytes());
    }
    Ok(bytes)
}

const ALPHABET: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
const BASE: u32 = 85;
const BYTE_GROUP: usize = 4;
const TEXT_GROUP: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_round_trips() {
        for bytes in [vec![], vec![0; 4], vec![0xff; 32], (0..=255).collect()] {
            let text = z85_encode(&bytes).expect("a multiple of four");
            assert_eq!(text.len(), bytes.len() / 4 * 5);
            assert_eq!(z85_decode(&text), Ok(bytes));
        }
    }

    #[test]
    fn invalid_text_is_rejected() {
        assert_eq!(z85_encode(&[1; 5]), Err(Z85Error::Length(5)));
        assert_eq!(z85_decode("Hello1"), Err(Z85Error::Length(6)));
        assert_eq!(z85_decode("HelloWor d"), Err(Z85Error::Character(8)));
        assert_eq!(z85_decode("Hello\"orld"), Err(Z85Error::Character(5)));
        assert_eq!(z85_decode("Helloé111"), Err(Z85Error::Character(5)));
        assert_eq!(z85_decode("%nSc0"), Ok(vec![0xff; 4]));
        assert_eq!(z85_decode("00000%nSc1"), Err(Z85Error::Overflow(5)));
        assert_eq!(z85_decode("#####"), Err(Z85Error::Overflow(0)));
    }
}
