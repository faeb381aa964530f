//! Memory that was needed once is given back, and what a program keeps is no more than what it
//! sees.
//!
//! All allocations of the process are counted: one test at a time.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use dhat::{HeapStats, Profiler};
use monocoque::zmq::{PubSocket, PullSocket, PushSocket, SubSocket, XpubSocket};
use testing::{At, Placement, Transport};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Runs a body in all places, with nothing beside it.
fn alone<F: Future<Output = ()>>(body: impl Fn(At) -> F + Copy + Send + 'static) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _profiler = Profiler::builder().testing().build();
    for transport in [Transport::Tcp, Transport::Ipc] {
        for placement in [Placement::Current, Placement::Thread] {
            testing::run_within(testing::DEADLINE * 2, transport, placement, body);
        }
    }
}

/// How many bytes are allocated.
fn held() -> usize {
    HeapStats::get().curr_bytes
}

/// Waits until no more than `bound` bytes are held beyond `before`.
async fn falls_to(what: &str, before: usize, bound: usize) {
    let start = std::time::Instant::now();
    loop {
        let kept = held().saturating_sub(before);
        if kept <= bound {
            return;
        }
        assert!(
            start.elapsed() < testing::DEADLINE / 2,
            "{what}: {kept} bytes are kept, {bound} are allowed"
        );
        testing::yield_now().await;
    }
}

/// Waits until no more than `bound` bytes are held beyond `before`, and for a while not again.
async fn stays_below(what: &str, before: usize, bound: usize) {
    let mut fallen = std::time::Instant::now();
    while fallen.elapsed() < std::time::Duration::from_millis(300) {
        if held().saturating_sub(before) > bound {
            falls_to(what, before, bound).await;
            fallen = std::time::Instant::now();
        }
        testing::yield_now().await;
    }
}

const MESSAGES: usize = 10_000;
const BODY: usize = 1_000;
/// What may stay: pages that are kept for the next read, queues that have grown.
const SLACK: usize = 2 << 20;

#[test]
fn burst_memory_is_released() {
    alone(async |at: At| {
        let endpoint = at.unused_endpoint("later");
        let push = at.connected(PushSocket::builder().send_hwm(0), &endpoint).await;
        let before = held();
        for _ in 0..MESSAGES {
            push.send(vec![7; BODY]).await.expect("queued");
        }
        assert!(held() - before > MESSAGES * BODY, "nobody is there: they wait");
        let pull = at.build(PullSocket::builder().recv_hwm(0));
        testing::rebind(&pull, &endpoint).await;
        testing::eventually("all has arrived", || pull.stats().recv_queue == MESSAGES).await;
        assert!(held() - before > MESSAGES * BODY, "nobody receives: they wait");

        for _ in 0..MESSAGES {
            assert_eq!(pull.recv().await.expect("received").byte_len(), BODY);
        }
        testing::eventually("it is given back", || held() < before + SLACK).await;
        drop((push, pull));
    });
}

#[test]
fn departed_subscriber_queue_is_released() {
    alone(async |at: At| {
        let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(0)).await;
        let before = held();
        let there = endpoint.clone();
        let wire = testing::on_blocking_thread(move || {
            let mut wire = testing::RawPeer::established(&there, "SUB");
            std::io::Write::write_all(&mut wire, &testing::command("SUBSCRIBE", b"")).expect("written");
            wire
        })
        .await;
        publisher.wait_for_subscriptions(1).await.expect("open");
        // More than the system takes.
        for _ in 0..MESSAGES {
            publisher.send(vec![7; 2 * BODY]).await.expect("sent");
        }
        assert!(held() - before > MESSAGES * BODY / 2, "{}", held() - before);
        drop(wire);
        testing::eventually("it is gone", || publisher.peer_count() == 0).await;
        testing::eventually("it is given back", || held() < before + SLACK).await;
    });
}

