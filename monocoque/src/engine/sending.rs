//! What a sender does: one attempt under the lock, again when it is its turn.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use monocoque_core::{Frame, Message, PeerKey, RecvGuard, RoutingId};

use super::{Engine, Place, Queue, Waiting};
use crate::error::{MonocoqueError, SendError};
use crate::pattern::asking::{List, as_subscription, is_list};
use crate::pattern::envelope::Dialogue;
use crate::pattern::link::{Going, PATIENCE};
use crate::pattern::route::{Offer, Outbound, Phase, Target};
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, Routing, WhenFull};
use crate::peer::Peer;

/// A message on its way into a queue.
#[derive(Debug)]
pub(crate) struct Sending<'a, M> {
    place: Place<'a>,
    to: Option<&'a RoutingId>,
    manner: Manner,
    /// How long it waits; `None` for ever.
    limit: Option<Duration>,
    body: Body<M>,
}

/// What a message does where there is no room for it, and when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// It waits, where it would else be dropped for as long as the connection may take something.
    Patient,
    /// It is refused, or dropped by a socket that drops.
    AtOnce,
    /// The same, and it is written with others.
    Held,
}

/// What has come of an attempt to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    Done,
    /// Others are to have a turn first; the task will be woken at once.
    Paused,
    /// There is no room; the task, if there is one, will be woken when there is.
    Full,
}

/// What is to be sent: made into a message where it is queued from, since moving one that was just made costs more than
/// making it.
#[derive(Debug)]
enum Body<M> {
    Given(M),
    Made(Message),
    Sent,
}

