//! A directory of public keys, which is read again when it changes.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use monocoque_core::sync::Mutex;
use monocoque_zmtp::CurvePublicKey;

/// The keys in a directory, one a file.
#[derive(Clone, Debug)]
pub(super) struct KeyDirectory {
    path: PathBuf,
    files: Arc<Mutex<HashMap<PathBuf, KeyFile>>>,
}

/// A file, as it was read.
#[derive(Debug)]
struct KeyFile {
    modified: Option<SystemTime>,
    len: u64,
    key: Option<CurvePublicKey>,
}

impl KeyDirectory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, files: Arc::default() }
    }

    /// Returns the name of the file with this key, without its end. Reads the files that have
    /// changed.
    pub(super) fn owner_of(&self, key: &CurvePublicKey) -> Option<String> {
        let mut files = self.files.lock();
        let mut found = HashMap::new();
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|end| end != "pub") {
                continue;
            }
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let (modified, len) = (metadata.modified().ok(), metadata.len());
            let known = files.remove(&path).filter(|file| file.modified == modified && file.len == len);
            let file = known.unwrap_or_else(|| KeyFile { modified, len, key: read_key(&path) });
            found.insert(path, file);
        }
        *files = found;
        let owner = files.iter().find(|(_, file)| file.key.as_ref() == Some(key))?;
        Some(owner.0.file_stem()?.to_string_lossy().into_owned())
    }
}

/// Reads the key in the first line of a file.
fn read_key(path: &Path) -> Option<CurvePublicKey> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(READ_MAX).read_to_string(&mut text).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// The most bytes that are read of a file.
const READ_MAX: u64 = 4096;
