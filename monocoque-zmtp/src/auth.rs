//! The question whether a peer may come in, and its answer (RFC 27).
//!
//! Owns what is asked and what may be answered. It does not know who answers, nor the messages of
//! ZAP. Made by the mechanisms, answered by the owner of the session.

use std::fmt;

use bytes::Bytes;
use monocoque_core::Question;

#[cfg(feature = "curve")]
use crate::CurvePublicKey;
use crate::{AuthFault, MechanismName, Password, Properties, RefusalStatus};

/// The question whether a peer may come in.
#[derive(Clone, Debug)]
pub struct AuthQuestion {
    /// The proof of who the peer is.
    pub credentials: Credentials,
    /// The routing id that the peer announces. Only known with CURVE: the other mechanisms ask
    /// before the peer has sent it.
    pub routing_id: Bytes,
    /// The metadata of the peer, known in the same cases.
    pub properties: Properties,
}

/// The proof of who a peer is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credentials {
    /// None: the mechanism is NULL.
    Null,
    /// A user name and a password.
    Plain {
        /// The user name, of any bytes.
        username: Bytes,
        /// The password.
        password: Password,
    },
    /// A long-term public key. The peer has proved that it has the secret one.
    #[cfg(feature = "curve")]
    Curve(CurvePublicKey),
}

/// The answer to the question if a peer may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthReply {
    /// The peer may come in.
    Allow(Admission),
    /// The peer may not come in.
    Refuse(RefusalStatus),
    /// No decision could be made. The connection ends without an ERROR; the peer connects again.
    Fail(AuthFault),
}

/// The description of a peer that may come in.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The user that the peer is, for the application; empty if it is not known.
    pub user_id: String,
    /// Properties that the authenticator adds to the peer. They are not sent to it.
    pub properties: Properties,
}

impl Question for AuthQuestion {
    type Answer = AuthReply;
}

impl Credentials {
    /// Returns the mechanism.
    pub const fn mechanism(&self) -> MechanismName {
        match self {
            Self::Null => MechanismName::NULL,
            Self::Plain { .. } => MechanismName::PLAIN,
            #[cfg(feature = "curve")]
            Self::Curve(_) => MechanismName::CURVE,
        }
    }
}

impl AuthReply {
    /// Allows a peer of which nothing more is known.
    pub fn allow() -> Self {
        Self::Allow(Admission::default())
    }

    /// Allows a peer that is this user.
    pub fn allow_user(user_id: impl Into<String>) -> Self {
        Self::Allow(Admission { user_id: user_id.into(), ..Admission::default() })
    }

    /// Refuses a peer, which is told.
    pub const fn deny() -> Self {
        Self::Refuse(RefusalStatus::Denied)
    }
}

impl fmt::Display for AuthReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow(_) => f.write_str("200"),
            Self::Refuse(status) => status.fmt(f),
            Self::Fail(fault) => fault.fmt(f),
        }
    }
}
