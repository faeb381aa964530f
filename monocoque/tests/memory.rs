//! Memory use: buffers are released after use, and a kept message keeps no more than its own size.
//!
//! The tests run one at a time, since all allocations of the process are counted.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use dhat::{HeapStats, Profiler};
use monocoque::zmq::{PubSocket, PullSocket, PushSocket, SubSocket, XpubSocket};
use testing::{At, Placement, Transport};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Runs a body in all placements while no other test runs.
fn run_exclusively<F: Future<Output = ()>>(body: impl Fn(At) -> F + Copy + Send + 'static) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _profiler = Profiler::builder().testing().build();
    for transport in [Transport::Tcp, Transport::Ipc] {
        for placement in [Placement::Current, Placement::Thread] {
            testing::run_within(testing::DEADLINE * 2, transport, placement, body);
        }
    }
}

/// Bytes allocated at present.
fn allocated_bytes() -> usize {
    HeapStats::get().curr_bytes
}

/// Waits until at most `bound` bytes are allocated beyond `before`.
async fn wait_until_below(what: &str, before: usize, bound: usize) {
    let start = std::time::Instant::now();
    loop {
        let kept = allocated_bytes().saturating_sub(before);
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

/// Waits until at most `bound` bytes are allocated beyond `before`, and stay below for a while.
async fn wait_until_stable_below(what: &str, before: usize, bound: usize) {
    let mut fallen = std::time::Instant::now();
    while fallen.elapsed() < std::time::Duration::from_millis(300) {
        if allocated_bytes().saturating_sub(before) > bound {
            wait_until_below(what, before, bound).await;
            fallen = std::time::Instant::now();
        }
        testing::yield_now().await;
    }
}

const MESSAGES: usize = 10_000;
const BODY: usize = 1_000;
/// Allowance for pages kept for the next read and for grown queues.
const SLACK: usize = 2 << 20;

#[test]
fn burst_memory_is_released() {
    run_exclusively(async |at: At| {
        let endpoint = at.unused_endpoint("later");
        let push = at.connected(PushSocket::builder().send_hwm(0), &endpoint).await;
        let before = allocated_bytes();
        for _ in 0..MESSAGES {
            push.send(vec![7; BODY]).await.expect("queued");
        }
        assert!(allocated_bytes() - before > MESSAGES * BODY, "the messages are queued");
        let pull = at.build(PullSocket::builder().recv_hwm(0));
        testing::rebind(&pull, &endpoint).await;
        testing::eventually("all messages have arrived", || pull.stats().recv_queue == MESSAGES).await;
        assert!(allocated_bytes() - before > MESSAGES * BODY, "the messages are queued");

        for _ in 0..MESSAGES {
            assert_eq!(pull.recv().await.expect("received").byte_len(), BODY);
        }
        testing::eventually("the memory is released", || allocated_bytes() < before + SLACK).await;
        drop((push, pull));
    });
}

#[test]
fn departed_subscriber_queue_is_released() {
    run_exclusively(async |at: At| {
        let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(0)).await;
        let before = allocated_bytes();
        let there = endpoint.clone();
        let wire = testing::on_blocking_thread(move || {
            let mut wire = testing::RawPeer::established(&there, "SUB");
            std::io::Write::write_all(&mut wire, &testing::command("SUBSCRIBE", b"")).expect("written");
            wire
        })
        .await;
        publisher.wait_for_subscriptions(1).await.expect("open");
        // More than the kernel accepts.
        for _ in 0..MESSAGES {
            publisher.send(vec![7; 2 * BODY]).await.expect("sent");
        }
        assert!(allocated_bytes() - before > MESSAGES * BODY / 2, "{}", allocated_bytes() - before);
        drop(wire);
        testing::eventually("the peer has disconnected", || publisher.peer_count() == 0).await;
        testing::eventually("the memory is released", || allocated_bytes() < before + SLACK).await;
    });
}

/// Keeps small messages whose read page is shared with larger ones.
#[test]
fn kept_small_message_releases_page() {
    const KEPT: usize = 1_000;
    run_exclusively(async |at: At| {
        let (publisher, endpoint) = at.bound(PubSocket::builder().nodrop(true)).await;
        let sub = at.connected(SubSocket::builder(), &endpoint).await;
        sub.subscribe("").expect("open");
        publisher.wait_for_subscriptions(1).await.expect("open");
        let mut kept = Vec::with_capacity(KEPT);
        let before = allocated_bytes();
        for n in 0..KEPT {
            publisher.send(vec![1; 7_000]).await.expect("sent");
            publisher.send(vec![n as u8; 200]).await.expect("sent");
            assert_eq!(sub.recv().await.expect("received").byte_len(), 7_000);
            kept.push(sub.recv().await.expect("received"));
        }
        testing::eventually("only the kept messages use memory", || allocated_bytes() < before + KEPT * 512)
            .await;
        assert!(kept.iter().enumerate().all(|(n, message)| message[0] == [n as u8; 200]));
    });
}

/// Writes `bytes` in pieces of size `piece`.
fn trickle(wire: &mut testing::RawPeer, bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        wire.write_all(piece).expect("written");
        // Lets the reader take the piece by itself.
        std::thread::yield_now();
    }
}

