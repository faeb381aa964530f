//! The options of a socket, and how one is made.

#[cfg(feature = "serde")]
mod deserialize;
mod security;
mod system;

use std::marker::PhantomData;
use std::num::NonZero;
use std::time::Duration;

use monocoque_core::{Hwm, IntoMessage, Message, RoutingId};

use super::any::AnySocket;
use super::capability::{Conflate, HelloMsg, ProbeRouter};
use super::handle::Handle;
use super::kind::{Capability, Kind};
use super::{IntoLimit, Socket};
use crate::context::Context;
use crate::error::MonocoqueError;
use crate::options::{Options, RECONNECT_INTERVAL};
use crate::socket::Engine;
use crate::trace::Caller;

/// A builder of sockets of one type, with options. Each option is checked when it is set;
/// [`build`](Self::build) returns the first error.
///
/// A clone makes another socket with the same options.
///
/// ```
/// use std::time::Duration;
/// use monocoque::zmq::DealerSocket;
///
/// let dealer = DealerSocket::builder()
///     .routing_id("worker-1")
///     .send_hwm(10_000)
///     .linger(Some(Duration::from_secs(1)))
///     .build()?;
/// # drop(dealer);
/// assert!(DealerSocket::builder().routing_id("").build().is_err());
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
#[derive(Debug)]
pub struct Builder<S> {
    kind: Kind,
    pub(super) options: Options,
    /// The subscriptions of the new socket.
    pub(super) topics: Vec<Box<[u8]>>,
    /// The first option that was rejected.
    rejected: Option<MonocoqueError>,
    socket_type: PhantomData<fn() -> S>,
}

impl<S> Clone for Builder<S> {
    fn clone(&self) -> Self {
        Self {
            kind: self.kind,
            options: self.options.clone(),
            topics: self.topics.clone(),
            rejected: self.rejected.as_ref().map(copy_rejection),
            socket_type: PhantomData,
        }
    }
}

impl<S: Socket> Builder<S> {
    pub(super) fn new(kind: Kind) -> Self {
        let (options, topics) = (Options::default(), Vec::new());
        Self { kind, options, topics, rejected: None, socket_type: PhantomData }
    }

    /// Sets the routing id by which a ROUTER peer addresses this socket (`ZMQ_ROUTING_ID`): 1 to
    /// 255 bytes, not starting with a zero byte. Default: none; the ROUTER makes one up.
    pub fn routing_id<I>(mut self, id: I) -> Self
    where
        I: TryInto<RoutingId>,
        MonocoqueError: From<I::Error>,
    {
        match id.try_into().map_err(MonocoqueError::from) {
            Ok(id) if id.starts_with(&[0]) => self.reject(MonocoqueError::ReservedRoutingId),
            Ok(id) => self.options.routing_id = Some(id),
            Err(error) => self.reject(error),
        }
        self
    }

    /// Limits the messages that may be queued for one peer (`ZMQ_SNDHWM`): 0 for no limit. Default:
    /// 1000.
    ///
    /// The batch that is being written and the kernel's buffers come on top, which hold hundreds of
    /// thousands of small messages behind a busy peer: see [`send_buffer`](Self::send_buffer) and
    /// [`recv_buffer`](Self::recv_buffer).
    /// [`set_send_hwm`](super::capability::Sends::set_send_hwm) changes it later.
    pub fn send_hwm(mut self, messages: usize) -> Self {
        self.options.send_hwm = Hwm::new(messages);
        self
    }

    /// Limits the messages from one peer that may wait to be received (`ZMQ_RCVHWM`): 0 for no
    /// limit. Default: 1000.
    ///
    /// A peer that has reached it is not read from, so that TCP holds it back. No message is
    /// dropped. Messages that had arrived over a connection that has ended may come on top.
    /// [`set_recv_hwm`](super::capability::Receives::set_recv_hwm) changes it later.
    pub fn recv_hwm(mut self, messages: usize) -> Self {
        self.options.recv_hwm = Hwm::new(messages);
        self
    }

