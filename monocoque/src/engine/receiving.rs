//! What a receiver does, and what it has asked to hear.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use monocoque_core::sync::{AtomicBool, Ordering, RwLock, RwLockWriteGuard};
use monocoque_core::{Message, NextItem, SubscriptionIndex, runtime::yielding};
use monocoque_zmtp::Subscription;

use super::{Engine, Place, Queue};
use crate::error::MonocoqueError;
use crate::options::Options;
use crate::pattern::asking::as_subscription;
use crate::pattern::route::Phase;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, Intake};
use crate::peer::Peer;

/// A receiver that waits for a message.
#[derive(Debug)]
pub(crate) struct Receiving<'a> {
    place: Place<'a>,
    /// How long it waits; `None` for ever.
    limit: Option<Duration>,
}

/// What a SUB socket wants to receive.
#[derive(Debug)]
pub(super) struct Filter {
    /// How often each topic is subscribed to.
    pub(super) topics: RwLock<Topics>,
    /// What matches none of them is received, instead of what does.
    inverted: bool,
    /// Everything is received, as far as the topics go: nothing needs to be looked up.
    everything: AtomicBool,
}

type Topics = SubscriptionIndex<usize>;

/// What a receiver may take.
pub(super) type Incoming<'a> = NextItem<'a, Message, Arc<Peer>>;

