//! The configurations of a test, its time limits, and the messages it sends.

use std::cell::Cell;
use std::future::Future;
use std::iter;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};
use monocoque::zmq::capability::{Receives, Secure, Sends};
use monocoque::zmq::{Socket, TypedSocket};
use monocoque::{Context, Message};
use tempfile::TempDir;

use crate::security::Security;

/// The time limit of a step.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Ipc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binds {
    Us,
    Them,
}

/// The threads of the connections under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// The compio runtime that runs the test.
    Runtime,
    /// An I/O thread; the test runs outside any runtime.
    Thread,
}

/// The configuration of a test.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) context: Context,
    transport: Transport,
    binds: Binds,
    directory: TempDir,
    endpoints: Cell<usize>,
    security: Cell<Security>,
}

/// Runs `body` in one configuration.
pub(crate) fn run(transport: Transport, binds: Binds, placement: Placement, body: impl AsyncFnOnce(&Case)) {
    let body = async |context: Context| {
        let directory = tempfile::tempdir().expect("a directory for ipc endpoints");
        let case = Case {
            context,
            transport,
            binds,
            directory,
            endpoints: Cell::new(0),
            security: Cell::new(Security::Null),
        };
        within(3 * LIMIT, "the test", body(&case)).await;
    };
    match placement {
        Placement::Runtime => compio::runtime::Runtime::new()
            .expect("a runtime")
            .block_on(async { body(Context::current().expect("inside a runtime")).await }),
        Placement::Thread => futures::executor::block_on(body(Context::new().expect("an I/O thread"))),
    }
}

