//! TCP: names to addresses, addresses to sockets.
//!
//! `socket2` makes the sockets, so that options are set before connecting and listening; compio
//! connects.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use compio::net::{TcpSocket, TcpStream};
use compio::runtime::fd::PollFd;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{SocketOptions, interface, resolver, socks};
use crate::Endpoint;
use crate::endpoint::{Host, Source};

/// Connects to `host`, through the proxy if there is one.
pub(super) async fn connect(
    source: Option<&Source>,
    host: &Host,
    port: u16,
    options: &SocketOptions,
) -> io::Result<TcpStream> {
    match &options.socks_proxy {
        None => connect_directly(source, host, port, options).await,
        Some(Endpoint::Tcp { host: proxy, port: at, .. }) => {
            let stream = connect_directly(source, proxy, *at, options).await?;
            socks::request(stream, host, port, options.socks_login.as_ref()).await
        }
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "the SOCKS proxy is not a tcp endpoint")),
    }
}

/// Connects to the first address of `host` that can be connected to.
async fn connect_directly(
    source: Option<&Source>,
    host: &Host,
    port: u16,
    options: &SocketOptions,
) -> io::Result<TcpStream> {
    let mut failure = None;
    for address in resolve(host, port, options).await? {
        match connect_to(source, address, options).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(no_address))
}

async fn connect_to(
    source: Option<&Source>,
    address: SocketAddr,
    options: &SocketOptions,
) -> io::Result<TcpStream> {
    let socket = socket(address, options)?;
    if let Some(source) = source {
        // Several connections may start at one port, if they lead to different peers. But a port
        // that the system chooses must not be shared: it could be that of another connection to
        // this peer.
        socket.set_reuse_address(source.port != 0)?;
        socket.bind(&source_for(source, address).await?.into())?;
    }
    let stream = TcpSocket::from_std_stream(socket.into())?.connect(address).await?;
    reject_self_connection(&stream)?;
    Ok(stream)
}

/// Returns the address of `source` that is of the same family as `destination`.
async fn source_for(source: &Source, destination: SocketAddr) -> io::Result<SocketAddr> {
    let addresses = match &source.host {
        Host::Any if destination.is_ipv6() => vec![(Ipv6Addr::UNSPECIFIED, source.port).into()],
        Host::Name(name) => interface::addresses(name.as_str(), source.port)?,
        host => resolve(host, source.port, &SocketOptions::default()).await?,
    };
    let fitting = addresses.into_iter().find(|address| address.is_ipv4() == destination.is_ipv4());
    fitting.ok_or_else(|| {
        io::Error::new(io::ErrorKind::AddrNotAvailable, "no source address is of the peer's family")
    })
}

/// Rejects a stream whose two ends are one socket. A connection to a local port without a listener
/// can, by chance, start at that same port, and would keep a later listener from it.
fn reject_self_connection(stream: &TcpStream) -> io::Result<()> {
    if stream.local_addr()? != stream.peer_addr()? {
        return Ok(());
    }
    // Or else the port would stay taken for a while.
    stream.set_zero_linger()?;
    Err(io::Error::new(io::ErrorKind::ConnectionRefused, "no listener: the connection met itself"))
}

#[derive(Debug)]
pub(super) struct Listener {
    listener: PollFd<TcpListener>,
    options: SocketOptions,
}

