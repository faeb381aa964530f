//! Messages and subscriptions of disconnected peers, and the order in which they are received.

use std::io::Write;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::{Either, select};
use monocoque::zmq::capability::Publishes;
use monocoque::zmq::{Builder, PubSocket, PullSocket, ReqSocket, RouterSocket, XpubSocket};
use monocoque::{Endpoint, SocketEvent};
use testing::{At, RawPeer, RawPeerListener, over_streams};

const AT_ONCE: Duration = Duration::from_millis(1);

over_streams! {
    async fn departed_budget_delays_new_peer(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().departed_budget(100_000)).await;
        let there = endpoint.clone();
        testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&there, "PUSH");
            (0..4).for_each(|_| wire.put(&testing::frame(0, &[7; 50_000])));
        })
        .await;
        testing::eventually("the peer has disconnected", || pull.peer_count() == 0 && pull.stats().recv_queue == 4).await;
        let there = endpoint.clone();
        let newcomer = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&there, "PUSH");
            wire.put(&testing::frame(0, b"newcomer"));
            wire
        })
        .await;
        pull.wait_for_peers(1).await.expect("open");
        for _ in 0..1000 {
            testing::yield_now().await;
            assert_eq!(pull.stats().recv_queue, 4, "the new peer is not read from");
        }
        for _ in 0..4 {
            assert_eq!(pull.recv().await.expect("received").byte_len(), 50_000);
        }
        assert_eq!(pull.recv().await.expect("received"), "newcomer");
        drop(newcomer);
    }

    async fn handover_receives_old_messages_first(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder().router_handover(true).recv_hwm(2)).await;
        let mut monitor = router.monitor();
        // More messages than are read ahead of a receive, and no more than the kernel buffers hold.
        let olds = if matches!(endpoint, Endpoint::Tcp { .. }) { 100 } else { 15 };
        let newcomer = testing::on_blocking_thread(move || {
            let mut old = RawPeer::connect(&endpoint);
            old.shake_hands("DEALER", b"named");
            (0..olds).for_each(|n| old.put(&testing::frame(0, &[n; 10_000])));
            drop(old);
            let mut newcomer = RawPeer::connect(&endpoint);
            newcomer.shake_hands("DEALER", b"named");
            newcomer.put(&testing::frame(0, b"newcomer"));
            newcomer
        })
        .await;
        // Longer than the limit for an old connection that sends without end.
        let idle = at.build(PullSocket::builder());
        assert!(idle.recv_timeout(Duration::from_millis(1300)).await.is_err());
        for n in 0..olds {
            let message = router.recv().await.expect("open");
            assert!(message.get(1) == Some(&[n; 10_000]), "message {n} is missing");
        }
        assert_eq!(router.recv().await.expect("open"), ["named", "newcomer"]);
        while !matches!(monitor.next().await, Some(SocketEvent::Disconnected { .. })) {}
        drop(newcomer);
    }

    async fn router_orders_messages_across_reconnects(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let mut last = None;
        for connection in 0..3_u8 {
            if let Some(wire) = last.take() {
                drop::<RawPeer>(wire);
                testing::eventually("the routing id is free", || router.stats().peers == 0).await;
            }
            let endpoint = endpoint.clone();
            let met = testing::on_blocking_thread(move || {
                let mut wire = RawPeer::connect(&endpoint);
                wire.shake_hands("DEALER", b"named");
                (0..50).for_each(|n| wire.put(&testing::frame(0, &[connection, n])));
                wire
            });
            last = Some(met.await);
            let received = 50 * (1 + usize::from(connection));
            testing::eventually("all messages have arrived", || router.stats().recv_queue == received).await;
        }
        for connection in 0..3_u8 {
            for n in 0..50 {
                assert_eq!(&router.recv().await.expect("received")[1], [connection, n]);
            }
        }
        drop(last);
    }

    async fn req_discards_surplus_replies(at) {
        for (hwm, surplus) in [(1, 2), (1000, 1_099)] {
            let (listener, endpoint) = RawPeerListener::bind(&at, &format!("router-{hwm}"));
            let request = at.connected(ReqSocket::builder().recv_hwm(hwm), &endpoint).await;
            request.send("one").await.expect("queued");
            let answered = testing::on_blocking_thread(move || {
                let mut wire = listener.accept();
                wire.shake_hands("ROUTER", b"");
                wire.take(2 + 2 + 3);
                wire.put(b"\x01\x00\x00\x05first");
                wire.put(&b"\x01\x00\x00\x05stale".repeat(surplus));
                wire
            });
            let mut wire = answered.await;
            assert_eq!(request.recv().await.expect("received"), "first");
            testing::eventually("the surplus replies are discarded", || request.stats().discarded == surplus as u64).await;
            request.send("two").await.expect("in turn");
            let answered = testing::on_blocking_thread(move || {
                wire.put(b"\x01\x00\x00\x06second");
                wire
            });
            assert_eq!(request.recv().await.expect("received"), "second");
            drop(answered.await);
        }
    }

    async fn connected_xpub_handles_second_connection(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "subscriber");
        let publisher = at.connected(XpubSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
        let subscribe = |listener: RawPeerListener| {
            testing::on_blocking_thread(move || {
                let mut wire = listener.accept();
                wire.shake_hands("SUB", b"");
                wire.write_all(&testing::command("SUBSCRIBE", b"")).expect("written");
                (listener, wire)
            })
        };
        let (listener, first) = subscribe(listener).await;
        publisher.wait_for_subscriptions(1).await.expect("open");
        drop(first);
        testing::eventually("the peer has disconnected", || publisher.subscription_count() == 0).await;
        let (listener, mut second) = subscribe(listener).await;
        publisher.wait_for_subscriptions(1).await.expect("open");
        publisher.send("news").await.expect("sent");
        let read = testing::on_blocking_thread(move || (second.frame().1, second)).await;
        assert_eq!(read.0, b"news");
        drop(read);
        testing::eventually("the disconnect is detected", || publisher.peer_count() == 0).await;
        drop(listener);
    }
}

