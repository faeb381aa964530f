//! Options of the operating system's sockets: the values of a builder reach the descriptors.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use monocoque::zmq::{Builder, DealerSocket, PullSocket, PushSocket, RouterSocket, Socket};
use monocoque::{Endpoint, MonocoqueError, ReconnectStop, SocketEvent};
use socket2::SockRef;
use testing::{At, Placement, Transport, over_streams, run};

fn on_tcp(body: impl AsyncFn(At) + Copy + Send + 'static) {
    for placement in [Placement::Current, Placement::Thread] {
        run(Transport::Tcp, placement, async move |at| body(at).await);
    }
}

fn endpoint(text: &str) -> Endpoint {
    text.parse().expect("an endpoint")
}

fn port(endpoint: &Endpoint) -> u16 {
    let Endpoint::Tcp { port, .. } = endpoint else { panic!("tcp: {endpoint}") };
    *port
}

/// The error text of `build`, which names the option and its range.
fn build_error<S: Socket>(builder: Builder<S>) -> String {
    builder.build().expect_err("refused").to_string()
}

/// Reads an option of a listener after a socket with `builder` has adopted it.
async fn adopted_listener_option<T>(
    at: &At,
    builder: Builder<PullSocket>,
    look: impl Fn(SockRef<'_>) -> T,
) -> T {
    let ours = TcpListener::bind("127.0.0.1:0").expect("bound");
    let pull = at.build(builder);
    pull.bind_fd(ours.try_clone().expect("a second descriptor")).await.expect("adopted");
    look(SockRef::from(&ours))
}

#[test]
fn os_options_reach_listener() {
    on_tcp(async |at| {
        let pull = PullSocket::builder;
        let plain =
            adopted_listener_option(&at, pull(), |socket| socket.keepalive().expect("an option")).await;
        assert!(!plain);
        let size =
            adopted_listener_option(&at, pull().send_buffer(20_000), |socket| socket.send_buffer_size())
                .await;
        assert_eq!(size.expect("a size"), 40_000);
        let size =
            adopted_listener_option(&at, pull().recv_buffer(30_000), |socket| socket.recv_buffer_size())
                .await;
        assert_eq!(size.expect("a size"), 60_000);

        let probed = pull()
            .tcp_keepalive(true)
            .tcp_keepalive_idle(Duration::from_millis(76_001))
            .tcp_keepalive_interval(Duration::from_secs(11))
            .tcp_keepalive_count(5);
        adopted_listener_option(&at, probed, |socket| {
            assert!(socket.keepalive().expect("an option"));
            assert_eq!(socket.tcp_keepalive_time().expect("an option"), Duration::from_secs(77));
            assert_eq!(socket.tcp_keepalive_interval().expect("an option"), Duration::from_secs(11));
            assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 5);
        })
        .await;

        let time = Duration::from_millis(12_345);
        let timeout = pull().tcp_max_retransmit_timeout(time);
        let timeout = adopted_listener_option(&at, timeout, |socket| socket.tcp_user_timeout()).await;
        assert_eq!(timeout.expect("an option"), Some(time));
        let class =
            adopted_listener_option(&at, pull().type_of_service(0x28), |socket| socket.tos_v4()).await;
        assert_eq!(class.expect("an option"), 0x28);
        let priority = adopted_listener_option(&at, pull().priority(5), |socket| socket.priority()).await;
        assert_eq!(priority.expect("an option"), 5);
    });
}

/// Counts the connections of a local port that have a keepalive timer.
fn probing(port: u16) -> usize {
    let local = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").expect("a table");
    // The columns are number, local address, remote address, state, queues and timer. The number
    // has no fixed width.
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[1].ends_with(&local) && row[3] == "01" && row[5].starts_with("02:")).count()
}

#[test]
fn keepalive_applies_to_both_sides() {
    on_tcp(async |at| {
        for (ours, theirs) in [(false, false), (true, false), (false, true)] {
            let pull = at.build(PullSocket::builder().tcp_keepalive(ours));
            let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bound");
            let source = TcpListener::bind("127.0.0.12:0").expect("a port").local_addr().expect("an address");
            let push = at.build(PushSocket::builder().tcp_keepalive(theirs));
            let connect = format!("tcp://{source};127.0.0.1:{}", port(&bound));
            push.connect(connect.as_str()).await.expect("connected");
            pull.wait_for_peers(1).await.expect("connected");
            testing::eventually("all data is acknowledged", || {
                (probing(port(&bound)), probing(source.port())) == (ours.into(), theirs.into())
            })
            .await;
        }
    });
}

