//! A socket without its type: queues on one side, tasks that own connections on the other.
//!
//! ```text
//!   handles (any thread)                    home (one thread)
//!   send --> Outbound --(outbox a link)--> write pump --\
//!                                                        connection <- dial | listen
//!   recv <-- Inbox <---(lane a link)------ read pump ---/
//! ```
//!
//! [`listen`] and [`dial`] make connections, [`session`] runs one. An engine ends when its tasks have ended; they end
//! when the socket is closed and what was queued is sent, or `linger` is over.

pub(crate) mod dial;
pub(crate) mod listen;
pub(crate) mod session;
mod stop;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use monocoque_core::transport::{Listener, SocketOptions};
use monocoque_core::{
    Endpoint, Hold, Home, Inbox, Message, Next, PeerKey, RoutingId, SubscriptionIndex, Ticket, home,
};
use monocoque_zmtp::{PeerInfo, Subscription};
use parking_lot::{Mutex, RwLock, RwLockWriteGuard};

use crate::error::{MonocoqueError, SendError};
use crate::options::Options;
use crate::pattern::envelope::Dialogue;
use crate::pattern::route::{Direct, Offer, Outbound, Phase, Target, Wakes, routing_id};
use crate::pattern::{Envelope, Intake, Pattern, Routing, WhenFull};
use crate::stats::SocketStats;

use stop::SayAtEnd;
pub(crate) use stop::Stop;

/// A socket without its type.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) pattern: &'static Pattern,
    pub(crate) options: Options,
    pub(crate) inbox: Inbox<Message>,
    pub(crate) out: Mutex<Outbound>,
    home: Home,
    endpoints: Mutex<Vec<Attachment>>,
    filter: Filter,
    /// Numbers for peers that announce no routing id.
    next_id: AtomicU32,
    /// Numbers for endpoints.
    next_via: AtomicU64,
    /// Messages that arrived and that this type of socket does not receive.
    discarded: AtomicU64,
}

/// An endpoint that the socket is bound or connected to.
#[derive(Debug)]
struct Attachment {
    endpoint: Endpoint,
    kind: Attached,
    via: Via,
    /// Said by its task: the address is free again.
    freed: Stop,
}

/// Which endpoint a connection came about through, and whether that one is still wanted.
#[derive(Clone, Debug)]
pub(crate) struct Via {
    id: u64,
    stop: Stop,
    kind: Attached,
}

impl Via {
    /// For an endpoint with one connection at a time: they are received one after the other.
    fn series(&self) -> Option<u64> {
        (self.kind == Attached::Connected).then_some(self.id)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attached {
    Bound,
    Connected,
}

/// What a SUB socket wants to receive.
#[derive(Debug, Default)]
struct Filter {
    /// How often each topic is subscribed to.
    topics: RwLock<Topics>,
    /// The empty topic is among them: nothing needs to be looked up.
    everything: AtomicBool,
}

type Topics = SubscriptionIndex<usize>;

/// A task of a socket; the socket waits for all of them when it is closed.
#[derive(Debug)]
pub(crate) struct Task(Arc<Engine>);

/// Lives on the home for as long as the socket. Ends it in order when it is closed, and for good when the runtime ends.
#[derive(Debug)]
struct Keeper(Arc<Engine>);

/// Which queue of waiting tasks a future stands in.
#[derive(Clone, Copy, Debug)]
enum Queue {
    Senders,
    Watchers,
    Receivers,
}

/// The place of a future in a queue; given up when the future is dropped.
#[derive(Debug)]
struct Place<'a> {
    engine: &'a Arc<Engine>,
    queue: Queue,
    ticket: Option<Ticket>,
}

/// A message on its way into a queue.
#[derive(Debug)]
pub(crate) struct Sending<'a, M> {
    place: Place<'a>,
    to: Option<&'a RoutingId>,
    body: Body<M>,
}

/// What is to be sent: made into a message where it is queued from, since moving one that was just made costs more than
/// making it.
#[derive(Debug)]
enum Body<M> {
    Given(M),
    Made(Message),
    Sent,
}

/// A receiver that waits for a message.
#[derive(Debug)]
pub(crate) struct Receiving<'a> {
    place: Place<'a>,
}

impl Engine {
    pub(crate) fn new(
        pattern: &'static Pattern,
        options: Options,
        home: Home,
    ) -> Result<Arc<Self>, MonocoqueError> {
        let engine = Arc::new(Self {
            pattern,
            inbox: Inbox::new(),
            out: Mutex::new(Outbound::new(pattern, options.send_hwm)),
            options,
            home,
            endpoints: Mutex::default(),
            filter: Filter::default(),
            next_id: AtomicU32::new(fastrand::u32(..)),
            next_via: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
        });
        let keeper = Keeper(engine.clone());
        engine.home.spawn(|| keeper.keep())?;
        Ok(engine)
    }

