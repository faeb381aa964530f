//! Blocking calls of sockets that send by routing id.

use std::time::Duration;

use monocoque_core::{Endpoint, IntoMessage, Message, RoutingId, block_on};

use super::Blocking;
use crate::error::{MonocoqueError, SendError};
use crate::zmq::capability::RoutesById;
use crate::zmq::{IntoEndpoint, IntoLimit, Recipient};

/// The calls of sockets that send by routing id.
impl<S: RoutesById> Blocking<'_, S> {
    /// Receives the next message and its sender's routing id, as
    /// [`recv_from`](RoutesById::recv_from) does.
    ///
    /// # Errors
    ///
    /// As `recv_from`; [`MonocoqueError::WouldDeadlock`] on the thread that runs the connections.
    pub fn recv_from(self) -> Result<(RoutingId, Message), MonocoqueError> {
        self.handle().block_on(self.handle().recv_from(routes_by_id!(self.socket)))
    }

    /// Receives the next message and its sender's routing id, and waits no longer than `timeout`,
    /// as [`recv_from_timeout`](RoutesById::recv_from_timeout) does.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from), and [`MonocoqueError::TimedOut`].
    pub fn recv_from_timeout(
        self,
        timeout: impl IntoLimit<Duration>,
    ) -> Result<(RoutingId, Message), MonocoqueError> {
        self.handle()
            .block_on(self.handle().recv_from_timeout(routes_by_id!(self.socket), timeout.into_limit()))
    }

    /// Queues a message for one peer as [`send_to`](RoutesById::send_to) does.
    ///
    /// # Errors
    ///
    /// Gives the message back, as `send_to`; with [`MonocoqueError::WouldDeadlock`] on the thread
    /// that runs the connections.
    pub fn send_to<M: IntoMessage>(self, peer: impl Recipient, message: M) -> Result<(), SendError> {
        let peer = routes_by_id!(self.socket).map(|()| peer.into_address());
        self.handle().block_on_send(message, |engine, message| engine.send(peer, message))
    }

    /// Queues a message for one peer, and waits no longer than `timeout`, as
    /// [`send_to_timeout`](RoutesById::send_to_timeout) does.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    pub fn send_to_timeout<M: IntoMessage>(
        self,
        peer: impl Recipient,
        message: M,
        timeout: impl IntoLimit<Duration>,
    ) -> Result<(), SendError> {
        let peer = routes_by_id!(self.socket).map(|()| peer.into_address());
        self.handle().block_on_send(message, |engine, message| {
            engine.send_within(timeout.into_limit().into(), peer, message)
        })
    }

    /// Connects to an endpoint and gives the peer there a routing id, as
    /// [`connect_as`](RoutesById::connect_as) does. Returns at once, on any thread.
    ///
    /// # Errors
    ///
    /// As `connect_as`.
    pub fn connect_as<E, I>(self, endpoint: E, routing_id: I) -> Result<Endpoint, MonocoqueError>
    where
        E: IntoEndpoint,
        I: TryInto<RoutingId>,
        MonocoqueError: From<I::Error>,
    {
        block_on(self.handle().connect_as(routes_by_id!(self.socket), endpoint, routing_id))
    }
}
