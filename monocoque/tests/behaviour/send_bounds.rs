//! Sockets are handles: they are `Clone` and `Send`, and their futures are `Send`.

use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket,
};
use monocoque::{Context, Message, MonocoqueError, SendError};
use testing::everywhere;

fn assert_send<T: Send>(_: &T) {}

fn assert_handle<T: Clone + Send + Sync + Unpin + std::fmt::Debug + 'static>() {}

fn assert_send_future<S: Sends>(socket: &S) {
    assert_send(&socket.send("x"));
}

fn assert_recv_future<S: Receives>(socket: &S) {
    assert_send(&socket.recv());
}

#[test]
fn handles_and_futures_are_send() {
    assert_handle::<Context>();
    assert_handle::<Message>();
    assert_handle::<DealerSocket>();
    assert_handle::<RouterSocket>();
    assert_handle::<ReqSocket>();
    assert_handle::<RepSocket>();
    assert_handle::<PubSocket>();
    assert_handle::<SubSocket>();
    assert_handle::<PushSocket>();
    assert_handle::<PullSocket>();

    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<MonocoqueError>();
    error::<SendError>();

    let context = Context::new().expect("an I/O thread");
    let dealer = DealerSocket::new_in(&context).expect("a socket");
    assert_send_future(&dealer);
    assert_recv_future(&dealer);
    assert_send(&dealer.bind("tcp://127.0.0.1:0"));
    assert_send(&dealer.connect("tcp://127.0.0.1:1"));
    assert_send(&dealer.unbind("tcp://127.0.0.1:1"));
    assert_send(&dealer.disconnect("tcp://127.0.0.1:1"));
    assert_send(&dealer.wait_for_peers(1));
    assert_send(&dealer.close());
    let router = RouterSocket::new_in(&context).expect("a socket");
    assert_send(&router.recv_from());
    assert_send(&ReqSocket::new_in(&context).expect("a socket").request("x"));
    assert_send(&PubSocket::new_in(&context).expect("a socket").wait_for_subscriptions(1));
}

everywhere! {
    async fn cloned_handles_share_one_socket(at) {
        const EACH: usize = 500;
        let (pull, endpoint) = at.bound(PullSocket::builder()).await;
        let push = at.connected(PushSocket::builder(), &endpoint).await;
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let push = push.clone();
                testing::on_blocking_thread(move || {
                    for n in 0..EACH {
                        let message = [sender.to_string(), n.to_string()];
                        futures::executor::block_on(push.send(message)).expect("sent");
                    }
                })
            })
            .collect();
        let receivers: Vec<_> = (0..2)
            .map(|_| {
                let pull = pull.clone();
                testing::on_blocking_thread(move || {
                    let receive = async || {
                        let mut last = [None::<usize>; 4];
                        let mut count = 0;
                        while let Ok(message) = pull.recv().await {
                            let number = |frame| -> usize {
                                std::str::from_utf8(&message[frame]).expect("text").parse().expect("a number")
                            };
                            let (sender, n) = (number(0), number(1));
                            if sender == 4 {
                                break;
                            }
                            assert!(last[sender].is_none_or(|last| last < n), "out of order");
                            last[sender] = Some(n);
                            count += 1;
                        }
                        count
                    };
                    futures::executor::block_on(receive())
                })
            })
            .collect();
        futures::future::join_all(senders).await;
        for _ in 0..2 {
            push.send(["4", "0"]).await.expect("sent");
        }
        let counts: Vec<usize> = futures::future::join_all(receivers).await;
        assert_eq!(counts.iter().sum::<usize>(), 4 * EACH, "{counts:?}");
    }
}
