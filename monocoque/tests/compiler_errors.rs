//! The compiler's errors for common mistakes: few, short, and in the words of the library.
//!
//! Each file of `compiler_errors` has a mistake, and the errors that it gives, or how they start,
//! after `//~`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The longest error, in lines.
const LINES_MAX: usize = 40;

/// An error of the compiler.
#[derive(Debug)]
struct Found {
    message: String,
    /// The texts of all notes.
    notes: String,
    lines: usize,
}

#[test]
fn mistakes_give_short_errors() {
    let sources = Path::new(ROOT).join("tests/compiler_errors");
    let package = tempfile::tempdir().expect("a directory");
    write_package(package.path(), &sources);
    let found = check(package.path());
    let mut files = 0;
    for entry in fs::read_dir(&sources).expect("the mistakes") {
        let path = entry.expect("a file").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let text = fs::read_to_string(&path).expect("readable");
        let found = found.get(&name).map_or(&[][..], Vec::as_slice);
        compare(&name, &text, found);
        files += 1;
    }
    assert!(files > 0);
}

/// Makes a package with a program for each mistake.
fn write_package(package: &Path, sources: &Path) {
    let manifest = format!(
        "[package]\nname = \"mistakes\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nmonocoque = {{ package = \"monocoque-zmq\", path = {ROOT:?} }}\n"
    );
    let programs = package.join("src/bin");
    fs::create_dir_all(&programs).expect("created");
    for entry in fs::read_dir(sources).expect("the mistakes") {
        let entry = entry.expect("a file");
        fs::copy(entry.path(), programs.join(entry.file_name())).expect("copied");
    }
    fs::write(package.join("Cargo.toml"), manifest).expect("written");
    // The versions that are there already.
    fs::copy(Path::new(ROOT).join("../Cargo.lock"), package.join("Cargo.lock")).expect("copied");
}

/// Compiles the programs, and returns the errors of each.
fn check(package: &Path) -> BTreeMap<String, Vec<Found>> {
    let target = Path::new(ROOT).join("../target/compiler-errors");
    let output = Command::new(env!("CARGO"))
        .args(["check", "--bins", "--keep-going", "--message-format=json", "--quiet"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(package)
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let error = &line["message"];
        if line["reason"] != "compiler-message"
            || error["level"] != "error"
            || error["spans"] == Value::Array(vec![])
        {
            continue;
        }
        let name = line["target"]["name"].as_str().expect("a name").to_owned();
        found.entry(name).or_default().push(Found {
            message: error["message"].as_str().unwrap_or_default().to_owned(),
            notes: error["children"].to_string(),
            lines: error["rendered"].as_str().unwrap_or_default().lines().count(),
        });
    }
    assert!(!found.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    found
}

fn compare(name: &str, text: &str, found: &[Found]) {
    let expected: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("//~ ")).collect();
    let errors: Vec<_> = expected.iter().filter_map(|line| line.strip_prefix("error: ")).collect();
    let messages: Vec<_> = found.iter().map(|found| &*found.message).collect();
    let is_same = |(message, error): (&&str, &&str)| message.starts_with(error);
    let is_expected = messages.len() == errors.len() && messages.iter().zip(&errors).all(is_same);
    assert!(is_expected, "{name} gives {messages:#?}, expected {errors:#?}");
    for note in expected.iter().filter_map(|line| line.strip_prefix("note: ")) {
        let note = Value::from(note).to_string();
        let note = note.trim_matches('"');
        assert!(found.iter().any(|found| found.notes.contains(note)), "{name} lacks {note:?}: {found:#?}");
    }
    for found in found {
        assert!(found.lines <= LINES_MAX, "{name}: {} lines: {found:#?}", found.lines);
    }
}
