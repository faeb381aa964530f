//! Options of the operating system's sockets, and of reconnects.

use std::time::Duration;

use monocoque_core::Endpoint;
use monocoque_core::transport::{InterfaceName, SocksLogin};

use super::Builder;
use crate::error::MonocoqueError;
use crate::options::ReconnectStop;
use crate::zmq::{IntoEndpoint, IntoLimit, Socket};

impl<S: Socket> Builder<S> {
    /// Sets the failures after which a connected endpoint is given up instead of being connected to
    /// again (`ZMQ_RECONNECT_STOP`). Default: none.
    ///
    /// The endpoint is disconnected then, and reported by
    /// [`SocketEvent::GivenUp`](crate::SocketEvent::GivenUp); the program may connect to it again.
    /// An endpoint that the program has disconnected is never connected to again.
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

    /// Limits the connections that may wait to be accepted (`ZMQ_BACKLOG`), for each endpoint that
    /// is bound. Default: 100.
    ///
    /// Linux takes no more than `net.core.somaxconn`.
    pub fn backlog(mut self, connections: u32) -> Self {
        self.options.sockets.backlog = connections;
        self
    }

    /// Lets several sockets, in one process or in many of one user, be bound to the same TCP port
    /// at the same time (`SO_REUSEPORT`): each has to set it, and the system spreads connections
    /// over them. Default: false.
    ///
    /// ```
    /// use monocoque::zmq::RepSocket;
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let one = RepSocket::builder().reuse_port(true).build()?;
    ///         let other = RepSocket::builder().reuse_port(true).build()?;
    ///         other.bind(one.bind("tcp://127.0.0.1:0").await?).await?;
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.options.sockets.reuse_port = reuse;
        self
    }

    /// Sets the size of the kernel's send buffer, in bytes (`ZMQ_SNDBUF`): at most 2,147,483,647.
    /// Default: the system's, which grows and shrinks by itself; one that is set does not.
    ///
    /// Linux doubles it, and takes no more than `net.core.wmem_max`.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        if self.fits("send_buffer", bytes) {
            self.options.sockets.send_buffer = Some(bytes);
        }
        self
    }

    /// Sets the size of the kernel's receive buffer, in bytes (`ZMQ_RCVBUF`): at most
    /// 2,147,483,647. Default: the system's, which grows and shrinks by itself; one that is set
    /// does not.
    ///
    /// Linux doubles it, and takes no more than `net.core.rmem_max`.
    pub fn recv_buffer(mut self, bytes: usize) -> Self {
        if self.fits("recv_buffer", bytes) {
            self.options.sockets.recv_buffer = Some(bytes);
        }
        self
    }

    /// Makes the system probe a TCP peer that is silent (`ZMQ_TCP_KEEPALIVE`), and end the
    /// connection if it does not answer. Default: the system's, off.
    ///
    /// [`heartbeat_interval`](Self::heartbeat_interval) finds a dead peer sooner, and one whose
    /// process hangs too.
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

    /// Sets the silence after which the first probe is sent (`ZMQ_TCP_KEEPALIVE_IDLE`): 1 to 32,767
    /// seconds, rounded up to whole ones; `None` for the default. Default: the system's, two hours.
    /// Only with [`tcp_keepalive`](Self::tcp_keepalive).
    pub fn tcp_keepalive_idle(mut self, silence: impl IntoLimit<Duration>) -> Self {
        let seconds =
            silence.into_limit().and_then(|silence| self.whole_seconds("tcp_keepalive_idle", silence));
        self.options.sockets.keepalive.idle = seconds;
        self
    }

    /// Sets the time from one probe without an answer to the next (`ZMQ_TCP_KEEPALIVE_INTVL`): 1 to
    /// 32,767 seconds, rounded up to whole ones; `None` for the default. Default: the system's, 75
    /// seconds. Only with
    /// [`tcp_keepalive`](Self::tcp_keepalive).
    pub fn tcp_keepalive_interval(mut self, interval: impl IntoLimit<Duration>) -> Self {
        let seconds =
            interval.into_limit().and_then(|interval| self.whole_seconds("tcp_keepalive_interval", interval));
        self.options.sockets.keepalive.interval = seconds;
        self
    }

    /// Sets the number of probes without an answer after which the connection ends
    /// (`ZMQ_TCP_KEEPALIVE_CNT`): 1 to 127. Default: the system's, 9. Only with
    /// [`tcp_keepalive`](Self::tcp_keepalive).
    pub fn tcp_keepalive_count(mut self, probes: u32) -> Self {
        if (1..=127).contains(&probes) {
            self.options.sockets.keepalive.count = Some(probes);
        } else {
            let (option, range) = ("tcp_keepalive_count", "1 to 127 probes");
            self.reject(MonocoqueError::OutOfRange { option, range });
        }
        self
    }

    /// Limits the time that sent bytes may wait for the TCP peer to acknowledge them before the
    /// connection ends (`ZMQ_TCP_MAXRT`; Linux calls it `TCP_USER_TIMEOUT`): 1 ms to 24 days,
    /// `None` for the default. Default: the system's, about a quarter of an hour.
    ///
    /// It bounds the probes of [`tcp_keepalive`](Self::tcp_keepalive), too, and the time to
    /// connect. A peer that is alive and does not read for so long is disconnected as well: it
    /// acknowledges, but its buffers stay full. Make it longer than any pause of a peer.
    pub fn tcp_max_retransmit_timeout(mut self, timeout: impl IntoLimit<Duration>) -> Self {
        let timeout = timeout.into_limit();
        let range = Duration::from_millis(1)..=RETRANSMIT_MAX;
        if timeout.is_none_or(|timeout| range.contains(&timeout)) {
            self.options.sockets.retransmit_timeout = timeout;
        } else {
            let (option, range) = ("tcp_max_retransmit_timeout", "1 ms to 24 days");
            self.reject(MonocoqueError::OutOfRange { option, range });
        }
        self
    }

    /// Sets the type of service in the packets of TCP connections, for routers on their way
    /// (`ZMQ_TOS`): the whole octet, of which the upper six bits are the DSCP; TCP uses the lower
    /// two itself. Default: the system's, 0.
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

    /// Sets the priority of the packets of TCP connections in this machine's queues
    /// (`ZMQ_PRIORITY`): 0 to 6. Default: the system's, which follows
    /// [`type_of_service`](Self::type_of_service).
    pub fn priority(mut self, priority: u32) -> Self {
        if priority <= 6 {
            self.options.sockets.priority = Some(priority);
        } else {
            self.reject(MonocoqueError::OutOfRange { option: "priority", range: "0 to 6" });
        }
        self
    }

    /// Names the interface over which all packets of TCP connections have to go, whatever their
    /// addresses (`ZMQ_BINDTODEVICE`): 1 to 15 bytes. Default: none.
    ///
    /// If there is no such interface, `bind` fails, and `connect` is tried again. To listen on the
    /// addresses of an interface it is enough to bind `tcp://eth0:5555`.
    pub fn bind_to_device(mut self, interface: impl AsRef<str>) -> Self {
        match InterfaceName::try_from(interface.as_ref()) {
            Ok(name) => self.options.sockets.device = Some(name),
            Err(error) => self.reject(error.into()),
        }
        self
    }

    /// Sets the SOCKS5 proxy through which TCP endpoints are connected to (`ZMQ_SOCKS_PROXY`): a
    /// `tcp://host:port`. Default: none.
    ///
    /// Host names are resolved by the proxy; events report the address of the proxy. A proxy that
    /// asks for a user name and a password needs [`socks_login`](Self::socks_login). Listening
    /// sockets do not use it.
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
        E: IntoEndpoint,
    {
        match proxy.into_endpoint() {
            Ok(proxy @ Endpoint::Tcp { .. }) if proxy.check_connect().is_ok() => {
                self.options.sockets.socks_proxy = Some(proxy);
            }
            Ok(_) => {
                let (option, range) = ("socks_proxy", "a tcp endpoint that can be connected to");
                self.reject(MonocoqueError::OutOfRange { option, range });
            }
            Err(error) => self.reject(error),
        }
        self
    }

    /// Sets the user name and the password for the [`socks_proxy`](Self::socks_proxy), if it asks
    /// for them (`ZMQ_SOCKS_USERNAME`, `ZMQ_SOCKS_PASSWORD`): each of 1 to 255 bytes. Default:
    /// none.
    ///
    /// They travel to the proxy in clear text.
    pub fn socks_login(mut self, username: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Self {
        match SocksLogin::new(username.as_ref(), password.as_ref()) {
            Some(login) => self.options.sockets.socks_login = Some(login),
            None => {
                let (option, range) = ("socks_login", "a user name and a password of 1 to 255 bytes");
                self.reject(MonocoqueError::OutOfRange { option, range });
            }
        }
        self
    }

    /// Uses IPv6 addresses, besides those of IPv4 (`ZMQ_IPV6`). Default: true; in libzmq it is off.
    ///
    /// Without it host names mean their IPv4 addresses only, and endpoints with an IPv6 address are
    /// refused. With it the endpoint decides: `tcp://[::]:5555` listens for both, `tcp://*:5555`
    /// for IPv4.
    pub fn ipv6(mut self, ipv6: bool) -> Self {
        self.options.sockets.ipv6 = ipv6;
        self
    }

    fn fits(&mut self, option: &'static str, bytes: usize) -> bool {
        let fits = i32::try_from(bytes).is_ok();
        if !fits {
            self.reject(MonocoqueError::OutOfRange { option, range: "at most 2,147,483,647 bytes" });
        }
        fits
    }

    fn whole_seconds(&mut self, option: &'static str, time: Duration) -> Option<Duration> {
        if (Duration::from_secs(1)..=KEEPALIVE_MAX).contains(&time) {
            return Some(Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0)));
        }
        self.reject(MonocoqueError::OutOfRange { option, range: "1 to 32,767 seconds" });
        None
    }
}

/// The longest time of keepalive that Linux takes.
const KEEPALIVE_MAX: Duration = Duration::from_secs(32_767);
/// The longest timeout in milliseconds of 31 bits, as Linux counts them.
const RETRANSMIT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);
