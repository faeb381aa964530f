//! The socket types as types: what each one can do is known when a program is compiled.

use crate::pattern::{self, Pattern};

mod sealed {
    #[expect(unnameable_types, reason = "sealed: nobody else adds a kind")]
    pub trait Row {
        /// The row of the table.
        fn pattern() -> &'static super::Pattern;
    }
}

/// A type of socket. Sealed: the types are those of this module.
pub trait Kind: sealed::Row + Send + Sync + 'static {}

/// A type of socket that sends.
pub trait Sends: Kind {}

/// A type of socket that receives.
pub trait Receives: Kind {}

/// A type of socket on which a message may take the place of the one before it.
pub trait Conflates: Kind {}

/// A type of socket whose peers subscribe to what it sends.
pub trait Publishes: Sends {}

/// A type of socket that subscribes to what its peers send.
pub trait Subscribes: Receives {}

/// A type of socket that sorts messages by what was subscribed to.
pub trait Matches: Kind {}

/// A type of socket at which subscriptions are messages.
pub trait Relays: Kind {}

/// A type of socket that can stand at an end of a [`proxy`](crate::proxy()): all but REQ and REP, which take turns.
pub trait Proxied: Kind {}

/// A type of socket that sends to the peer that is named.
pub trait Addresses: Sends + Receives {}

/// A type of socket that can make itself known to a ROUTER.
pub trait Probes: Sends {}

/// A type of socket that can say hello to each peer.
pub trait Greets: Sends {}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $row:ident, $($capability:ident),+;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $kind {}

        impl sealed::Row for $kind {
            fn pattern() -> &'static Pattern {
                &pattern::$row
            }
        }

        impl Kind for $kind {}
        $(impl $capability for $kind {})+
    )+};
}

kinds! {
    /// Marks a [`DealerSocket`](super::DealerSocket).
    Dealer: DEALER, Sends, Receives, Conflates, Proxied, Probes, Greets;
    /// Marks a [`RouterSocket`](super::RouterSocket).
    Router: ROUTER, Sends, Receives, Addresses, Proxied, Probes, Greets;
    /// Marks a [`ReqSocket`](super::ReqSocket).
    Req: REQ, Sends, Receives, Probes;
    /// Marks a [`RepSocket`](super::RepSocket).
    Rep: REP, Sends, Receives;
    /// Marks a [`PubSocket`](super::PubSocket).
    Pub: PUB, Sends, Publishes, Matches, Conflates, Proxied;
    /// Marks a [`SubSocket`](super::SubSocket).
    Sub: SUB, Receives, Subscribes, Matches, Conflates, Proxied;
    /// Marks an [`XpubSocket`](super::XpubSocket).
    Xpub: XPUB, Sends, Receives, Publishes, Matches, Relays, Proxied;
    /// Marks an [`XsubSocket`](super::XsubSocket).
    Xsub: XSUB, Sends, Receives, Subscribes, Relays, Proxied;
    /// Marks a [`PushSocket`](super::PushSocket).
    Push: PUSH, Sends, Conflates, Proxied;
    /// Marks a [`PullSocket`](super::PullSocket).
    Pull: PULL, Receives, Conflates, Proxied;
    /// Marks a [`PairSocket`](super::PairSocket).
    Pair: PAIR, Sends, Receives, Proxied;
    /// Marks a [`StreamSocket`](super::StreamSocket).
    Stream: STREAM, Sends, Receives, Addresses, Proxied;
}
