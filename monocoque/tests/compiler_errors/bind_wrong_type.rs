//! A value that is no endpoint.
//~ error: `u16` is not an endpoint
//~ note: an endpoint is text such as "tcp://127.0.0.1:5555", an `Endpoint`, a `SocketAddr`

use monocoque::zmq::PullSocket;

fn bind(pull: &PullSocket) {
    let _bound = pull.blocking().bind(5555_u16);
}

fn main() {}