/// Connects a peer that subscribes to `topics` topics.
fn subscriber(endpoint: &Endpoint, topics: usize) -> RawPeer {
    let mut wire = RawPeer::established(endpoint, "SUB");
    let commands =
        (0..topics).flat_map(|n| testing::command("SUBSCRIBE", format!("topic {n:06}").as_bytes()));
    wire.put(&commands.collect::<Vec<_>>());
    wire
}

/// Measures the round-trip time of many PINGs.
fn ping(wire: &mut RawPeer) -> Vec<Duration> {
    let mut waits = Vec::new();
    for _ in 0..2000 {
        let start = Instant::now();
        wire.put(&testing::command("PING", b"\0\0"));
        while wire.frame().1.get(..5) != Some(b"\x04PONG") {}
        waits.push(start.elapsed());
    }
    waits
}

/// Disconnects three peers with many topics each, while other peers send PINGs and receive
/// publications, and asserts that those wait only briefly.
async fn assert_mass_unsubscribe_is_fast<S: Publishes>(
    at: &At,
    builder: Builder<S>,
    receive: impl AsyncFn(&S),
) {
    const TOPICS: usize = 100_000;
    let (publisher, endpoint) = at.bound(builder).await;
    let there = endpoint.clone();
    let subscribing = testing::on_blocking_thread(move || [(); 3].map(|()| subscriber(&there, TOPICS)));
    let peers = testing::repeat_until(subscribing, async || receive(&publisher).await).await;
    while publisher.subscription_count() < 3 * TOPICS {
        receive(&publisher).await;
    }
    let there = endpoint.clone();
    let mut waits = Vec::new();
    let asking = testing::on_blocking_thread(move || {
        let mut wire = RawPeer::established(&there, "SUB");
        drop(peers);
        ping(&mut wire)
    });
    let answers = testing::repeat_until(asking, async || {
        let start = Instant::now();
        publisher.send("news").await.expect("open");
        waits.push(start.elapsed());
        receive(&publisher).await;
    });
    let answers = answers.await;
    for (what, mut waits) in [("an answer", answers), ("a message", waits)] {
        waits.sort_unstable();
        let (most, longest) = (waits[waits.len() * 99 / 100], waits[waits.len() - 1]);
        assert!(
            longest < Duration::from_millis(200),
            "{what} waits for {most:?} in 99 of 100 cases, {longest:?} at most"
        );
    }
}

