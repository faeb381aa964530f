//! One connection of a socket: a protocol session on an actor, attached to the socket's queues.
//!
//! [`run`] lives as long as the connection. The [`handler`] accepts the peer after its handshake
//! and creates the ends of the pumps: the [`outlet`], from which the write pump takes, and the
//! [`inlet`], to which the read pump delivers. [`events`] reports the beginning and the end;
//! [`subscriptions`] and [`cleanup`] serve publishers, over streams and inproc.

pub(crate) mod cleanup;
pub(crate) mod events;
mod handler;
mod inlet;
mod outlet;
pub(crate) mod subscriptions;

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use monocoque_core::actor::{Closed, SocketActor};
use monocoque_core::transport::{ByteStream, Stream};
use monocoque_core::{AttachedStream, Decode, Endpoint, Message, Protocol};
use monocoque_zmtp::{AuthQuestion, Inbound, PeerInfo, SessionConfig, ZmtpError};

use self::events::ConnectionEvents;
use self::handler::{HandshakeOutcome, SessionHandler};
use crate::endpoint::cancellation::CancellationToken;
use crate::endpoint::handshakes::HandshakePlace;
use crate::endpoint::{EndpointRef, Origin};
use crate::meter;
use crate::monitor::DisconnectReason;
use crate::options::Options;
use crate::pattern::Framing;
use crate::raw::RawSession;
use crate::security;
use crate::socket::{Engine, Refusal};
use crate::trace::Span;

#[cfg(fuzzing)]
pub(crate) mod fuzzing;

/// The outcome of a connection that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The handshake was done.
    pub(crate) was_up: bool,
    /// A whole message was written or received, or the connection has lasted for a while.
    pub(crate) has_progress: bool,
    /// The endpoint is to be connected again, as far as the connection can tell.
    pub(crate) comes_back: bool,
    pub(crate) reason: DisconnectReason,
    /// The span of its events.
    pub(crate) span: Span,
}

impl Ended {
    /// Returns the outcome of a connection whose task has panicked, which is unknown.
    pub(crate) fn by_panic() -> Self {
        Self {
            was_up: true,
            has_progress: false,
            comes_back: true,
            reason: DisconnectReason::ByUs,
            span: Span::none(),
        }
    }
}

/// Observations of the pumps, for the end of the connection.
#[derive(Debug)]
struct Course {
    has_progress: Cell<bool>,
    /// The application has disconnected the peer.
    is_disconnected: Cell<bool>,
    comes_back: Cell<bool>,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            has_progress: Cell::new(false),
            is_disconnected: Cell::new(false),
            comes_back: Cell::new(true),
        }
    }
}

/// Runs a connection to its end.
///
/// After its endpoint is cancelled, it ends: during the handshake at once, later when its queue is
/// written.
pub(crate) async fn run(
    engine: &Arc<Engine>,
    stream: Stream,
    endpoint: &EndpointRef,
    place: Option<HandshakePlace>,
) -> Ended {
    match stream {
        Stream::Tcp(stream) => run_on(engine, stream, endpoint, place).await,
        Stream::Ipc(stream) => run_on(engine, stream, endpoint, place).await,
    }
}

/// Runs a connection on a stream of any kind.
pub(crate) async fn run_on<S: ByteStream>(
    engine: &Arc<Engine>,
    stream: S,
    endpoint: &EndpointRef,
    place: Option<HandshakePlace>,
) -> Ended {
    match engine.pattern.framing {
        Framing::Raw => run_protocol(engine, stream, RawSession, endpoint, place).await,
        Framing::Zmtp => {
            let Ok(session) = security::session(session_config(engine, &endpoint.options)) else {
                unreachable!("the options were checked when they were set");
            };
            run_protocol(engine, stream, session, endpoint, place).await
        }
    }
}

fn session_config(engine: &Engine, options: &Options) -> SessionConfig {
    let mut config = SessionConfig::new(engine.pattern.socket_type);
    config.routing_id = options.announced_id();
    config.heartbeat = options.heartbeat;
    config.limits = options.limits;
    config.mechanism = options.security.mechanism.clone();
    config.authenticates = options.security.authenticates();
    config.properties = options.security.properties.clone();
    config
}

