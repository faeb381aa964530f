//! Facts about the machine and the measured versions.

use std::{fs, thread};

use serde_json::{Value, json};

/// Returns the processor, memory and kernel.
pub fn machine() -> Value {
    json!({
        "processor": field("/proc/cpuinfo", "model name"),
        "cores": thread::available_parallelism().map_or(0, usize::from),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
    })
}

/// Returns the versions of both libraries and of their bindings.
#[cfg(feature = "zmq")]
pub fn versions() -> Value {
    let (major, minor, patch) = zmq::version();
    let lock = include_str!("../../Cargo.lock");
    let locked = |name: &str| {
        let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        Some(rest.split_once('"')?.0)
    };
    json!({
        "monocoque": env!("CARGO_PKG_VERSION"),
        "compio": locked("compio"),
        "libzmq": format!("{major}.{minor}.{patch}"),
        "zmq crate": locked("zmq"),
    })
}

/// Returns the resident memory of this process in KiB.
pub fn resident_kib() -> Option<u64> {
    field("/proc/self/status", "VmRSS")?.strip_suffix(" kB")?.parse().ok()
}

/// Returns the value of a field in a file under `/proc`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim_start_matches([' ', '\t', ':']).to_owned())
}