impl Listener {
    /// Listens on the first address of `host` that can be bound.
    pub(super) async fn bind(
        host: &Host,
        port: u16,
        options: &SocketOptions,
    ) -> io::Result<(Self, Endpoint)> {
        let mut failure = None;
        for address in bind_addresses(host, port, options).await? {
            match listen(address, options) {
                Ok(listener) => {
                    let endpoint = listener.local_addr()?.into();
                    return Ok((Self { listener, options: options.clone() }, endpoint));
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(no_address))
    }

    /// Takes over a socket that listens.
    pub(super) fn adopt(socket: Socket, options: &SocketOptions) -> io::Result<(Self, Endpoint)> {
        // Accepted streams inherit them.
        options.set_buffers(SockRef::from(&socket))?;
        options.set_tcp(SockRef::from(&socket))?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from(socket);
        let endpoint = listener.local_addr()?.into();
        let listener = PollFd::new(listener)?;
        Ok((Self { listener, options: options.clone() }, endpoint))
    }

    pub(super) async fn accept(&self) -> io::Result<(TcpStream, String)> {
        let accepted = poll_fn(|cx| self.listener.poll_accept_with(cx, TcpListener::accept)).await;
        let (stream, address) = accepted?;
        let stream = TcpStream::from_std(stream)?;
        // Not every system inherits these from the listener. A failure means that the connection
        // has ended already, which its first read reports; it is no failure of the listener.
        let _set = self.options.set_tcp(SockRef::from(&stream));
        Ok((stream, label(Ok(address))))
    }

    pub(super) async fn close(self) -> io::Result<()> {
        super::close(self.listener).await;
        Ok(())
    }
}

/// Listens on an address. No step of it waits.
fn listen(address: SocketAddr, options: &SocketOptions) -> io::Result<PollFd<TcpListener>> {
    let socket = socket(address, options)?;
    socket.set_reuse_address(true)?;
    if options.reuse_port {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(options.backlog())?;
    socket.set_nonblocking(true)?;
    PollFd::new(socket.into())
}

fn socket(address: SocketAddr, options: &SocketOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    options.set_buffers(SockRef::from(&socket))?;
    options.set_tcp(SockRef::from(&socket))?;
    options.set_device(SockRef::from(&socket))?;
    Ok(socket)
}

/// Returns the addresses to listen on: those of an interface, if there is one of that name.
async fn bind_addresses(host: &Host, port: u16, options: &SocketOptions) -> io::Result<Vec<SocketAddr>> {
    if let Host::Name(name) = host {
        let mut addresses = interface::addresses(name.as_str(), port)?;
        if !addresses.is_empty() {
            addresses.retain(|address| options.allows(address));
            return Ok(addresses);
        }
    }
    resolve(host, port, options).await.map_err(|error| match host {
        Host::Name(name) => {
            let text = format!("{} is neither a network interface nor a known host: {error}", name.as_str());
            io::Error::new(error.kind(), text)
        }
        _ => error,
    })
}

/// Returns the addresses of `host`. Names are resolved on another thread.
async fn resolve(host: &Host, port: u16, options: &SocketOptions) -> io::Result<Vec<SocketAddr>> {
    let name = match host {
        Host::Any => return Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into()]),
        Host::Ip(ip) => return Ok(vec![(*ip, port).into()]),
        Host::Zoned(ip, zone) => format!("{ip}%{zone}"),
        Host::Name(name) => name.as_str().to_owned(),
    };
    let mut addresses = resolver::resolve(name, port).await?;
    addresses.retain(|address| options.allows(address));
    Ok(addresses)
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the name has no address")
}

/// Returns the [label](super::ByteStream::peer_label) of a peer at `address`.
pub(super) fn label(address: io::Result<SocketAddr>) -> String {
    let canonical = |address: SocketAddr| match address.ip().to_canonical() {
        // An IPv4 peer of a listener for both versions.
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    };
    address.map_or_else(|_| "tcp://?".to_owned(), |address| Endpoint::from(canonical(address)).to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::{Either, select};

    use super::super::Stream;
    use super::super::tests::{bind, connect, endpoint, on_both_drivers, pair};
    use super::*;

    fn port(endpoint: &Endpoint) -> u16 {
        let Endpoint::Tcp { port, .. } = endpoint else { panic!("tcp: {endpoint}") };
        *port
    }

    fn tcp(stream: Stream) -> TcpStream {
        let Stream::Tcp(stream) = stream else { panic!("tcp: {stream:?}") };
        stream
    }

    #[test]
    fn ephemeral_port_is_resolved() {
        on_both_drivers(async || {
            for (asked, host) in [
                ("tcp://127.0.0.1:*", "tcp://127.0.0.1:"),
                ("tcp://[::1]:0", "tcp://[::1]:"),
                ("tcp://*:*", "tcp://0.0.0.0:"),
                ("tcp://[::]:*", "tcp://[::]:"),
            ] {
                let (_listener, endpoint) = bind(asked).await.expect("bound");
                assert_ne!(port(&endpoint), 0);
                assert_eq!(endpoint.to_string(), format!("{host}{}", port(&endpoint)));
            }
        });
    }

    #[test]
    fn address_forms_reach_listener() {
        on_both_drivers(async || {
            for (listen, dial) in [
                ("tcp://127.0.0.1:*", "tcp://127.0.0.1"),
                ("tcp://[::1]:*", "tcp://[::1]"),
                ("tcp://[::1]:*", "tcp://[::1%1]"),
                ("tcp://localhost:*", "tcp://localhost"),
                ("tcp://*:*", "tcp://localhost"),
                ("tcp://*:*", "tcp://0.0.0.0"),
                ("tcp://[::]:*", "tcp://127.0.0.1"),
            ] {
                let (listener, bound) = bind(listen).await.expect("bound");
                let dial = endpoint(&format!("{dial}:{}", port(&bound)));
                let (ours, theirs, label) = pair(&listener, &dial).await;
                assert_eq!(
                    tcp(theirs).peer_addr().expect("connected").port(),
                    tcp(ours).local_addr().unwrap().port()
                );
                assert!(label.starts_with("tcp://"), "{label}");
            }
        });
    }

    #[test]
    fn connect_binds_source_address() {
        on_both_drivers(async || {
            let (listener, bound) = bind("tcp://[::]:*").await.expect("bound");
            let port = port(&bound);
            let free = {
                let listener = std::net::TcpListener::bind("127.0.0.11:0").expect("a port");
                listener.local_addr().expect("an address").port()
            };
            for (from, to, expected) in [
                ("127.0.0.9:0", "127.0.0.1", "127.0.0.9"),
                ("lo:*", "127.0.0.1", "127.0.0.1"),
                ("*:0", "127.0.0.1", "127.0.0.1"),
                ("*:0", "[::1]", "::1"),
                ("[::1]:0", "[::1]", "::1"),
                (&format!("127.0.0.11:{free}"), "127.0.0.1", "127.0.0.11"),
            ] {
                let dial = endpoint(&format!("tcp://{from};{to}:{port}"));
                let (ours, theirs, _) = pair(&listener, &dial).await;
                let ours = tcp(ours).local_addr().expect("connected");
                assert_eq!(ours.ip().to_string(), expected, "{dial}");
                assert_eq!(tcp(theirs).peer_addr().expect("connected").port(), ours.port());
                if from.ends_with(&free.to_string()) {
                    assert_eq!(ours.port(), free, "{dial}");
                }
            }
        });
    }

    #[test]
    fn invalid_source_fails_connect() {
        on_both_drivers(async || {
            let (_listener, bound) = bind("tcp://127.0.0.1:*").await.expect("bound");
            for from in ["192.0.2.77", "[::1]", "none-such"] {
                let dial = endpoint(&format!("tcp://{from}:0;127.0.0.1:{}", port(&bound)));
                let error = connect(&dial).await.expect_err("no such source");
                assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable, "{dial}: {error}");
            }
            let error = bind("tcp://127.0.0.1:0;127.0.0.1:0").await.expect_err("for connecting only");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        });
    }

    #[test]
    fn bind_by_interface_name_listens() {
        on_both_drivers(async || {
            let (listener, bound) = bind("tcp://lo:*").await.expect("bound");
            assert_eq!(bound.to_string(), format!("tcp://127.0.0.1:{}", port(&bound)));
            pair(&listener, &bound).await;
        });
    }

    #[test]
    fn closed_port_can_be_rebound() {
        on_both_drivers(async || {
            let (listener, endpoint) = bind("tcp://127.0.0.1:*").await.expect("bound");
            let text = endpoint.to_string();
            assert_eq!(bind(&text).await.expect_err("taken").kind(), io::ErrorKind::AddrInUse);
            let connected = pair(&listener, &endpoint).await;
            // An accept that is given up must not hold the port.
            let accept = compio::time::timeout(Duration::ZERO, listener.accept());
            assert!(accept.await.is_err());
            listener.close().await.expect("closed");
            let refused = connect(&endpoint).await.expect_err("no listener");
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            let (_listener, again) = bind(&text).await.expect("bound at once, with a connection still open");
            assert_eq!(again, endpoint);
            drop(connected);
        });
    }

    #[test]
    fn unknown_host_name_fails() {
        on_both_drivers(async || {
            connect(&endpoint("tcp://monocoque.invalid:1")).await.expect_err("no such name");
            bind("tcp://monocoque.invalid:1").await.expect_err("no such name");
        });
    }

    /// A socket that is bound to `port` connects to it: by hand what happens by chance.
    #[test]
    fn self_connection_is_refused() {
        on_both_drivers(async || {
            let plain = SocketOptions::default();
            let socket = socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &plain).expect("a socket");
            socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("bound");
            let own = socket.local_addr().expect("bound").as_socket().expect("an address");
            let socket = TcpSocket::from_std_stream(socket.into()).expect("attached");
            let stream = socket.connect(own).await.expect("it meets itself");
            let error = reject_self_connection(&stream).expect_err("refused");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            stream.close().await.expect("closed");
            bind(&format!("tcp://{own}")).await.expect("the port is free at once");
        });
    }

