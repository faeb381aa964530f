//! A value that is no message.
//~ error: `u32` is not a message
//~ note: a message is text, bytes or frames, or an array, a tuple or a vector of these
//~ note: convert it into bytes or text, such as `value.to_string()`; for a type of your own, implement `From`
// The compiler says the same of `.await`.
//~ error: `u32` is not a message
//~ error: `Vec<f64>` is not a message

use monocoque::zmq::PushSocket;

async fn send(push: &PushSocket) {
    let _sent = push.send(5_u32).await;
}

fn try_send(push: &PushSocket) {
    let _sent = push.try_send(vec![0.5_f64]);
}

fn main() {}
