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
    /// The application refused the peer, with this status.
    #[error("the peer was refused: {0}")]
    Refused(RefusalStatus),
    /// No decision could be made whether the peer may come in.
    #[error("the peer could not be authenticated: {0}")]
    Unauthenticated(AuthFault),
    /// The session was advanced before its question was answered, or without one.
    #[error("a question was not answered")]
    Unanswered,
    /// Nothing was received within the heartbeat timeout after a PING.
    #[error("nothing was received within the heartbeat timeout")]
    HeartbeatTimeout,
    /// Nothing was received within the TTL that the peer announced.
    #[error("nothing was received within the TTL that the peer announced")]
    TtlExpired,
}

impl ZmtpError {
    /// Returns true if the peer did not prove who it is, or may not come in.
    pub const fn is_auth_failure(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::Unauthenticated(_)
                | Self::Incompatible(Incompatible::Mechanism { .. } | Incompatible::BothServers { .. })
                | Self::Malformed(Malformed::Form(_) | Malformed::Unsealed)
                | Self::Misbehaved(
                    Misbehaved::CannotOpen(_)
                        | Misbehaved::NonceReused(_)
                        | Misbehaved::Cookie
                        | Misbehaved::Vouch
                        | Misbehaved::WeakKey
                )
        )
    }
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
    /// A command of PLAIN or CURVE that is longer or shorter than its form, or of another version.
    #[error("{0} command of another form")]
    Form(CommandKind),
    /// A frame on a sealed link that is too short for a sealed one, or does not begin like one.
    #[error("a frame that is not sealed on a sealed link")]
    Unsealed,
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
    /// A sealed command that our key does not open: it was changed on the way, or sealed for
    /// another key.
    #[error("{0} command that cannot be opened{hint}", hint = hint(*.0))]
    CannotOpen(CommandKind),
    /// A sealed command whose nonce is not higher than the one before: it was sent before.
    #[error("{0} command with a nonce that was used")]
    NonceReused(CommandKind),
    /// A cookie that we did not give to this connection.
    #[error("INITIATE with a cookie of another connection")]
    Cookie,
    /// A vouch that does not vouch for this connection.
    #[error("INITIATE with a vouch for another connection")]
    Vouch,
    /// A public key of low order, with which anyone can compute the shared key.
    #[error("a public key of low order")]
    WeakKey,
    /// Undefined flags inside a sealed frame.
    #[error("reserved flags in a sealed frame: {0:#04x}")]
    SealedFlags(u8),
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

/// Returns the likely cause of a command that cannot be opened.
const fn hint(kind: CommandKind) -> &'static str {
    match kind {
        CommandKind::Hello => ": the client expects another public key of this server",
        _ => "",
    }
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
    #[error("the peer uses the mechanism {theirs}, this socket another one: both need the same")]
    Mechanism {
        /// The mechanism that it announced.
        theirs: MechanismName,
    },
    /// Both are servers of the security mechanism: one has to be the client.
    #[error("the peer is a server of {mechanism}, too: one of the two has to be the client")]
    BothServers {
        /// The mechanism.
        mechanism: MechanismName,
    },
    /// The peer is of a socket type that this crate does not know.
    #[error("peer of an unknown socket type")]
    UnknownSocketType,
    /// The two socket types are incompatible.
    #[error("{theirs} peer at a {ours} socket: its peer has to be a {}", .ours.peer_types())]
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
    /// A session of CURVE without random bytes.
    #[error("a session of CURVE needs entropy")]
    NoEntropy,
    /// A heartbeat TTL of more than 6553.5 seconds.
    #[error("heartbeat TTL of more than 6553.5 seconds")]
    HeartbeatTtl,
    /// A user name or password of more than 255 bytes.
    #[error("user name or password of {0} bytes, at most 255 are allowed")]
    CredentialsTooLong(usize),
    /// A property name that is empty, longer than 255 bytes, has an illegal character, or does not
    /// begin with `X-`.
    #[error("the name of a property begins with X-, and consists of at most 255 letters, digits and -_.+")]
    PropertyName,
    /// Metadata of more than 32 KiB or 256 properties.
    #[error("metadata of more than 32 KiB or 256 properties")]
    MetadataTooLarge,
}

/// The reason why no decision could be made about a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum AuthFault {
    /// No authenticator and no handler is there to be asked.
    #[error("there is no authenticator, and no ZAP handler")]
    NoHandler,
    /// The authenticator has panicked.
    #[error("the authenticator has panicked")]
    Panicked,
    /// A reply of ZAP with other than seven frames.
    #[error("a ZAP reply of {0} frames")]
    FrameCount(usize),
    /// A reply of ZAP of another version than 1.0, or without a delimiter.
    #[error("a ZAP reply of another version")]
    Version,
    /// A reply of ZAP to another request.
    #[error("a ZAP reply to another request")]
    RequestId,
    /// A reply of ZAP with a status other than 200, 300, 400 and 500.
    #[error("a ZAP reply with an unknown status")]
    Status,
    /// A reply of ZAP with a user id that is not UTF-8, or malformed metadata.
    #[error("a ZAP reply with a malformed user id or metadata")]
    Metadata,
    /// The ZAP handler is gone.
    #[error("the ZAP handler is gone")]
    HandlerGone,
}

/// The status with which a peer is refused, as in ZAP (RFC 27).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalStatus {
    /// 300: for now. The connection ends without an ERROR, and the peer connects again.
    Temporary,
    /// 400: the peer may not come in.
    Denied,
    /// 500: the authenticator has failed.
    Internal,
}

impl RefusalStatus {
    /// Returns the number.
    pub const fn code(self) -> u16 {
        match self {
            Self::Temporary => 300,
            Self::Denied => 400,
            Self::Internal => 500,
        }
    }
}

impl fmt::Display for RefusalStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code().fmt(f)
    }
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

    /// Returns the status code of ZAP, if the reason is one: three digits, the first not zero.
    pub fn status(&self) -> Option<u16> {
        let is_code = self.0.len() == 3 && self.0.bytes().all(|byte| byte.is_ascii_digit());
        self.0.parse().ok().filter(|code| is_code && *code >= 100)
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

    #[test]
    fn reason_of_three_digits_is_status() {
        let status = |text: &str| Reason::new(text.as_bytes()).status();
        assert_eq!((status("400"), status("999")), (Some(400), Some(999)));
        for text in ["", "40", "4000", "040", "+40", "4 0", "no"] {
            assert_eq!(status(text), None, "{text:?}");
        }
    }
}
