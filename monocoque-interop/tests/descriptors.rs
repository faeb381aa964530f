//! Checks that attached streams leak no descriptors. It is alone in its process, whose descriptors
//! it counts.

use std::time::Duration;

use compio::runtime::Runtime;
use monocoque::transport::AnyStream;
use monocoque::zmq::{PullSocket, PushSocket};
use monocoque_interop::tls::{tcp_pair, tls_pair};
use testing::process_stats::ProcessStats;
use testing::yield_now;

/// Includes streams with pending operations in the kernel, dropped at any point of their lifetime.
#[test]
fn attached_streams_leak_no_descriptors() {
    let live = |turns: usize, close: bool| {
        Runtime::new().expect("a runtime").block_on(async {
            // Without linger, so that closing does not wait for the other socket.
            let push = PushSocket::builder().linger(Some(Duration::ZERO)).build().expect("a socket");
            let pull = PullSocket::new().expect("a socket");
            let (ours, theirs) = tls_pair().await;
            push.attach(AnyStream::new(ours, "tls")).expect("attached");
            pull.attach(AnyStream::new(theirs, "tls")).expect("attached");
            let (ours, theirs) = tcp_pair().await;
            push.attach(AnyStream::from_halves(ours.clone(), ours, "halves")).expect("attached");
            pull.attach(theirs).expect("attached");
            for _ in 0..turns {
                let _queued = push.try_send(vec![0; 100_000]);
                yield_now().await;
            }
            if close {
                futures::join!(push.close(), pull.close());
            }
        });
    };
    for close in [true, false] {
        live(0, close);
        let before = ProcessStats::now();
        for turns in 0..30 {
            live(turns, close);
            let left = ProcessStats::now().fds.saturating_sub(before.fds);
            assert_eq!(left, 0, "{turns} turns of the runtime: {:#?}", ProcessStats::descriptors());
        }
    }
}
