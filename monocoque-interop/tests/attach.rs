//! Streams that were connected elsewhere carry connections like those made by sockets.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use compio::BufResult;
use compio::buf::{IntoInner, IoBuf, IoBufMut};
use compio::io::{AsyncRead, AsyncWrite};
use compio::net::{TcpListener, TcpStream, UnixStream};
use compio::runtime::Runtime;
use futures::StreamExt;
use monocoque::transport::{self, AnyStream, Halves};
use monocoque::zmq::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket,
    SubSocket, TypedSocket,
};
use monocoque::{
    Connection, Context, DisconnectReason, Endpoint, Message, Monitor, MonocoqueError, SocketEvent,
};
use monocoque_interop::tls::{tcp_pair, tls_pair, tls_pair_and_wires};
use testing::At;

/// Makes a test of each body for each driver. They run on the current runtime, where streams can be
/// attached.
macro_rules! runtime_tests {
    ($($(#[$attribute:meta])* async fn $name:ident($at:ident) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            async fn body($at: At) $body

            #[test]
            fn on_default_driver() {
                testing::run(testing::Transport::Tcp, testing::Placement::Current, body);
            }

            #[test]
            fn on_polling_driver() {
                testing::run_polling(testing::Transport::Tcp, testing::Placement::Current, body);
            }
        }
    )+};
}

fn unix_pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    (UnixStream::from_std(ours).expect("attached"), UnixStream::from_std(theirs).expect("attached"))
}

/// Opens a TLS connection. Returns its streams in a form that can be attached.
async fn over_tls() -> (impl transport::ByteStream, impl transport::ByteStream) {
    let (client, server) = tls_pair().await;
    (AnyStream::new(client, "tls://the.server:443"), AnyStream::new(server, "tls://a.client:40000"))
}

/// Creates two sockets with a connection between them.
async fn joined<A: TypedSocket, B: TypedSocket>(
    at: &At,
    streams: (impl transport::ByteStream, impl transport::ByteStream),
) -> (A, B) {
    let (one, other) = (at.socket::<A>(), at.socket::<B>());
    join(&one, &other, streams).await;
    (one, other)
}

async fn join<A: Socket, B: Socket>(
    one: &A,
    other: &B,
    streams: (impl transport::ByteStream, impl transport::ByteStream),
) {
    let endpoint = one.attach(streams.0).expect("attached");
    assert!(matches!(endpoint, Endpoint::Attached(_)), "{endpoint:?}");
    other.attach(streams.1).expect("attached");
    one.wait_for_peers(1).await.expect("open");
    other.wait_for_peers(1).await.expect("open");
}

/// Returns the `n`th message of a sender: mostly short, sometimes large, and determined by the
/// number.
fn message(seed: u64, n: usize) -> Message {
    let mut chance = fastrand::Rng::with_seed(seed ^ n as u64);
    let len = match chance.u8(..) {
        0..200 => chance.usize(..100),
        200..250 => chance.usize(..5_000),
        250..254 => chance.usize(..100_000),
        _ => chance.usize(..2_000_000),
    };
    let mut body = vec![0; len];
    chance.fill(&mut body);
    Message::from([n.to_string().into_bytes(), body])
}

async fn send_all(socket: &DealerSocket, seed: u64, n: usize) {
    for n in 0..n {
        socket.send(message(seed, n)).await.expect("sent");
    }
}

async fn receive_all(socket: &DealerSocket, seed: u64, n: usize) {
    for n in 0..n {
        assert!(socket.recv().await.expect("received") == message(seed, n), "message {n} differs");
    }
}

/// Sends in both directions continuously, without waiting for received messages.
async fn saturate(one: &DealerSocket, other: &DealerSocket, n: usize) {
    let seed = testing::seeded_rng().u64(..);
    futures::join!(
        send_all(one, seed, n),
        send_all(other, !seed, n),
        receive_all(one, !seed, n),
        receive_all(other, seed, n),
    );
    assert!(one.try_recv().is_err() && other.try_recv().is_err());
}

/// Returns the end of the only connection.
async fn disconnect_event(monitor: &mut Monitor) -> (Connection, DisconnectReason) {
    loop {
        match monitor.next().await.expect("open") {
            SocketEvent::Disconnected { connection, reason } => return ((*connection).clone(), reason),
            _ => continue,
        }
    }
}

