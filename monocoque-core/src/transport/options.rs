//! Options of system sockets, and when each is set.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, SockRef, TcpKeepalive};

use super::SocksLogin;
use crate::{Endpoint, EndpointError, EndpointErrorKind};

/// Options of system sockets. `None` leaves an option to the system. `TCP_NODELAY` is always set.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// How many connections may wait to be accepted. Default: 100.
    pub backlog: u32,
    /// Lets others listen on the same TCP address, if they set it as well (`SO_REUSEPORT`).
    /// Default: false.
    pub reuse_port: bool,
    /// `SO_SNDBUF`, in bytes.
    pub send_buffer: Option<usize>,
    /// `SO_RCVBUF`, in bytes.
    pub recv_buffer: Option<usize>,
    /// The probing of silent TCP peers.
    pub keepalive: Keepalive,
    /// How long sent bytes may wait for the TCP peer to acknowledge them (`TCP_USER_TIMEOUT`), in
    /// milliseconds.
    pub retransmit_timeout: Option<Duration>,
    /// `IP_TOS` and `IPV6_TCLASS` of TCP.
    pub type_of_service: Option<u8>,
    /// `SO_PRIORITY` of TCP.
    pub priority: Option<u32>,
    /// The interface for all TCP packets (`SO_BINDTODEVICE`).
    pub device: Option<InterfaceName>,
    /// Uses IPv6 addresses. Default: true.
    pub ipv6: bool,
    /// The SOCKS5 proxy for TCP connections: a TCP endpoint.
    pub socks_proxy: Option<Endpoint>,
    /// The user name and the password for the proxy, if it asks for them.
    pub socks_login: Option<SocksLogin>,
}

impl SocketOptions {
    /// Checks that `endpoint` can be used with these options.
    pub fn check(&self, endpoint: &Endpoint) -> Result<(), EndpointError> {
        if self.ipv6 || !endpoint.is_ipv6() {
            Ok(())
        } else {
            Err(endpoint.error(EndpointErrorKind::Ipv6Off))
        }
    }

    /// Returns true if a name may be resolved to `address`.
    pub(super) fn allows(&self, address: &SocketAddr) -> bool {
        self.ipv6 || address.is_ipv4()
    }

    pub(super) fn backlog(&self) -> i32 {
        i32::try_from(self.backlog).unwrap_or(i32::MAX)
    }

    /// Sets the buffers. For TCP this comes before connecting and listening, which negotiate the
    /// window.
    pub(super) fn set_buffers(&self, socket: SockRef<'_>) -> io::Result<()> {
        self.send_buffer.map_or(Ok(()), |size| socket.set_send_buffer_size(size))?;
        self.recv_buffer.map_or(Ok(()), |size| socket.set_recv_buffer_size(size))
    }

    /// Sets the options of a TCP socket before it connects, or once it is accepted.
    pub(super) fn set_tcp(&self, socket: SockRef<'_>) -> io::Result<()> {
        socket.set_tcp_nodelay(true)?;
        self.keepalive.set(&socket)?;
        if self.retransmit_timeout.is_some() {
            socket.set_tcp_user_timeout(self.retransmit_timeout)?;
        }
        if let Some(class) = self.type_of_service {
            set_class(&socket, class)?;
        }
        self.priority.map_or(Ok(()), |priority| socket.set_priority(priority))
    }

    /// Sets the device of a TCP socket that is to connect or to listen. Accepted ones inherit it.
    pub(super) fn set_device(&self, socket: SockRef<'_>) -> io::Result<()> {
        let Some(device) = &self.device else { return Ok(()) };
        let device = device.as_str();
        socket
            .bind_device(Some(device.as_bytes()))
            .map_err(|error| io::Error::new(error.kind(), format!("the device {device}: {error}")))
    }
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            backlog: 100,
            reuse_port: false,
            send_buffer: None,
            recv_buffer: None,
            keepalive: Keepalive::default(),
            retransmit_timeout: None,
            type_of_service: None,
            priority: None,
            device: None,
            ipv6: true,
            socks_proxy: None,
            socks_login: None,
        }
    }
}

