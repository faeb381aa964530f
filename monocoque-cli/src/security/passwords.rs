//! Files of passwords.

use std::collections::HashSet;
use std::path::Path;

use monocoque::security::Password;

use super::files::{KEY_MAX, first_line, lines, read_secret};
use crate::error::Error;

/// Reads a password, the first line of a file.
pub(super) fn read_password(path: &Path) -> Result<Password, Error> {
    let bytes = read_secret(path, KEY_MAX)?;
    match first_line(&bytes) {
        b"" => Err(Error::line(path, 1, "a password is expected")),
        line if line.len() > FIELD_MAX => Err(too_long(path, 1, "a password", line)),
        line => Ok(line.into()),
    }
}

/// Reads a file of lines `user:password`. Blank lines, and those that start with #, are ignored.
pub(super) fn read_passwords(path: &Path) -> Result<Vec<(Vec<u8>, Password)>, Error> {
    let bytes = read_secret(path, TABLE_MAX)?;
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
        for (what, field) in [("a user name", user), ("a password", password)] {
            if field.len() > FIELD_MAX {
                return Err(too_long(path, number, what, field));
            }
        }
        if !names.insert(user) {
            return Err(Error::line(path, number, "the user has a password already"));
        }
        users.push((user.to_vec(), password.into()));
    }
    if users.is_empty() { Err(Error::line(path, 1, "user:password is expected")) } else { Ok(users) }
}

fn too_long(path: &Path, line: usize, what: &str, field: &[u8]) -> Error {
    let reason = format_args!("{what} of {} bytes: at most {FIELD_MAX} are allowed", field.len());
    Error::line(path, line, reason)
}

/// The maximum length of a user name and of a password, in PLAIN.
const FIELD_MAX: usize = 255;
/// The maximum size of a file with the passwords of users.
const TABLE_MAX: usize = 16 * 1024 * 1024;
