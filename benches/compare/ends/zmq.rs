//! The libzmq side, with default options: one context, one thread that uses the sockets, blocking
//! calls on a single socket and `zmq_poll` on several. A message is received into the same
//! `Message` repeatedly.

use std::convert::Infallible;
use std::thread;

use zmq::{Context, DONTWAIT, Error, Message, POLLIN, POLLOUT, Result, SNDMORE, Socket, SocketType};

use crate::job::{Attach, Job, Role};
use crate::measure::{BOUND, Counter, Stopwatch};

pub(crate) fn run(job: &Job) -> Result<Infallible> {
    let context = Context::new();
    let _idle: Vec<Socket> =
        (0..job.idle).map(|_| attached_socket(&context, SocketType::PUSH, job)).collect::<Result<_>>()?;
    let kind = match job.role {
        Role::Push => SocketType::PUSH,
        Role::Pull => SocketType::PULL,
        Role::Pub => SocketType::PUB,
        Role::Sub => SocketType::SUB,
        Role::Req => SocketType::REQ,
        Role::Rep => SocketType::REP,
        Role::Dealer => SocketType::DEALER,
        Role::Router => SocketType::ROUTER,
    };
    let sockets: Vec<Socket> =
        (0..job.sockets).map(|_| attached_socket(&context, kind, job)).collect::<Result<_>>()?;
    let body = job.body();
    match (job.role, &sockets[..]) {
        (_, []) => loop {
            thread::park();
        },
        (Role::Push | Role::Pub, [socket]) => send(socket, &body),
        (Role::Push | Role::Pub, sockets) => send_by_all(sockets, &body),
        (Role::Pull | Role::Sub, [socket]) => receive(socket),
        (Role::Pull | Role::Sub, sockets) => receive_from_all(sockets),
        (Role::Req, [socket, ..]) => request(socket, &body),
        (Role::Rep, [socket, ..]) => reply(socket),
        (Role::Dealer, sockets) => deal(sockets, job.in_flight, &body),
        (Role::Router, [socket, ..]) => route(socket),
    }
}

fn send(socket: &Socket, body: &[u8]) -> Result<Infallible> {
    loop {
        socket.send(body, 0)?;
    }
}

fn receive(socket: &Socket) -> Result<Infallible> {
    let mut counter = Counter::of(0);
    let mut message = Message::new();
    loop {
        socket.recv(&mut message, 0)?;
        counter.add();
    }
}

fn request(socket: &Socket, body: &[u8]) -> Result<Infallible> {
    let mut stopwatch = Stopwatch::start(Counter::of(0));
    let mut message = Message::new();
    loop {
        socket.send(body, 0)?;
        socket.recv(&mut message, 0)?;
        stopwatch.lap();
    }
}

fn reply(socket: &Socket) -> Result<Infallible> {
    loop {
        socket.send(socket.recv_msg(0)?, 0)?;
    }
}

fn route(socket: &Socket) -> Result<Infallible> {
    loop {
        let peer = socket.recv_msg(0)?;
        let body = socket.recv_msg(0)?;
        socket.send(peer, SNDMORE)?;
        socket.send(body, 0)?;
    }
}

fn send_by_all(sockets: &[Socket], body: &[u8]) -> Result<Infallible> {
    let mut items: Vec<_> = sockets.iter().map(|socket| socket.as_poll_item(POLLOUT)).collect();
    loop {
        zmq::poll(&mut items, -1)?;
        for (item, socket) in items.iter().zip(sockets) {
            let mut left = if item.is_writable() { BATCH } else { 0 };
            while left > 0 && is_ready(socket.send(body, DONTWAIT))? {
                left -= 1;
            }
        }
    }
}

fn receive_from_all(sockets: &[Socket]) -> Result<Infallible> {
    let mut counters: Vec<Counter> = (0..sockets.len()).map(Counter::of).collect();
    let mut items: Vec<_> = sockets.iter().map(|socket| socket.as_poll_item(POLLIN)).collect();
    let mut message = Message::new();
    loop {
        zmq::poll(&mut items, -1)?;
        for ((item, socket), counter) in items.iter().zip(sockets).zip(&mut counters) {
            let mut left = if item.is_readable() { BATCH } else { 0 };
            while left > 0 && is_ready(socket.recv(&mut message, DONTWAIT))? {
                counter.add();
                left -= 1;
            }
        }
    }
}

fn deal(sockets: &[Socket], in_flight: usize, body: &[u8]) -> Result<Infallible> {
    let mut counters: Vec<Counter> = (0..sockets.len()).map(Counter::of).collect();
    let mut items: Vec<_> = sockets.iter().map(|socket| socket.as_poll_item(POLLIN)).collect();
    let mut message = Message::new();
    for socket in sockets {
        (0..in_flight).try_for_each(|_| socket.send(body, 0))?;
    }
    loop {
        zmq::poll(&mut items, -1)?;
        for ((item, socket), counter) in items.iter().zip(sockets).zip(&mut counters) {
            while item.is_readable() && is_ready(socket.recv(&mut message, DONTWAIT))? {
                counter.add();
                socket.send(body, 0)?;
            }
        }
    }
}

fn attached_socket(context: &Context, kind: SocketType, job: &Job) -> Result<Socket> {
    let socket = context.socket(kind)?;
    if kind == SocketType::SUB {
        socket.set_subscribe(b"")?;
    }
    match job.attach {
        Attach::Bind => {
            socket.bind(&job.endpoint)?;
            println!("{BOUND} {}", socket.get_last_endpoint()?.expect("in UTF-8"));
        }
        Attach::Connect => socket.connect(&job.endpoint)?,
    }
    Ok(socket)
}

/// Returns `false` if the call would have blocked.
fn is_ready(done: Result<()>) -> Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(Error::EAGAIN) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The largest number of messages of one socket at a time: its default high-water mark.
const BATCH: usize = 1000;
