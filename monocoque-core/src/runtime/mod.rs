//! The runtimes that connections live on: that of the calling thread, that of an I/O thread, or one
//! that an event loop of the caller drives.
//!
//! Streams stay on one thread. A [`RuntimeHandle`] reaches it from any thread:
//! it sends closures to a mailbox, whose task turns them into tasks of that runtime. The mailbox is
//! the only task that other threads wake to start work. It ends when the last handle is dropped.
//!
//! | file | owns |
//! |---|---|
//! | `io_thread` | threads with a runtime of their own |
//! | `driver` | a runtime that an event loop of the caller drives |
//! | `build` | the choice of a driver and its flags |
//! | `duplicate` | the duplicate of a descriptor that is known by its number |
//! | `epoll` | readiness of many streams behind one operation |
//! | `yielding` | when a future that is always ready gives other tasks a turn |
//! | `block_on` | waiting for a future without a runtime |
//! | `fork` | futures that end in a forked process |

mod block_on;
mod build;
mod driver;
mod duplicate;
pub(crate) mod epoll;
mod fork;
#[cfg(monocoque_loom)]
mod idle;
mod io_thread;
pub mod yielding;

use std::future::poll_fn;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use compio::runtime::Runtime;
use futures_util::future::{Either, select};
use rustix::thread::{Pid, gettid};
use thiserror::Error;

use crate::deadline::{self, StallGrace};

pub use block_on::block_on;
pub use driver::Driver;
pub use fork::{UnlessForked, unless_forked};
#[cfg(monocoque_loom)]
pub use idle::IdleRuntime;
pub use io_thread::{IoThread, IoThreadSettings};

/// A handle to a runtime on which connections live.
///
/// Cheap to clone; usable from any thread.
#[derive(Clone, Debug)]
pub struct RuntimeHandle {
    /// `None` once the handle is being dropped, and in a handle to a runtime that has ended.
    commands: Option<flume::Sender<Command>>,
    driver_type: DriverType,
    thread: Pid,
    /// The descriptor of the runtime.
    runtime: RawFd,
}

/// A message to the mailbox of a runtime.
enum Command {
    /// Calls a closure, which spawns a task.
    Spawn(Box<dyn FnOnce() + Send>),
    /// Ends the mailbox.
    Shutdown,
}

/// The interface of a runtime to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverType {
    /// io_uring.
    IoUring,
    /// Readiness and system calls: where io_uring is missing or forbidden.
    Polling,
}

/// The runtime of a [`RuntimeHandle`] has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the runtime that the connections lived on has ended")]
pub struct RuntimeGone;

impl RuntimeHandle {
    /// Returns a handle to the compio runtime of the calling thread; `None` outside one.
    pub fn current() -> Option<Self> {
        let (driver_type, runtime) = Runtime::try_with_current(traits).ok()?;
        let (commands, mailbox) = flume::unbounded();
        compio::runtime::spawn(serve(mailbox)).detach();
        Some(Self { commands: Some(commands), driver_type, thread: gettid(), runtime })
    }

    /// Returns a handle to a runtime that has ended, and that belongs to no thread.
    pub fn ended() -> Self {
        Self { commands: None, driver_type: DriverType::Polling, thread: Pid::INIT, runtime: -1 }
    }

    /// Ends the mailbox: no more work is taken, from any handle.
    ///
    /// An I/O thread ends, with all tasks that still run there; the runtime of a caller goes on.
    pub fn shutdown(&self) {
        // A failure means that it has ended already.
        let _sent = self.commands.as_ref().map(|commands| commands.send(Command::Shutdown));
    }

    /// Returns how the runtime does its I/O.
    pub fn driver_type(&self) -> DriverType {
        self.driver_type
    }

    /// Returns true on the thread of the runtime: blocking there for its work would never end.
    pub fn is_current_thread(&self) -> bool {
        // Not by thread-locals: it is called in their destructors too.
        self.thread == gettid()
    }

    /// Returns true inside the runtime, as long as that has not ended.
    pub fn is_current(&self) -> bool {
        self.is_current_thread()
            && Runtime::try_with_current(Runtime::as_raw_fd).is_ok_and(|fd| fd == self.runtime)
    }