/// They come with others that fill the page they are read into.
#[test]
fn kept_small_message_releases_page() {
    const KEPT: usize = 1_000;
    alone(async |at: At| {
        let (publisher, endpoint) = at.bound(PubSocket::builder().nodrop(true)).await;
        let sub = at.connected(SubSocket::builder(), &endpoint).await;
        sub.subscribe("").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        let mut kept = Vec::with_capacity(KEPT);
        let before = held();
        for n in 0..KEPT {
            publisher.send(vec![1; 7_000]).await.expect("sent");
            publisher.send(vec![n as u8; 200]).await.expect("sent");
            assert_eq!(sub.recv().await.expect("received").byte_len(), 7_000);
            kept.push(sub.recv().await.expect("received"));
        }
        testing::eventually("only these are kept", || held() < before + KEPT * 512).await;
        assert!(kept.iter().enumerate().all(|(n, message)| message[0] == [n as u8; 200]));
    });
}

/// Bytes of a peer, written in pieces of that size.
fn trickle(wire: &mut testing::RawPeer, bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        wire.write_all(piece).expect("it is read");
        // So that it is read by itself.
        std::thread::yield_now();
    }
}

/// Commands that mean nothing, of about that many bytes in all.
fn junk(len: usize) -> Vec<u8> {
    testing::command("PONG", &[0; 16]).repeat(len / 23)
}

/// What a peer does, and how many bytes of it are to be kept.
struct Hostile {
    what: &'static str,
    shakes_hands: bool,
    act: fn(&mut testing::RawPeer) -> usize,
}

const HOSTILE: [Hostile; 8] = [
    Hostile {
        what: "a greeting byte by byte",
        shakes_hands: false,
        act: |wire| {
            trickle(wire, &testing::greeting()[..63], 1);
            63
        },
    },
    Hostile {
        what: "a handshake command byte by byte",
        shakes_hands: false,
        act: |wire| {
            wire.write_all(&testing::greeting()).expect("it is read");
            wire.write_all(&[&[6][..], &65_000_u64.to_be_bytes()].concat()).expect("it is read");
            trickle(wire, &[7; 7_000], 1);
            7_000
        },
    },
    Hostile {
        what: "a frame byte by byte",
        shakes_hands: true,
        act: |wire| {
            wire.write_all(&[&[2][..], &120_000_u64.to_be_bytes()].concat()).expect("it is read");
            trickle(wire, &[7; 20_000], 1);
            20_000
        },
    },
    Hostile {
        what: "a frame in segments",
        shakes_hands: true,
        act: |wire| {
            wire.write_all(&[&[2][..], &120_000_u64.to_be_bytes()].concat()).expect("it is read");
            trickle(wire, &[7; 115_000], 1_448);
            115_000
        },
    },
    Hostile {
        what: "a large frame that stops",
        shakes_hands: true,
        act: |wire| {
            wire.write_all(&[&[2][..], &(100_u64 << 20).to_be_bytes()].concat()).expect("it is read");
            wire.write_all(&vec![7; 1_000_000]).expect("it is read");
            1_000_000
        },
    },
    Hostile {
        what: "a command byte by byte",
        shakes_hands: true,
        act: |wire| {
            wire.write_all(&[&[6][..], &65_000_u64.to_be_bytes()].concat()).expect("it is read");
            trickle(wire, b"\x04PONG", 1);
            trickle(wire, &[7; 7_000], 1);
            7_000
        },
    },
    Hostile {
        what: "parts of a message between commands",
        shakes_hands: true,
        act: |wire| {
            for _ in 0..200 {
                wire.write_all(&testing::frame(1, &[7; 513])).expect("it is read");
                wire.write_all(&junk(30_000)).expect("it is read");
            }
            200 * (513 + FRAME)
        },
    },
    Hostile {
        what: "unread messages between commands",
        shakes_hands: true,
        act: |wire| {
            for _ in 0..200 {
                wire.write_all(&testing::frame(0, &[7; 513])).expect("it is read");
                wire.write_all(&junk(30_000)).expect("it is read");
            }
            200 * (513 + FRAME)
        },
    },
];