/// Unknown commands of about `len` bytes in total.
fn junk(len: usize) -> Vec<u8> {
    testing::command("PONG", &[0; 16]).repeat(len / 23)
}

/// An action of a hostile peer; `act` returns how many bytes must be kept for it.
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
            wire.write_all(&testing::greeting()).expect("written");
            wire.write_all(&[&[6][..], &65_000_u64.to_be_bytes()].concat()).expect("written");
            trickle(wire, &[7; 7_000], 1);
            7_000
        },
    },
    Hostile {
        what: "a frame byte by byte",
        shakes_hands: true,
        act: |wire| {
            wire.write_all(&[&[2][..], &120_000_u64.to_be_bytes()].concat()).expect("written");
            trickle(wire, &[7; 20_000], 1);
            20_000
        },
    },
    Hostile {
        what: "a frame in segments",
        shakes_hands: true,
        act: |wire| {
            wire.write_all(&[&[2][..], &120_000_u64.to_be_bytes()].concat()).expect("written");
            trickle(wire, &[7; 115_000], 1_448);
            115_000
        },
    },
    Hostile {
        what: "a large frame that stops",
        shakes_hands: true,
        act: |wire| {
            wire.write_all(&[&[2][..], &(100_u64 << 20).to_be_bytes()].concat()).expect("written");
            wire.write_all(&vec![7; 1_000_000]).expect("written");
            1_000_000
        },
    },
    Hostile {
        what: "a command byte by byte",
        shakes_hands: true,
        act: |wire| {
            wire.write_all(&[&[6][..], &65_000_u64.to_be_bytes()].concat()).expect("written");
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
                wire.write_all(&testing::frame(1, &[7; 513])).expect("written");
                wire.write_all(&junk(30_000)).expect("written");
            }
            200 * (513 + FRAME)
        },
    },
    Hostile {
        what: "unread messages between commands",
        shakes_hands: true,
        act: |wire| {
            for _ in 0..200 {
                wire.write_all(&testing::frame(0, &[7; 513])).expect("written");
                wire.write_all(&junk(30_000)).expect("written");
            }
            200 * (513 + FRAME)
        },
    },
];

/// Bytes accounted for a frame in addition to its body.
const FRAME: usize = 32;
/// Bytes that a connection may use in addition.
const CONNECTION: usize = 16 * 1024;

#[test]
fn hostile_peer_memory_is_bounded() {
    run_exclusively(async |at: At| {
        for Hostile { what, shakes_hands, act } in HOSTILE {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(0)).await;
            let before = allocated_bytes();
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
            let kept = || allocated_bytes().saturating_sub(before);
            testing::eventually(what, || kept() >= counted || counted < CONNECTION).await;
            // The last term is for a task that waits for a timer.
            let bound = 2 * counted + wires.len() * CONNECTION + 1024;
            wait_until_stable_below(what, before, bound).await;
            drop(wires);
            pull.close().await;
        }
    });
}