    /// Changes the outgoing side, then wakes whom that concerns.
    pub(crate) fn with_wakes<T>(&self, change: impl FnOnce(&mut Outbound, &mut Wakes) -> T) -> T {
        let mut wakes = Wakes::default();
        let result = change(&mut self.out.lock(), &mut wakes);
        wakes.wake();
        result
    }

    // Endpoints.

    pub(crate) async fn bind(self: &Arc<Self>, endpoint: Endpoint) -> Result<Endpoint, MonocoqueError> {
        self.check_open()?;
        let engine = self.clone();
        let wanted = endpoint.clone();
        let bound = self.home.run(move || async move {
            let (listener, resolved) = Listener::bind(&wanted, &SocketOptions::default()).await?;
            let (via, freed) = engine.attach(Attached::Bound, resolved.clone());
            let task = Task::new(&engine);
            home::spawn_here(listen::run(engine, listener, via, SayAtEnd(freed), task));
            Ok::<_, io::Error>(resolved)
        });
        bound.await?.map_err(|source| MonocoqueError::Io { endpoint: endpoint.into(), source })
    }

    pub(crate) fn connect(self: &Arc<Self>, endpoint: Endpoint) -> Result<Endpoint, MonocoqueError> {
        self.check_open()?;
        endpoint.check_connect()?;
        if !self.pattern.repeats && self.is_attached(Attached::Connected, &endpoint) {
            return Ok(endpoint);
        }
        let (via, _) = self.attach(Attached::Connected, endpoint.clone());
        let task = Task::new(self);
        self.out.lock().dials += 1;
        let (engine, wanted) = (self.clone(), endpoint.clone());
        self.home.spawn(move || dial::run(engine, wanted, via, task))?;
        Ok(endpoint)
    }

    /// Stops listening, and returns once the address can be bound again.
    pub(crate) async fn unbind(&self, endpoint: &Endpoint) -> Result<(), MonocoqueError> {
        let freed = self.detach(Attached::Bound, endpoint)?.freed;
        freed.said().await;
        Ok(())
    }

    pub(crate) fn disconnect(&self, endpoint: &Endpoint) -> Result<(), MonocoqueError> {
        self.detach(Attached::Connected, endpoint).map(drop)
    }

    /// Lets go of an endpoint and of the connections made through it.
    fn detach(&self, kind: Attached, endpoint: &Endpoint) -> Result<Attachment, MonocoqueError> {
        let mut endpoints = self.endpoints.lock();
        let found = endpoints.iter().position(|other| other.kind == kind && other.endpoint == *endpoint);
        let Some(at) = found else { return Err(MonocoqueError::UnknownEndpoint(endpoint.clone().into())) };
        let gone = endpoints.remove(at);
        drop(endpoints);
        gone.via.stop.say();
        self.with_wakes(|out, wakes| out.leave(gone.via.id, wakes));
        Ok(gone)
    }

    pub(crate) fn last_endpoint(&self) -> Option<Endpoint> {
        self.endpoints.lock().last().map(|last| last.endpoint.clone())
    }

    fn attach(&self, kind: Attached, endpoint: Endpoint) -> (Via, Stop) {
        let id = self.next_via.fetch_add(1, Ordering::Relaxed);
        let via = Via { id, stop: Stop::default(), kind };
        let freed = Stop::default();
        self.endpoints.lock().push(Attachment { endpoint, kind, via: via.clone(), freed: freed.clone() });
        // A socket that was closed meanwhile has said its word already.
        if self.check_open().is_err() {
            via.stop.say();
        }
        (via, freed)
    }

    fn is_attached(&self, kind: Attached, endpoint: &Endpoint) -> bool {
        self.endpoints.lock().iter().any(|other| other.kind == kind && other.endpoint == *endpoint)
    }

    /// Whether a new connection still has something to do.
    pub(crate) fn wants_peers(&self) -> bool {
        self.out.lock().wants_peers()
    }

    // Peers.