/// The probing of a silent TCP peer. `None` leaves a value to the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Switches probes on or off (`SO_KEEPALIVE`). The other values need `Some(true)`.
    pub enabled: Option<bool>,
    /// The silence before the first probe (`TCP_KEEPIDLE`), in seconds.
    pub idle: Option<Duration>,
    /// The time between two probes (`TCP_KEEPINTVL`), in seconds.
    pub interval: Option<Duration>,
    /// The number of unanswered probes that ends the connection (`TCP_KEEPCNT`).
    pub count: Option<u32>,
}

impl Keepalive {
    fn set(&self, socket: &SockRef<'_>) -> io::Result<()> {
        match self.enabled {
            None => Ok(()),
            Some(false) => socket.set_keepalive(false),
            Some(true) => socket.set_tcp_keepalive(&self.parameters()),
        }
    }

    fn parameters(&self) -> TcpKeepalive {
        let mut parameters = TcpKeepalive::new();
        if let Some(idle) = self.idle {
            parameters = parameters.with_time(idle);
        }
        if let Some(interval) = self.interval {
            parameters = parameters.with_interval(interval);
        }
        if let Some(count) = self.count {
            parameters = parameters.with_retries(count);
        }
        parameters
    }
}

/// Sets the class of both versions: an IPv6 socket carries IPv4 as well, which has its own option.
fn set_class(socket: &SockRef<'_>, class: u8) -> io::Result<()> {
    if socket.domain()? == Domain::IPV6 {
        socket.set_tclass_v6(class.into())?;
    }
    socket.set_tos_v4(class.into())
}

/// The name of a network interface: 1 to 15 bytes, no `/`, `:`, white space or NUL.
///
/// ```
/// use monocoque_core::transport::InterfaceName;
///
/// assert_eq!(InterfaceName::try_from("eth0").unwrap().as_str(), "eth0");
/// assert!(InterfaceName::try_from("").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceName(Box<str>);

impl InterfaceName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for InterfaceName {
    type Error = InterfaceNameError;

    fn try_from(name: &str) -> Result<Self, InterfaceNameError> {
        let plain = |byte: u8| byte > b' ' && !matches!(byte, b'/' | b':' | 0x7F);
        let valid = (1..=15).contains(&name.len()) && !matches!(name, "." | "..") && name.bytes().all(plain);
        if valid { Ok(Self(name.into())) } else { Err(InterfaceNameError) }
    }
}

