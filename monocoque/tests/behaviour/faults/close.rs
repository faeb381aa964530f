//! Closing sockets while their connections fail.

use std::time::Duration;

use monocoque::Message;
use monocoque::zmq::{PullSocket, PushSocket};

use super::{SOON, number, through};
use testing::proxy::{Fault, FaultPlan};
use testing::{At, Placement, Transport, numbered, over_streams};

async fn send_million_then_close(at: At) {
    const MESSAGES: usize = 1_000_000;
    let (pull, endpoint) = at.bound(PullSocket::builder()).await;
    let push = at.connected(PushSocket::builder().send_hwm(0).linger(None), &endpoint).await;
    let send = async {
        for n in 0..MESSAGES {
            push.send(numbered(n)).await.expect("sent");
        }
        push.close().await;
    };
    let receive = async {
        let mut messages = Vec::new();
        let mut next = 0;
        while next < MESSAGES {
            pull.recv_batch(&mut messages, 1_000).await.expect("received");
            for message in messages.drain(..) {
                assert_eq!(number(&message), next as u64);
                next += 1;
            }
        }
    };
    futures::join!(send, receive);
    assert!(pull.try_recv().is_err());
}

#[test]
fn close_delivers_million_messages() {
    testing::run_within(Duration::from_secs(90), Transport::Tcp, Placement::Thread, send_million_then_close);
}

over_streams! {
    async fn refused_connection_still_delivers_message(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let proxy = through(&at, &endpoint, FaultPlan::default(), 0);
        for n in 0..5 {
            proxy.refuse(Duration::from_millis(100));
            testing::eventually("the proxy refuses connections", || proxy.counts().refusals == n + 1).await;
            let push = at.build(PushSocket::builder().reconnect_interval(SOON));
            push.connect(proxy.endpoint()).await.expect("connected");
            push.send(numbered(n as usize)).await.expect("queued");
            let closing = async {
                push.close().await;
            };
            let receiving = async {
                assert_eq!(pull.recv().await.expect("received"), numbered(n as usize));
            };
            futures::join!(closing, receiving);
        }
    }

    async fn zero_linger_never_splits_message(at) {
        let mut chance = testing::seeded_rng();
        let faults = FaultPlan { fragment: 4_000, delay: Duration::from_micros(20), ..FaultPlan::default() };
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let proxy = through(&at, &endpoint, faults, chance.u64(..));
        let message = |life: u8, n: u8| Message::from([vec![life, n], vec![n; 8_000], vec![!n; 100]]);
        for life in 0..10 {
            let push = at.build(PushSocket::builder().linger(Some(Duration::ZERO)));
            push.connect(proxy.endpoint()).await.expect("connected");
            for n in 0..30 {
                push.send(message(life, n)).await.expect("sent");
            }
            let mut next = 0;
            while next < 1 + life % 3 {
                assert!(pull.recv().await.expect("received") == message(life, next), "whole and in order");
                next += 1;
            }
            push.close().await;
            testing::eventually("the peer has disconnected", || pull.peer_count() == 0).await;
            while let Ok(received) = pull.try_recv() {
                assert!(received == message(life, next), "whole and in order");
                next += 1;
            }
        }
    }

    /// Checks that a half-open connection which ends during `close` leaves its unsent messages to
    /// the next one.
    async fn close_survives_half_open_connection(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let proxy = through(&at, &endpoint, FaultPlan::default(), 0);
        let push = at.build(PushSocket::builder().send_hwm(0).reconnect_interval(SOON));
        push.connect(proxy.endpoint()).await.expect("connected");
        push.wait_for_peers(1).await.expect("open");
        proxy.inject_all(Fault::Stall(Duration::from_secs(3600)));
        testing::eventually("the connection is half open", || proxy.counts().stalls == 1).await;
        const MESSAGES: u64 = 500;
        for n in 0..MESSAGES {
            push.send([n.to_string().into_bytes(), vec![0; 50_000]]).await.expect("queued");
        }
        let mut numbers = Vec::new();
        let receive = async {
            while numbers.last() != Some(&(MESSAGES - 1)) {
                numbers.push(number(&pull.recv().await.expect("received")));
            }
        };
        let close = async {
            let mut closing = Box::pin(push.close());
            assert!(testing::at_once(closing.as_mut()).is_none());
            proxy.heal();
            closing.await;
        };
        futures::join!(receive, close);
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "a gap, or out of order: {numbers:?}");
        println!("{} of {MESSAGES} were accepted by the kernel and lost", MESSAGES - numbers.len() as u64);
        assert!(numbers.len() > 100, "{} arrived", numbers.len());
    }
}
