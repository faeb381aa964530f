//! Events of the `tracing` crate: changes of connections and failures, in the span of their socket,
//! without message contents.

use std::io::{self, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::StreamExt;
use monocoque::security::{Allow, AuthReply, AuthRequest, CurveKeyPair};
use monocoque::zmq::{
    Builder, DealerSocket, PubSocket, PullSocket, PushSocket, RouterSocket, Socket, SubSocket,
};
use monocoque::{Endpoint, SocketEvent};
use testing::{over_streams, rebind};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// A writer that keeps all lines.
#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Returns the lines that contain all of these texts.
    fn with(&self, texts: &[&str]) -> Vec<String> {
        let lines = String::from_utf8(self.0.lock().expect("lines").clone()).expect("text");
        let wanted = |line: &&str| texts.iter().all(|text| line.contains(text));
        lines.lines().filter(wanted).map(str::to_owned).collect()
    }
}

impl Write for &Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lines").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

fn subscriber(lines: &Lines, level: LevelFilter) -> impl tracing::Subscriber + Send + Sync + 'static {
    tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(lines.clone()).finish()
}

/// Returns the lines of all threads of the process.
fn of_process() -> &'static Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(|| {
        let lines = Lines::default();
        tracing::subscriber::set_global_default(subscriber(&lines, LevelFilter::TRACE)).expect("the first");
        lines
    })
}

/// Returns the endpoint on a loopback address that no other test uses.
fn apart(endpoint: &Endpoint) -> Endpoint {
    let [_, b, c, d] = fastrand::u32(..).to_be_bytes().map(|byte| byte.clamp(1, 254));
    let apart = endpoint.to_string().replace("127.0.0.1", &format!("127.{b}.{c}.{d}"));
    apart.parse().expect("valid")
}

/// Connects, and waits until this number of attempts have failed.
async fn fail<S: Socket>(socket: &S, endpoint: &Endpoint, times: usize) {
    let mut monitor = socket.monitor();
    socket.connect(endpoint.clone()).await.expect("connected");
    let mut failed = 0;
    while failed < times {
        let event = monitor.next().await.expect("open");
        failed += usize::from(matches!(event, SocketEvent::Retrying { .. }));
    }
}

