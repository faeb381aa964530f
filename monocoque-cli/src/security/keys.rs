//! Keys of CURVE, on the command line and in files.

use std::path::Path;

use monocoque::security::{CurvePublicKey, CurveSecretKey};

use super::certificate::Certificate;
use super::files::{KEY_MAX, first_line, read_public, read_secret};
use crate::args::KeyArg;
use crate::error::Error;

/// Reads a secret key: the first line of a file, or the one in a certificate.
pub(super) fn read_secret_key(path: &Path) -> Result<CurveSecretKey, Error> {
    if may_be_key(path) && !path.exists() {
        // The error must not repeat a key.
        let reason = "--key-file takes the path of a file, not a key, and there is no such file";
        return Err(Error::Usage(reason.into()));
    }
    if path.extension().is_some_and(|end| end == "pub") {
        return Err(holds_public_key(path));
    }
    let bytes = read_secret(path, KEY_MAX)?;
    let secret = match secret_key_in(path, &bytes) {
        Err(error) => Certificate::find(&bytes).map_or(Err(error), |found| secret_key_of(path, found))?,
        Ok(secret) => secret,
    };
    // The public key of a pair is a valid secret key as well.
    let pair = path.with_extension("pub");
    let is_public = pair.is_file() && read_public_key(&pair).is_ok_and(|key| is_same(&secret, &key));
    if is_public { Err(holds_public_key(path)) } else { Ok(secret) }
}

fn secret_key_in(path: &Path, bytes: &[u8]) -> Result<CurveSecretKey, Error> {
    text_of_key(path, 1, first_line(bytes))?.parse().map_err(|error| Error::line(path, 1, error))
}

fn secret_key_of(path: &Path, certificate: Certificate<'_>) -> Result<CurveSecretKey, Error> {
    let Some((number, secret)) = certificate.secret else {
        let number = certificate.public.map_or(1, |(number, _)| number);
        let reason = "a certificate with the public key alone; the secret one is in the file that ends with .key_secret";
        return Err(Error::line(path, number, reason));
    };
    let secret: CurveSecretKey =
        text_of_key(path, number, secret)?.parse().map_err(|error| Error::line(path, number, error))?;
    let Some((number, public)) = certificate.public else { return Ok(secret) };
    let public = text_of_key(path, number, public)?.parse();
    if public.is_ok_and(|public: CurvePublicKey| public == secret.public_key()) {
        Ok(secret)
    } else {
        Err(Error::line(path, number, "the public key is not that of the secret key"))
    }
}

/// Returns the public key that an option has as its value, or that is in the `.pub` file there. No
/// other value is repeated by an error, for it may be a secret key.
pub(super) fn public_key(option: &str, KeyArg(value): &KeyArg) -> Result<CurvePublicKey, Error> {
    if let Some(Ok(key)) = value.to_str().map(|text| text.trim().parse()) {
        return Ok(key);
    }
    let path = Path::new(value);
    if path.extension().is_some_and(|end| end == "pub") {
        return read_public_key(path);
    }
    let hint = if !path.is_file() {
        format!("; these are {} bytes", value.len())
    } else if is_public_certificate(path) {
        "; the file is a certificate: put the value of its public-key into one that ends with .pub".into()
    } else {
        "; the file may hold a secret key".into()
    };
    Err(Error::Usage(format!(
        "{option}: neither a key, which has 40 characters of Z85, nor the path of a file that ends with .pub{hint}"
    )))
}

/// Reads a public key: the first line of a file, or the one in a certificate without a secret key.
pub(super) fn read_public_key(path: &Path) -> Result<CurvePublicKey, Error> {
    let bytes = read_public(path)?;
    let parse = |number, line| -> Result<CurvePublicKey, Error> {
        text_of_key(path, number, line)?.parse().map_err(|error| Error::line(path, number, error))
    };
    match (parse(1, first_line(&bytes)), Certificate::find(&bytes)) {
        (Ok(key), _) => Ok(key),
        (_, Some(Certificate { secret: Some((number, _)), .. })) => {
            Err(Error::line(path, number, "a secret key, in a file for public ones"))
        }
        (_, Some(Certificate { public: Some((number, key)), .. })) => parse(number, key),
        (error, _) => error,
    }
}

/// Returns whether the public key has the text of the secret key: one is given as the other.
pub(super) fn is_same(secret: &CurveSecretKey, public: &CurvePublicKey) -> bool {
    *secret.to_z85() == public.to_string()
}

fn is_public_certificate(path: &Path) -> bool {
    let bytes = read_public(path).unwrap_or_default();
    Certificate::find(&bytes).is_some_and(|found| found.secret.is_none())
}

fn text_of_key<'a>(path: &Path, line: usize, bytes: &'a [u8]) -> Result<&'a str, Error> {
    std::str::from_utf8(bytes.trim_ascii()).map_err(|_| Error::line(path, line, "not a key, which is text"))
}

fn holds_public_key(path: &Path) -> Error {
    let path = path.display();
    Error::Usage(format!(
        "--key-file takes a secret key, in a file that ends with .key: {path} holds a public one"
    ))
}

/// Returns whether a path may be a key, perhaps with a character too many or too few.
fn may_be_key(path: &Path) -> bool {
    let has_end = path.extension().is_some_and(|end| end == "key" || end == "key_secret" || end == "pub");
    let text = path.as_os_str().as_encoded_bytes();
    let is_z85 = |byte: &u8| byte.is_ascii_alphanumeric() || b".-:+=^!/*?&<>()[]{}@%$#".contains(byte);
    !has_end && KEY_LENGTHS.contains(&text.trim_ascii().len()) && text.trim_ascii().iter().all(is_z85)
}

/// The lengths of what may be a key.
const KEY_LENGTHS: std::ops::RangeInclusive<usize> = 30..=50;
