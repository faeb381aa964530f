//! Requests that are answered although workers fail: clients that ask again, a queue in the middle,
//! workers that come and go, and heartbeats both ways between these. The ZeroMQ guide calls it the
//! paranoid pirate pattern.
//!
//! Run with `cargo run --example paranoid_pirate`. One worker hangs twice, with a request in its
//! hands. Prints who notices what; fails if a request stays without its answer, or gets that of
//! another.
//!
//! ```text
//!   client (REQ)  --.                       .--  worker (DEALER)
//!   client (REQ)  ---  (ROUTER queue ROUTER)
//!   client (REQ)  --'                       '--  worker (DEALER)
//! ```
//!
//! The heartbeats are messages of the program. Those of the library, which the option
//! `heartbeat_interval` asks for, tell that the connection works; they are answered also for a
//! worker whose code is stuck, as here.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::time::{Duration, Instant};

use compio::time::sleep;
use futures::FutureExt;
use futures::future::{Either, select, try_join, try_join_all};
use monocoque::zmq::{DealerSocket, ReqSocket, RouterSocket};
use monocoque::{Endpoint, Message, MonocoqueError, RoutingId};

const CLIENTS: u32 = 3;
const REQUESTS: u32 = 20;
/// How often a client asks before it gives up.
const TRIES: u32 = 20;
const REPLY_TIMEOUT: Duration = Duration::from_millis(400);
/// How long a request keeps a worker busy.
const WORK: Duration = Duration::from_millis(5);

/// How often the queue and its workers say that they are there.
const INTERVAL: Duration = Duration::from_millis(50);
/// After so long a silence the other one is taken for dead: one lost or late heartbeat is no
/// reason.
const EXPIRY: Duration = Duration::from_millis(200);
/// How long a worker waits before it comes back: at first, and at most. It doubles from one failure
/// to the next.
const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(1);
/// How often the first worker hangs.
const HANGS: u32 = 2;

/// What a worker says beside its answers, and the queue to its workers. Answers have more than one
/// frame.
const READY: &[u8] = b"ready";
const ALIVE: &[u8] = b"alive";

/// What has happened, for the end.
#[derive(Default)]
struct Story {
    repeated: Cell<u32>,
    expired: Cell<u32>,
    hung: Cell<u32>,
    /// The worker that had hung has answered.
    recovered: Cell<bool>,
}

fn main() -> Result<(), Box<dyn Error>> {
    compio::runtime::Runtime::new()?.block_on(async {
        let story = Story::default();
        let (frontend, backend) = (RouterSocket::new()?, RouterSocket::new()?);
        let clients_at = frontend.bind("tcp://127.0.0.1:0").await?;
        let workers_at = backend.bind("tcp://127.0.0.1:0").await?;

        let queue = Queue { frontend, backend, workers: VecDeque::new(), story: &story };
        let workers = try_join(work(&workers_at, HANGS, &story), work(&workers_at, 0, &story));
        let service = try_join(queue.run(), workers);
        let clients = try_join_all((0..CLIENTS).map(|n| ask_much(&clients_at, n, &story)));
        // The queue and the workers go on for ever, so the clients end first.
        let answered = match select(Box::pin(clients), Box::pin(service)).await {
            Either::Left((answered, _)) => answered?.into_iter().sum::<u32>(),
            Either::Right((failed, _)) => return Err(failed.map(|_| ()).expect_err("no end").into()),
        };

        let (hung, expired, repeated) = (story.hung.get(), story.expired.get(), story.repeated.get());
        println!("{answered} requests were answered, after {repeated} repetitions");
        assert!(answered >= CLIENTS * REQUESTS);
        assert_eq!(hung, HANGS);
        assert!(expired >= HANGS, "the queue has noticed each time");
        assert!(repeated >= HANGS, "and what the worker held was asked again");
        Ok(())
    })
}

/// A client: asks one thing after the other, at least until the failures of this example are over.
/// How many were answered.
async fn ask_much(queue: &Endpoint, client: u32, story: &Story) -> Result<u32, MonocoqueError> {
    let req = ReqSocket::builder()
        .recv_timeout(Some(REPLY_TIMEOUT))
        .req_relaxed(true) // it may ask again without a reply
        .req_correlate(true) // and takes no late reply for that of a later request
        .build()?;
    req.connect(queue.clone()).await?;
    let mut answered = 0;
    while answered < REQUESTS || !story.recovered.get() {
        let question = client * 1000 + answered;
        let reply = ask(&req, question, story).await?;
        assert_eq!(number(&reply), u64::from(question).pow(2), "the answer to another question");
        answered += 1;
    }
    req.close().await;
    Ok(answered)
}

/// Asks until there is a reply. The question may be answered twice, which must do no harm.
async fn ask(req: &ReqSocket, question: u32, story: &Story) -> Result<Message, MonocoqueError> {
    for _ in 1..TRIES {
        match req.request(question.to_string()).await {
            Err(error) if error.is_timeout() => {
                println!("client: no reply to {question}, asking again");
                add_one(&story.repeated);
            }
            outcome => return outcome,
        }
    }
    req.request(question.to_string()).await
}

