//! Methods that a socket type lacks.
//~ error: no method named `send` found for reference `&PullSocket` in the current scope
//~ error: no method named `recv` found for reference `&PushSocket` in the current scope
//~ error: no method named `subscribe` found for reference `&PullSocket` in the current scope

use monocoque::zmq::{PullSocket, PushSocket};

async fn exchange(pull: &PullSocket, push: &PushSocket) {
    let _sent = pull.send("a message").await;
    let _received = push.recv().await;
    let _subscribed = pull.subscribe("topic");
}

fn main() {}
