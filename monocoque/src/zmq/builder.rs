//! How a socket is made.

use std::marker::PhantomData;
use std::num::NonZero;
use std::time::Duration;

use monocoque_core::{Hwm, Message, RoutingId};

use super::Socket;
use super::kind::{Conflates, Greets, Kind, Probes};
use crate::context::Context;
use crate::error::MonocoqueError;
use crate::options::Options;
use crate::socket::Engine;

/// Makes a [`Socket`] with options. Each is checked when it is set; the first that was refused is reported by
/// [`build`](Self::build).
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
pub struct Builder<K> {
    pub(super) options: Options,
    refused: Option<MonocoqueError>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Builder<K> {
    pub(super) fn new() -> Self {
        Self { options: Options::default(), refused: None, kind: PhantomData }
    }

    /// The name by which a ROUTER peer addresses this socket (`ZMQ_ROUTING_ID`): 1 to 255 bytes, not starting with a zero
    /// byte. Default: none; the ROUTER makes one up.
    pub fn routing_id<I>(mut self, id: I) -> Self
    where
        I: TryInto<RoutingId>,
        MonocoqueError: From<I::Error>,
    {
        match id.try_into().map_err(MonocoqueError::from) {
            Ok(id) if id.starts_with(&[0]) => self.refuse(MonocoqueError::ReservedRoutingId),
            Ok(id) => self.options.routing_id = Some(id),
            Err(error) => self.refuse(error),
        }
        self
    }

    /// How many messages may wait for one peer (`ZMQ_SNDHWM`): 0 for no limit. Default: 1000.
    ///
    /// The batch that is being written and the kernel's buffers come on top, which hold hundreds of thousands of small messages
    /// behind a busy peer: see [`send_buffer`](Self::send_buffer) and [`recv_buffer`](Self::recv_buffer).
    /// [`set_send_hwm`](Socket::set_send_hwm) changes it later.
    pub fn send_hwm(mut self, messages: usize) -> Self {
        self.options.send_hwm = Hwm::new(messages);
        self
    }

    /// How many messages from one peer may wait to be received (`ZMQ_RCVHWM`): 0 for no limit. Default: 1000.
    ///
    /// A peer that has reached it is not read from, so that it is held back by TCP. Nothing is dropped. What had arrived of
    /// a connection that is over may come on top. [`set_recv_hwm`](Socket::set_recv_hwm) changes it later.
    pub fn recv_hwm(mut self, messages: usize) -> Self {
        self.options.recv_hwm = Hwm::new(messages);
        self
    }

    /// How long `send` may wait (`ZMQ_SNDTIMEO`): `None` for as long as it takes, zero for not at all. Default: `None`.
    ///
    /// Then it fails with [`MonocoqueError::TimedOut`] and gives the message back.
    pub fn send_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.send_timeout = timeout;
        self
    }

