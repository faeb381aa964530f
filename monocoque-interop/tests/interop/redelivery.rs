//! A message that libzmq rejects is attempted a few times and then dropped; later messages arrive.

use std::time::Duration;

use futures::StreamExt;
use monocoque::SocketEvent;
use monocoque::zmq::PushSocket;

/// The largest message that the peer accepts.
const LIMIT: u64 = 1 << 20;
const TOO_LARGE: usize = 32 << 20;
const AT_ONCE: Duration = Duration::from_millis(1);

/// libzmq has its own limit, and closes the connection.
#[test]
fn libzmq_refusal_drops_only_message() {
    testing::run(testing::Transport::Tcp, testing::Placement::Thread, async |at| {
        let context = zmq::Context::new();
        let theirs = context.socket(zmq::PULL).expect("a socket");
        theirs.set_maxmsgsize(LIMIT.cast_signed()).expect("set");
        theirs.set_linger(0).expect("set");
        theirs.bind("tcp://127.0.0.1:*").expect("bound");
        let endpoint = theirs.get_last_endpoint().expect("bound").expect("text");
        let push = at.build(PushSocket::builder().reconnect_interval(AT_ONCE));
        push.connect(endpoint.as_str()).await.expect("connected");
        let mut monitor = push.monitor();
        push.send(vec![7; TOO_LARGE]).await.expect("queued");
        let attempts = loop {
            let event = monitor.next().await.expect("the socket is open");
            if let SocketEvent::MessageDropped { attempts, .. } = event {
                break attempts;
            }
        };
        assert_eq!(attempts, 3);
        push.send("behind").await.expect("queued");
        let received = testing::on_blocking_thread(move || {
            theirs.set_rcvtimeo(20_000).expect("set");
            theirs.recv_bytes(0)
        });
        assert_eq!(received.await.expect("received"), b"behind");
    });
}