/// What a frame counts for beside its body.
const FRAME: usize = 32;
/// What a connection may have beside that.
const CONNECTION: usize = 16 * 1024;

#[test]
fn hostile_peer_memory_is_bounded() {
    alone(async |at: At| {
        for Hostile { what, shakes_hands, act } in HOSTILE {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(0)).await;
            let before = held();
            let there = endpoint.clone();
            let (wires, counted) = testing::on_blocking_thread(move || {
                let mut counted = 0;
                let wires: Vec<_> = (0..4)
                    .map(|_| {
                        let mut wire = match shakes_hands {
                            true => testing::RawPeer::established(&there, "PUSH"),
                            false => testing::RawPeer::connect(&there),
                        };
                        counted += act(&mut wire);
                        wire
                    })
                    .collect();
                (wires, counted)
            })
            .await;
            let kept = || held().saturating_sub(before);
            testing::eventually(what, || kept() >= counted || counted < CONNECTION).await;
            // And a task that waits for its time.
            let bound = 2 * counted + wires.len() * CONNECTION + 1024;
            stays_below(what, before, bound).await;
            drop(wires);
            pull.close().await;
        }
    });
}

/// What a peer says next, at random, and how many bytes of it are to be kept. `open`: within a
/// message.
fn something(wire: &mut testing::RawPeer, chance: &mut fastrand::Rng, open: &mut bool) -> usize {
    let len = *chance.choice(&[0, 1, 100, 513, 2_000, 8_000, 30_000, 70_000]).expect("not empty");
    let piece = *chance.choice(&[1, 7, 64, 1_448, 20_000, usize::MAX]).expect("not empty");
    // A byte at a time takes long.
    let piece = piece.max(len / 2_000).max(1);
    match chance.u8(0..4) {
        0 => {
            trickle(wire, &junk(len), piece);
            0
        }
        1 => {
            trickle(wire, &testing::frame(1, &vec![7; len]), piece);
            *open = true;
            len + FRAME
        }
        _ => {
            trickle(wire, &testing::frame(0, &vec![7; len]), piece);
            *open = false;
            len + FRAME
        }
    }
}

/// Says something at random, and stops at random: in the greeting, in the handshake, in a frame, in
/// a command or between them.
fn stop_anywhere(wire: &mut testing::RawPeer, chance: &mut fastrand::Rng) -> usize {
    let handshake = [&testing::greeting()[..], &testing::ready("PUSH", b"anyone")].concat();
    if chance.u8(0..4) == 0 {
        let end = chance.usize(1..handshake.len());
        trickle(wire, &handshake[..end], chance.usize(1..end + 1));
        return end;
    }
    wire.shake_hands("PUSH", b"");
    let mut open = false;
    let kept: usize = (0..chance.usize(0..40)).map(|_| something(wire, chance, &mut open)).sum();
    let (announced, arrived) = (chance.usize(1_000..2_000_000), chance.usize(1..60_000));
    let header = match chance.bool() {
        true => [&[2 | u8::from(open)][..], &(announced as u64).to_be_bytes()].concat(),
        false => [&[6][..], &60_000_u64.to_be_bytes(), b"\x04PONG"].concat(),
    };
    let arrived = arrived.min(announced).min(50_000);
    trickle(wire, &header, chance.usize(1..30));
    trickle(wire, &vec![7; arrived], chance.usize(100..20_000));
    kept + header.len() + arrived
}

