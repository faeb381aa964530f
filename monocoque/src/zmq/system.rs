//! Options of the operating system's sockets, and of when they are made again.

use std::time::Duration;

use monocoque_core::Endpoint;
use monocoque_core::transport::InterfaceName;

use super::Builder;
use super::kind::Kind;
use crate::error::MonocoqueError;
use crate::options::ReconnectStop;

impl<K: Kind> Builder<K> {
    /// When a connected endpoint is given up instead of being connected to again (`ZMQ_RECONNECT_STOP`). Default: never.
    ///
    /// It is as if it had been disconnected, and told by [`SocketEvent::GivenUp`](crate::SocketEvent::GivenUp); it may be
    /// connected to anew. An endpoint that was disconnected by the program is never connected to again.
    ///
    /// ```
    /// use monocoque::ReconnectStop;
    /// use monocoque::zmq::ReqSocket;
    ///
    /// let request = ReqSocket::builder()
    ///     .reconnect_stop([ReconnectStop::ConnectionRefused, ReconnectStop::HandshakeFailed])
    ///     .build()?;
    /// # drop(request);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    pub fn reconnect_stop(mut self, reasons: impl IntoIterator<Item = ReconnectStop>) -> Self {
        self.options.reconnect_stop = reasons.into_iter().collect();
        self
    }

    /// How many connections may wait to be accepted (`ZMQ_BACKLOG`), for each endpoint that is bound. Default: 100.
    ///
    /// Linux takes no more than `net.core.somaxconn`.
    pub fn backlog(mut self, connections: u32) -> Self {
        self.options.sockets.backlog = connections;
        self
    }

    /// Whether several sockets, in one process or in many of one user, can be bound to the same TCP port at the same time
    /// (`SO_REUSEPORT`): each has to say so, and the system spreads connections over them. Default: false.
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::RepSocket;
    ///
    /// let one = RepSocket::builder().reuse_port(true).build()?;
    /// let other = RepSocket::builder().reuse_port(true).build()?;
    /// other.bind(one.bind("tcp://127.0.0.1:0").await?).await?;
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.options.sockets.reuse_port = reuse;
        self
    }

    /// The size of the kernel's buffer of what is sent, in bytes (`ZMQ_SNDBUF`): at most 2,147,483,647. Default: the system's,
    /// which grows and shrinks by itself; one that is set does not.
    ///
    /// Linux doubles it, and takes no more than `net.core.wmem_max`.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        if self.fits("send_buffer", bytes) {
            self.options.sockets.send_buffer = Some(bytes);
        }
        self
    }

    /// The size of the kernel's buffer of what has arrived, in bytes (`ZMQ_RCVBUF`): at most 2,147,483,647. Default: the
    /// system's, which grows and shrinks by itself; one that is set does not.
    ///
    /// Linux doubles it, and takes no more than `net.core.rmem_max`.
    pub fn recv_buffer(mut self, bytes: usize) -> Self {
        if self.fits("recv_buffer", bytes) {
            self.options.sockets.recv_buffer = Some(bytes);
        }
        self
    }

    /// Whether the system probes a TCP peer that is silent (`ZMQ_TCP_KEEPALIVE`), and ends the connection if it does not answer.
    /// Default: as the system has it, which is not.
    ///
    /// [`heartbeat_interval`](Self::heartbeat_interval) finds a dead peer sooner, and one whose process hangs too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use monocoque::zmq::SubSocket;
    ///
    /// let sub = SubSocket::builder()
    ///     .tcp_keepalive(true)
    ///     .tcp_keepalive_idle(Duration::from_secs(60))
    ///     .tcp_keepalive_interval(Duration::from_secs(10))
    ///     .tcp_keepalive_count(3)
    ///     .build()?;
    /// # drop(sub);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    pub fn tcp_keepalive(mut self, probe: bool) -> Self {
        self.options.sockets.keepalive.enabled = Some(probe);
        self
    }

    /// After how long a silence the first probe is sent (`ZMQ_TCP_KEEPALIVE_IDLE`): 1 to 32,767 seconds, whole ones, up to which
    /// it is rounded. Default: the system's, two hours. Only with [`tcp_keepalive`](Self::tcp_keepalive).
    pub fn tcp_keepalive_idle(mut self, silence: Duration) -> Self {
        if let Some(silence) = self.whole_seconds("tcp_keepalive_idle", silence) {
            self.options.sockets.keepalive.idle = Some(silence);
        }
        self
    }

    /// How long an answer to a probe is waited for before the next (`ZMQ_TCP_KEEPALIVE_INTVL`): 1 to 32,767 seconds, whole ones,
    /// up to which it is rounded. Default: the system's, 75 seconds. Only with [`tcp_keepalive`](Self::tcp_keepalive).
    pub fn tcp_keepalive_interval(mut self, interval: Duration) -> Self {
        if let Some(interval) = self.whole_seconds("tcp_keepalive_interval", interval) {
            self.options.sockets.keepalive.interval = Some(interval);
        }
        self
    }

    /// After how many probes without an answer the connection ends (`ZMQ_TCP_KEEPALIVE_CNT`): 1 to 127. Default: the system's, 9.
    /// Only with [`tcp_keepalive`](Self::tcp_keepalive).
    pub fn tcp_keepalive_count(mut self, probes: u32) -> Self {
        if (1..=127).contains(&probes) {
            self.options.sockets.keepalive.count = Some(probes);
        } else {
            self.refuse(MonocoqueError::OutOfRange {
                option: "tcp_keepalive_count",
                range: "1 to 127 probes",
            });
        }
        self
    }

    /// How long sent bytes may wait for the TCP peer to acknowledge them before the connection ends (`ZMQ_TCP_MAXRT`; Linux calls
    /// it `TCP_USER_TIMEOUT`): 1 ms to 24 days. Default: the system's, about a quarter of an hour.
    ///
    /// It bounds the probes of [`tcp_keepalive`](Self::tcp_keepalive), too, and the time to connect. A peer that lives and does
    /// not read for so long is disconnected as well: it acknowledges, but leaves no room for what waits. Make it longer than
    /// any peer may be held up.
    pub fn tcp_max_retransmit_timeout(mut self, timeout: Duration) -> Self {
        if (Duration::from_millis(1)..=RETRANSMIT_MAX).contains(&timeout) {
            self.options.sockets.retransmit_timeout = Some(timeout);
        } else {
            let (option, range) = ("tcp_max_retransmit_timeout", "1 ms to 24 days");
            self.refuse(MonocoqueError::OutOfRange { option, range });
        }
        self
    }

    /// How the packets of TCP connections are marked for routers on their way (`ZMQ_TOS`): the whole octet, of which the
    /// upper six bits are the DSCP; TCP has the lower two for itself. Default: the system's, 0.
    ///
    /// ```
    /// use monocoque::zmq::PubSocket;
    ///
    /// let expedited = PubSocket::builder().type_of_service(46 << 2).build()?;
    /// # drop(expedited);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    pub fn type_of_service(mut self, octet: u8) -> Self {
        self.options.sockets.type_of_service = Some(octet);
        self
    }

    /// The rank of the packets of TCP connections in this machine's queues (`ZMQ_PRIORITY`): 0 to 6. Default: the system's, which
    /// follows [`type_of_service`](Self::type_of_service).
    pub fn priority(mut self, rank: u32) -> Self {
        if rank <= 6 {
            self.options.sockets.priority = Some(rank);
        } else {
            self.refuse(MonocoqueError::OutOfRange { option: "priority", range: "0 to 6" });
        }
        self
    }

    /// The interface over which all packets of TCP connections have to go, whatever their addresses (`ZMQ_BINDTODEVICE`): a
    /// name of 1 to 15 bytes. Default: none.
    ///
    /// If there is no such interface, `bind` fails, and `connect` is tried again. To listen on the addresses of an interface
    /// it is enough to bind `tcp://eth0:5555`.
    pub fn bind_to_device(mut self, interface: impl AsRef<str>) -> Self {
        match InterfaceName::try_from(interface.as_ref()) {
            Ok(name) => self.options.sockets.device = Some(name),
            Err(error) => self.refuse(error.into()),
        }
        self
    }

    /// The SOCKS5 proxy through which TCP endpoints are connected to (`ZMQ_SOCKS_PROXY`): a `tcp://host:port`. Default: none.
    ///
    /// Names are resolved by the proxy, whose own address is the one that events tell of. A proxy that asks for a name and a
    /// password is not supported. What listens is not concerned.
    ///
    /// ```
    /// use monocoque::zmq::DealerSocket;
    ///
    /// let dealer = DealerSocket::builder().socks_proxy("tcp://127.0.0.1:1080").build()?;
    /// # drop(dealer);
    /// assert!(DealerSocket::builder().socks_proxy("ipc://proxy").build().is_err());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    pub fn socks_proxy<E>(mut self, proxy: E) -> Self
    where
        E: TryInto<Endpoint>,
        MonocoqueError: From<E::Error>,
    {
        match proxy.try_into().map_err(MonocoqueError::from) {
            Ok(proxy @ Endpoint::Tcp { .. }) if proxy.check_connect().is_ok() => {
                self.options.sockets.socks_proxy = Some(proxy);
            }
            Ok(_) => self.refuse(MonocoqueError::OutOfRange {
                option: "socks_proxy",
                range: "a tcp endpoint that can be connected to",
            }),
            Err(error) => self.refuse(error),
        }
        self
    }

    /// Whether IPv6 addresses are used (`ZMQ_IPV6`). Default: true; in libzmq it is off.
    ///
    /// Without it names mean their IPv4 addresses only, and endpoints with an IPv6 address are refused. With it an endpoint says
    /// which it is: `tcp://[::]:5555` listens for both, `tcp://*:5555` for IPv4.
    pub fn ipv6(mut self, ipv6: bool) -> Self {
        self.options.sockets.ipv6 = ipv6;
        self
    }

    fn fits(&mut self, option: &'static str, bytes: usize) -> bool {
        let fits = i32::try_from(bytes).is_ok();
        if !fits {
            self.refuse(MonocoqueError::OutOfRange { option, range: "at most 2,147,483,647 bytes" });
        }
        fits
    }

    fn whole_seconds(&mut self, option: &'static str, time: Duration) -> Option<Duration> {
        if (Duration::from_secs(1)..=KEEPALIVE_MAX).contains(&time) {
            return Some(Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0)));
        }
        self.refuse(MonocoqueError::OutOfRange { option, range: "1 to 32,767 seconds" });
        None
    }
}

/// What Linux takes.
const KEEPALIVE_MAX: Duration = Duration::from_secs(32_767);
/// Linux counts milliseconds in 31 bits.
const RETRANSMIT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);
