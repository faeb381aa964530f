//! `mq keygen`.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use monocoque::security::CurveKeyPair;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::args::{KeygenArgs, Report};
use crate::error::Error;
use crate::output::print_line;

pub(super) fn run(args: &KeygenArgs) -> Result<(), Error> {
    let keys = CurveKeyPair::generate();
    let (public, secret) = (keys.public, keys.secret.to_z85());
    let line = match (&args.out, args.output) {
        (None, Report::Text) => format!("public: {public}\nsecret: {}", *secret),
        (None, Report::Json) => json!({ "public": public.to_string(), "secret": *secret }).to_string(),
        (Some(_), Report::Text) => public.to_string(),
        (Some(_), Report::Json) => json!({ "public": public.to_string() }).to_string(),
    };
    if let Some(path) = &args.out {
        write_pair(path, &keys, if args.force { Existing::Replace } else { Existing::Keep })?;
    }
    print_line(&line).map(drop)
}

/// The fate of files that exist already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    Keep,
    Replace,
}

/// Writes both files, or neither if one cannot be written, or exists and is kept.
fn write_pair(path: &Path, keys: &CurveKeyPair, existing: Existing) -> Result<(), Error> {
    let [public_path, secret_path] = [with_end(path, "pub")?, with_end(path, "key")?];
    let public = write(&public_path, &keys.public.to_string(), PUBLIC)?;
    let secret = write(&secret_path, &keys.secret.to_z85(), SECRET)?;
    let replaced = match existing {
        Existing::Keep => None,
        Existing::Replace => link(&public_path),
    };
    rename(public, &public_path, existing)?;
    rename(secret, &secret_path, existing).inspect_err(|_| {
        // A public key that is missing is noticed; one of another secret key is not.
        let restored = replaced.is_some_and(|old| old.persist(&public_path).is_ok());
        if !restored {
            let _ = std::fs::remove_file(&public_path);
        }
    })
}

fn with_end(path: &Path, end: &str) -> Result<PathBuf, Error> {
    let no_name = || Error::Usage(format!("--out {}: the name of a file is missing", path.display()));
    let mut name = path.file_name().ok_or_else(no_name)?.to_owned();
    if path.extension().is_some_and(|end| end == "key" || end == "pub") {
        let (path, stem) = (path.display(), path.with_extension(""));
        let stem = stem.display();
        return Err(Error::Usage(format!(
            "--out {path}: the ends .key and .pub are added; --out {stem} writes {stem}.key and {stem}.pub"
        )));
    }
    name.push(OsStr::new("."));
    name.push(OsStr::new(end));
    Ok(path.with_file_name(name))
}

/// Writes a file as a whole, with its permissions, under a temporary name beside `path`.
fn write(path: &Path, key: &str, mode: u32) -> Result<NamedTempFile, Error> {
    let failed = |error| Error::Write(path.to_owned(), without_path(error));
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory_of(path))
        .map_err(failed)?;
    file.write_all(key.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
    Ok(file)
}

/// Links a file under a temporary name beside it, to put it back with. Returns `None` if there is
/// no such file, or it cannot be linked.
fn link(path: &Path) -> Option<NamedTempFile<()>> {
    tempfile::Builder::new().make_in(directory_of(path), |link| std::fs::hard_link(path, link)).ok()
}

fn rename(file: NamedTempFile, path: &Path, existing: Existing) -> Result<(), Error> {
    let renamed = match existing {
        Existing::Keep => file.persist_noclobber(path),
        Existing::Replace => file.persist(path),
    };
    match renamed {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Err(Error::Exists(path.to_owned())),
        Err(error) => Err(Error::Write(path.to_owned(), without_path(error.error))),
    }
}

/// Returns an error without the name of the temporary file that it is about.
fn without_path(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((reason, _)) => io::Error::new(error.kind(), reason),
        None => error,
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// The permissions of the files, of which the umask takes some away.
const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;
