//! Sending: one attempt under the lock, repeated when it is the sender's turn.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use monocoque_core::{Frame, IntoMessage, Message, PeerKey, RecvGuard, RoutingId};

use super::Engine;
use super::wait_slot::{Limit, WaitQueue, WaitSlot, Waiting};
use crate::error::{MonocoqueError, SendError};
use crate::pattern::envelope::Dialogue;
use crate::pattern::link::{Flush, STALL_TIMEOUT};
use crate::pattern::outbound::{Outbound, Phase, SendOutcome, SendRequest, Target};
use crate::pattern::subscription_frame::{SubscriptionList, as_subscription, is_list};
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, Routing};
use crate::peer::Peer;

/// A message that is being sent: the future of [`send`](crate::zmq::PushSocket::send).
///
/// Dropped before it is ready, it has queued nothing.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct Sending<'a, M, R = ByPattern> {
    slot: WaitSlot<'a>,
    to: R,
    mode: SendMode,
    body: Body<M>,
}

/// The receiver of a message, as its sender has named it.
#[expect(unnameable_types, reason = "named by the sealed trait behind `Recipient`")]
pub trait Addressed {
    /// Returns the routing id of the receiver; `None` if the pattern of the socket decides.
    fn id(&self) -> Result<Option<&RoutingId>, MonocoqueError>;
}

/// The receiver of a message if the pattern of the socket decides.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "the default of `Sending`")]
pub struct ByPattern;

impl Addressed for ByPattern {
    #[inline]
    fn id(&self) -> Result<Option<&RoutingId>, MonocoqueError> {
        Ok(None)
    }
}

impl Addressed for &RoutingId {
    #[inline]
    fn id(&self) -> Result<Option<&RoutingId>, MonocoqueError> {
        Ok(Some(self))
    }
}

/// The handling of a message while the queues are full, and the time when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendMode {
    /// Waits. A message that would otherwise be dropped waits while its connection accepts bytes.
    Wait,
    /// Fails while the queues are full, or drops the message on sockets that drop.
    Try,
    /// Like `Try`, but the message is written with later ones.
    Deferred,
}

/// The outcome of one attempt to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Done,
    /// The sender yields to other tasks first. It is woken at once.
    Yield,
    /// The queues are full. The task, if there is one, is woken when there is room.
    Full,
}

/// The payload. It is converted to a [`Message`] lazily, in the frame that queues it, which avoids
/// a move.
#[derive(Debug)]
enum Body<M> {
    Given(M),
    Made(Message),
    Sent,
}

