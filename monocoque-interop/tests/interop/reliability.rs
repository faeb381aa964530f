//! Options that both libraries must interpret alike: heartbeats, numbered requests, rejected
//! handshakes, stopped peers.

use std::thread;
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use monocoque::zmq::{DealerSocket, PubSocket, PullSocket, RepSocket, ReqSocket, RouterSocket, SubSocket};
use monocoque::{DisconnectReason, Monitor, MonocoqueError, SocketEvent};

use nix::sys::signal::Signal;

use crate::pyzmq::Peer;
use crate::support::{
    Case, LIMIT, close, eventually, libzmq, libzmq_echo, libzmq_named, libzmq_recv, libzmq_send, number,
    on_thread, peers, recv, send, with_load, within, yield_briefly,
};

everywhere! {
    mutual_heartbeats_keep_connection,
    correlated_requests_match_libzmq_replies,
    libzmq_correlated_requests_get_replies,
    mandatory_router_rejects_departed_peer,
    probe_router_works_both_ways,
    nodrop_pub_awaits_slow_sub,
    incompatible_libzmq_type_fails_handshake,
    oversized_message_disconnects_libzmq,
}

with_pyzmq! {
    everywhere:
    stopped_peer_reconnects_after_timeout,
    stopped_subscriber_leaves_others_served,
}

bind_only! {
    handover_gives_name_to_newcomer,
}

const BEAT: Duration = Duration::from_millis(50);

/// Both sides send heartbeats and nothing else for several timeouts: the connection stays.
async fn mutual_heartbeats_keep_connection(case: &Case) {
    let pull = PullSocket::builder()
        .heartbeat_interval(Some(BEAT))
        .heartbeat_timeout(BEAT * 40)
        .heartbeat_ttl(BEAT * 40)
        .build_in(&case.context)
        .unwrap();
    let push = libzmq(zmq::PUSH);
    push.set_heartbeat_ivl(50).unwrap();
    push.set_heartbeat_timeout(2_000).unwrap();
    push.set_heartbeat_ttl(2_000).unwrap();
    case.join(&pull, [&push]).await;
    peers(&pull, 1).await;
    let mut monitor = pull.monitor();
    let start = Instant::now();
    while start.elapsed() < BEAT * 60 {
        yield_briefly().await;
    }
    libzmq_send(&push, &["still there"]);
    assert_eq!(recv(&pull).await, ["still there".as_bytes()]);
    while let Some(Some(event)) = poll_event(&mut monitor) {
        assert!(!matches!(event, SocketEvent::Disconnected { .. }), "{event:?}");
    }
    close(pull).await;
}

/// The peer's process is stopped, not killed, so that TCP reports nothing. Once it continues, it
/// reconnects and messages are delivered again.
async fn stopped_peer_reconnects_after_timeout(case: &Case) {
    let dealer = DealerSocket::builder()
        .heartbeat_interval(Some(BEAT))
        .heartbeat_timeout(BEAT * 6)
        .reconnect_interval(Duration::from_millis(10))
        .build_in(&case.context)
        .unwrap();
    let mut monitor = dealer.monitor();
    let peer = Peer::join(case, &dealer, "DEALER", "repeat").await;
    send(&dealer, "before").await;
    assert_eq!(recv(&dealer).await, ["before".as_bytes()]);
    peer.signal(Signal::SIGSTOP);
    let reason = within(LIMIT, "the stopped peer is noticed", async {
        loop {
            if let Some(SocketEvent::Disconnected { reason, .. }) = monitor.next().await {
                break reason;
            }
        }
    });
    assert!(matches!(reason.await, DisconnectReason::HeartbeatTimeout));
    eventually("the peer is removed", || dealer.peer_count() == 0).await;
    peer.signal(Signal::SIGCONT);
    peers(&dealer, 1).await;
    send(&dealer, "after").await;
    assert_eq!(recv(&dealer).await, ["after".as_bytes()]);
    peer.signal(Signal::SIGKILL);
    eventually("the peer is removed", || dealer.peer_count() == 0).await;
    close(dealer).await;
}

