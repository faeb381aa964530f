//! A blocking call that a socket type lacks.
//~ error: the method `recv` exists for struct `monocoque::zmq::Blocking<'_, PushSocket>`, but its trait bounds were not satisfied
//~ note: `PushSocket: Receives`

use monocoque::zmq::PushSocket;

fn receive(push: &PushSocket) {
    let _received = push.blocking().recv();
}

fn main() {}
