//! Hostile traffic after a valid handshake: too much, too often, or none. Its cost is bounded, and
//! a well-behaved peer is not affected. Each hostile peer both connects and accepts.

use std::io::Write;
use std::thread;
use std::time::Duration;

use compio::runtime::Runtime;
use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket,
};
use testing::{
    RawPeer, RawPeerSource, command, frame, greeting, numbered, over_streams, ready, repeat_until,
    resident_bytes,
};

/// Reconnect interval of the sockets.
const AT_ONCE: Duration = Duration::from_millis(1);
/// Size of a topic; four of them are the limit of a peer.
const LARGE: usize = 16 << 20;

/// Sends one message and receives it.
async fn exchange_push_pull(push: &PushSocket, pull: &PullSocket) {
    push.send("still there?").await.expect("sent");
    assert_eq!(pull.recv().await.expect("received"), "still there?");
}

async fn exchange_request_reply(request: &ReqSocket, reply: &RepSocket) {
    let (answer, ()) = futures::join!(request.request("still there?"), async {
        let question = reply.recv().await.expect("received");
        reply.send(question).await.expect("sent");
    });
    assert_eq!(answer.expect("answered"), "still there?");
}

async fn exchange_publication(publisher: &PubSocket, subscriber: &SubSocket) {
    publisher.send("still there?").await.expect("sent");
    assert_eq!(subscriber.recv().await.expect("received"), "still there?");
}

