//! Who is at the other end of a connection.

use std::net::IpAddr;
use std::sync::Arc;

use monocoque_core::{Endpoint, Host, RoutingId};
use monocoque_zmtp::{Properties, SocketType};

use crate::monitor::Connection;

/// Who has sent a message, as far as its handshake tells (`zmq_msg_gets`).
///
/// It belongs to a connection: all messages that came over one share it, also when that has ended before they are received.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use monocoque::zmq::{DealerSocket, RouterSocket, SocketType};
///
/// let router = RouterSocket::new()?;
/// let dealer = DealerSocket::builder().routing_id("worker-1").build()?;
/// dealer.connect(router.bind("tcp://127.0.0.1:0").await?).await?;
/// dealer.send("ready").await?;
///
/// let (message, peer) = router.recv_with_peer().await?;
/// assert_eq!(&message[1], b"ready");
/// assert_eq!(peer.socket_type(), SocketType::Dealer);
/// assert_eq!(&**peer.routing_id(), b"worker-1");
/// assert!(peer.address().is_some_and(|address| address.is_loopback()));
/// # Ok::<(), monocoque::MonocoqueError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Peer {
    pub(crate) connection: Arc<Connection>,
    pub(crate) socket_type: SocketType,
    pub(crate) routing_id: RoutingId,
    pub(crate) properties: Properties,
}

impl Peer {
    /// The connection to it; a [monitor](crate::zmq::Socket::monitor) tells of the same one.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Its IP address (`Peer-Address`); `None` if it is not connected over TCP.
    pub fn address(&self) -> Option<IpAddr> {
        match self.connection.peer.parse() {
            Ok(Endpoint::Tcp { host: Host::Ip(ip), .. }) => Some(ip),
            Ok(Endpoint::Tcp { host: Host::Zoned(ip, _), .. }) => Some(ip.into()),
            _ => None,
        }
    }

    /// The type of its socket (`Socket-Type`).
    pub fn socket_type(&self) -> SocketType {
        self.socket_type
    }

    /// What it is called (`Identity`, `Routing-Id`): by its own word, or because it has said none.
    pub fn routing_id(&self) -> &RoutingId {
        &self.routing_id
    }

    /// As whom it has proved itself (`User-Id`). With the NULL mechanism, the only one so far, nobody does: `None`.
    pub fn user_id(&self) -> Option<&str> {
        None
    }

    /// A property of its handshake by its name, in letters of any case; those of applications begin with `X-`. Nobody has
    /// checked what it says. Peers within the process have none.
    pub fn property(&self, name: &str) -> Option<&[u8]> {
        self.properties.get(name)
    }
}