    /// Calls `make` on the thread of the runtime, and runs the future to its end as a task there.
    pub fn spawn<F>(&self, make: impl FnOnce() -> F + Send + 'static) -> Result<(), RuntimeGone>
    where
        F: Future<Output = ()> + 'static,
    {
        let job = move || compio::runtime::spawn(make()).detach();
        let commands = self.commands.as_ref().ok_or(RuntimeGone)?;
        commands.send(Command::Spawn(Box::new(job))).map_err(|_| RuntimeGone)
    }

    /// As [`spawn`](Self::spawn), and waits for the output of the future.
    pub async fn run<F, T>(&self, make: impl FnOnce() -> F + Send + 'static) -> Result<T, RuntimeGone>
    where
        F: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let (done, result) = flume::bounded(1);
        self.spawn(move || {
            let future = make();
            async move {
                // Fails if the call was cancelled.
                let _ = done.send(future.await);
            }
        })?;
        unless_forked(result.into_recv_async()).await?.map_err(|_| RuntimeGone)
    }
}

impl Drop for RuntimeHandle {
    fn drop(&mut self) {
        // The last one wakes the mailbox task.
        let commands = self.commands.take();
        run_outside_panic(move || drop(commands));
    }
}

/// Runs `work` here, or on another thread while this one panics.
///
/// For destructors that wake tasks: a waker of the runtime that is woken by a panicking thread
/// aborts the process, and the message of the panic is lost.
pub fn run_outside_panic(work: impl FnOnce() + Send + 'static) {
    if thread::panicking() {
        // If no thread can be started either, the work is left undone.
        let _thread = thread::Builder::new().spawn(work);
    } else {
        work();
    }
}

/// Spawns a task on the runtime of this thread.
///
/// # Panics
///
/// Outside a compio runtime.
pub fn spawn_local(future: impl Future<Output = ()> + 'static) {
    compio::runtime::spawn(future).detach();
}

/// Gives the other tasks of the runtime that are ready a turn.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Sleeps for `duration` on the runtime of this thread; for ever if that is beyond the clock.
pub async fn sleep(duration: Duration) {
    match deadline::after(Instant::now(), duration) {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Sleeps until `deadline` on the runtime of this thread.
pub async fn sleep_until(deadline: Instant) {
    compio::time::sleep_until(deadline).await;
}

/// Processes the operations that have completed by now: one turn of the driver, and one of the
/// tasks that it wakes.
pub async fn process_completions() {
    sleep(DRIVER_TURN).await;
    yield_now().await;
}

/// Awaits `future` for at most `limit`, then drops it and returns `None`.
///
/// Without a limit, or with one beyond the clock, it waits without an end. Time in which this
/// thread stood still does not count: a limit that ends then [starts again](StallGrace). Completed
/// operations are processed before the future is given up.
pub async fn within<T>(limit: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut grace = StallGrace::new();
    loop {
        let Some(end) = limit.and_then(|limit| deadline::after(Instant::now(), limit)) else {
            return Some(future.await);
        };
        if let Either::Left((done, _)) = select(future.as_mut(), pin!(sleep_until(end))).await {
            return Some(done);
        }
        if limit == Some(Duration::ZERO) {
            return None;
        }
        if !grace.grant(end, Instant::now()) {
            break;
        }
    }
    match select(future, pin!(process_completions())).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

impl DriverType {
    fn of(runtime: &Runtime) -> Self {
        if runtime.driver_type().is_iouring() { Self::IoUring } else { Self::Polling }
    }
}

/// Returns the properties of a runtime that its handles keep.
fn traits(runtime: &Runtime) -> (DriverType, RawFd) {
    (DriverType::of(runtime), runtime.as_raw_fd())
}

/// Runs the mailbox until it is shut down or the last handle is dropped.
async fn serve(mailbox: flume::Receiver<Command>) {
    while let Ok(Command::Spawn(job)) = mailbox.recv_async().await {
        job();
    }
}

/// A sleep that is long enough for one turn of the driver.
const DRIVER_TURN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalled_thread_restarts_time_limit() {
        let limit = Some(Duration::from_millis(50));
        Runtime::new().expect("a runtime").block_on(async {
            let work = async {
                for _ in 0..3 {
                    thread::sleep(Duration::from_millis(200));
                    // What completes needs a turn of the driver.
                    sleep(Duration::from_millis(1)).await;
                }
            };
            assert_eq!(within(limit, work).await, Some(()));
            let start = Instant::now();
            assert_eq!(within(limit, std::future::pending::<()>()).await, None);
            assert!(start.elapsed() >= Duration::from_millis(50));
            let stalls = async {
                loop {
                    thread::sleep(Duration::from_millis(100));
                    yield_now().await;
                }
            };
            assert_eq!(within(limit, stalls).await, None::<()>, "it is over at last");
        });
    }

    #[test]
    fn huge_time_limit_never_expires() {
        Runtime::new().expect("a runtime").block_on(async {
            for limit in [Duration::MAX, Duration::from_secs(u64::MAX / 4)] {
                assert_eq!(within(Some(limit), sleep(Duration::from_millis(1))).await, Some(()));
                assert_eq!(within(Some(Duration::from_millis(1)), sleep(limit)).await, None);
            }
            assert_eq!(within(Some(Duration::ZERO), async {}).await, Some(()));
            assert_eq!(within(Some(Duration::ZERO), std::future::pending::<()>()).await, None);
        });
    }

    #[test]
    fn current_outside_runtime_is_none() {
        assert!(RuntimeHandle::current().is_none());
    }

    #[test]
    fn handle_detects_ended_runtime() {
        let runtime = Runtime::new().expect("a runtime");
        let handle = runtime.block_on(async { RuntimeHandle::current() }).expect("inside a runtime");
        assert!(handle.is_current_thread() && !handle.is_current());
        assert!(runtime.block_on(async { handle.is_current() }));
        let other = Runtime::new().expect("a runtime");
        assert!(!other.block_on(async { handle.is_current() }));
        drop(runtime);
        assert_eq!(handle.spawn(async || {}), Err(RuntimeGone));
    }
}
