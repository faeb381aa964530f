//! The choice of a driver and its flags: the best that the kernel allows.

use std::collections::HashSet;
use std::io;
use std::os::fd::RawFd;

use compio::driver::{self, ProactorBuilder};
use compio::runtime::{Runtime, RuntimeBuilder};

use super::DriverType;

/// The way in which a runtime learns of completed operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completions {
    /// The kernel interrupts the thread for them.
    Interrupting,
    /// The thread asks for them.
    Polled,
}

/// The settings of a runtime.
#[derive(Debug, Default)]
pub(super) struct BuildSettings {
    /// The processors that its thread may run on; empty for any.
    pub(super) affinity: HashSet<usize>,
    /// The driver to insist on; `None` takes io_uring where it is available.
    pub(super) driver: Option<DriverType>,
    /// A descriptor of an eventfd that io_uring signals for each completed operation.
    pub(super) eventfd: Option<RawFd>,
}

/// A configuration of the driver, from the best to the one that works everywhere.
struct Rung {
    configure: fn(&mut ProactorBuilder),
    completions: Completions,
}

/// Builds the best runtime that this kernel allows.
///
/// io_uring is asked for with fewer and fewer flags, each time by name, so that a refusal shows
/// instead of becoming a silent fallback.
pub(super) fn build(settings: &BuildSettings) -> io::Result<(Runtime, Completions)> {
    // A ring that defers its work signals nothing while its thread waits elsewhere.
    let first = usize::from(settings.eventfd.is_some());
    let rungs = match settings.driver {
        None => LADDER.get(first..),
        Some(DriverType::IoUring) => LADDER.get(first..3),
        Some(DriverType::Polling) => LADDER.get(3..),
    };
    let mut refusal = io::Error::from(io::ErrorKind::Unsupported);
    for rung in rungs.unwrap_or_default() {
        let mut proactor = ProactorBuilder::new();
        proactor.capacity(RING_ENTRIES);
        (rung.configure)(&mut proactor);
        if let Some(eventfd) = settings.eventfd {
            proactor.register_eventfd(eventfd);
        }
        let mut builder = RuntimeBuilder::new();
        builder
            .with_proactor(proactor)
            .sync_queue_size(FOREIGN_WAKES)
            .thread_affinity(settings.affinity.clone());
        match builder.build() {
            Ok(runtime) => return Ok((runtime, rung.completions)),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

const LADDER: [Rung; 4] = [
    Rung {
        configure: |proactor| {
            proactor
                .driver_type(driver::DriverType::IoUring)
                .single_issuer(true)
                .defer_taskrun(true)
                .taskrun_flag(true);
        },
        completions: Completions::Polled,
    },
    Rung {
        configure: |proactor| {
            proactor.driver_type(driver::DriverType::IoUring).coop_taskrun(true).taskrun_flag(true);
        },
        completions: Completions::Polled,
    },
    Rung {
        configure: |proactor| {
            proactor.driver_type(driver::DriverType::IoUring);
        },
        completions: Completions::Interrupting,
    },
    Rung {
        configure: |proactor| {
            proactor.driver_type(driver::DriverType::Poll);
        },
        completions: Completions::Interrupting,
    },
];
/// The most operations that are submitted between two turns of the loop; with more, the ring is
/// entered early.
const RING_ENTRIES: u32 = 4096;
/// The number of tasks that other threads can wake at the same time without waiting for this one:
/// one for each connection, and some more.
const FOREIGN_WAKES: usize = 16 * 1024;
