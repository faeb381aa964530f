//! A socket from opening to closing, according to the command line.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use compio::runtime::JoinHandle;
use compio::time::{sleep, timeout};
use futures_lite::future::or;
use monocoque::zmq::{Builder, SocketType};
use monocoque::{AnySocket, Endpoint, Message, MonocoqueError, RoutingId};

use crate::args::{ConnectionArgs, EndpointArgs, OptionArgs};
use crate::error::Error;
use crate::format::Received;
use crate::progress::Waiting;
use crate::reports::{self, Endpoints, Verbosity};
use crate::security::{Failures, Refusals, Security};
use crate::signals::Interrupt;
use crate::terminal::{info, warn};

/// The settings of the whole process.
#[derive(Clone, Debug)]
pub(crate) struct Env {
    pub(crate) interrupt: Interrupt,
    pub(crate) verbosity: Verbosity,
    /// Resolved wildcard endpoints are printed on standard error.
    pub(crate) announce: bool,
    pub(crate) security: Security,
}

impl Env {
    /// Returns whether all events are printed on standard error.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Events
    }
}

/// The arguments that a socket is opened with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketSpec<'a> {
    pub(crate) endpoints: &'a EndpointArgs,
    pub(crate) options: &'a OptionArgs,
    pub(crate) identity: Option<&'a str>,
    pub(crate) timeout: Option<Duration>,
}

impl<'a> From<&'a ConnectionArgs> for SocketSpec<'a> {
    fn from(args: &'a ConnectionArgs) -> Self {
        let ConnectionArgs { endpoints, options, identity, timeout } = args;
        Self { endpoints, options, identity: identity.as_deref(), timeout: *timeout }
    }
}

/// A socket that is bound and connected.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) socket: AnySocket,
    pub(crate) timeout: Option<Duration>,
    env: Env,
    refusals: Refusals,
    endpoints: Rc<Endpoints>,
    /// The task that prints events and failures.
    printing: JoinHandle<()>,
    /// The number of messages for peers that were not connected.
    unreachable: Cell<u64>,
    /// The number of messages that `send` is waiting with.
    waiting: Cell<u64>,
    /// The number of messages dropped before losses counted.
    drop_baseline: Cell<u64>,
}