/// Counts how many of 12 connections succeed while the runtime of the socket does not run; the
/// socket accepts at most one by itself.
fn accepted_ahead(builder: Builder<PullSocket>) -> usize {
    compio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let pull = builder.build().expect("a socket");
        let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bound");
        let address = ([127, 0, 0, 1], port(&bound)).into();
        let mut streams = Vec::new();
        for _ in 0..12 {
            match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
                Ok(stream) => streams.push(stream),
                Err(_) => break,
            }
        }
        streams.len()
    })
}

#[test]
fn backlog_option_limits_pending_connections() {
    assert_eq!(accepted_ahead(PullSocket::builder()), 12);
    let few = accepted_ahead(PullSocket::builder().backlog(2));
    assert!((2..=5).contains(&few), "{few}");
}

#[test]
fn peer_sees_source_address() {
    on_tcp(async |at| {
        let pull = at.build(PullSocket::builder());
        let mut monitor = pull.monitor();
        let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bound");
        let push = at.build(PushSocket::builder());
        let connect = endpoint(&format!("tcp://127.0.0.9:0;127.0.0.1:{}", port(&bound)));
        assert_eq!(push.connect(connect.clone()).await.expect("connected"), connect);
        push.send("from there").await.expect("sent");
        pull.recv().await.expect("received");
        let peer = loop {
            match monitor.next().await.expect("an event") {
                SocketEvent::Accepted { connection } => break connection.peer.clone(),
                _ => continue,
            }
        };
        assert!(peer.to_string().starts_with("tcp://127.0.0.9:"), "{peer}");
        push.disconnect(connect.clone()).await.expect("disconnected by the same endpoint");
        let error = pull.bind(connect).await.expect_err("not valid for bind");
        assert!(matches!(error, MonocoqueError::Endpoint(_)), "{error}");
    });
}

#[test]
fn interface_name_binds_its_address() {
    on_tcp(async |at| {
        let pull = at.build(PullSocket::builder());
        let bound = pull.bind("tcp://lo:*").await.expect("bound");
        assert_eq!(bound, endpoint(&format!("tcp://127.0.0.1:{}", port(&bound))));
        let push = at.connected(PushSocket::builder(), &bound).await;
        push.send("x").await.expect("sent");
        pull.recv().await.expect("received");
        pull.unbind(bound).await.expect("unbound by its address");
    });
}

#[test]
fn bind_to_device_restricts_socket() {
    on_tcp(async |at| {
        let pull = at.build(PullSocket::builder().bind_to_device("lo"));
        let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bound");
        let push = at.connected(PushSocket::builder().bind_to_device("lo"), &bound).await;
        push.send("x").await.expect("sent");
        pull.recv().await.expect("received");

        let nowhere = at.build(DealerSocket::builder().bind_to_device("none-such"));
        let error = nowhere.bind("tcp://127.0.0.1:*").await.expect_err("no such device");
        assert!(matches!(error, MonocoqueError::Io { .. }), "{error}");
        let mut monitor = nowhere.monitor();
        nowhere.connect(bound).await.expect("in the background");
        let event = monitor.next().await.expect("an event");
        assert!(matches!(event, SocketEvent::ConnectFailed { .. }), "{event:?}");
    });
}

#[test]
fn reuse_port_shares_endpoint() {
    on_tcp(async |at| {
        let sharing = || PullSocket::builder().reuse_port(true);
        let (_one, endpoint) = at.bound(sharing()).await;
        let other = at.build(sharing());
        assert_eq!(other.bind(endpoint.clone()).await.expect("the port is shared"), endpoint);
        let third = at.socket::<PullSocket>();
        let refused = third.bind(endpoint.clone()).await.expect_err("reuse_port is not set");
        assert!(
            matches!(refused, MonocoqueError::Io { source, .. } if source.kind() == ErrorKind::AddrInUse)
        );
        other.unbind(endpoint).await.expect("bound");
    });
}

