//! A socket from opening to closing, according to the command line.

use std::cell::Cell;
use std::time::Duration;

use compio::runtime::JoinHandle;
use compio::time::timeout;
use futures_lite::StreamExt;
use futures_lite::future::or;
use monocoque::zmq::capability::{Receives, Secure, Sends};
use monocoque::zmq::{Builder, Socket, StreamSocket};
use monocoque::{Endpoint, Message, Monitor, MonocoqueError, RoutingId};

use crate::args::{ConnectionArgs, EndpointArgs, OptionArgs};
use crate::error::Error;
use crate::events;
use crate::security::{Failures, Refusals, Security};
use crate::signals::Interrupt;
use crate::terminal::{info, warn};

/// The settings of the whole process.
#[derive(Clone, Debug)]
pub(crate) struct Env {
    pub(crate) interrupt: Interrupt,
    pub(crate) verbose: bool,
    /// Resolved wildcard endpoints are printed on standard error.
    pub(crate) announce: bool,
    pub(crate) security: Security,
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
pub(crate) struct Session<S: Socket> {
    pub(crate) socket: S,
    pub(crate) timeout: Option<Duration>,
    env: Env,
    refusals: Refusals,
    /// The task that prints events and failures.
    printing: JoinHandle<()>,
    /// The number of messages for peers that were not connected.
    unreachable: Cell<u64>,
    /// The number of messages that `send` is waiting with.
    waiting: Cell<u64>,
    /// The number of messages dropped before losses counted.
    drop_baseline: Cell<u64>,
}

impl<S: Secure> Session<S> {
    pub(crate) async fn open<'a>(
        opening: impl Into<SocketSpec<'a>>,
        env: &Env,
        tune: impl FnOnce(Builder<S>) -> Builder<S>,
    ) -> Result<Self, Error> {
        let opening = opening.into();
        let session = Self::make(opening, env, tune)?;
        session.attach(opening.endpoints).await?;
        Ok(session)
    }

    /// Creates a socket without endpoints.
    pub(crate) fn make(
        opening: SocketSpec<'_>,
        env: &Env,
        tune: impl FnOnce(Builder<S>) -> Builder<S>,
    ) -> Result<Self, Error> {
        env.security.check(opening.endpoints)?;
        Self::build(opening, env, |builder| tune(env.security.apply(builder)))
    }
}

impl Session<StreamSocket> {
    /// Creates a socket without endpoints.
    pub(crate) fn make_raw(opening: SocketSpec<'_>, env: &Env) -> Result<Self, Error> {
        if env.security.is_none() {
            Self::build(opening, env, |builder| builder)
        } else {
            Err(Error::Usage("a STREAM socket has no options of security".into()))
        }
    }
}