over_streams! {
    async fn first_failure_warns_once(at) {
        let (lines, endpoint) = (of_process(), apart(&at.unused_endpoint("nobody")));
        let push = at.build(PushSocket::builder().reconnect_interval(Duration::from_millis(1)));
        fail(&push, &endpoint, 4).await;
        let named = format!("endpoint={endpoint} ");
        let warnings = lines.with(&["WARN", &named]);
        let [warning] = &warnings[..] else { panic!("one warning: {warnings:?}") };
        for part in ["socket{type=PUSH id=", "monocoque: connect failed", "reason=", "retry_in="] {
            assert!(warning.contains(part), "{part}: {warning}");
        }
        let repeated = lines.with(&["DEBUG", &named, "connect failed again", "failures="]);
        assert!(repeated.len() >= 3, "{repeated:?}");
        assert!(lines.with(&["INFO", &named]).is_empty());

        let pull = at.socket::<PullSocket>();
        rebind(&pull, &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        testing::eventually("the recovery is logged", || !lines.with(&["INFO", &named]).is_empty()).await;
        let recovered = lines.with(&["INFO", &named]);
        let [recovered] = &recovered[..] else { panic!("one line: {recovered:?}") };
        for part in ["socket{type=PUSH id=", ":connection{id=", "monocoque: works again", "failures="] {
            assert!(recovered.contains(part), "{part}: {recovered}");
        }
        pull.close().await;
        testing::eventually("the next run is logged", || lines.with(&["WARN", &named]).len() == 2).await;
    }

    async fn failed_handshakes_warn_once(at) {
        let lines = of_process();
        let router = at.socket::<RouterSocket>();
        let endpoint = router.bind(apart(&at.wildcard_endpoint())).await.expect("bound");
        let often = PubSocket::builder().reconnect_interval(Duration::from_millis(1));
        let publisher = at.build(often.reconnect_interval_max(Duration::ZERO));
        fail(&publisher, &endpoint, 3).await;
        let of = format!("endpoint={endpoint} ");
        let dialled = lines.with(&["WARN", "socket{type=PUB", &of]);
        let [dialled] = &dialled[..] else { panic!("one warning: {dialled:?}") };
        for part in [":connection{id=", "monocoque: handshake failed", "reason=", "retry_in="] {
            assert!(dialled.contains(part), "{part}: {dialled}");
        }
        let repeated = || lines.with(&["DEBUG", "socket{type=ROUTER", &of, "handshake failed"]).len();
        testing::eventually("the repetitions are logged", || repeated() >= 2).await;
        let accepted = lines.with(&["WARN", "socket{type=ROUTER", ":connection{id=", &of]);
        assert!(matches!(&accepted[..], [line] if line.contains("handshake failed")), "{accepted:?}");
        drop(router);
    }

    async fn peer_violation_warns_and_counts(at) {
        let lines = of_process();
        let limited = PullSocket::builder().max_message_size(10);
        let pull = at.build(limited);
        let endpoint = pull.bind(apart(&at.wildcard_endpoint())).await.expect("bound");
        let often = PushSocket::builder().reconnect_interval(Duration::from_millis(1));
        let push = at.build(often);
        push.connect(endpoint.clone()).await.expect("connected");
        for violations in 1..=3 {
            push.send("larger than ten bytes").await.expect("queued");
            testing::eventually("it is counted", || pull.stats().violations >= violations).await;
            testing::eventually("it is lost", || push.stats().lost_connections >= violations).await;
        }
        assert_eq!(push.stats().violations, 0);
        let of = format!("endpoint={endpoint} ");
        let ended = ["socket{type=PULL", ":connection{id=", &of, "the connection was ended", "reason="];
        let at_level = |level| lines.with(&[&[level], &ended[..]].concat()).len();
        testing::eventually("repetitions are logged", || at_level("DEBUG") >= 2).await;
        assert_eq!(at_level("WARN"), 1);
        let lost = ["INFO", "socket{type=PUSH", &of, "the connection was lost", "reason="];
        testing::eventually("the loss is logged", || !lines.with(&lost).is_empty()).await;
    }

    async fn heartbeat_timeout_warns(at) {
        let lines = of_process();
        let beats = PullSocket::builder().heartbeat_interval(Duration::from_millis(20));
        let pull = at.build(beats);
        let endpoint = pull.bind(apart(&at.wildcard_endpoint())).await.expect("bound");
        let _silent = silent_peer(&endpoint);
        let of = format!("endpoint={endpoint} ");
        let ended = ["WARN", "socket{type=PULL", &of, "the connection was ended", "heartbeat timeout"];
        testing::eventually("the end is logged", || lines.with(&ended).len() == 1).await;
        assert_eq!(pull.stats().violations, 0);
    }

    async fn routing_id_clash_warns_on_both_sides(at) {
        let lines = of_process();
        let router = at.socket::<RouterSocket>();
        let endpoint = router.bind(apart(&at.wildcard_endpoint())).await.expect("bound");
        let named = || {
            let often = DealerSocket::builder().reconnect_interval(Duration::from_millis(1));
            at.build(often.reconnect_interval_max(Duration::ZERO).routing_id("twin"))
        };
        let (first, second) = (named(), named());
        first.connect(endpoint.clone()).await.expect("connected");
        router.wait_for_peers(1).await.expect("open");
        second.connect(endpoint.clone()).await.expect("connected");
        let of = format!("endpoint={endpoint} ");
        let closes = ["WARN", "socket{type=DEALER", &of, "the peer closes each connection after the handshake"];
        testing::eventually("the refused side warns", || !lines.with(&closes).is_empty()).await;
        testing::eventually("attempts continue", || second.stats().lost_connections > 6).await;
        assert_eq!(lines.with(&closes).len(), 1);
        let refused = ["WARN", "socket{type=ROUTER", &of, "handshake failed", "routing_id=twin"];
        assert_eq!(lines.with(&refused).len(), 1);
    }

    async fn failed_lookup_warns(at) {
        let (lines, endpoint) = (of_process(), "tcp://no-such-host.invalid:1".parse::<Endpoint>().expect("valid"));
        let before = lines.with(&["WARN", "no-such-host.invalid"]).len();
        fail(&at.socket::<PushSocket>(), &endpoint, 1).await;
        assert!(lines.with(&["WARN", "no-such-host.invalid", "connect failed", "reason="]).len() > before);
    }

    async fn unknown_unsubscribe_is_logged(at) {
        let lines = of_process();
        let subscriber = at.socket::<SubSocket>();
        let topic = "t".repeat(fastrand::usize(1000..60_000));
        let bytes = format!("bytes={}", topic.len());
        subscriber.subscribe(&topic).expect("open");
        subscriber.unsubscribe(&topic).expect("open");
        assert!(lines.with(&[&bytes]).is_empty());
        subscriber.unsubscribe(&topic).expect("open");
        assert_eq!(lines.with(&["DEBUG", "socket{type=SUB id=", "monocoque: unsubscribed", &bytes]).len(), 1);
    }
}

/// Connects as a PUSH that answers no heartbeat.
fn silent_peer(endpoint: &Endpoint) -> Box<dyn Write> {
    let mut greeting = [0; 64];
    greeting[..12].copy_from_slice(&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
    greeting[12..16].copy_from_slice(b"NULL");
    let mut stream: Box<dyn Write> = match endpoint {
        Endpoint::Ipc(address) => {
            Box::new(UnixStream::connect(address.path().expect("a path")).expect("connected"))
        }
        _ => Box::new(TcpStream::connect(endpoint.socket_addr().expect("an address")).expect("connected")),
    };
    stream.write_all(&greeting).expect("sent");
    stream.write_all(b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH").expect("sent");
    stream
}

#[test]
fn plain_server_without_authenticator_warns() {
    let lines = Lines::default();
    tracing::subscriber::with_default(subscriber(&lines, LevelFilter::WARN), || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let server = PullSocket::builder().plain_server().build().expect("a socket");
            let endpoint = server.bind("tcp://127.0.0.1:0").await.expect("bound");
            let push = PushSocket::builder().plain_client("anna", "hunter2").build().expect("a socket");
            fail(&push, &endpoint, 1).await;
            let refused =
                ["socket{type=PULL", "handshake failed", "there is no authenticator, and no ZAP handler"];
            testing::eventually("it is logged", || lines.with(&refused).len() == 1).await;
        });
    });
}

