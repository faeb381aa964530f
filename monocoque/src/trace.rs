//! Events for the `tracing` crate: one for each [`SocketEvent`], in the span of its connection or
//! socket, all of the target `monocoque`.
//!
//! Without the feature `tracing` all of it compiles to nothing. Contents of messages are never
//! recorded, and routing ids only where one is the cause of a failure. Spans have the level of
//! errors: whoever sees an event sees its span.

mod caller;
pub(crate) mod drops;
mod failures;

use std::sync::atomic::AtomicBool;
#[cfg(feature = "tracing")]
use std::sync::atomic::Ordering;

use monocoque_core::{Endpoint, RoutingId};
use monocoque_zmtp::{Credentials, SocketType};

pub(crate) use self::caller::Caller;
pub(crate) use self::failures::{Failure, FailureLog};
use crate::monitor::{Connection, SocketEvent};

/// The target of all spans and events.
#[cfg(feature = "tracing")]
const TARGET: &str = "monocoque";

/// The span of a socket or of one of its connections.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    #[cfg(feature = "tracing")]
    inner: tracing::Span,
}

#[cfg(not(feature = "tracing"))]
impl Span {
    pub(crate) const fn none() -> Self {
        Self {}
    }

    pub(crate) fn of_socket(_socket_type: SocketType, _id: u64) -> Self {
        Self {}
    }

    pub(crate) fn connection(&self, _connection: &Connection) -> Self {
        Self {}
    }

    pub(crate) fn around<F: Future>(&self, future: F) -> F {
        future
    }

    pub(crate) fn record_claim(&self, _credentials: &Credentials) {}

    pub(crate) fn record_routing_id(&self, _id: &RoutingId) {}
}

#[cfg(feature = "tracing")]
impl Span {
    /// Returns a span that is none, for what no event is about.
    pub(crate) const fn none() -> Self {
        Self { inner: tracing::Span::none() }
    }

    /// Returns the span of a new socket.
    pub(crate) fn of_socket(socket_type: SocketType, id: u64) -> Self {
        let span = tracing::error_span!(target: TARGET, parent: None, "socket", "type" = %socket_type, id);
        Self { inner: span }
    }

    /// Returns the span of a connection of this socket.
    pub(crate) fn connection(&self, connection: &Connection) -> Self {
        let Connection { id, endpoint, peer } = connection;
        let parent = &self.inner;
        Self {
            inner: tracing::error_span!(
                target: TARGET,
                parent: parent,
                "connection",
                %id,
                %endpoint,
                %peer,
                key = tracing::field::Empty,
                user = tracing::field::Empty,
                routing_id = tracing::field::Empty,
            ),
        }
    }

    /// Adds the key that the peer has proved, or the user that it claims to be, to the span.
    pub(crate) fn record_claim(&self, credentials: &Credentials) {
        match credentials {
            #[cfg(feature = "curve")]
            Credentials::Curve(key) => self.inner.record("key", tracing::field::display(key)),
            Credentials::Plain { username, .. } => {
                self.inner.record("user", &*String::from_utf8_lossy(username))
            }
            _ => &self.inner,
        };
    }

    /// Adds the routing id for which the peer is refused to the span.
    pub(crate) fn record_routing_id(&self, id: &RoutingId) {
        self.inner.record("routing_id", tracing::field::display(id));
    }

    /// Runs `work` in the span.
    fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.inner.in_scope(work)
    }

    /// Runs each poll of `future` in the span.
    pub(crate) fn around<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        tracing::Instrument::instrument(future, self.inner.clone())
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) const ON: bool = false;

#[cfg(feature = "tracing")]
pub(crate) const ON: bool = true;

#[cfg(not(feature = "tracing"))]
mod events {
    #[cfg(feature = "curve")]
    use std::{io, path::Path};

    use super::{AtomicBool, Endpoint, SocketEvent, Span};

    pub(crate) fn unsent(_span: &Span, _messages: u64, _is_wanted: bool) {}

    pub(crate) fn unknown_topic(_span: &Span, _bytes: usize) {}

    pub(crate) fn waits_for_name(_span: &Span, _endpoint: &Endpoint) {}

    pub(crate) fn is_unbound(_span: &Span, _endpoint: &Endpoint) {}

    pub(crate) fn event(_span: &Span, _event: &SocketEvent) {}

    pub(crate) fn open_server(_span: &Span, _reported: &AtomicBool) {}

    #[cfg(feature = "curve")]
    pub(crate) fn unreadable_keys(_path: &Path, _error: &io::Error) {}

    #[cfg(feature = "curve")]
    pub(crate) fn no_key(_path: &Path) {}
}

