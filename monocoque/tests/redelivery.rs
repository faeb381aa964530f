//! Messages that a peer will not have: tried a few times, then dropped, counted and told; what is behind them goes on.

#[allow(dead_code, unused_imports, unused_macros, reason = "each test file uses a part")]
mod common;

use std::time::Duration;

use common::{WireListener, everywhere, over_streams};
use futures::StreamExt;
use monocoque::zmq::capability::Sends;
use monocoque::zmq::{
    Builder, DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    Socket, SubSocket,
};
use monocoque::{Message, Monitor, MonocoqueError, ReconnectStop, SocketEvent};

/// What the peer takes.
const LIMIT: u64 = 1 << 20;
/// What the system does not take at once.
const TOO_LARGE: usize = 32 << 20;
const AT_ONCE: Duration = Duration::from_millis(1);

/// Waits for the event that says so.
async fn dropped(monitor: &mut Monitor) -> (usize, u32) {
    loop {
        let event = monitor.next().await.expect("the socket is open");
        if let SocketEvent::MessageDropped { bytes, attempts, .. } = event {
            return (bytes, attempts);
        }
    }
}

async fn send<S: Sends>(socket: &S, message: impl Into<Message> + Send) {
    socket.send(message).await.expect("queued");
}

fn small<S: Socket>() -> Builder<S> {
    S::builder().max_message_size(Some(LIMIT)).reconnect_interval(AT_ONCE)
}

