//! A runtime without a thread of its own: an event loop of the caller drives it.
//!
//! The loop waits for one descriptor and calls [`Driver::turn`]. With io_uring the descriptor is an
//! eventfd that the kernel signals for each completed operation. With polling it is the epoll
//! instance of the runtime.
//!
//! A turn ends with a pass after which there is nothing to do. The order of the steps is what keeps
//! a wake-up from being lost: the signal is taken before completed operations are processed, so
//! what completes later signals again, and is taken once more after the flush. The flush also tells
//! wakers that they have to signal from then on.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::task::Waker;
use std::time::{Duration, Instant};

use compio::runtime::Runtime;
use rustix::event::{EventfdFlags, eventfd};

use super::build::{BuildSettings, Completions, build};
use super::duplicate::duplicate;
use super::{DriverType, RuntimeHandle, epoll};
use crate::process_id;

/// A runtime that an event loop of the caller drives.
///
/// It stays on the thread that made it. The tasks of the runtime end when it is dropped.
///
/// ```
/// use std::time::Duration;
/// use monocoque_core::runtime::Driver;
///
/// let (handle, driver) = Driver::new(None)?;
/// let mut answer = Box::pin(handle.run(async || 7));
/// let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// assert!(answer.as_mut().poll(&mut cx).is_pending());
/// while driver.turn() == Some(Duration::ZERO) {}
/// assert_eq!(answer.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(7)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Driver {
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
    signal: Signal,
    completions: Completions,
    in_turn: Cell<bool>,
    /// The process that the runtime belongs to. In one forked from it, the runtime does not exist.
    process: u32,
}

/// The descriptor to wait for.
#[derive(Debug)]
enum Signal {
    /// Signalled for each completed operation, until it is read.
    Eventfd(OwnedFd),
    /// Readable as long as a stream is ready that an operation waits for.
    Epoll(OwnedFd),
}

impl Driver {
    /// Makes a runtime on this thread, on the best driver that the kernel allows or on the given
    /// one.
    pub fn new(driver_type: Option<DriverType>) -> io::Result<(RuntimeHandle, Self)> {
        let signal = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let settings = BuildSettings {
            driver: driver_type,
            eventfd: Some(signal.as_raw_fd()),
            ..BuildSettings::default()
        };
        let (runtime, completions) = build(&settings)?;
        let signal = match DriverType::of(&runtime) {
            DriverType::IoUring => Signal::Eventfd(signal),
            DriverType::Polling => Signal::Epoll(duplicate(runtime.as_raw_fd())?),
        };
        let handle = runtime.enter(|| {
            // From here on wake-ups make the descriptor readable.
            runtime.poll_with(Some(Duration::ZERO));
            runtime.flush();
            // The task of the handle is to run, whether the loop calls or waits first.
            runtime.waker().wake();
            RuntimeHandle::current()
        });
        let handle = handle.ok_or_else(|| io::Error::other("the runtime was not entered"))?;
        let process = process_id();
        let in_turn = Cell::new(false);
        Ok((handle, Self { runtime: Some(runtime), signal, completions, in_turn, process }))
    }

    /// Runs what can run now, without waiting, for about a millisecond at most. Returns for how
    /// long the caller may wait for the descriptor: without a limit for `None`, not at all for
    /// zero.
    ///
    /// Does nothing in a process forked from that of the driver, and in a call from within a turn.
    pub fn turn(&self) -> Option<Duration> {
        let runtime = self.runtime.as_ref().filter(|_| self.process == process_id())?;
        if self.in_turn.replace(true) {
            return Some(Duration::ZERO);
        }
        let interrupted = epoll::replace_interrupted(self.completions == Completions::Interrupting);
        let sleep = runtime.enter(|| self.run(runtime));
        epoll::replace_interrupted(interrupted);
        self.in_turn.set(false);
        sleep
    }

    /// Returns a waker that makes the descriptor readable, from any thread.
    pub fn waker(&self) -> Waker {
        self.runtime.as_ref().map_or_else(|| Waker::noop().clone(), Runtime::waker)
    }

    fn run(&self, runtime: &Runtime) -> Option<Duration> {
        let start = Instant::now();
        self.signal.take();
        let mut passes = 0;
        loop {
            runtime.poll_with(Some(Duration::ZERO));
            let are_left = runtime.run();
            passes += 1;
            // Before the turn may end quietly: after so much work another one makes sure that the
            // ring still waits for wake-ups, which it does not after an overflow.
            if start.elapsed() >= TURN {
                return Some(Duration::ZERO);
            }
            if !are_left && !runtime.flush() && !self.signal.take() && passes >= self.signal.passes() {
                return runtime.current_timeout();
            }
        }
    }
}

impl Signal {
    /// Takes the signal. Returns true if operations may have completed since it was last taken.
    fn take(&self) -> bool {
        match self {
            Self::Eventfd(descriptor) => rustix::io::read(descriptor, &mut [0; 8]).is_ok(),
            // Processing operations takes it.
            Self::Epoll(_) => false,
        }
    }

    /// Returns the least number of passes of a turn.
    fn passes(&self) -> usize {
        match self {
            Self::Eventfd(_) => 1,
            // The second pass processes the cancellations of the first.
            Self::Epoll(_) => 2,
        }
    }
}