#[test]
fn ipv6_off_rejects_ipv6_endpoints() {
    on_tcp(async |at| {
        let with = at.build(DealerSocket::builder());
        with.bind("tcp://[::1]:*").await.expect("bound");
        let without = at.build(DealerSocket::builder().ipv6(false));
        let error = without.bind("tcp://[::1]:*").await.expect_err("off");
        assert!(matches!(error, MonocoqueError::Endpoint(_)), "{error}");
        let error = without.connect("tcp://[::1]:1").await.expect_err("off");
        assert!(matches!(error, MonocoqueError::Endpoint(_)), "{error}");
        let bound = without.bind("tcp://localhost:*").await.expect("bound");
        assert!(!bound.is_ipv6(), "{bound}");
    });
}

/// Serves one SOCKS connection without authentication; the thread returns the CONNECT command.
fn proxy(listener: TcpListener) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("accepted");
        let mut greeting = [0; 3];
        client.read_exact(&mut greeting).expect("a greeting");
        client.write_all(&[5, 0]).expect("written");
        let mut command = [0; 10];
        client.read_exact(&mut command).expect("a command");
        let port = u16::from_be_bytes([command[8], command[9]]);
        let mut target = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).expect("written");
        let (mut back, mut forth) =
            (target.try_clone().expect("a clone"), client.try_clone().expect("a clone"));
        let other = thread::spawn(move || {
            let _ended = std::io::copy(&mut back, &mut forth);
            let _ended = forth.shutdown(Shutdown::Both);
        });
        let _ended = std::io::copy(&mut client, &mut target);
        let _ended = target.shutdown(Shutdown::Both);
        other.join().expect("ended");
        command.to_vec()
    })
}

#[test]
fn connection_uses_socks_proxy() {
    on_tcp(async |at| {
        let pull = at.build(PullSocket::builder());
        let bound = pull.bind("tcp://127.0.0.1:*").await.expect("bound");
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let at_proxy = format!("tcp://{}", listener.local_addr().expect("an address"));
        let proxy = proxy(listener);
        let push = at.connected(PushSocket::builder().socks_proxy(at_proxy.as_str()), &bound).await;
        push.send("by a detour").await.expect("sent");
        assert_eq!(&pull.recv().await.expect("received")[0], b"by a detour");
        push.close().await;
        pull.close().await;
        let command = proxy.join().expect("ended");
        assert_eq!(command[..8], [5, 1, 0, 1, 127, 0, 0, 1]);
    });
}