over_streams! {
    async fn push_drops_refused_message_and_goes_on(at) {
        let (pull, endpoint) = at.bound(small::<PullSocket>()).await;
        let push = at.connected(PushSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
        let mut monitor = push.monitor();
        send(&push, "first").await;
        send(&push, vec![7; TOO_LARGE]).await;
        assert_eq!(pull.recv().await.expect("received"), "first".into());
        let (bytes, attempts) = dropped(&mut monitor).await;
        assert_eq!((bytes, attempts), (TOO_LARGE + 9, 3));
        for n in 0..100_u32 {
            send(&push, n.to_be_bytes().to_vec()).await;
        }
        for n in 0..100_u32 {
            assert_eq!(&pull.recv().await.expect("received")[0], n.to_be_bytes());
        }
        assert_eq!(push.stats().dropped, 1);
    }

    async fn bound_push_drops_refused_message_and_goes_on(at) {
        let (push, endpoint) = at.bound(PushSocket::builder()).await;
        let mut monitor = push.monitor();
        let pull = at.connected(small::<PullSocket>(), &endpoint).await;
        send(&push, vec![7; TOO_LARGE]).await;
        assert_eq!(dropped(&mut monitor).await.1, 3);
        send(&push, "behind").await;
        assert_eq!(pull.recv().await.expect("received"), "behind".into());
    }

    async fn refused_message_goes_to_the_peer_that_takes_it(at) {
        let push = at.build(PushSocket::builder().reconnect_interval(AT_ONCE));
        let (limited, endpoint) = at.bound(small::<PullSocket>()).await;
        push.connect(endpoint).await.expect("connected");
        push.wait_for_peers(1).await.expect("open");
        let (unlimited, endpoint) = at.bound(PullSocket::builder()).await;
        push.connect(endpoint).await.expect("connected");
        push.wait_for_peers(2).await.expect("open");
        send(&push, vec![7; TOO_LARGE]).await;
        assert_eq!(unlimited.recv().await.expect("received").byte_len(), TOO_LARGE);
        assert_eq!(push.stats().dropped, 0);
        drop(limited);
    }

    async fn router_drops_refused_message_and_goes_on(at) {
        let (dealer, endpoint) = at.bound(small::<DealerSocket>()).await;
        let router = at.build(RouterSocket::builder().reconnect_interval(AT_ONCE));
        router.connect_as(endpoint, "dealer").await.expect("connected");
        let mut monitor = router.monitor();
        send(&router, ["dealer".into(), vec![7; TOO_LARGE]]).await;
        assert_eq!(dropped(&mut monitor).await.1, 3);
        send(&router, ["dealer", "behind"]).await;
        assert_eq!(dealer.recv().await.expect("received"), "behind".into());
    }

    async fn publisher_that_connects_drops_refused_message_and_goes_on(at) {
        let (subscriber, endpoint) = at.bound(small::<SubSocket>()).await;
        subscriber.subscribe("").expect("open");
        let publisher = at.connected(PubSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
        let mut monitor = publisher.monitor();
        publisher.wait_for_subscriptions(1).await.expect("open");
        send(&publisher, vec![7; TOO_LARGE]).await;
        assert_eq!(dropped(&mut monitor).await.1, 3);
        publisher.wait_for_subscriptions(1).await.expect("open");
        send(&publisher, "behind").await;
        assert_eq!(subscriber.recv().await.expect("received"), "behind".into());
    }

    async fn refused_request_is_dropped_and_told(at) {
        let (reply, endpoint) = at.bound(small::<RepSocket>()).await;
        let options = ReqSocket::builder().reconnect_interval(AT_ONCE).req_relaxed(true).req_correlate(true);
        let request = at.connected(options, &endpoint).await;
        let mut monitor = request.monitor();
        send(&request, vec![7; TOO_LARGE]).await;
        assert_eq!(dropped(&mut monitor).await.1, 3);
        send(&request, "another").await;
        assert_eq!(reply.recv().await.expect("received"), "another".into());
    }

    async fn pair_drops_refused_message_and_goes_on(at) {
        let (one, endpoint) = at.bound(small::<PairSocket>()).await;
        let other = at.connected(PairSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
        let mut monitor = other.monitor();
        send(&other, vec![7; TOO_LARGE]).await;
        assert_eq!(dropped(&mut monitor).await.1, 3);
        send(&other, "behind").await;
        assert_eq!(one.recv().await.expect("received"), "behind".into());
    }

    async fn attempts_are_as_many_as_the_option_says(at) {
        let options = DealerSocket::builder().reconnect_interval(AT_ONCE).delivery_attempts(1);
        let (router, endpoint) = at.bound(small::<RouterSocket>()).await;
        let dealer = at.connected(options, &endpoint).await;
        let mut monitor = dealer.monitor();
        send(&dealer, vec![7; TOO_LARGE]).await;
        assert_eq!(dropped(&mut monitor).await.1, 1);
        send(&dealer, "behind").await;
        assert_eq!(&router.recv().await.expect("received")[1], b"behind");
    }

    async fn flush_waits_for_what_a_lost_connection_gave_back(at) {
        let (listener, endpoint) = WireListener::bind(&at, "flush");
        let push = at.connected(PushSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
        let listener = common::aside(move || {
            let mut wire = listener.accept();
            wire.shake_hands("PULL", b"");
            // It has begun.
            wire.take(9);
            listener
        });
        send(&push, vec![7; TOO_LARGE]).await;
        let listener = listener.await;
        let flushed = std::pin::pin!(push.flush());
        let read = common::aside(move || {
            let mut wire = listener.accept();
            wire.shake_hands("PULL", b"");
            let message = wire.frame().1;
            (message.len(), wire)
        });
        let (flushed, read) = futures::join!(flushed, read);
        flushed.expect("written");
        assert_eq!((read.0, push.stats().send_queue), (TOO_LARGE, 0));
    }

    async fn peer_that_hangs_up_after_the_handshake_is_met_ever_more_rarely(at) {
        let (listener, endpoint) = WireListener::bind(&at, "hangs-up");
        let pull = at.connected(PullSocket::builder().reconnect_interval(AT_ONCE * 5), &endpoint).await;
        let mut monitor = pull.monitor();
        let hangs_up = common::aside(move || {
            for _ in 0..6 {
                listener.accept().shake_hands("PUSH", b"");
            }
            listener
        });
        let mut delays = Vec::new();
        while delays.len() < 6 {
            if let SocketEvent::Retrying { delay, .. } = monitor.next().await.expect("open") {
                delays.push(delay);
            }
        }
        drop(hangs_up.await);
        // 5, 10, 20, 40, 80 and 160 ms, of which each is drawn from the upper half.
        assert!(delays[5] >= AT_ONCE * 80, "{delays:?}");
    }

    async fn nonsense_after_the_handshake_is_met_at_the_longest_interval(at) {
        for nonsense in [&b"\xff"[..], b"\x04\x00", b"\x04\x06\x05READY", b"\x04\x07\x05ERROR\x00"] {
            let (listener, endpoint) = WireListener::bind(&at, &nonsense.escape_ascii().to_string().replace('\\', "_"));
            let pull = at.connected(PullSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
            let mut monitor = pull.monitor();
            let nonsense = nonsense.to_vec();
            let said = common::aside(move || {
                let mut wire = listener.accept();
                wire.shake_hands("PUSH", b"");
                wire.put(&nonsense);
                (wire, listener)
            });
            let delay = loop {
                if let SocketEvent::Retrying { delay, .. } = monitor.next().await.expect("open") {
                    break delay;
                }
            };
            assert!(delay >= AT_ONCE * 16, "{delay:?}");
            drop(said.await);
        }
    }

    async fn lost_connection_gives_the_endpoint_up_when_asked(at) {
        let (listener, endpoint) = WireListener::bind(&at, "lost");
        let options = PullSocket::builder()
            .reconnect_interval(AT_ONCE)
            .reconnect_stop([ReconnectStop::ConnectionLost]);
        let pull = at.connected(options, &endpoint).await;
        let mut monitor = pull.monitor();
        let lost = common::aside(move || {
            listener.accept().shake_hands("PUSH", b"");
            listener
        });
        let listener = lost.await;
        loop {
            match monitor.next().await.expect("open") {
                SocketEvent::GivenUp { endpoint: gone } => break assert_eq!(gone, endpoint),
                SocketEvent::Retrying { .. } => panic!("it is connected again"),
                _ => {}
            }
        }
        drop((listener, pull));
    }
}

everywhere! {
    async fn connection_that_we_end_is_made_again_whatever_is_asked(at) {
        let (push, endpoint) = at.bound(PushSocket::builder()).await;
        let pull = at.build(stopping());
        let mut monitor = pull.monitor();
        pull.connect(endpoint.clone()).await.expect("connected");
        for _ in 0..2 {
            let id = established(&mut monitor).await;
            pull.disconnect_peer(id).expect("it is there");
        }
        established(&mut monitor).await;
        push.send("still here").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "still here".into());
    }

    async fn peer_that_unbinds_is_given_up_when_asked(at) {
        let (push, endpoint) = (at.build(PushSocket::builder()), at.nowhere("unbound"));
        push.bind(endpoint.clone()).await.expect("bound");
        let pull = at.build(stopping());
        let mut monitor = pull.monitor();
        pull.connect(endpoint.clone()).await.expect("connected");
        established(&mut monitor).await;
        push.send("before").await.expect("sent");
        push.unbind(endpoint.clone()).await.expect("bound");
        loop {
            match monitor.next().await.expect("open") {
                SocketEvent::GivenUp { endpoint: gone } => break assert_eq!(gone, endpoint),
                SocketEvent::Retrying { .. } => panic!("it is connected again"),
                _ => {}
            }
        }
        assert_eq!(pull.recv().await.expect("it came before the end"), "before".into());
        common::rebind(&push, &endpoint).await;
        assert!(matches!(pull.disconnect(endpoint.clone()).await, Err(MonocoqueError::UnknownEndpoint(_))));
        assert_eq!(pull.peer_count(), 0);
        pull.connect(endpoint).await.expect("connected");
        established(&mut monitor).await;
    }
}

/// A socket that is not connected again when its connection is lost.
fn stopping() -> Builder<PullSocket> {
    PullSocket::builder().reconnect_interval(AT_ONCE).reconnect_stop([ReconnectStop::ConnectionLost])
}

/// The number of the next connection whose handshake is done.
async fn established(monitor: &mut Monitor) -> u64 {
    loop {
        match monitor.next().await.expect("open") {
            SocketEvent::HandshakeSucceeded { connection, .. } => return connection.id,
            SocketEvent::GivenUp { .. } => panic!("it is not connected again"),
            _ => {}
        }
    }
}

/// libzmq's own limit, and its way to end a connection.
#[test]
fn libzmq_that_refuses_a_message_gets_what_is_behind_it() {
    common::run(common::Transport::Tcp, common::Home::Thread, async |at| {
        let context = zmq::Context::new();
        let theirs = context.socket(zmq::PULL).expect("a socket");
        theirs.set_maxmsgsize(LIMIT.cast_signed()).expect("set");
        theirs.set_linger(0).expect("set");
        theirs.bind("tcp://127.0.0.1:*").expect("bound");
        let endpoint = theirs.get_last_endpoint().expect("bound").expect("text");
        let push = at.build(PushSocket::builder().reconnect_interval(AT_ONCE));
        push.connect(endpoint.as_str()).await.expect("connected");
        let mut monitor = push.monitor();
        send(&push, vec![7; TOO_LARGE]).await;
        assert_eq!(dropped(&mut monitor).await.1, 3);
        send(&push, "behind").await;
        let received = common::aside(move || {
            theirs.set_rcvtimeo(20_000).expect("set");
            theirs.recv_bytes(0)
        });
        assert_eq!(received.await.expect("received"), b"behind");
    });
}
