//! What this process holds.

use std::fs;

/// What there is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// File descriptors.
    pub fds: usize,
    pub threads: usize,
    /// Memory in kilobytes that is in RAM.
    pub rss_kb: usize,
}

impl Held {
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("a status");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
            line.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number")
        };
        // The one that lists them is one of them, each time.
        let fds = fs::read_dir("/proc/self/fd").expect("a directory").count();
        Self { fds, threads: field("Threads:"), rss_kb: field("VmRSS:") }
    }

    /// What the descriptors are.
    pub fn descriptors() -> Vec<String> {
        let list = fs::read_dir("/proc/self/fd").expect("a directory").flatten();
        let name = |entry: fs::DirEntry| {
            let target = fs::read_link(entry.path()).map(|path| path.display().to_string());
            format!("{} {}", entry.file_name().display(), target.unwrap_or_default())
        };
        list.map(name).collect()
    }
}

/// Bytes of memory of this process that are in RAM.
pub fn resident() -> usize {
    Held::now().rss_kb * 1024
}
