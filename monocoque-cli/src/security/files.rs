//! Files of keys and passwords.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use monocoque::security::{CurveSecretKey, Password};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::terminal::warn;

/// Reads a secret key, the first line of a file.
pub(super) fn read_secret_key(path: &Path) -> Result<CurveSecretKey, Error> {
    if path.to_str().is_some_and(|text| text.parse::<CurveSecretKey>().is_ok()) && !path.exists() {
        // The error must not repeat a key.
        return Err(Error::Usage("--key-file takes the path of a file, not a key".into()));
    }
    if path.extension().is_some_and(|end| end == "pub") {
        let path = path.display();
        return Err(Error::Usage(format!(
            "--key-file takes a secret key, in a file that ends with .key: {path} holds a public one"
        )));
    }
    let bytes = read_secret(path)?;
    let line = first_line(&bytes).trim_ascii();
    let text = std::str::from_utf8(line).map_err(|_| Error::line(path, 1, "not a key, which is text"))?;
    text.parse().map_err(|error| Error::line(path, 1, error))
}

/// Reads a password, the first line of a file.
pub(super) fn read_password(path: &Path) -> Result<Password, Error> {
    let bytes = read_secret(path)?;
    match first_line(&bytes) {
        b"" => Err(Error::line(path, 1, "a password is expected")),
        line => Ok(line.into()),
    }
}

/// Reads a file of lines `user:password`. Blank lines, and those that start with #, are ignored.
pub(super) fn read_passwords(path: &Path) -> Result<Vec<(Vec<u8>, Password)>, Error> {
    let bytes = read_secret(path)?;
    let mut users = Vec::new();
    let mut names = HashSet::new();
    for (number, line) in (1..).zip(lines(&bytes)) {
        if line.trim_ascii().is_empty() || line.starts_with(b"#") {
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        // The error does not repeat the line, which may be a password.
        let colon = colon.ok_or_else(|| Error::line(path, number, "user:password is expected"))?;
        let (user, password) = (&line[..colon], &line[colon + 1..]);
        if !names.insert(user) {
            return Err(Error::line(path, number, "the user has a password already"));
        }
        users.push((user.to_vec(), password.into()));
    }
    if users.is_empty() { Err(Error::line(path, 1, "user:password is expected")) } else { Ok(users) }
}

/// Checks that a directory can be read.
pub(super) fn check_directory(path: &Path) -> Result<(), Error> {
    fs::read_dir(path).map(drop).map_err(|error| Error::File(path.to_owned(), error))
}

/// Reads a file with a secret. Warns if other users may read the file.
fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let read = || -> io::Result<_> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_file() && metadata.mode() & OTHERS != 0 {
            let path = path.display();
            warn(&format_args!("warning: other users may read or change {path}: chmod 600 prevents it"));
        }
        // Large enough from the start: what is left behind in memory is not wiped.
        let len = usize::try_from(metadata.len()).unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(len.max(PIPE) + 1));
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| Error::File(path.to_owned(), error))
}

fn first_line(bytes: &[u8]) -> &[u8] {
    lines(bytes).next().unwrap_or_default()
}

/// Returns the lines, without their breaks.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The permissions of all users but the owner.
const OTHERS: u32 = 0o077;
/// The expected length of what has no length, such as a pipe.
const PIPE: usize = 4096;
