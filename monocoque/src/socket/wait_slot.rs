//! The place of a future in a queue of waiting tasks.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use monocoque_core::runtime::yielding::Yield;
use monocoque_core::{Ticket, runtime};

use super::Engine;
use super::timers::Timer;
use crate::error::MonocoqueError;
use crate::pattern::outbound::Outbound;

/// The queues of waiting tasks.
#[derive(Clone, Copy, Debug)]
pub(super) enum WaitQueue {
    Senders,
    Watchers,
    Receivers,
}

/// The time for which a call waits at most.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// The timeout of the socket, which is read when the call begins to wait.
    Socket,
    Call(Duration),
    Unlimited,
}

impl From<Option<Duration>> for Limit {
    fn from(limit: Option<Duration>) -> Self {
        limit.map_or(Self::Unlimited, Self::Call)
    }
}

/// The place of a future in a queue. Dropping the future removes it.
#[derive(Debug)]
pub(super) struct WaitSlot<'a> {
    pub(super) engine: &'a Arc<Engine>,
    queue: WaitQueue,
    pub(super) waiting: Waiting,
    pub(super) limit: Limit,
    timer: Option<Timer>,
}

/// The waiting state of a future.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Its ticket, while it is in the queue.
    pub(super) ticket: Option<Ticket>,
    pub(super) yields: Yield,
}

impl Waiting {
    /// Returns whether the future is to yield to other tasks. They have run already if it was in
    /// the queue.
    #[inline]
    pub(super) fn should_yield(&mut self) -> bool {
        self.ticket.is_none() && self.yields.is_due()
    }
}

impl<'a> WaitSlot<'a> {
    #[inline]
    pub(super) fn new(engine: &'a Arc<Engine>, queue: WaitQueue) -> Self {
        Self { engine, queue, waiting: Waiting::default(), limit: Limit::Socket, timer: None }
    }

    /// Polls `done`, for a slot among watchers. In a forked process the socket is closed.
    pub(super) fn poll_watch<T>(
        &mut self,
        cx: &Context<'_>,
        done: impl FnOnce(&mut Outbound) -> Option<T>,
    ) -> Poll<T> {
        if self.engine.is_foreign() {
            let closed = Engine::closed(self.engine.pattern);
            let result = done(&mut closed.out.lock());
            return result.map_or(Poll::Pending, Poll::Ready);
        }
        if self.waiting.should_yield() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut out = self.engine.out.lock();
        match done(&mut out) {
            Some(result) => Poll::Ready(result),
            None => {
                out.lifecycle.watchers.wait(&mut self.waiting.ticket, cx.waker());
                Poll::Pending
            }
        }
    }

    /// Returns whether the task has waited for `limit`. If not, it is woken then.
    pub(super) fn timed_out(&mut self, limit: Duration, cx: &Context<'_>) -> bool {
        self.engine.timers.is_over(&mut self.timer, limit, cx.waker())
    }

    /// Fails once the task has waited for its limit.
    #[inline]
    pub(super) fn poll_timeout<T>(&mut self, cx: &Context<'_>) -> Poll<Result<T, MonocoqueError>> {
        self.fix_limit();
        let Limit::Call(limit) = self.limit else { return Poll::Pending };
        if self.timed_out(limit, cx) { Poll::Ready(Err(MonocoqueError::TimedOut)) } else { Poll::Pending }
    }

    /// Reads the timeout of the socket, which the call keeps from then on.
    #[inline]
    pub(super) fn fix_limit(&mut self) {
        if let Limit::Socket = self.limit {
            let timeout = self.engine.live.timeout(self.queue);
            self.limit = timeout.map_or(Limit::Unlimited, Limit::Call);
        }
    }

    /// Restarts the timeout of the task.
    pub(super) fn reset_timer(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.engine.timers.remove(timer);
        }
    }
}

