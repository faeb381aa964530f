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

use super::pair::{Attach, End, Side};
use super::{Pattern, shares};

type Work = fn(End, &[Socket]) -> Result<()>;

pub(crate) fn run(end: End) -> Result<()> {
    let (kind, work): (_, Work) = match (end.load.pattern, end.side) {
        (Pattern::PushPull, Side::From) => (SocketType::PUSH, send),
        (Pattern::PushPull, Side::To) => (SocketType::PULL, receive),
        (Pattern::DealerRouter, Side::From) => (SocketType::DEALER, send),
        (Pattern::DealerRouter, Side::To) => (SocketType::ROUTER, receive),
        (Pattern::PubSub, Side::From) => (SocketType::PUB, publish),
        (Pattern::PubSub, Side::To) => (SocketType::SUB, receive),
        (Pattern::ReqRep, Side::From) => (SocketType::REQ, ask),
        (Pattern::ReqRep, Side::To) => (SocketType::REP, echo),
        (Pattern::DealerRouterEcho, Side::From) => (SocketType::DEALER, ask),
        (Pattern::DealerRouterEcho, Side::To) => (SocketType::ROUTER, echo),
    };
    let context = Context::new();
    context.set_io_threads(i32::try_from(end.load.io_threads).expect("few"))?;
    let sockets: Vec<Socket> =
        (0..end.sockets()).map(|_| attached(&context, kind, &end)).collect::<Result<_>>()?;
    work(end, &sockets)
}

fn send(mut end: End, sockets: &[Socket]) -> Result<()> {
    let body = &end.load.bodies()[0];
    while let Some(n) = block_on(end.rounds.next()) {
        let mut left: Vec<usize> = shares(n, sockets.len()).collect();
        while left.iter().any(|&left| left > 0) && !is_over(&mut end) {
            wait(sockets, POLLOUT)?;
            for (socket, left) in sockets.iter().zip(&mut left) {
                let mut turn = BATCH.min(*left);
                while turn > 0 && there_was(socket.send(body, flags(sockets)))? {
                    turn -= 1;
                    *left -= 1;
                }
            }
        }
    }
    Ok(())
}

/// Publishes until enough messages have arrived, since some may be dropped.
fn publish(mut end: End, sockets: &[Socket]) -> Result<()> {
    let bodies = end.load.bodies();
    while block_on(end.rounds.next()).is_some() {
        let mut bodies = bodies.iter().cycle();
        while !end.meter.is_reached() && !is_over(&mut end) {
            bodies.by_ref().take(BURST).try_for_each(|body| sockets[0].send(body, 0))?;
        }
    }
    Ok(())
}

fn ask(mut end: End, sockets: &[Socket]) -> Result<()> {
    let body = &end.load.bodies()[0];
    let mut message = Message::new();
    while let Some(n) = block_on(end.rounds.next()) {
        let mut left: Vec<usize> = shares(n, sockets.len()).collect();
        let mut started = vec![Instant::now(); sockets.len()];
        for ((socket, left), started) in sockets.iter().zip(&left).zip(&mut started) {
            if *left > 0 {
                *started = Instant::now();
                socket.send(body, 0)?;
            }
        }
        while left.iter().any(|&left| left > 0) && !is_over(&mut end) {
            wait(sockets, POLLIN)?;
            for ((socket, left), started) in sockets.iter().zip(&mut left).zip(&mut started) {
                while *left > 0 && there_was(socket.recv(&mut message, flags(sockets)))? {
                    end.meter.lap(*started);
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

fn receive(mut end: End, sockets: &[Socket]) -> Result<()> {
    let mut message = Message::new();
    while !is_over(&mut end) {
        wait(sockets, POLLIN)?;
        for socket in sockets {
            let mut turn = BATCH;
            while turn > 0 && there_was(socket.recv(&mut message, flags(sockets)))? {
                if end.load.pattern == Pattern::DealerRouter {
                    // That was the routing id of the sender.
                    socket.recv(&mut message, 0)?;
                }
                end.meter.add();
                turn -= 1;
            }
        }
    }
    Ok(())
}

/// Echoes with a REP, or with a ROUTER, which adds the routing id in front.
fn echo(mut end: End, sockets: &[Socket]) -> Result<()> {
    let [socket] = sockets else { unreachable!("one socket echoes") };
    let mut message = Message::new();
    while !is_over(&mut end) {
        while there_was(socket.recv(&mut message, 0))? {
            if end.load.pattern == Pattern::DealerRouterEcho {
                socket.send(replace(&mut message, Message::new()), SNDMORE)?;
                socket.recv(&mut message, 0)?;
            }
            socket.send(replace(&mut message, Message::new()), 0)?;
        }
    }
    Ok(())
}

fn attached(context: &Context, kind: SocketType, end: &End) -> Result<Socket> {
    let socket = context.socket(kind)?;
    socket.set_linger(0)?;
    socket.set_rcvtimeo(PATIENCE)?;
    socket.set_sndtimeo(PATIENCE)?;
    if kind == SocketType::SUB {
        end.load.subscriptions().iter().try_for_each(|topic| socket.set_subscribe(topic))?;
    }
    match end.attach() {
        Attach::Bind(endpoint) => {
            socket.bind(endpoint)?;
            end.meter.bound(socket.get_last_endpoint()?.expect("in UTF-8"));
        }
        Attach::Connect(endpoint) => socket.connect(endpoint)?,
    }
    Ok(socket)
}

/// Waits until one of several sockets is ready; a single one waits in its calls.
fn wait(sockets: &[Socket], events: PollEvents) -> Result<()> {
    if sockets.len() > 1 {
        let mut items: Vec<_> = sockets.iter().map(|socket| socket.as_poll_item(events)).collect();
        zmq::poll(&mut items, i64::from(PATIENCE))?;
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
fn there_was(done: Result<()>) -> Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(Error::EAGAIN) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_over(end: &mut End) -> bool {
    end.rounds.try_recv().is_err_and(|error| error.is_closed())
}

/// How long a call waits before it checks for the end of the pair, in ms.
const PATIENCE: i32 = 100;

/// The largest number of messages of one socket at a time: its default high-water mark.
const BATCH: usize = 1000;

/// The number of messages published between two checks.
const BURST: usize = 64;
