//! A descriptor that is readable while it is set.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::event::{EventfdFlags, eventfd};

/// An eventfd: not blocking, closed by `exec`, and readable while it is set.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// An eventfd that is set.
    ///
    /// # Errors
    ///
    /// If the process or the system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(1, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Makes it readable. One that is edge-triggered reports this again if it was readable before.
    pub fn set(&self) {
        // Fails only when the counter is full: it is readable then.
        let _written = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Makes it not readable.
    pub fn reset(&self) {
        // Fails only if it was not readable.
        let _read = rustix::io::read(&self.0, &mut [0; size_of::<u64>()]);
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The descriptor of sockets that have none of their own, since there was none left. Always set:
/// whoever waits for it looks too often, and misses nothing.
static SPARE: OnceLock<EventFd> = OnceLock::new();

/// Makes the spare descriptor of the process, unless it was made before.
///
/// # Errors
///
/// If the process or the system has no descriptor left.
pub fn reserve_spare() -> io::Result<()> {
    if SPARE.get().is_none() {
        // Another thread may be faster; one of the two is dropped.
        let _first = SPARE.set(EventFd::new()?);
    }
    Ok(())
}

pub(super) fn spare() -> &'static EventFd {
    match SPARE.get() {
        Some(spare) => spare,
        None => unreachable!("reserved before the first socket was made"),
    }
}
