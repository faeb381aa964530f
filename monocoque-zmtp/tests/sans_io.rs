//! Checks that the crate has no clock, randomness, I/O or runtime: its sources do not name one.

use std::fs;
use std::path::{Path, PathBuf};

/// Names that must not occur in code; they may in the examples of comments.
const FORBIDDEN: [&str; 10] = [
    "Instant::now",
    "SystemTime",
    "std::net",
    "std::io",
    "std::fs",
    "std::thread",
    "std::process",
    "rand::",
    "getrandom",
    "compio",
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn sources_use_no_io_or_clock() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(files.len() > 10, "found the sources");
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (line, number) in code.lines().zip(1..) {
            let code = line.split("//").next().unwrap_or_default();
            let found = FORBIDDEN.iter().find(|name| code.contains(**name));
            assert_eq!(found, None, "{}:{number}", file.display());
        }
    }
}

#[test]
fn dependencies_include_no_runtime() {
    let manifest =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("the manifest");
    let (_, rest) = manifest.split_once("[dependencies]").expect("dependencies");
    let (dependencies, _) = rest.split_once("[dev-dependencies]").expect("dev-dependencies");
    let names: Vec<_> = dependencies.lines().filter_map(|line| line.split(['.', ' ']).next()).collect();
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["bytes", "dryoc", "monocoque-core", "salsa20", "subtle", "thiserror", "zeroize"]);
}
