//! Socket types: their names on the wire and their compatibility (RFC 28, 29, 30, 31).
//!
//! Owns the compatibility table. It does not know what the types do with messages. Called by the
//! session, and by all code that names a socket.

use std::fmt;

/// The type of a socket, as announced to the peer.
///
/// ```
/// use monocoque_zmtp::SocketType;
///
/// assert!(SocketType::Dealer.is_compatible_with(SocketType::Router));
/// assert!(!SocketType::Push.is_compatible_with(SocketType::Sub));
/// assert_eq!(SocketType::from_name(b"XPUB"), Some(SocketType::Xpub));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketType {
    /// Exclusive pair.
    Pair,
    /// Publisher.
    Pub,
    /// Subscriber.
    Sub,
    /// Requester: one request, one reply.
    Req,
    /// Replier.
    Rep,
    /// Asynchronous requester.
    Dealer,
    /// Asynchronous replier, addresses its peers by routing id.
    Router,
    /// End of a pipeline.
    Pull,
    /// Start of a pipeline.
    Push,
    /// Publisher that receives subscriptions.
    Xpub,
    /// Subscriber that sends subscriptions as messages.
    Xsub,
    /// Bytes without ZMTP. It is never announced to a peer, nor accepted from one.
    Stream,
}

impl SocketType {
    /// All types of ZMTP, in the numerical order of libzmq.
    pub const ALL: [Self; 11] = [
        Self::Pair,
        Self::Pub,
        Self::Sub,
        Self::Req,
        Self::Rep,
        Self::Dealer,
        Self::Router,
        Self::Pull,
        Self::Push,
        Self::Xpub,
        Self::Xsub,
    ];

    /// Returns the name, which, except for STREAM, is that on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pair => "PAIR",
            Self::Pub => "PUB",
            Self::Sub => "SUB",
            Self::Req => "REQ",
            Self::Rep => "REP",
            Self::Dealer => "DEALER",
            Self::Router => "ROUTER",
            Self::Pull => "PULL",
            Self::Push => "PUSH",
            Self::Xpub => "XPUB",
            Self::Xsub => "XSUB",
            Self::Stream => "STREAM",
        }
    }

    /// Returns the type of a name, which is compared exactly.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|ty| ty.name().as_bytes() == name)
    }

    /// Returns true if sockets of the two types may connect. It is symmetric.
    pub const fn is_compatible_with(self, peer: Self) -> bool {
        match self {
            Self::Pair => matches!(peer, Self::Pair),
            Self::Pub | Self::Xpub => matches!(peer, Self::Sub | Self::Xsub),
            Self::Sub | Self::Xsub => matches!(peer, Self::Pub | Self::Xpub),
            Self::Req => matches!(peer, Self::Rep | Self::Router),
            Self::Rep => matches!(peer, Self::Req | Self::Dealer),
            Self::Dealer => matches!(peer, Self::Rep | Self::Dealer | Self::Router),
            Self::Router => matches!(peer, Self::Req | Self::Dealer | Self::Router),
            Self::Pull => matches!(peer, Self::Push),
            Self::Push => matches!(peer, Self::Pull),
            Self::Stream => false,
        }
    }

    /// Returns the types that it is compatible with, as text.
    pub(crate) const fn peer_types(self) -> &'static str {
        match self {
            Self::Pair => "PAIR",
            Self::Pub | Self::Xpub => "SUB or XSUB",
            Self::Sub | Self::Xsub => "PUB or XPUB",
            Self::Req => "REP or ROUTER",
            Self::Rep => "REQ or DEALER",
            Self::Dealer => "REP, DEALER or ROUTER",
            Self::Router => "REQ, DEALER or ROUTER",
            Self::Pull => "PUSH",
            Self::Push => "PULL",
            Self::Stream => "raw stream",
        }
    }

    /// Returns true if its peers send subscriptions.
    pub const fn takes_subscriptions(self) -> bool {
        matches!(self, Self::Pub | Self::Xpub)
    }

    /// Returns true if it announces its routing id, for a ROUTER peer.
    pub const fn announces_routing_id(self) -> bool {
        matches!(self, Self::Req | Self::Dealer | Self::Router)
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the RFCs, each pair once.
    const COMPATIBLE: [(&str, &str); 13] = [
        ("REQ", "REP"),
        ("REQ", "ROUTER"),
        ("REP", "DEALER"),
        ("DEALER", "DEALER"),
        ("DEALER", "ROUTER"),
        ("ROUTER", "ROUTER"),
        ("PUB", "SUB"),
        ("PUB", "XSUB"),
        ("XPUB", "SUB"),
        ("XPUB", "XSUB"),
        ("PUSH", "PULL"),
        ("PAIR", "PAIR"),
        ("PULL", "PUSH"),
    ];

    #[test]
    fn compatible_pairs_match_rfc_table() {
        for a in SocketType::ALL {
            for b in SocketType::ALL {
                let (x, y) = (a.name(), b.name());
                let listed = COMPATIBLE.contains(&(x, y)) || COMPATIBLE.contains(&(y, x));
                assert_eq!(a.is_compatible_with(b), listed, "{a} and {b}");
            }
        }
    }

    #[test]
    fn socket_type_names_match_exactly() {
        for ty in SocketType::ALL {
            assert_eq!(SocketType::from_name(ty.name().as_bytes()), Some(ty));
        }
        assert!(!SocketType::ALL.into_iter().any(|ty| ty.is_compatible_with(SocketType::Stream)));
        for name in [&b""[..], b"dealer", b"DEALER\0", b"STREAM", b"SUBS"] {
            assert_eq!(SocketType::from_name(name), None);
        }
    }
}
