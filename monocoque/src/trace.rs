//! Events for the `tracing` crate: one for each [`SocketEvent`], in a span for each connection.
//!
//! Without the feature `tracing` all of it compiles to nothing. Contents of messages and routing
//! ids are never recorded.

#[cfg(feature = "tracing")]
use crate::monitor::DisconnectReason;
use crate::monitor::{Connection, SocketEvent};

/// The span of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    #[cfg(feature = "tracing")]
    inner: tracing::Span,
}

#[cfg(not(feature = "tracing"))]
impl Span {
    pub(crate) fn of(_connection: &Connection) -> Self {
        Self {}
    }

    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(crate) fn around<F: Future>(&self, future: F) -> F {
        future
    }
}

#[cfg(feature = "tracing")]
impl Span {
    pub(crate) fn of(connection: &Connection) -> Self {
        let Connection { id, endpoint, peer } = connection;
        Self { inner: tracing::debug_span!("connection", %id, %endpoint, %peer) }
    }

    /// Runs `work` in the span.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
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
pub(crate) fn unsent(_messages: usize) {}

/// Records the number of messages that were still queued when their socket ended.
#[cfg(feature = "tracing")]
pub(crate) fn unsent(messages: usize) {
    if messages > 0 {
        tracing::warn!(messages, "the socket ended with unsent messages");
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn event(_event: &SocketEvent) {}

#[cfg(feature = "tracing")]
pub(crate) fn event(event: &SocketEvent) {
    use tracing::{debug, error, warn};

    match event {
        SocketEvent::Listening { endpoint } => debug!(%endpoint, "listening"),
        SocketEvent::BindFailed { endpoint, error } => warn!(%endpoint, %error, "bind failed"),
        SocketEvent::Unbound { endpoint } => debug!(%endpoint, "no longer listening"),
        SocketEvent::Accepted { .. } => debug!("accepted"),
        SocketEvent::AcceptFailed { endpoint, error } => warn!(%endpoint, %error, "accept failed"),
        SocketEvent::Connected { .. } => debug!("connected"),
        SocketEvent::ConnectFailed { endpoint, error } => debug!(%endpoint, %error, "connect failed"),
        SocketEvent::HandshakeSucceeded { socket_type, .. } => debug!(%socket_type, "handshake succeeded"),
        SocketEvent::HandshakeFailed { reason: DisconnectReason::Probe, .. } => debug!("probed"),
        SocketEvent::HandshakeFailed { reason, .. } => warn!(%reason, "handshake failed"),
        SocketEvent::Disconnected { reason, .. } => debug!(%reason, "disconnected"),
        SocketEvent::Retrying { endpoint, delay } => debug!(%endpoint, ?delay, "reconnecting"),
        SocketEvent::GivenUp { endpoint } => warn!(%endpoint, "no more attempts to connect"),
        SocketEvent::TaskPanicked { endpoint, message } => error!(%endpoint, %message, "a task panicked"),
        SocketEvent::MessageDropped { connection, bytes, attempts } => {
            warn!(endpoint = %connection.endpoint, bytes, attempts, "message dropped: its connections were lost");
        }
        SocketEvent::Closed => debug!("closed"),
        SocketEvent::Lagged(_) => {}
    }
}