async fn run_protocol<S, P>(
    engine: &Arc<Engine>,
    stream: S,
    session: P,
    endpoint: &EndpointRef,
    place: Option<HandshakePlace>,
) -> Ended
where
    S: ByteStream,
    P: Protocol<Peer = PeerInfo, Question = AuthQuestion, Error = ZmtpError>,
    P::Decoder: Decode<Item = Message, Kind = Inbound>,
{
    let events = ConnectionEvents::begin(engine, endpoint, peer_endpoint(&stream, endpoint));
    let outcome = Rc::new(Cell::new(HandshakeOutcome::Pending));
    let (course, started) = (Rc::new(Course::default()), Instant::now());
    let displaced = place.as_ref().map(HandshakePlace::displaced);
    let handler = SessionHandler {
        engine: engine.clone(),
        endpoint: endpoint.clone(),
        connection: events.connection.clone(),
        span: events.span.clone(),
        outcome: outcome.clone(),
        course: course.clone(),
        place,
    };
    let actor = SocketActor::new(stream, session).handshake_timeout(endpoint.options.handshake_timeout);
    let run = std::pin::pin!(actor.run(handler));
    let cancelled = std::pin::pin!(endpoint.token.cancelled());
    let displacement = std::pin::pin!(async {
        match &displaced {
            Some(displaced) => displaced.cancelled().await,
            None => pending().await,
        }
    });
    let over = select(cancelled, displacement);
    let closed = match select(run, over).await {
        Either::Left((closed, _)) => closed,
        Either::Right((_, run)) if outcome.get() == HandshakeOutcome::Accepted => run.await,
        Either::Right(_) => Closed::ByUs,
    };
    let reason = match outcome.get() {
        HandshakeOutcome::Refused(Refusal::Unwanted) => DisconnectReason::ByUs,
        HandshakeOutcome::Refused(Refusal::PairInUse) => DisconnectReason::PairInUse,
        HandshakeOutcome::Pending if displaced.as_ref().is_some_and(CancellationToken::is_cancelled) => {
            DisconnectReason::TooManyHandshakes
        }
        _ if course.is_disconnected.get() => DisconnectReason::ByUs,
        _ => match DisconnectReason::from(closed) {
            // Only accepted peers can be probes.
            DisconnectReason::Probe if endpoint.key.origin == Origin::Connected => DisconnectReason::ByPeer,
            reason => reason,
        },
    };
    let was_up = outcome.get() == HandshakeOutcome::Accepted;
    if !was_up && !matches!(reason, DisconnectReason::ByUs) {
        meter::handshake_failed(engine, &reason);
        let counters = &mut engine.out.lock().counters;
        counters.failed_handshakes += 1;
        counters.auth_failures += u64::from(reason.is_auth_failure());
    }
    if was_up && reason.is_violation() {
        engine.out.lock().counters.violations += 1;
    }
    let span = events.span.clone();
    events.end(was_up, reason.clone());
    let has_progress = course.has_progress.get() || started.elapsed() >= LONG_LIVED;
    Ended { was_up, has_progress, comes_back: course.comes_back.get(), reason, span }
}

/// Returns the address of the peer of a stream. That of a stream which is neither TCP nor of the
/// Unix domain is a text only.
fn peer_endpoint(stream: &impl ByteStream, endpoint: &EndpointRef) -> Endpoint {
    let label = stream.peer_label();
    match (label.parse(), &endpoint.address) {
        (Ok(peer), _) => peer,
        (Err(_), attached @ Endpoint::Attached(_)) => attached.clone(),
        (Err(_), _) => Endpoint::Attached(AttachedStream::new(endpoint.key.id.number(), label)),
    }
}

/// The lifetime of a connection that counts as progress.
const LONG_LIVED: Duration = Duration::from_secs(60);

#[cfg(all(test, monocoque_loom))]
mod models;
