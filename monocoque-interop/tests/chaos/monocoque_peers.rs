//! The Monocoque parts in the process of the test.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures::future::{Either, join, select};
use monocoque::zmq::capability::Sends;
use monocoque::zmq::{
    Builder, DealerSocket, PubSocket, PullSocket, PushSocket, RouterSocket, Socket, SubSocket,
};
use monocoque::{Context, Message};

use crate::part::{End, Part, ReadSpeed, Role, RoutingIdKind};
use crate::reconnects::Reconnects;
use crate::shared::{DEADLINE, PAUSE, Quota, Shared, TOPIC};
use testing::hostile::is_hostile;
use testing::ledger::{CHAOS, Class, Frames, Stream};
use testing::yield_now;

/// The threads of the connections in one lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// The shared context, which outlives the socket.
    Shared,
    /// A context that is dropped with the socket.
    Context,
    /// The runtime of the actor, which ends with it and drops the rest of the socket.
    Runtime,
}

/// One lifetime of a part.
struct Life<'a> {
    part: &'a Part,
    shared: &'a Arc<Shared>,
    context: Context,
    placement: Placement,
    /// The placement of the previous lifetime.
    before: Option<Placement>,
    seed: u64,
}

/// Runs one lifetime. Returns its placement.
pub(crate) fn live(
    part: &Part,
    shared: &Arc<Shared>,
    end: End,
    rng: &mut Rng,
    before: Option<Placement>,
) -> Placement {
    let placement = *rng
        .choice(&[Placement::Shared, Placement::Shared, Placement::Context, Placement::Runtime])
        .expect("not empty");
    let seed = rng.u64(..);
    let life = |context| Life { part, shared, context, placement, before, seed };
    match placement {
        Placement::Shared => futures::executor::block_on(life(shared.context.clone()).run(end)),
        Placement::Context => {
            futures::executor::block_on(life(Context::new().expect("an I/O thread")).run(end))
        }
        Placement::Runtime => compio::runtime::Runtime::new()
            .expect("a runtime")
            .block_on(async { life(Context::current().expect("inside a runtime")).run(end).await }),
    }
    placement
}

