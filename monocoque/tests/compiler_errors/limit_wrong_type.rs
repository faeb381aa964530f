//! A number in the place of a duration, and a duration in the place of a size.
//~ error: `{integer}` is not a `Duration`
//~ note: a time is a `Duration`, such as `Duration::from_secs(5)`; a size is a number of bytes, a `u64`
//~ error: `Duration` is not a `u64`

use std::time::Duration;

use monocoque::zmq::PushSocket;

fn main() {
    let _number = PushSocket::builder().linger(5);
    let _size = PushSocket::builder().max_message_size(Duration::from_secs(5));
}
