//! A directory of public keys, which is read again when it changes.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use monocoque_core::sync::Mutex;
use monocoque_zmtp::CurvePublicKey;

/// The keys in a directory, one a file.
#[derive(Clone, Debug)]
pub(super) struct KeyDirectory {
    path: PathBuf,
    files: Arc<Mutex<BTreeMap<PathBuf, KeyFile>>>,
}

/// A file, as it was read.
#[derive(Debug)]
struct KeyFile {
    version: Version,
    key: Option<CurvePublicKey>,
}

/// The file and the time of its last change.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    changed: (i64, i64),
    len: u64,
}

impl Version {
    /// Returns whether another change would have another time: the clock of files is coarse.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_secs()).is_ok_and(|now| now - self.changed.0 > SETTLED_SECONDS)
    }
}

impl From<Metadata> for Version {
    fn from(file: Metadata) -> Self {
        Self { inode: file.ino(), changed: (file.ctime(), file.ctime_nsec()), len: file.len() }
    }
}

impl KeyDirectory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, files: Arc::default() }
    }

    /// Returns the name of the first file with this key, without its end. Reads the files that have
    /// changed.
    pub(super) fn owner_of(&self, key: &CurvePublicKey) -> io::Result<Option<String>> {
        let mut files = self.files.lock();
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.extension().is_none_or(|end| end != "pub") {
                continue;
            }
            // A pipe would block.
            let Some(metadata) = fs::metadata(&path).ok().filter(Metadata::is_file) else { continue };
            let version = Version::from(metadata);
            let file = match files.remove(&path) {
                Some(known) if known.version == version && version.is_settled() => known,
                _ => KeyFile { version, key: read_key(&path) },
            };
            found.insert(path, file);
        }
        *files = found;
        let owner = files.iter().find(|(_, file)| file.key.as_ref() == Some(key));
        let name = owner.and_then(|(path, _)| path.file_stem());
        Ok(name.map(|name| name.to_string_lossy().into_owned()))
    }
}

/// Reads the key in the first line of a file.
fn read_key(path: &Path) -> Option<CurvePublicKey> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(READ_MAX).read_to_string(&mut text).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// How long a file is read again at each question after its last change.
const SETTLED_SECONDS: i64 = 2;
/// The most bytes that are read of a file.
const READ_MAX: u64 = 4096;
