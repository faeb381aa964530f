//! Readiness: what a socket can do without waiting, and who is woken when that changes.

mod event_loops;
mod observers;
mod poll;
mod states;

use monocoque::Events;
use monocoque::zmq::Socket;
use testing::eventually;

fn events<S: Socket>(socket: &S) -> Events {
    socket.events().expect("open")
}

/// Waits until the events of a socket are these.
async fn expect_events<S: Socket>(socket: &S, expected: Events) {
    let what = format!("{socket:?} has {expected:?}");
    eventually(&what, || events(socket) == expected).await;
}