    /// How long `recv` may wait (`ZMQ_RCVTIMEO`): `None` for as long as it takes, zero for not at all. Default: `None`.
    ///
    /// Then it fails with [`MonocoqueError::TimedOut`].
    pub fn recv_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.recv_timeout = timeout;
        self
    }

    /// How long a closed socket goes on sending what is queued (`ZMQ_LINGER`): `None` for as long as it takes. Default:
    /// 30 seconds; SUB sockets never linger. Zero drops it at once.
    ///
    /// What is left is counted in [`dropped`](crate::SocketStats::dropped), and told at WARN with the feature `tracing`.
    pub fn linger(mut self, linger: Option<Duration>) -> Self {
        self.options.linger = linger;
        self
    }

    /// How long one attempt to connect may take (`ZMQ_CONNECT_TIMEOUT`): `None` for as long as the system tries. Default:
    /// `None`. With zero no attempt succeeds; libzmq's zero is `None`.
    pub fn connect_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// How long a whole handshake may take (`ZMQ_HANDSHAKE_IVL`): `None` for any time. Default: 30 seconds.
    /// With zero none succeeds; libzmq's zero is `None`.
    ///
    /// Time in which the thread of the connection stood still [does not count](Self::heartbeat_timeout).
    pub fn handshake_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.handshake_timeout = timeout;
        self
    }

    /// How long to wait before a lost connection is made again (`ZMQ_RECONNECT_IVL`). Default: 100 ms.
    ///
    /// Half of it is drawn at random, so that many peers do not come back in step. A peer that is there but will not have us,
    /// because it is of another type or speaks another language, is tried again after the longest interval, which is at
    /// least 32 times this one.
    pub fn reconnect_interval(mut self, interval: Duration) -> Self {
        self.options.reconnect_interval = interval;
        self
    }

    /// Up to which the [`reconnect_interval`](Self::reconnect_interval) doubles from attempt to attempt
    /// (`ZMQ_RECONNECT_IVL_MAX`). Default: zero, it does not grow from one failed attempt to the next.
    ///
    /// After connections that end before a message or a minute it doubles in any case, up to the longest interval, which is at
    /// least 32 times the first.
    pub fn reconnect_interval_max(mut self, max: Duration) -> Self {
        self.options.reconnect_interval_max = max;
        self
    }

    /// How often to ask a peer whether it is still there (`ZMQ_HEARTBEAT_IVL`): `None` or zero for never. Default: `None`.
    ///
    /// PINGs of peers are answered in any case. A peer that we ourselves hold back is not given up for its silence.
    pub fn heartbeat_interval(mut self, interval: Option<Duration>) -> Self {
        self.options.heartbeat.interval = interval;
        self
    }

    /// How long to wait for a sign of life after such a question (`ZMQ_HEARTBEAT_TIMEOUT`): zero for ever. Default: as long
    /// as the [`heartbeat_interval`](Self::heartbeat_interval).
    ///
    /// A timeout that is noticed late, by 20 ms or more, has passed while the thread of the connection stood still: it begins
    /// anew, three times in a row at most. What has arrived meanwhile is looked at in any case.
    pub fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.options.heartbeat.timeout = Some(timeout);
        self
    }

    /// Within which time of a question the peer may expect to hear from us, or give us up (`ZMQ_HEARTBEAT_TTL`): up to 6553.5
    /// seconds, in steps of a tenth of a second; zero for no promise. Default: zero.
    ///
    /// libzmq up to 4.3.5 takes more than 65.5 seconds for less.
    pub fn heartbeat_ttl(mut self, ttl: Duration) -> Self {
        if ttl > Duration::from_millis(6_553_599) {
            self.refuse(MonocoqueError::HeartbeatTtl);
        } else {
            self.options.heartbeat.ttl = ttl;
        }
        self
    }

    /// The largest message that a peer may send, in bytes, all its frames together (`ZMQ_MAXMSGSIZE`, which libzmq applies to
    /// each frame by itself): `None` for no limit. Default: 1 GiB.
    ///
    /// A peer that goes beyond it is disconnected as soon as it announces the frame.
    pub fn max_message_size(mut self, bytes: Option<u64>) -> Self {
        self.options.limits.max_message_size = bytes.unwrap_or(UNLIMITED).min(UNLIMITED);
        self
    }

    /// How many bytes of messages may wait to be received that connections have left which are gone. Default: 64 MiB. 0
    /// is none: newcomers wait until all of it is received.
    ///
    /// Beyond it nothing is read from connections that are made from then on, until the program has received enough:
    /// peers that send, leave and come back are held back, and nothing is lost. What waits of connections that are there
    /// has [`recv_hwm`](Self::recv_hwm) and a budget of 64 MiB each.
    pub fn departed_budget(mut self, bytes: usize) -> Self {
        self.options.departed_budget = bytes;
        self
    }

    /// On how many connections a message may be begun and lost with each before it is dropped: 0 for any number. Default: 3.
    ///
    /// A peer that ends the connection because of a message, as one beyond its size limit does, would get that message
    /// first again, for ever. So it is tried on another peer where the pattern allows, then dropped, counted in
    /// [`dropped`](crate::SocketStats::dropped) and told by
    /// [`SocketEvent::MessageDropped`](crate::SocketEvent::MessageDropped). A message of which no byte was written is
    /// never dropped by this. libzmq drops it at the first loss.
    ///
    /// It counts only if the system has not taken every byte. One that fits its buffers, hundreds of kB and more, is lost with
    /// the first connection, with what was written behind it, and nobody can count it:
    /// [`lost_connections`](crate::SocketStats::lost_connections) and the monitor tell.
    pub fn delivery_attempts(mut self, connections: u32) -> Self {
        self.options.delivery_attempts = NonZero::new(connections);
        self
    }

    /// The most frames of a message that a peer may send; 0 is as 1. Default: 1,048,576.
    ///
    /// A peer that goes beyond it is disconnected.
    pub fn max_frames(mut self, frames: usize) -> Self {
        self.options.limits.max_frames = frames.max(1);
        self
    }

    /// Queue nothing for peers that are not connected (`ZMQ_IMMEDIATE`): `send` waits for one instead. Default: false, up to
    /// [`send_hwm`](Self::send_hwm) messages wait for the first peer of a socket that has connected somewhere.
    ///
    /// It decides what is taken, not where that goes: what a connection leaves unsent when it is lost waits for the next one,
    /// as without it. A request that must not be served late wants a time in it that the server looks at.
    pub fn immediate(mut self, immediate: bool) -> Self {
        self.options.immediate = immediate;
        self
    }

    /// The I/O threads of its context that the connections of the socket may live on, by their numbers from 0
    /// (`ZMQ_AFFINITY`); numbers that there are not are passed over. Default: any, sockets are spread over all of them in
    /// turn.
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

    /// Makes the socket, on the compio runtime of the calling thread if there is one, else on the process-wide context.
    ///
    /// # Errors
    ///
    /// The first option that was refused; [`MonocoqueError::Thread`] if an I/O thread cannot be started.
    pub fn build(self) -> Result<Socket<K>, MonocoqueError> {
        let context = Context::ambient()?;
        self.build_in(&context)
    }

    /// Makes the socket in a context.
    ///
    /// # Errors
    ///
    /// The first option that was refused, or [`affinity`](Self::affinity) if it names no thread of the context;
    /// [`MonocoqueError::Closed`] if the runtime of the context has ended.
    pub fn build_in(self, context: &Context) -> Result<Socket<K>, MonocoqueError> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        let runtime = context.runtime(&self.options.affinity)?;
        let engine = Engine::new(K::pattern(), self.options, runtime, context.registry())?;
        context.admit(&engine)?;
        Ok(Socket::of(engine))
    }

    pub(super) fn refuse(&mut self, error: MonocoqueError) {
        self.refused.get_or_insert(error);
    }
}