impl Session {
    pub(crate) async fn open<'a>(
        socket_type: SocketType,
        opening: impl Into<SocketSpec<'a>>,
        env: &Env,
        tune: impl FnOnce(Builder<AnySocket>) -> Builder<AnySocket>,
    ) -> Result<Self, Error> {
        let opening = opening.into();
        let session = Self::make(socket_type, opening, env, tune)?;
        session.attach(opening.endpoints).await?;
        Ok(session)
    }

    /// Creates a socket without endpoints.
    pub(crate) fn make(
        socket_type: SocketType,
        opening: SocketSpec<'_>,
        env: &Env,
        tune: impl FnOnce(Builder<AnySocket>) -> Builder<AnySocket>,
    ) -> Result<Self, Error> {
        if socket_type == SocketType::Stream && !env.security.is_none() {
            return Err(Error::Usage("a STREAM socket has no options of security".into()));
        }
        let SocketSpec { options, identity, timeout, .. } = opening;
        let mut builder = AnySocket::builder(socket_type)
            .send_hwm(options.hwm)
            .recv_hwm(options.hwm)
            .send_timeout(timeout)
            .recv_timeout(timeout)
            .linger(Some(options.linger.or(timeout).unwrap_or(LINGER)));
        builder = apply(options, builder);
        if let Some(identity) = identity {
            builder = builder.routing_id(identity);
        }
        let builder = tune(env.security.apply(builder));
        let socket = builder.build().map_err(refused_option)?;
        let failures = Failures::new(&env.security);
        let refusals = failures.refusals();
        let endpoints = Rc::<Endpoints>::default();
        let printing = reports::print(socket.monitor(), env.verbosity, endpoints.clone(), failures);
        let printing = compio::runtime::spawn(printing);
        let (unreachable, waiting, drop_baseline) = (Cell::default(), Cell::default(), Cell::default());
        Ok(Self {
            socket,
            timeout,
            env: env.clone(),
            refusals,
            endpoints,
            printing,
            unreachable,
            waiting,
            drop_baseline,
        })
    }

    pub(crate) async fn attach(&self, endpoints: &EndpointArgs) -> Result<(), Error> {
        for endpoint in &endpoints.bind {
            self.bind(endpoint).await?;
        }
        for endpoint in &endpoints.connect {
            self.endpoints.add_connecting(endpoint);
            let connected = self.socket.connect(endpoint).await;
            connected.map_err(|error| Error::Connect(endpoint.clone().into(), error))?;
        }
        Ok(())
    }

    async fn bind(&self, endpoint: &Endpoint) -> Result<(), Error> {
        let bound = self.socket.bind(endpoint).await.map_err(Error::Bind)?;
        // With --verbose, the events include it.
        if bound != *endpoint && self.env.announce && !self.env.is_verbose() {
            info(format_args!("listening on {bound}"));
        }
        Ok(())
    }

    /// Waits for `future`, for at most --timeout.
    pub(crate) async fn in_time<T>(
        &self,
        future: impl Future<Output = Result<T, MonocoqueError>>,
        what: &str,
    ) -> Result<T, Error> {
        let Some(limit) = self.timeout else { return Ok(future.await?) };
        match timeout(limit, future).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(self.timed_out(what)),
        }
    }

    /// Runs the work until it ends, or until a signal arrives, which is a failure unless `is_done`
    /// by then, or until a peer refuses a socket, with --fail-on-refusal.
    pub(crate) async fn until_interrupted(
        &self,
        work: impl Future<Output = Result<(), Error>>,
        is_done: impl FnOnce() -> bool,
    ) -> Result<(), Error> {
        let interrupted = async {
            let signal = self.env.interrupt.received().await;
            if is_done() { Ok(()) } else { Err(Error::Interrupted(signal)) }
        };
        let refused = async { Err(self.env.security.refused().await) };
        or(work, or(refused, interrupted)).await
    }

    /// Returns the reasons why endpoints do not work, if one is known.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.endpoints.reason()
    }

    /// Returns the state of the endpoints, as lines for a screen.
    pub(crate) fn status(&self) -> impl Iterator<Item = String> {
        self.endpoints.listening().into_iter().chain(self.trouble())
    }

    /// Returns the error of a timeout, with the reason if one is known.
    pub(crate) fn timed_out(&self, what: &str) -> Error {
        let limit = humantime::format_duration(self.timeout.unwrap_or_default());
        let mut text = format!("timed out: {what} within {limit}");
        match (self.trouble(), self.socket.peer_count()) {
            (Some(reason), _) => text += &format!(": {reason}"),
            (None, 0) => text += ": no peer is connected",
            (None, 1) => text += ", with 1 peer connected",
            (None, n) => text += &format!(", with {n} peers connected"),
        }
        Error::TimedOut(text)
    }

    /// Returns whether a peer refuses the socket, and no other peer is connected.
    fn is_refused(&self) -> bool {
        !self.refusals.is_empty() && self.socket.peer_count() == 0
    }

    /// Excludes all messages that the socket drops from the losses.
    pub(crate) fn expect_drops(&self) {
        self.drop_baseline.set(u64::MAX);
    }

    /// Excludes the messages dropped so far from the losses.
    pub(crate) fn reset_drop_baseline(&self) {
        self.drop_baseline.set(self.socket.stats().dropped);
    }

    /// Sends queued messages and closes the socket. Fails if the work has failed or messages were
    /// not delivered; undelivered messages take precedence over a signal.
    pub(crate) async fn close(self, done: Result<(), Error>, why_lost: &'static str) -> Result<(), Error> {
        let is_refused = self.is_refused();
        let done = done.map_err(|error| match error {
            Error::TimedOut(text) if is_refused => Error::Refused(text),
            error => error,
        });
        let is_interrupted = self.env.interrupt.is_received();
        let had_no_peer = self.socket.peer_count() == 0;
        let waiting = self.socket.stats().send_queue;
        if waiting > 0 && is_interrupted {
            info(format_args!("messages still to be sent: {waiting}; interrupt again to leave them"));
        }
        self.close_socket().await;
        // It ends with the socket.
        let _ = self.printing.await;
        let stats = self.socket.stats();
        if self.env.is_verbose() {
            info(format_args!("sent {} and received {} messages", stats.sent, stats.received));
        }
        let lost = stats.dropped.saturating_sub(self.drop_baseline.get())
            + self.unreachable.get()
            + self.waiting.get();
        if lost == 0 {
            return done;
        }
        let why_lost = match &done {
            Err(Error::Refused(_)) => REFUSED,
            _ if is_interrupted && had_no_peer => NO_PEER,
            _ => why_lost,
        };
        let loss = Error::Lost(lost, why_lost);
        match done {
            Ok(()) => Err(loss),
            Err(interrupted @ Error::Interrupted(_)) => {
                warn(&interrupted);
                Err(loss)
            }
            failed => {
                warn(&loss);
                failed
            }
        }
    }

    /// Closes the socket. Shows how many messages wait, if that lasts longer than a second.
    async fn close_socket(&self) {
        let showing = async {
            sleep(SHORT).await;
            let waiting = Waiting::new("messages still to be sent");
            loop {
                waiting.set(self.socket.stats().send_queue);
                sleep(TICK).await;
            }
        };
        or(self.socket.close(), showing).await;
    }

    pub(crate) async fn send(&self, message: Message) -> Result<(), Error> {
        // A signal drops this future while it waits.
        self.waiting.set(1);
        let sent = self.socket.send(message).await;
        self.waiting.set(0);
        let Err(error) = sent else { return Ok(()) };
        match error.reason() {
            MonocoqueError::Unreachable => {
                self.unreachable.set(self.unreachable.get() + 1);
                if let Some(Ok(id)) = error.into_message().get(0).map(RoutingId::try_from) {
                    warn(&format_args!("no peer with the routing id {id} is connected"));
                }
                Ok(())
            }
            MonocoqueError::TimedOut if self.socket.peer_count() == 0 => {
                Err(self.timed_out("no peer was there"))
            }
            MonocoqueError::EmptyMessage => Err(Error::Usage(NO_BODY.into())),
            MonocoqueError::TimedOut => Err(self.timed_out("no peer had room for a message")),
            _ => Err(error.into()),
        }
    }

    pub(crate) async fn recv(&self) -> Result<Message, Error> {
        self.socket.recv().await.map_err(|error| self.not_received(error))
    }

    /// Appends at most `max` messages.
    pub(crate) async fn recv_batch(&self, messages: &mut Vec<Message>, max: usize) -> Result<(), Error> {
        self.socket.recv_batch(messages, max).await.map_err(|error| self.not_received(error))?;
        Ok(())
    }

    /// Receives a message with its sender.
    pub(crate) async fn recv_with_peer(&self) -> Result<Received, Error> {
        let (message, peer) = self.socket.recv_with_peer().await.map_err(|error| self.not_received(error))?;
        Ok(Received { peer: Some(peer), ..message.into() })
    }

    fn not_received(&self, error: MonocoqueError) -> Error {
        if error.is_timeout() { self.timed_out("nothing was received") } else { error.into() }
    }
}