impl Engine {
    /// The next message for the application; waits for it.
    #[inline]
    pub(crate) fn recv(self: &Arc<Self>) -> Receiving<'_> {
        self.recv_within(self.options.recv_timeout)
    }

    /// The next message for the application; waits for it, but no longer than `limit`.
    #[inline]
    pub(crate) fn recv_within(self: &Arc<Self>, limit: Option<Duration>) -> Receiving<'_> {
        Receiving { place: Place::new(self, Queue::Receivers), limit }
    }

    /// The next message for the application, if it is there.
    #[inline]
    pub(crate) fn try_recv(&self) -> Result<Message, MonocoqueError> {
        loop {
            self.check_recv()?;
            let Some(mut next) = self.inbox.try_next()? else { return Err(MonocoqueError::WouldBlock) };
            if self.passes(&next) {
                return Ok(next.pop());
            }
            if let Some(message) = self.open(next)? {
                return Ok(message);
            }
        }
    }

    /// The next message for the application, and who has sent it; waits for it.
    pub(crate) async fn recv_with_peer(self: &Arc<Self>) -> Result<(Message, Arc<Peer>), MonocoqueError> {
        let limit = self.options.recv_timeout;
        let mut place = Place::new(self, Queue::Receivers);
        poll_fn(|cx| place.poll_take(limit, cx, |next| self.take_with_peer(next))).await
    }

    /// The next message for the application, and who has sent it, if it is there.
    pub(crate) fn try_recv_with_peer(&self) -> Result<(Message, Arc<Peer>), MonocoqueError> {
        loop {
            self.check_recv()?;
            let Some(next) = self.inbox.try_next()? else { return Err(MonocoqueError::WouldBlock) };
            if let Some(received) = self.take_with_peer(next)? {
                return Ok(received);
            }
        }
    }

    fn take_with_peer(&self, mut next: Incoming<'_>) -> Result<Option<(Message, Arc<Peer>)>, MonocoqueError> {
        let peer = next.label();
        let message = if self.passes(&next) { Some(next.pop()) } else { self.open(next)? };
        Ok(message.map(|message| (message, peer)))
    }

    /// Takes up to `max` messages; waits for the first.
    pub(crate) async fn recv_batch(
        self: &Arc<Self>,
        messages: &mut Vec<Message>,
        max: usize,
    ) -> Result<usize, MonocoqueError> {
        if max == 0 {
            yielding::now_if_due().await;
            return Ok(0);
        }
        let limit = self.options.recv_timeout;
        let mut place = Place::new(self, Queue::Receivers);
        poll_fn(|cx| place.poll_take(limit, cx, |next| self.take_batch(next, messages, max))).await
    }

    /// Takes up to `max` messages that are there, and says how many; `None` if what was there is not for the application.
    fn take_batch(
        &self,
        mut next: Incoming<'_>,
        messages: &mut Vec<Message>,
        max: usize,
    ) -> Result<Option<usize>, MonocoqueError> {
        let before = messages.len();
        let mut wakes = Wakes::default();
        while messages.len() - before < max && !next.is_over() {
            if self.passes(&next) {
                messages.push(next.pop());
            } else if self.pattern.intake == Intake::Subscriptions && !self.options.manual {
                messages.extend(self.take_report(&mut next, &mut wakes));
            } else {
                break;
            }
        }
        if messages.len() == before && !next.is_over() {
            messages.extend(self.open(next)?);
        }
        Ok(Some(messages.len() - before).filter(|&taken| taken > 0))
    }

    #[inline]
    fn check_recv(&self) -> Result<(), MonocoqueError> {
        match self.pattern.envelope {
            Envelope::None | Envelope::Identity => Ok(()),
            dialogue => self.out.lock().dialogue.check_recv(dialogue),
        }
    }

    /// Whether the next message is for the application, as it is.
    #[inline]
    pub(super) fn passes(&self, next: &Incoming<'_>) -> bool {
        match (self.pattern.intake, self.pattern.envelope) {
            (Intake::Filtered, _) => self.filter.admits(next.item()),
            (Intake::Subscriptions, _) => as_subscription(next.item()).is_none(),
            (_, Envelope::None | Envelope::Identity) => true,
            _ => false,
        }
    }

    /// Whether the next message is for the application, if not as it is.
    pub(super) fn is_wanted(&self, next: &Incoming<'_>) -> bool {
        match self.pattern.intake {
            Intake::Filtered => self.filter.admits(next.item()),
            Intake::Subscriptions => as_subscription(next.item()).is_none_or(|(kind, topic)| {
                self.out.lock().audience().is_none_or(|audience| audience.admits(kind, topic))
            }),
            Intake::Fair | Intake::Discard => true,
        }
    }

    /// Takes a message that does not pass, and off it what the application does not see. `None` if it is not for the
    /// application at all.
    pub(super) fn open(&self, mut next: Incoming<'_>) -> Result<Option<Message>, MonocoqueError> {
        let opened = match self.pattern.intake {
            Intake::Filtered => {
                next.pop();
                None
            }
            Intake::Subscriptions => {
                let mut wakes = Wakes::default();
                let report = self.take_report(&mut next, &mut wakes);
                drop(next);
                wakes.wake();
                return Ok(report);
            }
            _ => self.converse(self.pattern.envelope, next)?,
        };
        if opened.is_none() {
            self.note_discarded(1);
        }
        Ok(opened)
    }

    /// Takes a message that the application is not to have.
    pub(super) fn discard(&self, mut next: Incoming<'_>, wakes: &mut Wakes) {
        if self.pattern.intake == Intake::Subscriptions {
            self.on_report(&next, false, wakes);
        } else {
            self.note_discarded(1);
        }
        next.pop();
    }

    /// Takes what an XPUB is told of a subscription, if it is to know.
    fn take_report(&self, next: &mut Incoming<'_>, wakes: &mut Wakes) -> Option<Message> {
        let is_wanted = self.is_wanted(next);
        self.on_report(next, is_wanted, wakes);
        Some(next.pop()).filter(|_| is_wanted)
    }

    /// Notes that the application is about to receive what it is told of a subscription, if the next message is that, or is not
    /// to receive it. Other receivers are kept out.
    pub(super) fn on_report(&self, next: &Incoming<'_>, is_received: bool, wakes: &mut Wakes) {
        if self.pattern.intake == Intake::Subscriptions
            && let Some((kind, topic)) = as_subscription(next.item())
        {
            self.out.lock().on_report(next.from(), kind, topic, is_received, wakes);
        }
    }

    /// Takes a request or a reply. Other receivers are kept out until the dialogue has moved on.
    fn converse(
        &self,
        envelope: Envelope,
        mut next: Incoming<'_>,
    ) -> Result<Option<Message>, MonocoqueError> {
        let from = next.from();
        self.out.lock().dialogue.check_recv(envelope)?;
        let mut message = next.pop();
        let passed = self.out.lock().dialogue.on_recv(envelope, from, &mut message);
        Ok(passed.then_some(message))
    }

    /// Gives a topic to the peer whose subscription was received last, or takes it away.
    pub(crate) fn grant(&self, kind: Subscription, topic: &[u8]) -> Result<(), MonocoqueError> {
        self.check_open()?;
        if !self.options.manual {
            return Err(MonocoqueError::NotManual);
        }
        self.with_wakes(|out, wakes| {
            if let Some(audience) = out.audience() {
                audience.grant(kind, topic);
            }
            out.on_targets_changed(wakes);
        });
        Ok(())
    }

    pub(crate) fn subscribe(&self, topic: &[u8]) -> Result<(), MonocoqueError> {
        let mut wakes = Wakes::default();
        let changed = self.change_topics(Subscription::Subscribe, topic, &mut wakes);
        wakes.wake();
        changed
    }

    pub(crate) fn unsubscribe(&self, topic: &[u8]) -> Result<(), MonocoqueError> {
        let mut wakes = Wakes::default();
        let changed = self.change_topics(Subscription::Cancel, topic, &mut wakes);
        wakes.wake();
        changed
    }

    /// Makes a subscription or takes one back; one that was never made is none. Tells all peers if that changes anything.
    pub(super) fn change_topics(
        &self,
        kind: Subscription,
        topic: &[u8],
        wakes: &mut Wakes,
    ) -> Result<(), MonocoqueError> {
        self.check_open()?;
        let mut topics = self.filter.topics.write();
        match (kind, topics.get_mut(topic)) {
            (Subscription::Subscribe, Some(count)) => *count += 1,
            (Subscription::Subscribe, None) => {
                topics.insert(Bytes::copy_from_slice(topic), 1);
                self.announce(topics, kind, topic, wakes);
            }
            (Subscription::Cancel, Some(count)) if *count > 1 => *count -= 1,
            (Subscription::Cancel, Some(_)) => {
                topics.remove(topic);
                self.announce(topics, kind, topic, wakes);
            }
            (Subscription::Cancel, None) => {}
        }
        Ok(())
    }

    /// Tells all peers of a change to `topics`, which nobody else changes before that is done.
    fn announce(
        &self,
        topics: RwLockWriteGuard<'_, Topics>,
        kind: Subscription,
        topic: &[u8],
        wakes: &mut Wakes,
    ) {
        self.filter.on_change(&topics);
        self.out.lock().subscribe_all(kind, topic, wakes);
    }

    pub(crate) fn subscription_count(&self) -> usize {
        self.out.lock().subscriptions().map_or(0, |hub| hub.subscription_count())
    }

    pub(crate) async fn wait_for_subscriptions(self: &Arc<Self>, n: usize) -> Result<(), MonocoqueError> {
        self.watch(|out| match out.phase {
            Phase::Open => {
                let count = out.subscriptions().map_or(0, |hub| hub.subscription_count());
                (count >= n).then_some(Ok(()))
            }
            _ => Some(Err(MonocoqueError::Closed)),
        })
        .await
    }
}

