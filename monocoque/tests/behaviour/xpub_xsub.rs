//! XPUB and XSUB: subscriptions are messages at both ends.

use std::collections::BTreeSet;

use monocoque::zmq::{Builder, PubSocket, SubSocket, XpubSocket, XsubSocket};
use monocoque::{Message, proxy};
use testing::{At, AtOnce, RawPeer, command, eventually, everywhere, frame, numbered, over_streams};

async fn expect_messages(xpub: &XpubSocket, expected: &[&[u8]]) {
    for expected in expected {
        assert_eq!(xpub.recv().await.expect("received"), Message::from(*expected));
    }
}

/// Topics with at least one subscriber, as tracked from the reports of an XPUB.
#[derive(Default)]
struct Topics(BTreeSet<Vec<u8>>);

impl Topics {
    fn note(&mut self, report: &Message) {
        let (kind, topic) = report[0].split_first().expect("a kind");
        let changed = if *kind == 1 { self.0.insert(topic.to_vec()) } else { self.0.remove(topic) };
        assert!(changed, "reported twice: {report:?}");
    }

    fn equal(&self, expected: &[&str]) -> bool {
        self.0.iter().map(Vec::as_slice).eq(expected.iter().map(|topic| topic.as_bytes()))
    }
}

/// Returns an XPUB that has received a subscription to `t`. Its subscriber has cancelled `t` after
/// three other topics, and another peer has subscribed to it since: both reports are still queued.
async fn xpub_with_moved_topic(at: &At, builder: Builder<XpubSocket>) -> (XpubSocket, [SubSocket; 2]) {
    let (xpub, endpoint) = at.bound(builder).await;
    let one = at.connected(SubSocket::builder(), &endpoint).await;
    one.subscribe("t").expect("open");
    expect_messages(&xpub, &[b"\x01t"]).await;
    for topic in ["p", "q", "r"] {
        one.subscribe(topic).expect("open");
    }
    one.unsubscribe("t").expect("open");
    eventually("four notices are queued", || xpub.stats().recv_queue == 4).await;
    let other = at.connected(SubSocket::builder(), &endpoint).await;
    other.subscribe("t").expect("open");
    eventually("five notices are queued", || xpub.stats().recv_queue == 5).await;
    (xpub, [one, other])
}

