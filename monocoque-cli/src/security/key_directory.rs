//! The directory of --keys, as it is at the start.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::files::{first_line, read_public};
use crate::error::Error;
use crate::terminal::warn;

/// Checks that a directory can be read. Warns if it has no key, if a file in it is ignored, and if
/// other users may change a key.
pub(super) fn check(directory: &Path) -> Result<(), Error> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        let paths = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
        let mut paths = paths.collect::<std::io::Result<Vec<_>>>()?;
        paths.retain(|path| path.extension().is_some_and(|end| end == "pub"));
        paths.sort();
        Ok(paths)
    };
    let paths = list().map_err(|error| Error::File(directory.to_owned(), error))?;
    let (keys, ignored): (Vec<_>, Vec<_>) = paths.iter().partition(|path| has_key(path));
    if let Some(files) = naming(&ignored) {
        warn(&format_args!("warning: {files}: ignored, for the first line is not a public key, as Z85"));
    }
    if keys.is_empty() {
        let directory = directory.display();
        warn(&format_args!(
            "warning: {directory} has no .pub file with a key: it allows no client until there is one"
        ));
    }
    let directory = directory.to_owned();
    warn_writable(&[&[&directory], &keys[..]].concat());
    Ok(())
}

/// Warns if other users may change one of the files.
pub(super) fn warn_writable(paths: &[&PathBuf]) {
    let writable: Vec<_> = paths.iter().copied().filter(|path| is_writable(path)).collect();
    if let Some(files) = naming(&writable) {
        warn(&format_args!("warning: other users may change {files}: chmod go-w prevents it"));
    }
}

fn is_writable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.mode() & WRITABLE != 0)
}

/// Returns whether a server finds a key in the file.
fn has_key(path: &Path) -> bool {
    let is_file = fs::metadata(path).is_ok_and(|file| file.is_file());
    let bytes = if is_file { read_public(path).unwrap_or_default() } else { Default::default() };
    let line = std::str::from_utf8(first_line(&bytes)).unwrap_or_default();
    line.trim().parse::<monocoque::security::CurvePublicKey>().is_ok()
}

/// Returns the name of the first file, and the number of further ones; `None` if there is none.
fn naming(paths: &[&PathBuf]) -> Option<String> {
    let (first, more) = paths.split_first()?;
    let first = first.display();
    Some(if more.is_empty() { first.to_string() } else { format!("{first} and {} more", more.len()) })
}

/// The permissions to write of all users but the owner.
const WRITABLE: u32 = 0o022;
