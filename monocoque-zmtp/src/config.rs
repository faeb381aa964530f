//! The configuration of a [`ZmtpSession`](crate::ZmtpSession).
//!
//! Owns the settings, their defaults and their check. It does not know their use. Filled in by the
//! code that connects or listens.

use bytes::Bytes;

use crate::names::MechanismName;
use crate::{ConfigError, HeartbeatConfig, PlainCredentials, Properties, SocketType};
#[cfg(feature = "curve")]
use crate::{CurvePublicKey, CurveSecretKey};

/// The configuration of one connection.
///
/// ```
/// use std::time::Duration;
///
/// use monocoque_zmtp::{SessionConfig, SocketType, ZmtpSession};
///
/// let mut config = SessionConfig::new(SocketType::Dealer);
/// config.routing_id = "worker-1".into();
/// config.heartbeat.interval = Some(Duration::from_secs(1));
/// let session = ZmtpSession::new(config)?;
/// # Ok::<(), monocoque_zmtp::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The type of our own socket.
    pub socket_type: SocketType,
    /// Our routing id, at most 255 bytes, the first not zero; empty, the default, is anonymous.
    /// Only REQ, DEALER and ROUTER announce it. libzmq: `ZMQ_ROUTING_ID`.
    pub routing_id: Bytes,
    /// The limits on what a peer may send.
    pub limits: Limits,
    /// The heartbeat.
    pub heartbeat: HeartbeatConfig,
    /// The security mechanism.
    pub mechanism: MechanismConfig,
    /// Makes the session [ask](crate::AuthQuestion) the application if a peer may come in; default:
    /// false. A server of PLAIN asks in any case, and a client of PLAIN or CURVE never.
    pub authenticates: bool,
    /// Properties of the application for the peer, with names that begin with `X-`; default: none.
    /// libzmq: `ZMQ_METADATA`.
    pub properties: Properties,
}

impl SessionConfig {
    /// The configuration of an anonymous socket of a type, with the defaults of libzmq.
    pub fn new(socket_type: SocketType) -> Self {
        Self {
            socket_type,
            routing_id: Bytes::new(),
            limits: Limits::default(),
            heartbeat: HeartbeatConfig::default(),
            mechanism: MechanismConfig::default(),
            authenticates: false,
            properties: Properties::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.routing_id.len() > MAX_ROUTING_ID {
            return Err(ConfigError::RoutingIdTooLong(self.routing_id.len()));
        }
        if self.routing_id.first() == Some(&0) {
            return Err(ConfigError::RoutingIdReserved);
        }
        if self.socket_type == SocketType::Stream {
            return Err(ConfigError::NotZmtp);
        }
        if let MechanismConfig::PlainClient(credentials) = &self.mechanism {
            credentials.check()?;
        }
        self.properties.check_own()?;
        self.heartbeat.check()
    }
}

/// The security mechanism of a connection. Both peers must use the same one; there is no
/// negotiation.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum MechanismConfig {
    /// No security. libzmq: `ZMQ_NULL`.
    #[default]
    Null,
    /// Clients prove who they are by a user name and a password. libzmq: `ZMQ_PLAIN_SERVER`.
    PlainServer,
    /// Proves who we are by a user name and a password. libzmq: `ZMQ_PLAIN_USERNAME`.
    PlainClient(PlainCredentials),
    /// Encryption; clients prove who they are by their keys. libzmq: `ZMQ_CURVE_SERVER`.
    #[cfg(feature = "curve")]
    CurveServer {
        /// Our key, whose public half the clients have.
        secret_key: CurveSecretKey,
    },
    /// Encryption; proves who we are by our key, and checks the key of the server. libzmq:
    /// `ZMQ_CURVE_SERVERKEY`.
    #[cfg(feature = "curve")]
    CurveClient {
        /// Our key.
        secret_key: CurveSecretKey,
        /// The key of the server.
        server_key: CurvePublicKey,
    },
}

impl MechanismConfig {
    /// Returns the name in the greeting.
    pub const fn name(&self) -> MechanismName {
        match self {
            Self::Null => MechanismName::NULL,
            Self::PlainServer | Self::PlainClient(_) => MechanismName::PLAIN,
            #[cfg(feature = "curve")]
            Self::CurveServer { .. } | Self::CurveClient { .. } => MechanismName::CURVE,
        }
    }

    /// Returns true if we are the server of the mechanism, which may connect or bind.
    pub const fn is_server(&self) -> bool {
        match self {
            Self::Null | Self::PlainClient(_) => false,
            Self::PlainServer => true,
            #[cfg(feature = "curve")]
            Self::CurveServer { .. } => true,
            #[cfg(feature = "curve")]
            Self::CurveClient { .. } => false,
        }
    }

    /// Returns true if a session needs [`Entropy`](crate::Entropy).
    pub const fn needs_entropy(&self) -> bool {
        match self {
            Self::Null | Self::PlainClient(_) | Self::PlainServer => false,
            #[cfg(feature = "curve")]
            Self::CurveServer { .. } | Self::CurveClient { .. } => true,
        }
    }
}

/// The limits on what a peer may send. A frame beyond a limit is refused at its header, before its
/// body takes memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest frame of a message, in bytes; default: 2^63-1, the limit of the protocol.
    /// Commands and subscriptions have limits of their own: 64 KiB, and the [topic
    /// budget](crate::TopicBudget) of the peer. libzmq: `ZMQ_MAXMSGSIZE`.
    pub max_frame_size: u64,
    /// The largest message, in bytes: the sum of its frames; default: no limit. libzmq has none.
    pub max_message_size: u64,
    /// The most frames of a message, at least one; default: 1,048,576. libzmq has no limit.
    pub max_frames: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let unlimited = i64::MAX as u64;
        Self { max_frame_size: unlimited, max_message_size: unlimited, max_frames: 1 << 20 }
    }
}

/// The longest routing id, in bytes.
pub(crate) const MAX_ROUTING_ID: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_routing_id_is_rejected() {
        let check = |id: &[u8]| {
            let mut config = SessionConfig::new(SocketType::Dealer);
            config.routing_id = Bytes::copy_from_slice(id);
            config.check()
        };
        assert_eq!(check(b""), Ok(()));
        assert_eq!(check(b"a\0"), Ok(()));
        assert_eq!(check(&[1; 255]), Ok(()));
        assert_eq!(check(&[1; 256]), Err(ConfigError::RoutingIdTooLong(256)));
        assert_eq!(check(b"\0a"), Err(ConfigError::RoutingIdReserved));
        assert_eq!(SessionConfig::new(SocketType::Stream).check(), Err(ConfigError::NotZmtp));
    }
}
