//! Message size limits: a peer that announces more is disconnected at once.

use futures::StreamExt;
use monocoque::zmq::{PullSocket, ZmtpError};
use monocoque::{DisconnectReason, SocketEvent};
use testing::{RawPeer, frame, over_streams};

over_streams! {
    async fn message_beyond_limit_disconnects(at) {
        let builder = PullSocket::builder().max_message_size(Some(1000)).max_frames(3);
        let (pull, endpoint) = at.bound(builder).await;
        let mut monitor = pull.monitor();
        let body = vec![b'x'; 1000];
        let there = endpoint.clone();
        let good = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&there, "PUSH");
            wire.put(&frame(0, &[b'x'; 1000]));
            wire.put(&[frame(1, &[b'x'; 500]), frame(1, b""), frame(0, &[b'x'; 500])].concat());
            wire
        })
        .await;
        assert_eq!(pull.recv().await.expect("received"), body);
        assert_eq!(pull.recv().await.expect("received").len(), 3);
        let header = |len: u64| [&[2][..], &len.to_be_bytes()].concat();
        let bad: [Vec<u8>; 5] = [
            header(1001),
            header(1 << 62),
            [frame(1, &[b'x'; 999]), vec![0, 2]].concat(),
            [frame(1, &[b'x'; 999]), header(u64::MAX >> 1)].concat(),
            [frame(1, b""), frame(1, b""), frame(1, b""), frame(0, b"")].concat(),
        ];
        for bytes in bad {
            let (there, bytes_sent) = (endpoint.clone(), bytes.clone());
            testing::on_blocking_thread(move || {
                let mut wire = RawPeer::established(&there, "PUSH");
                wire.put(&bytes_sent);
                wire.end();
            })
            .await;
            let reason = loop {
                match monitor.next().await.expect("open") {
                    SocketEvent::Disconnected { reason, .. } => break reason,
                    _ => continue,
                }
            };
            assert!(matches!(reason, DisconnectReason::Protocol(ZmtpError::Misbehaved(_))), "{bytes:x?}: {reason}");
        }
        testing::on_blocking_thread(move || {
            let mut good = good;
            good.put(&frame(0, b"still here"));
            good
        })
        .await;
        assert_eq!(pull.recv().await.expect("received"), "still here");
    }

    async fn default_limit_is_one_gib(at) {
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let (unlimited, elsewhere) = at.bound(PullSocket::builder().max_message_size(None)).await;
        let beyond = [&[2][..], &((1_u64 << 30) + 1).to_be_bytes()].concat();
        let bytes_sent = beyond.clone();
        testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&endpoint, "PUSH");
            wire.put(&bytes_sent);
            wire.end();
        })
        .await;
        testing::eventually("the peer is disconnected", || pull.peer_count() == 0).await;
        let wire = testing::on_blocking_thread(move || {
            let mut wire = RawPeer::established(&elsewhere, "PUSH");
            wire.put(&beyond);
            wire
        })
        .await;
        testing::pass_time(&at).await;
        assert_eq!(unlimited.peer_count(), 1);
        drop(wire);
    }
}