/// The descriptor that becomes readable when there is something to run.
impl AsFd for Driver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.signal {
            Signal::Eventfd(descriptor) | Signal::Epoll(descriptor) => descriptor.as_fd(),
        }
    }
}

impl AsRawFd for Driver {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let runtime = self.runtime.take();
        if self.process != process_id() {
            std::mem::forget(runtime);
        }
    }
}

/// The time after which a turn ends although there is more to run.
const TURN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;
    use crate::runtime::{sleep, yield_now};

    /// Waits for the descriptor as long as the driver allows. Returns whether it became readable.
    fn wait(driver: &Driver, limit: Option<Duration>) -> bool {
        let limit = limit.map(|limit| Timespec::try_from(limit).expect("a short time"));
        let mut descriptors = [PollFd::new(driver, PollFlags::IN)];
        poll(&mut descriptors, limit.as_ref()).expect("polled") == 1
    }

    /// Drives until `done`. Returns the number of turns.
    fn drive(driver: &Driver, mut done: impl FnMut() -> bool) -> usize {
        let start = Instant::now();
        let mut turns = 0;
        loop {
            let sleep = driver.turn();
            turns += 1;
            if done() {
                return turns;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "timed out");
            wait(driver, Some(sleep.unwrap_or(Duration::MAX).min(Duration::from_secs(20))));
        }
    }

    /// Runs `test` with each driver that this kernel allows.
    fn on_each(test: fn(RuntimeHandle, Driver)) {
        for driver_type in [DriverType::IoUring, DriverType::Polling] {
            if let Ok((handle, driver)) = Driver::new(Some(driver_type)) {
                assert_eq!(handle.driver_type(), driver_type);
                test(handle, driver);
            }
        }
    }

    #[test]
    fn spawned_work_makes_descriptor_readable() {
        on_each(|handle, driver| {
            let ran = Arc::new(AtomicUsize::new(0));
            for n in 1..=3 {
                while driver.turn().is_some() {}
                assert!(!wait(&driver, Some(Duration::ZERO)), "nothing to run");
                let counter = ran.clone();
                handle
                    .spawn(move || async move {
                        counter.fetch_add(1, Ordering::Relaxed);
                    })
                    .expect("spawned");
                assert!(wait(&driver, Some(Duration::from_secs(20))));
                drive(&driver, || ran.load(Ordering::Relaxed) == n);
            }
        });
    }

    #[test]
    fn first_wait_needs_no_turn() {
        on_each(|_handle, driver| assert!(wait(&driver, Some(Duration::from_secs(20)))));
    }

    #[test]
    fn waker_makes_descriptor_readable() {
        on_each(|_handle, driver| {
            for wake in [Waker::wake as fn(Waker), |waker| drop(thread::spawn(|| waker.wake()))] {
                while driver.turn().is_some() {}
                assert!(!wait(&driver, Some(Duration::ZERO)), "nothing to run");
                wake(driver.waker());
                assert!(wait(&driver, Some(Duration::from_secs(20))));
            }
        });
    }

    #[test]
    fn foreign_wakes_are_never_lost() {
        on_each(|handle, driver| {
            let ran = Arc::new(AtomicUsize::new(0));
            let counter = ran.clone();
            let thread = thread::spawn(move || {
                for n in 1..=2000 {
                    let counter = counter.clone();
                    handle
                        .spawn(move || async move {
                            counter.fetch_add(1, Ordering::Relaxed);
                        })
                        .expect("spawned");
                    if n % 3 == 0 {
                        thread::yield_now();
                    }
                }
                handle
            });
            drive(&driver, || ran.load(Ordering::Relaxed) == 2000);
            thread.join().expect("no panic");
        });
    }

    #[test]
    fn timer_limits_the_wait() {
        on_each(|handle, driver| {
            let (done, result) = flume::bounded(1);
            handle
                .spawn(move || async move {
                    let start = Instant::now();
                    for _ in 0..5 {
                        sleep(Duration::from_millis(20)).await;
                    }
                    let _gone = done.send(start.elapsed());
                })
                .expect("spawned");
            let mut took = None;
            let turns = drive(&driver, || {
                took = took.or_else(|| result.try_recv().ok());
                took.is_some()
            });
            assert!(took >= Some(Duration::from_millis(100)), "{took:?}");
            assert!(turns < 50, "{turns} turns for five timers");
            assert_eq!(driver.turn(), None, "no timer is left");
        });
    }

    #[test]
    fn busy_turn_ends_soon() {
        on_each(|handle, driver| {
            handle
                .spawn(|| async {
                    loop {
                        yield_now().await;
                    }
                })
                .expect("spawned");
            for _ in 0..10 {
                let start = Instant::now();
                assert_eq!(driver.turn(), Some(Duration::ZERO));
                assert!(start.elapsed() < Duration::from_secs(1));
            }
        });
    }

    #[test]
    fn dropped_driver_ends_its_tasks() {
        on_each(|handle, driver| {
            let (done, result) = flume::bounded::<()>(1);
            handle
                .spawn(move || async move {
                    let _kept = done;
                    std::future::pending().await
                })
                .expect("spawned");
            while driver.turn() == Some(Duration::ZERO) {}
            drop(driver);
            assert_eq!(result.recv(), Err(flume::RecvError::Disconnected));
            assert!(handle.spawn(async || {}).is_err());
        });
    }
}
