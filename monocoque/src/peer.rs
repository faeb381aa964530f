//! The peer of a connection, as its handshake describes it.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use monocoque_core::actor::ByteCounters;
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
    pub(crate) since: Since,
    pub(crate) bytes: Arc<ByteCounters>,
}

impl Peer {
    /// Returns the connection to the peer, the same one that [monitor](crate::zmq::Socket::monitor)
    /// events carry.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the IP address of the peer (`Peer-Address`), `None` unless it is connected over TCP.
    pub fn address(&self) -> Option<IpAddr> {
        self.socket_addr().map(|address| address.ip())
    }

    /// Returns the IP address and the port of the peer, `None` unless it is connected over TCP.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        socket_addr(&self.connection.peer)
    }

    /// Returns the address of the peer as an endpoint, over any transport, such as
    /// `tcp://127.0.0.1:40000`: that of [`Connection::peer`].
    pub fn remote_endpoint(&self) -> &Endpoint {
        &self.connection.peer
    }

    /// Returns the time when the handshake was done, by the clock of the system.
    pub fn connected_at(&self) -> SystemTime {
        self.since.time
    }

    /// Returns the time since the handshake was done, whatever has become of the clock of the
    /// system, and of the connection.
    pub fn age(&self) -> Duration {
        self.since.instant.elapsed()
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

    /// Returns the properties of the peer, name and value, each name once: those that
    /// [`property`](Self::property) finds.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let user = self.user_id().map(|id| ("User-Id", id.as_bytes()));
        let mut names: Vec<&str> = user.iter().map(|(name, _)| *name).collect();
        let listed = self.admission.properties.iter().chain(self.properties.iter());
        user.into_iter().chain(listed.filter_map(move |(name, _)| {
            if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                return None;
            }
            names.push(name);
            self.property(name).map(|value| (name, value))
        }))
    }

    /// Returns a property that the peer sent itself. No name that others might trust is one.
    fn claim(&self, name: &str) -> Option<&[u8]> {
        let is_own = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-"));
        let is_known = ["Socket-Type", "Identity"].iter().any(|known| known.eq_ignore_ascii_case(name));
        self.properties.get(name).filter(|_| is_own || is_known)
    }
}

/// The time when a connection was established.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    instant: Instant,
    time: SystemTime,
}

impl Since {
    pub(crate) fn now() -> Self {
        Self { instant: Instant::now(), time: SystemTime::now() }
    }
}

/// Returns the IP address and the port of a peer, `None` unless it is connected over TCP.
pub(crate) fn socket_addr(peer: &Endpoint) -> Option<SocketAddr> {
    match peer {
        Endpoint::Tcp { host: Host::Ip(ip), port, .. } => Some(SocketAddr::new(*ip, *port)),
        Endpoint::Tcp { host: Host::Zoned(ip, zone), port, .. } => {
            // The zone of a connected peer is the number of an interface.
            let scope = zone.as_str().parse().unwrap_or_default();
            Some(SocketAddrV6::new(*ip, *port, 0, scope).into())
        }
        _ => None,
    }
}
