//! Those who wait, and for how long: a task on the home wakes them when their time is over.
//!
//! That task is woken only for a deadline before the one that it sleeps for, so that a socket on which messages come and go
//! pays a timer once a timeout, not once a message.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::future::select;
use monocoque_core::sync::Mutex;
use monocoque_core::{deadline, runtime};

/// The deadlines of the futures of one socket.
#[derive(Debug, Default)]
pub(super) struct Timers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    due: BTreeMap<Timer, Waker>,
    next: u64,
    /// When the keeper will look again by itself.
    armed: Option<Instant>,
    keeper: Option<Waker>,
}

/// The deadline of one future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    at: Instant,
    number: u64,
}

impl Timers {
    /// Whether the time of a future is over, which began when it first asked. If not, `waker` is woken when it is.
    pub(super) fn is_over(&self, timer: &mut Option<Timer>, limit: Duration, waker: &Waker) -> bool {
        let now = Instant::now();
        if limit.is_zero() || timer.is_some_and(|timer| timer.at <= now) {
            return true;
        }
        let mut state = self.0.lock();
        let timer = match *timer {
            Some(known) => known,
            None => {
                // Beyond what the clock can say is never.
                let Some(at) = deadline::after(now, limit) else { return false };
                let number = state.next;
                state.next += 1;
                *timer.insert(Timer { at, number })
            }
        };
        state.due.insert(timer, waker.clone());
        let keeper =
            if state.armed.is_none_or(|armed| timer.at < armed) { state.keeper.take() } else { None };
        drop(state);
        if let Some(keeper) = keeper {
            keeper.wake();
        }
        false
    }

    /// A future does not wait any more.
    pub(super) fn forget(&self, timer: Timer) {
        self.0.lock().due.remove(&timer);
    }

    /// Wakes those whose time is over, until it is dropped. On the home.
    pub(super) async fn keep(&self) {
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

    /// The first deadline, once there is one before `armed`.
    async fn arm(&self, armed: Option<Instant>) -> Option<Instant> {
        poll_fn(|cx| {
            let mut state = self.0.lock();
            let first = state.due.first_key_value().map(|(timer, _)| timer.at);
            state.armed = armed;
            if first.is_some_and(|first| armed.is_none_or(|armed| first < armed)) {
                return Poll::Ready(first);
            }
            state.keeper = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}
