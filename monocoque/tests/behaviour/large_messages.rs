//! Messages larger than every buffer on their path arrive complete, although nothing follows them.

use std::io::Write;

use monocoque::Message;
use monocoque::zmq::{DealerSocket, PullSocket, PushSocket};
use testing::{RawPeer, RawPeerListener, on_every_driver, on_every_driver_over_streams};

fn bytes(len: usize) -> Vec<u8> {
    let mut byte = 1_u32;
    (0..len)
        .map(|_| {
            byte = byte.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (byte >> 24) as u8
        })
        .collect()
}

on_every_driver! {
    async fn large_messages_round_trip(at) {
        let (one, endpoint) = at.bound(DealerSocket::builder()).await;
        let other = at.connected(DealerSocket::builder(), &endpoint).await;
        for len in [0, 1, 255, 256, 8_191, 8_192, 8_193, 65_535, 65_536, 300 << 10, 1 << 20] {
            let sent = Message::from([bytes(len), b"and a frame".to_vec(), bytes(len / 2)]);
            other.send(sent.clone()).await.expect("sent");
            assert!(one.recv().await.expect("received") == sent, "{len} bytes");
            one.send(sent.clone()).await.expect("sent");
            assert!(other.recv().await.expect("received") == sent, "{len} bytes");
        }
    }
}

on_every_driver_over_streams! {
    async fn large_messages_reach_slow_reader(at) {
        let (listener, endpoint) = RawPeerListener::bind(&at, "small");
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        for len in [300 << 10, 1 << 20] {
            push.send(bytes(len)).await.expect("sent");
        }
        testing::on_blocking_thread(move || {
            let mut wire = listener.accept();
            wire.shake_hands("PULL", b"");
            for len in [300_usize << 10, 1 << 20] {
                assert_eq!(wire.take(9), [&[2][..], &(len as u64).to_be_bytes()].concat());
                let mut received = Vec::new();
                while received.len() < len {
                    received.extend(wire.take(777.min(len - received.len())));
                }
                assert!(received == bytes(len));
            }
        })
        .await;
    }

    async fn large_messages_reassemble_from_fragments(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "PUSH");
            for len in [300 << 10, 1 << 20] {
                for piece in testing::frame(0, &bytes(len)).chunks(1_461) {
                    wire.write_all(piece).expect("written");
                }
            }
            wire
        });
        let receive = async {
            for len in [300 << 10, 1 << 20] {
                assert!(pull.recv().await.expect("received")[0] == *bytes(len), "{len} bytes");
            }
        };
        futures::join!(wire, receive);
    }
}

#[test]
fn message_of_64_mib_arrives() {
    testing::run(testing::Transport::Tcp, testing::Placement::Thread, async |at: testing::At| {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let sent = Message::from(bytes(64 << 20));
        push.send(sent.clone()).await.expect("sent");
        assert!(pull.recv().await.expect("received") == sent);
    });
}

testing::over_streams! {
    async fn frame_beyond_two_gib_arrives(at) {
        const LEN: usize = (1 << 31) + (8 << 20);
        let (listener, endpoint) = RawPeerListener::bind(&at, "huge");
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let read = testing::on_blocking_thread(move || {
            let mut wire = listener.accept();
            wire.shake_hands("PULL", b"");
            assert_eq!(wire.take(9), [&[2][..], &(LEN as u64).to_be_bytes()].concat());
            let mut chunk = vec![0; 1 << 20];
            for _ in 0..LEN / chunk.len() {
                std::io::Read::read_exact(&mut wire, &mut chunk).expect("the stream continues");
            }
            wire.take(8)
        });
        // Untouched zero pages take no memory.
        push.send(vec![0; LEN]).await.expect("queued");
        push.send("behind").await.expect("queued");
        assert_eq!(read.await, b"\x00\x06behind");
    }
}
