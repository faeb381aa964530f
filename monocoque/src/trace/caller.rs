//! The runtime of the thread that makes a socket, if its connections run elsewhere.

use super::Span;

/// The runtime that a new socket finds on its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The connections run on it, or it is not known.
    Ours,
    /// Another runtime than compio's, or none.
    #[cfg(feature = "tracing")]
    NoCompio,
    /// A runtime of another version of compio.
    #[cfg(feature = "tracing")]
    OtherCompio,
}

#[cfg(not(feature = "tracing"))]
impl Caller {
    pub(crate) const fn detect() -> Self {
        Self::Ours
    }

    pub(crate) const fn record(self, _span: &Span) {}
}

#[cfg(feature = "tracing")]
impl Caller {
    /// Looks at the calling thread, before a context is made for it. Only the first call in a
    /// process looks for another version of compio, and only if that could be logged.
    pub(crate) fn detect() -> Self {
        use std::sync::atomic::{AtomicBool, Ordering};

        static IS_CHECKED: AtomicBool = AtomicBool::new(false);
        if monocoque_core::RuntimeHandle::current().is_some() {
            Self::Ours
        } else if tracing::enabled!(target: super::TARGET, tracing::Level::WARN)
            && !IS_CHECKED.swap(true, Ordering::Relaxed)
            && has_ring()
            && runs_in_compio()
        {
            Self::OtherCompio
        } else {
            Self::NoCompio
        }
    }

    /// Records that the connections of a socket do not run on the thread that made it.
    pub(crate) fn record(self, span: &Span) {
        use tracing::{debug, warn};

        use super::TARGET;

        match self {
            Self::Ours => {}
            Self::NoCompio => span.within(|| {
                debug!(target: TARGET, "no compio runtime on this thread: connections run on the shared I/O thread");
            }),
            Self::OtherCompio => span.within(|| {
                warn!(
                    target: TARGET,
                    "the runtime of this thread is of another version of compio than `monocoque::compio`: \
                     connections run on the shared I/O thread"
                );
            }),
        }
    }
}

/// Returns whether the process has a ring of io_uring: without one, looking at the stack would be
/// for nothing in nearly all programs.
#[cfg(feature = "tracing")]
fn has_ring() -> bool {
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else { return false };
    let targets = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.into_iter().any(|target| target.to_string_lossy().contains("[io_uring]"))
}

/// Returns whether a runtime of compio is on the stack of this thread, as far as symbols tell.
#[cfg(feature = "tracing")]
fn runs_in_compio() -> bool {
    std::backtrace::Backtrace::force_capture().to_string().contains("compio_runtime::")
}