impl Drop for WaitSlot<'_> {
    #[inline]
    fn drop(&mut self) {
        let is_free = self.timer.is_none() && self.waiting.ticket.is_none();
        if is_free || self.engine.is_foreign() {
            return;
        }
        self.reset_timer();
        if self.waiting.ticket.is_some() {
            let (engine, queue, mut ticket) = (self.engine.clone(), self.queue, self.waiting.ticket.take());
            runtime::run_outside_panic(move || engine.leave(queue, &mut ticket));
        }
    }
}

impl Engine {
    /// Waits until `done` returns a result. It is called again whenever peers, subscriptions or
    /// tasks change.
    pub(crate) async fn watch<T>(self: &Arc<Self>, mut done: impl FnMut(&mut Outbound) -> Option<T>) -> T {
        let mut slot = WaitSlot::new(self, WaitQueue::Watchers);
        poll_fn(|cx| slot.poll_watch(cx, &mut done)).await
    }

    /// Waits as [`watch`](Self::watch) does, and fails once that has taken `limit`.
    pub(crate) async fn watch_within<T>(
        self: &Arc<Self>,
        limit: Option<Duration>,
        mut done: impl FnMut(&mut Outbound) -> Option<Result<T, MonocoqueError>>,
    ) -> Result<T, MonocoqueError> {
        let mut slot = WaitSlot::new(self, WaitQueue::Watchers);
        slot.limit = limit.into();
        poll_fn(|cx| match slot.poll_watch(cx, &mut done) {
            // A slot that yields has no ticket, and has not looked yet.
            Poll::Pending if slot.waiting.ticket.is_some() => slot.poll_timeout(cx),
            result => result,
        })
        .await
    }

    /// Removes a task from a queue.
    fn leave(&self, queue: WaitQueue, ticket: &mut Option<Ticket>) {
        match queue {
            WaitQueue::Receivers => self.inbox.remove_waiter(ticket),
            WaitQueue::Senders => self.with_wakes(|out, wakes| out.remove_sender(ticket, wakes)),
            WaitQueue::Watchers => drop(self.out.lock().lifecycle.watchers.remove(ticket)),
        }
    }
}

/// A [`WaitSlot`] between two polls. Dropping it leaves the queue.
#[derive(Debug)]
pub(super) struct OwnedSlot {
    pub(super) engine: Arc<Engine>,
    queue: WaitQueue,
    pub(super) waiting: Waiting,
    limit: Limit,
    timer: Option<Timer>,
}

impl OwnedSlot {
    pub(super) fn new(engine: &Arc<Engine>, queue: WaitQueue) -> Self {
        Self { engine: engine.clone(), queue, waiting: Waiting::default(), limit: Limit::Socket, timer: None }
    }

    /// Polls once, as a future does. The slot is kept while the result is pending.
    pub(super) fn poll<T>(&mut self, poll: impl FnOnce(&mut WaitSlot<'_>) -> Poll<T>) -> Poll<T> {
        let mut slot = self.borrow();
        let result = poll(&mut slot);
        let kept =
            result.is_pending().then(|| (std::mem::take(&mut slot.waiting), slot.limit, slot.timer.take()));
        drop(slot);
        if let Some(kept) = kept {
            (self.waiting, self.limit, self.timer) = kept;
        }
        result
    }

    /// Moves the slot to another socket. The previous socket is left alone.
    pub(super) fn move_to(&mut self, engine: &Arc<Engine>) {
        std::mem::forget(std::mem::replace(&mut self.engine, engine.clone()));
        self.waiting = Waiting::default();
        self.limit = Limit::Socket;
        self.timer = None;
    }

    pub(super) fn leave(&mut self) {
        drop(self.borrow());
    }

    fn borrow(&mut self) -> WaitSlot<'_> {
        let Self { engine, queue, waiting, limit, timer } = self;
        let limit = std::mem::replace(limit, Limit::Socket);
        WaitSlot { engine, queue: *queue, waiting: std::mem::take(waiting), limit, timer: timer.take() }
    }
}

impl Drop for OwnedSlot {
    fn drop(&mut self) {
        if self.engine.is_foreign() {
            // State of the parent process is left alone.
            return std::mem::forget(self.engine.clone());
        }
        self.leave();
    }
}
