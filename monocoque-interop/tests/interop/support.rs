//! Where a test runs, who binds, how long anything may take, and what is sent.

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
use monocoque::zmq::Socket;
use monocoque::zmq::capability::{Receives, Sends};
use monocoque::{Context, Message};
use tempfile::TempDir;

/// How long anything may take that is to happen.
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

/// Where our connections live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// In the compio runtime that runs the test.
    Runtime,
    /// On an I/O thread; the test is driven from outside any runtime.
    Thread,
}

/// One way to run a test.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) context: Context,
    transport: Transport,
    binds: Binds,
    directory: TempDir,
    endpoints: Cell<usize>,
}

/// Runs `body` in one way.
pub(crate) fn run(transport: Transport, binds: Binds, placement: Placement, body: impl AsyncFnOnce(&Case)) {
    let body = async |context: Context| {
        let directory = tempfile::tempdir().expect("a directory for ipc endpoints");
        let case = Case { context, transport, binds, directory, endpoints: Cell::new(0) };
        within(3 * LIMIT, "the test", body(&case)).await;
    };
    match placement {
        Placement::Runtime => compio::runtime::Runtime::new()
            .expect("a runtime")
            .block_on(async { body(Context::current().expect("inside a runtime")).await }),
        Placement::Thread => futures::executor::block_on(body(Context::new().expect("an I/O thread"))),
    }
}

/// Makes each test body a module with a test for every transport, side that binds, and placement.
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

