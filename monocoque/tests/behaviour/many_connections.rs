//! Many connections on one thread, which are polled differently from a few: the switch between both
//! modes loses nothing.

use futures::future::{Either, join_all, select};
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket, RouterSocket};
use monocoque::{Endpoint, Message, MonocoqueError};
use testing::{At, RawPeer, everywhere, numbered, over_streams};

const KIB: usize = 1024;
/// The header of a frame of more than 255 bytes.
const HEADER: usize = 9;

/// Message `n` of a peer: its size is random but determined by the seed.
fn message(seed: u64, who: usize, n: usize) -> Message {
    let mut chance = fastrand::Rng::with_seed(seed ^ (who as u64) << 32 ^ n as u64);
    let len = match chance.u8(..40) {
        0 => KIB * KIB,
        1..4 => 100 * KIB,
        4..9 => 9 * KIB,
        9..12 => 8 * KIB,
        // With the header, these sizes fill exactly one read, and two.
        12..15 => 8 * KIB - HEADER,
        15..18 => 16 * KIB - HEADER,
        _ => 10,
    };
    let mut body = vec![(who * 31 + n) as u8; len];
    body[..2].copy_from_slice(&(who as u16).to_be_bytes());
    body[2..6].copy_from_slice(&(n as u32).to_be_bytes());
    body.into()
}

fn assert_message(found: &Message, expected: &Message, who: usize, n: usize) {
    let head = |message: &Message| (message.byte_len(), message[0][..6].to_vec());
    assert_eq!(head(found), head(expected), "peer {who}, message {n}");
    assert!(found == expected, "peer {who}, message {n}: other bytes");
}

/// Sends messages and receives their echoes, with a varying number in flight.
async fn exchange_messages(dealer: &DealerSocket, seed: u64, who: usize, messages: usize) {
    let mut chance = fastrand::Rng::with_seed(seed ^ who as u64);
    let (mut sent, mut received) = (0, 0);
    while received < messages {
        let ahead = chance.usize(1..=20);
        while sent < messages.min(received + ahead) {
            dealer.send(message(seed, who, sent)).await.expect("sent");
            sent += 1;
        }
        for _ in 0..chance.usize(1..=sent - received) {
            let found = dealer.recv().await.expect("received");
            assert_message(&found, &message(seed, who, received), who, received);
            received += 1;
        }
    }
}