everywhere! {
    async fn xpub_reports_first_and_last_subscription(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let one = at.connected(SubSocket::builder(), &endpoint).await;
        one.subscribe("a").expect("open");
        expect_messages(&xpub, &[b"\x01a"]).await;
        let other = at.connected(SubSocket::builder(), &endpoint).await;
        other.subscribe("a").expect("open");
        other.subscribe("b").expect("open");
        expect_messages(&xpub, &[b"\x01b"]).await;
        one.unsubscribe("a").expect("open");
        one.subscribe("c").expect("open");
        expect_messages(&xpub, &[b"\x01c"]).await;
        other.unsubscribe("a").expect("open");
        expect_messages(&xpub, &[b"\0a"]).await;
        one.close().await;
        expect_messages(&xpub, &[b"\0c"]).await;
        other.close().await;
        expect_messages(&xpub, &[b"\0b"]).await;
        assert!(xpub.try_recv().is_err());
        assert_eq!(xpub.subscription_count(), 0);
    }

    async fn verbose_xpub_reports_every_subscription(at) {
        for verboser in [false, true] {
            let builder = XpubSocket::builder();
            let builder = if verboser { builder.xpub_verboser(true) } else { builder.xpub_verbose(true) };
            let (xpub, endpoint) = at.bound(builder).await;
            let one = at.connected(SubSocket::builder(), &endpoint).await;
            one.subscribe("a").expect("open");
            expect_messages(&xpub, &[b"\x01a"]).await;
            let other = at.connected(SubSocket::builder(), &endpoint).await;
            other.subscribe("a").expect("open");
            expect_messages(&xpub, &[b"\x01a"]).await;
            other.unsubscribe("a").expect("open");
            if verboser {
                expect_messages(&xpub, &[b"\0a"]).await;
            }
            one.unsubscribe("a").expect("open");
            expect_messages(&xpub, &[b"\0a"]).await;
        }
    }

    async fn moved_topic_stays_subscribed(at) {
        for in_batches in [false, true] {
            let (xpub, [one, other]) = xpub_with_moved_topic(&at, XpubSocket::builder()).await;
            let mut reports = vec![Message::from(b"\x01t")];
            while xpub.stats().recv_queue > 0 {
                if !in_batches {
                    reports.extend(xpub.try_recv());
                } else if let Some(outcome) = xpub.recv_batch(&mut reports, 100).at_once() {
                    outcome.expect("received");
                }
            }
            let mut topics = Topics::default();
            reports.iter().for_each(|report| topics.note(report));
            assert!(topics.equal(&["p", "q", "r", "t"]), "{reports:?}");
            other.unsubscribe("t").expect("open");
            expect_messages(&xpub, &[b"\0t"]).await;
            assert_eq!(xpub.stats().discarded, 0);
            drop(one);
        }
    }

    async fn verbose_last_report_is_correct(at) {
        let (xpub, [one, other]) = xpub_with_moved_topic(&at, XpubSocket::builder().xpub_verbose(true)).await;
        let mut last = 1;
        while xpub.stats().recv_queue > 0 {
            let Some(report) = xpub.recv().at_once() else { continue };
            let report = report.expect("received");
            if &report[0][1..] == b"t" {
                last = report[0][0];
            }
        }
        assert_eq!(last, 1);
        drop((one, other));
    }

    async fn proxy_forwards_moved_topic(at) {
        let (front, [one, other]) = xpub_with_moved_topic(&at, XpubSocket::builder()).await;
        let (publisher, there) = at.bound(PubSocket::builder()).await;
        let back = at.connected(XsubSocket::builder(), &there).await;
        // The upstream side of the proxy has forwarded this subscription before.
        back.send(b"\x01t").await.expect("sent");
        let work = async {
            publisher.wait_for_subscriptions(4).await.expect("open");
            eventually("all messages are forwarded", || front.stats().recv_queue == 0).await;
            one.subscribe("end").expect("open");
            publisher.wait_for_subscriptions(5).await.expect("open");
            publisher.send("t").await.expect("sent");
            assert_eq!(other.recv().await.expect("received"), "t");
        };
        futures::future::select(std::pin::pin!(proxy(&front, &back)), std::pin::pin!(work)).await;
    }

    async fn random_subscriptions_yield_correct_set(at) {
        let mut rng = testing::seeded_rng();
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let mut topics = Topics::default();
        let mut subs = Vec::new();
        for round in 0..600 {
            if subs.len() < 4 {
                subs.push((at.connected(SubSocket::builder(), &endpoint).await, BTreeSet::new()));
            }
            let which = rng.usize(0..subs.len());
            let (sub, wants) = &mut subs[which];
            let topic = ["a", "b", "c", "d"][rng.usize(0..4)];
            if wants.insert(topic) {
                sub.subscribe(topic).expect("open");
            } else {
                wants.remove(topic);
                sub.unsubscribe(topic).expect("open");
            }
            if round % 40 == 39 {
                subs.swap_remove(which).0.close().await;
            }
            if rng.u8(0..4) == 0
                && let Ok(report) = xpub.try_recv()
            {
                topics.note(&report);
            }
        }
        let mut wanted: BTreeSet<_> = subs.iter().flat_map(|(_, wants)| wants).copied().collect();
        let ends: Vec<_> = (0..subs.len()).map(|n| format!("end {n}")).collect();
        for ((sub, _), end) in subs.iter().zip(&ends) {
            sub.subscribe(end).expect("open");
            wanted.insert(end);
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        eventually("the set of topics is as expected", || {
            while let Ok(report) = xpub.try_recv() {
                topics.note(&report);
            }
            topics.equal(&wanted) && xpub.stats().peers == subs.len()
        })
        .await;
    }

    async fn xsub_sends_messages_and_subscriptions(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let xsub = at.connected(XsubSocket::builder(), &endpoint).await;
        xsub.send(b"\x01news").await.expect("sent");
        xsub.send(b"\x01news").await.expect("counted");
        expect_messages(&xpub, &[b"\x01news"]).await;
        xsub.send("up").await.expect("sent");
        xsub.send([&b"\x01up"[..], b"in two frames"]).await.expect("sent");
        xsub.send("").await.expect("sent");
        assert_eq!(xpub.recv().await.expect("received"), "up");
        assert_eq!(xpub.recv().await.expect("received"), [&b"\x01up"[..], b"in two frames"]);
        assert_eq!(xpub.recv().await.expect("received"), "");
        for n in 0..100 {
            xpub.send(["news".to_owned(), n.to_string()]).await.expect("sent");
            xpub.send("nothing for you").await.expect("sent");
            assert_eq!(xsub.recv().await.expect("received"), ["news".to_owned(), n.to_string()]);
        }
        xsub.send(b"\0news").await.expect("sent");
        xsub.try_send(b"\0news").expect("sent");
        expect_messages(&xpub, &[b"\0news"]).await;
        // A publisher that connects later receives all subscriptions.
        xsub.subscribe("later").expect("open");
        expect_messages(&xpub, &[b"\x01later"]).await;
        let (publisher, there) = at.bound(PubSocket::builder()).await;
        xsub.connect(there).await.expect("connected");
        publisher.wait_for_subscriptions(1).await.expect("open");
        publisher.send("later").await.expect("sent");
        assert_eq!(xsub.recv().await.expect("received"), "later");
    }

    async fn xsub_message_reaches_all_xpubs(at) {
        let mut xpubs = Vec::new();
        let xsub = at.build(XsubSocket::builder());
        for _ in 0..3 {
            let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
            xsub.connect(endpoint).await.expect("connected");
            xpubs.push(xpub);
        }
        xsub.wait_for_peers(3).await.expect("open");
        for n in 0..100 {
            xsub.send(numbered(n)).await.expect("sent");
        }
        for xpub in &xpubs {
            for n in 0..100 {
                assert_eq!(xpub.recv().await.expect("received"), numbered(n));
            }
            assert!(xpub.recv().at_once().is_none());
        }
        assert_eq!(xsub.stats().dropped, 0);
    }

    async fn full_xsub_queue_drops_and_counts(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().recv_hwm(1)).await;
        let xsub = at.connected(XsubSocket::builder().send_hwm(10), &endpoint).await;
        xsub.wait_for_peers(1).await.expect("open");
        for _ in 0..3000 {
            xsub.send(vec![7; 20_000]).await.expect("never blocks");
        }
        let stats = xsub.stats();
        assert!(stats.dropped > 0 && stats.send_queue <= 10, "{stats:?}");
        drop(xpub);
    }

    async fn welcome_message_reaches_each_peer(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().xpub_welcome_msg(["hello", "from here"])).await;
        for _ in 0..3 {
            let sub = at.connected(SubSocket::builder(), &endpoint).await;
            sub.subscribe("hello").expect("open");
            assert_eq!(sub.recv().await.expect("received"), ["hello", "from here"]);
            expect_messages(&xpub, &[b"\x01hello"]).await;
            sub.close().await;
            expect_messages(&xpub, &[b"\0hello"]).await;
        }
    }
}

over_streams! {
    async fn lost_peer_cancels_its_topics(at) {
        let (xpub, endpoint) = at.bound(XpubSocket::builder().recv_hwm(2)).await;
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "SUB");
            for n in 0..50_u8 {
                wire.put(&command("SUBSCRIBE", &[n]));
            }
            wire.put(&frame(0, b"\x01old form"));
            wire
        })
        .await;
        // The peer disconnects before all of its subscriptions are processed.
        testing::eventually("two messages are queued", || xpub.stats().recv_queue == 2).await;
        wire.close();
        let mut open = std::collections::HashSet::new();
        let mut report_count = 0;
        while report_count == 0 || !open.is_empty() {
            let message = xpub.recv().await.expect("received");
            let (kind, topic) = message[0].split_first().expect("a kind");
            report_count += 1;
            match kind {
                1 => assert!(open.insert(topic.to_vec()), "twice"),
                _ => assert!(open.remove(topic), "never there"),
            }
        }
        assert_eq!(xpub.subscription_count(), 0);
    }
}
