//! Observers of the readiness of a socket: tasks and a descriptor that are woken when it may have
//! changed.
//!
//! Observers stand beside the queues of those that receive and send, never in them: a queue wakes
//! one task for each event, and an observer would take the turn of a receiver. Here all are woken,
//! each looks at the socket itself, and none takes anything.
//!
//! No event is lost, since an observer asks to be woken before it looks: a task
//! [waits](Readiness::wait) and then looks, the owner of the descriptor [clears](Readiness::clear)
//! it and then looks. What changes the socket does so under one of its locks, finds the observer
//! there, and [signals](Readiness::signal) once the lock is released. A look that has come before
//! the change has left the observer there, and one that comes after it sees the change.

mod event_fd;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};

use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::{Ticket, Waiters};

pub use event_fd::{EventFd, reserve_spare};

/// The observers of the readiness of one socket.
///
/// As a [waker](Self::waker) it is what the queues of the socket hold.
///
/// ```
/// use std::sync::Arc;
/// use std::task::Waker;
/// use monocoque_core::{LaneConfig, LaneKey, Inbox, Message, PeerKey, Readiness};
///
/// let (inbox, readiness) = (Inbox::<Message>::new(), Arc::new(Readiness::default()));
/// inbox.observe(&readiness.waker());
/// let descriptor = readiness.descriptor()?;
/// readiness.clear(); // a descriptor is readable when it is made
/// assert!(inbox.try_next().unwrap().is_none());
///
/// let lane = inbox.open_lane(PeerKey::new(0, 1), (), LaneConfig::default());
/// inbox.push(lane, &mut [Message::from("makes the descriptor readable")].into(), 0);
/// # let mut ready = [rustix::event::PollFd::new(&descriptor, rustix::event::PollFlags::IN)];
/// # let now = rustix::time::Timespec::default();
/// # assert_eq!(rustix::event::poll(&mut ready, Some(&now)).unwrap(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Readiness {
    state: Mutex<State>,
    descriptor: OnceLock<EventFd>,
    is_installed: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// The tasks that wait for the next signal. Their order has no meaning.
    tasks: Waiters,
    /// The descriptor is set.
    is_set: bool,
    /// The descriptor was handed out when there was none left.
    uses_spare: bool,
}

impl Readiness {
    /// Returns the waker that signals.
    pub fn waker(self: &Arc<Self>) -> Waker {
        self.clone().into()
    }

    /// Returns whether all that may change the socket wakes the [waker](Self::waker): its owner has
    /// [said so](Self::set_installed).
    #[inline]
    pub fn is_installed(&self) -> bool {
        self.is_installed.load(Ordering::Acquire)
    }

    /// Notes that all that may change the socket wakes the [waker](Self::waker).
    pub fn set_installed(&self) {
        self.is_installed.store(true, Ordering::Release);
    }

    /// Wakes all tasks that wait, and makes the descriptor readable. Not under a lock of the
    /// socket: tasks are woken, and the descriptor is written to.
    pub fn signal(&self) {
        let mut state = self.state.lock();
        if let Some(descriptor) = self.descriptor.get()
            && !std::mem::replace(&mut state.is_set, true)
        {
            descriptor.set();
        }
        if state.uses_spare {
            event_fd::spare().set();
        }
        let tasks = state.tasks.drain();
        drop(state);
        tasks.into_iter().for_each(Waker::wake);
    }

    /// Makes the descriptor not readable, before its owner looks at the socket.
    pub fn clear(&self) {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.is_set)
            && let Some(descriptor) = self.descriptor.get()
        {
            descriptor.reset();
        }
    }

    /// Wakes `waker` at the next signal. A task that has waited before keeps its ticket.
    pub fn wait(&self, ticket: &mut Option<Ticket>, waker: &Waker) {
        self.state.lock().tasks.wait(ticket, waker);
    }

    /// Removes a task that no longer waits.
    pub fn remove(&self, ticket: &mut Option<Ticket>) {
        // The next one waits for the same signal, not for a turn.
        let _next = self.state.lock().tasks.remove(ticket);
    }

    /// Returns the descriptor. It is made at the first call, and readable then.
    ///
    /// # Errors
    ///
    /// If the process or the system has no descriptor left.
    pub fn descriptor(&self) -> io::Result<BorrowedFd<'_>> {
        if let Some(descriptor) = self.descriptor.get() {
            return Ok(descriptor.as_fd());
        }
        let made = EventFd::new()?;
        let mut state = self.state.lock();
        // Another thread may have been faster.
        let descriptor = self.descriptor.get_or_init(|| {
            state.is_set = true;
            made
        });
        drop(state);
        Ok(descriptor.as_fd())
    }

    /// Returns the descriptor, or the spare one of the process if there is none left. That one is
    /// always readable, and reports each signal to an edge-triggered observer.
    pub fn descriptor_or_spare(&self) -> BorrowedFd<'_> {
        self.descriptor().unwrap_or_else(|_| {
            self.state.lock().uses_spare = true;
            event_fd::spare().as_fd()
        })
    }
}

impl Wake for Readiness {
    fn wake(self: Arc<Self>) {
        self.signal();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signal();
    }
}

#[cfg(all(test, monocoque_loom))]
mod models;
#[cfg(all(test, not(monocoque_loom)))]
mod tests;