/// Echoes every message.
async fn serve(router: &RouterSocket) {
    loop {
        match router.recv().await {
            Ok(message) => router.send(message).await.expect("open"),
            Err(MonocoqueError::Closed) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Runs `talk` while a ROUTER echoes every message, and asserts that the ROUTER drops none.
async fn run_with_echo(router: &RouterSocket, talk: impl Future<Output = ()>) {
    if let Either::Left(_) = select(Box::pin(serve(router)), Box::pin(talk)).await {
        unreachable!("the echo loop has ended");
    }
    assert_eq!(router.stats().dropped, 0);
}

async fn dealers(at: &At, endpoint: &Endpoint, n: usize) -> Vec<DealerSocket> {
    join_all((0..n).map(|_| at.connected(DealerSocket::builder(), endpoint))).await
}

everywhere! {
    async fn many_dealers_get_ordered_replies(at) {
        const PEERS: usize = 20;
        let seed = testing::seeded_rng().u64(..);
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealers = dealers(&at, &endpoint, PEERS).await;
        let talk = async {
            join_all(dealers.iter().enumerate().map(|(who, dealer)| exchange_messages(dealer, seed, who, 60))).await;
        };
        run_with_echo(&router, talk).await;
        assert!(dealers.iter().all(|dealer| dealer.try_recv().is_err()));
        assert_eq!(router.stats().received, 60 * PEERS as u64);
    }

    async fn peer_churn_crosses_threshold(at) {
        let mut chance = testing::seeded_rng();
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let lasting = dealers(&at, &endpoint, 1).await;
        let talk = async {
            for _ in 0..15 {
                // Both ends of a connection are on this thread, if the epoll set is used at all.
                let (others, seed) = (chance.usize(..=8), chance.u64(..));
                let visitors = dealers(&at, &endpoint, others).await;
                let visits = visitors.iter().enumerate().map(|(n, visitor)| {
                    let messages = chance.usize(1..=12);
                    async move {
                        exchange_messages(visitor, seed, 1 + n, messages).await;
                        visitor.close().await;
                    }
                });
                futures::join!(exchange_messages(&lasting[0], seed, 0, 12), join_all(visits));
                testing::eventually("the other peers have disconnected", || router.peer_count() == 1).await;
            }
        };
        run_with_echo(&router, talk).await;
    }

    async fn push_bursts_arrive_in_order(at) {
        const PEERS: usize = 20;
        const EACH: usize = 60;
        let seed = testing::seeded_rng().u64(..);
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(10)).await;
        let pushes =
            join_all((0..PEERS).map(|_| at.connected(PushSocket::builder().send_hwm(20), &endpoint))).await;
        let senders = pushes.iter().enumerate().map(|(who, push)| async move {
            for n in 0..EACH {
                push.send_buffered(message(seed, who, n)).await.expect("sent");
                if n % 7 == who % 7 {
                    push.flush().await.expect("open");
                }
            }
            push.flush().await.expect("open");
        });
        let receiver = async {
            let (mut next, mut batch) = ([0; PEERS], Vec::new());
            while next.iter().sum::<usize>() < EACH * PEERS {
                pull.recv_batch(&mut batch, 25).await.expect("open");
                for found in batch.drain(..) {
                    let who = usize::from(u16::from_be_bytes([found[0][0], found[0][1]]));
                    assert_message(&found, &message(seed, who, next[who]), who, next[who]);
                    next[who] += 1;
                }
            }
        };
        futures::join!(join_all(senders), receiver);
        assert!(pull.try_recv().is_err());
    }
}

over_streams! {
    async fn departing_peer_message_is_received(at) {
        const PEERS: usize = 10;
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let dealers = dealers(&at, &endpoint, PEERS).await;
        router.wait_for_peers(PEERS).await.expect("open");
        for n in 0..20 {
            let there = endpoint.clone();
            let mut wire = testing::on_blocking_thread(move || RawPeer::established(&there, "DEALER")).await;
            router.wait_for_peers(PEERS + 1).await.expect("open");
            testing::pass_time(&at).await;
            // Both have arrived before this thread polls; a write this small does not block.
            wire.put(&testing::frame(0, n.to_string().as_bytes()));
            drop(wire);
            assert_eq!(router.recv_from().await.expect("received").1, numbered(n));
            testing::eventually("the peer has disconnected", || router.peer_count() == PEERS).await;
        }
        let last = Message::from(["", "still there"]);
        dealers[0].send(last.clone()).await.expect("sent");
        let (_, message) = router.recv_from().await.expect("received");
        assert_eq!(message, last);
    }

    async fn fragmented_frames_arrive_whole(at) {
        let (router, endpoint) = at.bound(RouterSocket::builder()).await;
        let _crowd = dealers(&at, &endpoint, 10).await;
        router.wait_for_peers(10).await.expect("open");
        let writing = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "DEALER");
            for (n, len) in [1, 300, 8 * KIB, 8 * KIB - HEADER, 9 * KIB, 600 * KIB].into_iter().enumerate() {
                let bytes = testing::frame(0, &vec![n as u8; len]);
                // The front goes in single bytes, the rest in pieces of one read or a little more.
                let (front, rest) = bytes.split_at(bytes.len().min(50));
                front.chunks(1).for_each(|piece| wire.put(piece));
                rest.chunks(8 * KIB + n % 2).for_each(|piece| wire.put(piece));
            }
            wire
        });
        let reading = async {
            for (n, len) in [1, 300, 8 * KIB, 8 * KIB - HEADER, 9 * KIB, 600 * KIB].into_iter().enumerate() {
                let (_, message) = router.recv_from().await.expect("received");
                assert!(message == vec![n as u8; len], "{len} bytes");
            }
        };
        futures::join!(writing, reading);
        testing::eventually("the peer has disconnected", || router.peer_count() == 10).await;
    }
}
