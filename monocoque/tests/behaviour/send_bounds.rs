//! A socket is a handle: it is cloned, sent to other threads and used there, and so are its
//! futures.

use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket,
};
use monocoque::{Context, Message, MonocoqueError, SendError};
use testing::everywhere;

fn crosses<T: Send>(_: &T) {}

fn is_a_handle<T: Clone + Send + Sync + Unpin + std::fmt::Debug + 'static>() {}

fn sends<S: Sends>(socket: &S) {
    crosses(&socket.send("x"));
}

fn receives<S: Receives>(socket: &S) {
    crosses(&socket.recv());
}

#[test]
fn handles_and_futures_are_send() {
    is_a_handle::<Context>();
    is_a_handle::<Message>();
    is_a_handle::<DealerSocket>();
    is_a_handle::<RouterSocket>();
    is_a_handle::<ReqSocket>();
    is_a_handle::<RepSocket>();
    is_a_handle::<PubSocket>();
    is_a_handle::<SubSocket>();
    is_a_handle::<PushSocket>();
    is_a_handle::<PullSocket>();

    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<MonocoqueError>();
    error::<SendError>();

    let context = Context::new().expect("an I/O thread");
    let dealer = DealerSocket::new_in(&context).expect("a socket");
    sends(&dealer);
    receives(&dealer);
    crosses(&dealer.bind("tcp://127.0.0.1:0"));
    crosses(&dealer.connect("tcp://127.0.0.1:1"));
    crosses(&dealer.unbind("tcp://127.0.0.1:1"));
    crosses(&dealer.disconnect("tcp://127.0.0.1:1"));
    crosses(&dealer.wait_for_peers(1));
    crosses(&dealer.close());
    let router = RouterSocket::new_in(&context).expect("a socket");
    crosses(&router.recv_from());
    crosses(&ReqSocket::new_in(&context).expect("a socket").request("x"));
    crosses(&PubSocket::new_in(&context).expect("a socket").wait_for_subscriptions(1));
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
