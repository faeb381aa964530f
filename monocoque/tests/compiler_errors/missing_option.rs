//! An option that a socket type lacks.
//~ error: the method `plain_server` exists for struct `monocoque::zmq::Builder<StreamSocket>`
//~ note: `StreamSocket: Secure`

use monocoque::zmq::StreamSocket;

fn main() {
    let _socket = StreamSocket::builder().plain_server().build();
}
