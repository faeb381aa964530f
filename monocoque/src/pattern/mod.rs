//! The socket types, as a table.
//!
//! | type   | route (out)            | intake (in)            | envelope   | when full | linger |
//! |--------|------------------------|------------------------|------------|-----------|--------|
//! | DEALER | round robin            | fair                   | none       | block     | yes    |
//! | ROUTER | by routing id          | fair, id in front      | identity   | drop      | yes    |
//! | REQ    | round robin, one asked | fair, from the asked   | request    | block     | yes    |
//! | REP    | to the origin          | fair                   | reply      | drop      | yes    |
//! | PUB    | by prefix, to all      | subscriptions consumed | none       | drop      | yes    |
//! | SUB    | subscriptions only     | fair, filtered         | none       | -         | no     |
//! | XPUB   | by prefix, to all      | fair, and subscriptions | none      | drop      | yes    |
//! | XSUB   | to all                 | fair                   | none       | drop      | yes    |
//! | PUSH   | round robin            | -                      | none       | block     | yes    |
//! | PULL   | -                      | fair                   | none       | -         | yes    |
//! | PAIR   | the one peer           | the one peer           | none       | block     | yes    |
//! | STREAM | by routing id          | fair, id in front      | identity   | block     | yes    |
//!
//! All but STREAM run_protocol ZMTP. A row says all that differs between the types; [`outbound`] and [`incoming`] carry it out,
//! [`envelope`] knows the request-reply dialogue. Nothing else in the crate asks for a socket's type.

mod backlog;
mod broadcast_log;
pub(crate) mod envelope;
pub(crate) mod incoming;
pub(crate) mod link;
pub(crate) mod outbound;
pub(crate) mod publisher;
mod reports;
pub(crate) mod subscription_frame;
pub(crate) mod wakes;
mod yield_budget;

use monocoque_zmtp::SocketType;

use crate::options::Notices;

/// A row of the table.
#[derive(Debug)]
#[expect(unnameable_types, reason = "named by the sealed trait behind `Kind`, which nobody outside can name")]
pub struct Pattern {
    pub(crate) socket_type: SocketType,
    pub(crate) routing: Routing,
    pub(crate) incoming: Incoming,
    pub(crate) envelope: Envelope,
    pub(crate) when_full: WhenFull,
    /// Whether what is queued at the end is worth waiting for.
    pub(crate) lingers: bool,
    /// Whether a second `connect` to the same endpoint opens a second connection.
    pub(crate) repeats: bool,
    /// Whether there is never more than one peer.
    pub(crate) exclusive: bool,
    /// What the application hears of its peers, unless an option says otherwise.
    pub(crate) notices: Notices,
    /// How its messages lie in streams.
    pub(crate) framing: Framing,
}

/// How messages lie in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Zmtp,
    /// Bytes as they are. A message without any ends the connection.
    Raw,
}

/// How outgoing messages find their peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routing {
    /// There are none.
    Nowhere,
    /// To one peer after the other.
    RoundRobin,
    /// To the peer that is named.
    ById,
    /// To the peer that the request came from.
    ToOrigin,
    /// To every peer with a matching subscription.
    ByPrefix,
    /// To every peer. What looks like a subscription is one.
    ToAll,
}

/// What becomes of incoming messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// They are dropped, and counted.
    Discard,
    /// They are received, one peer after the other.
    Fair,
    /// They are received if they match a subscription.
    Filtered,
    /// They are received, and so is what peers subscribe to.
    Subscriptions,
}

/// What surrounds a message on the wire that the application does not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// Nothing.
    None,
    /// The routing id, in front; the application does see it.
    Identity,
    /// An empty delimiter; requests and replies alternate.
    Request,
    /// All frames up to an empty one, kept for the reply; requests and replies alternate.
    Reply,
}

/// What a sender meets whose peers have no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// It waits.
    Block,
    /// The message is dropped for that peer, and counted.
    Drop,
}

const DEFAULT: Pattern = Pattern {
    socket_type: SocketType::Dealer,
    routing: Routing::RoundRobin,
    incoming: Incoming::Fair,
    envelope: Envelope::None,
    when_full: WhenFull::Block,
    lingers: true,
    repeats: false,
    exclusive: false,
    notices: Notices { connect: false, disconnect: false },
    framing: Framing::Zmtp,
};

pub(crate) static DEALER: Pattern = DEFAULT;

pub(crate) static ROUTER: Pattern = Pattern {
    socket_type: SocketType::Router,
    routing: Routing::ById,
    envelope: Envelope::Identity,
    when_full: WhenFull::Drop,
    repeats: true,
    ..DEFAULT
};

pub(crate) static REQ: Pattern =
    Pattern { socket_type: SocketType::Req, envelope: Envelope::Request, ..DEFAULT };

pub(crate) static REP: Pattern = Pattern {
    socket_type: SocketType::Rep,
    routing: Routing::ToOrigin,
    envelope: Envelope::Reply,
    when_full: WhenFull::Drop,
    repeats: true,
    ..DEFAULT
};

pub(crate) static PUB: Pattern = Pattern {
    socket_type: SocketType::Pub,
    routing: Routing::ByPrefix,
    incoming: Incoming::Discard,
    when_full: WhenFull::Drop,
    ..DEFAULT
};

pub(crate) static SUB: Pattern = Pattern {
    socket_type: SocketType::Sub,
    routing: Routing::Nowhere,
    incoming: Incoming::Filtered,
    lingers: false,
    ..DEFAULT
};

pub(crate) static PUSH: Pattern =
    Pattern { socket_type: SocketType::Push, incoming: Incoming::Discard, repeats: true, ..DEFAULT };

pub(crate) static PULL: Pattern =
    Pattern { socket_type: SocketType::Pull, routing: Routing::Nowhere, repeats: true, ..DEFAULT };

pub(crate) static PAIR: Pattern =
    Pattern { socket_type: SocketType::Pair, exclusive: true, repeats: true, ..DEFAULT };

pub(crate) static XPUB: Pattern = Pattern {
    socket_type: SocketType::Xpub,
    routing: Routing::ByPrefix,
    incoming: Incoming::Subscriptions,
    when_full: WhenFull::Drop,
    repeats: true,
    ..DEFAULT
};

pub(crate) static XSUB: Pattern = Pattern {
    socket_type: SocketType::Xsub,
    routing: Routing::ToAll,
    when_full: WhenFull::Drop,
    repeats: true,
    ..DEFAULT
};

pub(crate) static STREAM: Pattern = Pattern {
    socket_type: SocketType::Stream,
    routing: Routing::ById,
    envelope: Envelope::Identity,
    repeats: true,
    notices: Notices { connect: true, disconnect: true },
    framing: Framing::Raw,
    ..DEFAULT
};