#[cfg(feature = "tracing")]
mod events {
    #[cfg(feature = "curve")]
    use std::{io, path::Path};

    use tracing::{debug, error, warn};

    use super::{AtomicBool, Endpoint, Ordering, SocketEvent, Span, TARGET};

    /// Records the number of messages that were not sent when their socket ended. `is_wanted`
    /// if the program has asked for that, by a linger of zero.
    pub(crate) fn unsent(span: &Span, messages: u64, is_wanted: bool) {
        if messages > 0 {
            span.within(|| match is_wanted {
                true => debug!(target: TARGET, messages, "the socket ended with unsent messages"),
                false => warn!(target: TARGET, messages, "the socket ended with unsent messages"),
            });
        }
    }

    /// Records the cancellation of a topic, of this length, that was not subscribed to.
    pub(crate) fn unknown_topic(span: &Span, bytes: usize) {
        span.within(|| debug!(target: TARGET, bytes, "unsubscribed from a topic without a subscription"));
    }

    /// Records that no socket is bound to an inproc name yet.
    pub(crate) fn waits_for_name(span: &Span, endpoint: &Endpoint) {
        span.within(|| debug!(target: TARGET, %endpoint, "waiting for a socket that binds this name"));
    }

    /// Records that an inproc name still has no socket.
    pub(crate) fn is_unbound(span: &Span, endpoint: &Endpoint) {
        span.within(|| warn!(target: TARGET, %endpoint, "nothing is bound to this name yet: messages wait"));
    }

    /// Records once that a server of CURVE lets every client in, since nobody is asked.
    pub(crate) fn open_server(span: &Span, reported: &AtomicBool) {
        if !reported.swap(true, Ordering::Relaxed) {
            span.within(|| {
                warn!(target: TARGET, "every client comes in: there is no authenticator, and no ZAP handler");
            });
        }
    }

    /// Records that a directory of keys cannot be read.
    #[cfg(feature = "curve")]
    pub(crate) fn unreadable_keys(path: &Path, error: &io::Error) {
        warn!(target: TARGET, path = %path.display(), %error, "the directory of keys cannot be read");
    }

    /// Records that a file of a directory of keys holds none.
    #[cfg(feature = "curve")]
    pub(crate) fn no_key(path: &Path) {
        warn!(target: TARGET, path = %path.display(), "the file holds no public key in its first line");
    }

    /// Records an event in the span of its connection or socket. Failures are recorded by a
    /// [`FailureLog`](super::FailureLog).
    pub(crate) fn event(span: &Span, event: &SocketEvent) {
        span.within(|| record(event));
    }

    fn record(event: &SocketEvent) {
        match event {
            SocketEvent::Listening { endpoint } => debug!(target: TARGET, %endpoint, "listening"),
            SocketEvent::BindFailed { endpoint, error } => {
                // The error of `bind`, too.
                debug!(target: TARGET, %endpoint, %error, "bind failed");
            }
            SocketEvent::Unbound { endpoint } => debug!(target: TARGET, %endpoint, "no longer listening"),
            SocketEvent::Accepted { .. } => debug!(target: TARGET, "accepted"),
            SocketEvent::Connected { .. } => debug!(target: TARGET, "connected"),
            SocketEvent::HandshakeSucceeded { socket_type, .. } => {
                debug!(target: TARGET, %socket_type, "handshake succeeded");
            }
            SocketEvent::Disconnected { reason, .. } => debug!(target: TARGET, %reason, "disconnected"),
            SocketEvent::Retrying { endpoint, delay } => {
                debug!(target: TARGET, %endpoint, ?delay, "reconnecting");
            }
            SocketEvent::GivenUp { endpoint } => {
                warn!(target: TARGET, %endpoint, "no more attempts to connect");
            }
            SocketEvent::TaskPanicked { endpoint, message } => {
                error!(target: TARGET, %endpoint, %message, "a task panicked");
            }
            SocketEvent::MessageDropped { bytes, attempts, .. } => {
                warn!(target: TARGET, bytes, attempts, "message dropped: its connections were lost");
            }
            SocketEvent::Closed => debug!(target: TARGET, "closed"),
            SocketEvent::AcceptFailed { .. }
            | SocketEvent::ConnectFailed { .. }
            | SocketEvent::HandshakeFailed { .. }
            | SocketEvent::Lagged(_) => {}
        }
    }
}

pub(crate) use self::events::{event, is_unbound, open_server, unknown_topic, unsent, waits_for_name};
#[cfg(feature = "curve")]
pub(crate) use self::events::{no_key, unreadable_keys};