impl<K: Conflates> Builder<K> {
    /// Keep only the last message (`ZMQ_CONFLATE`): one that waits to be sent to a peer, or to be received from one, is dropped
    /// for the next one, and counted. The high water marks have no meaning then. Default: false.
    ///
    /// One message of all topics together is kept, as in libzmq, not one of each.
    pub fn conflate(mut self, conflate: bool) -> Self {
        self.options.conflate = conflate;
        self
    }
}

impl<K: Greets> Builder<K> {
    /// A message that each peer gets before all others (`ZMQ_HELLO_MSG`), instead of that of
    /// [`probe_router`](Self::probe_router). Default: none.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{DealerSocket, RouterSocket};
    ///
    /// let router = RouterSocket::new()?;
    /// let worker = DealerSocket::builder().routing_id("worker").hello_msg("READY").build()?;
    /// worker.connect(router.bind("tcp://127.0.0.1:0").await?).await?;
    /// assert_eq!(router.recv().await?, ["worker", "READY"].into());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn hello_msg(mut self, message: impl Into<Message>) -> Self {
        self.options.first_message = Some(message.into());
        self
    }
}

impl<K: Probes> Builder<K> {
    /// Send an empty message to each peer as soon as it is connected (`ZMQ_PROBE_ROUTER`), so that a ROUTER learns of this socket
    /// before it says something. The ROUTER receives it, behind the routing id. Default: false.
    ///
    /// For connections to ROUTER sockets only: others take the message for one of the program's.
    pub fn probe_router(mut self, probe: bool) -> Self {
        self.options.first_message = probe.then(|| Message::from(""));
        self
    }
}

/// What the protocol allows.
const UNLIMITED: u64 = i64::MAX as u64;
