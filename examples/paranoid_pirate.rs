//! Reliable requests despite failing workers: clients that repeat requests, a queue in the middle,
//! workers that disconnect and return, and heartbeats in both directions between these. The ZeroMQ
//! guide calls it the paranoid pirate pattern.
//!
//! Run with `cargo run --example paranoid_pirate`. One worker hangs twice while it has a request.
//! Prints the failures that are noticed; fails if a request gets no answer or a wrong one.
//!
//! ```text
//!   client (REQ)  --.                       .--  worker (DEALER)
//!   client (REQ)  ---  (ROUTER queue ROUTER)
//!   client (REQ)  --'                       '--  worker (DEALER)
//! ```
//!
//! These heartbeats are messages of the program. Those of the library, enabled by the option
//! `heartbeat_interval`, show that the connection works; they are answered even for a worker whose
//! code hangs, as here.

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
/// How often a client sends a request before it fails.
const TRIES: u32 = 20;
const REPLY_TIMEOUT: Duration = Duration::from_millis(400);
/// The time that a worker takes for a request.
const WORK: Duration = Duration::from_millis(5);

/// The interval of heartbeats between the queue and its workers.
const INTERVAL: Duration = Duration::from_millis(50);
/// The silence after which a worker or the queue counts as dead. A single lost or late heartbeat
/// does not suffice.
const EXPIRY: Duration = Duration::from_millis(200);
/// The delay before a worker reconnects: the first one and the longest one. It doubles from one
/// failure to the next.
const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(1);
/// How often the first worker hangs.
const HANGS: u32 = 2;

/// The messages of a worker besides its answers, and of the queue to its workers. Answers have more
/// than one frame.
const READY: &[u8] = b"ready";
const ALIVE: &[u8] = b"alive";

/// Counters of events, checked at the end.
#[derive(Default)]
struct Events {
    repeated: Cell<u32>,
    expired: Cell<u32>,
    hung: Cell<u32>,
    /// The worker that hung has answered again.
    recovered: Cell<bool>,
}

fn main() -> Result<(), Box<dyn Error>> {
    compio::runtime::Runtime::new()?.block_on(async {
        let events = Events::default();
        let (frontend, backend) = (RouterSocket::new()?, RouterSocket::new()?);
        let clients_at = frontend.bind("tcp://127.0.0.1:0").await?;
        let workers_at = backend.bind("tcp://127.0.0.1:0").await?;

        let queue = Queue { frontend, backend, workers: VecDeque::new(), events: &events };
        let workers = try_join(work(&workers_at, HANGS, &events), work(&workers_at, 0, &events));
        let service = try_join(queue.run(), workers);
        let clients = try_join_all((0..CLIENTS).map(|n| ask_much(&clients_at, n, &events)));
        // The queue and the workers run forever, so the clients end first.
        let answered = match select(Box::pin(clients), Box::pin(service)).await {
            Either::Left((answered, _)) => answered?.into_iter().sum::<u32>(),
            Either::Right((failed, _)) => return Err(failed.map(|_| ()).expect_err("no end").into()),
        };

        let (hung, expired, repeated) = (events.hung.get(), events.expired.get(), events.repeated.get());
        println!("{answered} requests were answered, after {repeated} repetitions");
        assert!(answered >= CLIENTS * REQUESTS);
        assert_eq!(hung, HANGS);
        assert!(expired >= HANGS, "the queue must notice each failure");
        assert!(repeated >= HANGS, "the client must repeat the request of the hung worker");
        Ok(())
    })
}

/// Runs a client: sends one request after the other, at least until the failures of this example
/// are over. Returns how many were answered.
async fn ask_much(queue: &Endpoint, client: u32, events: &Events) -> Result<u32, MonocoqueError> {
    let req = ReqSocket::builder()
        .recv_timeout(Some(REPLY_TIMEOUT))
        .req_relaxed(true) // a request may follow without a reply
        .req_correlate(true) // a late reply does not count for a later request
        .build()?;
    req.connect(queue.clone()).await?;
    let mut answered = 0;
    while answered < REQUESTS || !events.recovered.get() {
        let question = client * 1000 + answered;
        let reply = ask(&req, question, events).await?;
        assert_eq!(number(&reply), u64::from(question).pow(2), "the answer must belong to the question");
        answered += 1;
    }
    req.close().await;
    Ok(answered)
}

