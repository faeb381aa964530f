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
    /// A command that this crate does not know.
    Unknown,
}

impl CommandKind {
    /// Returns the name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Error => "ERROR",
            Self::Subscribe => "SUBSCRIBE",
            Self::Cancel => "CANCEL",
            Self::Ping => "PING",
            Self::Pong => "PONG",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the kind with this name.
    pub(crate) fn from_name(name: &[u8]) -> Self {
        [Self::Ping, Self::Pong, Self::Subscribe, Self::Cancel, Self::Ready, Self::Error]
            .into_iter()
            .find(|kind| kind.name().as_bytes() == name)
            .unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for CommandKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