/// A stopped subscriber receives what fits in the queues, the other one receives everything, and
/// the stopped one continues when it can.
async fn stopped_subscriber_leaves_others_served(case: &Case) {
    const MESSAGES: usize = 5_000;
    let publisher = PubSocket::builder().send_hwm(100).build_in(&case.context).unwrap();
    let peer = Peer::join(case, &publisher, "SUB", "ascending").await;
    let good = SubSocket::builder().build_in(&case.context).unwrap();
    good.subscribe("").unwrap();
    good.connect(case.bind(&publisher).await.as_str()).await.unwrap();
    within(LIMIT, "wait_for_subscriptions", publisher.wait_for_subscriptions(2)).await.unwrap();
    peer.signal(Signal::SIGSTOP);
    let body = vec![7; 4_000];
    for n in 0..MESSAGES {
        let sent = publisher.send([n.to_string().into_bytes(), body.clone()]);
        within(LIMIT, "sending without waiting", sent).await.unwrap();
        if n % 50 == 49 {
            for n in n - 49..=n {
                assert_eq!(number(&recv(&good).await[0]), n);
            }
        }
        assert!(publisher.stats().send_queue <= 200, "the queues exceed the high-water marks");
    }
    let dropped = publisher.stats().dropped;
    assert!(dropped > 0 && dropped < MESSAGES as u64, "{dropped}");
    peer.signal(Signal::SIGCONT);
    // The last message is for a subscriber whose queue has room again.
    eventually("the send queue is empty", || publisher.stats().send_queue == 0).await;
    send(&publisher, "end").await;
    peer.done().await;
    assert_eq!(publisher.stats().dropped, dropped);
    close(good).await;
    close(publisher).await;
}

async fn correlated_requests_match_libzmq_replies(case: &Case) {
    for kind in [zmq::REP, zmq::ROUTER] {
        let req = ReqSocket::builder().req_relaxed(true).req_correlate(true).build_in(&case.context).unwrap();
        let theirs = libzmq(kind);
        case.join(&req, [&theirs]).await;
        // A request that is abandoned before a peer has accepted it is not sent.
        peers(&req, 1).await;
        let served = on_thread(move || libzmq_echo(&theirs, 200));
        for n in 0..100 {
            // The first request is abandoned, and its reply arrives all the same.
            send(&req, format!("given up {n}")).await;
            send(&req, format!("asked {n}")).await;
            assert_eq!(recv(&req).await, [format!("asked {n}").as_bytes()]);
        }
        served.await;
        close(req).await;
    }
}

async fn libzmq_correlated_requests_get_replies(case: &Case) {
    let ask = |socket: zmq::Socket| {
        on_thread(move || {
            // It closes its connection for each abandoned request.
            for n in 0..10 {
                libzmq_send(&socket, &[format!("given up {n}")]);
                libzmq_send(&socket, &[format!("asked {n}")]);
                assert_eq!(libzmq_recv(&socket), [format!("asked {n}").as_bytes()]);
            }
        })
    };
    let req = || {
        let req = libzmq(zmq::REQ);
        req.set_req_relaxed(true).unwrap();
        req.set_req_correlate(true).unwrap();
        req
    };
    let rep = RepSocket::new_in(&case.context).unwrap();
    let theirs = req();
    case.join(&rep, [&theirs]).await;
    let answer = async {
        loop {
            let request = rep.recv().await.expect("received");
            rep.send(request).await.expect("sent");
        }
    };
    with_load(answer, ask(theirs)).await;
    close(rep).await;

    let router = RouterSocket::new_in(&case.context).unwrap();
    let theirs = req();
    case.join(&router, [&theirs]).await;
    let answer = async {
        loop {
            let request = router.recv().await.expect("received");
            router.send(request).await.expect("sent");
        }
    };
    with_load(answer, ask(theirs)).await;
    close(router).await;
}

async fn mandatory_router_rejects_departed_peer(case: &Case) {
    let router = RouterSocket::builder().router_mandatory(true).build_in(&case.context).unwrap();
    let dealer = libzmq_named(zmq::DEALER, "here");
    case.join(&router, [&dealer]).await;
    peers(&router, 1).await;
    send(&router, ["here", "hello"]).await;
    assert_eq!(on_thread(move || libzmq_recv(&dealer)).await, ["hello".as_bytes()]);
    eventually("the peer is removed", || router.peer_count() == 0).await;
    for name in ["here", "nowhere"] {
        let error =
            within(LIMIT, "send", router.send([name, "lost"])).await.expect_err("no peer has the routing id");
        assert!(matches!(error.reason(), MonocoqueError::Unreachable), "{error}");
    }
    close(router).await;
}

async fn handover_gives_name_to_newcomer(case: &Case) {
    let router = RouterSocket::builder().router_handover(true).build_in(&case.context).unwrap();
    let old = libzmq_named(zmq::DEALER, "name");
    // Otherwise it would reconnect and take the routing id over again.
    old.set_reconnect_ivl(-1).unwrap();
    case.join(&router, [&old]).await;
    peers(&router, 1).await;
    send(&router, ["name", "for the old one"]).await;
    let old = on_thread(move || {
        assert_eq!(libzmq_recv(&old), ["for the old one".as_bytes()]);
        old
    })
    .await;
    let new = libzmq_named(zmq::DEALER, "name");
    case.join(&router, [&new]).await;
    libzmq_send(&new, &["here I am"]);
    assert_eq!(recv(&router).await, ["name".as_bytes(), "here I am".as_bytes()]);
    send(&router, ["name", "for the new one"]).await;
    assert_eq!(on_thread(move || libzmq_recv(&new)).await, ["for the new one".as_bytes()]);
    drop(old);
    close(router).await;
}