/// A page that a busy peer had filled does not stay for the little that there is no room for.
#[test]
fn backpressured_peer_releases_page() {
    const PEERS: usize = 8;
    const SENT: usize = 4_000;
    const LEFT: usize = 50;
    alone(async |at: At| {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let before = held();
        let busy = testing::on_blocking_thread(move || {
            [(); PEERS].map(|()| {
                let mut wire = testing::RawPeer::established(&endpoint, "PUSH");
                wire.write_all(&testing::frame(0, &[7; 100]).repeat(SENT)).expect("it is read");
                wire
            })
        });
        let receiving = async {
            for _ in 0..PEERS * (SENT - LEFT) {
                pull.recv().await.expect("received");
            }
        };
        let (wires, ()) = futures::join!(busy, receiving);
        let counted = PEERS * LEFT * (100 + FRAME);
        stays_below("peers that are held back", before, 2 * counted + PEERS * CONNECTION).await;
        for _ in 0..PEERS * LEFT {
            assert_eq!(pull.recv().await.expect("received").byte_len(), 100);
        }
        drop(wires);
    });
}

#[test]
fn random_peer_memory_is_bounded() {
    const PEERS: usize = 8;
    let mut chance = testing::seeded_rng();
    let seeds = [(); 4].map(|()| chance.u64(..));
    alone(move |at: At| async move {
        for seed in seeds {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(0)).await;
            let before = held();
            let there = endpoint.clone();
            let (wires, counted) = testing::on_blocking_thread(move || {
                let mut chance = fastrand::Rng::with_seed(seed);
                let mut counted = 0;
                let wires = [(); PEERS].map(|()| {
                    let mut wire = testing::RawPeer::connect(&there);
                    counted += stop_anywhere(&mut wire, &mut chance);
                    wire
                });
                (wires, counted)
            })
            .await;
            let bound = 2 * counted + PEERS * CONNECTION + 1024;
            stays_below(&format!("what was sent with seed {seed}"), before, bound).await;
            drop(wires);
            pull.close().await;
        }
    });
}

#[test]
fn kept_message_releases_page() {
    alone(async |at: At| {
        for size in [513, 2_000, 16 * 1024, 100_000] {
            let (pull, endpoint) = at.bound(PullSocket::builder()).await;
            let push = at.connected(PushSocket::builder(), &endpoint).await;
            push.send("warm up").await.expect("sent");
            pull.recv().await.expect("received");
            let before = held();
            let (all, every) = (40_000_000 / size.max(4_000), 50);
            let mut kept = Vec::new();
            let sending = async {
                for _ in 0..all {
                    push.send(vec![7; size]).await.expect("sent");
                }
            };
            let receiving = async {
                for n in 0..all {
                    let message = pull.recv().await.expect("received");
                    if n % every == 0 {
                        kept.push(message);
                    }
                }
            };
            futures::join!(sending, receiving);
            let bound = 2 * kept.len() * (size + FRAME) + 4 * CONNECTION;
            falls_to("pages of messages", before, bound).await;
            assert!(kept.iter().all(|message| message.byte_len() == size));
        }
    });
}

#[test]
fn forwarded_message_releases_page() {
    alone(async |at: At| {
        const SIZE: usize = 4_096;
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(0)).await;
        let wire = testing::on_blocking_thread(move || {
            let mut wire = testing::RawPeer::established(&endpoint, "SUB");
            wire.write_all(&testing::command("SUBSCRIBE", b"")).expect("written");
            wire
        })
        .await;
        publisher.wait_for_subscriptions(1).await.expect("open");
        // What the system takes.
        while publisher.stats().send_queue < 100 {
            publisher.send(vec![7; SIZE]).await.expect("sent");
        }
        let before = held();
        let sending = async {
            for _ in 0..8_000 {
                push.send(vec![7; SIZE]).await.expect("sent");
            }
        };
        let receiving = async {
            for n in 0..8_000 {
                let message = pull.recv().await.expect("received");
                if n % 32 == 0 {
                    publisher.send(message).await.expect("sent");
                }
            }
        };
        futures::join!(sending, receiving);
        let counted = publisher.stats().send_queue * SIZE;
        let bound = 2 * counted + 4 * CONNECTION;
        falls_to("pages of forwarded messages", before, bound).await;
        drop(wire);
    });
}

