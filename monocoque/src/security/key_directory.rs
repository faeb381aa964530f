//! A directory of public keys, which is read again when it changes.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use monocoque_core::sync::Mutex;
use monocoque_zmtp::CurvePublicKey;

use crate::trace;

/// The keys in a directory, one a file.
#[derive(Clone, Debug)]
pub(super) struct KeyDirectory {
    path: PathBuf,
    known: Arc<Mutex<Known>>,
}

/// A directory, as it was listed.
#[derive(Debug, Default)]
struct Known {
    version: Option<Version>,
    listed: Option<Instant>,
    is_unreadable: bool,
    files: BTreeMap<PathBuf, KeyFile>,
}

/// A file, as it was read.
#[derive(Debug)]
struct KeyFile {
    version: Option<Version>,
    key: Option<CurvePublicKey>,
}

/// A file or directory and the time of its last change.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    changed: (i64, i64),
    len: u64,
}

impl Version {
    /// Returns the version, `None` if another change would have the same time: the clock of files
    /// is coarse.
    fn settled(file: &Metadata) -> Option<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let is_settled = i64::try_from(now.as_secs()).is_ok_and(|now| now - file.ctime() > SETTLED_SECONDS);
        let changed = (file.ctime(), file.ctime_nsec());
        is_settled.then(|| Self { inode: file.ino(), changed, len: file.len() })
    }
}

impl KeyDirectory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, known: Arc::default() }
    }

    /// Returns the name of the first file with this key, without its end; empty if it is not
    /// UTF-8. Reads the files that have
    /// changed. The owners of unknown keys cannot have the directory listed again and again: while
    /// no file comes or goes, it is listed every [`LISTING_INTERVAL`] at most.
    pub(super) fn owner_of(&self, key: &CurvePublicKey) -> io::Result<Option<String>> {
        let mut known = self.known.lock();
        let owner = self.find(&mut known, key);
        let is_unreadable = owner.is_err();
        if let Err(error) = &owner
            && !known.is_unreadable
        {
            trace::unreadable_keys(&self.path, error);
        }
        known.is_unreadable = is_unreadable;
        owner
    }

    fn find(&self, known: &mut Known, key: &CurvePublicKey) -> io::Result<Option<String>> {
        let version = Version::settled(&fs::metadata(&self.path)?);
        let is_same = version.is_some() && known.version == version;
        let is_fresh = known.listed.is_some_and(|listed| listed.elapsed() < LISTING_INTERVAL);
        match known.file_of(key) {
            Some((path, file)) if is_same && file.is_current(path) => {}
            None if is_same && is_fresh => {}
            _ => {
                known.list(&self.path)?;
                known.version = version;
            }
        }
        let owner = known.file_of(key).and_then(|(path, _)| path.file_stem());
        // A name that is not UTF-8 could become that of another file.
        Ok(owner.map(|name| name.to_str().unwrap_or_default().to_owned()))
    }
}

impl Known {
    fn file_of(&self, key: &CurvePublicKey) -> Option<(&Path, &KeyFile)> {
        let file = self.files.iter().find(|(_, file)| file.key.as_ref() == Some(key));
        file.map(|(path, file)| (&**path, file))
    }

    /// Lists the directory, and reads the files that are new or have changed.
    fn list(&mut self, path: &Path) -> io::Result<()> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            if path.extension().is_none_or(|end| end != "pub") {
                continue;
            }
            let file = match self.files.remove(&path) {
                Some(known) if known.is_current(&path) => known,
                _ => KeyFile::read(&path),
            };
            found.insert(path, file);
        }
        self.files = found;
        self.listed = Some(Instant::now());
        Ok(())
    }
}

impl KeyFile {
    fn read(path: &Path) -> Self {
        // A pipe would block.
        match fs::metadata(path) {
            Ok(file) if file.is_file() => {
                let (version, key) = (Version::settled(&file), read_key(path));
                // Once, unless it changes.
                if key.is_none() && version.is_some() {
                    trace::no_key(path);
                }
                Self { version, key }
            }
            _ => Self { version: None, key: None },
        }
    }

    fn is_current(&self, path: &Path) -> bool {
        let version = fs::metadata(path).ok().and_then(|file| Version::settled(&file));
        version.is_some() && self.version == version
    }
}

/// Reads the key in the first line of a file.
fn read_key(path: &Path) -> Option<CurvePublicKey> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(READ_MAX).read_to_string(&mut text).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// The shortest time from one listing to the next while no file comes or goes.
const LISTING_INTERVAL: Duration = Duration::from_millis(100);
/// How long a file is read again at each question after its last change.
const SETTLED_SECONDS: i64 = 2;
/// The most bytes that are read of a file.
const READ_MAX: u64 = 4096;

#[cfg(all(test, not(monocoque_loom)))]
mod tests {
    use super::*;
    use crate::security::CurveKeyPair;

    /// Writes a file of the directory, and waits until its version is known.
    fn write_settled(directory: &Path, name: &str, key: &CurvePublicKey) {
        let path = directory.join(name);
        fs::write(&path, key.to_string()).unwrap();
        while [&*path, directory].iter().any(|path| Version::settled(&fs::metadata(path).unwrap()).is_none())
        {
            std::thread::yield_now();
        }
    }

    #[test]
    fn unknown_keys_do_not_list_again() {
        let path = tempfile::tempdir().unwrap();
        let [anna, ben] = [(); 2].map(|()| CurveKeyPair::generate().public);
        write_settled(path.path(), "anna.pub", &anna);
        let directory = KeyDirectory::new(path.path().to_owned());
        let listed = || directory.known.lock().listed;

        assert_eq!(directory.owner_of(&ben).unwrap(), None);
        let first = listed();
        assert_eq!(directory.owner_of(&anna).unwrap().as_deref(), Some("anna"));
        assert_eq!(listed(), first, "a known key lists nothing");
        let start = Instant::now();
        while start.elapsed() < 2 * LISTING_INTERVAL {
            assert_eq!(directory.owner_of(&ben).unwrap(), None);
        }
        let last = listed();
        assert!(last > first, "later it is listed again");

        fs::write(path.path().join("ben.pub"), ben.to_string()).unwrap();
        assert_eq!(directory.owner_of(&ben).unwrap().as_deref(), Some("ben"), "a new file counts at once");
        fs::write(path.path().join("anna.pub"), ben.to_string()).unwrap();
        assert_eq!(directory.owner_of(&anna).unwrap(), None, "so does a key that has left a file");
    }
}
