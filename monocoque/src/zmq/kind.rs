//! A socket type as a value: its row of the table, and its capabilities.

use monocoque_zmtp::SocketType;

use super::socket::sealed::SealedType;
use super::{
    DealerSocket, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket,
    StreamSocket, SubSocket, XpubSocket, XsubSocket,
};
use crate::error::MonocoqueError;
use crate::pattern::Pattern;

/// A socket type.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "named by the sealed trait behind `TypedSocket`")]
pub struct Kind {
    pub(super) pattern: &'static Pattern,
    pub(super) capabilities: Capabilities,
}

impl Kind {
    pub(super) fn of(socket_type: SocketType) -> Self {
        let kind = match socket_type {
            SocketType::Pair => PairSocket::kind,
            SocketType::Pub => PubSocket::kind,
            SocketType::Sub => SubSocket::kind,
            SocketType::Req => ReqSocket::kind,
            SocketType::Rep => RepSocket::kind,
            SocketType::Dealer => DealerSocket::kind,
            SocketType::Router => RouterSocket::kind,
            SocketType::Pull => PullSocket::kind,
            SocketType::Push => PushSocket::kind,
            SocketType::Xpub => XpubSocket::kind,
            SocketType::Xsub => XsubSocket::kind,
            SocketType::Stream => StreamSocket::kind,
        };
        kind()
    }
}

macro_rules! capabilities {
    ($($capability:ident: $operation:literal),+ $(,)?) => {
        /// A capability as a value, for sockets whose type is known at run time only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(unnameable_types, reason = "named by the sealed trait behind `Socket`")]
        pub enum Capability {
            $(
                #[doc = concat!("The sockets that can ", $operation, ".")]
                $capability
            ),+
        }

        impl Capability {
            /// Returns what a socket with the capability can do.
            fn operation(self) -> &'static str {
                match self {
                    $(Self::$capability => $operation),+
                }
            }
        }
    };
}

capabilities! {
    Sends: "send",
    Receives: "receive",
    RoutesById: "send by routing id",
    Publishes: "publish",
    Subscribes: "subscribe",
    Requests: "send requests",
    Proxied: "stand at an end of a proxy",
    Conflate: "take the option `conflate`",
    HelloMsg: "take the option `hello_msg`",
    HiccupMsg: "take the option `hiccup_msg`",
    InvertMatching: "take the option `invert_matching`",
    OnlyFirstSubscribe: "take the option `only_first_subscribe`",
    ProbeRouter: "take the option `probe_router`",
    RouterOptions: "take options of ROUTER",
    Secure: "take options of security",
    StreamNotify: "take the option `stream_notify`",
    XpubOptions: "take options of XPUB",
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capabilities(u32);

impl Capabilities {
    pub(super) fn of(capabilities: &[Capability]) -> Self {
        Self(capabilities.iter().fold(0, |set, capability| set | 1 << *capability as u32))
    }

    pub(super) fn has(self, capability: Capability) -> bool {
        self.0 & 1 << capability as u32 != 0
    }
}

/// The lack of a capability.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "named by the sealed trait behind `Socket`")]
pub struct Lack {
    pub(super) socket_type: SocketType,
    pub(super) capability: Capability,
}

impl From<Lack> for MonocoqueError {
    fn from(Lack { socket_type, capability }: Lack) -> Self {
        Self::Unsupported { socket_type, operation: capability.operation() }
    }
}