    /// Limits the time that `send` waits (`ZMQ_SNDTIMEO`): `None` for no limit, zero for not at
    /// all. Default: `None`.
    ///
    /// After it `send` fails with [`MonocoqueError::TimedOut`] and gives the message back.
    pub fn send_timeout(mut self, timeout: impl IntoLimit<Duration>) -> Self {
        self.options.send_timeout = timeout.into_limit();
        self
    }

    /// Limits the time that `recv` waits (`ZMQ_RCVTIMEO`): `None` for no limit, zero for not at
    /// all. Default: `None`.
    ///
    /// After it `recv` fails with [`MonocoqueError::TimedOut`].
    pub fn recv_timeout(mut self, timeout: impl IntoLimit<Duration>) -> Self {
        self.options.recv_timeout = timeout.into_limit();
        self
    }

    /// Limits the time that a closed socket goes on sending queued messages (`ZMQ_LINGER`): `None`
    /// for no limit. Default: 30 seconds; SUB sockets never linger. Zero drops the messages at
    /// once.
    ///
    /// Messages that are left are counted in [`dropped`](crate::SocketStats::dropped), and reported
    /// at WARN with the feature `tracing`.
    pub fn linger(mut self, linger: impl IntoLimit<Duration>) -> Self {
        self.options.linger = linger.into_limit();
        self
    }

    /// Limits the time of one attempt to connect (`ZMQ_CONNECT_TIMEOUT`): `None` for as long as the
    /// system tries. Default: `None`. With zero no attempt succeeds; libzmq's zero is `None`.
    pub fn connect_timeout(mut self, timeout: impl IntoLimit<Duration>) -> Self {
        self.options.connect_timeout = timeout.into_limit();
        self
    }

    /// Limits the time of a whole handshake (`ZMQ_HANDSHAKE_IVL`): `None` for no limit. Default: 30
    /// seconds. With zero none succeeds; libzmq's zero is `None`.
    ///
    /// Time in which the thread of the connection was stopped
    /// [does not count](Self::heartbeat_timeout).
    pub fn handshake_timeout(mut self, timeout: impl IntoLimit<Duration>) -> Self {
        self.options.handshake_timeout = timeout.into_limit();
        self
    }

    /// Limits the accepted connections of a bound endpoint whose handshake is not done: 0 for no
    /// limit. Default: 1000.
    ///
    /// Beyond it the next connection waits to be accepted, until a handshake is done or failed, or
    /// the oldest one has taken a second: that one is ended then, with
    /// [`TooManyHandshakes`](crate::DisconnectReason::TooManyHandshakes). So strangers that connect
    /// and stay silent, or slow, cannot keep others out. Peers about whom an
    /// [`authenticator`](Self::authenticator) or ZAP handler is asked stay while there are others.
    pub fn pending_handshakes(mut self, connections: usize) -> Self {
        self.options.pending_handshakes = connections;
        self
    }

    /// Sets the time before a lost connection is made again (`ZMQ_RECONNECT_IVL`); `None` for the
    /// default. Default: 100 ms.
    ///
    /// From one failed attempt to the next it doubles, up to the
    /// [`reconnect_interval_max`](Self::reconnect_interval_max). A connection whose handshake is
    /// done takes it back to the first interval.
    ///
    /// Half of it is random, so that many peers do not come back in step. If the peer rejects the
    /// handshake (wrong socket type or protocol), the next attempt waits for the longest interval,
    /// which is at least 32 times this one.
    pub fn reconnect_interval(mut self, interval: impl IntoLimit<Duration>) -> Self {
        self.options.reconnect_interval = interval.into_limit().unwrap_or(RECONNECT_INTERVAL);
        self
    }