over_streams! {
    async fn oversized_command_header_disconnects(at) {
        for limit in [None, Some(0), Some(1000)] {
            let (pull, endpoint) = at
                .bound(PullSocket::builder().max_message_size(limit).reconnect_interval(AT_ONCE))
                .await;
            let push = at.connected(PushSocket::builder().reconnect_interval(AT_ONCE), &endpoint).await;
            let before = resident_bytes();
            let source = RawPeerSource::one_per_placement(&at, &pull, &endpoint).await;
            let cut_off = testing::on_blocking_thread(move || {
                for name in ["PING", "PONG", "ERROR", "FOO", "SUBSCRIBE", "CANCEL", "READY"] {
                    let mut wire = source.established("PUSH");
                    let long = (1_u64 << 40).to_be_bytes();
                    let header = [&[6][..], &long, &[name.len() as u8], name.as_bytes()].concat();
                    if wire.write_all(&header).is_ok() {
                        while wire.write_all(&[0; 64 * 1024]).is_ok() {}
                    }
                }
            });
            repeat_until(cut_off, async || {
                match limit {
                    Some(0) => testing::yield_now().await,
                    _ => exchange_push_pull(&push, &pull).await,
                }
            })
            .await;
            let grown = resident_bytes().saturating_sub(before);
            assert!(grown < 32 << 20, "{grown} bytes for commands without an end, limit {limit:?}");
        }
    }

    async fn subscription_ignores_max_message_size(at) {
        let (publisher, endpoint) =
            at.bound(PubSocket::builder().max_message_size(Some(1)).reconnect_interval(AT_ONCE)).await;
        let sizes = [300, 100_000, 2_000_000];
        let subscribed = testing::on_blocking_thread(move || {
            let mut wires = Vec::new();
            for size in sizes {
                let topic = vec![b'x'; size];
                let mut wire = RawPeer::established(&endpoint, "SUB");
                wire.write_all(&command("SUBSCRIBE", &topic)).expect("accepted by the system");
                wires.push(wire);
                let mut older = RawPeer::established(&endpoint, "SUB");
                older.write_all(&frame(0, &[&[1], &topic[..]].concat())).expect("accepted by the system");
                wires.push(older);
            }
            wires
        });
        let wires = subscribed.await;
        publisher.wait_for_subscriptions(wires.len()).await.expect("all are there");
    }

    async fn endless_multipart_message_disconnects(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().reconnect_interval(AT_ONCE)).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let before = resident_bytes();
        let source = RawPeerSource::one_per_placement(&at, &pull, &endpoint).await;
        let cut_off = testing::on_blocking_thread(move || {
            let mut wire = source.established("PUSH");
            let frames = frame(1, b"").repeat(10_000);
            let mut sent = 0;
            while wire.write_all(&frames).is_ok() {
                sent += 10_000;
            }
            // The last write may have been accepted in part.
            sent + 10_000
        });
        let sent = repeat_until(cut_off, async || exchange_push_pull(&push, &pull).await).await;
        assert!(sent > 1 << 20, "disconnected after only {sent} frames");
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 256 << 20, "{grown} bytes for frames without a body");
        assert!(pull.try_recv().is_err(), "nothing of it is received");
    }

    async fn quarter_million_frames_arrive(at) {
        const FRAMES: usize = 250_000;
        let (pull, endpoint) = at.bound(PullSocket::builder().reconnect_interval(AT_ONCE)).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let source = RawPeerSource::one_per_placement(&at, &pull, &endpoint).await;
        let said = testing::on_blocking_thread(move || {
            let mut wire = source.established("PUSH");
            wire.put(&[frame(1, b"").repeat(FRAMES - 1), frame(0, b"last")].concat());
            wire
        });
        let mut found = None;
        let listen = async || {
            push.send("still there?").await.expect("sent");
            let message = pull.recv().await.expect("received");
            if message != "still there?" {
                assert!(found.replace(message).is_none(), "once");
                assert_eq!(pull.recv().await.expect("received"), "still there?");
            }
        };
        let _wire = repeat_until(said, listen).await;
        let message = match found {
            Some(message) => message,
            None => pull.recv().await.expect("received"),
        };
        assert_eq!((message.len(), message.get(FRAMES - 1)), (FRAMES, Some(&b"last"[..])));
    }

    async fn ping_flood_coalesces_unread_pongs(at) {
        const PINGS: usize = 50_000;
        let (push, endpoint) = at.bound(PushSocket::builder().send_hwm(1).reconnect_interval(AT_ONCE)).await;
        for (turn, source) in (1..).zip(RawPeerSource::both(&at, &push, &endpoint).await) {
            let (go, gone) = std::sync::mpsc::channel();
            let flood = testing::on_blocking_thread(move || {
                let mut wire = source.established("PULL");
                gone.recv().expect("the peer's receive buffer is full");
                wire.put(&command("PING", b"\0\x000123456789abcdef").repeat(PINGS));
                wire.put(&command("PONG", b"nobody asked"));
                wire.put(&frame(0, b"behind all of them"));
                wire
            });
            push.wait_for_peers(1).await.expect("open");
            let large = vec![7; 100_000];
            testing::fill(&push, |_| large.clone().into()).await;
            go.send(()).expect("the flood task waits");
            let pull = at.connected(PullSocket::builder(), &endpoint).await;
            // The kernel may accept another message for the other peer, so that not each of them
            // arrives here.
            let talk = async || {
                testing::eventually("the well-behaved peer receives", || push.try_send("still there?").is_ok() | pull.try_recv().is_ok()).await;
            };
            let mut wire = repeat_until(flood, talk).await;
            // The message behind the PINGs is discarded and counted, which shows that all PINGs
            // have been read.
            repeat_until(testing::eventually("all messages are read", || push.stats().discarded == turn), talk).await;
            testing::eventually("the well-behaved peer receives", || {
                let _full = push.try_send("still there?");
                pull.try_recv().is_ok()
            })
            .await;
            let read = testing::on_blocking_thread(move || {
                let mut pongs = 0_usize;
                loop {
                    match wire.frame() {
                        (4, body) if body == b"\x04PONGlast" => return pongs,
                        (4, body) => {
                            assert_eq!(body, b"\x04PONG0123456789abcdef");
                            pongs += 1;
                            // After the last PONG no reply is queued, and this PING is answered.
                            wire.put(&command("PING", b"\0\0last"));
                        }
                        (_, body) => assert!(body == large || body == b"still there?"),
                    }
                }
            });
            let pongs = read.await;
            // One PONG for each write that the kernel accepted, not one for each PING.
            assert!((1..PINGS / 50).contains(&pongs), "{pongs} PONGs were queued");
            drop(pull);
            testing::eventually("both peers have disconnected", || push.peer_count() == 0).await;
        }
    }

    async fn only_expired_ping_ttl_disconnects(at) {
        async fn check(source: &std::sync::Arc<RawPeerSource>, theirs: &'static str) {
            let source = source.clone();
            testing::on_blocking_thread(move || {
                let mut silent = source.established(theirs);
                // First no TTL, then one of almost two hours; the last one is a tenth of a second.
                for ttl in [b"\0\0", b"\xff\xff"] {
                    silent.put(&command("PING", ttl));
                    assert_eq!(silent.frame(), (4, b"\x04PONG".to_vec()));
                }
                let start = std::time::Instant::now();
                let mut lies = match &*source {
                    RawPeerSource::Dial(_) => source.established(theirs),
                    // A listener has one connection at a time: the same peer sends the next PING.
                    RawPeerSource::Listen(_) => {
                        silent.put(&command("PING", b"\0\x01"));
                        assert_eq!(silent.frame(), (4, b"\x04PONG".to_vec()));
                        silent.end();
                        assert!(start.elapsed() >= Duration::from_millis(100), "disconnected too early");
                        return;
                    }
                };
                lies.put(&command("PING", b"\0\x01"));
                assert_eq!(lies.frame(), (4, b"\x04PONG".to_vec()));
                lies.end();
                assert!(start.elapsed() >= Duration::from_millis(100), "disconnected too early");
                // The other peer was silent for as long, and is still connected.
                silent.put(&command("PING", b"\0\0LOL"));
                assert_eq!(silent.frame(), (4, b"\x04PONGLOL".to_vec()));
            })
            .await;
        }
        let (pull, endpoint) = at.bound(PullSocket::builder().reconnect_interval(AT_ONCE)).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        for source in RawPeerSource::both(&at, &pull, &endpoint).await {
            repeat_until(check(&source, "PUSH"), async || exchange_push_pull(&push, &pull).await).await;
        }
        // Send-only socket types detect it too.
        let (push, endpoint) = at.bound(PushSocket::builder().reconnect_interval(AT_ONCE)).await;
        for source in RawPeerSource::both(&at, &push, &endpoint).await {
            check(&source, "PULL").await;
        }
        let (publisher, endpoint) = at.bound(PubSocket::builder().reconnect_interval(AT_ONCE)).await;
        for source in RawPeerSource::both(&at, &publisher, &endpoint).await {
            check(&source, "SUB").await;
        }
    }

    async fn malformed_request_envelope_is_dropped(at) {
        let (reply, endpoint) = at.bound(RepSocket::builder().reconnect_interval(AT_ONCE)).await;
        let request = at.connected(ReqSocket::builder(), &endpoint).await;
        for source in RawPeerSource::both(&at, &reply, &endpoint).await {
            let mut wire = testing::on_blocking_thread(move || {
                let mut wire = source.established("DEALER");
                for _ in 0..100 {
                    wire.put(&frame(0, b"no delimiter"));
                    wire.put(&[frame(1, b"no"), frame(1, b"delimiter"), frame(0, b"either")].concat());
                    wire.put(&frame(0, b""));
                    wire.put(&[frame(1, b"no body"), frame(0, b"")].concat());
                }
                wire
            })
            .await;
            exchange_request_reply(&request, &reply).await;
            let answer = testing::on_blocking_thread(move || {
                wire.put(&[frame(1, b""), frame(0, b"good")].concat());
                [wire.frame(), wire.frame()]
            });
            let serve = async {
                let question = reply.recv().await.expect("received");
                assert_eq!(question, "good");
                reply.send(question).await.expect("sent");
            };
            let (answer, ()) = futures::join!(answer, serve);
            assert_eq!(answer, [(1, vec![]), (0, b"good".to_vec())]);
            exchange_request_reply(&request, &reply).await;
        }
    }

    async fn ten_thousand_frame_envelope_returns(at) {
        const HOPS: usize = 10_000;
        let (reply, endpoint) = at.bound(RepSocket::builder().reconnect_interval(AT_ONCE)).await;
        let request = at.connected(ReqSocket::builder(), &endpoint).await;
        for source in RawPeerSource::both(&at, &reply, &endpoint).await {
            let answer = testing::on_blocking_thread(move || {
                let mut wire = source.established("DEALER");
                wire.put(&[frame(1, b"hop").repeat(HOPS), frame(1, b""), frame(0, b"question")].concat());
                for _ in 0..HOPS {
                    assert_eq!(wire.frame(), (1, b"hop".to_vec()));
                }
                [wire.frame(), wire.frame()]
            });
            let serve = async {
                let question = reply.recv().await.expect("received");
                assert_eq!(question, "question");
                reply.send("answer").await.expect("sent");
            };
            let (answer, ()) = futures::join!(answer, serve);
            assert_eq!(answer, [(1, vec![]), (0, b"answer".to_vec())]);
            exchange_request_reply(&request, &reply).await;
        }
        let (router, endpoint) = at.bound(RouterSocket::builder().reconnect_interval(AT_ONCE)).await;
        for source in RawPeerSource::both(&at, &router, &endpoint).await {
            let wire = testing::on_blocking_thread(move || {
                let mut wire = source.established("DEALER");
                wire.put(&[frame(1, b"hop").repeat(HOPS), frame(0, b"question")].concat());
                wire
            });
            let (_wire, message) = futures::join!(wire, router.recv());
            assert_eq!(message.expect("received").len(), 1 + HOPS + 1);
        }
    }

    async fn huge_topics_subscribe_and_cancel(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder().reconnect_interval(AT_ONCE)).await;
        let good = at.connected(SubSocket::builder(), &endpoint).await;
        good.subscribe("").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        for source in RawPeerSource::both(&at, &publisher, &endpoint).await {
            let come_and_go = testing::on_blocking_thread(move || {
                let mut wire = source.established("SUB");
                let topic = vec![b's'; LARGE];
                wire.put(&command("SUBSCRIBE", &topic));
                wire.put(&command("CANCEL", &topic));
                // The form of ZMTP 3.0 too, for a topic that is never cancelled.
                wire.put(&frame(0, &[b"\x01", &topic[1..]].concat()));
                wire.put(&command("CANCEL", b"what was never subscribed to"));
                wire.put(&command("SUBSCRIBE", b"still"));
                assert_eq!(wire.frame(), (0, b"still there?".to_vec()));
            });
            repeat_until(come_and_go, async || exchange_publication(&publisher, &good).await).await;
            testing::eventually("the subscriptions are removed", || publisher.subscription_count() == 1).await;
        }
    }

    async fn excessive_topic_bytes_disconnect_peer(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder().reconnect_interval(AT_ONCE)).await;
        let good = at.connected(SubSocket::builder(), &endpoint).await;
        good.subscribe("").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        let before = resident_bytes();
        for source in RawPeerSource::both(&at, &publisher, &endpoint).await {
            let too_much = testing::on_blocking_thread(move || {
                let mut wire = source.established("SUB");
                for n in 0..5 {
                    // The fifth exceeds the limit.
                    let _written = wire.write_all(&command("SUBSCRIBE", &vec![n; LARGE]));
                }
                wire.end()
            });
            repeat_until(too_much, async || exchange_publication(&publisher, &good).await).await;
            testing::eventually("the subscriptions are removed", || publisher.subscription_count() == 1).await;
        }
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 256 << 20, "{grown} bytes are kept for removed topics");
    }

    async fn peer_without_handshake_gets_nothing(at) {
        const SILENT: usize = 20;
        let (push, endpoint) = at.bound(PushSocket::builder()).await;
        let there = endpoint.clone();
        let mut silent = testing::on_blocking_thread(move || {
            let silent = (0..SILENT).map(|_| RawPeer::connect(&there));
            let mut silent: Vec<_> = silent.collect();
            // Some peers stop after the greeting, some in the middle of READY.
            for (n, wire) in silent.iter_mut().enumerate() {
                let all = [&greeting()[..], &ready("PULL", b"")].concat();
                wire.put(&all[..[0, 10, 64, all.len() - 1][n % 4]]);
                wire.take(64);
            }
            silent
        })
        .await;
        for n in 0..SILENT {
            let (listener, there) = testing::RawPeerListener::bind(&at, &format!("silent-{n}"));
            push.connect(there).await.expect("connected");
            silent.push(testing::on_blocking_thread(move || listener.accept()).await);
        }
        let pull = at.connected(PullSocket::builder(), &endpoint).await;
        push.wait_for_peers(1).await.expect("open");
        for n in 0..500 {
            push.send(numbered(n)).await.expect("sent");
            assert_eq!(pull.recv().await.expect("received"), numbered(n));
        }
        assert_eq!(push.peer_count(), 1);
        push.close().await;
        testing::on_blocking_thread(move || {
            for mut wire in silent {
                let bytes_read = wire.end();
                assert!(!bytes_read.windows(3).any(|bytes| bytes == [0, 3, b'1']), "a message: {bytes_read:x?}");
                assert!(bytes_read.len() <= 64 + 64, "more than a greeting and READY: {bytes_read:x?}");
            }
        })
        .await;
    }

    async fn noisy_dealer_leaves_others_served(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder().reconnect_interval(AT_ONCE)).await;
        let dealer = at.connected(DealerSocket::builder(), &endpoint).await;
        for source in RawPeerSource::both(&at, &router, &endpoint).await {
            let noise = testing::on_blocking_thread(move || {
                let mut wire = source.established("DEALER");
                for _ in 0..1000 {
                    wire.put(&[frame(0, b""), frame(1, b""), frame(0, b""), command("XYZ", b"unknown")].concat());
                }
                wire
            });
            let mut theirs = 0;
            let _wire = repeat_until(noise, async || {
                dealer.send("still there?").await.expect("sent");
                loop {
                    let message = router.recv().await.expect("received");
                    if message.get(1) == Some(b"still there?") {
                        router.send(message).await.expect("sent");
                        break;
                    }
                    theirs += 1;
                }
                assert_eq!(dealer.recv().await.expect("received"), "still there?");
            })
            .await;
            while theirs < 2000 {
                router.recv().await.expect("received");
                theirs += 1;
            }
            assert!(router.try_recv().is_err());
        }
    }
}

