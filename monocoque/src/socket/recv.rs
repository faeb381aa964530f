//! Receiving: one loop that takes messages from the inbox until one is for the application.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use monocoque_core::{Message, NextItem, runtime::yielding};

use super::Engine;
use super::wait_slot::{Limit, WaitQueue, WaitSlot};
use crate::error::MonocoqueError;
use crate::pattern::subscription_frame::as_subscription;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, Incoming, Turns};
use crate::peer::Peer;

/// A receiver waiting for a message.
#[derive(Debug)]
pub(crate) struct Receiving<'a> {
    slot: WaitSlot<'a>,
}

/// The next message of the inbox, exclusively for its receiver: others are blocked meanwhile.
pub(super) type NextMessage<'a> = NextItem<'a, Message, Arc<Peer>>;

impl Engine {
    /// Waits for the next message and receives it.
    #[inline]
    pub(crate) fn recv(self: &Arc<Self>) -> Receiving<'_> {
        self.recv_within(Limit::Socket)
    }

    /// Waits for the next message, for at most `limit`, and receives it.
    #[inline]
    pub(crate) fn recv_within(self: &Arc<Self>, limit: Limit) -> Receiving<'_> {
        Receiving { slot: self.receiver(limit) }
    }

    /// Returns the slot of a receiver that waits for at most `limit`.
    #[inline]
    fn receiver(self: &Arc<Self>, limit: Limit) -> WaitSlot<'_> {
        let mut slot = WaitSlot::new(self, WaitQueue::Receivers);
        slot.limit = limit;
        slot
    }

    /// Receives the next message, if there is one.
    #[inline]
    pub(crate) fn try_recv(&self) -> Result<Message, MonocoqueError> {
        self.try_recv_with(|next| self.take(next))
    }

    /// Waits for the next message, for at most `limit`, and receives it with its sender.
    pub(crate) async fn recv_with_peer(
        self: &Arc<Self>,
        limit: Limit,
    ) -> Result<(Message, Arc<Peer>), MonocoqueError> {
        let mut slot = self.receiver(limit);
        poll_fn(|cx| slot.poll_recv_with(cx, |next| self.take_with_peer(next))).await
    }

    /// Receives the next message with its sender, if there is one.
    pub(crate) fn try_recv_with_peer(&self) -> Result<(Message, Arc<Peer>), MonocoqueError> {
        self.try_recv_with(|next| self.take_with_peer(next))
    }

    /// Waits for a message, for at most `limit`, and receives up to `max` of them.
    pub(crate) async fn recv_batch(
        self: &Arc<Self>,
        messages: &mut Vec<Message>,
        max: usize,
        limit: Limit,
    ) -> Result<usize, MonocoqueError> {
        if max == 0 && self.pattern.turns != Turns::Never {
            yielding::now_if_due().await;
            return Ok(0);
        }
        let mut slot = self.receiver(limit);
        poll_fn(|cx| slot.poll_recv_with(cx, |next| self.take_batch(next, messages, max))).await
    }

    #[inline]
    fn try_recv_with<T>(
        &self,
        take: impl FnMut(NextMessage<'_>) -> Option<Result<T, MonocoqueError>>,
    ) -> Result<T, MonocoqueError> {
        let next = || {
            self.check_recv()?;
            match self.inbox.try_next() {
                Ok(Some(next)) => Poll::Ready(Ok(next)),
                Ok(None) => Poll::Pending,
                Err(closed) => Poll::Ready(Err(MonocoqueError::inbox_closed(closed))),
            }
        };
        match receive(next, take) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(MonocoqueError::WouldBlock),
        }
    }

    #[inline]
    fn check_recv(&self) -> Result<(), MonocoqueError> {
        match self.pattern.turns {
            Turns::Free => Ok(()),
            Turns::Alternate => self.out.lock().queue.dialogue.check_recv(self.pattern.envelope),
            Turns::Never => Err(self.pattern.unsupported("receive")),
        }
    }

    /// Takes the next message. Returns `None` if it is not for the application.
    #[inline]
    fn take(&self, mut next: NextMessage<'_>) -> Option<Result<Message, MonocoqueError>> {
        if self.passes(&next) { Some(Ok(next.pop())) } else { self.open(next).transpose() }
    }

    fn take_with_peer(&self, next: NextMessage<'_>) -> Option<Result<(Message, Arc<Peer>), MonocoqueError>> {
        let peer = next.label();
        self.take(next).map(|taken| taken.map(|message| (message, peer)))
    }

    /// Takes up to `max` available messages. Returns their number, or `None` if none was for the
    /// program.
    fn take_batch(
        &self,
        mut next: NextMessage<'_>,
        messages: &mut Vec<Message>,
        max: usize,
    ) -> Option<Result<usize, MonocoqueError>> {
        let before = messages.len();
        let mut wakes = Wakes::default();
        while messages.len() - before < max && !next.is_over() {
            if self.passes(&next) {
                messages.push(next.pop());
            } else if self.pattern.incoming == Incoming::Subscriptions && !self.options.manual {
                messages.extend(self.take_report(&mut next, &mut wakes));
            } else {
                break;
            }
        }
        if messages.len() == before && !next.is_over() {
            match self.open(next) {
                Ok(opened) => messages.extend(opened),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(messages.len() - before).filter(|&taken| taken > 0).map(Ok)
    }

    /// Returns whether the next message is for the application, without changes.
    #[inline]
    fn passes(&self, next: &NextMessage<'_>) -> bool {
        match (self.pattern.incoming, self.pattern.envelope) {
            (Incoming::Filtered, _) => self.filter.admits(next.item()),
            (Incoming::Subscriptions, _) => as_subscription(next.item()).is_none(),
            (_, Envelope::None | Envelope::Identity) => true,
            _ => false,
        }
    }

    /// Returns whether the next message is for the application, possibly after changes.
    pub(super) fn is_wanted(&self, next: &NextMessage<'_>) -> bool {
        match self.pattern.incoming {
            Incoming::Filtered => self.filter.admits(next.item()),
            Incoming::Subscriptions => as_subscription(next.item()).is_none_or(|(kind, topic)| {
                self.out.lock().publisher().is_none_or(|publisher| publisher.admits(kind, topic))
            }),
            Incoming::Fair | Incoming::Discard => true,
        }
    }

    /// Takes a message that needs changes, and removes the frames that the application does not
    /// see. Returns `None` if it is not for the application.
    fn open(&self, mut next: NextMessage<'_>) -> Result<Option<Message>, MonocoqueError> {
        let opened = match self.pattern.incoming {
            Incoming::Filtered => {
                next.pop();
                None
            }
            Incoming::Subscriptions => {
                let mut wakes = Wakes::default();
                let report = self.take_report(&mut next, &mut wakes);
                drop(next);
                wakes.wake();
                return Ok(report);
            }
            _ => self.take_in_dialogue(self.pattern.envelope, next)?,
        };
        if opened.is_none() {
            self.note_discarded(1);
        }
        Ok(opened)
    }

    /// Takes a message that the application does not receive.
    pub(super) fn discard(&self, mut next: NextMessage<'_>, wakes: &mut Wakes) {
        if self.pattern.incoming == Incoming::Subscriptions {
            self.on_report(&next, false, wakes);
        } else {
            self.note_discarded(1);
        }
        next.pop();
    }

    /// Takes a subscription report, if the application is to receive it.
    fn take_report(&self, next: &mut NextMessage<'_>, wakes: &mut Wakes) -> Option<Message> {
        let is_wanted = self.is_wanted(next);
        self.on_report(next, is_wanted, wakes);
        Some(next.pop()).filter(|_| is_wanted)
    }

    /// Records that a subscription report leaves its lane, if the next message is one.
    pub(super) fn on_report(&self, next: &NextMessage<'_>, is_received: bool, wakes: &mut Wakes) {
        if self.pattern.incoming == Incoming::Subscriptions
            && let Some((kind, topic)) = as_subscription(next.item())
        {
            self.out.lock().on_report(next.from(), kind, topic, is_received, wakes);
        }
    }

    /// Takes a request or a reply. Other receivers are blocked until the dialogue has advanced.
    fn take_in_dialogue(
        &self,
        envelope: Envelope,
        mut next: NextMessage<'_>,
    ) -> Result<Option<Message>, MonocoqueError> {
        let from = next.from();
        let mut wakes = Wakes::default();
        let mut out = self.out.lock();
        out.queue.dialogue.check_recv(envelope)?;
        let mut message = next.pop();
        let passed = out.queue.dialogue.on_recv(envelope, from, &mut message);
        if passed {
            // The next message may be sent.
            out.queue.observer.notify_turn(&mut wakes);
        }
        drop((out, next));
        wakes.wake();
        Ok(passed.then_some(message))
    }
}

/// Passes the messages that `next` returns to `take`, until it returns something for the program.
#[inline]
fn receive<'a, T>(
    mut next: impl FnMut() -> Poll<Result<NextMessage<'a>, MonocoqueError>>,
    mut take: impl FnMut(NextMessage<'_>) -> Option<Result<T, MonocoqueError>>,
) -> Poll<Result<T, MonocoqueError>> {
    loop {
        match next() {
            Poll::Ready(Ok(next)) => {
                if let Some(taken) = take(next) {
                    return Poll::Ready(taken);
                }
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
    }
}

impl Future for Receiving<'_> {
    type Output = Result<Message, MonocoqueError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll_recv(cx)
    }
}

impl<'a> WaitSlot<'a> {
    /// Receives the next message, for a slot among receivers. Fails once it has waited for its
    /// limit.
    #[inline]
    pub(super) fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Result<Message, MonocoqueError>> {
        let engine = self.engine;
        self.poll_recv_with(cx, |next| engine.take(next))
    }

    /// Passes messages to `take` until it returns something for the application.
    #[inline]
    pub(super) fn poll_recv_with<T>(
        &mut self,
        cx: &Context<'_>,
        take: impl FnMut(NextMessage<'_>) -> Option<Result<T, MonocoqueError>>,
    ) -> Poll<Result<T, MonocoqueError>> {
        // Other tasks have run while this one was in the queue.
        let mut may_yield = self.waiting.ticket.is_none();
        receive(|| self.poll_next(cx, std::mem::replace(&mut may_yield, true)), take)
    }

    /// Waits for the next message. Yields before it if other tasks are to run: no message is taken
    /// then, and the place in the queue is kept. An error yields, too: an application may repeat a
    /// failing call in an endless loop.
    #[inline]
    fn poll_next(
        &mut self,
        cx: &Context<'_>,
        may_yield: bool,
    ) -> Poll<Result<NextMessage<'a>, MonocoqueError>> {
        let engine = self.engine;
        if engine.is_foreign() {
            return Poll::Ready(Err(MonocoqueError::Closed));
        }
        // Before the lock: a guard that goes through one more branch is copied there.
        if may_yield && engine.inbox.may_have_items() && self.waiting.yields.is_due() {
            return self.pass_turn(cx);
        }
        let error = match engine.check_recv() {
            Ok(()) => match engine.inbox.poll_next(&mut self.waiting.ticket, cx) {
                Poll::Ready(Ok(next)) => return Poll::Ready(Ok(next)),
                Poll::Ready(Err(closed)) => MonocoqueError::inbox_closed(closed),
                Poll::Pending => match self.poll_timeout::<Infallible>(cx) {
                    Poll::Ready(Err(error)) => error,
                    Poll::Ready(Ok(never)) => match never {},
                    Poll::Pending => return Poll::Pending,
                },
            },
            Err(error) => error,
        };
        if may_yield && self.waiting.yields.is_due() {
            return self.pass_turn(cx);
        }
        Poll::Ready(Err(error))
    }

    /// Lets other tasks run first.
    #[cold]
    fn pass_turn<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        cx.waker().wake_by_ref();
        self.fix_limit();
        Poll::Pending
    }
}