    #[test]
    fn ipv6_zone_resolves_to_interface() {
        on_both_drivers(async || {
            let Endpoint::Tcp { host, port, .. } = endpoint("tcp://[fe80::1%lo]:5555") else { panic!("tcp") };
            let addresses = resolve(&host, port, &SocketOptions::default()).await.expect("resolved");
            assert!(
                addresses
                    .iter()
                    .all(|address| Endpoint::from(*address) == endpoint("tcp://[fe80::1%1]:5555"))
            );
            assert!(!addresses.is_empty());
        });
    }

    /// How many sockets of this machine are trying to connect to 127.0.0.1:`port`.
    fn connecting(port: u16) -> usize {
        let peer = format!(" 0100007F:{port:04X} 02 ");
        std::fs::read_to_string("/proc/net/tcp")
            .expect("a table")
            .lines()
            .filter(|line| line.contains(&peer))
            .count()
    }

    #[test]
    fn cancelled_connect_closes_socket() {
        on_both_drivers(async || {
            // No accept is pending and the backlog is full: the system goes on trying.
            let options = SocketOptions { backlog: 0, ..SocketOptions::default() };
            let host = Host::Ip(Ipv4Addr::LOCALHOST.into());
            let (listener, endpoint) = Listener::bind(&host, 0, &options).await.expect("bound");
            let port = port(&endpoint);
            let mut held = Vec::new();
            loop {
                let attempt = std::pin::pin!(connect(&endpoint));
                let stuck = std::pin::pin!(async {
                    while connecting(port) == 0 {
                        compio::time::sleep(Duration::from_millis(1)).await;
                    }
                });
                match select(attempt, stuck).await {
                    Either::Left((stream, _)) => held.push(stream.expect("connected")),
                    Either::Right(_) => break,
                }
                assert!(held.len() < 10, "the backlog is full by now");
            }
            while connecting(port) > 0 {
                compio::time::sleep(Duration::from_millis(1)).await;
            }
            drop(held);
            listener.close().await.expect("closed");
        });
    }
}