impl Engine {
    /// Queues a message, or waits for room.
    #[inline]
    pub(crate) fn send<R: Addressed, M: IntoMessage>(
        self: &Arc<Self>,
        to: R,
        message: M,
    ) -> Sending<'_, M, R> {
        let slot = WaitSlot::new(self, WaitQueue::Senders);
        Sending { slot, to, mode: SendMode::Wait, body: Body::Given(message) }
    }

    /// Queues a message, or waits for room, for at most `limit`.
    #[inline]
    pub(crate) fn send_within<R: Addressed, M: IntoMessage>(
        self: &Arc<Self>,
        limit: Limit,
        to: R,
        message: M,
    ) -> Sending<'_, M, R> {
        let mut sending = self.send(to, message);
        sending.slot.limit = limit;
        sending
    }

    /// Queues a message that is written with later ones, or by [`flush`](Self::flush).
    #[inline]
    pub(crate) fn send_deferred<M: IntoMessage>(self: &Arc<Self>, message: M) -> Sending<'_, M> {
        Sending { mode: SendMode::Deferred, ..self.send(ByPattern, message) }
    }

    /// Writes deferred messages, and waits until the system has accepted all messages queued so
    /// far. Fails once that has taken `limit`.
    pub(crate) async fn flush(self: &Arc<Self>, limit: Option<Duration>) -> Result<(), MonocoqueError> {
        let mut goals = self.with_wakes(Outbound::flush);
        self.watch_within(limit, |out| flushed(out, &mut goals)).await
    }

    /// Queues a message, or fails if the queues are full.
    pub(crate) fn try_send(&self, to: Option<&RoutingId>, mut message: Message) -> Result<(), SendError> {
        let mut wakes = Wakes::default();
        let waiting = &mut Waiting::default();
        let attempt = self.send_once(to, &mut message, SendMode::Try, waiting, None, &mut wakes);
        wakes.wake();
        match attempt {
            Ok(Attempt::Done) => Ok(()),
            Ok(_) => Err(SendError::new(MonocoqueError::WouldBlock, message)),
            Err(reason) => Err(SendError::new(reason, message)),
        }
    }

    /// Queues a message for a peer, or fails if its queue is full.
    pub(crate) fn try_send_to(&self, to: &impl Addressed, message: Message) -> Result<(), SendError> {
        match to.id() {
            Ok(to) => self.try_send(to, message),
            Err(reason) => Err(SendError::new(reason, message)),
        }
    }

    /// Tries once to queue `message`. The caller wakes `wakes`. `waker` is kept for the next
    /// attempt.
    #[inline]
    pub(super) fn send_once(
        &self,
        to: Option<&RoutingId>,
        message: &mut Message,
        mode: SendMode,
        waiting: &mut Waiting,
        waker: Option<&Waker>,
        wakes: &mut Wakes,
    ) -> Result<Attempt, MonocoqueError> {
        if self.pattern.routing == Routing::ToAll
            && let Some(attempt) = self.send_subscriptions(message, mode, waiting, waker, wakes)
        {
            return attempt;
        }
        // A second reply to an earlier request must not be taken for the reply to this one.
        // Receivers take this lock first.
        let mut stale = (self.pattern.envelope == Envelope::Request).then(|| self.inbox.lock_receivers());
        let mut out = self.out.lock();
        if yields(&mut out, waiting, waker, wakes) {
            // Sending has begun: a subscription received from now on counts as later.
            if let Some(waker) = waker.filter(|_| self.options.last_value) {
                out.queue.senders.wait(&mut waiting.ticket, waker);
            }
            return Ok(Attempt::Yield);
        }
        let request = self.prepare(&mut out, mode, waiting);
        let outcome = match self.pattern.envelope {
            _ if !out.check_turn(self.pattern, message, waiting.ticket)? => SendOutcome::Full,
            Envelope::None => out.send(request, message, wakes),
            Envelope::Identity => send_by_id(&mut out, request, to, message, wakes)?,
            Envelope::Request => self.send_request(&mut out, request, message, stale.as_mut(), wakes),
            Envelope::Reply => send_reply(&mut out, request, message, wakes),
        };
        if outcome == SendOutcome::Full {
            if self.pattern.routing == Routing::Nowhere {
                return Err(self.pattern.unsupported("send"));
            }
            out.queue.observer.watch_room();
            if let Some(waker) = waker {
                out.queue.senders.wait(&mut waiting.ticket, waker);
            }
            out.flush_deferred(wakes);
            return Ok(Attempt::Full);
        }
        match mode {
            SendMode::Deferred => out.queue.has_deferred = true,
            SendMode::Wait | SendMode::Try => out.flush_deferred(wakes),
        }
        out.remove_sender(&mut waiting.ticket, wakes);
        Ok(Attempt::Done)
    }

    /// Chooses how a message is sent.
    #[inline]
    fn prepare(&self, out: &mut Outbound, mode: SendMode, waiting: &Waiting) -> SendRequest<'static> {
        if self.options.last_value
            && let Some(publisher) = out.publisher()
        {
            publisher.begin_send(waiting.ticket);
        }
        let flush = match mode {
            SendMode::Deferred => Flush::Deferred,
            _ if self.inbox.is_quiet() => Flush::Immediate,
            _ => Flush::Batched,
        };
        SendRequest { target: Target::Pattern, flush, waits: mode == SendMode::Wait }
    }

    /// Applies the subscriptions that an XSUB sends as messages. `None` if the message holds none.
    fn send_subscriptions(
        &self,
        message: &Message,
        mode: SendMode,
        waiting: &mut Waiting,
        waker: Option<&Waker>,
        wakes: &mut Wakes,
    ) -> Option<Result<Attempt, MonocoqueError>> {
        let subscription = as_subscription(message);
        if subscription.is_none() && !(self.options.only_first && is_list(message)) {
            return None;
        }
        if yields(&mut self.out.lock(), waiting, waker, wakes) {
            return Some(Ok(Attempt::Yield));
        }
        if let Some((kind, topic)) = subscription {
            return Some(self.change_topics(kind, topic, wakes).map(|()| Attempt::Done));
        }
        let mut list = SubscriptionList::of(message.clone());
        for (kind, topic) in list.subscriptions() {
            if let Err(reason) = self.change_topics(kind, topic, wakes) {
                return Some(Err(reason));
            }
        }
        if list.rest.is_empty() {
            return Some(Ok(Attempt::Done));
        }
        // The rest does not wait: a retry would repeat the subscriptions.
        let mode = if mode == SendMode::Wait { SendMode::Try } else { mode };
        Some(self.send_once(None, &mut list.rest, mode, waiting, None, wakes))
    }

    fn send_request(
        &self,
        out: &mut Outbound,
        request: SendRequest<'_>,
        message: &mut Message,
        stale: Option<&mut RecvGuard<'_, Message, Arc<Peer>>>,
        wakes: &mut Wakes,
    ) -> SendOutcome {
        if !out.begin_request(message, wakes) {
            return SendOutcome::Full;
        }
        if let Some(replies) = stale {
            let mut pumps = Vec::new();
            self.note_discarded(replies.clear(&mut pumps));
            wakes.add(pumps);
        }
        let next_number = || self.next_request.fetch_add(1, Ordering::Relaxed);
        let number = self.options.correlate.then(|| Frame::from(&next_number().to_be_bytes()));
        message.push_front("");
        if let Some(number) = &number {
            message.push_front(number.clone());
        }
        let outcome = out.send(request, message, wakes);
        message.split_front(1 + usize::from(number.is_some()));
        if let SendOutcome::Queued(of) = outcome {
            out.queue.dialogue = Dialogue::Asked { of, number, answered: false };
        }
        outcome
    }
}

