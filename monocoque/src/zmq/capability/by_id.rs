//! Sending to the peer with a routing id.

use super::{Receives, Sends};

/// Checks that a socket sends by routing id.
macro_rules! routes_by_id {
    ($socket:expr) => {
        $crate::zmq::socket::sealed::Sealed::check($socket, $crate::zmq::kind::Capability::RoutesById)
    };
}

/// The methods of sockets that send by routing id.
macro_rules! by_id_methods {
    ($vis:vis fn $(+ $auto:ident)?) => {
        /// Receives the next message, together with the routing id of the peer that sent it. Cancel
        /// safe.
        ///
        /// # Errors
        ///
        /// [`Closed`](crate::MonocoqueError::Closed) when the socket is closed;
        /// [`TimedOut`](crate::MonocoqueError::TimedOut) after the
        /// [`recv_timeout`](crate::zmq::Builder::recv_timeout).
        $vis fn recv_from(
            &self,
        ) -> impl Future<
            Output = Result<($crate::RoutingId, $crate::Message), $crate::MonocoqueError>,
        > $(+ $auto)? {
            self.handle().recv_from(routes_by_id!(self))
        }

        /// Receives as [`recv_from`](Self::recv_from) does, but waits no longer than `timeout`,
        /// whatever the [`recv_timeout`](crate::zmq::Builder::recv_timeout) of the socket is.
        /// `None` waits for ever. Cancel safe.
        ///
        /// # Errors
        ///
        /// As `recv_from`, and [`TimedOut`](crate::MonocoqueError::TimedOut).
        $vis fn recv_from_timeout(
            &self,
            timeout: impl $crate::zmq::IntoLimit<std::time::Duration>,
        ) -> impl Future<
            Output = Result<($crate::RoutingId, $crate::Message), $crate::MonocoqueError>,
        > $(+ $auto)? {
            self.handle().recv_from_timeout(routes_by_id!(self), timeout.into_limit())
        }

        /// Receives the next message, if one is queued, together with the routing id of its sender.
        /// Never yields.
        ///
        /// # Errors
        ///
        /// As `recv_from`, and [`WouldBlock`](crate::MonocoqueError::WouldBlock) if no message is
        /// queued.
        $vis fn try_recv_from(
            &self,
        ) -> Result<($crate::RoutingId, $crate::Message), $crate::MonocoqueError> {
            self.handle().try_recv_from(routes_by_id!(self))
        }

        /// Queues a message for the peer with this routing id, which is given as a
        /// [`RoutingId`](crate::RoutingId), as text or as bytes. Cancel safe.
        ///
        /// A `&RoutingId` costs least: others are copied.
        ///
        /// ```
        /// use monocoque::zmq::{DealerSocket, RouterSocket};
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let router = RouterSocket::new()?;
        ///         let worker = DealerSocket::builder().routing_id("worker").build()?;
        ///         worker.connect(router.bind("tcp://127.0.0.1:0").await?).await?;
        ///         worker.send("ready").await?;
        ///         let (id, _ready) = router.recv_from().await?;
        ///
        ///         router.send_to(&id, "first job").await?;
        ///         router.send_to("worker", "second job").await?;
        ///         assert_eq!(&worker.recv().await?[0], b"first job");
        ///         assert_eq!(&worker.recv().await?[0], b"second job");
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// # Errors
        ///
        /// Gives the message back, with [`Closed`](crate::MonocoqueError::Closed) when the socket
        /// is closed, with [`RoutingId`](crate::MonocoqueError::RoutingId) for what is no routing
        /// id; for a STREAM, and with [`router_mandatory`](crate::zmq::Builder::router_mandatory),
        /// also with [`Unreachable`](crate::MonocoqueError::Unreachable) and
        /// [`TimedOut`](crate::MonocoqueError::TimedOut).
        $vis fn send_to<R, M>(
            &self,
            peer: R,
            message: M,
        ) -> impl Future<Output = Result<(), $crate::SendError>> $(+ $auto)?
        where
            R: $crate::zmq::Recipient $(+ $auto)?,
            M: $crate::IntoMessage $(+ $auto)?,
        {
            let peer = routes_by_id!(self).map(|()| peer.into_address());
            self.handle().engine_unchecked().send(peer, message)
        }

        /// Queues a message for one peer as [`send_to`](Self::send_to) does, but waits no longer
        /// than `timeout`, whatever the [`send_timeout`](crate::zmq::Builder::send_timeout) of the
        /// socket is. `None` waits for ever. Cancel safe.
        ///
        /// # Errors
        ///
        /// As `send_to`.
        $vis fn send_to_timeout<R, M>(
            &self,
            peer: R,
            message: M,
            timeout: impl $crate::zmq::IntoLimit<std::time::Duration>,
        ) -> impl Future<Output = Result<(), $crate::SendError>> $(+ $auto)?
        where
            R: $crate::zmq::Recipient $(+ $auto)?,
            M: $crate::IntoMessage $(+ $auto)?,
        {
            let peer = routes_by_id!(self).map(|()| peer.into_address());
            self.handle().engine_unchecked().send_within(timeout.into_limit().into(), peer, message)
        }

        /// Queues a message for one peer as [`send_to`](Self::send_to) does, if that can be done at
        /// once. Never yields.
        ///
        /// # Errors
        ///
        /// As `send_to`, and [`WouldBlock`](crate::MonocoqueError::WouldBlock) where that would
        /// wait.
        $vis fn try_send_to(
            &self,
            peer: impl $crate::zmq::Recipient,
            message: impl $crate::IntoMessage,
        ) -> Result<(), $crate::SendError> {
            let peer = routes_by_id!(self).map(|()| peer.into_address());
            self.handle().engine().try_send_to(&peer, message.into())
        }

        /// Connects to an endpoint as [`connect`](crate::zmq::Socket::connect) does, and gives the
        /// peer there a routing id, whatever it announces (`ZMQ_CONNECT_ROUTING_ID`, which libzmq
        /// takes as an option for the next connection): 1 to 255 bytes, not starting with a zero
        /// byte.
        ///
        /// The routing id can be used at once. Until the connection is made, and again whenever it
        /// is lost, up to [`send_hwm`](crate::zmq::Builder::send_hwm) messages wait for it; beyond
        /// that they are dropped, or waited for, as for a peer whose queue is full. With
        /// [`immediate`](crate::zmq::Builder::immediate) none waits: there is no such peer
        /// meanwhile.
        ///
        /// No other peer gets the routing id, not even with
        /// [`router_handover`](crate::zmq::Builder::router_handover), until the endpoint is
        /// [disconnected](crate::zmq::Socket::disconnect).
        ///
        /// ```
        /// use monocoque::zmq::{DealerSocket, RouterSocket};
        ///
        /// fn main() -> Result<(), Box<dyn std::error::Error>> {
        ///     compio::runtime::Runtime::new()?.block_on(async {
        ///         let dealer = DealerSocket::builder().routing_id("its own choice").build()?;
        ///         let endpoint = dealer.bind("tcp://127.0.0.1:0").await?;
        ///
        ///         let router = RouterSocket::new()?;
        ///         router.connect_as(endpoint, "printer").await?;
        ///         router.send(["printer", "a page"]).await?; // the connection may not be made yet
        ///         assert_eq!(&dealer.recv().await?[0], b"a page");
        ///         dealer.send("done").await?;
        ///         assert_eq!(router.recv().await?, ["printer", "done"]);
        ///         Ok(())
        ///     })
        /// }
        /// ```
        ///
        /// # Errors
        ///
        /// As `connect`; [`RoutingId`](crate::MonocoqueError::RoutingId) and
        /// [`ReservedRoutingId`](crate::MonocoqueError::ReservedRoutingId) for a routing id that is
        /// not allowed; [`DuplicateRoutingId`](crate::MonocoqueError::DuplicateRoutingId) if a
        /// connected peer, or that of another endpoint, has it.
        $vis fn connect_as<E, I>(
            &self,
            endpoint: E,
            routing_id: I,
        ) -> impl Future<Output = Result<$crate::Endpoint, $crate::MonocoqueError>> $(+ $auto)?
        where
            E: $crate::zmq::IntoEndpoint $(+ $auto)?,
            I: TryInto<$crate::RoutingId> $(+ $auto)?,
            $crate::MonocoqueError: From<I::Error>,
        {
            self.handle().connect_as(routes_by_id!(self), endpoint, routing_id)
        }
    };
}

/// A socket that sends to the peer with a routing id.
#[diagnostic::on_unimplemented(message = "a `{Self}` does not send by routing id")]
pub trait RoutesById: Sends + Receives {
    by_id_methods!(fn + Send);
}
