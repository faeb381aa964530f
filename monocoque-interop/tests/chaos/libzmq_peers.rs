//! libzmq sockets of a [child process](crate::child_main).

use std::time::Duration;

use crate::child_socket::{Attaches, Receives, Sends, WAIT};
use crate::part::{ReadSpeed, Role, RoutingIdKind};
use crate::shared::TOPIC;
use testing::ledger::Frames;

/// Creates the socket of a role, in a context of its own.
pub(crate) fn socket(role: Role, index: u8) -> zmq::Socket {
    let kind = match role {
        Role::Push => zmq::PUSH,
        Role::Pull => zmq::PULL,
        Role::Router => zmq::ROUTER,
        Role::Dealer(_) => zmq::DEALER,
        Role::Sub(ReadSpeed::Good) => zmq::SUB,
        Role::Pub | Role::Sub(_) => unreachable!("libzmq has no such part"),
    };
    let socket = zmq::Context::new().socket(kind).expect("a libzmq socket");
    let set = || {
        socket.set_linger(0)?;
        socket.set_sndhwm(if kind == zmq::PUSH { 100 } else { 1000 })?;
        socket.set_rcvhwm(if kind == zmq::PULL { 100 } else { 1000 })?;
        socket.set_reconnect_ivl(10)?;
        socket.set_handshake_ivl(1000)?;
        socket.set_sndtimeo(millis(WAIT) as i32)?;
        if role == Role::Dealer(RoutingIdKind::Own) {
            socket.set_identity(format!("dealer {index}").as_bytes())?;
        }
        if kind == zmq::SUB {
            subscribe(&socket)?;
        }
        Ok(())
    };
    set().unwrap_or_else(|error: zmq::Error| panic!("options: {error}"));
    socket
}

/// Subscribes to topics without messages, and to the one of the test.
fn subscribe(socket: &zmq::Socket) -> zmq::Result<()> {
    (0..100).try_for_each(|n| socket.set_subscribe(format!("other {n}").as_bytes()))?;
    socket.set_subscribe(&[TOPIC])
}

impl Attaches for zmq::Socket {
    fn bind(&self, endpoint: &str) -> Result<(), String> {
        self.bind(endpoint).map_err(|error| error.to_string())
    }

    fn connect(&self, endpoint: &str) {
        self.connect(endpoint).expect("an endpoint");
    }

    fn lost_connections(&self) -> u64 {
        0
    }

    fn close(self) {}
}

impl Sends for zmq::Socket {
    fn send(&self, frames: Frames) -> bool {
        self.send_multipart(frames, 0).is_ok()
    }
}

impl Receives for zmq::Socket {
    fn receive(&self, wait: Duration) -> Option<Frames> {
        self.poll(zmq::POLLIN, millis(wait)).ok()?;
        self.recv_multipart(zmq::DONTWAIT).ok()
    }
}

fn millis(time: Duration) -> i64 {
    time.as_millis() as i64
}
