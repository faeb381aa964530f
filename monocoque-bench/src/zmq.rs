//! libzmq, with default options: one thread that uses the sockets, blocking calls where there is
//! one socket and `zmq_poll` where there are many. A message is received into the same `Message`
//! again and again.

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

/// Goes on until enough has arrived: messages may be dropped.
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
                    // That was the name of the sender.
                    socket.recv(&mut message, 0)?;
                }
                end.meter.add();
                turn -= 1;
            }
        }
    }
    Ok(())
}

/// REP, and ROUTER, which puts the name of the sender in front.
fn echo(mut end: End, sockets: &[Socket]) -> Result<()> {
    let [socket] = sockets else { unreachable!("one answers") };
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

/// Waits for one of many; a single socket waits in its calls.
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

/// Whether there was something to receive, or room to send.
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

/// How long a call waits before it looks whether the pair is over, in ms.
const PATIENCE: i32 = 100;

/// How much one socket may do before it is the turn of the next: what its queue holds by default.
const BATCH: usize = 1000;

/// How much is published before it is asked whether it was enough.
const BURST: usize = 64;