#[test]
fn dropped_messages_warn_once_a_reason() {
    let lines = Lines::default();
    tracing::subscriber::with_default(subscriber(&lines, LevelFilter::DEBUG), || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let router = RouterSocket::new().expect("a socket");
            for _ in 0..3 {
                router.send(("nobody", "x")).await.expect("dropped");
            }
            testing::eventually("the drop is logged", || !lines.with(&["messages are dropped"]).is_empty())
                .await;
            for _ in 0..4 {
                router.send(("nobody", "x")).await.expect("dropped");
            }
            router.close().await;

            let publisher = PubSocket::builder().send_hwm(1).build().expect("a socket");
            publisher.bind("inproc://drops").await.expect("bound");
            let subscriber = SubSocket::builder().recv_hwm(1).subscribe("").build().expect("a socket");
            subscriber.connect("inproc://drops").await.expect("connected");
            publisher.wait_for_subscriptions(1).await.expect("open");
            while publisher.stats().dropped == 0 {
                publisher.send("x").await.expect("open");
            }
            let full = ["the queue of the peer is full", "messages are dropped", "inproc://drops"];
            testing::eventually("the drop is logged", || !lines.with(&full).is_empty()).await;
        });
    });
    let unknown = ["socket{type=ROUTER", "no peer with this routing id is connected", "nobody"];
    let first = lines.with(&[&["WARN", "messages are dropped", "messages=3"], &unknown[..]].concat());
    assert_eq!(first.len(), 1, "{:?}", lines.with(&[""]));
    let sum =
        lines.with(&[&["WARN", "the socket has dropped messages", "messages=7"], &unknown[..]].concat());
    assert_eq!(sum.len(), 1, "{:?}", lines.with(&[""]));
    let full = ["WARN", "socket{type=PUB", "messages are dropped", "the queue of the peer is full"];
    assert_eq!(lines.with(&full).len(), 1, "{:?}", lines.with(&[""]));
}