/// Queues a message for the peer with a routing id, by default the first frame.
fn send_by_id(
    out: &mut Outbound,
    request: SendRequest<'_>,
    to: Option<&RoutingId>,
    message: &mut Message,
    wakes: &mut Wakes,
) -> Result<SendOutcome, MonocoqueError> {
    let outcome = match to {
        Some(id) => out.send(SendRequest { target: Target::Id(id), ..request }, message, wakes),
        None => {
            let Some(id) = message.pop_front() else { return Err(MonocoqueError::EmptyMessage) };
            let request = SendRequest { target: Target::Id(&id), ..request };
            let outcome = (!message.is_empty()).then(|| out.send(request, message, wakes));
            message.push_front(id);
            outcome.ok_or(MonocoqueError::EmptyMessage)?
        }
    };
    if outcome == SendOutcome::Unreachable { Err(MonocoqueError::Unreachable) } else { Ok(outcome) }
}

fn send_reply(
    out: &mut Outbound,
    request: SendRequest<'_>,
    message: &Message,
    wakes: &mut Wakes,
) -> SendOutcome {
    let Dialogue::Answering { origin, envelope: mut sealed } = std::mem::take(&mut out.queue.dialogue) else {
        unreachable!("the dialogue was checked");
    };
    let frames = sealed.len();
    sealed.append(message);
    let outcome = out.send(SendRequest { target: Target::Origin(origin), ..request }, &mut sealed, wakes);
    if outcome == SendOutcome::Full {
        let envelope = sealed.split_front(frames);
        out.queue.dialogue = Dialogue::Answering { origin, envelope };
    } else {
        // The next request may be received.
        out.queue.observer.notify_turn(wakes);
    }
    outcome
}

