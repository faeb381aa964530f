//! Drivers: what an event loop of the caller runs the connections of an embedded context with.

#[cfg(feature = "smol")]
mod smol;
#[cfg(feature = "tokio")]
mod tokio;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::Waker;
use std::time::Duration;

use monocoque_core::{RuntimeHandle, runtime};

use crate::error::MonocoqueError;

/// Runs the connections of an [embedded](crate::Context::embedded) context, in an event loop of the
/// caller.
///
/// The loop calls [`turn`](Self::turn), does its own work, and waits until the descriptor of the
/// driver is readable or the time is over that `turn` has returned:
///
/// ```
/// use std::pin::pin;
/// use std::task::Poll;
///
/// use monocoque::Context;
/// use monocoque::zmq::{PullSocket, PushSocket};
/// use rustix::event::{PollFd, PollFlags, Timespec, poll};
///
/// let (context, driver) = Context::embedded()?;
/// let (pull, push) = (PullSocket::new_in(&context)?, PushSocket::new_in(&context)?);
/// let mut exchange = pin!(async {
///     push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
///     push.send("through the loop").await?;
///     pull.recv().await
/// });
///
/// let waker = driver.waker();
/// let mut cx = std::task::Context::from_waker(&waker);
/// let message = loop {
///     let sleep = driver.turn();
///     if let Poll::Ready(message) = exchange.as_mut().poll(&mut cx) {
///         break message?;
///     }
///     let mut descriptors = [PollFd::new(&driver, PollFlags::IN)]; // and those of the program
///     let sleep = sleep.map(Timespec::try_from).transpose()?;
///     poll(&mut descriptors, sleep.as_ref())?;
/// };
/// assert_eq!(message, "through the loop");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With the feature `tokio`, `run_local` is such a loop for a current-thread runtime and a
/// `LocalSet`; with the feature `smol`, `run_smol` for smol and whatever else uses async-io.
///
/// The driver stays on the thread that made it. The sockets do not: they can be made, used, closed
/// and awaited on any thread, and what other threads do makes the descriptor readable.
///
/// | | |
/// |---|---|
/// | blocking calls on the thread of the driver | fail with [`WouldDeadlock`](MonocoqueError::WouldDeadlock); on other threads they work |
/// | nobody calls `turn` | nothing is accepted, sent or received, peers [get no answer](crate::guide::heartbeats), and what waits for connections waits: `recv`, `flush`, `close`, `shutdown` |
/// | the driver is dropped | the connections end at once, as with the runtime of [`Context::current`](crate::Context::current): queued messages are lost, and waiting calls return [`Closed`](MonocoqueError::Closed). So `close` the sockets first, or [`shutdown`](crate::Context::shutdown) the context, while the loop runs |
/// | several drivers on a thread, a driver on the thread of a compio runtime | each is driven by itself; with compio, [`Context::current`](crate::Context::current) needs no driver |
/// | a forked process | `turn` does nothing there, and the sockets are closed |
/// | [`attach`](crate::zmq::Socket::attach) | fails with [`WrongThread`](MonocoqueError::WrongThread): a stream belongs to the compio runtime that it was opened in |
/// | the process ends | queued messages are lost: the exit handler covers I/O threads only |
#[derive(Debug)]
pub struct Driver {
    runtime: runtime::Driver,
}

impl Driver {
    pub(crate) fn new() -> Result<(RuntimeHandle, Self), MonocoqueError> {
        let (handle, runtime) = runtime::Driver::new(None).map_err(MonocoqueError::Runtime)?;
        Ok((handle, Self { runtime }))
    }

    /// Runs what can run now, and returns for how long the loop may sleep: `None` until the
    /// descriptor is readable, a duration until then or until it is over, zero not at all.
    ///
    /// Never waits. After a millisecond it returns zero if there is more to run, so that the other
    /// tasks of the loop get their turn; a task of a connection runs for about as long in between.
    /// It may be called at any time, and as often as the loop likes: without anything to run it
    /// costs a few system calls, so an idle loop is to wait.
    ///
    /// A call from within a turn, by a waker for example, does nothing and returns zero.
    ///
    /// # Panics
    ///
    /// If the kernel refuses to wait for operations, as [`block_on`](crate::compio) of a compio
    /// runtime does.
    pub fn turn(&self) -> Option<Duration> {
        self.runtime.turn()
    }

    /// Returns a waker that makes the descriptor readable, for futures that the loop polls itself.
    ///
    /// Poll them after each [`turn`](Self::turn) and before the next wait. The waker can be used on
    /// any thread.
    pub fn waker(&self) -> Waker {
        self.runtime.waker()
    }
}

/// The descriptor to wait for: readable when [`turn`](Driver::turn) has something to run.
///
/// It is the same for the whole life of the driver. Level-triggered and edge-triggered waits work,
/// if `turn` is called after each and its duration obeyed. Only wait for it; do not read it. With
/// io_uring a wait by `epoll_wait` may be interrupted (`EINTR`) when something arrives: wait again,
/// as after a signal. `poll` is not.
impl AsFd for Driver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.runtime.as_fd()
    }
}

impl AsRawFd for Driver {
    fn as_raw_fd(&self) -> RawFd {
        self.runtime.as_raw_fd()
    }
}
