//! I/O threads: threads with a runtime of their own.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::thread;

use rustix::thread::gettid;

use super::build::{BuildSettings, Completions, build};
use super::{DriverType, RuntimeHandle, epoll, serve, traits};

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
    pub driver: Option<DriverType>,
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
            let wanted =
                BuildSettings { affinity: settings.affinity, driver: settings.driver, eventfd: None };
            let runtime = match build(&wanted) {
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
        let ((driver_type, runtime), id) =
            started.recv().unwrap_or_else(|_| Err(io::Error::other("the I/O thread did not start")))?;
        let handle = RuntimeHandle { commands: Some(commands), driver_type, thread: id, runtime };
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

#[cfg(test)]
mod tests {
    use compio::runtime::Runtime;

    use super::*;

    #[test]
    fn io_thread_ends_with_last_handle() {
        for driver in [None, Some(DriverType::IoUring), Some(DriverType::Polling)] {
            let settings = IoThreadSettings { name: "io".into(), driver, ..IoThreadSettings::default() };
            let (handle, thread) = IoThread::spawn(settings).expect("a thread");
            assert_eq!(handle.driver_type(), driver.unwrap_or(DriverType::IoUring));
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
