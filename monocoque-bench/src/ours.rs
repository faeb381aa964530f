//! The Monocoque side, with default options, wherever its connections run.

use std::pin::pin;
use std::time::Instant;

use compio::runtime::Runtime;
use futures::executor::block_on;
use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt, TryStreamExt};
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket, SubSocket,
};
use monocoque::{Context, MonocoqueError};

use super::pair::{Attach, End, Side};
use super::{Batches, Pattern, shares};

/// The threads of the connections and of the program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Placement {
    /// Both in one compio runtime.
    Runtime,
    /// The connections on I/O threads, the program on a thread without a runtime.
    Threads,
}

type Done = Result<(), MonocoqueError>;

pub(crate) fn run(mut end: End, placement: Placement) -> Done {
    match placement {
        Placement::Runtime => runtime().block_on(async { play(&mut end, &Context::current()?).await }),
        Placement::Threads => {
            let context = Context::builder().io_threads(end.load.io_threads).build()?;
            block_on(play(&mut end, &context))
        }
    }
}

/// Creates the runtime of a program that brings its own.
pub(crate) fn runtime() -> Runtime {
    Runtime::new().expect("io_uring or polling")
}

async fn play(end: &mut End, context: &Context) -> Done {
    match (end.load.pattern, end.side) {
        (Pattern::PushPull, Side::From) => push(end, sockets::<PushSocket>(end, context).await?).await,
        (Pattern::PushPull, Side::To) => receive(end, sockets::<PullSocket>(end, context).await?).await,
        (Pattern::DealerRouter, Side::From) => send(end, sockets::<DealerSocket>(end, context).await?).await,
        (Pattern::DealerRouter, Side::To) => receive(end, sockets::<RouterSocket>(end, context).await?).await,
        (Pattern::PubSub, Side::From) => publish(end, sockets::<PubSocket>(end, context).await?).await,
        (Pattern::PubSub, Side::To) => receive(end, subscribers(end, context).await?).await,
        (Pattern::ReqRep, Side::From) => ask(end, sockets::<ReqSocket>(end, context).await?).await,
        (Pattern::ReqRep, Side::To) => echo(end, sockets::<RepSocket>(end, context).await?).await,
        (Pattern::DealerRouterEcho, Side::From) => {
            ask(end, sockets::<DealerSocket>(end, context).await?).await
        }
        (Pattern::DealerRouterEcho, Side::To) => {
            echo(end, sockets::<RouterSocket>(end, context).await?).await
        }
    }
}

async fn send<S: Sends>(end: &mut End, sockets: Vec<S>) -> Done {
    let body = &end.load.bodies()[0];
    rounds(end, &sockets, |socket, n| async move {
        for _ in 0..n {
            socket.send(body.as_slice()).await?;
        }
        Ok(())
    })
    .await
}

async fn push(end: &mut End, sockets: Vec<PushSocket>) -> Done {
    let Some(Batches { size, send }) = end.load.batches else { return self::send(end, sockets).await };
    let body = &end.load.bodies()[0];
    rounds(end, &sockets, |socket, n| send(socket, body, n, size)).await
}

/// Publishes until enough messages have arrived, since some may be dropped.
async fn publish(end: &mut End, sockets: Vec<PubSocket>) -> Done {
    let bodies = &end.load.bodies();
    let meter = &*end.meter.clone();
    rounds(end, &sockets, |socket, _| async move {
        let mut bodies = bodies.iter().cycle();
        while !meter.is_reached() {
            for body in bodies.by_ref().take(BURST) {
                socket.send(body.as_slice()).await?;
            }
        }
        Ok(())
    })
    .await
}

async fn ask<S: Sends + Receives>(end: &mut End, sockets: Vec<S>) -> Done {
    let body = &end.load.bodies()[0];
    let meter = &*end.meter.clone();
    rounds(end, &sockets, |socket, n| async move {
        for _ in 0..n {
            let start = Instant::now();
            socket.send(body.as_slice()).await?;
            socket.recv().await?;
            meter.lap(start);
        }
        Ok(())
    })
    .await
}

async fn receive<S: Receives>(end: &mut End, sockets: Vec<S>) -> Done {
    let meter = &*end.meter.clone();
    let each = sockets.iter().map(|socket| async move {
        loop {
            socket.recv().await?;
            meter.add();
        }
    });
    until_over(end, each).await
}

/// Echoes with a REP or ROUTER: the REP stores the envelope, the ROUTER delivers it.
async fn echo<S: Sends + Receives>(end: &mut End, sockets: Vec<S>) -> Done {
    let each = sockets.iter().map(|socket| async move {
        loop {
            let message = socket.recv().await?;
            socket.send(message).await?;
        }
    });
    until_over(end, each).await
}

/// Runs round after round, with an equal share of each socket.
async fn rounds<'s, S, F>(end: &mut End, sockets: &'s [S], work: impl Fn(&'s S, usize) -> F) -> Done
where
    F: Future<Output = Done>,
{
    while let Some(n) = end.rounds.next().await {
        let shares = sockets.iter().zip(shares(n, sockets.len()));
        until_over(end, shares.map(|(socket, share)| work(socket, share))).await?;
    }
    Ok(())
}

/// Runs all futures concurrently, until they end or the pair is dropped.
async fn until_over<F: Future<Output = Done>>(end: &mut End, all: impl Iterator<Item = F>) -> Done {
    let all: FuturesUnordered<F> = all.collect();
    match select(pin!(all.try_collect::<()>()), end.rounds.next()).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Ok(()),
    }
}

async fn sockets<S: Socket>(end: &End, context: &Context) -> Result<Vec<S>, MonocoqueError> {
    let mut sockets = Vec::new();
    for _ in 0..end.sockets() {
        let socket = S::new_in(context)?;
        match end.attach() {
            Attach::Bind(endpoint) => end.meter.bound(socket.bind(endpoint).await?.to_string()),
            Attach::Connect(endpoint) => drop(socket.connect(endpoint).await?),
        }
        sockets.push(socket);
    }
    Ok(sockets)
}

async fn subscribers(end: &End, context: &Context) -> Result<Vec<SubSocket>, MonocoqueError> {
    let sockets = sockets::<SubSocket>(end, context).await?;
    for topic in end.load.subscriptions() {
        sockets.iter().try_for_each(|socket| socket.subscribe(&topic))?;
    }
    Ok(sockets)
}

/// The number of messages published between two checks.
const BURST: usize = 64;