over_streams! {
    async fn bind_fd_accepts_on_listener(at) {
        let pull = at.build(PullSocket::builder());
        let path = tempfile::tempdir().expect("a directory");
        let path = path.path().join("socket");
        let bound = match at.transport {
            Transport::Tcp => pull.bind_fd(TcpListener::bind("127.0.0.1:0").expect("bound")).await,
            _ => pull.bind_fd(UnixListener::bind(&path).expect("bound")).await,
        }
        .expect("adopted");
        assert_eq!(pull.last_endpoint(), Some(bound.clone()));
        let push = at.connected(PushSocket::builder(), &bound).await;
        push.send("x").await.expect("sent");
        pull.recv().await.expect("received");
        pull.unbind(bound).await.expect("unbound by its path");

        let (stream, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let error = pull.bind_fd(stream).await.expect_err("not a listening socket");
        let MonocoqueError::Descriptor(source) = error else { panic!("{error}") };
        assert_eq!(source.kind(), ErrorKind::InvalidInput);
        pull.close().await;
        let late = TcpListener::bind("127.0.0.1:0").expect("bound");
        assert!(pull.bind_fd(late).await.expect_err("closed").is_closed());
    }
}

over_streams! {
    async fn reconnect_stop_on_refused_connection(at) {
        let nowhere = at.unused_endpoint("nobody");
        let push = at.build(PushSocket::builder().reconnect_stop([ReconnectStop::ConnectionRefused]));
        let mut monitor = push.monitor();
        push.connect(nowhere.clone()).await.expect("in the background");
        let first = monitor.next().await.expect("an event");
        assert!(matches!(first, SocketEvent::ConnectFailed { .. }), "{first:?}");
        let second = monitor.next().await.expect("an event");
        assert!(matches!(&second, SocketEvent::GivenUp { endpoint } if *endpoint == nowhere), "{second:?}");
        assert_eq!(push.last_endpoint(), None);
        assert!(push.disconnect(nowhere.clone()).await.is_err(), "already disconnected");

        // The endpoint can be connected again.
        let pull = at.build(PullSocket::builder());
        testing::rebind(&pull, &nowhere).await;
        push.connect(nowhere).await.expect("connected");
        push.send("x").await.expect("sent");
        pull.recv().await.expect("received");
    }

    async fn unrelated_failure_keeps_retrying(at) {
        let nowhere = at.unused_endpoint("nobody");
        let failed = [ReconnectStop::HandshakeFailed];
        let push = at.build(PushSocket::builder().reconnect_stop(failed));
        let mut monitor = push.monitor();
        push.connect(nowhere.clone()).await.expect("in the background");
        for _ in 0..4 {
            let event = monitor.next().await.expect("an event");
            assert!(
                matches!(event, SocketEvent::ConnectFailed { .. } | SocketEvent::Retrying { .. }),
                "{event:?}"
            );
        }
        let pull = at.build(PullSocket::builder());
        testing::rebind(&pull, &nowhere).await;
        push.send("x").await.expect("sent");
        pull.recv().await.expect("received");
        // A connection that was lost after its handshake is made again.
        pull.close().await;
        let pull = at.build(PullSocket::builder());
        testing::rebind(&pull, &nowhere).await;
        push.wait_for_peers(1).await.expect("open");
        push.send("y").await.expect("sent");
        pull.recv().await.expect("received");
    }

    async fn reconnect_stop_on_failed_handshake(at) {
        let (_router, bound) = at.bound(RouterSocket::builder()).await;
        let failed = [ReconnectStop::HandshakeFailed];
        let push = at.build(PushSocket::builder().reconnect_stop(failed));
        let mut monitor = push.monitor();
        push.connect(bound.clone()).await.expect("in the background");
        loop {
            match monitor.next().await.expect("an event") {
                SocketEvent::GivenUp { endpoint } => break assert_eq!(endpoint, bound),
                event => assert!(!matches!(event, SocketEvent::Retrying { .. }), "{event:?}"),
            }
        }
        assert!(push.try_send("x").is_err(), "no peer and no pending connection");
    }
}

#[test]
fn invalid_options_fail_build() {
    let second = Duration::from_secs(1);
    let pull = PullSocket::builder;
    for silence in [Duration::ZERO, second / 2, second * 32_767 + second / 2, Duration::MAX] {
        assert!(build_error(pull().tcp_keepalive_idle(silence)).starts_with("tcp_keepalive_idle"));
        assert!(build_error(pull().tcp_keepalive_interval(silence)).starts_with("tcp_keepalive_interval"));
    }
    pull().tcp_keepalive_idle(second * 32_767).tcp_keepalive_interval(second).build().expect("in range");
    for probes in [0, 128] {
        assert!(build_error(pull().tcp_keepalive_count(probes)).starts_with("tcp_keepalive_count"));
    }
    for timeout in [Duration::ZERO, Duration::from_micros(999), second * 60 * 60 * 24 * 25, Duration::MAX] {
        let error = build_error(pull().tcp_max_retransmit_timeout(timeout));
        assert!(error.starts_with("tcp_max_retransmit_timeout"), "{error}");
    }
    assert!(build_error(pull().priority(7)).starts_with("priority"));
    assert!(build_error(pull().send_buffer(1 << 31)).starts_with("send_buffer"));
    assert!(build_error(pull().recv_buffer(usize::MAX)).starts_with("recv_buffer"));
    for name in ["", "a name", "much-too-long-a-name"] {
        assert!(build_error(pull().bind_to_device(name)).contains("interface"));
    }
    for proxy in ["tcp://*:1080", "tcp://proxy:0", "ipc://proxy", "proxy:1080"] {
        build_error(pull().socks_proxy(proxy));
    }
}
