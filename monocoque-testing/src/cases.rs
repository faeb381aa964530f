//! Runners for the body of a test.
//!
//! A body runs in six configurations: over tcp, ipc and inproc, on the caller's compio runtime and
//! with a context that has an I/O thread. The bodies of a few files run in six more, on the polling
//! driver and embedded in an event loop. A body must not block its thread: blocking calls, such as
//! those of a [`RawPeer`](crate::RawPeer), belong on a thread of their own.

use std::net::TcpListener;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use compio::driver::{self, ProactorBuilder};
use compio::runtime::{Runtime, RuntimeBuilder};
use futures::channel::oneshot;
use futures::future::{Either, select};
use monocoque::zmq::{Builder, Socket, TypedSocket};
use monocoque::{Context, DriverType, Endpoint, Message, MonocoqueError};

use crate::event_loop;
use crate::wait::{DEADLINE, within, yield_now};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Ipc,
    Inproc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The compio runtime that the body runs on.
    Current,
    /// A context with an I/O thread; the body runs on an executor without compio.
    Thread,
    /// An embedded context; an event loop drives it and the body on one thread.
    Embedded,
}

/// The configuration that a body runs in.
#[derive(Debug)]
pub struct At {
    pub context: Context,
    pub transport: Transport,
    pub placement: Placement,
    directory: tempfile::TempDir,
}

/// Runs a body, which must end within [`DEADLINE`].
pub fn run<F: Future<Output = ()>>(
    transport: Transport,
    placement: Placement,
    body: impl FnOnce(At) -> F + Send + 'static,
) {
    run_within(DEADLINE, transport, placement, body);
}

/// Runs a body on the polling driver; it must end within [`DEADLINE`].
pub fn run_polling<F: Future<Output = ()>>(
    transport: Transport,
    placement: Placement,
    body: impl FnOnce(At) -> F + Send + 'static,
) {
    run_on(Some(DriverType::Polling), DEADLINE, transport, placement, body);
}

/// Runs a body, which must end within `limit`.
pub fn run_within<F: Future<Output = ()>>(
    limit: Duration,
    transport: Transport,
    placement: Placement,
    body: impl FnOnce(At) -> F + Send + 'static,
) {
    run_on(None, limit, transport, placement, body);
}

fn run_on<F: Future<Output = ()>>(
    driver: Option<DriverType>,
    limit: Duration,
    transport: Transport,
    placement: Placement,
    body: impl FnOnce(At) -> F + Send + 'static,
) {
    within(limit, move || {
        let directory = tempfile::tempdir().expect("a directory");
        match placement {
            Placement::Current => runtime_on(driver).block_on(async {
                let context = context_on(driver, Context::current());
                body(At { context, transport, placement, directory }).await;
            }),
            Placement::Thread => {
                let mut builder = Context::builder();
                if let Some(driver) = driver {
                    builder = builder.driver_type(driver);
                }
                let context = context_on(driver, builder.build());
                futures::executor::block_on(body(At { context, transport, placement, directory }));
            }
            Placement::Embedded => {
                let (context, driver) = Context::embedded().expect("a context");
                event_loop::run(&driver, body(At { context, transport, placement, directory }));
            }
        }
    });
}

fn runtime_on(driver: Option<DriverType>) -> Runtime {
    let mut proactor = ProactorBuilder::new();
    let driver = match driver {
        Some(DriverType::Polling) => Some(driver::DriverType::Poll),
        Some(DriverType::IoUring) => Some(driver::DriverType::IoUring),
        None => None,
    };
    if let Some(driver) = driver {
        proactor.driver_type(driver);
    }
    RuntimeBuilder::new().with_proactor(proactor).build().expect("a runtime")
}

/// Checks that the context has the driver that was requested.
fn context_on(driver: Option<DriverType>, made: Result<Context, MonocoqueError>) -> Context {
    let context = made.expect("a context");
    if let Some(driver) = driver {
        assert_eq!(context.driver_type(), driver);
    }
    context
}

impl At {
    pub fn socket<S: TypedSocket>(&self) -> S {
        S::new_in(&self.context).expect("a socket")
    }

    pub fn build<S: Socket>(&self, builder: Builder<S>) -> S {
        builder.build_in(&self.context).expect("a socket")
    }