impl<S: Socket> Session<S> {
    fn build(
        opening: SocketSpec<'_>,
        env: &Env,
        tune: impl FnOnce(Builder<S>) -> Builder<S>,
    ) -> Result<Self, Error> {
        let SocketSpec { options, identity, timeout, .. } = opening;
        let mut builder = S::builder()
            .send_hwm(options.hwm)
            .recv_hwm(options.hwm)
            .send_timeout(timeout)
            .recv_timeout(timeout)
            .linger(Some(options.linger.or(timeout).unwrap_or(LINGER)))
            .heartbeat_interval(options.heartbeat)
            // A message that `send` accepted is queued for a peer; any other is still here to be
            // counted.
            .immediate(true);
        if let Some(identity) = identity {
            builder = builder.routing_id(identity);
        }
        let socket = tune(builder).build().map_err(refused_option)?;
        let failures = Failures::new(&env.security);
        let refusals = failures.refusals();
        let printing = compio::runtime::spawn(print_events(socket.monitor(), env.verbose, failures));
        let (unreachable, waiting, drop_baseline) = (Cell::default(), Cell::default(), Cell::default());
        Ok(Self {
            socket,
            timeout,
            env: env.clone(),
            refusals,
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
            let connected = self.socket.connect(endpoint).await;
            connected.map_err(|error| Error::Connect(endpoint.clone().into(), error))?;
        }
        Ok(())
    }

    async fn bind(&self, endpoint: &Endpoint) -> Result<(), Error> {
        let bound = self.socket.bind(endpoint).await.map_err(Error::Bind)?;
        // With --verbose, the events include it.
        if bound != *endpoint && self.env.announce && !self.env.verbose {
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

    pub(crate) fn timed_out(&self, what: &str) -> Error {
        let limit = humantime::format_duration(self.timeout.unwrap_or_default());
        let refusal = self.refusal().map(|reason| format!("; {reason}")).unwrap_or_default();
        Error::TimedOut(format!("timed out: {what} within {limit}{refusal}"))
    }

    /// Returns the reason why a peer refuses the socket, if no other peer is connected.
    fn refusal(&self) -> Option<String> {
        self.refusals.reason().filter(|_| self.socket.peer_count() == 0)
    }

    /// Excludes the messages dropped so far from the losses.
    pub(crate) fn reset_drop_baseline(&self) {
        self.drop_baseline.set(self.socket.stats().dropped);
    }

    /// Sends queued messages and closes the socket. Fails if the work has failed or messages were
    /// not delivered; undelivered messages take precedence over a signal.
    pub(crate) async fn close(self, done: Result<(), Error>, why_lost: &'static str) -> Result<(), Error> {
        let is_refused = self.refusal().is_some();
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
        self.socket.close().await;
        // It ends with the socket.
        let _ = self.printing.await;
        let stats = self.socket.stats();
        if self.env.verbose {
            info(format_args!("sent {} and received {} messages", stats.sent, stats.received));
        }
        let lost = stats.dropped - self.drop_baseline.get() + self.unreachable.get() + self.waiting.get();
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
}

impl<S: Sends> Session<S> {
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
            MonocoqueError::TimedOut => Err(self.timed_out("no peer had room for a message")),
            _ => Err(error.into()),
        }
    }
}

impl<S: Receives> Session<S> {
    pub(crate) async fn recv(&self) -> Result<Message, Error> {
        self.socket.recv().await.map_err(|error| self.not_received(error))
    }

    /// Appends at most `max` messages.
    pub(crate) async fn recv_batch(&self, messages: &mut Vec<Message>, max: usize) -> Result<(), Error> {
        self.socket.recv_batch(messages, max).await.map_err(|error| self.not_received(error))?;
        Ok(())
    }

    fn not_received(&self, error: MonocoqueError) -> Error {
        if error.is_timeout() { self.timed_out("nothing was received") } else { error.into() }
    }
}

/// Prints failures of security, and all events with --verbose.
async fn print_events(mut monitor: Monitor, verbose: bool, mut failures: Failures) {
    loop {
        let due = async {
            failures.until_due().await;
            None
        };
        match or(async { Some(monitor.next().await) }, due).await {
            Some(Some(event)) => {
                if verbose {
                    info(events::describe(&event).coloured());
                }
                if let Some(line) = failures.explain(&event) {
                    warn(&line);
                }
            }
            Some(None) => break,
            None => failures.summaries().iter().for_each(|line| warn(line)),
        }
    }
    failures.last_summaries().iter().for_each(|line| warn(line));
}

/// Returns the error of a socket that is not built: the value of an option, in most cases.
fn refused_option(error: MonocoqueError) -> Error {
    match error {
        MonocoqueError::Thread(_) | MonocoqueError::NoRuntime | MonocoqueError::Closed => error.into(),
        error => Error::Option(error),
    }
}

/// The reason for lost messages if a signal ends a command that has no peer.
const NO_PEER: &str = "interrupted while no peer was there";
/// The reason for lost messages if a peer has refused the socket.
const REFUSED: &str = "the peer refused this socket";
const LINGER: Duration = Duration::from_secs(30);
