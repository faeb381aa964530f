//! Memory that was needed once is given back, and what a program keeps is no more than what it sees.
//!
//! All allocations of the process are counted: one test at a time.

#[allow(dead_code, unused_imports, unused_macros, reason = "each test file uses a part")]
mod common;

use std::sync::{Mutex, PoisonError};

use common::{At, Home, Transport};
use dhat::{HeapStats, Profiler};
use monocoque::zmq::{PubSocket, PullSocket, PushSocket, SubSocket};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Runs a body in all places, with nothing beside it.
fn alone<F: Future<Output = ()>>(body: impl Fn(At) -> F + Copy + Send + 'static) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _profiler = Profiler::builder().testing().build();
    for transport in [Transport::Tcp, Transport::Ipc] {
        for home in [Home::Current, Home::Thread] {
            common::run_within(common::DEADLINE * 2, transport, home, body);
        }
    }
}

/// How many bytes are allocated.
fn held() -> usize {
    HeapStats::get().curr_bytes
}

const MESSAGES: usize = 10_000;
const BODY: usize = 1_000;
/// What may stay: pages that are kept for the next read, queues that have grown.
const SLACK: usize = 2 << 20;

#[test]
fn what_a_burst_took_is_given_back_by_both_sides() {
    alone(async |at: At| {
        let endpoint = at.nowhere("later");
        let push = at.connected(PushSocket::builder().send_hwm(0), &endpoint).await;
        let before = held();
        for _ in 0..MESSAGES {
            push.send(vec![7; BODY]).await.expect("queued");
        }
        assert!(held() - before > MESSAGES * BODY, "nobody is there: they wait");
        let pull = at.build(PullSocket::builder().recv_hwm(0));
        common::rebind(&pull, &endpoint).await;
        common::eventually("all has arrived", || pull.stats().recv_queue == MESSAGES).await;
        assert!(held() - before > MESSAGES * BODY, "nobody receives: they wait");

        for _ in 0..MESSAGES {
            assert_eq!(pull.recv().await.expect("received").byte_len(), BODY);
        }
        common::eventually("it is given back", || held() < before + SLACK).await;
        drop((push, pull));
    });
}

#[test]
fn what_waited_for_a_subscriber_that_leaves_is_given_back() {
    alone(async |at: At| {
        let (publisher, endpoint) = at.bound(PubSocket::builder().send_hwm(0)).await;
        let before = held();
        let there = endpoint.clone();
        let wire = common::aside(move || {
            let mut wire = common::Wire::meet(&there, "SUB");
            std::io::Write::write_all(&mut wire, &common::command("SUBSCRIBE", b"")).expect("written");
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
        common::eventually("it is gone", || publisher.peer_count() == 0).await;
        common::eventually("it is given back", || held() < before + SLACK).await;
    });
}

/// They come with others that fill the page they are read into.
#[test]
fn a_small_message_that_is_kept_does_not_keep_its_page() {
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
        common::eventually("only these are kept", || held() < before + KEPT * 512).await;
        assert!(kept.iter().enumerate().all(|(n, message)| message[0] == [n as u8; 200]));
    });
}