/// The error of a text that cannot be the name of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of an interface has 1 to 15 bytes without '/', ':' and white space")]
pub struct InterfaceNameError;

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;
    use std::os::fd::{AsFd, OwnedFd};

    use futures_util::try_join;

    use super::super::tests::{endpoint, on_both_drivers};
    use super::super::{Listener, Stream};
    use super::*;

    /// Looks at the connecting and the accepted end of a connection, and at both kinds of
    /// addresses.
    fn on_both_ends(options: &SocketOptions, look: impl Fn(SockRef<'_>)) {
        on_both_drivers(async || {
            for text in ["tcp://127.0.0.1:*", "tcp://[::1]:*"] {
                let (listener, bound) = Listener::bind(&endpoint(text), options).await.expect("bound");
                let streams = try_join!(Stream::connect(&bound, options), listener.accept());
                let (ours, (theirs, _)) = streams.expect("connected");
                for stream in [ours, theirs] {
                    let Stream::Tcp(stream) = stream else { panic!("tcp: {stream:?}") };
                    look(SockRef::from(&stream));
                }
            }
        });
    }

    #[test]
    fn default_options_keep_system_values() {
        on_both_ends(&SocketOptions::default(), |socket| {
            assert!(socket.tcp_nodelay().expect("an option"));
            assert!(!socket.keepalive().expect("an option"));
            assert_eq!(socket.tcp_user_timeout().expect("an option"), None);
            assert_eq!(socket.tos_v4().expect("an option"), 0);
            assert_eq!(socket.priority().expect("an option"), 0);
            assert_eq!(socket.device().expect("an option"), None);
        });
    }

    #[test]
    fn keepalive_sets_all_parameters() {
        let keepalive = Keepalive {
            enabled: Some(true),
            idle: Some(Duration::from_secs(77)),
            interval: Some(Duration::from_secs(11)),
            count: Some(5),
        };
        on_both_ends(&SocketOptions { keepalive, ..SocketOptions::default() }, |socket| {
            assert!(socket.tcp_nodelay().expect("an option"));
            assert!(socket.keepalive().expect("an option"));
            assert_eq!(socket.tcp_keepalive_time().expect("an option"), Duration::from_secs(77));
            assert_eq!(socket.tcp_keepalive_interval().expect("an option"), Duration::from_secs(11));
            assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 5);
        });
    }

    #[test]
    fn keepalive_parts_are_independent() {
        let on = Keepalive { enabled: Some(true), ..Keepalive::default() };
        on_both_ends(&SocketOptions { keepalive: on, ..SocketOptions::default() }, |socket| {
            assert!(socket.keepalive().expect("an option"));
            assert_ne!(socket.tcp_keepalive_retries().expect("an option"), 5);
        });
        let counted = Keepalive { count: Some(5), ..on };
        on_both_ends(&SocketOptions { keepalive: counted, ..SocketOptions::default() }, |socket| {
            assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 5);
            assert_ne!(socket.tcp_keepalive_interval().expect("an option"), Duration::from_secs(11));
        });
        let off = Keepalive { enabled: Some(false), ..counted };
        on_both_ends(&SocketOptions { keepalive: off, ..SocketOptions::default() }, |socket| {
            assert!(!socket.keepalive().expect("an option"));
        });
    }

    #[test]
    fn keepalive_off_overrides_adopted_listener() {
        on_both_drivers(async || {
            let made = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
            SockRef::from(&made).set_keepalive(true).expect("set");
            for (enabled, expected) in [(None, true), (Some(false), false)] {
                let keepalive = Keepalive { enabled, ..Keepalive::default() };
                let options = SocketOptions { keepalive, ..SocketOptions::default() };
                let descriptor = made.try_clone().expect("a second descriptor").into();
                let (listener, bound) = Listener::adopt(descriptor, &options).expect("adopted");
                let plain = SocketOptions::default();
                let streams = try_join!(Stream::connect(&bound, &plain), listener.accept());
                let (_ours, (theirs, _)) = streams.expect("connected");
                let Stream::Tcp(theirs) = theirs else { panic!("tcp: {theirs:?}") };
                assert_eq!(SockRef::from(&theirs).keepalive().expect("an option"), expected);
            }
        });
    }

    #[test]
    fn retransmit_timeout_is_set() {
        let time = Duration::from_millis(12_345);
        let options = SocketOptions { retransmit_timeout: Some(time), ..SocketOptions::default() };
        on_both_ends(&options, |socket| {
            assert_eq!(socket.tcp_user_timeout().expect("an option"), Some(time));
        });
    }

    #[test]
    fn type_of_service_covers_both_families() {
        let options = SocketOptions { type_of_service: Some(0x28), ..SocketOptions::default() };
        on_both_ends(&options, |socket| {
            assert_eq!(socket.tos_v4().expect("an option"), 0x28);
            if socket.domain().expect("a family") == Domain::IPV6 {
                assert_eq!(socket.tclass_v6().expect("an option"), 0x28);
            }
        });
    }

    #[test]
    fn priority_overrides_type_of_service() {
        // The type of service sets one of its own, and must not win.
        let options =
            SocketOptions { type_of_service: Some(0x08), priority: Some(5), ..SocketOptions::default() };
        on_both_ends(&options, |socket| assert_eq!(socket.priority().expect("an option"), 5));
    }

    #[test]
    fn bound_device_must_exist() {
        let lo = InterfaceName::try_from("lo").expect("a name");
        let options = SocketOptions { device: Some(lo), ..SocketOptions::default() };
        on_both_ends(&options, |socket| {
            assert_eq!(socket.device().expect("an option").as_deref(), Some(&b"lo"[..]));
        });
        on_both_drivers(async || {
            let none = InterfaceName::try_from("none-such").expect("a name");
            let options = SocketOptions { device: Some(none), ..SocketOptions::default() };
            let bound = Listener::bind(&endpoint("tcp://127.0.0.1:*"), &options).await;
            let connected = Stream::connect(&endpoint("tcp://127.0.0.1:1"), &options).await;
            for error in [bound.expect_err("no such device"), connected.expect_err("no such device")] {
                assert!(error.to_string().starts_with("the device none-such: "), "{error}");
            }
        });
    }

    #[test]
    fn ipv6_off_rejects_ipv6_addresses() {
        on_both_drivers(async || {
            let options = SocketOptions { ipv6: false, ..SocketOptions::default() };
            for text in ["tcp://[::1]:1", "tcp://[fe80::1%lo]:1", "tcp://[::1]:0;localhost:1"] {
                let error = Stream::connect(&endpoint(text), &options).await.expect_err("off");
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text}");
            }
            let error = Listener::bind(&endpoint("tcp://[::]:*"), &options).await.expect_err("off");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            for text in ["tcp://localhost:*", "tcp://lo:*", "tcp://*:*"] {
                let (_listener, bound) = Listener::bind(&endpoint(text), &options).await.expect("IPv4");
                assert!(!bound.is_ipv6(), "{bound}");
            }
        });
        assert!(
            !SocketOptions { ipv6: false, ..SocketOptions::default() }
                .allows(&SocketAddr::from((Ipv6Addr::LOCALHOST, 1)))
        );
        assert!(SocketOptions::default().allows(&SocketAddr::from((Ipv6Addr::LOCALHOST, 1))));
    }

    #[test]
    fn interface_name_is_validated() {
        for name in ["lo", "eth0.100", "wlp0s20f3", "br-0123456789ab"] {
            assert_eq!(InterfaceName::try_from(name).expect("a name").as_str(), name);
        }
        for name in ["", "0123456789abcdef", "a b", "a/b", "a:b", "a\0", ".", "..", "a\n"] {
            assert_eq!(InterfaceName::try_from(name), Err(InterfaceNameError), "{name:?}");
        }
    }

    #[test]
    fn listening_descriptor_is_adopted() {
        on_both_drivers(async || {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("socket");
            let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
            let address = tcp.local_addr().expect("an address");
            // As a service manager may hand it over.
            tcp.set_nonblocking(true).expect("set");
            let ipc = std::os::unix::net::UnixListener::bind(&path).expect("bound");
            let expected = [Endpoint::from(address), endpoint(&format!("ipc://{}", path.display()))];
            let plain = SocketOptions::default();
            for (descriptor, expected) in [OwnedFd::from(tcp), OwnedFd::from(ipc)].into_iter().zip(expected) {
                let (listener, bound) = Listener::adopt(descriptor, &plain).expect("adopted");
                assert_eq!(bound, expected);
                try_join!(Stream::connect(&bound, &plain), listener.accept()).expect("connected");
                listener.close().await.expect("closed");
            }
            assert!(path.exists(), "the file is not ours");
        });
    }

    #[test]
    fn non_listening_descriptor_is_rejected() {
        on_both_drivers(async || {
            let plain = SocketOptions::default();
            let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
            let pair = std::os::unix::net::UnixStream::pair().expect("a pair");
            for descriptor in [OwnedFd::from(udp), OwnedFd::from(pair.0)] {
                let error = Listener::adopt(descriptor, &plain).expect_err("refused");
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            }
            let file = tempfile::tempfile().expect("a file");
            let file = file.as_fd().try_clone_to_owned().expect("a descriptor");
            Listener::adopt(file, &plain).expect_err("not a socket");
        });
    }
}
