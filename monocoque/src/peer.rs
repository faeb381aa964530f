//! The peer of a connection, as its handshake describes it.

use std::net::IpAddr;
use std::sync::Arc;

use monocoque_core::{Endpoint, Host, RoutingId};
use monocoque_zmtp::{Admission, Properties, SocketType};

use crate::monitor::Connection;

/// The sender of a message, as described by its handshake (`zmq_msg_gets`).
///
/// A `Peer` belongs to one connection: all messages received over it share the same one, also those
/// that are received after the connection has ended.
///
/// ```
/// use monocoque::zmq::{DealerSocket, RouterSocket, SocketType};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     compio::runtime::Runtime::new()?.block_on(async {
///         let router = RouterSocket::new()?;
///         let dealer = DealerSocket::builder().routing_id("worker-1").build()?;
///         dealer.connect(router.bind("tcp://127.0.0.1:0").await?).await?;
///         dealer.send("ready").await?;
///
///         let (message, peer) = router.recv_with_peer().await?;
///         assert_eq!(&message[1], b"ready");
///         assert_eq!(peer.socket_type(), SocketType::Dealer);
///         assert_eq!(&**peer.routing_id(), b"worker-1");
///         assert!(peer.address().is_some_and(|address| address.is_loopback()));
///         Ok(())
///     })
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Peer {
    pub(crate) connection: Arc<Connection>,
    pub(crate) socket_type: SocketType,
    pub(crate) routing_id: RoutingId,
    pub(crate) properties: Properties,
    pub(crate) admission: Admission,
}

impl Peer {
    /// Returns the connection to the peer, the same one that [monitor](crate::zmq::Socket::monitor)
    /// events carry.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the IP address of the peer (`Peer-Address`), `None` unless it is connected over TCP.
    pub fn address(&self) -> Option<IpAddr> {
        ip_address(&self.connection.peer)
    }

    /// Returns the socket type of the peer (`Socket-Type`).
    pub fn socket_type(&self) -> SocketType {
        self.socket_type
    }

    /// Returns the peer's routing id (`Identity`, `Routing-Id`): assigned by
    /// [`connect_as`](crate::zmq::RouterSocket::connect_as), announced by the peer, or generated.
    pub fn routing_id(&self) -> &RoutingId {
        &self.routing_id
    }

    /// Returns the user id that the [authenticator](crate::zmq::Builder::authenticator) gave the
    /// peer (`User-Id`); `None` if there is none, or it gave none.
    pub fn user_id(&self) -> Option<&str> {
        Some(&*self.admission.user_id).filter(|id| !id.is_empty())
    }

    /// Returns a property of the peer by its name, without regard to case.
    ///
    /// `User-Id` is the [user id](Self::user_id). Others are those that the authenticator added, or
    /// else those that the peer sent in its handshake, which are not verified: `Socket-Type`,
    /// `Identity`, and those of applications, whose names begin with `X-`. Inproc peers have no
    /// properties.
    pub fn property(&self, name: &str) -> Option<&[u8]> {
        if name.eq_ignore_ascii_case("User-Id") {
            return self.user_id().map(str::as_bytes);
        }
        self.admission.properties.get(name).or_else(|| self.claim(name))
    }

    /// Returns a property that the peer sent itself. No name that others might trust is one.
    fn claim(&self, name: &str) -> Option<&[u8]> {
        let is_own = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-"));
        let is_known = ["Socket-Type", "Identity"].iter().any(|known| known.eq_ignore_ascii_case(name));
        self.properties.get(name).filter(|_| is_own || is_known)
    }
}

/// Returns the IP address in the label of a peer, `None` unless it is connected over TCP.
pub(crate) fn ip_address(label: &str) -> Option<IpAddr> {
    match label.parse() {
        Ok(Endpoint::Tcp { host: Host::Ip(ip), .. }) => Some(ip),
        Ok(Endpoint::Tcp { host: Host::Zoned(ip, _), .. }) => Some(ip.into()),
        _ => None,
    }
}