async fn nodrop_pub_awaits_slow_sub(case: &Case) {
    const MESSAGES: usize = 5_000;
    let publisher = PubSocket::builder().nodrop(true).send_hwm(5).build_in(&case.context).unwrap();
    let sub = libzmq(zmq::SUB);
    sub.set_rcvhwm(5).unwrap();
    sub.set_subscribe(b"").unwrap();
    case.join(&publisher, [&sub]).await;
    // A bound libzmq socket accepts peers when it is called.
    let heard = on_thread(move || {
        for n in 0..MESSAGES {
            assert_eq!(number(&libzmq_recv(&sub)[0]), n);
        }
    });
    within(LIMIT, "subscribed", publisher.wait_for_subscriptions(1)).await.unwrap();
    for n in 0..MESSAGES {
        let message = [n.to_string().into_bytes(), vec![0; 2000]];
        within(LIMIT, "send", publisher.send(message)).await.expect("sent");
    }
    heard.await;
    assert_eq!(publisher.stats().dropped, 0);
    close(publisher).await;
}

async fn incompatible_libzmq_type_fails_handshake(case: &Case) {
    let sub =
        SubSocket::builder().reconnect_interval(Duration::from_millis(1)).build_in(&case.context).unwrap();
    let mut monitor = sub.monitor();
    let theirs = libzmq(zmq::PUSH);
    case.join(&sub, [&theirs]).await;
    let reason = within(LIMIT, "the handshake failure is reported", async {
        loop {
            if let Some(SocketEvent::HandshakeFailed { reason, .. }) = monitor.next().await {
                break reason;
            }
        }
    });
    let reason = reason.await;
    // Either side may close first: the error is known, or the peer has closed.
    assert!(
        matches!(reason, DisconnectReason::Protocol(_) | DisconnectReason::ByPeer | DisconnectReason::Io(_)),
        "{reason}"
    );
    assert_eq!(sub.peer_count(), 0);
    close(sub).await;
}

async fn oversized_message_disconnects_libzmq(case: &Case) {
    let pull = PullSocket::builder().max_message_size(Some(1000)).build_in(&case.context).unwrap();
    let mut monitor = pull.monitor();
    let push = libzmq(zmq::PUSH);
    case.join(&pull, [&push]).await;
    let push = on_thread(move || {
        libzmq_send(&push, &[vec![0; 1000]]);
        libzmq_send(&push, &[vec![0; 1001]]);
        push
    })
    .await;
    assert_eq!(recv(&pull).await, [vec![0; 1000]]);
    within(LIMIT, "the peer is disconnected", async {
        loop {
            if let Some(SocketEvent::Disconnected { reason, .. }) = monitor.next().await {
                assert!(matches!(reason, DisconnectReason::Protocol(_)), "{reason}");
                break;
            }
        }
    })
    .await;
    let sent = on_thread(move || {
        // What is sent before the connection is closed is lost with it.
        for _ in 0..20 {
            libzmq_send(&push, &[b"good again"]);
            thread::park_timeout(BEAT);
        }
        push
    });
    assert_eq!(recv(&pull).await, ["good again".as_bytes()]);
    sent.await;
    close(pull).await;
}

async fn probe_router_works_both_ways(case: &Case) {
    let dealer =
        DealerSocket::builder().routing_id("ours").probe_router(true).build_in(&case.context).unwrap();
    let router = libzmq(zmq::ROUTER);
    case.join(&dealer, [&router]).await;
    let router = on_thread(move || {
        assert_eq!(libzmq_recv(&router), ["ours".as_bytes(), b""]);
        libzmq_send(&router, &["ours", "welcome"]);
        router
    })
    .await;
    assert_eq!(recv(&dealer).await, ["welcome".as_bytes()]);
    drop(router);
    close(dealer).await;

    let router = RouterSocket::new_in(&case.context).unwrap();
    let theirs = libzmq_named(zmq::DEALER, "theirs");
    theirs.set_probe_router(true).unwrap();
    case.join(&router, [&theirs]).await;
    let theirs = on_thread(move || (libzmq_recv(&theirs), theirs));
    assert_eq!(recv(&router).await, ["theirs".as_bytes(), b""]);
    send(&router, ["theirs", "welcome"]).await;
    assert_eq!(theirs.await.0, ["welcome".as_bytes()]);
    close(router).await;
}

/// Returns the next event if there is one. It may yield first.
fn poll_event(monitor: &mut Monitor) -> Option<Option<SocketEvent>> {
    monitor.next().now_or_never().or_else(|| monitor.next().now_or_never())
}