impl Engine {
    /// Queues a message, or waits for room.
    #[inline]
    pub(crate) fn send<'a, M: Into<Message>>(
        self: &'a Arc<Self>,
        to: Option<&'a RoutingId>,
        message: M,
    ) -> Sending<'a, M> {
        let limit = self.options.send_timeout;
        Sending {
            place: Place::new(self, Queue::Senders),
            to,
            manner: Manner::Patient,
            limit,
            body: Body::Given(message),
        }
    }

    /// Queues a message, or waits for room, but no longer than `limit`.
    #[inline]
    pub(crate) fn send_within<M: Into<Message>>(
        self: &Arc<Self>,
        limit: Duration,
        message: M,
    ) -> Sending<'_, M> {
        Sending { limit: Some(limit), ..self.send(None, message) }
    }

    /// Queues a message that waits for others, or for [`flush`](Self::flush).
    #[inline]
    pub(crate) fn send_held<M: Into<Message>>(self: &Arc<Self>, message: M) -> Sending<'_, M> {
        Sending { manner: Manner::Held, ..self.send(None, message) }
    }

    /// Lets go what is held, and waits until the system has taken all that is queued for peers now.
    pub(crate) async fn flush(self: &Arc<Self>) -> Result<(), MonocoqueError> {
        let mut goals = self.with_wakes(Outbound::let_go);
        self.watch(|out| flushed(out, &mut goals)).await
    }

    /// Queues a message, or says that there is no room.
    pub(crate) fn try_send(&self, to: Option<&RoutingId>, mut message: Message) -> Result<(), SendError> {
        match self.attempt(to, &mut message, Manner::AtOnce, &mut Waiting::default(), None) {
            Ok(Tried::Done) => Ok(()),
            Ok(_) => Err(SendError::new(MonocoqueError::WouldBlock, message)),
            Err(reason) => Err(SendError::new(reason, message)),
        }
    }

    /// Tries once to queue `message`.
    pub(super) fn attempt(
        &self,
        to: Option<&RoutingId>,
        message: &mut Message,
        manner: Manner,
        waiting: &mut Waiting,
        waker: Option<&Waker>,
    ) -> Result<Tried, MonocoqueError> {
        let mut wakes = Wakes::default();
        let tried = self.attempt_quietly(to, message, manner, waiting, waker, &mut wakes);
        wakes.wake();
        tried
    }

    /// As [`attempt`](Self::attempt); whom it concerns is to be woken by the caller.
    #[inline]
    pub(super) fn attempt_quietly(
        &self,
        to: Option<&RoutingId>,
        message: &mut Message,
        manner: Manner,
        waiting: &mut Waiting,
        waker: Option<&Waker>,
        wakes: &mut Wakes,
    ) -> Result<Tried, MonocoqueError> {
        if self.pattern.routing == Routing::ToAll
            && let Some((kind, topic)) = as_subscription(message)
        {
            if is_to_pause(&mut self.out.lock(), waiting, waker, wakes) {
                return Ok(Tried::Paused);
            }
            self.change_topics(kind, topic, wakes)?;
            return Ok(Tried::Done);
        }
        if self.pattern.routing == Routing::ToAll && self.options.only_first && is_list(message) {
            if is_to_pause(&mut self.out.lock(), waiting, waker, wakes) {
                return Ok(Tried::Paused);
            }
            let mut list = List::of(message.clone());
            for (kind, topic) in list.subscriptions() {
                self.change_topics(kind, topic, wakes)?;
            }
            if list.rest.is_empty() {
                return Ok(Tried::Done);
            }
            // From here on it is done at once, so that no subscription is made twice.
            let manner = if manner == Manner::Patient { Manner::AtOnce } else { manner };
            return self.attempt_quietly(to, &mut list.rest, manner, waiting, None, wakes);
        }
        // A second reply to an earlier request must not be taken for the reply to this one. Receivers hold this lock first.
        let mut stale = (self.pattern.envelope == Envelope::Request).then(|| self.inbox.lock_receivers());
        let mut out = self.out.lock();
        if is_to_pause(&mut out, waiting, waker, wakes) {
            // It was begun now: a subscription that is received meanwhile comes later.
            if let Some(waker) = waker.filter(|_| self.options.last_value) {
                out.senders.wait(&mut waiting.ticket, waker);
            }
            return Ok(Tried::Paused);
        }
        out.going = match manner {
            Manner::Held => Going::Held,
            _ if self.inbox.is_quiet() => Going::Alone,
            _ => Going::InBatch,
        };
        out.patient = manner == Manner::Patient;
        if self.options.last_value
            && let Some(audience) = out.audience()
        {
            audience.consider(waiting.ticket);
        }
        let may_go = out.check_turn(self.pattern, message, waiting.ticket)?;
        if may_go && self.offer(&mut out, to, message, stale.as_mut(), wakes)? != Offer::Full {
            match manner {
                Manner::Held => out.holds = true,
                _ => out.let_go_held(wakes),
            }
            wakes.add(out.senders.remove(&mut waiting.ticket));
            return Ok(Tried::Done);
        }
        if let Some(waker) = waker {
            out.senders.wait(&mut waiting.ticket, waker);
        }
        out.let_go_held(wakes);
        Ok(Tried::Full)
    }

    /// Offers the message to the peers, in its envelope.
    #[inline]
    fn offer(
        &self,
        out: &mut Outbound,
        to: Option<&RoutingId>,
        message: &mut Message,
        stale: Option<&mut RecvGuard<'_, Message, Arc<Peer>>>,
        wakes: &mut Wakes,
    ) -> Result<Offer, MonocoqueError> {
        match self.pattern.envelope {
            Envelope::None => Ok(out.offer(Target::Pattern, message, wakes)),
            Envelope::Identity => offer_by_name(out, to, message, wakes),
            Envelope::Request => Ok(self.ask(out, message, stale, wakes)),
            Envelope::Reply => Ok(answer(out, message, wakes)),
        }
    }

    fn ask(
        &self,
        out: &mut Outbound,
        message: &mut Message,
        stale: Option<&mut RecvGuard<'_, Message, Arc<Peer>>>,
        wakes: &mut Wakes,
    ) -> Offer {
        if !out.begin_request(message, wakes) {
            return Offer::Full;
        }
        if let Some(replies) = stale {
            let mut pumps = Vec::new();
            self.note_discarded(replies.clear(&mut pumps));
            wakes.add(pumps);
        }
        let number = self
            .options
            .correlate
            .then(|| Frame::from(&self.next_request.fetch_add(1, Ordering::Relaxed).to_be_bytes()));
        message.push_front("");
        if let Some(number) = &number {
            message.push_front(number.clone());
        }
        let offer = out.offer(Target::Pattern, message, wakes);
        message.split_front(1 + usize::from(number.is_some()));
        if let Offer::Queued(of) = offer {
            out.dialogue = Dialogue::Asked { of, number, answered: false };
        }
        offer
    }
}

/// Offers a message to the peer that is named, be it by the first frame.
fn offer_by_name(
    out: &mut Outbound,
    to: Option<&RoutingId>,
    message: &mut Message,
    wakes: &mut Wakes,
) -> Result<Offer, MonocoqueError> {
    let offer = match to {
        Some(id) => out.offer(Target::Id(id), message, wakes),
        None => {
            let Some(id) = message.pop_front() else { return Err(MonocoqueError::EmptyMessage) };
            let offer = (!message.is_empty()).then(|| out.offer(Target::Id(&id), message, wakes));
            message.push_front(id);
            offer.ok_or(MonocoqueError::EmptyMessage)?
        }
    };
    if offer == Offer::Unreachable { Err(MonocoqueError::Unreachable) } else { Ok(offer) }
}

