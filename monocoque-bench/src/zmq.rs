//! The libzmq side, with default options: one thread uses the sockets, with blocking calls on a
//! single socket and `zmq_poll` on several. A message is received into the same `Message`
//! repeatedly.

use std::mem::replace;
use std::time::Instant;

use futures::StreamExt;
use futures::executor::block_on;
use zmq::{
    Context, DONTWAIT, Error, Message, POLLIN, POLLOUT, PollEvents, Result, SNDMORE, Socket, SocketType,
};

use super::side::{Attach, Participant, Side};
use super::{Pattern, shares};

type Work = fn(Participant, &[Socket]) -> Result<()>;

pub(crate) fn run(participant: Participant) -> Result<()> {
    let (kind, work): (_, Work) = match (participant.load.pattern, participant.side) {
        (Pattern::PushPull, Side::From) => (SocketType::PUSH, send),
        (Pattern::PushPull, Side::To) => (SocketType::PULL, receive),
        (Pattern::DealerRouter, Side::From) => (SocketType::DEALER, send),
        (Pattern::DealerRouter, Side::To) => (SocketType::ROUTER, receive),
        (Pattern::PubSub, Side::From) => (SocketType::PUB, publish),
        (Pattern::PubSub, Side::To) => (SocketType::SUB, receive),
        (Pattern::ReqRep, Side::From) => (SocketType::REQ, request),
        (Pattern::ReqRep, Side::To) => (SocketType::REP, echo),
        (Pattern::DealerRouterEcho, Side::From) => (SocketType::DEALER, request),
        (Pattern::DealerRouterEcho, Side::To) => (SocketType::ROUTER, echo),
    };
    let context = Context::new();
    context.set_io_threads(i32::try_from(participant.load.io_threads).expect("few"))?;
    let sockets: Vec<Socket> = (0..participant.sockets())
        .map(|_| attached_socket(&context, kind, &participant))
        .collect::<Result<_>>()?;
    work(participant, &sockets)
}

fn send(mut participant: Participant, sockets: &[Socket]) -> Result<()> {
    let body = &participant.load.bodies()[0];
    while let Some(n) = block_on(participant.rounds.next()) {
        let mut left: Vec<usize> = shares(n, sockets.len()).collect();
        while left.iter().any(|&left| left > 0) && !has_ended(&mut participant) {
            wait(sockets, POLLOUT)?;
            for (socket, left) in sockets.iter().zip(&mut left) {
                let mut turn = BATCH.min(*left);
                while turn > 0 && is_ready(socket.send(body, flags(sockets)))? {
                    turn -= 1;
                    *left -= 1;
                }
            }
        }
    }
    Ok(())
}

/// Publishes until enough messages have arrived, since some may be dropped.
fn publish(mut participant: Participant, sockets: &[Socket]) -> Result<()> {
    let bodies = participant.load.bodies();
    while block_on(participant.rounds.next()).is_some() {
        let mut bodies = bodies.iter().cycle();
        while !participant.meter.is_reached() && !has_ended(&mut participant) {
            bodies.by_ref().take(BURST).try_for_each(|body| sockets[0].send(body, 0))?;
        }
    }
    Ok(())
}

fn request(mut participant: Participant, sockets: &[Socket]) -> Result<()> {
    let body = &participant.load.bodies()[0];
    let mut message = Message::new();
    while let Some(n) = block_on(participant.rounds.next()) {
        let mut left: Vec<usize> = shares(n, sockets.len()).collect();
        let mut started = vec![Instant::now(); sockets.len()];
        for ((socket, left), started) in sockets.iter().zip(&left).zip(&mut started) {
            if *left > 0 {
                *started = Instant::now();
                socket.send(body, 0)?;
            }
        }
        while left.iter().any(|&left| left > 0) && !has_ended(&mut participant) {
            wait(sockets, POLLIN)?;
            for ((socket, left), started) in sockets.iter().zip(&mut left).zip(&mut started) {
                while *left > 0 && is_ready(socket.recv(&mut message, flags(sockets)))? {
                    participant.meter.lap(*started);
                    *left -= 1;
                    if *left > 0 {
                        *started = Instant::now();
                        socket.send(body, 0)?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn receive(mut participant: Participant, sockets: &[Socket]) -> Result<()> {
    let mut message = Message::new();
    while !has_ended(&mut participant) {
        wait(sockets, POLLIN)?;
        for socket in sockets {
            let mut turn = BATCH;
            while turn > 0 && is_ready(socket.recv(&mut message, flags(sockets)))? {
                if participant.load.pattern == Pattern::DealerRouter {
                    // That was the routing id of the sender.
                    socket.recv(&mut message, 0)?;
                }
                participant.meter.add();
                turn -= 1;
            }
        }
    }
    Ok(())
}

/// Echoes with a REP, or with a ROUTER, which adds the routing id in front.
fn echo(mut participant: Participant, sockets: &[Socket]) -> Result<()> {
    let [socket] = sockets else { unreachable!("one socket echoes") };
    let mut message = Message::new();
    while !has_ended(&mut participant) {
        while is_ready(socket.recv(&mut message, 0))? {
            if participant.load.pattern == Pattern::DealerRouterEcho {
                socket.send(replace(&mut message, Message::new()), SNDMORE)?;
                socket.recv(&mut message, 0)?;
            }
            socket.send(replace(&mut message, Message::new()), 0)?;
        }
    }
    Ok(())
}

fn attached_socket(context: &Context, kind: SocketType, participant: &Participant) -> Result<Socket> {
    let socket = context.socket(kind)?;
    socket.set_linger(0)?;
    socket.set_rcvtimeo(CHECK_INTERVAL)?;
    socket.set_sndtimeo(CHECK_INTERVAL)?;
    if kind == SocketType::SUB {
        participant.load.subscriptions().iter().try_for_each(|topic| socket.set_subscribe(topic))?;
    }
    match participant.attach() {
        Attach::Bind(endpoint) => {
            socket.bind(endpoint)?;
            participant.meter.bound(socket.get_last_endpoint()?.expect("in UTF-8"));
        }
        Attach::Connect(endpoint) => socket.connect(endpoint)?,
    }
    Ok(socket)
}

/// Waits until one of several sockets is ready; a single one waits in its calls.
fn wait(sockets: &[Socket], events: PollEvents) -> Result<()> {
    if sockets.len() > 1 {
        let mut items: Vec<_> = sockets.iter().map(|socket| socket.as_poll_item(events)).collect();
        zmq::poll(&mut items, i64::from(CHECK_INTERVAL))?;
    }
    Ok(())
}

fn flags(sockets: &[Socket]) -> i32 {
    match sockets.len() {
        1 => 0,
        _ => DONTWAIT,
    }
}

/// Returns `false` if the call would have blocked.
fn is_ready(done: Result<()>) -> Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(Error::EAGAIN) => Ok(false),
        Err(error) => Err(error),
    }
}

fn has_ended(participant: &mut Participant) -> bool {
    participant.rounds.try_recv().is_err_and(|error| error.is_closed())
}

/// How long a call waits before it checks for the end of the pair, in ms.
const CHECK_INTERVAL: i32 = 100;

/// The largest number of messages of one socket at a time: its default high-water mark.
const BATCH: usize = 1000;

/// The number of messages published between two checks.
const BURST: usize = 64;