/// The same where it matters that it is we who bind.
macro_rules! where_we_bind {
    ($($(#[$attribute:meta])* $body:ident),+ $(,)?) => {$(ways! {
        [$(#[$attribute])*] $body:
        tcp_in_runtime = Tcp, Us, Runtime;
        tcp_on_thread = Tcp, Us, Thread;
        ipc_in_runtime = Ipc, Us, Runtime;
        ipc_on_thread = Ipc, Us, Thread;
    })+};
}

/// The same where it matters that it is they who bind.
macro_rules! where_they_bind {
    ($($(#[$attribute:meta])* $body:ident),+ $(,)?) => {$(ways! {
        [$(#[$attribute])*] $body:
        tcp_in_runtime = Tcp, Them, Runtime;
        tcp_on_thread = Tcp, Them, Thread;
        ipc_in_runtime = Ipc, Them, Runtime;
        ipc_on_thread = Ipc, Them, Thread;
    })+};
}

/// The same over ipc, where what a peer has written is with us. Over tcp, what is still on its side
/// is lost when we write to it after it has closed.
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

/// The bodies that need pyzmq, under one of the macros above.
macro_rules! with_pyzmq {
    ($ways:ident: $($body:ident),+ $(,)?) => {
        $ways! { $(#[ignore = "needs pyzmq: scripts/test.sh"] $body),+ }
    };
}

impl Case {
    /// Brings our socket and theirs together. Returns the endpoint of each of theirs, for
    /// [`again`](Self::again).
    pub(crate) async fn meet<S: Socket, const N: usize>(
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

    /// Brings many of ours together with one of theirs.
    pub(crate) async fn meet_one<S: Socket>(&self, ours: &[S], theirs: &zmq::Socket) {
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

    /// Puts a socket of theirs where another one was that is gone.
    pub(crate) fn again(&self, theirs: &zmq::Socket, endpoint: &str) {
        match self.binds {
            Binds::Us => theirs.connect(endpoint).expect("libzmq connects"),
            Binds::Them => theirs.bind(endpoint).expect("libzmq binds where it was bound"),
        }
    }

    pub(crate) async fn bind<S: Socket>(&self, ours: &S) -> String {
        ours.bind(self.wildcard()).await.expect("bound").to_string()
    }

    pub(crate) fn binds(&self) -> Binds {
        self.binds
    }

    /// An endpoint that is free.
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

/// The result of `future`; panics if that is not there in time.
pub(crate) async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    if let Some(done) = futures::FutureExt::now_or_never(&mut future) {
        return done;
    }
    match select(future, pin!(after(limit))).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => panic!("{what}: not done after {limit:?}"),
    }
}

/// Waits until `condition` holds; panics if that does not happen in time.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    within(LIMIT, what, async {
        while !condition() {
            moment().await;
        }
    })
    .await;
}

/// Lets others run.
pub(crate) async fn moment() {
    after(Duration::from_millis(1)).await;
}

/// The result of `future`, while `load`, which has no end, runs beside it.
pub(crate) async fn meanwhile<T>(load: impl Future<Output = ()>, future: impl Future<Output = T>) -> T {
    match select(pin!(load), pin!(future)).await {
        Either::Left(((), _)) => unreachable!("the load has no end"),
        Either::Right((result, _)) => result,
    }
}

/// Ready after `delay`, whatever runtime there is or is not. The thread ends as soon as nobody
/// waits any more.
fn after(delay: Duration) -> impl Future<Output = ()> {
    let (done, result) = oneshot::channel();
    let (alive, gone) = mpsc::channel::<()>();
    thread::spawn(move || {
        if gone.recv_timeout(delay) == Err(mpsc::RecvTimeoutError::Timeout) {
            // Nobody waits for it if this came at the same moment.
            let _ = done.send(());
        }
    });
    async move {
        let _alive = alive;
        result.await.expect("the timer is there until its time has come");
    }
}

/// Runs `work`, which may block, on a thread of its own. Starts at once; a panic is passed on.
pub(crate) fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> {
    let (done, result) = oneshot::channel();
    let thread = thread::spawn(move || {
        // Nobody waits for it if the test has failed meanwhile.
        let _ = done.send(work());
    });
    async move {
        match within(2 * LIMIT, "the libzmq side", result).await {
            Ok(result) => result,
            Err(oneshot::Canceled) => resume_unwind(thread.join().expect_err("the thread panicked")),
        }
    }
}

// Theirs.

/// A libzmq socket in a context of its own: once it is dropped, its connections and its port are
/// gone.
pub(crate) fn libzmq(kind: zmq::SocketType) -> zmq::Socket {
    let limit = LIMIT.as_millis().try_into().expect("a few seconds");
    let socket = zmq::Context::new().socket(kind).expect("a libzmq socket");
    socket.set_rcvtimeo(limit).expect("a deadline");
    socket.set_sndtimeo(limit).expect("a deadline");
    socket.set_linger(limit).expect("a deadline");
    socket
}

/// A libzmq socket with a routing id.
pub(crate) fn libzmq_named(kind: zmq::SocketType, id: &str) -> zmq::Socket {
    let socket = libzmq(kind);
    socket.set_identity(id.as_bytes()).expect("a routing id");
    socket
}

pub(crate) fn their_send<F: AsRef<[u8]>>(socket: &zmq::Socket, frames: &[F]) {
    socket.send_multipart(frames.iter().map(AsRef::as_ref), 0).expect("libzmq sends in time");
}

pub(crate) fn their_recv(socket: &zmq::Socket) -> Frames {
    socket.recv_multipart(0).expect("libzmq receives in time")
}

/// Sends `n` messages back where they came from.
pub(crate) fn their_echo(socket: &zmq::Socket, n: usize) {
    for _ in 0..n {
        their_send(socket, &their_recv(socket));
    }
}

// Ours.

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

/// Sends `n` messages back where they came from.
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

// Messages.

pub(crate) type Frames = Vec<Vec<u8>>;

pub(crate) fn frames(message: &Message) -> Frames {
    message.iter().map(<[u8]>::to_vec).collect()
}

/// Messages of all sizes and numbers of frames, no two frames with the same content. `peer.py`
/// makes the same.
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

/// `len` bytes that depend on `seed` and on where they stand.
fn body(seed: usize, len: usize) -> Vec<u8> {
    let period: Vec<u8> = (0..251).map(|n| ((seed + n) % 251) as u8).collect();
    let mut body = period.repeat(len / 251 + 1);
    body.truncate(len);
    body
}

/// Compares without printing megabytes.
pub(crate) fn assert_same(n: usize, got: &[Vec<u8>], sent: &[Vec<u8>]) {
    let lens = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lens(got), lens(sent), "the frames of message {n}");
    for (i, (got, sent)) in got.iter().zip(sent).enumerate() {
        let differs = got.iter().zip(sent).position(|(got, sent)| got != sent);
        assert_eq!(differs, None, "message {n}, frame {i}: the first byte that differs");
    }
}

/// A frame with a number in it.
pub(crate) fn number(frame: &[u8]) -> usize {
    std::str::from_utf8(frame).ok().and_then(|text| text.parse().ok()).expect("a number")
}