    /// A handshake is done: the peer takes part from now on. `None` if it is refused.
    pub(crate) fn welcome(
        &self,
        peer: &PeerInfo,
        via: &Via,
        direct: Option<Direct>,
    ) -> Option<(PeerKey, RoutingId)> {
        let announced = if self.pattern.routing == Routing::ById { &*peer.routing_id } else { &[] };
        let id = routing_id(announced, self.next_id.fetch_add(1, Ordering::Relaxed));
        let mut wakes = Wakes::default();
        // Held across both, so that a topic that is subscribed to meanwhile is sent once, by one or the other.
        let topics = self.filter.topics.read();
        let mut out = self.out.lock();
        let wanted = out.wants_peers() && !via.stop.is_said();
        let key = if wanted { out.up(id.clone(), peer.revision, via.id, direct, &mut wakes) } else { None };
        if let Some(key) = key {
            for (topic, _) in topics.iter() {
                out.subscribe_one(key, Subscription::Subscribe, topic, &mut wakes);
            }
        }
        drop((out, topics));
        wakes.wake();
        key.map(|key| (key, id))
    }

    pub(crate) fn peer_count(&self) -> usize {
        self.out.lock().peers()
    }

    pub(crate) async fn wait_for_peers(self: &Arc<Self>, n: usize) -> Result<(), MonocoqueError> {
        self.watch(|out| match out.phase {
            Phase::Open => (out.peers() >= n).then_some(Ok(())),
            _ => Some(Err(MonocoqueError::Closed)),
        })
        .await
    }

    /// Waits until `done` gives a result; it is asked again whenever peers, subscriptions or tasks change.
    pub(crate) async fn watch<T>(self: &Arc<Self>, mut done: impl FnMut(&mut Outbound) -> Option<T>) -> T {
        let mut place = Place::new(self, Queue::Watchers);
        poll_fn(|cx| {
            let mut out = self.out.lock();
            match done(&mut out) {
                Some(result) => Poll::Ready(result),
                None => {
                    out.watchers.wait(&mut place.ticket, cx.waker());
                    Poll::Pending
                }
            }
        })
        .await
    }

    pub(crate) fn stats(&self) -> SocketStats {
        let received = self.inbox.popped();
        let discarded = self.discarded.load(Ordering::Relaxed);
        let waiting = self.inbox.len();
        let out = self.out.lock();
        SocketStats {
            sent: out.sent,
            received,
            dropped: out.dropped,
            discarded,
            send_queue: out.queued(),
            recv_queue: waiting,
            peers: out.peers(),
            lost_connections: out.lost,
        }
    }

    pub(crate) fn note_discarded(&self, messages: u64) {
        self.discarded.fetch_add(messages, Ordering::Relaxed);
    }

    // Subscriptions.

    pub(crate) fn subscribe(&self, topic: &[u8]) -> Result<(), MonocoqueError> {
        self.check_open()?;
        let mut topics = self.filter.topics.write();
        if let Some(count) = topics.get_mut(topic) {
            *count += 1;
            return Ok(());
        }
        topics.insert(Bytes::copy_from_slice(topic), 1);
        self.announce(topics, Subscription::Subscribe, topic);
        Ok(())
    }