over_streams! {
    async fn pub_mass_unsubscribe_stays_responsive(at) {
        assert_mass_unsubscribe_is_fast(&at, PubSocket::builder(), async |_| testing::yield_now().await).await;
    }

    async fn xpub_mass_unsubscribe_stays_responsive(at) {
        assert_mass_unsubscribe_is_fast(&at, XpubSocket::builder(), async |xpub| {
            while xpub.try_recv().is_ok() {}
            testing::yield_now().await;
        })
        .await;
    }

    async fn xpub_receives_all_final_unsubscriptions(at) {
        const TOPICS: usize = 5_000;
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let peer = testing::on_blocking_thread(move || subscriber(&endpoint, TOPICS));
        let peer = peer.await;
        for n in 0..TOPICS {
            assert_eq!(xpub.recv().await.expect("open"), format!("\x01topic {n:06}"));
        }
        drop(peer);
        for n in 0..TOPICS {
            assert_eq!(xpub.recv().await.expect("open"), format!("\0topic {n:06}"));
        }
        assert!(xpub.try_recv().is_err());
    }

    async fn xpub_drops_unread_departed_subscriptions(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        for topics in [1, 30, 900] {
            let there = endpoint.clone();
            let peer = testing::on_blocking_thread(move || subscriber(&there, topics)).await;
            testing::eventually("the subscriptions have arrived", || xpub.stats().recv_queue == topics).await;
            drop(peer);
            testing::eventually("the subscriptions are removed", || xpub.stats().recv_queue == 0).await;
        }
    }

    async fn xpub_receives_cancel_of_read_subscription(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let mut peer = testing::on_blocking_thread(move || subscriber(&endpoint, 1)).await;
        assert_eq!(xpub.recv().await.expect("open"), "\x01topic 000000");
        for command in ["CANCEL", "SUBSCRIBE"] {
            peer.put(&testing::command(command, b"topic 000000"));
        }
        testing::eventually("the subscriptions have arrived", || xpub.stats().recv_queue == 2).await;
        drop(peer);
        testing::eventually("the surplus cancel is dropped", || xpub.stats().recv_queue == 1).await;
        assert_eq!(xpub.recv().await.expect("open"), "\0topic 000000");
        assert!(xpub.try_recv().is_err());
    }

    async fn verbose_xpub_receives_single_unsubscription(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_verbose(true)).await;
        let there = endpoint.clone();
        let mut peer = testing::on_blocking_thread(move || subscriber(&there, 1)).await;
        peer.put(&testing::command("SUBSCRIBE", b"topic 000000"));
        testing::eventually("the subscriptions have arrived", || xpub.stats().recv_queue == 2).await;
        drop(peer);
        for kind in [1, 1, 0] {
            let report = xpub.recv().await.expect("open");
            assert_eq!(report, [&[kind][..], b"topic 000000"].concat());
        }
        assert!(xpub.try_recv().is_err());
    }

    async fn verboser_xpub_receives_each_unsubscription(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_verboser(true)).await;
        for round in 0..2 {
            let mut peers = Vec::new();
            for _ in 0..2 {
                let there = endpoint.clone();
                peers.push(testing::on_blocking_thread(move || subscriber(&there, 1)).await);
                assert_eq!(xpub.recv().await.expect("open"), "\x01topic 000000");
            }
            for peer in peers {
                drop(peer);
                assert_eq!(xpub.recv().await.expect("open"), "\0topic 000000");
            }
            assert!(xpub.try_recv().is_err(), "round {round}");
        }
    }

    async fn peer_churn_keeps_final_unsubscriptions(at) {
        const TOPICS: usize = 2_000;
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let there = endpoint.clone();
        let victim = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&there, "SUB");
            wire.put(&testing::command("SUBSCRIBE", b"victim"));
            wire
        })
        .await;
        assert_eq!(xpub.recv().await.expect("open"), "\x01victim");
        let waves = testing::on_blocking_thread(move || {
            for wave in 0..30 {
                let mut wire = subscriber(&endpoint, TOPICS);
                wire.put(&testing::command("PING", b"\0\0"));
                while wire.frame().1.get(..5) != Some(b"\x04PONG") {}
                if wave == 3 {
                    victim.close();
                }
            }
        });
        let mut received_after = None;
        let mut seen = 0;
        let mut waves = std::pin::pin!(waves);
        loop {
            match select(waves.as_mut(), std::pin::pin!(xpub.recv())).await {
                Either::Left(_) => break,
                Either::Right((message, _)) => {
                    seen += 1;
                    if message.expect("open") == "\0victim" {
                        received_after = Some(seen);
                    }
                }
            }
        }
        assert!(received_after.is_some(), "the cancel is missing in {seen} messages");
    }

    async fn handover_completes_despite_flood(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder().router_handover(true)).await;
        let mut monitor = router.monitor();
        let there = endpoint.clone();
        let flooded = testing::on_blocking_thread(move || {
            let mut old = RawPeer::connect(&there);
            old.shake_hands("DEALER", b"named");
            let many = testing::frame(0, &[7; 1_000]).repeat(1_000);
            while old.write_all(&many).is_ok() {}
        });
        let there = endpoint.clone();
        assert_eq!(router.recv().await.expect("open").len(), 2, "the first message has two frames");
        let newcomer = testing::on_blocking_thread(move || {
            let mut newcomer = RawPeer::connect(&there);
            newcomer.shake_hands("DEALER", b"named");
            newcomer.put(&testing::frame(0, b"newcomer"));
            newcomer
        });
        let (mut newcomer, mut old) = (std::pin::pin!(newcomer), 0);
        let mut wire = None;
        while router.recv().await.expect("open") != ["named", "newcomer"] {
            old += 1;
            if wire.is_none() {
                wire = testing::at_once(newcomer.as_mut());
            }
        }
        assert!(old < 1_000_000, "{old} messages of the old connection were received first");
        while !matches!(monitor.next().await, Some(SocketEvent::Disconnected { .. })) {}
        // The kernel may hold its write for longer.
        drop((flooded, wire));
    }
}