impl Future for Receiving<'_> {
    type Output = Result<Message, MonocoqueError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { place, limit } = &mut *self;
        place.poll_recv(*limit, cx)
    }
}

impl Place<'_> {
    /// The next message for the application, if this is a place among receivers.
    #[inline]
    pub(super) fn poll_recv(
        &mut self,
        limit: Option<Duration>,
        cx: &Context<'_>,
    ) -> Poll<Result<Message, MonocoqueError>> {
        let engine = self.engine;
        self.poll_take(
            limit,
            cx,
            |mut next| {
                if engine.passes(&next) { Ok(Some(next.pop())) } else { engine.open(next) }
            },
        )
    }

    /// What `take` gives of the next message, of the one behind it if that is nothing. Yields before a message if others are to
    /// have a turn: nothing is taken then, and the place in the queue is kept.
    #[inline]
    fn poll_take<T>(
        &mut self,
        limit: Option<Duration>,
        cx: &Context<'_>,
        take: impl FnMut(Incoming<'_>) -> Result<Option<T>, MonocoqueError>,
    ) -> Poll<Result<T, MonocoqueError>> {
        let has_waited = self.waiting.ticket.is_some();
        let taken = self.poll_taken(has_waited, limit, cx, take);
        // Nothing was taken: this may be ready without end as well.
        if matches!(taken, Poll::Ready(Err(_))) && !has_waited && self.waiting.yields.is_due() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        taken
    }

    #[inline]
    fn poll_taken<T>(
        &mut self,
        mut has_waited: bool,
        limit: Option<Duration>,
        cx: &Context<'_>,
        mut take: impl FnMut(Incoming<'_>) -> Result<Option<T>, MonocoqueError>,
    ) -> Poll<Result<T, MonocoqueError>> {
        let engine = self.engine;
        if engine.is_foreign() {
            return Poll::Ready(Err(MonocoqueError::Closed));
        }
        loop {
            engine.check_recv()?;
            let Poll::Ready(next) = engine.inbox.poll_next(&mut self.waiting.ticket, cx) else {
                return self.overdue(limit, cx);
            };
            let next = next?;
            if !std::mem::take(&mut has_waited) && self.waiting.yields.is_due() {
                drop(next);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(taken) = take(next)? {
                return Poll::Ready(Ok(taken));
            }
        }
    }
}

impl Filter {
    pub(super) fn new(options: &Options) -> Self {
        let filter = Self {
            topics: RwLock::default(),
            inverted: options.inverted,
            everything: AtomicBool::new(false),
        };
        filter.on_change(&filter.topics.read());
        filter
    }

    fn on_change(&self, topics: &Topics) {
        let everything = if self.inverted { topics.is_empty() } else { topics.get(b"").is_some() };
        self.everything.store(everything, Ordering::Release);
    }

    #[inline]
    fn admits(&self, message: &Message) -> bool {
        self.everything.load(Ordering::Acquire)
            || self.topics.read().any_match(message.frame(0).unwrap_or_default()) != self.inverted
    }
}