    /// Sets the limit up to which the [`reconnect_interval`](Self::reconnect_interval) doubles from
    /// attempt to attempt (`ZMQ_RECONNECT_IVL_MAX`); `None` for the default. Default: 5 s, but at
    /// most 50 times the first interval. With zero, or less than the first interval, the interval
    /// is constant, which is the default of libzmq.
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::zmq::DealerSocket;
    ///
    /// let builder = DealerSocket::builder();
    /// // An attempt every 50 to 100 ms, for as long as nothing listens.
    /// let dealer = builder.reconnect_interval_max(Duration::ZERO).build()?;
    /// # drop(dealer);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    ///
    /// After a connection that ends within a minute and without a message, or with a mechanism in
    /// its handshake, the interval doubles in any case, up to the longest one, which is at least 32
    /// times the first.
    pub fn reconnect_interval_max(mut self, max: impl IntoLimit<Duration>) -> Self {
        self.options.reconnect_interval_max = max.into_limit();
        self
    }

    /// Sets the interval between PINGs, which ask a peer for a sign of life (`ZMQ_HEARTBEAT_IVL`):
    /// `None` or zero for none. Default: `None`.
    ///
    /// PINGs of peers are answered in any case. The silence of a peer that this socket does not
    /// read from, since its queue is full, does not count.
    pub fn heartbeat_interval(mut self, interval: impl IntoLimit<Duration>) -> Self {
        self.options.heartbeat.interval = interval.into_limit();
        self
    }

    /// Limits the silence of a peer after a PING (`ZMQ_HEARTBEAT_TIMEOUT`): zero for no limit,
    /// `None` for the default. Default: the [`heartbeat_interval`](Self::heartbeat_interval).
    ///
    /// A timeout that is noticed late, by 20 ms or more, has passed while the thread of the
    /// connection was stopped: it starts again, three times in a row at most. Bytes that have
    /// arrived meanwhile are read in any case.
    pub fn heartbeat_timeout(mut self, timeout: impl IntoLimit<Duration>) -> Self {
        self.options.heartbeat.timeout = timeout.into_limit();
        self
    }

    /// Sets the time after a PING within which the peer may expect the next bytes of this socket,
    /// and after which it may disconnect (`ZMQ_HEARTBEAT_TTL`): up to 6553.5 seconds, in steps of a
    /// tenth of a second; `None` or zero for no promise. Default: `None`.
    ///
    /// libzmq up to 4.3.5 takes more than 65.5 seconds for less.
    pub fn heartbeat_ttl(mut self, ttl: impl IntoLimit<Duration>) -> Self {
        let ttl = ttl.into_limit().unwrap_or_default();
        if ttl > Duration::from_millis(6_553_599) {
            self.reject(MonocoqueError::HeartbeatTtl);
        } else {
            self.options.heartbeat.ttl = ttl;
        }
        self
    }

    /// Limits the size of a message that a peer may send, in bytes, all its frames together
    /// (`ZMQ_MAXMSGSIZE`, which libzmq applies to each frame by itself): `None` for no limit.
    /// Default: 1 GiB.
    ///
    /// A peer that goes beyond it is disconnected as soon as it announces the frame.
    pub fn max_message_size(mut self, bytes: impl IntoLimit<u64>) -> Self {
        self.options.limits.max_message_size = bytes.into_limit().unwrap_or(UNLIMITED).min(UNLIMITED);
        self
    }

    /// Limits the unread bytes that ended connections leave behind. Default: 64 MiB.
    ///
    /// With 0, new connections wait until all of them are received.
    ///
    /// Beyond it nothing is read from connections that are made from then on, until the program has
    /// received enough: peers that send, leave and come back are held back, and nothing is lost.
    /// Messages of connections that have not ended are limited by [`recv_hwm`](Self::recv_hwm) and
    /// by a budget of 64 MiB each.
    pub fn departed_budget(mut self, bytes: usize) -> Self {
        self.options.departed_budget = bytes;
        self
    }

    /// Sets the number of lost connections, each with the same message begun on it, after which the
    /// message is dropped: 0 for no limit. Default: 3.
    ///
    /// A peer that ends the connection because of a message, as one beyond its size limit does,
    /// would get that message first again, for ever. So it is tried on another peer where the
    /// pattern allows that, then dropped, counted in [`dropped`](crate::SocketStats::dropped) and
    /// reported by [`SocketEvent::MessageDropped`](crate::SocketEvent::MessageDropped). A message
    /// of which no byte was written is never dropped by this. libzmq drops it at the first loss.
    ///
    /// A connection counts only if the system has not taken every byte. A message that fits its
    /// buffers, hundreds of kB and more, is lost with the first connection, together with those
    /// written behind it, and cannot be counted:
    /// [`lost_connections`](crate::SocketStats::lost_connections) and the monitor report the loss.
    pub fn delivery_attempts(mut self, connections: u32) -> Self {
        self.options.delivery_attempts = NonZero::new(connections);
        self
    }

