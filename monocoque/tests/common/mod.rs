//! Where a test runs, and peers that speak in bytes.
//!
//! A body is run six times: over tcp, ipc and within the process, on the caller's compio runtime and beside a context with an
//! I/O thread; that of a chosen file four times more, on the polling driver.
//! It must not block the thread it is on: what blocks, such as a [`Wire`], lives on a thread of its own.

mod waiting;
mod zmtp;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use compio::driver::{DriverType, ProactorBuilder};
use compio::runtime::{Runtime, RuntimeBuilder};
use futures::channel::oneshot;
use futures::future::{Either, select};
use monocoque::zmq::{Builder, Socket};
use monocoque::{Context, Driver, Endpoint, Message, MonocoqueError};
#[allow(unused_imports, reason = "each test file uses a part")]
pub(crate) use waiting::{AtOnce, DEADLINE, at_once, eventually, eventually_async, within, yield_now};
#[allow(unused_imports, reason = "each test file uses a part")]
pub(crate) use zmtp::{command, frame, greeting, property, ready};

/// Makes six tests of each body.
macro_rules! everywhere {
    ($($bodies:tt)+) => {
        common::bodies! {
            {
                over_tcp_on_the_current_runtime = Tcp, Current;
                over_tcp_on_an_io_thread = Tcp, Thread;
                over_ipc_on_the_current_runtime = Ipc, Current;
                over_ipc_on_an_io_thread = Ipc, Thread;
                within_the_process_on_the_current_runtime = Inproc, Current;
                within_the_process_beside_an_io_thread = Inproc, Thread;
            }
            $($bodies)+
        }
    };
}
pub(crate) use everywhere;

/// As [`everywhere`], for bodies that have to do with streams: there are none within the process.
macro_rules! over_streams {
    ($($bodies:tt)+) => {
        common::bodies! {
            {
                over_tcp_on_the_current_runtime = Tcp, Current;
                over_tcp_on_an_io_thread = Tcp, Thread;
                over_ipc_on_the_current_runtime = Ipc, Current;
                over_ipc_on_an_io_thread = Ipc, Thread;
            }
            $($bodies)+
        }
    };
}
pub(crate) use over_streams;

macro_rules! bodies {
    ($ways:tt $($(#[$attribute:meta])* async fn $name:ident($at:ident) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            pub(super) async fn body($at: common::At) $body

            common::ways! $ways
        }
    )+};
}
pub(crate) use bodies;

macro_rules! ways {
    ($($way:ident = $transport:ident, $home:ident;)+) => {$(
        #[test]
        fn $way() {
            common::run(common::Transport::$transport, common::Home::$home, body);
        }
    )+};
}
pub(crate) use ways;

