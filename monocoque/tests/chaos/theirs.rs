//! The parts as played by libzmq. A life has a context of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::actor::{End, Manner, Name, Part, Role};
use crate::ledger::{Class, SETTLED, Stream};
use crate::world::{DEADLINE, PAUSE, SETTLED_MESSAGES, Shared, TOPIC};

pub(crate) fn live(part: &Part, shared: &Shared, mut end: End) {
    let context = zmq::Context::new();
    let ended = || !matches!(end.try_recv(), Ok(None));
    let life = Life { part, shared };
    match part.role {
        Role::Push => life.push(&life.open(&context, zmq::PUSH), ended),
        Role::Pull => life.pull(&life.open(&context, zmq::PULL), ended),
        Role::Router => life.router(&life.open(&context, zmq::ROUTER), ended),
        Role::Dealer(name) => life.dealer(&context, name, ended),
        Role::Sub(Manner::Good) => life.subscribe(&context, ended),
        Role::Pub | Role::Sub(_) => unreachable!("not played by libzmq"),
    }
}

struct Life<'a> {
    part: &'a Part,
    shared: &'a Shared,
}

impl Life<'_> {
    fn push(&self, socket: &zmq::Socket, mut ended: impl FnMut() -> bool) {
        let stream = self.stream(Class::Work);
        let mut sender = Sender::new(stream.clone());
        while !ended() {
            sender.burst(self.shared, self.part.role, socket);
            thread::sleep(PAUSE);
        }
        stream.kill();
    }

    fn pull(&self, socket: &zmq::Socket, mut ended: impl FnMut() -> bool) {
        let mut reader = self.shared.ledger.reader(self.part.index, &self.part.name(), Class::Work);
        while !ended() {
            if let Ok(frames) = socket.recv_multipart(0) {
                reader.take(frames.iter().map(Vec::as_slice));
            }
        }
    }

    fn router(&self, socket: &zmq::Socket, mut ended: impl FnMut() -> bool) {
        let mut reader = self.shared.ledger.reader(self.part.index, &self.part.name(), Class::Request);
        while !ended() {
            let Ok(mut frames) = socket.recv_multipart(0) else { continue };
            if reader.take(frames[1..].iter().map(Vec::as_slice)).is_some() {
                frames.insert(1, vec![self.part.index]);
                // One that has gone is none to send to.
                let _dropped = socket.send_multipart(frames, zmq::DONTWAIT);
                self.shared.replies.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn dealer(&self, context: &zmq::Context, name: Name, mut ended: impl FnMut() -> bool) {
        let socket = self.make(context, zmq::DEALER);
        if name == Name::Own {
            socket.set_identity(format!("dealer {}", self.part.index).as_bytes()).expect("a routing id");
        }
        self.attach(&socket);
        let stream = self.stream(Class::Request);
        let mut sender = Sender::new(stream.clone());
        let mut reader = self.shared.ledger.reader(self.part.index, &self.part.name(), Class::Reply);
        while !ended() {
            sender.burst(self.shared, self.part.role, &socket);
            while let Ok(frames) = socket.recv_multipart(zmq::DONTWAIT) {
                if let Some(tag) = reader.take(frames[1..].iter().map(Vec::as_slice))
                    && tag.stream == stream.id
                {
                    reader.heard_through(frames[0][0], tag);
                }
            }
            thread::sleep(PAUSE);
        }
        stream.kill();
    }

    fn subscribe(&self, context: &zmq::Context, mut ended: impl FnMut() -> bool) {
        let socket = self.make(context, zmq::SUB);
        for n in 0..100 {
            socket.set_subscribe(format!("other {n}").as_bytes()).expect("a topic");
        }
        socket.set_subscribe(&[TOPIC]).expect("a topic");
        self.attach(&socket);
        let mut reader = self.shared.ledger.reader(self.part.index, &self.part.name(), Class::News);
        while !ended() {
            if let Ok(frames) = socket.recv_multipart(0) {
                reader.take(frames.iter().map(Vec::as_slice));
            }
        }
    }

    fn stream(&self, class: Class) -> Arc<Stream> {
        self.shared.ledger.stream(self.part.index, &self.part.name(), class, false)
    }

    fn open(&self, context: &zmq::Context, kind: zmq::SocketType) -> zmq::Socket {
        let socket = self.make(context, kind);
        self.attach(&socket);
        socket
    }

    fn make(&self, context: &zmq::Context, kind: zmq::SocketType) -> zmq::Socket {
        let socket = context.socket(kind).expect("a libzmq socket");
        let set = || {
            socket.set_linger(0)?;
            socket.set_sndhwm(if kind == zmq::PUSH { 100 } else { 1000 })?;
            socket.set_rcvhwm(if kind == zmq::PULL { 100 } else { 1000 })?;
            socket.set_reconnect_ivl(10)?;
            socket.set_handshake_ivl(1000)?;
            socket.set_sndtimeo(20)?;
            socket.set_rcvtimeo(20)
        };
        set().expect("options");
        socket
    }

    fn attach(&self, socket: &zmq::Socket) {
        for endpoint in &self.part.binds {
            let start = Instant::now();
            while let Err(error) = socket.bind(endpoint) {
                assert!(start.elapsed() < DEADLINE, "still not free: {endpoint}: {error}");
                thread::sleep(Duration::from_millis(5));
            }
        }
        for endpoint in &self.part.connects {
            socket.connect(endpoint).expect("an endpoint");
        }
    }
}

struct Sender {
    stream: Arc<Stream>,
    settled: usize,
}

impl Sender {
    fn new(stream: Arc<Stream>) -> Self {
        Self { stream, settled: 0 }
    }

    /// Sends a few messages; none any more once that is settled. What there is no room for is sent the next time.
    fn burst(&mut self, shared: &Shared, role: Role, socket: &zmq::Socket) {
        for _ in 0..shared.burst(role) {
            let phase = shared.phase();
            if phase == SETTLED && self.settled == SETTLED_MESSAGES {
                return;
            }
            if socket.send_multipart(self.stream.next(TOPIC, phase), 0).is_err() {
                return;
            }
            self.stream.count();
            self.settled += usize::from(phase == SETTLED);
        }
    }
}