    /// Takes one subscription back; one that was never made is none.
    pub(crate) fn unsubscribe(&self, topic: &[u8]) -> Result<(), MonocoqueError> {
        self.check_open()?;
        let mut topics = self.filter.topics.write();
        match topics.get_mut(topic) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => {
                topics.remove(topic);
                self.announce(topics, Subscription::Cancel, topic);
            }
            None => {}
        }
        Ok(())
    }

    /// Tells all peers of a change to `topics`.
    fn announce(&self, topics: RwLockWriteGuard<'_, Topics>, kind: Subscription, topic: &[u8]) {
        let mut wakes = Wakes::default();
        self.filter.everything.store(topics.get(b"").is_some(), Ordering::Release);
        self.out.lock().subscribe_all(kind, topic, &mut wakes);
        drop(topics);
        wakes.wake();
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

    // Sending.

    /// Queues a message, or waits for room.
    #[inline]
    pub(crate) fn send<'a, M: Into<Message>>(
        self: &'a Arc<Self>,
        to: Option<&'a RoutingId>,
        message: M,
    ) -> Sending<'a, M> {
        Sending { place: Place::new(self, Queue::Senders), to, body: Body::Given(message) }
    }

    /// Queues a message, or says that there is no room.
    pub(crate) fn try_send(&self, to: Option<&RoutingId>, mut message: Message) -> Result<(), SendError> {
        match self.attempt(to, &mut message, &mut None, None) {
            Ok(true) => Ok(()),
            Ok(false) => Err(SendError::new(MonocoqueError::WouldBlock, message)),
            Err(reason) => Err(SendError::new(reason, message)),
        }
    }

    /// Tries once to queue `message`. `false` if that has to wait: then `waker`, if there is one, will be woken.
    fn attempt(
        &self,
        to: Option<&RoutingId>,
        message: &mut Message,
        ticket: &mut Option<Ticket>,
        waker: Option<&Waker>,
    ) -> Result<bool, MonocoqueError> {
        let mut wakes = Wakes::default();
        // A second reply to an earlier request must not be taken for the reply to this one. Receivers hold this lock first.
        let mut stale = (self.pattern.envelope == Envelope::Request).then(|| self.inbox.hold());
        let mut out = self.out.lock();
        if let Some(waker) = waker
            && out.take_pause()
        {
            // The pumps may share this thread: they are to have a turn before more is queued.
            drop((out, stale));
            waker.wake_by_ref();
            return Ok(false);
        }
        let may_go = out.check_turn(self.pattern, message, *ticket)?;
        if may_go && self.offer(&mut out, to, message, stale.as_mut(), &mut wakes)? != Offer::Full {
            wakes.add(out.senders.leave(ticket));
            drop((out, stale));
            wakes.wake();
            return Ok(true);
        }
        if let Some(waker) = waker {
            out.senders.wait(ticket, waker);
        }
        Ok(false)
    }

    /// Puts the envelope on and offers the message to the peers.
    fn offer(
        &self,
        out: &mut Outbound,
        to: Option<&RoutingId>,
        message: &mut Message,
        stale: Option<&mut Hold<'_, Message>>,
        wakes: &mut Wakes,
    ) -> Result<Offer, MonocoqueError> {
        let offer = match (self.pattern.envelope, to) {
            (Envelope::None, _) => out.offer(Target::Pattern, message, wakes),
            (Envelope::Identity, Some(id)) => out.offer(Target::Id(id), message, wakes),
            (Envelope::Identity, None) => {
                let Some(id) = message.pop_front() else { return Err(MonocoqueError::EmptyMessage) };
                let offer = (!message.is_empty()).then(|| out.offer(Target::Id(&id), message, wakes));
                message.push_front(id);
                offer.ok_or(MonocoqueError::EmptyMessage)?
            }
            (Envelope::Request, _) => {
                if let Some(replies) = stale {
                    self.note_discarded(replies.clear(wakes.all()));
                }
                message.push_front("");
                let offer = out.offer(Target::Pattern, message, wakes);
                message.pop_front();
                if let Offer::Queued(of) = offer {
                    out.dialogue = Dialogue::Asked { of };
                }
                offer
            }
            (Envelope::Reply, _) => {
                let Dialogue::Answering { origin, envelope: mut sealed } = std::mem::take(&mut out.dialogue)
                else {
                    unreachable!("it was its turn");
                };
                sealed.append(message);
                out.offer(Target::Origin(origin), &sealed, wakes)
            }
        };
        debug_assert!(offer != Offer::Full || self.pattern.when_full == WhenFull::Block);
        Ok(offer)
    }

    // Receiving.

    /// The next message for the application; waits for it.
    #[inline]
    pub(crate) fn recv(self: &Arc<Self>) -> Receiving<'_> {
        Receiving { place: Place::new(self, Queue::Receivers) }
    }

    /// The next message for the application, if it is there.
    #[inline]
    pub(crate) fn try_recv(&self) -> Result<Message, MonocoqueError> {
        loop {
            self.check_recv()?;
            let Some(next) = self.inbox.try_next()? else { return Err(MonocoqueError::WouldBlock) };
            if self.pattern.passes_all() {
                return Ok(next.take().0);
            }
            if let Some(message) = self.open(next)? {
                return Ok(message);
            }
        }
    }

    #[inline]
    fn check_recv(&self) -> Result<(), MonocoqueError> {
        match self.pattern.envelope {
            Envelope::None | Envelope::Identity => Ok(()),
            dialogue => self.out.lock().dialogue.check_recv(dialogue),
        }
    }

    /// Takes a message and off it what the application does not see. `None` if it is not for the application.
    fn open(&self, next: Next<'_, Message>) -> Result<Option<Message>, MonocoqueError> {
        let opened = match self.pattern.intake {
            Intake::Filtered => {
                let (message, _taken) = next.take();
                self.filter.admits(&message).then_some(message)
            }
            _ => self.converse(self.pattern.envelope, next)?,
        };
        if opened.is_none() {
            self.note_discarded(1);
        }
        Ok(opened)
    }

    /// Takes a request or a reply. Other receivers are kept out until the dialogue has moved on.
    fn converse(
        &self,
        envelope: Envelope,
        next: Next<'_, Message>,
    ) -> Result<Option<Message>, MonocoqueError> {
        let from = next.from();
        self.out.lock().dialogue.check_recv(envelope)?;
        let (mut message, _taken) = next.take();
        let passed = self.out.lock().dialogue.on_recv(envelope, from, &mut message);
        Ok(passed.then_some(message))
    }

    // The end.

    fn check_open(&self) -> Result<(), MonocoqueError> {
        if self.out.lock().phase == Phase::Open { Ok(()) } else { Err(MonocoqueError::Closed) }
    }

    /// Takes no more messages and sends what is queued, for at most `linger`. Returns at once.
    pub(crate) fn close(self: &Arc<Self>) {
        self.with_wakes(|out, wakes| {
            if out.phase == Phase::Open {
                out.enter(Phase::Draining, wakes);
            }
        });
        self.inbox.close();
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn ended(self: &Arc<Self>) {
        self.watch(|out| (out.tasks == 0).then_some(())).await;
    }

    /// Waits for what is queued to be sent; when `linger` is over, drops it.
    async fn drain(self: &Arc<Self>) {
        let linger = if self.pattern.lingers { self.options.linger } else { Some(Duration::ZERO) };
        let sent = async {
            // A connection that is lost meanwhile gives back what it did not send: so its endpoint is kept until the last
            // one has ended by itself, with nothing left.
            self.watch(|out| (!out.has_backlog() && out.peers() == 0).then_some(())).await;
            self.stop();
            self.ended().await;
        };
        if home::within(linger, sent).await.is_none() {
            self.with_wakes(|out, wakes| out.enter(Phase::Aborted, wakes));
            self.stop();
        }
    }

    /// Tells all endpoints that they are no longer wanted.
    fn stop(&self) {
        let stops: Vec<_> =
            self.endpoints.lock().iter().map(|attachment| attachment.via.stop.clone()).collect();
        stops.iter().for_each(Stop::say);
    }

    fn leave(&self, queue: Queue, ticket: &mut Option<Ticket>) {
        match queue {
            Queue::Receivers => self.inbox.leave(ticket),
            Queue::Senders => self.with_wakes(|out, wakes| wakes.add(out.senders.leave(ticket))),
            Queue::Watchers => drop(self.out.lock().watchers.leave(ticket)),
        }
    }
}

