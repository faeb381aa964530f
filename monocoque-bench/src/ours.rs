//! The Monocoque side, with default options, wherever its connections run.

use std::pin::pin;
use std::time::Instant;

use compio::runtime::Runtime;
use futures::executor::block_on;
use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt, TryStreamExt};
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket,
    TypedSocket,
};
use monocoque::{Context, MonocoqueError};

use super::side::{Attach, Participant, Side};
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

pub(crate) fn run(mut participant: Participant, placement: Placement) -> Done {
    match placement {
        Placement::Runtime => {
            runtime().block_on(async { play(&mut participant, &Context::current()?).await })
        }
        Placement::Threads => {
            let context = Context::builder().io_threads(participant.load.io_threads).build()?;
            block_on(play(&mut participant, &context))
        }
    }
}

/// Creates the runtime of a program that brings its own.
pub(crate) fn runtime() -> Runtime {
    Runtime::new().expect("io_uring or polling")
}

async fn play(participant: &mut Participant, context: &Context) -> Done {
    match (participant.load.pattern, participant.side) {
        (Pattern::PushPull, Side::From) => {
            push(participant, sockets::<PushSocket>(participant, context).await?).await
        }
        (Pattern::PushPull, Side::To) => {
            receive(participant, sockets::<PullSocket>(participant, context).await?).await
        }
        (Pattern::DealerRouter, Side::From) => {
            send(participant, sockets::<DealerSocket>(participant, context).await?).await
        }
        (Pattern::DealerRouter, Side::To) => {
            receive(participant, sockets::<RouterSocket>(participant, context).await?).await
        }
        (Pattern::PubSub, Side::From) => {
            publish(participant, sockets::<PubSocket>(participant, context).await?).await
        }
        (Pattern::PubSub, Side::To) => receive(participant, subscribers(participant, context).await?).await,
        (Pattern::ReqRep, Side::From) => {
            request(participant, sockets::<ReqSocket>(participant, context).await?).await
        }
        (Pattern::ReqRep, Side::To) => {
            echo(participant, sockets::<RepSocket>(participant, context).await?).await
        }
        (Pattern::DealerRouterEcho, Side::From) => {
            request(participant, sockets::<DealerSocket>(participant, context).await?).await
        }
        (Pattern::DealerRouterEcho, Side::To) => {
            echo(participant, sockets::<RouterSocket>(participant, context).await?).await
        }
    }
}

async fn send<S: Sends>(participant: &mut Participant, sockets: Vec<S>) -> Done {
    let body = &participant.load.bodies()[0];
    rounds(participant, &sockets, |socket, n| async move {
        for _ in 0..n {
            socket.send(body.as_slice()).await?;
        }
        Ok(())
    })
    .await
}

async fn push(participant: &mut Participant, sockets: Vec<PushSocket>) -> Done {
    let Some(Batches { size, send }) = participant.load.batches else {
        return self::send(participant, sockets).await;
    };
    let body = &participant.load.bodies()[0];
    rounds(participant, &sockets, |socket, n| send(socket, body, n, size)).await
}

/// Publishes until enough messages have arrived, since some may be dropped.
async fn publish(participant: &mut Participant, sockets: Vec<PubSocket>) -> Done {
    let bodies = &participant.load.bodies();
    let meter = &*participant.meter.clone();
    rounds(participant, &sockets, |socket, _| async move {
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

async fn request<S: Sends + Receives>(participant: &mut Participant, sockets: Vec<S>) -> Done {
    let body = &participant.load.bodies()[0];
    let meter = &*participant.meter.clone();
    rounds(participant, &sockets, |socket, n| async move {
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

async fn receive<S: Receives>(participant: &mut Participant, sockets: Vec<S>) -> Done {
    let meter = &*participant.meter.clone();
    let each = sockets.iter().map(|socket| async move {
        loop {
            socket.recv().await?;
            meter.add();
        }
    });
    run_until_end(participant, each).await
}

/// Echoes with a REP or ROUTER: the REP stores the envelope, the ROUTER delivers it.
async fn echo<S: Sends + Receives>(participant: &mut Participant, sockets: Vec<S>) -> Done {
    let each = sockets.iter().map(|socket| async move {
        loop {
            let message = socket.recv().await?;
            socket.send(message).await?;
        }
    });
    run_until_end(participant, each).await
}

/// Runs round after round, with an equal share of each socket.
async fn rounds<'s, S, F>(
    participant: &mut Participant,
    sockets: &'s [S],
    work: impl Fn(&'s S, usize) -> F,
) -> Done
where
    F: Future<Output = Done>,
{
    while let Some(n) = participant.rounds.next().await {
        let shares = sockets.iter().zip(shares(n, sockets.len()));
        run_until_end(participant, shares.map(|(socket, share)| work(socket, share))).await?;
    }
    Ok(())
}

/// Runs all futures concurrently, until they end or the pair is dropped.
async fn run_until_end<F: Future<Output = Done>>(
    participant: &mut Participant,
    all: impl Iterator<Item = F>,
) -> Done {
    let all: FuturesUnordered<F> = all.collect();
    match select(pin!(all.try_collect::<()>()), participant.rounds.next()).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Ok(()),
    }
}

async fn sockets<S: TypedSocket>(
    participant: &Participant,
    context: &Context,
) -> Result<Vec<S>, MonocoqueError> {
    let mut sockets = Vec::new();
    for _ in 0..participant.sockets() {
        let socket = S::new_in(context)?;
        match participant.attach() {
            Attach::Bind(endpoint) => participant.meter.bound(socket.bind(endpoint).await?.to_string()),
            Attach::Connect(endpoint) => drop(socket.connect(endpoint).await?),
        }
        sockets.push(socket);
    }
    Ok(sockets)
}

async fn subscribers(participant: &Participant, context: &Context) -> Result<Vec<SubSocket>, MonocoqueError> {
    let sockets = sockets::<SubSocket>(participant, context).await?;
    for topic in participant.load.subscriptions() {
        sockets.iter().try_for_each(|socket| socket.subscribe(&topic))?;
    }
    Ok(sockets)
}

/// The number of messages published between two checks.
const BURST: usize = 64;
