//! The Monocoque side, with default options and plain `send` and `recv`, wherever its connections
//! run.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, pending};
use std::{process, thread};

use futures::executor;
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SubSocket,
    TypedSocket,
};
use monocoque::{Context, MonocoqueError};

use crate::job::{Attach, Job, Role};
use crate::measure::{BOUND, Counter, STARTED, Stopwatch};

/// The threads of the connections and of the program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Placement {
    /// Both in one compio runtime.
    Runtime,
    /// The connections on an I/O thread, the program on threads without a runtime.
    Thread,
}

type Never = Result<Infallible, MonocoqueError>;

pub(crate) fn run(job: &Job, placement: Placement) -> Result<Infallible, Box<dyn Error>> {
    match placement {
        Placement::Runtime => {
            let runtime = compio::runtime::Runtime::new()?;
            Ok(runtime.block_on(async { play(job, placement, &Context::current()?).await })?)
        }
        Placement::Thread => Ok(executor::block_on(play(job, placement, &Context::new()?))?),
    }
}

async fn play(job: &Job, placement: Placement, context: &Context) -> Never {
    let _idle = idle(job, context).await?;
    let body = || job.body();
    match job.role {
        Role::Push => {
            placement.each(sockets::<PushSocket>(job, context).await?, |s, _| send(s, body())).await
        }
        Role::Pull => placement.each(sockets::<PullSocket>(job, context).await?, receive).await,
        Role::Pub => {
            placement.each(sockets::<PubSocket>(job, context).await?, |s, _| publish(s, body())).await
        }
        Role::Sub => placement.each(subscribers(job, context).await?, receive).await,
        Role::Req => {
            placement.each(sockets::<ReqSocket>(job, context).await?, |s, n| request(s, n, body())).await
        }
        Role::Rep => placement.each(sockets::<RepSocket>(job, context).await?, |s, _| echo(s)).await,
        Role::Dealer => {
            placement
                .each(sockets::<DealerSocket>(job, context).await?, |s, n| deal(s, n, job.in_flight, body()))
                .await
        }
        Role::Router => placement.each(sockets::<RouterSocket>(job, context).await?, |s, _| echo(s)).await,
    }
}

async fn send<S: Sends>(socket: S, body: Vec<u8>) -> Never {
    loop {
        socket.send(body.as_slice()).await?;
    }
}

/// Publishes once a peer is connected.
async fn publish(socket: PubSocket, body: Vec<u8>) -> Never {
    socket.wait_for_subscriptions(1).await?;
    send(socket, body).await
}

async fn receive<S: Receives>(socket: S, mut counter: Counter) -> Never {
    loop {
        socket.recv().await?;
        counter.add();
    }
}

/// Echoes with a REP or ROUTER: the REP stores the envelope, the ROUTER delivers it.
async fn echo<S: Sends + Receives>(socket: S) -> Never {
    loop {
        let message = socket.recv().await?;
        socket.send(message).await?;
    }
}

async fn request(socket: ReqSocket, counter: Counter, body: Vec<u8>) -> Never {
    let mut stopwatch = Stopwatch::start(counter);
    loop {
        socket.request(body.as_slice()).await?;
        stopwatch.lap();
    }
}

async fn deal(socket: DealerSocket, mut counter: Counter, in_flight: usize, body: Vec<u8>) -> Never {
    for _ in 0..in_flight {
        socket.send(body.as_slice()).await?;
    }
    loop {
        socket.recv().await?;
        counter.add();
        socket.send(body.as_slice()).await?;
    }
}

async fn sockets<S: TypedSocket>(job: &Job, context: &Context) -> Result<Vec<S>, MonocoqueError> {
    let mut sockets = Vec::new();
    for _ in 0..job.sockets {
        let socket = S::new_in(context)?;
        match job.attach {
            Attach::Bind => println!("{BOUND} {}", socket.bind(job.endpoint.as_str()).await?),
            Attach::Connect => drop(socket.connect(job.endpoint.as_str()).await?),
        }
        sockets.push(socket);
    }
    Ok(sockets)
}

async fn subscribers(job: &Job, context: &Context) -> Result<Vec<SubSocket>, MonocoqueError> {
    let sockets = sockets::<SubSocket>(job, context).await?;
    sockets.iter().try_for_each(|socket| socket.subscribe(""))?;
    Ok(sockets)
}

/// Connects peers that stay idle.
async fn idle(job: &Job, context: &Context) -> Result<Vec<PushSocket>, MonocoqueError> {
    let mut sockets = Vec::new();
    for _ in 0..job.idle {
        let socket = PushSocket::new_in(context)?;
        socket.connect(job.endpoint.as_str()).await?;
        sockets.push(socket);
    }
    for socket in &sockets {
        socket.wait_for_peers(1).await?;
    }
    if job.sockets == 0 {
        println!("{STARTED}");
    }
    Ok(sockets)
}

impl Placement {
    /// Runs the work of all sockets concurrently: the first one here, the others as tasks or
    /// threads.
    async fn each<S, F>(self, sockets: Vec<S>, work: impl Fn(S, Counter) -> F) -> Never
    where
        F: Future<Output = Never> + Send + 'static,
    {
        let mut all = sockets.into_iter().enumerate().map(|(n, socket)| work(socket, Counter::of(n)));
        let Some(first) = all.next() else { return pending().await };
        all.for_each(|other| self.spawn(other));
        first.await
    }

    fn spawn(self, work: impl Future<Output = Never> + Send + 'static) {
        let work = async {
            let Err(error) = work.await;
            println!("{error}");
            process::exit(1);
        };
        match self {
            Self::Runtime => compio::runtime::spawn(work).detach(),
            Self::Thread => drop(thread::spawn(|| executor::block_on(work))),
        }
    }
}
