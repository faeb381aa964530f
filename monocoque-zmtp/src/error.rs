//! Errors, sorted by who is to blame.
//!
//! Every violation has a name of its own, so that tests and logs can tell them apart; none is a
//! string. Made by all parsers of this crate, and passed on by the engine.

use std::fmt;

use thiserror::Error;

use crate::SocketType;
use crate::names::{CommandKind, MechanismName};

/// The reason why a connection has to be closed.
///
/// ```
/// use monocoque_zmtp::{Malformed, ZmtpError};
///
/// let error = ZmtpError::from(Malformed::ReservedFlags(0x08));
/// assert_eq!(error.to_string(), "reserved frame flags: 0x08");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ZmtpError {
    /// The bytes do not parse.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The bytes parse, but the peer must not send this, or not now, or not as much.
    #[error(transparent)]
    Misbehaved(#[from] Misbehaved),
    /// No peer is to blame: the two are incompatible.
    #[error(transparent)]
    Incompatible(#[from] Incompatible),
    /// The peer refused us with an ERROR command.
    #[error("the peer gave up: {0}")]
    PeerError(Reason),
    /// Nothing was received within the heartbeat timeout after a PING.
    #[error("nothing was received within the heartbeat timeout")]
    HeartbeatTimeout,
    /// Nothing was received within the TTL that the peer announced.
    #[error("nothing was received within the TTL that the peer announced")]
    TtlExpired,
}

/// Bytes that do not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Byte 0 of the greeting is not `FF` or byte 9 is not `7F`: another protocol, or ZMTP 1.0.
    #[error("not a ZMTP signature")]
    Signature,
    /// Bits 3 to 7 of a frame's flags.
    #[error("reserved frame flags: {0:#04x}")]
    ReservedFlags(u8),
    /// A command that claims to be continued.
    #[error("command frame with the MORE flag")]
    CommandWithMore,
    /// A frame longer than 2^63-1 bytes.
    #[error("frame of {0} bytes, beyond what ZMTP allows")]
    FrameLength(u64),
    /// A command frame without a body.
    #[error("empty command frame")]
    EmptyCommand,
    /// A command name that is empty.
    #[error("empty command name")]
    EmptyCommandName,
    /// A command name that is longer than its frame.
    #[error("command name beyond its frame")]
    CommandNameOverrun,
    /// A property name that is empty.
    #[error("empty property name")]
    EmptyPropertyName,
    /// A property name with anything but letters, digits and `-_.+`.
    #[error("property name with an illegal character")]
    PropertyName,
    /// A property whose name, length or value is longer than its frame.
    #[error("property beyond its frame")]
    PropertyOverrun,
    /// A PING too short to hold a TTL.
    #[error("PING without a TTL")]
    Ping,
    /// An ERROR whose reason has another length than announced.
    #[error("ERROR with a reason of another length than announced")]
    ErrorReason,
}

/// A violation of the protocol by a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Misbehaved {
    /// A message before the handshake was done.
    #[error("message before the end of the handshake")]
    MessageInHandshake,
    /// A handshake command of more than 64 KiB.
    #[error("handshake command of {0} bytes")]
    HandshakeCommandTooLarge(u64),
    /// A command that is not legal at this point, or for this type of socket.
    #[error("unexpected {0} command")]
    UnexpectedCommand(CommandKind),
    /// Metadata without a socket type.
    #[error("no socket type in the metadata")]
    MissingSocketType,
    /// A routing id of more than 255 bytes.
    #[error("routing id of {0} bytes")]
    RoutingIdTooLong(usize),
    /// A routing id that starts with a zero byte; those are kept for anonymous peers.
    #[error("routing id that starts with a zero byte")]
    RoutingIdReserved,
    /// More than 256 properties.
    #[error("too many properties in the metadata")]
    TooManyProperties,
    /// A frame above [`Limits::max_frame_size`](crate::Limits::max_frame_size).
    #[error("frame of {size} bytes, {limit} are allowed")]
    FrameTooLarge {
        /// The size in the header.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A message above [`Limits::max_message_size`](crate::Limits::max_message_size).
    #[error("message of {size} bytes or more, {limit} are allowed")]
    MessageTooLarge {
        /// The size of the frames so far, with the one whose header was read.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A command after the handshake of more than 64 KiB, or a SUBSCRIBE or CANCEL beyond the topic
    /// budget of the peer.
    #[error("{kind} command of {size} bytes, {limit} are allowed")]
    CommandTooLarge {
        /// The kind of the command.
        kind: CommandKind,
        /// The size in the header.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A subscription in the form of ZMTP 3.0 beyond the topic budget of the peer.
    #[error("subscription of {size} bytes, {limit} are allowed")]
    SubscriptionTooLarge {
        /// The size in the header.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A message above [`Limits::max_frames`](crate::Limits::max_frames).
    #[error("message of more than {limit} frames")]
    TooManyFrames {
        /// The limit.
        limit: usize,
    },
}

/// A difference between two well-behaved peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Incompatible {
    /// The peer is older than ZMTP 3.0.
    #[error("peer of protocol version {major}")]
    Version {
        /// Byte 10 of its greeting.
        major: u8,
    },
    /// The peer is configured for another security mechanism.
    #[error("peer with mechanism {theirs}")]
    Mechanism {
        /// The mechanism that it announced.
        theirs: MechanismName,
    },
    /// The peer is of a socket type that this crate does not know.
    #[error("peer of an unknown socket type")]
    UnknownSocketType,
    /// The two socket types are incompatible.
    #[error("{theirs} peer at a {ours} socket")]
    SocketType {
        /// Our own type.
        ours: SocketType,
        /// The peer's type.
        theirs: SocketType,
    },
}

/// A configuration that cannot work: a mistake of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A routing id of more than 255 bytes.
    #[error("routing id of {0} bytes, at most 255 are allowed")]
    RoutingIdTooLong(usize),
    /// A routing id that starts with a zero byte; those are kept for anonymous peers.
    #[error("routing id that starts with a zero byte")]
    RoutingIdReserved,
    /// A STREAM socket, which does not use ZMTP.
    #[error("a STREAM socket does not use ZMTP")]
    NotZmtp,
    /// A heartbeat TTL of more than 6553.5 seconds.
    #[error("heartbeat TTL of more than 6553.5 seconds")]
    HeartbeatTtl,
}

/// The reason in an ERROR command of a peer: at most 255 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(Box<str>);

impl Reason {
    /// Makes a reason, with unprintable bytes replaced by `?`.
    pub(crate) fn new(text: &[u8]) -> Self {
        let printable = |&byte: &u8| if matches!(byte, b' '..=b'~') { byte.into() } else { '?' };
        Self(text.iter().map(printable).collect())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_masks_unprintable_bytes() {
        assert_eq!(Reason::new(b"400").as_str(), "400");
        assert_eq!(Reason::new(b"\x1b[2J\n\xff ok").to_string(), "?[2J?? ok");
    }
}