#[test]
fn unbound_inproc_name_warns_once() {
    let lines = Lines::default();
    tracing::subscriber::with_default(subscriber(&lines, LevelFilter::INFO), || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let push = PushSocket::new().expect("a socket");
            push.connect("inproc://nobody-there").await.expect("connected");
            let named =
                || lines.with(&["WARN", "nothing is bound to this name", "inproc://nobody-there"]).len();
            testing::eventually("the name is logged", || named() == 1).await;
        });
    });
}

#[test]
fn failed_bind_is_only_returned() {
    let lines = Lines::default();
    tracing::subscriber::with_default(subscriber(&lines, LevelFilter::INFO), || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let pull = PullSocket::new().expect("a socket");
            let endpoint = pull.bind("tcp://127.0.0.1:0").await.expect("bound");
            let error = pull.bind(endpoint).await.expect_err("in use");
            assert!(error.to_string().contains("in use"), "{error}");
        });
    });
    assert_eq!(lines.with(&[""]), [""; 0]);
}

#[test]
fn unsent_messages_are_one_sum() {
    let lines = Lines::default();
    tracing::subscriber::with_default(subscriber(&lines, LevelFilter::WARN), || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let pull = PullSocket::builder().recv_hwm(1).build().expect("a socket");
            let push = PushSocket::builder().send_hwm(3).build().expect("a socket");
            push.connect(pull.bind("tcp://127.0.0.1:0").await.expect("bound")).await.expect("connected");
            push.wait_for_peers(1).await.expect("open");
            let large = vec![0_u8; 1_000_000];
            while push.send_timeout(large.clone(), Duration::from_millis(100)).await.is_ok() {}
            let unsent = push.close_within(Duration::from_millis(1)).await;
            assert!(unsent > 0);
            let ended = lines.with(&["the socket ended with unsent messages"]);
            let sum = format!("messages={unsent}");
            assert!(matches!(&ended[..], [line] if line.contains(&sum)), "{unsent}: {ended:?}");
        });
    });
}

#[test]
fn warnings_have_spans_at_any_level() {
    let lines = Lines::default();
    tracing::subscriber::with_default(subscriber(&lines, LevelFilter::WARN), || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let router = RouterSocket::new().expect("a socket");
            let endpoint = router.bind("tcp://127.0.0.1:0").await.expect("bound");
            fail(&PubSocket::new().expect("a socket"), &endpoint, 1).await;
        });
    });
    let lines = lines.with(&[""]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let in_spans = |line: &String| line.contains(" socket{type=") && line.contains("}:connection{id=");
    assert!(lines.iter().all(in_spans), "{lines:?}");
}

#[test]
fn tracing_omits_message_contents() {
    let lines = Lines::default();
    tracing::subscriber::with_default(subscriber(&lines, LevelFilter::TRACE), || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let router = RouterSocket::new().expect("a socket");
            let endpoint = router.bind("tcp://127.0.0.1:0").await.expect("bound");
            let dealer = DealerSocket::builder().routing_id("secret-name").build().expect("a socket");
            dealer.connect(endpoint.clone()).await.expect("connected");
            dealer.send("secret-body").await.expect("sent");
            router.recv().await.expect("received");
            let publisher = PubSocket::new().expect("a socket");
            publisher.connect(endpoint).await.expect("connected");
            let mut monitor = publisher.monitor();
            while !matches!(monitor.next().await, Some(SocketEvent::Retrying { .. })) {}
            dealer.close().await;
            publisher.close().await;
            router.close().await;
        });
    });
    let ours = || lines.with(&[" monocoque: "]);
    for (what, times) in [
        ("listening", 1),
        ("accepted", 2),
        (": connected", 2),
        ("handshake succeeded", 2),
        ("handshake failed", 2),
        ("disconnected", 4),
        ("reconnecting", 1),
        ("no longer listening", 1),
        ("monocoque: closed", 3),
    ] {
        let count = lines.with(&[" monocoque: ", what]).len();
        assert!(count >= times, "{what}: {count} of {times}\n{:#?}", ours());
    }
    assert!(ours().iter().all(|line| line.contains(" socket{type=")), "in a span\n{:#?}", ours());
    for what in ["handshake succeeded", "handshake failed", ": connected", ": accepted", ": disconnected"] {
        let lines = lines.with(&[what]);
        assert!(lines.iter().all(|line| line.contains("}:connection{id=")), "in a span\n{lines:#?}");
    }
    assert!(lines.with(&["secret"]).is_empty(), "{:#?}", ours());
}

