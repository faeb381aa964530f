//! What can go wrong, sorted by who is to blame.
//!
//! Every violation has a name of its own, so that tests and logs can tell them apart; none is a string. Made by all
//! parsers of this crate, and passed through by the engine.

use std::fmt;

use thiserror::Error;

use crate::{CommandKind, MechanismName, SocketType};

/// Why a connection has to be closed.
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
    /// The bytes parse, but the peer must not say this, or not now, or not so much of it.
    #[error(transparent)]
    Misbehaved(#[from] Misbehaved),
    /// Nobody is to blame: the two ends are not made for each other.
    #[error(transparent)]
    Incompatible(#[from] Incompatible),
    /// The peer refused us with an ERROR command.
    #[error("the peer gave up: {0}")]
    PeerError(Reason),
    /// A PING was not followed by anything within the heartbeat timeout.
    #[error("nothing was heard within the heartbeat timeout")]
    HeartbeatTimeout,
    /// The peer announced that it would be heard from within a time that has passed.
    #[error("nothing was heard within the time that the peer announced")]
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
    /// An ERROR whose reason is not as long as it says.
    #[error("ERROR with a reason of another length than announced")]
    ErrorReason,
}

/// What a peer must not do.
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
    /// More properties than anyone needs.
    #[error("too many properties in the metadata")]
    TooManyProperties,
    /// A frame above [`Limits::max_frame_size`](crate::Limits::max_frame_size).
    #[error("frame of {size} bytes, {limit} are allowed")]
    FrameTooLarge {
        /// What the header announced.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// A message above [`Limits::max_message_size`](crate::Limits::max_message_size).
    #[error("message of {size} bytes or more, {limit} are allowed")]
    MessageTooLarge {
        /// The frames so far and the one whose header was read.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// A command after the handshake of more than 64 KiB, or a SUBSCRIBE or CANCEL beyond what the peer may have of topics.
    #[error("{kind} command of {size} bytes, {limit} are allowed")]
    CommandTooLarge {
        /// Which command.
        kind: CommandKind,
        /// What the header announced.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// A subscription in the form of ZMTP 3.0 beyond what the peer may have of topics.
    #[error("subscription of {size} bytes, {limit} are allowed")]
    SubscriptionTooLarge {
        /// What the header announced.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// A message above [`Limits::max_frames`](crate::Limits::max_frames).
    #[error("message of more than {limit} frames")]
    TooManyFrames {
        /// What is allowed.
        limit: usize,
    },
}

/// What two well-behaved ends cannot agree on.
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
        /// What it announced.
        theirs: MechanismName,
    },
    /// The peer is of a socket type that this crate does not know.
    #[error("peer of an unknown socket type")]
    UnknownSocketType,
    /// The two socket types do not talk to each other.
    #[error("{theirs} peer at a {ours} socket")]
    SocketType {
        /// Our own type.
        ours: SocketType,
        /// The peer's.
        theirs: SocketType,
    },
}

/// A configuration that cannot work: our own caller's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A routing id of more than 255 bytes.
    #[error("routing id of {0} bytes, at most 255 are allowed")]
    RoutingIdTooLong(usize),
    /// A routing id that starts with a zero byte; those are kept for anonymous peers.
    #[error("routing id that starts with a zero byte")]
    RoutingIdReserved,
    /// A STREAM, which does not speak ZMTP.
    #[error("STREAM does not speak ZMTP")]
    NotZmtp,
    /// A heartbeat TTL of more than 6553.5 seconds.
    #[error("heartbeat TTL of more than 6553.5 seconds")]
    HeartbeatTtl,
}

/// Why a peer gave up, in its own words: at most 255 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(Box<str>);

impl Reason {
    /// What the peer said, with anything unprintable replaced by `?`.
    pub(crate) fn new(text: &[u8]) -> Self {
        let printable = |&byte: &u8| if matches!(byte, b' '..=b'~') { byte.into() } else { '?' };
        Self(text.iter().map(printable).collect())
    }

    /// The text.
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
    fn a_reason_is_safe_to_log() {
        assert_eq!(Reason::new(b"400").as_str(), "400");
        assert_eq!(Reason::new(b"\x1b[2J\n\xff ok").to_string(), "?[2J?? ok");
    }
}
