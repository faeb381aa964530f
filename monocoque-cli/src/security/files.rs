//! Files with secrets: read up to a limit, with a warning if others may read them.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::terminal::warn;

/// Reads a file with a secret of at most `max` bytes. Warns if other users may read the file.
pub(super) fn read_secret(path: &Path, max: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let read = || -> io::Result<_> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_file() && metadata.mode() & OTHERS != 0 {
            let path = path.display();
            warn(&format_args!("warning: other users may read or change {path}: chmod 600 prevents it"));
        }
        // Large enough from the start: what is left behind in memory is not wiped.
        let len = usize::try_from(metadata.len()).unwrap_or(max);
        read_bounded(file, len, max)
    };
    read().map_err(|error| Error::File(path.to_owned(), error))
}

/// Reads a file without a secret, of at most [`KEY_MAX`] bytes.
pub(super) fn read_public(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let read = || read_bounded(File::open(path)?, 0, KEY_MAX);
    read().map_err(|error| Error::File(path.to_owned(), error))
}

/// Reads to the end. Fails after more than `max` bytes.
fn read_bounded(file: File, len: usize, max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(len.clamp(PIPE, max) + 1));
    file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        let reason = format!("it has more than {} KiB, the maximum of such a file", max / 1024);
        return Err(io::Error::new(ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

pub(super) fn first_line(bytes: &[u8]) -> &[u8] {
    lines(bytes).next().unwrap_or_default()
}

/// Returns the lines, without their breaks.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The maximum size of a file with a key or a password.
pub(super) const KEY_MAX: usize = 64 * 1024;
/// The permissions of all users but the owner.
const OTHERS: u32 = 0o077;
/// The expected length of what has no length, such as a pipe.
const PIPE: usize = 4096;
