//! The table of socket types.
//!
//! | type   | routing (out)          | incoming               | envelope   | when full | linger |
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
//! PUSH and PUB never receive, PULL and SUB never send; REQ and REP do both in alternation, and all
//! others freely. A call that the type cannot do is an error that names the type.
//!
//! All types except STREAM use ZMTP. A row holds every difference between the types: [`outbound`]
//! and [`incoming`] implement it, [`envelope`] the request-reply dialogue. No other code of the
//! crate depends on the type of a socket.

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

use crate::error::MonocoqueError;
use crate::options::{Notices, Options};

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) socket_type: SocketType,
    pub(crate) routing: Routing,
    pub(crate) incoming: Incoming,
    pub(crate) envelope: Envelope,
    pub(crate) turns: Turns,
    pub(crate) when_full: WhenFull,
    /// Queued messages are sent after `close`, for at most `linger`.
    pub(crate) lingers: bool,
    /// A second `connect` to the same endpoint opens a second connection.
    pub(crate) repeats: bool,
    /// The socket has one peer at most.
    pub(crate) exclusive: bool,
    /// The peer notifications that the application receives by default.
    pub(crate) notices: Notices,
    /// The framing of messages in streams.
    pub(crate) framing: Framing,
}

impl Pattern {
    /// Returns whether `send` drops messages, rather than wait or fail, while queues are full.
    pub(crate) fn drops_when_full(&self, options: &Options) -> bool {
        self.when_full == WhenFull::Drop && !options.mandatory
    }

    /// Returns the error of an operation that the type cannot do.
    #[cold]
    pub(crate) fn unsupported(&self, operation: &'static str) -> MonocoqueError {
        MonocoqueError::Unsupported { socket_type: self.socket_type, operation }
    }
}

/// The framing of messages in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Zmtp,
    /// Bytes without framing. A message without bytes ends the connection.
    Raw,
}

/// The choice of peers for an outgoing message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routing {
    /// No peer: the application sends no messages.
    Nowhere,
    /// One peer after the other.
    RoundRobin,
    /// The peer with the given routing id.
    ById,
    /// The peer that sent the request.
    ToOrigin,
    /// Every peer with a matching subscription.
    ByPrefix,
    /// Every peer. Messages in the form of subscriptions are sent as such.
    ToAll,
}

/// The handling of incoming messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// Dropped and counted.
    Discard,
    /// Received, one peer after the other.
    Fair,
    /// Received if a subscription matches.
    Filtered,
    /// Received, together with the subscriptions of peers.
    Subscriptions,
}

/// The frames around a message on the wire that the application does not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// None.
    None,
    /// The routing id in front, which the application does see.
    Identity,
    /// An empty delimiter frame. Requests and replies alternate.
    Request,
    /// All frames up to an empty one, kept for the reply. Requests and replies alternate.
    Reply,
}

/// The times when the application may receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turns {
    /// Any time.
    Free,
    /// In alternation with sending: requests and replies.
    Alternate,
    /// Never.
    Never,
}

/// The behaviour of `send` while the queues of the peers are full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Waits.
    Block,
    /// Drops the message for that peer and counts it.
    Drop,
}

const DEFAULT: Pattern = Pattern {
    socket_type: SocketType::Dealer,
    routing: Routing::RoundRobin,
    incoming: Incoming::Fair,
    envelope: Envelope::None,
    turns: Turns::Free,
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
    Pattern { socket_type: SocketType::Req, envelope: Envelope::Request, turns: Turns::Alternate, ..DEFAULT };

pub(crate) static REP: Pattern = Pattern {
    socket_type: SocketType::Rep,
    routing: Routing::ToOrigin,
    envelope: Envelope::Reply,
    turns: Turns::Alternate,
    when_full: WhenFull::Drop,
    repeats: true,
    ..DEFAULT
};

pub(crate) static PUB: Pattern = Pattern {
    socket_type: SocketType::Pub,
    routing: Routing::ByPrefix,
    incoming: Incoming::Discard,
    turns: Turns::Never,
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

pub(crate) static PUSH: Pattern = Pattern {
    socket_type: SocketType::Push,
    incoming: Incoming::Discard,
    turns: Turns::Never,
    repeats: true,
    ..DEFAULT
};

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
