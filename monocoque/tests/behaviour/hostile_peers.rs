//! Peers that violate the protocol: they are disconnected, and a well-behaved peer is not affected.

use std::time::Duration;

use monocoque::Endpoint;
use monocoque::zmq::{DealerSocket, PubSocket, PullSocket, PushSocket, RouterSocket, SubSocket};
use testing::{
    RawPeer, RawPeerListener, RawPeerSource, command, frame, greeting, over_streams, property, ready,
};

/// Violations during the handshake: the name of each case, and all bytes that the peer sends.
fn bad_handshakes() -> Vec<(&'static str, Vec<u8>)> {
    let with = |change: fn(&mut [u8; 64])| {
        let mut bytes = greeting();
        change(&mut bytes);
        [&bytes[..], &ready("DEALER", b"")].concat()
    };
    let after = |bytes: &[u8]| [&greeting()[..], bytes].concat();
    let metadata = |bytes: &[u8]| after(&command("READY", bytes));
    let kind = property("Socket-Type", b"DEALER");
    vec![
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x2a\x2a\x2a\x2a\x2a\x2a\x2a".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        ("zeros", vec![0; 64]),
        ("ZMTP 1.0", b"\x01\x00\x06\x00HELLO".to_vec()),
        ("ZMTP 2.0", b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\0\0".to_vec()),
        ("signature", with(|bytes| bytes[9] = 0x7e)),
        ("PLAIN", with(|bytes| bytes[12..17].copy_from_slice(b"PLAIN"))),
        ("CURVE", with(|bytes| bytes[12..17].copy_from_slice(b"CURVE"))),
        ("a mechanism without a name", with(|bytes| bytes[12..16].fill(0))),
        ("a message before READY", after(&frame(0, b"too early"))),
        ("READY without the flag", after(&[&[0][..], &ready("DEALER", b"")[1..]].concat())),
        ("a command that is not READY", after(&command("PING", b"\0\0"))),
        ("an ERROR", after(&command("ERROR", b"\x03why"))),
        ("an empty command", after(&frame(4, b""))),
        ("a name beyond the frame", after(&frame(4, b"\x06READY"))),
        ("a huge command", after(&[&[6][..], &u64::MAX.to_be_bytes()].concat())),
        ("flags", after(&frame(0x0c, b"\x05READY"))),
        ("a command of 64 KiB and one", after(&[&[6][..], &65_537_u64.to_be_bytes()].concat())),
        ("an empty name", after(&frame(4, b"\0READY"))),
        ("one property too many", metadata(&[&kind[..], &property("X-a", b"").repeat(256)].concat())),
        ("a value of 4 GiB", metadata(b"\x0bSocket-Type\xff\xff\xff\xffDEALER")),
        ("no type", metadata(b"")),
        ("an unknown type", metadata(&property("Socket-Type", b"NOBODY"))),
        ("a type that does not fit", metadata(&property("Socket-Type", b"PUB"))),
        ("a value beyond the frame", metadata(&[&kind[..kind.len() - 6], b"\0\0\0\x07DEALER"].concat())),
        ("a tail of one byte", metadata(&[&kind[..], b"x"].concat())),
        ("a property without a name", metadata(&[&kind[..], &property("", b"x")].concat())),
        ("an identity of 256 bytes", metadata(&[&kind[..], &property("Identity", &[1; 256])].concat())),
        ("an identity that starts with zero", metadata(&[kind, property("Identity", b"\0id")].concat())),
    ]
}

/// Violations after a valid handshake.
fn bad_traffic() -> Vec<(&'static str, Vec<u8>)> {
    let ping = |len| frame(4, &b"\x04PING\0\0"[..len]);
    let mut cases = vec![
        ("READY again", ready("DEALER", b"")),
        ("COMMAND and MORE", frame(5, b"\x04PING\0\0")),
        ("COMMAND, MORE and LONG", [&[7][..], &7_u64.to_be_bytes(), b"\x04PING\0\0"].concat()),
        ("a reserved flag", frame(8, b"x")),
        ("all flags", frame(0xff, b"x")),
        ("a length of 2^64-1", [&[2][..], &u64::MAX.to_be_bytes(), b"x"].concat()),
        ("a name beyond the frame", frame(4, b"\xffPING")),
        ("a SUBSCRIBE to a socket that does not publish", command("SUBSCRIBE", b"topic")),
        ("a CANCEL to such a socket", command("CANCEL", b"topic")),
        ("an ERROR", command("ERROR", b"\x03why")),
        ("an ERROR with a reason beyond its frame", command("ERROR", b"\xffwhy")),
    ];
    cases.extend((0..7).map(|len| ("a PING that is too short", ping(len))));
    let lengths = [1 << 63, u64::MAX - 37, u64::MAX >> 1];
    cases.extend(lengths.map(|len: u64| ("a length", [&[2][..], &len.to_be_bytes()].concat())));
    let flags = [5, 7, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 0xfe];
    cases.extend(flags.map(|flags| ("flags", vec![flags, 0, 0, 0, 0, 0, 0, 0, 0])));
    cases
}

/// Exchanges a message with the well-behaved DEALER, which must not be affected.
async fn exchange_message(router: &RouterSocket, dealer: &DealerSocket) {
    dealer.send("still there?").await.expect("sent");
    let message = router.recv().await.expect("received");
    assert_eq!(message.len(), 2, "a message of a bad peer was received: {message:?}");
    router.send(message).await.expect("sent");
    assert_eq!(dealer.recv().await.expect("received"), "still there?");
}

over_streams! {
    async fn bound_socket_disconnects_bad_peers(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealer = at.connected(DealerSocket::builder(), &endpoint).await;
        exchange_message(&router, &dealer).await;
        let traffic = bad_traffic().into_iter().map(|(case, bytes)| (case, true, bytes));
        for (case, meets, bytes) in bad_handshakes().into_iter().map(|(case, bytes)| (case, false, bytes)).chain(traffic) {
            println!("{case}");
            let there = endpoint.clone();
            let cut_off = testing::on_blocking_thread(move || {
                let mut wire = if meets { RawPeer::established(&there, "DEALER") } else { RawPeer::connect(&there) };
                // The peer may be disconnected before it has written everything.
                let _written = std::io::Write::write_all(&mut wire, &bytes);
                wire.end()
            });
            let ((), ()) = futures::join!(exchange_message(&router, &dealer), async { drop(cut_off.await) });
            exchange_message(&router, &dealer).await;
            testing::eventually(case, || router.peer_count() == 1).await;
        }
    }

    async fn connecting_socket_retries_bad_handshakes(at) {
        let (router, good) = at.bound(RouterSocket::builder()).await;
        let dealer = at.build(DealerSocket::builder().reconnect_interval(Duration::from_millis(1)));
        dealer.connect(good).await.expect("connected");
        exchange_message(&router, &dealer).await;
        let (listener, bad) = RawPeerListener::bind(&at, "bad");
        dealer.connect(bad).await.expect("connected");
        let cut_off = testing::on_blocking_thread(move || {
            for (case, bytes) in bad_handshakes() {
                println!("{case}");
                let mut wire = listener.accept();
                let _written = std::io::Write::write_all(&mut wire, &bytes);
                wire.end();
            }
            let mut wire = listener.accept();
            assert_eq!(wire.take(64)[9..12], greeting()[9..12], "the socket keeps reconnecting");
            wire
        });
        testing::repeat_until(cut_off, async || exchange_message(&router, &dealer).await).await;
    }

    async fn connecting_socket_disconnects_bad_traffic(at) {
        let (router, good) = at.bound(RouterSocket::builder().reconnect_interval(Duration::from_millis(1))).await;
        let dealer = at.connected(DealerSocket::builder(), &good).await;
        exchange_message(&router, &dealer).await;
        let (listener, bad) = RawPeerListener::bind(&at, "bad");
        router.connect(bad).await.expect("connected");
        let cut_off = testing::on_blocking_thread(move || {
            for (case, bytes) in bad_traffic() {
                println!("{case}");
                let mut wire = listener.accept();
                wire.shake_hands("DEALER", b"");
                let _written = std::io::Write::write_all(&mut wire, &bytes);
                wire.end();
            }
            listener.accept()
        });
        let _wire = testing::repeat_until(cut_off, async || exchange_message(&router, &dealer).await).await;
        testing::eventually("the last peer has disconnected", || router.peer_count() == 1).await;
    }

    async fn noise_and_echoes_are_disconnected(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().reconnect_interval(Duration::from_millis(1))).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let exchange = async || {
            push.send("still there?").await.expect("sent");
            assert_eq!(pull.recv().await.expect("received"), "still there?");
        };
        let mut chance = testing::seeded_rng();
        for source in RawPeerSource::both(&at, &pull, &endpoint).await {
            let noise: Vec<Vec<u8>> = (0..20).map(|_| (0..64).map(|_| chance.u8(..)).collect()).collect();
            let cut_off = testing::on_blocking_thread(move || {
                for bytes in noise {
                    let mut wire = source.next();
                    let _written = std::io::Write::write_all(&mut wire, &bytes);
                    wire.end();
                }
                // The socket receives its own bytes: a PULL rejects a PULL.
                let mut wire = source.next();
                let mut buffer = [0; 256];
                let mut echoed = 0;
                while let Ok(n @ 1..) = std::io::Read::read(&mut wire, &mut buffer) {
                    let _written = std::io::Write::write_all(&mut wire, &buffer[..n]);
                    echoed += n;
                }
                assert!(echoed > 64, "the handshake got as far as READY");
            });
            testing::repeat_until(cut_off, exchange).await;
        }
    }

    async fn maximum_frame_length_is_refused(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealer = at.connected(DealerSocket::builder(), &endpoint).await;
        testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "DEALER");
            wire.put(&[&[2][..], &(u64::MAX >> 1).to_be_bytes(), b"x"].concat());
            wire.end()
        })
        .await;
        exchange_message(&router, &dealer).await;
    }

    async fn subscribe_to_pull_disconnects_sender(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        push.send("before").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "before");
        testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "PUSH");
            wire.put(&command("SUBSCRIBE", b""));
            wire.end()
        })
        .await;
        push.send("after").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "after");
    }

    async fn pub_ignores_data_messages(at) {
        let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
        let good = at.connected(SubSocket::builder(), &endpoint).await;
        good.subscribe("").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        let there = endpoint.clone();
        let mut odd = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&there, "SUB");
            wire.put(&frame(0, b"data"));
            wire.put(&[frame(1, b"\x01more"), frame(0, b"of it")].concat());
            wire.put(&command("CANCEL", b"what was never subscribed to"));
            wire.put(&command("XYZ", b"unknown"));
            wire.put(&command("SUBSCRIBE", b"odd"));
            wire
        })
        .await;
        publisher.wait_for_subscriptions(2).await.expect("open");
        publisher.send("odd").await.expect("sent");
        assert_eq!(good.recv().await.expect("received"), "odd");
        let delivered = testing::on_blocking_thread(move || odd.frame()).await;
        assert_eq!(delivered, (0, b"odd".to_vec()));
    }

    async fn every_socket_type_answers_ping(at) {
        async fn check(endpoint: Endpoint, theirs: &'static str) {
            let pong = testing::on_blocking_thread(move || {
                let mut wire = RawPeer::established(&endpoint, theirs);
                wire.put(&command("PING", b"\0\0LOL"));
                wire.put(&command("PONG", b"nobody asked"));
                let first = wire.frame();
                wire.put(&command("PING", b"\0\x000123456789abcdefand more"));
                (first, wire.frame())
            })
            .await;
            assert_eq!(pong.0, (4, b"\x04PONGLOL".to_vec()), "{theirs}");
            assert_eq!(pong.1, (4, b"\x04PONG0123456789abcdef".to_vec()), "{theirs}");
        }
        let (_pull, endpoint) = at.bound(PullSocket::builder()).await;
        check(endpoint, "PUSH").await;
        let (_push, endpoint) = at.bound(PushSocket::builder()).await;
        check(endpoint, "PULL").await;
        let (_router, endpoint) = at.bound(RouterSocket::builder()).await;
        check(endpoint, "REQ").await;
        let (_publisher, endpoint) = at.bound(PubSocket::builder()).await;
        check(endpoint, "SUB").await;
    }

    async fn partial_message_is_never_received(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealer = at.connected(DealerSocket::builder(), &endpoint).await;
        let halves = [
            frame(1, b"a part"),
            [frame(1, b"a part"), frame(1, b"another")].concat(),
            [frame(1, b"a part"), b"\x00\x05of".to_vec()].concat(),
            b"\x00".to_vec(),
            b"\x02\0\0\0\0".to_vec(),
            [&[2][..], &1_000_000_u64.to_be_bytes(), &[1; 999_999]].concat(),
        ];
        for half in halves {
            let there = endpoint.clone();
            let dying = testing::on_blocking_thread(move || {
                let mut wire = RawPeer::connect(&there);
                wire.shake_hands("DEALER", b"same");
                wire.put(&[&frame(0, b"whole")[..], &half].concat());
                wire.put(b"");
            });
            dying.await;
            let message = router.recv().await.expect("received");
            assert_eq!(message, ["same", "whole"]);
            exchange_message(&router, &dealer).await;
            testing::eventually("the peer has disconnected", || router.peer_count() == 1).await;
        }
        assert!(router.try_recv().is_err());
    }

    async fn staged_greeting_completes_handshake(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let stages = |mut wire: RawPeer| {
            // As libzmq does: each stage follows the same stage of the peer.
            let hello = greeting();
            wire.put(&hello[..10]);
            wire.take(10);
            wire.put(&hello[10..11]);
            wire.take(1);
            wire.put(&hello[11..]);
            wire.take(53);
            wire.frame();
            for byte in ready("PUSH", b"") {
                wire.put(&[byte]);
            }
            wire.put(&frame(0, b"at last"));
            wire
        };
        let there = endpoint.clone();
        let wire = testing::on_blocking_thread(move || stages(RawPeer::connect(&there))).await;
        assert_eq!(pull.recv().await.expect("received"), "at last");
        drop(wire);

        let (listener, there) = RawPeerListener::bind(&at, "stages");
        pull.connect(there).await.expect("connected");
        let _wire = testing::on_blocking_thread(move || stages(listener.accept())).await;
        assert_eq!(pull.recv().await.expect("received"), "at last");
    }

    async fn handshake_survives_any_split(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let all = [&greeting()[..], &ready("PUSH", b""), &frame(1, b"a"), &frame(0, b"b")].concat();
        for cut in (0..all.len()).step_by(3) {
            let (there, all) = (endpoint.clone(), all.clone());
            let wire = testing::on_blocking_thread(move || {
                let mut wire = RawPeer::connect(&there);
                wire.put(&all[..cut]);
                // The socket's greeting does not depend on the peer's.
                wire.take(64);
                wire.put(&all[cut..]);
                wire
            })
            .await;
            assert_eq!(pull.recv().await.expect("received"), ["a", "b"]);
            drop(wire);
        }
    }

    async fn endless_handshake_times_out(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder().handshake_timeout(Some(Duration::from_millis(200)))).await;
        testing::on_blocking_thread(move || {
            let mut silent = RawPeer::connect(&endpoint);
            let mut slow = RawPeer::connect(&endpoint);
            let start = std::time::Instant::now();
            // One byte at a time, each within the timeout.
            let mut bytes_sent = 0;
            for byte in greeting().iter().chain(ready("PUSH", b"").iter()).cycle() {
                if std::io::Write::write_all(&mut slow, &[*byte]).is_err() {
                    break;
                }
                bytes_sent += 1;
                if bytes_sent == 64 + 30 {
                    break;
                }
                std::thread::park_timeout(Duration::from_millis(10));
            }
            silent.end();
            slow.end();
            assert!(start.elapsed() < Duration::from_secs(10));
        })
        .await;
        assert_eq!(pull.peer_count(), 0);
    }
}
