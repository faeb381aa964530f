//! The names of the protocol: its mechanisms and its commands.
//!
//! Owns the names as they are written. It does not know where they stand. Used by the greeting, by
//! commands, and by the errors about either.

use std::fmt;

/// The name of a security mechanism in a greeting: 20 bytes, padded with zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MechanismName(pub(crate) [u8; 20]);

impl MechanismName {
    /// `NULL`: no security.
    pub const NULL: Self = Self(*b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    /// `PLAIN`: a user name and a password, in clear text.
    pub const PLAIN: Self = Self(*b"PLAIN\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    /// `CURVE`: encryption, and authentication by public keys.
    pub const CURVE: Self = Self(*b"CURVE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
}

impl fmt::Display for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        self.0.get(..end).unwrap_or_default().escape_ascii().fmt(f)
    }
}

impl fmt::Debug for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MechanismName({self})")
    }
}

/// The kind of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandKind {
    /// The first command of a client of PLAIN or CURVE.
    Hello,
    /// The answer to a HELLO.
    Welcome,
    /// The second command of such a client, with its metadata.
    Initiate,
    /// The last command of a handshake.
    Ready,
    /// A refusal.
    Error,
    /// A subscription.
    Subscribe,
    /// The end of a subscription.
    Cancel,
    /// A heartbeat, which asks for a PONG.
    Ping,
    /// The answer to a PING.
    Pong,
    /// A sealed frame of CURVE.
    Message,
    /// A command that this crate does not know.
    Unknown,
}

impl CommandKind {
    /// Returns the name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hello => "HELLO",
            Self::Welcome => "WELCOME",
            Self::Initiate => "INITIATE",
            Self::Ready => "READY",
            Self::Error => "ERROR",
            Self::Subscribe => "SUBSCRIBE",
            Self::Cancel => "CANCEL",
            Self::Ping => "PING",
            Self::Pong => "PONG",
            Self::Message => "MESSAGE",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the kind with this name.
    pub(crate) fn from_name(name: &[u8]) -> Self {
        KNOWN.into_iter().find(|kind| kind.name().as_bytes() == name).unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for CommandKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The commands with a name of their own, the frequent ones first.
const KNOWN: [CommandKind; 10] = [
    CommandKind::Ping,
    CommandKind::Pong,
    CommandKind::Subscribe,
    CommandKind::Cancel,
    CommandKind::Ready,
    CommandKind::Error,
    CommandKind::Hello,
    CommandKind::Welcome,
    CommandKind::Initiate,
    CommandKind::Message,
];
