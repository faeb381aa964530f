//! The timeouts of waiting futures: a task of the socket's runtime wakes each at its deadline.
//!
//! The task is woken early only for a deadline before the one it sleeps for, so a busy socket pays
//! for one timer a timeout, not one a message.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::future::select;
use monocoque_core::sync::Mutex;
use monocoque_core::{deadline, runtime};

/// The deadlines of the futures of one socket.
#[derive(Debug, Default)]
pub(crate) struct Timers(Mutex<Deadlines>);

#[derive(Debug, Default)]
struct Deadlines {
    due: BTreeMap<Timer, Waker>,
    next: u64,
    /// The deadline that the supervisor sleeps for.
    armed: Option<Instant>,
    supervisor: Option<Waker>,
}

/// The deadline of one future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timer {
    at: Instant,
    number: u64,
}

impl Timers {
    /// Returns whether `limit` has passed since the first call for this timer. If not, `waker` is
    /// woken then.
    pub(crate) fn is_over(&self, timer: &mut Option<Timer>, limit: Duration, waker: &Waker) -> bool {
        let now = Instant::now();
        if limit.is_zero() || timer.is_some_and(|timer| timer.at <= now) {
            return true;
        }
        let mut state = self.0.lock();
        let timer = match *timer {
            Some(known) => known,
            None => {
                // A deadline that the clock cannot represent never comes.
                let Some(at) = deadline::after(now, limit) else { return false };
                let number = state.next;
                state.next += 1;
                *timer.insert(Timer { at, number })
            }
        };
        state.due.insert(timer, waker.clone());
        let supervisor =
            if state.armed.is_none_or(|armed| timer.at < armed) { state.supervisor.take() } else { None };
        drop(state);
        if let Some(supervisor) = supervisor {
            supervisor.wake();
        }
        false
    }

    /// Removes the timer of a future that no longer waits.
    pub(crate) fn remove(&self, timer: Timer) {
        self.0.lock().due.remove(&timer);
    }

    /// Wakes futures at their deadlines, until dropped. Runs on the socket's runtime.
    pub(crate) async fn run(&self) {
        loop {
            let Some(at) = self.arm(None).await else { continue };
            let earlier = std::pin::pin!(self.arm(Some(at)));
            select(std::pin::pin!(runtime::sleep_until(at)), earlier).await;
            let mut state = self.0.lock();
            state.armed = None;
            let now = Instant::now();
            let mut over = Vec::new();
            while let Some(first) = state.due.first_entry()
                && first.key().at <= now
            {
                over.push(first.remove());
            }
            drop(state);
            over.into_iter().for_each(Waker::wake);
        }
    }

    /// Waits for a deadline before `armed`, and returns the first one.
    async fn arm(&self, armed: Option<Instant>) -> Option<Instant> {
        poll_fn(|cx| {
            let mut state = self.0.lock();
            let first = state.due.first_key_value().map(|(timer, _)| timer.at);
            state.armed = armed;
            if first.is_some_and(|first| armed.is_none_or(|armed| first < armed)) {
                return Poll::Ready(first);
            }
            state.supervisor = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}