/// Writes a random piece and returns how many bytes of it must be kept. `open` is true within a
/// multipart message.
fn send_random_piece(wire: &mut testing::RawPeer, chance: &mut fastrand::Rng, open: &mut bool) -> usize {
    let len = *chance.choice(&[0, 1, 100, 513, 2_000, 8_000, 30_000, 70_000]).expect("not empty");
    let piece = *chance.choice(&[1, 7, 64, 1_448, 20_000, usize::MAX]).expect("not empty");
    // Single bytes would take too long.
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

/// Writes random traffic and stops at a random point: in the greeting, in the handshake, in a
/// frame, in a command or between them.
fn send_and_stop_randomly(wire: &mut testing::RawPeer, chance: &mut fastrand::Rng) -> usize {
    let handshake = [&testing::greeting()[..], &testing::ready("PUSH", b"anyone")].concat();
    if chance.u8(0..4) == 0 {
        let end = chance.usize(1..handshake.len());
        trickle(wire, &handshake[..end], chance.usize(1..end + 1));
        return end;
    }
    wire.shake_hands("PUSH", b"");
    let mut open = false;
    let kept: usize = (0..chance.usize(0..40)).map(|_| send_random_piece(wire, chance, &mut open)).sum();
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

/// Checks that the memory of unread messages shrinks again once most of them are received.
#[test]
fn backpressured_buffer_shrinks_again() {
    const SENT: usize = 1_150;
    run_exclusively(async |at: At| {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let before = allocated_bytes();
        let _wire = testing::on_blocking_thread(move || {
            let mut wire = testing::RawPeer::established(&endpoint, "PUSH");
            wire.write_all(&testing::frame(0, &[7; 100]).repeat(SENT)).expect("written");
            wire
        })
        .await;
        let mut left = SENT;
        // First less than half of a page of 64 KiB, then little of what was moved out of it.
        for next in [280, 10] {
            for _ in next..left {
                pull.recv().await.expect("received");
            }
            left = next;
            wait_until_stable_below("unread messages", before, left * 125 + 2 * CONNECTION).await;
        }
    });
}

/// Checks that a page filled by a busy peer is not kept for the few messages under back-pressure.
#[test]
fn backpressured_peer_releases_page() {
    const PEERS: usize = 8;
    const SENT: usize = 4_000;
    const LEFT: usize = 50;
    run_exclusively(async |at: At| {
        let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(1)).await;
        let before = allocated_bytes();
        let busy = testing::on_blocking_thread(move || {
            [(); PEERS].map(|()| {
                let mut wire = testing::RawPeer::established(&endpoint, "PUSH");
                wire.write_all(&testing::frame(0, &[7; 100]).repeat(SENT)).expect("written");
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
        wait_until_stable_below("peers under back-pressure", before, 2 * counted + PEERS * CONNECTION).await;
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
    run_exclusively(move |at: At| async move {
        for seed in seeds {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(0)).await;
            let before = allocated_bytes();
            let there = endpoint.clone();
            let (wires, counted) = testing::on_blocking_thread(move || {
                let mut chance = fastrand::Rng::with_seed(seed);
                let mut counted = 0;
                let wires = [(); PEERS].map(|()| {
                    let mut wire = testing::RawPeer::connect(&there);
                    counted += send_and_stop_randomly(&mut wire, &mut chance);
                    wire
                });
                (wires, counted)
            })
            .await;
            let bound = 2 * counted + PEERS * CONNECTION + 1024;
            wait_until_stable_below(&format!("random traffic with seed {seed}"), before, bound).await;
            drop(wires);
            pull.close().await;
        }
    });
}

#[test]
fn kept_message_releases_page() {
    run_exclusively(async |at: At| {
        for size in [513, 2_000, 16 * 1024, 100_000] {
            let (pull, endpoint) = at.bound(PullSocket::builder()).await;
            let push = at.connected(PushSocket::builder(), &endpoint).await;
            push.send("warm up").await.expect("sent");
            pull.recv().await.expect("received");
            let before = allocated_bytes();
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
            wait_until_below("pages of messages", before, bound).await;
            assert!(kept.iter().all(|message| message.byte_len() == size));
        }
    });
}

#[test]
fn forwarded_message_releases_page() {
    run_exclusively(async |at: At| {
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
        // Fills the kernel buffers first.
        while publisher.stats().send_queue < 100 {
            publisher.send(vec![7; SIZE]).await.expect("sent");
        }
        let before = allocated_bytes();
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
        wait_until_below("pages of forwarded messages", before, bound).await;
        drop(wire);
    });
}

#[test]
fn idle_connection_shrinks_after_burst() {
    run_exclusively(async |at: At| {
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
        let before = allocated_bytes();
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
        // Both ends of each connection are in this process.
        let bound = PEERS * 2 * 4 * 1024;
        wait_until_below("idle connections", before, bound).await;
    });
}

#[test]
fn small_unread_messages_are_accounted() {
    run_exclusively(async |at: At| {
        for len in [0, 1, 20, 100] {
            let (pull, endpoint) = at.bound(PullSocket::builder().recv_hwm(0)).await;
            let before = allocated_bytes();
            let wire = testing::on_blocking_thread(move || {
                let mut wire = testing::RawPeer::established(&endpoint, "PUSH");
                wire.write_all(&testing::frame(0, &vec![7; len]).repeat(20_000)).expect("written");
                wire
            })
            .await;
            testing::eventually("all messages are queued", || pull.stats().recv_queue == 20_000).await;
            let message = size_of::<monocoque::Message>() + if len > 72 { len + FRAME } else { 0 };
            wait_until_stable_below("small messages", before, 2 * 20_000 * message + CONNECTION).await;
            drop(wire);
        }
    });
}

#[test]
fn unread_xpub_drops_departed_lanes() {
    const PEERS: usize = 200;
    run_exclusively(async |at: At| {
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
                testing::eventually("the subscriptions have arrived", || xpub.subscription_count() == 30)
                    .await;
                drop(wire);
                testing::eventually("the peer has disconnected", || xpub.peer_count() == 0).await;
            }
            if round == 0 {
                before = allocated_bytes();
            }
        }
        wait_until_below("disconnected peers", before, PEERS * 50).await;
        assert!(xpub.try_recv().is_err());
    });
}

#[test]
fn unread_xpub_drops_departed_topics() {
    const TOPICS: usize = 990;
    const LEN: usize = 20_000;
    run_exclusively(async |at: At| {
        let (xpub, endpoint) = at.bound(XpubSocket::builder()).await;
        let before = allocated_bytes();
        for _ in 0..2 {
            let there = endpoint.clone();
            let peers = testing::on_blocking_thread(move || {
                [0, 1, 2].map(|peer| {
                    let mut wire = testing::RawPeer::established(&there, "SUB");
                    for n in 0..TOPICS {
                        let topic = [format!("{peer} {n} ").into_bytes(), vec![7; LEN]].concat();
                        wire.write_all(&testing::command("SUBSCRIBE", &topic)).expect("written");
                    }
                    wire
                })
            })
            .await;
            testing::eventually("the subscriptions have arrived", || xpub.subscription_count() == 3 * TOPICS)
                .await;
            let counted = 3 * TOPICS * LEN;
            wait_until_below("topics and their reports", before, 2 * 2 * counted + 3 * CONNECTION).await;
            drop(peers);
            testing::eventually("the peers have disconnected", || xpub.peer_count() == 0).await;
            wait_until_below("departed peers", before, SLACK).await;
        }
    });
}