    /// Returns an endpoint to bind to that no other test uses.
    pub fn wildcard_endpoint(&self) -> Endpoint {
        match self.transport {
            Transport::Tcp => "tcp://127.0.0.1:0".parse(),
            Transport::Ipc => "ipc://*".parse(),
            Transport::Inproc => new_name().parse(),
        }
        .expect("an endpoint")
    }

    /// Returns an endpoint without a listener, where one can be bound later.
    pub fn unused_endpoint(&self, name: &str) -> Endpoint {
        match self.transport {
            Transport::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
                Endpoint::from(listener.local_addr().expect("an address"))
            }
            Transport::Ipc => {
                let path = self.directory.path().join(name);
                format!("ipc://{}", path.display()).parse().expect("an endpoint")
            }
            Transport::Inproc => new_name().parse().expect("an endpoint"),
        }
    }

    /// Builds and binds a socket. Returns it with its endpoint.
    pub async fn bound<S: Socket>(&self, builder: Builder<S>) -> (S, Endpoint) {
        let socket = self.build(builder);
        let endpoint = socket.bind(self.wildcard_endpoint()).await.expect("bound");
        (socket, endpoint)
    }

    /// Builds a socket and connects it to `endpoint`, which may have no listener yet.
    pub async fn connected<S: Socket>(&self, builder: Builder<S>, endpoint: &Endpoint) -> S {
        let socket = self.build(builder);
        socket.connect(endpoint.clone()).await.expect("connected");
        socket
    }
}

/// Returns an inproc name that is unique in this process.
fn new_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("inproc://test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Binds to an endpoint that has just been released.
pub async fn rebind<S: Socket>(socket: &S, endpoint: &Endpoint) {
    let bound = socket.bind(endpoint.clone()).await;
    assert_eq!(&bound.expect("the endpoint is released"), endpoint);
}

/// Runs blocking work on a thread of its own.
pub fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> + Send {
    let (done, result) = oneshot::channel();
    let thread = thread::spawn(move || {
        let outcome = work();
        let _gone = done.send(outcome);
    });
    async move {
        match result.await {
            Ok(outcome) => outcome,
            Err(_) => match thread.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => unreachable!("the thread ends after it has sent its result"),
            },
        }
    }
}

/// Sends until the queues have been full for a while. Returns how many messages were accepted.
pub async fn fill<S: monocoque::zmq::capability::Sends>(
    socket: &S,
    mut message: impl FnMut(usize) -> Message,
) -> usize {
    let mut sent = 0;
    let mut progress = Instant::now();
    while progress.elapsed() < Duration::from_millis(250) {
        match socket.try_send(message(sent)) {
            Ok(()) => {
                sent += 1;
                progress = Instant::now();
            }
            Err(error) => {
                assert!(error.reason().is_would_block(), "{error}");
                assert_eq!(error.into_message(), message(sent), "the rejected message is returned");
                yield_now().await;
            }
        }
    }
    sent
}

/// Returns a message with a number as its body.
pub fn numbered(n: usize) -> Message {
    Message::from(n.to_string())
}

/// Returns a random number generator, and prints the `SEED` that repeats its values.
pub fn seeded_rng() -> fastrand::Rng {
    let seed =
        std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    eprintln!("SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Waits until messages in flight have arrived: two other sockets exchange messages meanwhile, in
/// the same placement.
pub async fn pass_time(at: &At) {
    let (one, endpoint) = at.bound(monocoque::zmq::DealerSocket::builder()).await;
    let other = at.connected(monocoque::zmq::DealerSocket::builder(), &endpoint).await;
    for n in 0..20 {
        one.send(numbered(n)).await.expect("sent");
        let message = other.recv().await.expect("received");
        other.send(message).await.expect("sent");
        assert_eq!(one.recv().await.expect("received"), numbered(n));
    }
}

/// Repeats `round` until `work` is done, and completes the last repetition.
pub async fn repeat_until<T>(work: impl Future<Output = T>, mut round: impl AsyncFnMut()) -> T {
    let mut work = pin!(work);
    loop {
        match select(work.as_mut(), pin!(round())).await {
            Either::Left((done, unfinished)) => {
                unfinished.await;
                return done;
            }
            Either::Right(_) => {}
        }
    }
}
