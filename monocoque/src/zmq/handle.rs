//! The untyped handle inside every socket.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use monocoque_core::{Endpoint, IntoMessage, Message, RoutingId, block_on, runtime, runtime::yielding};

use super::into_endpoint::IntoEndpoint;
use crate::context::Context;
use crate::endpoint::{bind, connect};
use crate::error::{MonocoqueError, SendError};
use crate::socket::Engine;
use crate::socket::send::ByPattern;

/// A handle of a socket, without methods for programs: those are in
/// [`AnySocket`](super::AnySocket) and in the socket types.
#[derive(Clone)]
#[expect(unnameable_types, reason = "named by the sealed trait behind `Socket`, which no user can name")]
pub struct Handle(Arc<SharedHandle>);

/// The state that the clones of a handle share. The tasks of the socket hold the engine, too.
struct SharedHandle {
    engine: Arc<Engine>,
    context: Context,
    /// Replaces the engine in a process that was forked from that of the socket.
    closed: OnceLock<Arc<Engine>>,
}

impl Drop for SharedHandle {
    fn drop(&mut self) {
        let engine = self.engine.clone();
        if self.engine.is_foreign() {
            // The state belongs to the parent process.
            return std::mem::forget(engine);
        }
        runtime::run_outside_panic(move || engine.close());
    }
}

impl Handle {
    pub(super) fn new(engine: Arc<Engine>, context: Context) -> Self {
        Self(Arc::new(SharedHandle { engine, context, closed: OnceLock::new() }))
    }

    /// Returns the context that the socket was made in.
    pub(crate) fn context(&self) -> &Context {
        &self.0.context
    }