#[test]
fn idle_connection_shrinks_after_burst() {
    alone(async |at: At| {
        const PEERS: usize = 20;
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let mut pushes = Vec::new();
        for _ in 0..PEERS {
            pushes.push(at.connected(PushSocket::builder(), &endpoint).await);
        }
        pull.wait_for_peers(PEERS).await.expect("open");
        for push in &pushes {
            push.send("warm up").await.expect("sent");
            pull.recv().await.expect("received");
        }
        let before = held();
        for push in &pushes {
            let sending = async {
                for _ in 0..2_000 {
                    push.send(vec![7; BODY]).await.expect("sent");
                }
            };
            let receiving = async {
                for _ in 0..2_000 {
                    pull.recv().await.expect("received");
                }
            };
            futures::join!(sending, receiving);
        }
        // Both ends of each are in this process.
        let bound = PEERS * 2 * 4 * 1024;
        falls_to("idle connections", before, bound).await;
    });
}

#[test]
fn small_unread_messages_are_accounted() {
    alone(async |at: At| {
        for len in [0, 1, 20, 100] {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(0)).await;
            let before = held();
            let wire = testing::on_blocking_thread(move || {
                let mut wire = testing::RawPeer::established(&endpoint, "PUSH");
                wire.write_all(&testing::frame(0, &vec![7; len]).repeat(20_000)).expect("it is read");
                wire
            })
            .await;
            testing::eventually("all wait", || pull.stats().recv_queue == 20_000).await;
            let message = size_of::<monocoque::Message>() + if len > 72 { len + FRAME } else { 0 };
            stays_below("small messages", before, 2 * 20_000 * message + CONNECTION).await;
            drop(wire);
        }
    });
}

#[test]
fn unread_xpub_drops_departed_lanes() {
    const PEERS: usize = 200;
    alone(async |at: At| {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let mut before = 0;
        for round in 0..2 {
            for _ in 0..PEERS {
                let there = endpoint.clone();
                let wire = testing::on_blocking_thread(move || {
                    let mut wire = testing::RawPeer::established(&there, "SUB");
                    (0..30_u8).for_each(|n| wire.put(&testing::command("SUBSCRIBE", &[n])));
                    wire
                })
                .await;
                testing::eventually("it is heard", || xpub.subscription_count() == 30).await;
                drop(wire);
                testing::eventually("it is gone", || xpub.peer_count() == 0).await;
            }
            if round == 0 {
                before = held();
            }
        }
        falls_to("peers that have gone", before, PEERS * 50).await;
        assert!(xpub.try_recv().is_err());
    });
}

#[test]
fn unread_xpub_drops_departed_topics() {
    const TOPICS: usize = 990;
    const LEN: usize = 20_000;
    alone(async |at: At| {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let before = held();
        for _ in 0..2 {
            let there = endpoint.clone();
            let peers = testing::on_blocking_thread(move || {
                [0, 1, 2].map(|peer| {
                    let mut wire = testing::RawPeer::established(&there, "SUB");
                    for n in 0..TOPICS {
                        let topic = [format!("{peer} {n} ").into_bytes(), vec![7; LEN]].concat();
                        wire.write_all(&testing::command("SUBSCRIBE", &topic)).expect("it is read");
                    }
                    wire
                })
            })
            .await;
            testing::eventually("all are heard", || xpub.subscription_count() == 3 * TOPICS).await;
            let counted = 3 * TOPICS * LEN;
            falls_to("topics and what tells of them", before, 2 * 2 * counted + 3 * CONNECTION).await;
            drop(peers);
            testing::eventually("they are gone", || xpub.peer_count() == 0).await;
            falls_to("departed peers", before, SLACK).await;
        }
    });
}