/// Sets the options of connections.
fn apply(options: &OptionArgs, builder: Builder<AnySocket>) -> Builder<AnySocket> {
    // With `immediate`, a message that `send` accepted is queued for a peer; any other is still
    // here to be counted.
    let mut builder = builder.heartbeat_interval(options.heartbeat).immediate(options.immediate);
    if let Some(interval) = options.reconnect_interval {
        builder = builder.reconnect_interval(interval);
    }
    if let Some(interval) = options.reconnect_interval_max {
        builder = builder.reconnect_interval_max(interval);
    }
    if options.connect_timeout.is_some() {
        builder = builder.connect_timeout(options.connect_timeout);
    }
    if options.handshake_timeout.is_some() {
        builder = builder.handshake_timeout(options.handshake_timeout);
    }
    if let Some(idle) = options.keep_alive {
        builder = builder.tcp_keepalive(true).tcp_keepalive_idle(idle);
    }
    if options.max_message_size.is_some() {
        builder = builder.max_message_size(options.max_message_size);
    }
    if let Some(proxy) = &options.socks_proxy {
        builder = builder.socks_proxy(proxy.clone());
    }
    if let Some(bytes) = options.send_buffer {
        builder = builder.send_buffer(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    if let Some(bytes) = options.recv_buffer {
        builder = builder.recv_buffer(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    builder
}

/// Returns the error of a socket that is not built: the value of an option, in most cases.
fn refused_option(error: MonocoqueError) -> Error {
    match error {
        MonocoqueError::Thread(_)
        | MonocoqueError::Readiness(_)
        | MonocoqueError::NoRuntime
        | MonocoqueError::Closed => error.into(),
        error => Error::Option(error),
    }
}

const NO_BODY: &str = "a message needs a frame behind the routing id of its peer, which is its first frame, as in \
                       --delimiter : -d ID:TEXT; a file of --file is one frame, and needs -I frames or -I json \
                       on standard input instead";
/// The reason for lost messages if a signal ends a command that has no peer.
const NO_PEER: &str = "interrupted while no peer was there";
/// The reason for lost messages if a peer has refused the socket.
const REFUSED: &str = "the peer refused this socket";
const LINGER: Duration = Duration::from_secs(30);
/// The time after which closing shows its progress, and how often that is drawn.
const SHORT: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);