/// Returns whether a task yields before it queues more: after much data or much time, because the
/// write pumps may share its thread. It is woken at once. Deferred messages are written only after
/// much data.
#[inline(always)]
pub(super) fn yields(
    out: &mut Outbound,
    waiting: &mut Waiting,
    waker: Option<&Waker>,
    wakes: &mut Wakes,
) -> bool {
    let Some(waker) = waker else { return false };
    let is_much = out.queue.yield_budget.is_spent();
    if is_much {
        out.flush_deferred(wakes);
    }
    let yields = is_much || waiting.should_yield();
    if yields {
        wakes.add(Some(waker.clone()));
    }
    yields
}

/// Returns the result of a flush once each of these links has written its goal.
pub(super) fn flushed(out: &Outbound, goals: &mut Vec<(PeerKey, u64)>) -> Option<Result<(), MonocoqueError>> {
    match (out.has_written(goals), out.lifecycle.phase) {
        (true, Phase::Open | Phase::Draining) => Some(Ok(())),
        (false, Phase::Open) => None,
        _ => Some(Err(MonocoqueError::Closed)),
    }
}

impl<R: Addressed, M: IntoMessage> Future for Sending<'_, M, R> {
    type Output = Result<(), SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match std::mem::replace(&mut self.body, Body::Sent) {
            // Two calls, so that a message just created is not moved.
            Body::Given(given) => {
                let mut message = given.into();
                self.poll_message(&mut message, cx)
            }
            Body::Made(mut message) => self.poll_message(&mut message, cx),
            Body::Sent => unreachable!("polled after the result"),
        }
    }
}

impl<R: Addressed, M> Sending<'_, M, R> {
    #[inline]
    fn poll_message(&mut self, message: &mut Message, cx: &Context<'_>) -> Poll<Result<(), SendError>> {
        let Self { slot, to, mode, body } = self;
        let to = match to.id() {
            Ok(to) => to,
            Err(reason) => return Poll::Ready(Err(SendError::new(reason, std::mem::take(message)))),
        };
        match slot.poll_send(to, message, *mode, cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(reason)) => Poll::Ready(Err(SendError::new(reason, std::mem::take(message)))),
            Poll::Pending => {
                *body = Body::Made(std::mem::take(message));
                Poll::Pending
            }
        }
    }
}

impl WaitSlot<'_> {
    /// Queues a message, for a slot among senders. Fails once it has waited for its limit.
    ///
    /// A socket that drops waits only until the connection turns out to be stalled.
    #[inline]
    pub(super) fn poll_send(
        &mut self,
        to: Option<&RoutingId>,
        message: &mut Message,
        mode: SendMode,
        cx: &Context<'_>,
    ) -> Poll<Result<(), MonocoqueError>> {
        if self.engine.is_foreign() {
            return Poll::Ready(Err(MonocoqueError::Closed));
        }
        loop {
            let mut wakes = Wakes::default();
            let waker = Some(cx.waker());
            let attempt = self.engine.send_once(to, message, mode, &mut self.waiting, waker, &mut wakes);
            wakes.wake();
            match attempt {
                Ok(Attempt::Done) => return Poll::Ready(Ok(())),
                Ok(Attempt::Full) if self.finds_stalled(cx) => {}
                Ok(Attempt::Full) if self.drops_when_full() => return Poll::Pending,
                Ok(Attempt::Full) => return self.poll_timeout(cx),
                Ok(Attempt::Yield) => {
                    self.fix_limit();
                    return Poll::Pending;
                }
                Err(reason) => return Poll::Ready(Err(reason)),
            }
        }
    }

    fn drops_when_full(&self) -> bool {
        self.engine.live.drops_when_full()
    }

    /// Returns whether the sender of a socket that drops has waited long enough to try again, which
    /// detects a stalled connection. If not, it is woken then.
    pub(super) fn finds_stalled(&mut self, cx: &Context<'_>) -> bool {
        let is_over = self.drops_when_full() && self.timed_out(STALL_TIMEOUT, cx);
        if is_over {
            self.reset_timer();
        }
        is_over
    }
}

/// No field is ever pinned.
impl<R, M> Unpin for Sending<'_, M, R> {}