impl Filter {
    fn admits(&self, message: &Message) -> bool {
        self.everything.load(Ordering::Acquire)
            || self.topics.read().any_match(message.frame(0).unwrap_or_default())
    }
}

impl Keeper {
    async fn keep(self) {
        self.0.watch(|out| (out.phase != Phase::Open).then_some(())).await;
        self.0.drain().await;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.with_wakes(|out, wakes| out.enter(Phase::Aborted, wakes));
        self.0.inbox.finish();
    }
}

impl Task {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        engine.out.lock().tasks += 1;
        Self(engine.clone())
    }

    pub(crate) fn another(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.with_wakes(|out, wakes| {
            out.tasks -= 1;
            wakes.add(out.watchers.dismiss());
        });
    }
}

impl<M: Into<Message>> Future for Sending<'_, M> {
    type Output = Result<(), SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { place, to, body } = &mut *self;
        let mut message = match std::mem::replace(body, Body::Sent) {
            Body::Given(given) => given.into(),
            Body::Made(message) => message,
            Body::Sent => unreachable!("polled after the result"),
        };
        match place.engine.attempt(*to, &mut message, &mut place.ticket, Some(cx.waker())) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => {
                *body = Body::Made(message);
                Poll::Pending
            }
            Err(reason) => Poll::Ready(Err(SendError::new(reason, message))),
        }
    }
}

/// Nothing in it is ever pinned.
impl<M> Unpin for Sending<'_, M> {}

impl Future for Receiving<'_> {
    type Output = Result<Message, MonocoqueError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Place { engine, ticket, .. } = &mut self.place;
        loop {
            engine.check_recv()?;
            let next = ready!(engine.inbox.poll_next(ticket, cx))?;
            if engine.pattern.passes_all() {
                return Poll::Ready(Ok(next.take().0));
            }
            if let Some(message) = engine.open(next)? {
                return Poll::Ready(Ok(message));
            }
        }
    }
}

impl<'a> Place<'a> {
    #[inline]
    fn new(engine: &'a Arc<Engine>, queue: Queue) -> Self {
        Self { engine, queue, ticket: None }
    }
}

impl Drop for Place<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.ticket.is_some() {
            let (engine, queue, mut ticket) = (self.engine.clone(), self.queue, self.ticket.take());
            home::outside_panic(move || engine.leave(queue, &mut ticket));
        }
    }
}