/// As [`everywhere`], and four more that insist on the polling driver.
#[allow(unused_macros, reason = "of a few files")]
macro_rules! on_every_driver {
    ($($(#[$attribute:meta])* async fn $name:ident($at:ident) $body:block)+) => {
        common::everywhere! { $($(#[$attribute])* async fn $name($at) $body)+ }
        common::polling! { polling: $($(#[$attribute])* $name)+ }
    };
}
#[allow(unused_imports, reason = "of a few files")]
pub(crate) use on_every_driver;

/// As [`over_streams`], and four more that insist on the polling driver.
#[allow(unused_macros, reason = "of a few files")]
macro_rules! on_every_driver_over_streams {
    ($($(#[$attribute:meta])* async fn $name:ident($at:ident) $body:block)+) => {
        common::over_streams! { $($(#[$attribute])* async fn $name($at) $body)+ }
        common::polling! { polling_over_streams: $($(#[$attribute])* $name)+ }
    };
}
#[allow(unused_imports, reason = "of a few files")]
pub(crate) use on_every_driver_over_streams;

#[allow(unused_macros, reason = "of a few files")]
macro_rules! polling {
    ($polling:ident: $($(#[$attribute:meta])* $name:ident)+) => {
        mod $polling {
            use super::common::{self, Home, Transport};

            $($(#[$attribute])*
            mod $name {
                use super::*;
                use super::super::$name::body;

                #[test]
                fn over_tcp_on_the_current_runtime() {
                    common::run_polling(Transport::Tcp, Home::Current, body);
                }

                #[test]
                fn over_tcp_on_an_io_thread() {
                    common::run_polling(Transport::Tcp, Home::Thread, body);
                }

                #[test]
                fn over_ipc_on_the_current_runtime() {
                    common::run_polling(Transport::Ipc, Home::Current, body);
                }

                #[test]
                fn over_ipc_on_an_io_thread() {
                    common::run_polling(Transport::Ipc, Home::Thread, body);
                }
            })+
        }
    };
}
#[allow(unused_imports, reason = "of a few files")]
pub(crate) use polling;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Ipc,
    Inproc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// The compio runtime that the body runs on.
    Current,
    /// A context with an I/O thread; the body runs on an executor that knows nothing of compio.
    Thread,
}

/// Where a body runs.
#[derive(Debug)]
pub(crate) struct At {
    pub(crate) context: Context,
    pub(crate) transport: Transport,
    pub(crate) home: Home,
    directory: tempfile::TempDir,
}

/// Runs a body to its end, which must come in time.
pub(crate) fn run<F: Future<Output = ()>>(
    transport: Transport,
    home: Home,
    body: impl FnOnce(At) -> F + Send + 'static,
) {
    run_within(DEADLINE, transport, home, body);
}

/// Runs a body to its end, which must come in time, on the polling driver.
pub(crate) fn run_polling<F: Future<Output = ()>>(
    transport: Transport,
    home: Home,
    body: impl FnOnce(At) -> F + Send + 'static,
) {
    run_on(Some(Driver::Polling), DEADLINE, transport, home, body);
}

/// Runs a body that has more to do.
pub(crate) fn run_within<F: Future<Output = ()>>(
    limit: Duration,
    transport: Transport,
    home: Home,
    body: impl FnOnce(At) -> F + Send + 'static,
) {
    run_on(None, limit, transport, home, body);
}

fn run_on<F: Future<Output = ()>>(
    driver: Option<Driver>,
    limit: Duration,
    transport: Transport,
    home: Home,
    body: impl FnOnce(At) -> F + Send + 'static,
) {
    within(limit, move || {
        let directory = tempfile::tempdir().expect("a directory");
        match home {
            Home::Current => runtime_on(driver).block_on(async {
                let context = context_on(driver, Context::current());
                body(At { context, transport, home, directory }).await;
            }),
            Home::Thread => {
                let mut builder = Context::builder();
                if let Some(driver) = driver {
                    builder = builder.driver(driver);
                }
                let context = context_on(driver, builder.build());
                futures::executor::block_on(body(At { context, transport, home, directory }));
            }
        }
    });
}

fn runtime_on(driver: Option<Driver>) -> Runtime {
    let mut proactor = ProactorBuilder::new();
    let driver = match driver {
        Some(Driver::Polling) => Some(DriverType::Poll),
        Some(Driver::IoUring) => Some(DriverType::IoUring),
        None => None,
    };
    if let Some(driver) = driver {
        proactor.driver_type(driver);
    }
    RuntimeBuilder::new().with_proactor(proactor).build().expect("a runtime")
}

/// The context, which has the driver that was asked for.
fn context_on(driver: Option<Driver>, made: Result<Context, MonocoqueError>) -> Context {
    let context = made.expect("a context");
    if let Some(driver) = driver {
        assert_eq!(context.driver(), driver);
    }
    context
}

impl At {
    pub(crate) fn socket<S: Socket>(&self) -> S {
        S::new_in(&self.context).expect("a socket")
    }

    pub(crate) fn build<S: Socket>(&self, builder: Builder<S>) -> S {
        builder.build_in(&self.context).expect("a socket")
    }

    /// An endpoint to bind to, of which nobody has heard yet.
    pub(crate) fn anywhere(&self) -> Endpoint {
        match self.transport {
            Transport::Tcp => "tcp://127.0.0.1:0".parse(),
            Transport::Ipc => "ipc://*".parse(),
            Transport::Inproc => new_name().parse(),
        }
        .expect("an endpoint")
    }

    /// An endpoint on which nobody listens, and where one can listen later.
    pub(crate) fn nowhere(&self, name: &str) -> Endpoint {
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

    /// A socket that is bound, and where.
    pub(crate) async fn bound<S: Socket>(&self, builder: Builder<S>) -> (S, Endpoint) {
        let socket = self.build(builder);
        let endpoint = socket.bind(self.anywhere()).await.expect("bound");
        (socket, endpoint)
    }

    /// A socket that is connected, as soon as its peer listens.
    pub(crate) async fn connected<S: Socket>(&self, builder: Builder<S>, endpoint: &Endpoint) -> S {
        let socket = self.build(builder);
        socket.connect(endpoint.clone()).await.expect("connected");
        socket
    }
}

/// A name that nobody else in the process has bound.
fn new_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("inproc://test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Binds again where somebody has just ceased to listen.
pub(crate) async fn rebind<S: Socket>(socket: &S, endpoint: &Endpoint) {
    let bound = socket.bind(endpoint.clone()).await;
    assert_eq!(&bound.expect("the endpoint is free again"), endpoint);
}

/// Does blocking work on a thread of its own.
pub(crate) fn aside<T: Send + 'static>(
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
                Ok(()) => unreachable!("it has sent its outcome"),
            },
        }
    }
}

/// Sends until nothing has moved for a while; returns how many messages were taken.
pub(crate) async fn fill<S: monocoque::zmq::capability::Sends>(
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
                assert_eq!(error.into_message(), message(sent), "the message comes back");
                yield_now().await;
            }
        }
    }
    sent
}

/// A message that can be told from all others.
pub(crate) fn numbered(n: usize) -> Message {
    Message::from(n.to_string())
}

/// Chance, of which a failure says how to have the same again.
pub(crate) fn chance() -> fastrand::Rng {
    let seed =
        std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    eprintln!("SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Lets so much time pass that whatever is on its way arrives: others talk meanwhile, in the same place.
pub(crate) async fn pass_time(at: &At) {
    let (one, endpoint) = at.bound(monocoque::zmq::DealerSocket::builder()).await;
    let other = at.connected(monocoque::zmq::DealerSocket::builder(), &endpoint).await;
    for n in 0..20 {
        one.send(numbered(n)).await.expect("sent");
        let message = other.recv().await.expect("received");
        other.send(message).await.expect("sent");
        assert_eq!(one.recv().await.expect("received"), numbered(n));
    }
}

/// Talks, again and again, until some work is done and what was begun then is said.
pub(crate) async fn meanwhile<T>(work: impl Future<Output = T>, mut talk: impl AsyncFnMut()) -> T {
    let mut work = pin!(work);
    loop {
        match select(work.as_mut(), pin!(talk())).await {
            Either::Left((done, talking)) => {
                talking.await;
                return done;
            }
            Either::Right(_) => {}
        }
    }
}

/// How many bytes of memory the process has.
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
    let kib: usize = line.trim_end_matches("kB").trim().parse().expect("a number");
    kib * 1024
}

/// Where strangers come from: they dial, or are dialled.
#[derive(Debug)]
pub(crate) enum Strangers {
    Dial(Endpoint),
    Listen(WireListener),
}

impl Strangers {
    /// Both sorts, for a socket that is bound: it connects to those who listen.
    pub(crate) async fn of<S: Socket>(at: &At, socket: &S, bound: &Endpoint) -> [Arc<Self>; 2] {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("strangers-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let (listener, endpoint) = WireListener::bind(at, &name);
        socket.connect(endpoint).await.expect("connected");
        [Self::Dial(bound.clone()), Self::Listen(listener)].map(Arc::new)
    }

    /// One sort in each home, for what takes long.
    pub(crate) async fn of_one_sort<S: Socket>(at: &At, socket: &S, bound: &Endpoint) -> Arc<Self> {
        let [dial, listen] = Self::of(at, socket, bound).await;
        match at.home {
            Home::Current => dial,
            Home::Thread => listen,
        }
    }

    /// The next one.
    pub(crate) fn next(&self) -> Wire {
        match self {
            Self::Dial(endpoint) => Wire::connect(endpoint),
            Self::Listen(listener) => listener.accept(),
        }
    }

    /// The next one, whose handshake is done.
    pub(crate) fn meet(&self, socket_type: &str) -> Wire {
        let mut wire = self.next();
        wire.shake_hands(socket_type, b"");
        wire
    }
}

/// A peer that speaks in bytes. It blocks.
#[derive(Debug)]
pub(crate) enum Wire {
    Tcp(TcpStream),
    Ipc(UnixStream),
}

/// Where a [`Wire`] comes from that was not the one who called.
#[derive(Debug)]
pub(crate) enum WireListener {
    Tcp(TcpListener),
    Ipc(UnixListener),
}

impl WireListener {
    pub(crate) fn bind(at: &At, name: &str) -> (Self, Endpoint) {
        match at.transport {
            Transport::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
                let endpoint = listener.local_addr().expect("an address").into();
                (Self::Tcp(listener), endpoint)
            }
            Transport::Ipc => {
                let endpoint = at.nowhere(name);
                let listener = UnixListener::bind(ipc_path(&endpoint)).expect("a path");
                (Self::Ipc(listener), endpoint)
            }
            Transport::Inproc => unreachable!("there are no streams within the process"),
        }
    }

    pub(crate) fn accept(&self) -> Wire {
        let wire = match self {
            Self::Tcp(listener) => Wire::Tcp(listener.accept().expect("a peer").0),
            Self::Ipc(listener) => Wire::Ipc(listener.accept().expect("a peer").0),
        };
        wire.bounded()
    }
}

impl Wire {
    pub(crate) fn connect(endpoint: &Endpoint) -> Self {
        let wire = match endpoint.to_string().strip_prefix("tcp://") {
            Some(address) => Self::Tcp(TcpStream::connect(address).expect("somebody listens")),
            None => Self::Ipc(UnixStream::connect(ipc_path(endpoint)).expect("somebody listens")),
        };
        wire.bounded()
    }

    /// A peer whose handshake is done.
    pub(crate) fn meet(endpoint: &Endpoint, socket_type: &str) -> Self {
        let mut wire = Self::connect(endpoint);
        wire.shake_hands(socket_type, b"");
        wire
    }

    pub(crate) fn shake_hands(&mut self, socket_type: &str, identity: &[u8]) {
        self.put(&[&greeting()[..], &ready(socket_type, identity)].concat());
        assert_eq!(self.take(64)[9..12], greeting()[9..12]);
        let (flags, body) = self.frame();
        assert_eq!((flags, &body[..6]), (4, &b"\x05READY"[..]));
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.write_all(bytes).expect("written");
    }

    pub(crate) fn take(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.read_exact(&mut bytes).expect("something to read");
        bytes
    }

    /// The next frame: its flags and its body.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let flags = self.take(1)[0];
        let len = if flags & 2 == 0 {
            usize::from(self.take(1)[0])
        } else {
            u64::from_be_bytes(self.take(8).try_into().expect("eight bytes")) as usize
        };
        (flags, self.take(len))
    }

    /// Reads to the end of the stream, which must come; what was in front of it.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "still open after {rest:x?}"),
        }
        rest
    }

    pub(crate) fn close(&self) {
        // It may have ended already.
        let _ended = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Ipc(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    pub(crate) fn write_timeout(&self, timeout: Duration) {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(timeout)),
            Self::Ipc(stream) => stream.set_write_timeout(Some(timeout)),
        }
        .expect("a timeout");
    }

    fn bounded(self) -> Self {
        match &self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true).expect("an option");
                stream.set_read_timeout(Some(DEADLINE / 2))
            }
            Self::Ipc(stream) => stream.set_read_timeout(Some(DEADLINE / 2)),
        }
        .expect("a timeout");
        self.write_timeout(DEADLINE / 2);
        self
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Ipc(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Ipc(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn ipc_path(endpoint: &Endpoint) -> String {
    endpoint.to_string().strip_prefix("ipc://").expect("an ipc endpoint").to_owned()
}
