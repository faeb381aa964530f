//! STREAM sockets: peers that send raw bytes instead of ZMTP.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use monocoque::zmq::{DealerSocket, SocketType, StreamSocket};
use monocoque::{DisconnectReason, MonocoqueError, RoutingId, SocketEvent, proxy};
use testing::{AtOnce, RawPeer, RawPeerListener, numbered, over_streams, resident_bytes};

const AT_ONCE: Duration = Duration::from_millis(1);

/// Receives a connect notice and returns the routing id of the peer.
async fn expect_connect_notice(stream: &StreamSocket) -> RoutingId {
    let (id, chunk) = stream.recv_from().await.expect("received");
    assert_eq!(chunk, "", "a connect notice is empty");
    id
}

/// Receives `len` bytes from one peer.
async fn take(stream: &StreamSocket, from: &RoutingId, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let (id, chunk) = stream.recv_from().await.expect("received");
        assert_eq!((&id, chunk.len()), (from, 1));
        assert!((1..=8192).contains(&chunk[0].len()), "{} bytes", chunk[0].len());
        bytes.extend_from_slice(&chunk[0]);
    }
    bytes
}

async fn expect_disconnect_notice(stream: &StreamSocket, peer: &RoutingId) {
    assert_eq!(stream.recv_from().await.expect("received"), (peer.clone(), "".into()));
}

fn is_unreachable(result: Result<(), monocoque::SendError>) -> bool {
    matches!(result.map_err(MonocoqueError::from), Err(MonocoqueError::Unreachable))
}

/// A byte pattern that shifts in each block of 64 KiB.
fn patterned_bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251 + n / 65_536) as u8).collect()
}

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
const ANSWER: &str = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nHello, World!";

