//! I/O threads: threads with a runtime of their own.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::thread;

use compio::driver::{DriverType, ProactorBuilder};
use compio::runtime::{Runtime, RuntimeBuilder};
use rustix::thread::gettid;

use super::{Driver, RuntimeHandle, epoll, serve, traits};

/// An I/O thread, to wait for its end.
#[derive(Debug)]
pub struct IoThread {
    thread: thread::JoinHandle<()>,
    /// Closed when the runtime is gone, just before the thread ends.
    ended: flume::Receiver<Infallible>,
}

/// The settings of an [`IoThread`].
#[derive(Clone, Debug, Default)]
pub struct IoThreadSettings {
    /// The name of the thread, as tools show it.
    pub name: String,
    /// The processors that the thread may run on; empty for any.
    pub affinity: HashSet<usize>,
    /// The driver to insist on; `None` takes io_uring where it is available.
    pub driver: Option<Driver>,
}

impl IoThread {
    /// Starts a thread with a runtime of its own.
    ///
    /// The thread ends when the last handle to its runtime is dropped, or with
    /// [`RuntimeHandle::shutdown`].
    pub fn spawn(settings: IoThreadSettings) -> io::Result<(RuntimeHandle, Self)> {
        let (commands, mailbox) = flume::unbounded();
        let (ready, started) = flume::bounded(1);
        let (ending, ended) = flume::bounded(0);
        let thread = thread::Builder::new().name(settings.name.clone()).spawn(move || {
            let runtime = match build(&settings) {
                Ok((runtime, Completions::Polled)) => {
                    epoll::set_uninterrupted();
                    runtime
                }
                Ok((runtime, Completions::Interrupting)) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            if ready.send(Ok((traits(&runtime), gettid()))).is_ok() {
                runtime.block_on(serve(mailbox));
            }
            drop(runtime);
            drop(ending);
        })?;
        let ((driver, runtime), id) =
            started.recv().unwrap_or_else(|_| Err(io::Error::other("the I/O thread did not start")))?;
        let handle = RuntimeHandle { commands: Some(commands), driver, thread: id, runtime };
        Ok((handle, Self { thread, ended }))
    }

    /// Waits until the runtime of the thread is gone. The thread itself ends right after that.
    pub fn wait(&self) -> impl Future<Output = ()> + use<> {
        let ended = self.ended.clone();
        async move {
            let Err(flume::RecvError::Disconnected) = ended.recv_async().await;
        }
    }

    /// Waits until the thread has ended.
    ///
    /// # Panics
    ///
    /// If the thread has panicked, with its panic.
    pub async fn join(self) {
        let Err(flume::RecvError::Disconnected) = self.ended.recv_async().await;
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// The way in which a runtime learns of completed operations.
#[derive(Clone, Copy)]
enum Completions {
    /// The kernel interrupts the thread for them.
    Interrupting,
    /// The thread asks for them.
    Polled,
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
fn build(settings: &IoThreadSettings) -> io::Result<(Runtime, Completions)> {
    let rungs = match settings.driver {
        None => &LADDER[..],
        Some(Driver::IoUring) => &LADDER[..3],
        Some(Driver::Polling) => &LADDER[3..],
    };
    let mut refusal = io::Error::from(io::ErrorKind::Unsupported);
    for rung in rungs {
        let mut proactor = ProactorBuilder::new();
        proactor.capacity(RING_ENTRIES);
        (rung.configure)(&mut proactor);
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
                .driver_type(DriverType::IoUring)
                .single_issuer(true)
                .defer_taskrun(true)
                .taskrun_flag(true);
        },
        completions: Completions::Polled,
    },
    Rung {
        configure: |proactor| {
            proactor.driver_type(DriverType::IoUring).coop_taskrun(true).taskrun_flag(true);
        },
        completions: Completions::Polled,
    },
    Rung {
        configure: |proactor| {
            proactor.driver_type(DriverType::IoUring);
        },
        completions: Completions::Interrupting,
    },
    Rung {
        configure: |proactor| {
            proactor.driver_type(DriverType::Poll);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_thread_ends_with_last_handle() {
        for driver in [None, Some(Driver::IoUring), Some(Driver::Polling)] {
            let settings = IoThreadSettings { name: "io".into(), driver, ..IoThreadSettings::default() };
            let (handle, thread) = IoThread::spawn(settings).expect("a thread");
            assert_eq!(handle.driver(), driver.unwrap_or(Driver::IoUring));
            let runtime = Runtime::new().expect("a runtime");
            let other = handle.clone();
            assert!(!handle.is_current_thread());
            let name = runtime.block_on(async move {
                other.run(async || thread::current().name().map(String::from)).await
            });
            assert_eq!(name, Ok(Some("io".into())));
            drop(handle);
            runtime.block_on(thread.join());
        }
    }
}