    /// Limits the frames of a message that a peer may send; 0 counts as 1. Default: 1,048,576.
    ///
    /// A peer that goes beyond it is disconnected.
    pub fn max_frames(mut self, frames: usize) -> Self {
        self.options.limits.max_frames = frames.max(1);
        self
    }

    /// Queues nothing for peers that are not connected (`ZMQ_IMMEDIATE`): `send` waits for a peer
    /// instead. Default: false, up to [`send_hwm`](Self::send_hwm) messages wait for the first peer
    /// of a socket that has connected somewhere.
    ///
    /// It decides which messages are taken, not where they go: those that a connection leaves
    /// unsent when it is lost wait for the next one, as without it. A request that must not be
    /// served late needs a time in it that the server checks.
    pub fn immediate(mut self, immediate: bool) -> Self {
        self.options.immediate = immediate;
        self
    }

    /// Names the I/O threads of its context on which the connections of the socket may live, by
    /// their numbers from 0 (`ZMQ_AFFINITY`); numbers that do not exist are ignored. Default: any,
    /// sockets are spread over all of them in turn.
    ///
    /// The runtime of a [current](Context::current) context is its only thread, number 0.
    ///
    /// ```
    /// use monocoque::Context;
    /// use monocoque::zmq::PullSocket;
    ///
    /// let context = Context::builder().io_threads(4).build()?;
    /// let bulk = PullSocket::builder().affinity([1, 2, 3]).build_in(&context)?;
    /// let urgent = PullSocket::builder().affinity([0]).build_in(&context)?;
    /// assert!(PullSocket::builder().affinity([4]).build_in(&context).is_err());
    /// # drop((bulk, urgent));
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    pub fn affinity(mut self, threads: impl IntoIterator<Item = usize>) -> Self {
        self.options.affinity = threads.into_iter().collect();
        self
    }

    /// Makes the socket, on the compio runtime of the calling thread if there is one, else on the
    /// process-wide context.
    ///
    /// # Errors
    ///
    /// The first option that was rejected; [`MonocoqueError::Thread`] if an I/O thread cannot be
    /// started.
    pub fn build(self) -> Result<S, MonocoqueError> {
        let caller = Caller::detect();
        let context = Context::ambient()?;
        let socket = self.build_in(&context)?;
        caller.record(&socket.handle().engine().span);
        Ok(socket)
    }

    /// Makes the socket in a context.
    ///
    /// # Errors
    ///
    /// The first option that was rejected, or [`affinity`](Self::affinity) if it names no thread of
    /// the context; [`MonocoqueError::Closed`] if the runtime of the context has ended.
    pub fn build_in(self, context: &Context) -> Result<S, MonocoqueError> {
        if let Some(rejected) = self.rejected {
            return Err(rejected);
        }
        self.options.security.check().map_err(MonocoqueError::Security)?;
        let runtime = context.runtime(&self.options.affinity)?;
        let engine = Engine::new(self.kind.pattern, self.options, runtime, context.registry())?;
        context.admit(&engine)?;
        for topic in &self.topics {
            engine.subscribe(topic)?;
        }
        Ok(S::from_any(AnySocket::new_handle(Handle::new(engine, context.clone()))))
    }