/// Connects a client to a server, both of CURVE, and returns once its handshake is over.
async fn exchange_keys(server: Builder<PullSocket>, client: &CurveKeyPair) {
    let server_keys = CurveKeyPair::generate();
    let pull = server.curve_server(&server_keys).build().expect("a socket");
    let endpoint = pull.bind("tcp://127.0.0.1:0").await.expect("bound");
    let push = PushSocket::builder().curve_client(client, server_keys.public).build().expect("a socket");
    let mut monitor = push.monitor();
    push.connect(endpoint).await.expect("connected");
    let is_over = |event: &SocketEvent| {
        matches!(event, SocketEvent::HandshakeSucceeded { .. } | SocketEvent::HandshakeFailed { .. })
    };
    while !is_over(&monitor.next().await.expect("open")) {}
    pull.close().await;
}

#[test]
fn security_warnings_name_client_and_file() {
    let lines = Lines::default();
    let client = CurveKeyPair::generate();
    let keys = tempfile::tempdir().expect("a directory");
    let missing = keys.path().join("missing");
    tracing::subscriber::with_default(subscriber(&lines, LevelFilter::WARN), || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            exchange_keys(PullSocket::builder().authenticator(Allow::new()), &client).await;
            let allow = Allow::new().key_directory(&missing);
            exchange_keys(PullSocket::builder().authenticator(allow), &client).await;
            let check = async |_: AuthRequest| AuthReply::deny();
            let server = PullSocket::builder().plain_server().authenticator(check).build().expect("a socket");
            let endpoint = server.bind("tcp://127.0.0.1:0").await.expect("bound");
            let push = PushSocket::builder().plain_client("anna", "hunter2").build().expect("a socket");
            fail(&push, &endpoint, 1).await;
        });
    });
    let key = format!("key={}", client.public);
    assert_eq!(
        lines.with(&["socket{type=PULL", "handshake failed", &key]).len(),
        2,
        "{:?}",
        lines.with(&[""])
    );
    assert_eq!(lines.with(&["socket{type=PULL", "handshake failed", "user=\"anna\""]).len(), 1);
    assert!(lines.with(&["hunter2"]).is_empty());
    let path = format!("path={}", missing.display());
    assert_eq!(lines.with(&["the directory of keys cannot be read", &path, &key]).len(), 1);
}

#[test]
fn open_server_warns_once() {
    let lines = Lines::default();
    tracing::subscriber::with_default(subscriber(&lines, LevelFilter::WARN), || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            exchange_keys(PullSocket::builder(), &CurveKeyPair::generate()).await;
        });
    });
    let warnings = lines.with(&["socket{type=PULL", "every client comes in"]);
    assert_eq!(warnings.len(), 1, "{:?}", lines.with(&[""]));
}

#[test]
fn only_unwanted_loss_of_unsent_messages_warns() {
    let lines = Lines::default();
    tracing::subscriber::with_default(subscriber(&lines, LevelFilter::DEBUG), || {
        compio::runtime::Runtime::new().expect("a runtime").block_on(async {
            for linger in [Duration::ZERO, Duration::from_millis(1)] {
                let push = PushSocket::builder().linger(linger).build().expect("a socket");
                push.connect("inproc://nobody").await.expect("connected");
                push.send("unsent").await.expect("queued");
                push.close().await;
            }
        });
    });
    let unsent = lines.with(&["socket{type=PUSH", "the socket ended with unsent messages", "messages=1"]);
    assert_eq!(unsent.len(), 2, "{:?}", lines.with(&[""]));
    assert!(unsent[0].contains("DEBUG") && unsent[1].contains("WARN"), "{unsent:?}");
}
