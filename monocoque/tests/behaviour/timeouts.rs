//! Timeouts of socket options and of single calls.

use std::time::{Duration, Instant};

use futures::StreamExt;
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RepSocket, ReqSocket};
use monocoque::{Message, MonocoqueError, SocketEvent};
use testing::{everywhere, numbered};

const SHORT: Duration = Duration::from_millis(30);

everywhere! {
    async fn recv_timeout_expires(at) {
        let pull = at.build(PullSocket::builder().recv_timeout(Some(SHORT)));
        for _ in 0..3 {
            let start = Instant::now();
            let error = pull.recv().await.expect_err("no sender");
            assert!(error.is_timeout() && !error.is_closed(), "{error}");
            assert!(start.elapsed() >= SHORT);
        }
        let mut messages = Vec::new();
        assert!(pull.recv_batch(&mut messages, 10).await.expect_err("no sender").is_timeout());
        let at_once = at.build(PullSocket::builder().recv_timeout(Some(Duration::ZERO)));
        assert!(at_once.recv().await.expect_err("nothing is queued").is_timeout());
    }

    async fn send_timeout_returns_message(at) {
        let push = at.build(PushSocket::builder().send_timeout(Some(SHORT)));
        let start = Instant::now();
        let error = push.send("nobody is there").await.expect_err("no peer");
        assert!(start.elapsed() >= SHORT);
        assert!(error.reason().is_timeout(), "{error}");
        assert_eq!(error.into_message(), "nobody is there");
    }

    async fn concurrent_receivers_time_out_separately(at) {
        let pull = at.build(PullSocket::builder().recv_timeout(Some(SHORT)));
        let start = Instant::now();
        let results = futures::future::join_all((0..50).map(|_| pull.recv())).await;
        assert!(results.into_iter().all(|result| result.is_err_and(|error| error.is_timeout())));
        assert!(start.elapsed() >= SHORT);
    }

    async fn timed_out_calls_lose_nothing(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_timeout(Some(SHORT))).await;
        let push = at.connected(PushSocket::builder().send_timeout(Some(SHORT)), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        let large = |n: usize| Message::from([n.to_string().into_bytes(), vec![0; 100_000]]);
        let mut sent = 0;
        let error = loop {
            match push.send(large(sent)).await {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert!(error.reason().is_timeout());
        assert_eq!(error.into_message(), large(sent));
        let mut received = 0;
        while received < sent {
            match pull.recv().await {
                Ok(message) => {
                    assert_eq!(message, large(received));
                    received += 1;
                }
                Err(error) => assert!(error.is_timeout(), "{error}"),
            }
        }
        assert!(pull.recv().await.expect_err("nothing is left").is_timeout());
        push.send(large(sent)).await.expect("not full");
        sent += 1;
        assert_eq!(pull.recv().await.expect("received"), large(sent - 1));
    }

    async fn message_before_deadline_is_received(at) {
        let (one, endpoint) = at.bound(DealerSocket::builder().recv_timeout(Some(Duration::from_secs(10)))).await;
        let other = at.connected(DealerSocket::builder().recv_timeout(Some(Duration::from_secs(5))), &endpoint).await;
        for n in 0..500 {
            one.send(numbered(n)).await.expect("sent");
            assert_eq!(other.recv().await.expect("in time"), numbered(n));
            other.send(numbered(n)).await.expect("sent");
            assert_eq!(one.recv().await.expect("in time"), numbered(n));
        }
    }

    async fn dropped_recv_leaves_no_deadline(at) {
        let pull = at.build(PullSocket::builder().recv_timeout(Some(Duration::from_millis(5))));
        for _ in 0..1000 {
            let call = pull.recv();
            assert!(futures::FutureExt::now_or_never(call).is_none());
        }
        assert!(pull.recv().await.expect_err("no sender").is_timeout());
    }

    async fn request_timeout_leaves_socket_usable(at) {
        let (rep, endpoint) = at.bound(RepSocket::builder()).await;
        let req = ReqSocket::builder().req_relaxed(true).req_correlate(true);
        let req = at.connected(req.recv_timeout(Some(Duration::from_secs(5))), &endpoint).await;
        let impatient = at.connected(ReqSocket::builder().recv_timeout(Some(SHORT)), &endpoint).await;
        assert!(impatient.request("never answered").await.expect_err("no reply").is_timeout());
        rep.recv().await.expect("received");
        assert!(matches!(
            impatient.send("another").await.expect_err("strict alternation").reason(),
            MonocoqueError::OutOfTurn(_)
        ));
        rep.send("late").await.expect("sent");
        let serve = async {
            for _ in 0..10_000 {
                let request = rep.recv().await.expect("received");
                rep.send(request).await.expect("sent");
            }
        };
        let ask = async {
            for n in 0..10_000 {
                assert_eq!(req.request(numbered(n)).await.expect("answered"), numbered(n));
            }
        };
        futures::join!(serve, ask);
    }
}

#[test]
fn connect_timeout_ends_attempt() {
    // A listener with a full backlog that never accepts does not answer.
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("bound");
    listener.listen(0).expect("listening");
    let address = listener.local_addr().expect("an address").as_socket().expect("an internet address");
    let mut held = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50)) {
        held.push(stream);
        assert!(held.len() < 100, "the backlog never fills up");
    }
    compio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let push = PushSocket::builder().connect_timeout(Some(SHORT)).build().expect("a socket");
        let mut monitor = push.monitor();
        let start = Instant::now();
        push.connect(monocoque::Endpoint::from(address)).await.expect("connected");
        let failed = loop {
            match monitor.next().await.expect("open") {
                SocketEvent::ConnectFailed { error, .. } => break error,
                _ => continue,
            }
        };
        assert_eq!(failed.kind(), std::io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= SHORT && start.elapsed() < Duration::from_secs(1));
    });
}