    /// Changes the options of an open socket. `change` is called again if another thread has
    /// changed them meanwhile.
    pub(super) fn reconfigure(
        engine: &Engine,
        mut change: impl FnMut(Self) -> Self,
    ) -> Result<(), MonocoqueError> {
        loop {
            let before = engine.options();
            let builder =
                Self { options: Options::clone(&before), ..Self::new(Kind::of(engine.pattern.socket_type)) };
            let Self { kind, options, topics, rejected, .. } = change(builder);
            if let Some(rejected) = rejected {
                return Err(rejected);
            }
            if kind.pattern.socket_type != engine.pattern.socket_type {
                return Err(engine.pattern.unsupported("take the options of another type"));
            }
            options.security.check().map_err(MonocoqueError::Security)?;
            if engine.reconfigure(&before, options)? {
                return topics.iter().try_for_each(|topic| engine.subscribe(topic));
            }
        }
    }

    /// Rejects an option that the socket type lacks.
    pub(super) fn require(&mut self, capability: Capability, operation: &'static str) {
        if !self.kind.capabilities.has(capability) {
            self.reject(self.kind.pattern.unsupported(operation));
        }
    }

    /// Keeps the first error for [`build`](Self::build).
    fn reject(&mut self, error: MonocoqueError) {
        self.rejected.get_or_insert(error);
    }
}

/// Copies the error of an option. Those of conversions that the program has added are not known.
fn copy_rejection(error: &MonocoqueError) -> MonocoqueError {
    match error {
        MonocoqueError::Endpoint(error) => MonocoqueError::Endpoint(error.clone()),
        MonocoqueError::RoutingId(error) => MonocoqueError::RoutingId(*error),
        MonocoqueError::ReservedRoutingId => MonocoqueError::ReservedRoutingId,
        MonocoqueError::HeartbeatTtl => MonocoqueError::HeartbeatTtl,
        MonocoqueError::Unsupported { socket_type, operation } => {
            MonocoqueError::Unsupported { socket_type: *socket_type, operation }
        }
        MonocoqueError::OutOfRange { option, range } => MonocoqueError::OutOfRange { option, range },
        MonocoqueError::Security(error) => MonocoqueError::Security(*error),
        MonocoqueError::InterfaceName(error) => MonocoqueError::InterfaceName(*error),
        _ => MonocoqueError::OutOfRange { option: "an option of a cloned builder", range: "a valid value" },
    }
}

impl<S: Conflate> Builder<S> {
    /// Keeps only the last message (`ZMQ_CONFLATE`): one that waits to be sent to a peer, or to be
    /// received from one, is replaced by the next one, and counted. The high-water marks have no
    /// meaning then. Default: false.
    ///
    /// One message of all topics together is kept, as in libzmq, not one of each.
    pub fn conflate(mut self, conflate: bool) -> Self {
        self.require(Capability::Conflate, "take the option `conflate`");
        self.options.conflate = conflate;
        self
    }
}

impl<S: HelloMsg> Builder<S> {
    /// Sets a message that each peer gets before all others (`ZMQ_HELLO_MSG`), instead of that of
    /// [`probe_router`](Self::probe_router). Default: none.
    ///
    /// ```
    /// use monocoque::zmq::{DealerSocket, RouterSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let router = RouterSocket::new()?;
    ///         let worker = DealerSocket::builder().routing_id("worker").hello_msg("READY");
    ///         let worker = worker.build()?;
    ///         worker.connect(router.bind("tcp://127.0.0.1:0").await?).await?;
    ///         assert_eq!(router.recv().await?, ["worker", "READY"]);
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn hello_msg(mut self, message: impl IntoMessage) -> Self {
        self.require(Capability::HelloMsg, "take the option `hello_msg`");
        self.options.first_message = Some(message.into());
        self
    }
}

impl<S: ProbeRouter> Builder<S> {
    /// Sends an empty message to each peer as soon as it is connected (`ZMQ_PROBE_ROUTER`), so that
    /// a ROUTER knows this socket before its first message. The ROUTER receives it behind the
    /// routing id. Default: false.
    ///
    /// For connections to ROUTER sockets only: other types receive it as a message of the program.
    pub fn probe_router(mut self, probe: bool) -> Self {
        self.require(Capability::ProbeRouter, "take the option `probe_router`");
        self.options.first_message = probe.then(|| Message::from(""));
        self
    }
}

/// The largest size that the protocol allows.
pub(super) const UNLIMITED: u64 = i64::MAX as u64;