/// Gives requests to workers, each to the one that has been free for the longest time.
struct Queue<'a> {
    frontend: RouterSocket,
    backend: RouterSocket,
    /// Those that are there, the one that is to have the next request first.
    workers: VecDeque<Worker>,
    story: &'a Story,
}

/// A worker, as the queue sees it.
struct Worker {
    name: RoutingId,
    free: bool,
    /// When it is given up if it is not heard.
    expires: Instant,
}

impl Queue<'_> {
    async fn run(mut self) -> Result<Infallible, MonocoqueError> {
        let mut next_beat = Instant::now() + INTERVAL;
        loop {
            // No request is taken that nobody could work on: it waits where it is.
            let request = match self.workers.iter().any(|worker| worker.free) {
                true => self.frontend.recv().left_future(),
                false => pending().right_future(),
            };
            // What is not ready has taken nothing, and is dropped.
            futures::select! {
                message = self.backend.recv_from().fuse() => {
                    let (name, message) = message?;
                    self.on_worker(name, message).await?;
                }
                request = request.fuse() => self.on_request(request?).await?,
                () = sleep(next_beat.saturating_duration_since(Instant::now())).fuse() => {
                    next_beat = Instant::now() + INTERVAL;
                    for worker in &self.workers {
                        self.backend.send_to(&worker.name, ALIVE).await?;
                    }
                }
            }
            self.give_up();
        }
    }

    /// A request: the client's name, what its REQ has put in front, and the question. All of it
    /// goes to a worker, and comes back with the answer in the place of the question.
    async fn on_request(&mut self, request: Message) -> Result<(), MonocoqueError> {
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.free) {
            worker.free = false;
            // Should it have left just now the message is dropped, and the client asks again.
            self.backend.send_to(&worker.name, request).await?;
        }
        Ok(())
    }

    async fn on_worker(&mut self, name: RoutingId, message: Message) -> Result<(), MonocoqueError> {
        let known = self.workers.iter().position(|worker| worker.name == name);
        let expires = Instant::now() + EXPIRY;
        if message.len() > 1 || &message[0] == READY {
            // It is free, and the last in turn.
            known.and_then(|known| self.workers.remove(known));
            self.workers.push_back(Worker { name, free: true, expires });
        } else if let Some(known) = known {
            // One that was given up too early is not heard: it hears nothing either, and starts
            // anew.
            self.workers[known].expires = expires;
        }
        if message.len() > 1 {
            self.frontend.send(message).await?;
        }
        Ok(())
    }

    fn give_up(&mut self) {
        let (before, now) = (self.workers.len(), Instant::now());
        self.workers.retain(|worker| worker.expires > now);
        for _ in self.workers.len()..before {
            println!("queue: a worker is silent, it gets nothing more");
            add_one(&self.story.expired);
        }
    }
}

/// A worker, which starts anew whenever it has failed, or the queue is silent. The longer that goes
/// on, the later.
async fn work(queue: &Endpoint, hangs: u32, story: &Story) -> Result<Infallible, MonocoqueError> {
    let mut delay = FIRST_DELAY;
    loop {
        if live(queue, hangs, story).await? {
            delay = FIRST_DELAY;
        }
        println!("worker: comes back in {delay:?}");
        sleep(delay).await;
        delay = LONGEST_DELAY.min(delay * 2);
    }
}

/// One life of a worker: answers until the queue is silent. Says whether it has answered anything.
async fn live(queue: &Endpoint, hangs: u32, story: &Story) -> Result<bool, MonocoqueError> {
    let dealer = DealerSocket::new()?; // without a name: the queue makes up a new one for each life
    dealer.connect(queue.clone()).await?;
    dealer.send(READY).await?;
    let mut worked = false;
    let (mut next_beat, mut expires) = (Instant::now() + INTERVAL, Instant::now() + EXPIRY);
    while Instant::now() < expires {
        let beat = sleep(next_beat.saturating_duration_since(Instant::now()));
        let message = match select(Box::pin(dealer.recv()), Box::pin(beat)).await {
            Either::Left((message, _)) => message?,
            Either::Right(_) => {
                next_beat = Instant::now() + INTERVAL;
                dealer.send(ALIVE).await?;
                continue;
            }
        };
        expires = Instant::now() + EXPIRY;
        if message.len() == 1 {
            continue; // a heartbeat
        }
        if story.hung.get() < hangs {
            println!("worker: hangs");
            add_one(&story.hung);
            sleep(2 * EXPIRY).await;
            return Ok(worked);
        }
        // Work that takes longer than a heartbeat is done in another task, or this one beats
        // meanwhile.
        sleep(WORK).await;
        dealer.send(answer(message)).await?;
        worked = true;
        if hangs > 0 {
            story.recovered.set(true);
        }
    }
    Ok(worked)
}

/// The square of the last frame, behind the frames in front of it.
fn answer(mut request: Message) -> Message {
    let mut answer = request.split_front(request.len() - 1);
    answer.push_back(number(&request).pow(2).to_string());
    answer
}

fn number(message: &Message) -> u64 {
    String::from_utf8_lossy(&message[0]).parse().expect("a number")
}

fn add_one(count: &Cell<u32>) {
    count.set(count.get() + 1);
}