runtime_tests! {
    async fn attached_tcp_carries_both_directions(at) {
        let (one, other) = joined(&at, tcp_pair().await).await;
        saturate(&one, &other, 1_000).await;
    }

    async fn attached_unix_carries_both_directions(at) {
        let (one, other) = joined(&at, unix_pair()).await;
        saturate(&one, &other, 1_000).await;
    }

    async fn attached_tls_carries_both_directions(at) {
        let (one, other) = joined(&at, over_tls().await).await;
        saturate(&one, &other, 500).await;
    }

    async fn attached_halves_carry_both_directions(at) {
        let (ours, theirs) = tcp_pair().await;
        let ours = AnyStream::from_halves(ours.clone(), ours, "one");
        let theirs = AnyStream::from_halves(theirs.clone(), theirs, "other");
        let (one, other) = joined(&at, (ours, theirs)).await;
        saturate(&one, &other, 500).await;
    }

    async fn tls_transfers_large_messages(at) {
        let (one, other) = joined::<DealerSocket, DealerSocket>(&at, over_tls().await).await;
        let body = |byte: u8| vec![byte; 24 * 1024 * 1024];
        let (first, second, to_other, to_one) =
            futures::join!(one.send(body(1)), other.send(body(2)), other.recv(), one.recv());
        first.expect("sent");
        second.expect("sent");
        assert!(to_other.expect("received")[0] == body(1) && to_one.expect("received")[0] == body(2));
    }

    /// One side does not receive, so that its peer waits; what it sends is delivered.
    async fn blocked_direction_leaves_other_flowing(at) {
        let one = at.socket::<DealerSocket>();
        let other = at.build(DealerSocket::builder().recv_hwm(1));
        join(&one, &other, over_tls().await).await;
        let filled = testing::fill(&one, |_| Message::from(vec![0; 100_000])).await;
        let seed = testing::seeded_rng().u64(..);
        futures::join!(send_all(&other, seed, 300), receive_all(&one, seed, 300));
        for _ in 0..filled {
            assert_eq!(other.recv().await.expect("received")[0].len(), 100_000);
        }
    }

    async fn tls_ping_pong_alternates(at) {
        let (one, other) = joined::<DealerSocket, DealerSocket>(&at, over_tls().await).await;
        for n in 0..500 {
            one.send(testing::numbered(n)).await.expect("sent");
            other.send(other.recv().await.expect("received")).await.expect("sent");
            assert_eq!(one.recv().await.expect("received"), testing::numbered(n));
        }
    }

    /// Many peers on one thread, where streams that have a descriptor are read in another way.
    async fn router_serves_many_attached_streams(at) {
        let router: RouterSocket = at.socket();
        let mut dealers = Vec::new();
        for n in 0..24 {
            let dealer: DealerSocket = at.socket();
            match n % 3 {
                0 => join(&dealer, &router, over_tls().await).await,
                1 => join(&dealer, &router, tcp_pair().await).await,
                _ => join(&dealer, &router, unix_pair()).await,
            }
            dealers.push(dealer);
        }
        router.wait_for_peers(24).await.expect("open");
        let asking = dealers.iter().enumerate().map(async |(who, dealer)| {
            for n in 0..50 {
                dealer.send(testing::numbered(who * 1000 + n)).await.expect("sent");
                let answer = dealer.recv().await.expect("received");
                assert_eq!(answer, testing::numbered(who * 1000 + n));
            }
        });
        let serving = async {
            for _ in 0..24 * 50 {
                let (peer, message) = router.recv_from().await.expect("received");
                router.send_to(&peer, message).await.expect("sent");
            }
        };
        futures::join!(futures::future::join_all(asking), serving);
    }

    async fn truncated_tls_reports_unexpected_eof(at) {
        let (client, server, wires) = tls_pair_and_wires().await;
        let streams = (AnyStream::new(client, "tls://the.server"), AnyStream::new(server, "tls://a.client"));
        let (push, pull) = joined::<PushSocket, PullSocket>(&at, streams).await;
        let mut monitor = pull.monitor();
        push.send("all that was said").await.expect("sent");
        assert_eq!(&pull.recv().await.expect("received")[0], b"all that was said");
        transport::ByteStream::shutdown(&wires.0, Shutdown::Both);
        let (_, reason) = disconnect_event(&mut monitor).await;
        let DisconnectReason::Io(error) = reason else { panic!("{reason}") };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    /// The peer of an accepted stream is libzmq.
    async fn accepted_libzmq_stream_exchanges_messages(at) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let endpoint = format!("tcp://{}", listener.local_addr().expect("an address"));
        let theirs = testing::on_blocking_thread(move || {
            let dealer = zmq::Context::new().socket(zmq::DEALER).expect("a socket");
            dealer.set_rcvtimeo(10_000).expect("an option");
            dealer.connect(&endpoint).expect("connected");
            for n in 0..100_usize {
                dealer.send(n.to_string().as_str(), 0).expect("sent");
                assert_eq!(dealer.recv_bytes(0).expect("received"), n.to_string().into_bytes());
            }
            dealer.send(vec![7; 3_000_000], 0).expect("sent");
            assert_eq!(dealer.recv_bytes(0).expect("received"), vec![7; 3_000_000]);
        });
        let router: RouterSocket = at.socket();
        let mut monitor = router.monitor();
        let (stream, peer) = listener.accept().await.expect("accepted");
        let attached = router.attach(stream).expect("attached");
        assert_eq!(attached.to_string(), format!("tcp://{peer}"));
        let serving = async {
            for _ in 0..101 {
                let (peer, message) = router.recv_from().await.expect("received");
                router.send_to(&peer, message).await.expect("sent");
            }
        };
        futures::join!(serving, theirs);
        let (connection, reason) = disconnect_event(&mut monitor).await;
        assert_eq!(connection.endpoint, attached);
        assert_eq!(connection.peer, Endpoint::from(peer));
        assert!(matches!(reason, DisconnectReason::ByPeer), "{reason}");
    }

    async fn other_socket_types_attach_streams(at) {
        let (req, rep) = joined::<ReqSocket, RepSocket>(&at, over_tls().await).await;
        let serve = async {
            let request = rep.recv().await.expect("received");
            rep.send(request).await.expect("sent");
        };
        let (reply, ()) = futures::join!(req.request("a question"), serve);
        assert_eq!(&reply.expect("a reply")[0], b"a question");

        let subscriber: SubSocket = at.socket();
        subscriber.subscribe("a").expect("open");
        let publisher: PubSocket = at.socket();
        join(&publisher, &subscriber, over_tls().await).await;
        publisher.wait_for_subscriptions(1).await.expect("open");
        publisher.send("another topic").await.expect("sent");
        publisher.send("b").await.expect("sent");
        publisher.send("a").await.expect("sent");
        assert_eq!(&subscriber.recv().await.expect("received")[0], b"another topic");
        assert_eq!(&subscriber.recv().await.expect("received")[0], b"a");

        let (pair, other) = joined::<PairSocket, PairSocket>(&at, over_tls().await).await;
        pair.send("to the other").await.expect("sent");
        assert_eq!(&other.recv().await.expect("received")[0], b"to the other");
        // A PAIR accepts one peer only, whichever way it is connected.
        let mut monitor = pair.monitor();
        let (third, stranger) = over_tls().await;
        let endpoint = pair.attach(third).expect("attached");
        at.socket::<PairSocket>().attach(stranger).expect("attached");
        let (connection, reason) = disconnect_event(&mut monitor).await;
        assert_eq!(connection.endpoint, endpoint);
        assert!(matches!(reason, DisconnectReason::PairInUse), "{reason}");
    }

    async fn monitor_reports_attached_stream_lifecycle(at) {
        for tls_too in [false, true] {
            let pull: PullSocket = at.socket();
            let push: PushSocket = at.socket();
            let mut monitor = pull.monitor();
            let endpoint = if tls_too {
                let (ours, theirs) = over_tls().await;
                push.attach(theirs).expect("attached");
                pull.attach(ours).expect("attached")
            } else {
                let (ours, theirs) = tcp_pair().await;
                push.attach(theirs).expect("attached");
                pull.attach(ours).expect("attached")
            };
            let Some(SocketEvent::Accepted { connection }) = monitor.next().await else { panic!("accepted") };
            assert_eq!(connection.endpoint, endpoint);
            let Some(SocketEvent::HandshakeSucceeded { .. }) = monitor.next().await else { panic!("shaken") };
            assert_eq!((pull.peer_count(), pull.stats().peers, pull.last_endpoint()), (1, 1, None));
            push.close().await;
            let (ended, reason) = disconnect_event(&mut monitor).await;
            assert_eq!(ended, *connection);
            assert!(matches!(reason, DisconnectReason::ByPeer), "{reason}");
            testing::eventually("the peer is removed", || pull.peer_count() == 0).await;
            let gone = async || pull.disconnect(&endpoint).await.is_err();
            testing::eventually_async("its endpoint is removed", gone).await;
        }
    }

    async fn disconnect_flushes_queued_messages(at) {
        let (push, pull) = (at.socket::<PushSocket>(), at.socket::<PullSocket>());
        let (ours, theirs) = over_tls().await;
        let mut monitor = push.monitor();
        let endpoint = push.attach(ours).expect("attached");
        pull.attach(theirs).expect("attached");
        push.wait_for_peers(1).await.expect("open");
        for n in 0..50 {
            push.send([n.to_string().into_bytes(), vec![0; 50_000]]).await.expect("sent");
        }
        push.disconnect(&endpoint).await.expect("an attached endpoint");
        assert!(matches!(push.disconnect(&endpoint).await, Err(MonocoqueError::UnknownEndpoint(_))));
        for n in 0..50 {
            assert_eq!(&pull.recv().await.expect("received")[0], n.to_string().as_bytes());
        }
        let (connection, _) = disconnect_event(&mut monitor).await;
        assert_eq!(connection.endpoint, endpoint);
        testing::eventually("both peers are removed", || push.peer_count() + pull.peer_count() == 0).await;
    }

    async fn close_flushes_queued_messages(at) {
        for n in 1..20 {
            let (push, pull) = joined::<PushSocket, PullSocket>(&at, over_tls().await).await;
            let mut monitor = pull.monitor();
            for n in 0..n {
                push.send([n.to_string().into_bytes(), vec![0; 100_000]]).await.expect("sent");
            }
            let receiving = async {
                for n in 0..n {
                    assert_eq!(&pull.recv().await.expect("received")[0], n.to_string().as_bytes());
                }
            };
            futures::join!(push.close(), receiving);
            let (_, reason) = disconnect_event(&mut monitor).await;
            assert!(matches!(reason, DisconnectReason::ByPeer), "TLS ended in order: {reason}");
        }
    }

    async fn linger_expiry_abandons_stalled_peer(at) {
        let push = at.build(PushSocket::builder().linger(Some(Duration::from_millis(50))));
        let pull = at.build(PullSocket::builder().recv_hwm(1));
        join(&push, &pull, over_tls().await).await;
        let filled = testing::fill(&push, |_| Message::from(vec![0; 100_000])).await;
        assert!(filled > 10, "{filled}");
        push.close().await;
        assert_eq!(push.peer_count(), 0);
    }

    async fn heartbeats_keep_idle_tls_open(at) {
        let beat = Duration::from_millis(20);
        let beating = || DealerSocket::builder().heartbeat_interval(Some(beat)).heartbeat_timeout(beat * 10);
        let (one, other) = (at.build(beating()), at.build(beating()));
        join(&one, &other, over_tls().await).await;
        let mut monitor = one.monitor();
        let quiet = compio::time::timeout(beat * 30, monitor.next()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        one.send("still there").await.expect("sent");
        assert_eq!(&other.recv().await.expect("received")[0], b"still there");
    }

    async fn silent_peer_hits_heartbeat_timeout(at) {
        let beat = Duration::from_millis(40);
        let builder = DealerSocket::builder().heartbeat_interval(Some(beat)).heartbeat_timeout(beat);
        let dealer = at.build(builder);
        let mut monitor = dealer.monitor();
        let (ours, theirs) = tcp_pair().await;
        let silenced = Rc::new(Cell::new(false));
        let reader = Silenced { stream: ours.clone(), silenced: silenced.clone() };
        dealer.attach(AnyStream::from_halves(reader, ours, "a pipe")).expect("attached");
        let other: DealerSocket = at.socket();
        other.attach(theirs).expect("attached");
        other.wait_for_peers(1).await.expect("open");
        silenced.set(true);
        let (_, reason) = disconnect_event(&mut monitor).await;
        assert!(matches!(reason, DisconnectReason::HeartbeatTimeout), "{reason}");
    }

    async fn stream_panic_emits_event(at) {
        let dealer: DealerSocket = at.socket();
        let mut monitor = dealer.monitor();
        let (ours, theirs) = tcp_pair().await;
        let panics = Rc::new(Cell::new(false));
        let reader = Panicking { stream: ours.clone(), panics: panics.clone() };
        let endpoint = dealer.attach(AnyStream::from_halves(reader, ours, "a pipe")).expect("attached");
        let other: DealerSocket = at.socket();
        other.attach(theirs).expect("attached");
        other.wait_for_peers(1).await.expect("open");
        panics.set(true);
        other.send("wakes the reader").await.expect("sent");
        loop {
            if let SocketEvent::TaskPanicked { endpoint: of, message } = monitor.next().await.expect("open") {
                assert_eq!((of, &*message), (endpoint.clone(), "panics on request"));
                break;
            }
        }
        testing::eventually("the peer and its endpoint are removed", || dealer.peer_count() == 0).await;
        let gone = dealer.disconnect(endpoint).await.expect_err("a removed endpoint");
        assert!(matches!(gone, MonocoqueError::UnknownEndpoint(_)));
        dealer.close().await;
    }

    async fn missing_handshake_times_out(at) {
        let dealer = at.build(DealerSocket::builder().handshake_timeout(Some(Duration::from_millis(50))));
        let mut monitor = dealer.monitor();
        let (ours, theirs) = over_tls().await;
        dealer.attach(ours).expect("attached");
        let (_, reason) = disconnect_event(&mut monitor).await;
        assert!(matches!(reason, DisconnectReason::HandshakeTimeout), "{reason}");
        drop(theirs);
    }

    async fn partial_io_loses_nothing(at) {
        let (ours, theirs) = tcp_pair().await;
        let (one, other) = joined::<DealerSocket, DealerSocket>(&at, (trickle(ours), trickle(theirs))).await;
        for n in 0..20 {
            let body: Vec<_> = (0..n * 50).map(|byte| byte as u8).collect();
            futures::join!(
                async { one.send(body.clone()).await.expect("sent") },
                async { other.send(body.clone()).await.expect("sent") },
                async { assert_eq!(one.recv().await.expect("received")[0], body) },
                async { assert_eq!(other.recv().await.expect("received")[0], body) },
            );
        }
    }

    async fn stream_error_is_disconnect_reason(at) {
        let (ours, theirs) = tcp_pair().await;
        let broken = Rc::new(RefCell::new(None));
        let writer = Breaking { stream: ours.clone(), error: broken.clone() };
        let streams = (AnyStream::from_halves(ours, writer, "a pipe"), theirs);
        let (push, pull) = joined::<PushSocket, PullSocket>(&at, streams).await;
        let mut monitor = push.monitor();
        broken.replace(Some(io::Error::other("broken on request")));
        // The stream may accept the first message; the second one fails.
        push.send("one").await.expect("queued");
        push.flush().await.expect("open");
        push.send("two").await.expect("queued");
        let (_, reason) = disconnect_event(&mut monitor).await;
        assert_eq!(reason.to_string(), "broken on request");
        // Messages that no stream has accepted are sent on the next one.
        let (ours, theirs) = tcp_pair().await;
        push.attach(ours).expect("attached");
        pull.attach(theirs).expect("attached");
        assert_eq!(&pull.recv().await.expect("received")[0], b"two");
    }

    async fn foreign_runtime_stream_is_rejected(at) {
        let context = Context::new().expect("a context");
        let elsewhere = PullSocket::new_in(&context).expect("a socket");
        let (ours, theirs) = tcp_pair().await;
        let refused = elsewhere.attach(ours.clone());
        assert!(matches!(refused, Err(MonocoqueError::WrongThread)), "{refused:?}");
        assert_eq!(elsewhere.stats().peers, 0);
        // The clone can still be attached.
        let (pull, push) = joined::<PullSocket, PushSocket>(&at, (ours, theirs)).await;
        push.send("after all").await.expect("sent");
        assert_eq!(&pull.recv().await.expect("received")[0], b"after all");
    }

    async fn closed_socket_rejects_attach(at) {
        let pull: PullSocket = at.socket();
        pull.close().await;
        let refused = pull.attach(tcp_pair().await.0);
        assert!(refused.is_err_and(|error| error.is_closed()));
    }

    async fn attached_endpoint_cannot_be_dialled(at) {
        let (pull, push) = (at.socket::<PullSocket>(), at.socket::<PushSocket>());
        let endpoint = pull.attach(tcp_pair().await.0).expect("attached");
        assert!(matches!(push.connect(&endpoint).await, Err(MonocoqueError::Endpoint(_))));
        assert!(matches!(push.bind(&endpoint).await, Err(MonocoqueError::Endpoint(_))));
        assert!(matches!(pull.unbind(&endpoint).await, Err(MonocoqueError::UnknownEndpoint(_))));
        // An equal name does not make the endpoints equal.
        let (ours, _theirs) = tls_pair().await;
        let (others, _theirs) = tls_pair().await;
        let one = push.attach(AnyStream::new(ours, "tls")).expect("attached");
        let other = push.attach(AnyStream::new(others, "tls")).expect("attached");
        assert_eq!(one.to_string(), other.to_string());
        assert_ne!(one, other);
    }
}

#[test]
fn attach_outside_runtime_is_rejected() {
    let runtime = Runtime::new().expect("a runtime");
    let (pull, stream) =
        runtime.block_on(async { (PullSocket::new().expect("a socket"), tcp_pair().await.0) });
    assert!(matches!(pull.attach(stream.clone()), Err(MonocoqueError::WrongThread)));
    let other = Runtime::new().expect("a runtime");
    other.block_on(async {
        assert!(matches!(pull.attach(stream), Err(MonocoqueError::WrongThread)));
    });
}

/// The runtime ends at different points of a connection's lifetime.
#[test]
fn runtime_end_drops_attached_streams() {
    for turns in 0..40 {
        Runtime::new().expect("a runtime").block_on(async {
            let (one, other) =
                (DealerSocket::new().expect("a socket"), DealerSocket::new().expect("a socket"));
            let (ours, theirs) = over_tls().await;
            one.attach(ours).expect("attached");
            other.attach(theirs).expect("attached");
            let (ours, theirs) = tcp_pair().await;
            one.attach(AnyStream::from_halves(ours.clone(), ours, "halves")).expect("attached");
            other.attach(theirs).expect("attached");
            for _ in 0..turns {
                let _queued = one.try_send(vec![0; 100_000]);
                let _queued = other.try_send(vec![0; 100_000]);
                testing::yield_now().await;
            }
        });
    }
}

/// Returns both halves of a stream that reads and writes as little as possible.
fn trickle(stream: TcpStream) -> AnyStream<Halves<Trickle, Trickle>> {
    AnyStream::from_halves(Trickle(stream.clone()), Trickle(stream), "a trickle")
}

struct Trickle(TcpStream);

impl AsyncRead for Trickle {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        self.0.read(buf.slice(..3)).await.into_inner()
    }
}

impl AsyncWrite for Trickle {
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        self.0.write(buf.slice(..1)).await.into_inner()
    }

    async fn flush(&mut self) -> io::Result<()> {
        testing::yield_now().await;
        self.0.flush().await
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

/// A reader that blocks forever from some moment on.
struct Silenced {
    stream: TcpStream,
    silenced: Rc<Cell<bool>>,
}

impl AsyncRead for Silenced {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        let read = self.stream.read(buf).await;
        if self.silenced.get() {
            std::future::pending::<()>().await;
        }
        read
    }
}

/// A writer that fails when its flag is set.
struct Breaking {
    stream: TcpStream,
    error: Rc<RefCell<Option<io::Error>>>,
}

impl AsyncWrite for Breaking {
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        match self.error.take() {
            Some(error) => BufResult(Err(error), buf),
            None => self.stream.write(buf).await,
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}

/// A reader that panics from some moment on.
struct Panicking {
    stream: TcpStream,
    panics: Rc<Cell<bool>>,
}

impl AsyncRead for Panicking {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        let read = self.stream.read(buf).await;
        assert!(!self.panics.get(), "panics on request");
        read
    }
}