/// Makes a module of each body with tests for every transport, binding side and placement.
macro_rules! everywhere {
    ($($(#[$attribute:meta])* $body:ident),+ $(,)?) => {$(ways! {
        [$(#[$attribute])*] $body:
        tcp_bind_in_runtime = Tcp, Us, Runtime;
        tcp_bind_on_thread = Tcp, Us, Thread;
        tcp_connect_in_runtime = Tcp, Them, Runtime;
        tcp_connect_on_thread = Tcp, Them, Thread;
        ipc_bind_in_runtime = Ipc, Us, Runtime;
        ipc_bind_on_thread = Ipc, Us, Thread;
        ipc_connect_in_runtime = Ipc, Them, Runtime;
        ipc_connect_on_thread = Ipc, Them, Thread;
    })+};
}

/// Makes the tests in which Monocoque binds.
macro_rules! bind_only {
    ($($(#[$attribute:meta])* $body:ident),+ $(,)?) => {$(ways! {
        [$(#[$attribute])*] $body:
        tcp_in_runtime = Tcp, Us, Runtime;
        tcp_on_thread = Tcp, Us, Thread;
        ipc_in_runtime = Ipc, Us, Runtime;
        ipc_on_thread = Ipc, Us, Thread;
    })+};
}

/// Makes the tests in which libzmq binds.
macro_rules! connect_only {
    ($($(#[$attribute:meta])* $body:ident),+ $(,)?) => {$(ways! {
        [$(#[$attribute])*] $body:
        tcp_in_runtime = Tcp, Them, Runtime;
        tcp_on_thread = Tcp, Them, Thread;
        ipc_in_runtime = Ipc, Them, Runtime;
        ipc_on_thread = Ipc, Them, Thread;
    })+};
}

/// Makes the tests over ipc, where written data is already with the reader. Over tcp, data in
/// flight is lost when it writes to a closed peer.
macro_rules! over_ipc {
    ($($(#[$attribute:meta])* $body:ident),+ $(,)?) => {$(ways! {
        [$(#[$attribute])*] $body:
        bind_in_runtime = Ipc, Us, Runtime;
        bind_on_thread = Ipc, Us, Thread;
        connect_in_runtime = Ipc, Them, Runtime;
        connect_on_thread = Ipc, Them, Thread;
    })+};
}

macro_rules! ways {
    ($attributes:tt $body:ident: $($way:ident = $transport:ident, $binds:ident, $placement:ident;)+) => {
        mod $body {
            use crate::support::{Binds, Placement, Transport, run};

            $(way! {
                $attributes
                fn $way() {
                    run(Transport::$transport, Binds::$binds, Placement::$placement, super::$body);
                }
            })+
        }
    };
}

macro_rules! way {
    ([$($attribute:tt)*] $test:item) => {
        $($attribute)*
        #[test]
        $test
    };
}

/// Makes the tests of bodies that need pyzmq, with one of the macros above.
macro_rules! with_pyzmq {
    ($ways:ident: $($body:ident),+ $(,)?) => {
        $ways! { $(#[ignore = "needs pyzmq: scripts/test.sh"] $body),+ }
    };
}

impl Case {
    /// Connects a Monocoque socket with libzmq sockets. Returns an endpoint for each of those, for
    /// [`rejoin`](Self::rejoin).
    pub(crate) async fn join<S: Socket, const N: usize>(
        &self,
        ours: &S,
        theirs: [&zmq::Socket; N],
    ) -> [String; N] {
        match self.binds {
            Binds::Us => {
                let endpoint = self.bind(ours).await;
                theirs.map(|socket| {
                    socket.connect(&endpoint).expect("libzmq connects");
                    endpoint.clone()
                })
            }
            Binds::Them => {
                let endpoints = theirs.map(|socket| {
                    socket.bind(&self.wildcard()).expect("libzmq binds");
                    socket.get_last_endpoint().expect("an endpoint").expect("in UTF-8")
                });
                for endpoint in &endpoints {
                    ours.connect(endpoint).await.expect("connected");
                }
                endpoints
            }
        }
    }

    /// Connects several Monocoque sockets with one of libzmq.
    pub(crate) async fn join_one<S: Socket>(&self, ours: &[S], theirs: &zmq::Socket) {
        match self.binds {
            Binds::Us => {
                for socket in ours {
                    let endpoint = self.bind(socket).await;
                    theirs.connect(&endpoint).expect("libzmq connects");
                }
            }
            Binds::Them => {
                theirs.bind(&self.wildcard()).expect("libzmq binds");
                let endpoint = theirs.get_last_endpoint().expect("an endpoint").expect("in UTF-8");
                for socket in ours {
                    socket.connect(&endpoint).await.expect("connected");
                }
            }
        }
    }

    /// Connects a libzmq socket in place of a closed one.
    pub(crate) fn rejoin(&self, theirs: &zmq::Socket, endpoint: &str) {
        match self.binds {
            Binds::Us => theirs.connect(endpoint).expect("libzmq connects"),
            Binds::Them => theirs.bind(endpoint).expect("libzmq binds to the endpoint again"),
        }
    }

    pub(crate) async fn bind<S: Socket>(&self, ours: &S) -> String {
        ours.bind(self.wildcard()).await.expect("bound").to_string()
    }

    /// Sets the role of the sockets that are made from now on.
    pub(crate) fn secure(&self, security: Security) {
        self.security.set(security);
    }

    pub(crate) fn security(&self) -> Security {
        self.security.get()
    }

    /// Creates a Monocoque socket, in its role.
    pub(crate) fn socket<S: Secure + TypedSocket>(&self) -> S {
        self.security.get().apply(S::builder()).build_in(&self.context).expect("a socket")
    }

    pub(crate) fn binds(&self) -> Binds {
        self.binds
    }

    /// Returns an unused endpoint.
    pub(crate) fn wildcard(&self) -> String {
        match self.transport {
            Transport::Tcp => "tcp://127.0.0.1:0".into(),
            Transport::Ipc => {
                let n = self.endpoints.replace(self.endpoints.get() + 1);
                format!("ipc://{}", self.directory.path().join(n.to_string()).display())
            }
        }
    }
}

// Time.

/// Returns the output of `future`; panics if it takes longer than `limit`.
pub(crate) async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    if let Some(done) = futures::FutureExt::now_or_never(&mut future) {
        return done;
    }
    match select(future, pin!(after(limit))).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => panic!("{what}: timed out after {limit:?}"),
    }
}

/// Polls until `condition` holds; panics if it does not within [`LIMIT`].
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    within(LIMIT, what, async {
        while !condition() {
            yield_briefly().await;
        }
    })
    .await;
}

/// Yields to other tasks and threads for a millisecond.
pub(crate) async fn yield_briefly() {
    after(Duration::from_millis(1)).await;
}

/// Returns the output of `future` while `load` runs concurrently, which must not end.
pub(crate) async fn with_load<T>(load: impl Future<Output = ()>, future: impl Future<Output = T>) -> T {
    match select(pin!(load), pin!(future)).await {
        Either::Left(((), _)) => unreachable!("the load has no end"),
        Either::Right((result, _)) => result,
    }
}

/// Completes after `delay`, on any executor. The thread ends as soon as the future is dropped.
fn after(delay: Duration) -> impl Future<Output = ()> {
    let (done, result) = oneshot::channel();
    let (alive, gone) = mpsc::channel::<()>();
    thread::spawn(move || {
        if gone.recv_timeout(delay) == Err(mpsc::RecvTimeoutError::Timeout) {
            // The receiver may have been dropped at the same moment.
            let _ = done.send(());
        }
    });
    async move {
        let _alive = alive;
        result.await.expect("the timer thread sends when the delay is over");
    }
}

/// Runs blocking `work` on a thread of its own, from the call on. Passes a panic on.
pub(crate) fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> {
    let (done, result) = oneshot::channel();
    let thread = thread::spawn(move || {
        // The receiver is gone if the test has failed.
        let _ = done.send(work());
    });
    async move {
        match within(2 * LIMIT, "the libzmq side", result).await {
            Ok(result) => result,
            Err(oneshot::Canceled) => resume_unwind(thread.join().expect_err("the thread panicked")),
        }
    }
}

// Helpers for libzmq sockets.

/// Creates a libzmq socket in a context of its own: dropping it closes its connections and port.
pub(crate) fn libzmq(kind: zmq::SocketType) -> zmq::Socket {
    let limit = LIMIT.as_millis().try_into().expect("a few seconds");
    let socket = zmq::Context::new().socket(kind).expect("a libzmq socket");
    socket.set_rcvtimeo(limit).expect("a deadline");
    socket.set_sndtimeo(limit).expect("a deadline");
    socket.set_linger(limit).expect("a deadline");
    socket
}

/// Creates a libzmq socket with a routing id.
pub(crate) fn libzmq_named(kind: zmq::SocketType, id: &str) -> zmq::Socket {
    let socket = libzmq(kind);
    socket.set_identity(id.as_bytes()).expect("a routing id");
    socket
}

pub(crate) fn libzmq_send<F: AsRef<[u8]>>(socket: &zmq::Socket, frames: &[F]) {
    socket.send_multipart(frames.iter().map(AsRef::as_ref), 0).expect("libzmq sends in time");
}

pub(crate) fn libzmq_recv(socket: &zmq::Socket) -> Frames {
    socket.recv_multipart(0).expect("libzmq receives in time")
}

/// Echoes `n` messages.
pub(crate) fn libzmq_echo(socket: &zmq::Socket, n: usize) {
    for _ in 0..n {
        libzmq_send(socket, &libzmq_recv(socket));
    }
}

// Helpers for Monocoque sockets.

pub(crate) async fn send<S: Sends>(socket: &S, message: impl Into<Message> + Send) {
    within(LIMIT, "send", socket.send(message)).await.expect("sent");
}

pub(crate) async fn recv<S: Receives>(socket: &S) -> Frames {
    frames(&within(LIMIT, "recv", socket.recv()).await.expect("received"))
}

pub(crate) async fn send_all<S: Sends>(socket: &S) {
    for shape in shapes() {
        send(socket, shape.clone()).await;
    }
}

pub(crate) async fn receive_all<S: Receives>(socket: &S) {
    for (n, shape) in shapes().iter().enumerate() {
        assert_same(n, &recv(socket).await, shape);
    }
}

/// Echoes `n` messages.
pub(crate) async fn echo<S: Sends + Receives>(socket: &S, n: usize) {
    for _ in 0..n {
        let message = within(LIMIT, "recv", socket.recv()).await.expect("received");
        send(socket, message).await;
    }
}

pub(crate) async fn peers<S: Socket>(socket: &S, n: usize) {
    within(LIMIT, "wait_for_peers", socket.wait_for_peers(n)).await.expect("open");
}

pub(crate) async fn close<S: Socket>(socket: S) {
    within(LIMIT, "close", socket.close()).await;
}

// The messages of the exchanges.

pub(crate) type Frames = Vec<Vec<u8>>;

pub(crate) fn frames(message: &Message) -> Frames {
    message.iter().map(<[u8]>::to_vec).collect()
}

/// Returns messages of all sizes and frame counts; no two frames have the same content. `peer.py`
/// has the same.
pub(crate) fn shapes() -> &'static [Frames] {
    static SHAPES: OnceLock<Vec<Frames>> = OnceLock::new();
    SHAPES.get_or_init(|| {
        let mut shapes: Vec<Vec<usize>> = [0, 1, 255, 256, 64 << 10, 5 << 20].map(|len| vec![len]).into();
        shapes.extend([vec![0, 0], vec![1, 255], vec![256, 0], vec![64 << 10, 256]]);
        shapes.push((0..100).map(|n| n * n % 259).collect());
        shapes.push(iter::repeat_n(300, 100).collect());
        shapes.push(vec![1]);
        let filled = |(n, lens): (usize, Vec<usize>)| {
            lens.into_iter().enumerate().map(|(i, len)| body(n * 31 + i * 7, len)).collect()
        };
        shapes.into_iter().enumerate().map(filled).collect()
    })
}

/// Returns `len` bytes that depend on `seed` and on their position.
fn body(seed: usize, len: usize) -> Vec<u8> {
    let period: Vec<u8> = (0..251).map(|n| ((seed + n) % 251) as u8).collect();
    let mut body = period.repeat(len / 251 + 1);
    body.truncate(len);
    body
}

/// Compares messages without printing megabytes.
pub(crate) fn assert_same(n: usize, got: &[Vec<u8>], sent: &[Vec<u8>]) {
    let lens = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lens(got), lens(sent), "the frames of message {n}");
    for (i, (got, sent)) in got.iter().zip(sent).enumerate() {
        let differs = got.iter().zip(sent).position(|(got, sent)| got != sent);
        assert_eq!(differs, None, "message {n}, frame {i}: the position of the first different byte");
    }
}

/// Parses a frame with a number.
pub(crate) fn number(frame: &[u8]) -> usize {
    std::str::from_utf8(frame).ok().and_then(|text| text.parse().ok()).expect("a number")
}
