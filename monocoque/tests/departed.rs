//! What connections leave that are gone, and in which order it is received.

#[allow(dead_code, unused_imports, unused_macros, reason = "each test file uses a part")]
mod common;

use std::io::Write;
use std::time::Duration;

use common::{Wire, WireListener, over_streams};
use monocoque::zmq::{PullSocket, ReqSocket, RouterSocket, XpubSocket};

const AT_ONCE: Duration = Duration::from_millis(1);

over_streams! {
    async fn newcomers_wait_while_departed_peers_have_left_too_much(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().departed_budget(100_000)).await;
        let there = endpoint.clone();
        common::aside(move || {
            let mut wire = Wire::meet(&there, "PUSH");
            (0..4).for_each(|_| wire.put(&common::frame(0, &[7; 50_000])));
        })
        .await;
        common::eventually("it is gone", || pull.peer_count() == 0 && pull.stats().recv_queue == 4).await;
        let there = endpoint.clone();
        let newcomer = common::aside(move || {
            let mut wire = Wire::meet(&there, "PUSH");
            wire.put(&common::frame(0, b"newcomer"));
            wire
        })
        .await;
        pull.wait_for_peers(1).await.expect("open");
        for _ in 0..1000 {
            common::yield_now().await;
            assert_eq!(pull.stats().recv_queue, 4, "it is not read");
        }
        for _ in 0..4 {
            assert_eq!(pull.recv().await.expect("received").byte_len(), 50_000);
        }
        assert_eq!(pull.recv().await.expect("received"), "newcomer".into());
        drop(newcomer);
    }

    async fn router_receives_a_named_peer_in_order_over_its_connections(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let met = common::aside(move || {
            let mut wires = Vec::new();
            for connection in 0..3_u8 {
                let mut wire = Wire::connect(&endpoint);
                wire.shake_hands("DEALER", b"named");
                (0..50).for_each(|n| wire.put(&common::frame(0, &[connection, n])));
                match connection {
                    2 => wires.push(wire),
                    // Until the router has noticed, its name is taken.
                    _ => wire.close(),
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            wires
        });
        let wires = met.await;
        common::eventually("all is there", || router.stats().recv_queue == 150).await;
        for connection in 0..3_u8 {
            for n in 0..50 {
                assert_eq!(&router.recv().await.expect("received")[1], [connection, n]);
            }
        }
        drop(wires);
    }

    async fn req_discards_replies_that_it_does_not_wait_for(at) {
        for (hwm, surplus) in [(1, 2), (1000, 1_099)] {
            let (listener, endpoint) = WireListener::bind(&at, &format!("router-{hwm}"));
            let request = at.connected(ReqSocket::builder().recv_hwm(hwm), &endpoint).await;
            request.send("one").await.expect("queued");
            let answered = common::aside(move || {
                let mut wire = listener.accept();
                wire.shake_hands("ROUTER", b"");
                wire.take(2 + 2 + 3);
                wire.put(b"\x01\x00\x00\x05first");
                wire.put(&b"\x01\x00\x00\x05stale".repeat(surplus));
                wire
            });
            let mut wire = answered.await;
            assert_eq!(request.recv().await.expect("received"), "first".into());
            common::eventually("they are discarded", || request.stats().discarded == surplus as u64).await;
            request.send("two").await.expect("its turn");
            let answered = common::aside(move || {
                wire.put(b"\x01\x00\x00\x06second");
                wire
            });
            assert_eq!(request.recv().await.expect("received"), "second".into());
            drop(answered.await);
        }
    }

    async fn xpub_that_dials_hears_of_a_second_connection_unread(at) {
        let (listener, endpoint) = WireListener::bind(&at, "subscriber");
        let publisher = at.connected(XpubSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
        let subscribe = |listener: WireListener| {
            common::aside(move || {
                let mut wire = listener.accept();
                wire.shake_hands("SUB", b"");
                wire.write_all(&common::command("SUBSCRIBE", b"")).expect("it is read");
                (listener, wire)
            })
        };
        let (listener, first) = subscribe(listener).await;
        publisher.wait_for_subscriptions(1).await.expect("open");
        drop(first);
        common::eventually("it is gone", || publisher.subscription_count() == 0).await;
        let (listener, mut second) = subscribe(listener).await;
        publisher.wait_for_subscriptions(1).await.expect("open");
        publisher.send("news").await.expect("sent");
        let read = common::aside(move || (second.frame().1, second)).await;
        assert_eq!(read.0, b"news");
        drop(read);
        common::eventually("its end is noticed", || publisher.peer_count() == 0).await;
        drop(listener);
    }
}