over_streams! {
    async fn stream_serves_http_page(at) {
        let (server, endpoint) = at.bound(StreamSocket::builder()).await;
        for _ in 0..10 {
            let there = endpoint.clone();
            let client = testing::on_blocking_thread(move || {
                let mut wire = RawPeer::connect(&there);
                wire.put(REQUEST);
                wire.end()
            });
            let peer = expect_connect_notice(&server).await;
            assert_eq!((peer.len(), peer[0]), (5, 0));
            assert_eq!(take(&server, &peer, REQUEST.len()).await, REQUEST);
            server.send_to(&peer, ANSWER).await.expect("sent");
            server.send_to(&peer, "").await.expect("closed");
            assert_eq!(client.await, ANSWER.as_bytes());
            expect_disconnect_notice(&server, &peer).await;
            assert!(is_unreachable(server.send_to(&peer, "more").await));
        }
        testing::eventually("no peer is left", || server.peer_count() == 0).await;
    }

    async fn stream_fetches_http_page(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "http");
        let client = at.connected(StreamSocket::builder(), &endpoint).await;
        let server = testing::on_blocking_thread(move || {
            let mut wire = listener.accept();
            assert_eq!(wire.take(REQUEST.len()), REQUEST);
            wire.put(ANSWER.as_bytes());
            wire.close();
            listener
        });
        let peer = expect_connect_notice(&client).await;
        client.send([&peer[..], REQUEST]).await.expect("sent");
        assert_eq!(take(&client, &peer, ANSWER.len()).await, ANSWER.as_bytes());
        expect_disconnect_notice(&client, &peer).await;
        drop(server.await);
    }

    async fn two_streams_exchange_bytes(at) {
        let (one, endpoint) = at.bound(StreamSocket::builder()).await;
        let other = at.connected(StreamSocket::builder(), &endpoint).await;
        let (to_other, to_one) = (expect_connect_notice(&one).await, expect_connect_notice(&other).await);
        let bytes = patterned_bytes(3 << 20);
        let send = async |from: &StreamSocket, to: &RoutingId| {
            for piece in bytes.chunks(100_000) {
                from.send_to(to, piece).await.expect("sent");
            }
        };
        let receive = async |at: &StreamSocket, from: &RoutingId| {
            assert!(take(at, from, bytes.len()).await == bytes);
        };
        futures::join!(send(&one, &to_other), send(&other, &to_one), receive(&one, &to_other), receive(&other, &to_one));
        one.close().await;
        expect_disconnect_notice(&other, &to_one).await;
    }

    async fn disconnect_notice_follows_all_bytes(at) {
        let (stream, endpoint) = at.bound(StreamSocket::builder().recv_hwm(3)).await;
        let bytes = patterned_bytes(500_000);
        let sent = bytes.clone();
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::connect(&endpoint);
            wire.put(&sent);
            wire.close();
            wire
        });
        let peer = expect_connect_notice(&stream).await;
        assert!(take(&stream, &peer, bytes.len()).await == bytes);
        expect_disconnect_notice(&stream, &peer).await;
        drop(wire.await);
        assert!(stream.try_recv().is_err());
    }

    async fn unread_bytes_apply_backpressure(at) {
        const FLOOD: usize = 64 << 20;
        let (stream, endpoint) = at.bound(StreamSocket::builder().recv_hwm(10)).await;
        let before = resident_bytes();
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::connect(&endpoint);
            wire.write_timeout(Duration::from_millis(250));
            let chunk = vec![7; 8192];
            let mut sent = 0;
            loop {
                match wire.write(&chunk) {
                    Ok(n) => sent += n,
                    Err(error) => {
                        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
                        break;
                    }
                }
                assert!(sent < FLOOD, "back-pressure never sets in");
            }
            (wire, sent)
        })
        .await;
        assert!(stream.stats().recv_queue <= 10);
        assert!(resident_bytes().saturating_sub(before) < FLOOD / 2);
        let peer = expect_connect_notice(&stream).await;
        let (rest, ended) = futures::join!(take(&stream, &peer, wire.1), testing::on_blocking_thread(move || {
            wire.0.close();
            wire.0
        }));
        assert!(rest.iter().all(|byte| *byte == 7));
        expect_disconnect_notice(&stream, &peer).await;
        drop(ended);
    }

    async fn full_peer_blocks_only_itself(at) {
        let (stream, endpoint) = at.bound(StreamSocket::builder().send_hwm(2)).await;
        let there = endpoint.clone();
        let mut slow = testing::on_blocking_thread(move || RawPeer::connect(&there)).await;
        let slow_id = expect_connect_notice(&stream).await;
        let mut quick = testing::on_blocking_thread(move || RawPeer::connect(&endpoint)).await;
        let quick_id = expect_connect_notice(&stream).await;
        let piece = patterned_bytes(100_000);
        let mut sent = 0;
        let mut full_attempts = 0;
        while full_attempts < 100 {
            match stream.try_send([&slow_id[..], &piece]) {
                Ok(()) => (sent, full_attempts) = (sent + 1, 0),
                Err(error) => {
                    assert!(error.reason().is_would_block(), "{error}");
                    full_attempts += 1;
                    testing::pass_time(&at).await;
                }
            }
        }
        assert!(stream.stats().send_queue <= 2);
        let mut blocked = Box::pin(stream.send_to(&slow_id, &piece[..]));
        assert!(blocked.as_mut().at_once().is_none());
        for _ in 0..100 {
            stream.send_to(&quick_id, "quick").await.expect("sent");
            quick = testing::on_blocking_thread(move || {
                assert_eq!(quick.take(5), b"quick");
                quick
            })
            .await;
        }
        let expected = piece.clone();
        let (result, ()) = futures::join!(blocked, testing::on_blocking_thread(move || {
            for _ in 0..=sent {
                assert!(slow.take(expected.len()) == expected);
            }
        }));
        result.expect("no longer full");
        assert_eq!(stream.stats().dropped, 0);
    }

    async fn lost_peer_fails_waiting_send(at) {
        let (stream, endpoint) = at.bound(StreamSocket::builder().send_hwm(1)).await;
        let wire = testing::on_blocking_thread(move || RawPeer::connect(&endpoint)).await;
        let peer = expect_connect_notice(&stream).await;
        let flood = async {
            while let Ok(()) = stream.send_to(&peer, vec![0; 100_000]).await {}
            stream.send_to(&peer, "more").await
        };
        let (result, ()) = futures::join!(flood, async {
            testing::eventually("the send queue is full", || stream.stats().send_queue == 1).await;
            wire.close();
        });
        assert!(is_unreachable(result));
        assert!(is_unreachable(stream.send(["nobody", "lost"]).await));
        assert!(is_unreachable(stream.send(["nobody", ""]).await));
        let unnamed = stream.send("nothing behind the id").await.expect_err("neither bytes nor a close");
        assert!(matches!(unnamed.reason(), MonocoqueError::EmptyMessage), "{unnamed}");
    }

    async fn empty_message_closes_after_queue(at) {
        let (stream, endpoint) = at.bound(StreamSocket::builder()).await;
        let mut wire = testing::on_blocking_thread(move || RawPeer::connect(&endpoint)).await;
        let peer = expect_connect_notice(&stream).await;
        let piece = patterned_bytes(100_000);
        for _ in 0..100 {
            stream.send_to(&peer, &piece[..]).await.expect("queued");
        }
        stream.try_send([&peer[..], b""]).expect("closed");
        assert!(is_unreachable(stream.send_to(&peer, "more").await));
        assert!(is_unreachable(stream.send_to(&peer, "").await), "already closed");
        let bytes_read = testing::on_blocking_thread(move || wire.end()).await;
        assert!(bytes_read == piece.repeat(100));
        expect_disconnect_notice(&stream, &peer).await;
        assert_eq!((stream.stats().dropped, stream.stats().sent), (0, 100));
    }

    async fn closed_dialled_stream_stays_closed(at) {
        for name in [None, Some("server")] {
            let (listener, endpoint) = RawPeerListener::bind(&at, &format!("listens {}", name.is_some()));
            let stream = at.build(StreamSocket::builder().reconnect_interval(AT_ONCE));
            let mut monitor = stream.monitor();
            match name {
                Some(name) => stream.connect_as(endpoint.clone(), name).await.expect("connected"),
                None => stream.connect(endpoint.clone()).await.expect("connected"),
            };
            let mut wire = testing::on_blocking_thread(move || listener.accept()).await;
            let peer = expect_connect_notice(&stream).await;
            assert!(name.is_none_or(|name| *name.as_bytes() == *peer));
            stream.send_to(&peer, "the last word").await.expect("sent");
            stream.send_to(&peer, "").await.expect("closed");
            assert!(is_unreachable(stream.send_to(&peer, "more").await));
            assert_eq!(testing::on_blocking_thread(move || wire.end()).await, b"the last word");
            expect_disconnect_notice(&stream, &peer).await;
            loop {
                match monitor.next().await.expect("open") {
                    SocketEvent::GivenUp { .. } => break,
                    SocketEvent::Retrying { .. } => panic!("unexpected reconnect"),
                    _ => {}
                }
            }
            assert_eq!(stream.stats().lost_connections, 1);
            let again = stream.disconnect(endpoint).await;
            assert!(matches!(again, Err(MonocoqueError::UnknownEndpoint(_))), "{again:?}");
            if let Some(name) = name {
                stream.connect_as(at.unused_endpoint("another"), name).await.expect("the name is free");
            }
        }
    }

    async fn lost_stream_connection_reconnects(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "listens");
        let stream = at.build(StreamSocket::builder().reconnect_interval(AT_ONCE));
        stream.connect_as(endpoint, "server").await.expect("connected");
        let server = RoutingId::try_from("server").expect("an id");
        let mut listener = Some(listener);
        for round in 0..10 {
            let bytes = format!("round {round}");
            stream.send_to(&server, bytes.clone()).await.expect("queued or sent");
            let accepts = listener.take().expect("the peer has reconnected");
            listener = Some(testing::on_blocking_thread(move || {
                let mut wire = accepts.accept();
                assert_eq!(wire.take(bytes.len()), bytes.as_bytes());
                wire.put(b"heard");
                wire.close();
                accepts
            }).await);
            assert_eq!(expect_connect_notice(&stream).await, server);
            assert_eq!(take(&stream, &server, 5).await, b"heard");
            expect_disconnect_notice(&stream, &server).await;
        }
        drop(listener);
    }

    async fn absent_stream_peer_is_unreachable(at) {
        let stream = at.build(StreamSocket::builder());
        let endpoint = at.unused_endpoint("nowhere");
        stream.connect_as(endpoint.clone(), "absent").await.expect("connected");
        stream.send(["absent", "queued"]).await.expect("queued");
        assert!(is_unreachable(stream.send(["absent", ""]).await));
        assert_eq!(stream.stats().send_queue, 1);
        stream.disconnect(endpoint).await.expect("connected");
        assert!(is_unreachable(stream.send(["absent", "lost"]).await));
        assert_eq!(stream.stats().dropped, 1);
    }

    async fn stream_frames_are_concatenated(at) {
        let (stream, endpoint) = at.bound(StreamSocket::builder()).await;
        let mut wire = testing::on_blocking_thread(move || RawPeer::connect(&endpoint)).await;
        let peer = expect_connect_notice(&stream).await;
        let large = vec![b'x'; 100_000];
        stream.send_to(&peer, [&b"a"[..], b"", &large, b"b"]).await.expect("sent");
        stream.send_to(&peer, ["", "c"]).await.expect("sent");
        let mut expected = b"a".to_vec();
        expected.extend_from_slice(&large);
        expected.extend_from_slice(b"bc");
        let len = expected.len();
        let wire = testing::on_blocking_thread(move || {
            assert!(wire.take(len) == expected);
            wire
        }).await;
        stream.send_to(&peer, ["", ""]).await.expect("closed");
        expect_disconnect_notice(&stream, &peer).await;
        drop(wire);
    }

    async fn notify_off_sends_no_notice(at) {
        let (stream, endpoint) = at.bound(StreamSocket::builder().stream_notify(false)).await;
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::connect(&endpoint);
            wire.put(b"here");
            wire
        }).await;
        let (peer, chunk) = stream.recv_from().await.expect("received");
        assert_eq!(chunk, "here");
        wire.close();
        testing::eventually("the peer has disconnected", || stream.peer_count() == 0).await;
        assert!(stream.try_recv().is_err());
        assert!(is_unreachable(stream.send_to(&peer, "lost").await));
    }

    async fn monitor_reports_stream_events(at) {
        let stream = at.build(StreamSocket::builder());
        let mut monitor = stream.monitor();
        let endpoint = stream.bind(at.wildcard_endpoint()).await.expect("bound");
        let wire = testing::on_blocking_thread(move || RawPeer::connect(&endpoint)).await;
        let peer = expect_connect_notice(&stream).await;
        wire.close();
        expect_disconnect_notice(&stream, &peer).await;
        let mut events = Vec::new();
        loop {
            match monitor.next().await.expect("open") {
                SocketEvent::Listening { .. } => events.push("listening"),
                SocketEvent::Accepted { .. } => events.push("accepted"),
                SocketEvent::HandshakeSucceeded { socket_type, routing_id, .. } => {
                    assert_eq!((socket_type, routing_id), (SocketType::Stream, peer.clone()));
                    events.push("succeeded");
                }
                SocketEvent::Disconnected { reason, .. } => {
                    assert!(matches!(reason, DisconnectReason::ByPeer), "{reason}");
                    break;
                }
                event => panic!("{event:?}"),
            }
        }
        assert_eq!(events, ["listening", "accepted", "succeeded"]);
        assert!(format!("{stream:?}").contains("Stream"));
    }

    async fn close_sends_queued_bytes(at) {
        let (stream, endpoint) = at.bound(StreamSocket::builder()).await;
        let mut wire = testing::on_blocking_thread(move || RawPeer::connect(&endpoint)).await;
        let peer = expect_connect_notice(&stream).await;
        let piece = patterned_bytes(100_000);
        for _ in 0..50 {
            stream.send_to(&peer, &piece[..]).await.expect("queued");
        }
        let (bytes_read, ()) = futures::join!(testing::on_blocking_thread(move || wire.end()), stream.close());
        assert!(bytes_read == piece.repeat(50));
    }

    async fn proxy_connects_stream_and_dealer(at) {
        let (front, endpoint) = at.bound(StreamSocket::builder().stream_notify(false)).await;
        let (back, behind) = at.bound(DealerSocket::builder()).await;
        let worker = at.connected(DealerSocket::builder(), &behind).await;
        let client = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::connect(&endpoint);
            for n in 0..100 {
                let number = format!("{n:04}");
                wire.put(number.as_bytes());
                assert_eq!(wire.take(4), number.as_bytes());
            }
        });
        let work = async {
            loop {
                let message = worker.recv().await.expect("received");
                assert_eq!(message.len(), 2);
                worker.send(message).await.expect("sent");
            }
        };
        futures::select_biased! {
            () = std::pin::pin!(client.fuse()) => {}
            () = std::pin::pin!(work.fuse()) => {}
            ended = std::pin::pin!(proxy(&front, &back).fuse()) => panic!("{ended:?}"),
        }
    }

    async fn hostile_bytes_break_nothing(at) {
        let (stream, endpoint) = at.bound(StreamSocket::builder().recv_hwm(20)).await;
        let good = endpoint.clone();
        let good = testing::on_blocking_thread(move || RawPeer::connect(&good)).await;
        let mut good = Some(good);
        let good_id = expect_connect_notice(&stream).await;
        let mut chance = testing::seeded_rng();
        let source = testing::on_blocking_thread(move || {
            for n in 0..60 {
                let mut wire = RawPeer::connect(&endpoint);
                let bytes: Vec<u8> = match n % 5 {
                    0 => Vec::new(),
                    1 => [&testing::greeting()[..], &testing::ready("STREAM", b"")].concat(),
                    2 => vec![0; chance.usize(0..100_000)],
                    3 => testing::frame(4, &[0xff; 300]),
                    _ => (0..chance.usize(0..50_000)).map(|_| chance.u8(..)).collect(),
                };
                // Some peers are disconnected while they write.
                let _cut = wire.write_all(&bytes);
                if n % 3 == 0 {
                    wire.close();
                }
            }
        });
        let mut asked = 0;
        let mut source = Box::pin(source.fuse());
        let mut over = false;
        while !over || asked < 20 {
            over = over || source.as_mut().at_once().is_some();
            stream.send_to(&good_id, "?").await.expect("sent");
            asked += 1;
            let mut wire = good.take().expect("the peer has reconnected");
            let answered = testing::on_blocking_thread(move || {
                assert_eq!(wire.take(1), b"?");
                wire.put(b"!");
                wire
            });
            loop {
                let (id, chunk) = stream.recv_from().await.expect("received");
                if id == good_id {
                    assert_eq!(chunk, "!");
                    break;
                }
                if chunk[0].starts_with(b"\xff") {
                    // Closes some of the peers, which may have disconnected already.
                    let _gone = stream.send_to(&id, "").await;
                }
            }
            good = Some(answered.await);
        }
        while stream.peer_count() > 1 || stream.stats().recv_queue > 0 {
            if let Ok(message) = stream.try_recv() {
                assert_ne!(&message[0], &*good_id);
            } else {
                testing::yield_now().await;
            }
        }
    }
}

#[test]
fn stream_peer_ids_never_repeat() {
    testing::run(testing::Transport::Tcp, testing::Placement::Current, async |at: testing::At| {
        let (stream, endpoint) = at.bound(StreamSocket::builder()).await;
        let mut seen = std::collections::HashSet::new();
        for n in 0..50 {
            let there = endpoint.clone();
            let wire = testing::on_blocking_thread(move || RawPeer::connect(&there)).await;
            let peer = expect_connect_notice(&stream).await;
            assert!(seen.insert(peer.clone()), "of connection {n}");
            stream.send_to(&peer, numbered(n)).await.expect("sent");
            wire.close();
            expect_disconnect_notice(&stream, &peer).await;
        }
    });
}

#[test]
fn stream_over_inproc_is_rejected() {
    testing::run(testing::Transport::Tcp, testing::Placement::Current, async |at: testing::At| {
        let stream = at.build(StreamSocket::builder());
        let bound = stream.bind("inproc://bytes").await;
        assert!(matches!(bound, Err(MonocoqueError::RawInproc)), "{bound:?}");
        let connected = stream.connect_as("inproc://bytes", "name").await;
        assert!(matches!(connected, Err(MonocoqueError::RawInproc)), "{connected:?}");
    });
}
