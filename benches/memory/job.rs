//! The job of a child process, its form on the command line, and the answers.

use std::fmt;

/// The first argument of a child process.
pub(crate) const CHILD: &str = "--end";

/// The continuous work of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) library: Library,
    pub(crate) role: Role,
    /// Sends 64-byte messages as fast as possible; else none.
    pub(crate) busy: bool,
    /// Counts allocations, which takes memory of its own.
    pub(crate) counts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    Zmq,
    Ours,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Push,
    Pull,
}

impl Job {
    /// Creates a busy job.
    pub(crate) const fn of(library: Library, role: Role) -> Self {
        Self { library, role, busy: true, counts: false }
    }

    pub(crate) fn to_args(self, endpoint: &str, sockets: usize) -> [String; 7] {
        let Self { library, role, busy, counts } = self;
        let (library, role, busy, counts) =
            (library.to_string(), role.to_string(), busy.to_string(), counts.to_string());
        [CHILD.to_owned(), library, role, busy, counts, endpoint.to_owned(), sockets.to_string()]
    }

    /// Parses the job, the endpoint and the number of sockets: one that binds, or several that
    /// connect.
    pub(crate) fn from_args(args: &[String]) -> Option<(Self, &str, usize)> {
        let [library, role, busy, counts, endpoint, sockets] = args else { return None };
        let library =
            [Library::Zmq, Library::Ours].into_iter().find(|known| known.to_string() == *library)?;
        let role = [Role::Push, Role::Pull].into_iter().find(|known| known.to_string() == *role)?;
        let job = Self { library, role, busy: busy.parse().ok()?, counts: counts.parse().ok()? };
        Some((job, endpoint, sockets.parse().ok()?))
    }
}

impl Role {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Push => Self::Pull,
            Self::Pull => Self::Push,
        }
    }

    /// Returns the name of the traffic.
    pub(crate) const fn traffic(self) -> &'static str {
        match self {
            Self::Push => "send",
            Self::Pull => "recv",
        }
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zmq => "zmq",
            Self::Ours => "ours",
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Push => "push",
            Self::Pull => "pull",
        })
    }
}

/// The answer of a process, with its totals since its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) resident_kib: u64,
    /// Messages sent or received.
    pub(crate) messages: u64,
    pub(crate) allocations: u64,
}

impl Sample {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let numbers: Option<Vec<u64>> = line.split(' ').map(|word| word.parse().ok()).collect();
        let &[resident_kib, messages, allocations] = &numbers?[..] else { return None };
        Some(Self { resident_kib, messages, allocations })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resident_kib, messages, allocations } = self;
        write!(f, "{resident_kib} {messages} {allocations}")
    }
}

/// The lines between the parent and its children.
pub(crate) const ASK: &str = "sample";
pub(crate) const SAMPLE: &str = "sample";
pub(crate) const GO: &str = "go";
pub(crate) const GOES: &str = "goes";
pub(crate) const BOUND: &str = "bound";
pub(crate) const STARTED: &str = "started";