/// Ends a runtime while reads are submitted to the kernel, some in the middle of a handshake.
#[test]
fn runtime_end_keeps_read_buffers() {
    for _ in 0..20 {
        let mut peers = Vec::new();
        let kept: Vec<_> = Runtime::new().expect("a runtime").block_on(async {
            let pull = PullSocket::new().expect("a socket");
            let endpoint = pull.bind("tcp://127.0.0.1:0").await.expect("bound");
            for n in 1..=3 {
                let endpoint = endpoint.clone();
                peers.push(thread::spawn(move || {
                    let mut stranger = RawPeer::connect(&endpoint);
                    stranger.put(&greeting());
                    let mut peer = RawPeer::established(&endpoint, "PUSH");
                    let many = frame(0, &[n; 3_000]).repeat(100);
                    // Writes until the runtime ends.
                    while peer.write_all(&many).is_ok() {}
                    stranger
                }));
            }
            pull.wait_for_peers(3).await.expect("open");
            let mut kept = Vec::new();
            for _ in 0..100 {
                kept.push(pull.recv().await.expect("open"));
            }
            kept
        });
        let others = vec![vec![0_u8; 8 * 1024]; 500];
        peers.into_iter().for_each(|peer| drop(peer.join().expect("the process ends")));
        assert!(others.iter().flatten().all(|byte| *byte == 0));
        assert!(kept.iter().all(|message| message[0].len() == 3_000));
        assert!(kept.iter().all(|message| message[0].iter().all(|byte| *byte == message[0][0])));
    }
}
