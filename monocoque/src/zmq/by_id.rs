//! Sockets that know their peers by name.

use monocoque_core::{Endpoint, Message, RoutingId, yielding};

use super::Socket;
use super::kind::Addresses;
use crate::error::{MonocoqueError, SendError};

impl<K: Addresses> Socket<K> {
    /// The next message and the routing id of the peer that sent it. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Closed`] when the socket is closed.
    pub async fn recv_from(&self) -> Result<(RoutingId, Message), MonocoqueError> {
        let mut message = self.recv().await?;
        let id = message.pop_front().map(RoutingId::try_from);
        match id {
            Some(Ok(id)) => Ok((id, message)),
            _ => unreachable!("such a socket puts the routing id in front of all it receives"),
        }
    }

    /// Queues a message for the peer with this routing id. Cancel safe.
    ///
    /// # Errors
    ///
    /// Gives the message back, with [`MonocoqueError::Closed`] when the socket is closed; for a STREAM, and with
    /// [`router_mandatory`](super::Builder::router_mandatory), also with [`MonocoqueError::Unreachable`] and
    /// [`MonocoqueError::TimedOut`].
    pub fn send_to<'a, M: Into<Message> + 'a>(
        &'a self,
        peer: &'a RoutingId,
        message: M,
    ) -> impl Future<Output = Result<(), SendError>> + 'a {
        self.engine_unchecked().send(Some(peer), message)
    }

    /// Connects to an endpoint as [`connect`](Self::connect) does, and gives the peer there a name, whatever it announces
    /// (`ZMQ_CONNECT_ROUTING_ID`, which libzmq takes as an option for the next connection): 1 to 255 bytes, not starting
    /// with a zero byte.
    ///
    /// The name can be used at once: until the connection is there, and again whenever it is lost, up to
    /// [`send_hwm`](super::Builder::send_hwm) messages wait for it; beyond that they are dropped, or waited for, as for a
    /// peer without room. With [`immediate`](super::Builder::immediate) none waits, and there is no such peer.
    ///
    /// Nobody else gets the name, not even with [`router_handover`](super::Builder::router_handover), until the endpoint is
    /// [disconnected](Self::disconnect).
    ///
    /// ```
    /// # compio::runtime::Runtime::new().unwrap().block_on(async {
    /// use monocoque::zmq::{DealerSocket, RouterSocket};
    ///
    /// let dealer = DealerSocket::builder().routing_id("what it calls itself").build()?;
    /// let endpoint = dealer.bind("tcp://127.0.0.1:0").await?;
    ///
    /// let router = RouterSocket::new()?;
    /// router.connect_as(endpoint, "printer").await?;
    /// router.send(["printer", "a page"]).await?; // it may not be there yet
    /// assert_eq!(&dealer.recv().await?[0], b"a page");
    /// dealer.send("done").await?;
    /// assert_eq!(router.recv().await?, ["printer", "done"].into());
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As `connect`; [`MonocoqueError::RoutingId`] and [`MonocoqueError::ReservedRoutingId`] for what cannot be a name;
    /// [`MonocoqueError::DuplicateRoutingId`] if a peer that is connected, or that of another endpoint, has it.
    pub async fn connect_as<E, I>(&self, endpoint: E, routing_id: I) -> Result<Endpoint, MonocoqueError>
    where
        E: TryInto<Endpoint>,
        I: TryInto<RoutingId>,
        MonocoqueError: From<E::Error> + From<I::Error>,
    {
        yielding::now_if_due().await;
        let routing_id = routing_id.try_into()?;
        if routing_id.starts_with(&[0]) {
            return Err(MonocoqueError::ReservedRoutingId);
        }
        let endpoint = endpoint.try_into()?;
        self.engine().connect_as(endpoint, Some(routing_id))
    }
}
