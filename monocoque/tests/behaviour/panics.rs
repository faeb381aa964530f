//! Panics in a thread that owns sockets: they unwind and do not abort the process.

use std::thread;

use monocoque::Context;
use monocoque::zmq::PullSocket;

#[test]
fn panic_closes_dropped_socket() {
    let context = Context::new().expect("an I/O thread");
    let pull = PullSocket::new_in(&context).expect("a socket");
    futures::executor::block_on(pull.bind("tcp://127.0.0.1:0")).expect("bound");
    let endpoint = pull.last_endpoint().expect("bound");
    let panicked = thread::spawn(move || {
        let _pull = pull;
        panic!("deliberate");
    });
    assert!(panicked.join().is_err());
    futures::executor::block_on(async {
        let again = PullSocket::new_in(&context).expect("a socket");
        testing::eventually_async("the endpoint is free", async || {
            again.bind(endpoint.clone()).await.is_ok()
        })
        .await;
    });
}

#[test]
fn panic_ends_dropped_context() {
    let panicked = thread::spawn(|| {
        let _context = Context::new().expect("an I/O thread");
        panic!("deliberate");
    });
    assert!(panicked.join().is_err());
}