impl Life<'_> {
    async fn run(&self, end: End) {
        match self.part.role {
            Role::Push => self.push(end).await,
            Role::Pull => self.pull(end).await,
            Role::Router => self.router(end).await,
            Role::Dealer(name) => self.dealer(name, end).await,
            Role::Pub => self.publish(end).await,
            Role::Sub(speed) => self.subscribe(speed, end).await,
        }
    }

    async fn push(&self, end: End) {
        let push = self.open(PushSocket::builder().send_hwm(100)).await;
        let stream = self.shared.ledger.stream(self.part.index, &self.part.name(), Class::Work, true);
        let reconnects = Reconnects::start(&push, self.part, self.shared, &stream, self.seed);
        self.until(end, self.send(&push, &stream)).await;
        drop(reconnects);
        self.close(&push, Some(&stream)).await;
    }

    async fn pull(&self, end: End) {
        let pull = self.open(PullSocket::builder().recv_hwm(100)).await;
        let mut reader = self.shared.ledger.reader(self.part.index, &self.part.name(), Class::Work);
        let work = async {
            loop {
                let message = pull.recv().await.expect("open");
                if !self.is_hostile(&message) {
                    reader.take(&message);
                }
            }
        };
        self.until(end, work).await;
        self.close(&pull, None).await;
    }

    /// Echoes messages with its index in front.
    async fn router(&self, end: End) {
        let router = self.open(RouterSocket::builder()).await;
        let mut reader = self.shared.ledger.reader(self.part.index, &self.part.name(), Class::Request);
        let work = async {
            loop {
                let (peer, mut message) = router.recv_from().await.expect("open");
                if self.is_hostile(&message) {
                    router.send_to(&peer, message).await.expect("open");
                } else if reader.take(&message).is_some() {
                    message.push_front(&[self.part.index][..]);
                    router.send_to(&peer, message).await.expect("open");
                    self.shared.replies.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        self.until(end, work).await;
        self.shared.replies_dropped.fetch_add(router.stats().dropped, Ordering::Relaxed);
        self.close(&router, None).await;
    }

    async fn dealer(&self, name: RoutingIdKind, end: End) {
        let builder = match name {
            RoutingIdKind::Own => DealerSocket::builder().routing_id(format!("dealer {}", self.part.index)),
            RoutingIdKind::None => DealerSocket::builder(),
        };
        let dealer = self.open(builder).await;
        let ledger = &self.shared.ledger;
        let stream = ledger.stream(self.part.index, &self.part.name(), Class::Request, true);
        let mut reader = ledger.reader(self.part.index, &self.part.name(), Class::Reply);
        let reconnects = Reconnects::start(&dealer, self.part, self.shared, &stream, self.seed);
        let receive = async {
            loop {
                let message = dealer.recv().await.expect("open");
                if self.is_hostile(&message) {
                    continue;
                }
                let Some(router) = message.get(0).and_then(|frame| frame.first()) else {
                    ledger.record_error(format!("{}: an empty reply", stream.name));
                    continue;
                };
                match reader.take(message.iter().skip(1)) {
                    Some(tag) if tag.stream != stream.id => {
                        // A reply to an earlier lifetime with the same routing id.
                        self.shared.stale_replies.fetch_add(1, Ordering::Relaxed);
                    }
                    Some(tag) => reader.record_relay(*router, tag),
                    None => {}
                }
            }
        };
        self.until(end, join(self.send(&dealer, &stream), receive)).await;
        drop(reconnects);
        self.close(&dealer, Some(&stream)).await;
    }

    async fn publish(&self, end: End) {
        let publisher = self.open(PubSocket::builder()).await;
        let stream = self.shared.ledger.stream(self.part.index, &self.part.name(), Class::Publication, true);
        self.until(end, self.send(&publisher, &stream)).await;
        self.shared.publications_dropped.fetch_add(publisher.stats().dropped, Ordering::Relaxed);
        self.close(&publisher, None).await;
    }

    async fn subscribe(&self, speed: ReadSpeed, end: End) {
        let hwm = if speed == ReadSpeed::Good { 1000 } else { 10 };
        let subscriber = self.make(SubSocket::builder().recv_hwm(hwm));
        for n in 0..TOPICS {
            subscriber.subscribe(format!("other {n}")).expect("open");
        }
        subscriber.subscribe([TOPIC]).expect("open");
        self.attach(&subscriber).await;
        let mut reader = self.shared.ledger.reader(self.part.index, &self.part.name(), Class::Publication);
        let work = async {
            for n in 0.. {
                while speed == ReadSpeed::Stopped && self.shared.phase() == CHAOS {
                    self.pause(Duration::from_millis(10)).await;
                }
                let message = subscriber.recv().await.expect("open");
                if !self.is_hostile(&message) {
                    reader.take(&message);
                }
                // Its subscriptions change continuously, except for the topic of the test.
                if n % 16 == 0 {
                    let topic = format!("more {}", n % TOPICS);
                    if (n / TOPICS).is_multiple_of(2) {
                        subscriber.subscribe(topic)
                    } else {
                        subscriber.unsubscribe(topic)
                    }
                    .expect("open");
                }
                if speed == ReadSpeed::Slow && self.shared.phase() == CHAOS {
                    self.pause(Duration::from_millis(5)).await;
                }
            }
        };
        self.until(end, work).await;
        self.close(&subscriber, None).await;
    }

    /// Sends in bursts; in a lossless phase, a fixed number of messages.
    async fn send<S: Sends>(&self, socket: &S, stream: &Arc<Stream>) {
        let mut quota = Quota::default();
        loop {
            for _ in 0..self.shared.burst(self.part.role) {
                let phase = self.shared.phase();
                if quota.left(phase) == 0 {
                    break;
                }
                let message = message(stream.next(TOPIC, phase));
                socket.send(message).await.expect("open");
                stream.count();
                quota.count(phase);
            }
            stream.note_losses(socket.stats().lost_connections);
            self.pause(PAUSE).await;
        }
    }

    /// Runs `work` up to the end of this lifetime.
    async fn until<T>(&self, end: End, work: impl Future<Output = T>) {
        match select(pin!(work), end).await {
            Either::Left(_) => unreachable!("the work has no end"),
            Either::Right(_) => {}
        }
    }

    async fn open<S: Socket>(&self, builder: Builder<S>) -> S {
        let socket = self.make(builder);
        self.attach(&socket).await;
        socket
    }

    /// Creates a socket with the common options.
    fn make<S: Socket>(&self, builder: Builder<S>) -> S {
        with_options(builder).build_in(&self.context).expect("a socket")
    }

    /// Returns whether a message is one of a hostile peer, which must be whole.
    fn is_hostile(&self, message: &Message) -> bool {
        let hostile = is_hostile(message).unwrap_or_else(|wrong| {
            self.shared.ledger.record_error(format!("{}: {wrong}", self.part.name()));
            true
        });
        self.shared.hostile_messages.fetch_add(u64::from(hostile), Ordering::Relaxed);
        hostile
    }

    async fn attach<S: Socket>(&self, socket: &S) {
        for endpoint in &self.part.binds {
            let start = Instant::now();
            while let Err(error) = socket.bind(endpoint).await {
                let waited = start.elapsed();
                assert!(waited < DEADLINE, "still not free, after {:?}: {error}", self.before);
                self.pause(Duration::from_millis(5)).await;
            }
            let waited = start.elapsed().as_millis() as u64;
            self.shared.longest_bind.fetch_max(waited, Ordering::Relaxed);
        }
        for endpoint in self.part.connects.iter().chain(&self.part.additional) {
            socket.connect(endpoint).await.expect("an endpoint");
        }
    }

    /// Closes the socket at the end of the test; otherwise leaves it to be dropped.
    ///
    /// A socket bound in a runtime of its own is closed before the runtime ends: otherwise, the
    /// descriptor of a peer that connects at that moment would leak.
    async fn close<S: Socket>(&self, socket: &S, stream: Option<&Arc<Stream>>) {
        if let Some(stream) = stream {
            stream.note_losses(socket.stats().lost_connections);
        }
        let leaves_a_listener = self.placement == Placement::Runtime && !self.part.binds.is_empty();
        if self.shared.ended.load(Ordering::SeqCst) || leaves_a_listener {
            socket.close().await;
        } else if let Some(stream) = stream {
            stream.mark_killed();
        }
    }

    async fn pause(&self, time: Duration) {
        match self.placement {
            Placement::Runtime => compio::time::sleep(time).await,
            Placement::Shared | Placement::Context => {
                thread::sleep(time);
                // Lets other tasks of the actor run.
                yield_now().await;
            }
        }
    }
}

pub(crate) fn with_options<S: Socket>(builder: Builder<S>) -> Builder<S> {
    builder
        .linger(Some(Duration::ZERO))
        .reconnect_interval(Duration::from_millis(10))
        .handshake_timeout(Some(Duration::from_secs(1)))
}

fn message(frames: Frames) -> Message {
    Message::from(frames)
}

/// The number of topics without messages.
const TOPICS: usize = 500;