    /// Returns the engine, or a closed one in a process that was forked from that of the socket.
    #[inline]
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        let engine = self.engine_unchecked();
        if engine.is_foreign() { self.closed_engine() } else { engine }
    }

    /// Returns the engine. For futures that check at each poll whether the process was forked.
    #[inline]
    pub(super) fn engine_unchecked(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    #[cold]
    fn closed_engine(&self) -> &Arc<Engine> {
        self.0.closed.get_or_init(|| Engine::closed(self.0.engine.pattern))
    }

    /// Fails on the thread that runs the connections: a call that parks it would wait for itself.
    pub(crate) fn check_may_block(&self) -> Result<(), MonocoqueError> {
        if self.engine().runs_on_current_thread() { Err(MonocoqueError::WouldDeadlock) } else { Ok(()) }
    }

    /// Runs a call to its end, on a thread that may be parked.
    pub(super) fn block_on<T>(
        &self,
        call: impl Future<Output = Result<T, MonocoqueError>>,
    ) -> Result<T, MonocoqueError> {
        self.check_may_block()?;
        block_on(call)
    }

    /// Runs a call that sends a message to its end, on a thread that may be parked. On any other it
    /// gives the message back.
    pub(super) fn block_on_send<'a, M, F>(
        &'a self,
        message: M,
        send: impl FnOnce(&'a Arc<Engine>, M) -> F,
    ) -> Result<(), SendError>
    where
        M: IntoMessage,
        F: Future<Output = Result<(), SendError>>,
    {
        match self.check_may_block() {
            Ok(()) => block_on(send(self.engine_unchecked(), message)),
            Err(reason) => Err(SendError::new(reason, message.into())),
        }
    }

    pub(super) async fn bind(&self, endpoint: impl IntoEndpoint) -> Result<Endpoint, MonocoqueError> {
        yielding::now_if_due().await;
        let endpoint = endpoint.into_endpoint()?;
        bind::bind(self.engine(), endpoint).await
    }

    pub(super) async fn bind_fd(&self, listener: OwnedFd) -> Result<Endpoint, MonocoqueError> {
        bind::bind_fd(self.engine(), listener).await
    }

    pub(super) async fn unbind(&self, endpoint: impl IntoEndpoint) -> Result<(), MonocoqueError> {
        yielding::now_if_due().await;
        let endpoint = endpoint.into_endpoint()?;
        bind::unbind(self.engine(), &endpoint).await
    }

    pub(super) async fn connect(&self, endpoint: impl IntoEndpoint) -> Result<Endpoint, MonocoqueError> {
        yielding::now_if_due().await;
        let endpoint = endpoint.into_endpoint()?;
        connect::connect(self.engine(), endpoint, None)
    }

    pub(super) async fn connect_as<I>(
        &self,
        check: Result<(), impl Into<MonocoqueError>>,
        endpoint: impl IntoEndpoint,
        routing_id: I,
    ) -> Result<Endpoint, MonocoqueError>
    where
        I: TryInto<RoutingId>,
        MonocoqueError: From<I::Error>,
    {
        yielding::now_if_due().await;
        check.map_err(Into::into)?;
        let routing_id = routing_id.try_into()?;
        if routing_id.starts_with(&[0]) {
            return Err(MonocoqueError::ReservedRoutingId);
        }
        let endpoint = endpoint.into_endpoint()?;
        connect::connect(self.engine(), endpoint, Some(routing_id))
    }

    pub(super) async fn disconnect(&self, endpoint: impl IntoEndpoint) -> Result<(), MonocoqueError> {
        yielding::now_if_due().await;
        let endpoint = endpoint.into_endpoint()?;
        connect::disconnect(self.engine(), &endpoint)
    }

    /// Closes the socket and waits until its tasks have ended.
    pub(super) async fn close(&self) {
        self.engine().close();
        self.engine().ended().await;
    }

    /// Closes the socket, and waits until its tasks have ended. Returns the number of messages that
    /// were not sent within the limit.
    pub(super) async fn close_within(&self, limit: Option<Duration>) -> u64 {
        self.engine().close_within(limit);
        self.engine().ended().await;
        self.engine().unsent()
    }

    /// Writes what is queued and waits for that. `check` is whether the socket sends.
    pub(super) async fn flush(
        &self,
        check: Result<(), impl Into<MonocoqueError>>,
        limit: Option<Duration>,
    ) -> Result<(), MonocoqueError> {
        check.map_err(Into::into)?;
        self.engine().flush(limit).await
    }

    /// Receives a message and splits the routing id off, which the sockets that send by routing id
    /// put in front of each. `check` is whether the socket is one of them.
    pub(super) async fn recv_from(
        &self,
        check: Result<(), impl Into<MonocoqueError>>,
    ) -> Result<(RoutingId, Message), MonocoqueError> {
        check.map_err(Into::into)?;
        split_id(self.engine_unchecked().recv().await?)
    }

    /// Receives as [`recv_from`](Self::recv_from) does, and waits for at most `timeout`.
    pub(super) async fn recv_from_timeout(
        &self,
        check: Result<(), impl Into<MonocoqueError>>,
        timeout: Option<Duration>,
    ) -> Result<(RoutingId, Message), MonocoqueError> {
        check.map_err(Into::into)?;
        split_id(self.engine_unchecked().recv_within(timeout.into()).await?)
    }

    /// Receives as [`recv_from`](Self::recv_from) does, if a message is queued.
    pub(super) fn try_recv_from(
        &self,
        check: Result<(), impl Into<MonocoqueError>>,
    ) -> Result<(RoutingId, Message), MonocoqueError> {
        check.map_err(Into::into)?;
        split_id(self.engine().try_recv()?)
    }

    /// Sends a request and waits for its reply. `check` is whether the socket is a REQ.
    pub(super) async fn request(
        &self,
        check: Result<(), impl Into<MonocoqueError>>,
        message: impl IntoMessage,
    ) -> Result<Message, MonocoqueError> {
        check.map_err(Into::into)?;
        self.engine_unchecked().send(ByPattern, message).await?;
        self.engine_unchecked().recv().await
    }

    /// Sends a request and waits for its reply, for at most `timeout` in all.
    pub(super) async fn request_timeout(
        &self,
        check: Result<(), impl Into<MonocoqueError>>,
        message: impl IntoMessage,
        timeout: Option<Duration>,
    ) -> Result<Message, MonocoqueError> {
        check.map_err(Into::into)?;
        let begun = Instant::now();
        self.engine_unchecked().send_within(timeout.into(), ByPattern, message).await?;
        let left = timeout.map(|timeout| timeout.saturating_sub(begun.elapsed()));
        self.engine_unchecked().recv_within(left.into()).await
    }

    /// Formats the socket under the name of its type.
    pub(super) fn fmt_as(&self, type_name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(type_name).field("peers", &self.engine().peer_count()).finish_non_exhaustive()
    }
}

/// Splits the routing id off a received message.
fn split_id(mut message: Message) -> Result<(RoutingId, Message), MonocoqueError> {
    match message.pop_front().map(RoutingId::try_from) {
        Some(Ok(id)) => Ok((id, message)),
        _ => unreachable!("such a socket puts the routing id in front of all it receives"),
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as("Handle", f)
    }
}
