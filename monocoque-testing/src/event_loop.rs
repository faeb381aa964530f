//! An event loop on one thread: it waits for the descriptor of a driver, and for one future.

use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use monocoque::Driver;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Drives both until the future is ready. Returns its output.
pub fn run<F: Future>(driver: &Driver, future: F) -> F::Output {
    let mut future = pin!(future);
    let woken = Arc::new(Woken::new());
    let waker = woken.clone().into();
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // A future that only yields gets no turn before the driver does.
        loop {
            let sleep = driver.turn();
            if woken.take() {
                break;
            }
            if sleep != Some(Duration::ZERO) {
                woken.wait(driver, sleep);
            }
        }
    }
}

/// A waker that makes a descriptor readable.
struct Woken(OwnedFd);

impl Woken {
    fn new() -> Self {
        Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).expect("a descriptor"))
    }

    /// Returns true if it was woken since the last call.
    fn take(&self) -> bool {
        rustix::io::read(&self.0, &mut [0; 8]).is_ok()
    }

    /// Waits until it is woken, or the driver has something to run.
    fn wait(&self, driver: &Driver, limit: Option<Duration>) {
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut descriptors = [PollFd::new(driver, PollFlags::IN), PollFd::new(&self.0, PollFlags::IN)];
        poll(&mut descriptors, limit.as_ref()).expect("polled");
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        rustix::io::write(&self.0, &1_u64.to_ne_bytes()).expect("written");
    }
}
