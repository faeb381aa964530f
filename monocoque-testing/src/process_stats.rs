//! The resources that this process holds.

use std::fs;

/// The resources of this process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStats {
    /// Open file descriptors.
    pub fds: usize,
    pub threads: usize,
    /// Resident memory in kilobytes.
    pub rss_kb: usize,
}

impl ProcessStats {
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("a status");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
            line.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number")
        };
        // The descriptor that reads the directory is always one of them.
        let fds = fs::read_dir("/proc/self/fd").expect("a directory").count();
        Self { fds, threads: field("Threads:"), rss_kb: field("VmRSS:") }
    }

    /// Returns each open descriptor and its target.
    pub fn descriptors() -> Vec<String> {
        let list = fs::read_dir("/proc/self/fd").expect("a directory").flatten();
        let name = |entry: fs::DirEntry| {
            let target = fs::read_link(entry.path()).map(|path| path.display().to_string());
            format!("{} {}", entry.file_name().display(), target.unwrap_or_default())
        };
        list.map(name).collect()
    }
}

/// Returns the resident memory of this process in bytes.
pub fn resident_bytes() -> usize {
    ProcessStats::now().rss_kb * 1024
}