fn answer(out: &mut Outbound, message: &Message, wakes: &mut Wakes) -> Offer {
    let Dialogue::Answering { origin, envelope: mut sealed } = std::mem::take(&mut out.dialogue) else {
        unreachable!("it was its turn");
    };
    let frames = sealed.len();
    sealed.append(message);
    let offer = out.offer(Target::Origin(origin), &mut sealed, wakes);
    if offer == Offer::Full {
        let envelope = sealed.split_front(frames);
        out.dialogue = Dialogue::Answering { origin, envelope };
    }
    offer
}

/// Whether a task is to yield before it queues more, after much data or much time: the pumps may share its thread. It will
/// be woken at once. What is held goes only after much data.
#[inline(always)]
pub(super) fn is_to_pause(
    out: &mut Outbound,
    waiting: &mut Waiting,
    waker: Option<&Waker>,
    wakes: &mut Wakes,
) -> bool {
    let Some(waker) = waker else { return false };
    let is_much = out.take_pause();
    if is_much {
        out.let_go_held(wakes);
    }
    let pause = is_much || waiting.is_to_yield();
    if pause {
        wakes.add(Some(waker.clone()));
    }
    pause
}

/// What has come of a flush, which is to get each of these links so far.
pub(super) fn flushed(out: &Outbound, goals: &mut Vec<(PeerKey, u64)>) -> Option<Result<(), MonocoqueError>> {
    match (out.has_written(goals), out.phase) {
        (true, Phase::Open | Phase::Draining) => Some(Ok(())),
        (false, Phase::Open) => None,
        _ => Some(Err(MonocoqueError::Closed)),
    }
}

impl<M: Into<Message>> Future for Sending<'_, M> {
    type Output = Result<(), SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match std::mem::replace(&mut self.body, Body::Sent) {
            // Not one path for both: a message that was just made is not to be moved.
            Body::Given(given) => {
                let mut message = given.into();
                self.attempt(&mut message, cx)
            }
            Body::Made(mut message) => self.attempt(&mut message, cx),
            Body::Sent => unreachable!("polled after the result"),
        }
    }
}

impl<M> Sending<'_, M> {
    #[inline]
    fn attempt(&mut self, message: &mut Message, cx: &Context<'_>) -> Poll<Result<(), SendError>> {
        let Self { place, to, manner, limit, body } = self;
        match place.attempt(*to, message, *manner, cx) {
            Ok(Tried::Done) => Poll::Ready(Ok(())),
            Ok(Tried::Full) if !place.engine.pattern_drops() && place.is_late(*limit, cx) => {
                Poll::Ready(Err(SendError::new(MonocoqueError::TimedOut, std::mem::take(message))))
            }
            Ok(_) => {
                *body = Body::Made(std::mem::take(message));
                Poll::Pending
            }
            Err(reason) => Poll::Ready(Err(SendError::new(reason, std::mem::take(message)))),
        }
    }
}

impl Place<'_> {
    /// One attempt of a task that may wait among senders.
    ///
    /// A socket that drops waits no longer than it must to find out that a connection takes nothing.
    #[inline]
    pub(super) fn attempt(
        &mut self,
        to: Option<&RoutingId>,
        message: &mut Message,
        manner: Manner,
        cx: &Context<'_>,
    ) -> Result<Tried, MonocoqueError> {
        if self.engine.is_foreign() {
            return Err(MonocoqueError::Closed);
        }
        let tried = self.engine.attempt(to, message, manner, &mut self.waiting, Some(cx.waker()))?;
        if tried == Tried::Full && self.engine.pattern_drops() {
            return self.attempt_again(to, message, manner, cx);
        }
        Ok(tried)
    }

    #[cold]
    fn attempt_again(
        &mut self,
        to: Option<&RoutingId>,
        message: &mut Message,
        manner: Manner,
        cx: &Context<'_>,
    ) -> Result<Tried, MonocoqueError> {
        while self.gives_up(cx) {
            let tried = self.engine.attempt(to, message, manner, &mut self.waiting, Some(cx.waker()))?;
            if tried != Tried::Full {
                return Ok(tried);
            }
        }
        Ok(Tried::Full)
    }

    /// Whether a sender of a socket that drops has waited for long enough to try again: what takes nothing is found out
    /// then. If not, it is woken when it has.
    pub(super) fn gives_up(&mut self, cx: &Context<'_>) -> bool {
        let is_late = self.engine.pattern_drops() && self.is_late(Some(PATIENCE), cx);
        if is_late && let Some(timer) = self.timer.take() {
            self.engine.timers.forget(timer);
        }
        is_late
    }
}

impl Engine {
    /// Whether a message that finds no room is dropped.
    pub(super) fn pattern_drops(&self) -> bool {
        self.pattern.when_full == WhenFull::Drop && !self.options.mandatory
    }
}

/// Nothing in it is ever pinned.
impl<M> Unpin for Sending<'_, M> {}