/// Repeats a request until there is a reply. It may be processed twice, which must be harmless.
async fn ask(req: &ReqSocket, question: u32, events: &Events) -> Result<Message, MonocoqueError> {
    for _ in 1..TRIES {
        match req.request(question.to_string()).await {
            Err(error) if error.is_timeout() => {
                println!("client: no reply to {question}, asking again");
                add_one(&events.repeated);
            }
            outcome => return outcome,
        }
    }
    req.request(question.to_string()).await
}

/// Distributes requests, each to the worker that has been free for the longest time.
struct Queue<'a> {
    frontend: RouterSocket,
    backend: RouterSocket,
    /// The connected workers; the next request goes to the first free one.
    workers: VecDeque<Worker>,
    events: &'a Events,
}

/// The queue's record of a worker.
struct Worker {
    name: RoutingId,
    free: bool,
    /// When the worker is removed if it stays silent.
    expires: Instant,
}

impl Queue<'_> {
    async fn run(mut self) -> Result<Infallible, MonocoqueError> {
        let mut next_beat = Instant::now() + INTERVAL;
        loop {
            // Requests are received only while a worker is free; others stay in the socket.
            let request = match self.workers.iter().any(|worker| worker.free) {
                true => self.frontend.recv().left_future(),
                false => pending().right_future(),
            };
            // A future that is not ready has received nothing, and is dropped.
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
            self.remove_silent_workers();
        }
    }

    /// Forwards a request: the client's routing id, the frames that its REQ has added, and the
    /// question. All of it goes to a worker, and returns with the answer in place of the question.
    async fn on_request(&mut self, request: Message) -> Result<(), MonocoqueError> {
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.free) {
            worker.free = false;
            // If the worker has just disconnected, the message is dropped and the client repeats
            // it.
            self.backend.send_to(&worker.name, request).await?;
        }
        Ok(())
    }

    async fn on_worker(&mut self, name: RoutingId, message: Message) -> Result<(), MonocoqueError> {
        let known = self.workers.iter().position(|worker| worker.name == name);
        let expires = Instant::now() + EXPIRY;
        if message.len() > 1 || &message[0] == READY {
            // The worker is free, and the last in the queue.
            known.and_then(|known| self.workers.remove(known));
            self.workers.push_back(Worker { name, free: true, expires });
        } else if let Some(known) = known {
            // A worker that was removed too early gets no heartbeats, and starts again.
            self.workers[known].expires = expires;
        }
        if message.len() > 1 {
            self.frontend.send(message).await?;
        }
        Ok(())
    }

    fn remove_silent_workers(&mut self) {
        let (before, now) = (self.workers.len(), Instant::now());
        self.workers.retain(|worker| worker.expires > now);
        for _ in self.workers.len()..before {
            println!("queue: a worker is silent, it is removed");
            add_one(&self.events.expired);
        }
    }
}

/// Runs a worker, which starts again after a failure or a silent queue. The delay grows with the
/// number of failures.
async fn work(queue: &Endpoint, hangs: u32, events: &Events) -> Result<Infallible, MonocoqueError> {
    let mut delay = FIRST_DELAY;
    loop {
        if live(queue, hangs, events).await? {
            delay = FIRST_DELAY;
        }
        println!("worker: reconnects in {delay:?}");
        sleep(delay).await;
        delay = LONGEST_DELAY.min(delay * 2);
    }
}

/// Runs one lifetime of a worker: answers until the queue is silent. Returns whether it has
/// answered.
async fn live(queue: &Endpoint, hangs: u32, events: &Events) -> Result<bool, MonocoqueError> {
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
        if events.hung.get() < hangs {
            println!("worker: hangs");
            add_one(&events.hung);
            sleep(2 * EXPIRY).await;
            return Ok(worked);
        }
        // Work that takes longer than a heartbeat would run in another task, or send heartbeats
        // itself.
        sleep(WORK).await;
        dealer.send(answer(message)).await?;
        worked = true;
        if hangs > 0 {
            events.recovered.set(true);
        }
    }
    Ok(worked)
}

/// Returns the square of the last frame, behind the frames in front of it.
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
