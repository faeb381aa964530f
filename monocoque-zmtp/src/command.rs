//! Commands: `name-len(1) name data`, the body of a frame with the COMMAND flag (RFC 23, 37).
//!
//! Owns the form of each command. It does not know when one is legal: the mechanisms and the
//! decoder do. Called by those two for received commands, and by all code that sends one.

use monocoque_core::Outbox;

use crate::frame::{COMMAND, put_header};
use crate::names::CommandKind;
use crate::{Malformed, Reason};

/// Returns the kind of a command of `size` bytes of which `body` has arrived; until its name is
/// whole, how many bytes of it are needed.
pub(crate) fn peek_kind(body: &[u8], size: u64) -> Result<Result<CommandKind, usize>, Malformed> {
    if size == 0 {
        return Err(Malformed::EmptyCommand);
    }
    let Some((&name_len, rest)) = body.split_first() else { return Ok(Err(1)) };
    if name_len == 0 {
        return Err(Malformed::EmptyCommandName);
    }
    if u64::from(name_len) >= size {
        return Err(Malformed::CommandNameOverrun);
    }
    let name_len = usize::from(name_len);
    if name_len > MAX_KNOWN_NAME {
        return Ok(Ok(CommandKind::Unknown));
    }
    Ok(rest.get(..name_len).map(CommandKind::from_name).ok_or(1 + name_len))
}

/// A command that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    /// HELLO, of a form that its mechanism knows.
    Hello(&'a [u8]),
    /// WELCOME, in the same way.
    Welcome(&'a [u8]),
    /// INITIATE, in the same way.
    Initiate(&'a [u8]),
    /// READY with its metadata, not parsed yet, or sealed.
    Ready(&'a [u8]),
    Error(Reason),
    /// SUBSCRIBE with its topic.
    Subscribe(&'a [u8]),
    /// CANCEL with its topic.
    Cancel(&'a [u8]),
    /// PING with a TTL in tenths of a second, and the context to echo.
    Ping {
        ttl: u16,
        context: &'a [u8],
    },
    Pong,
    /// MESSAGE, of which only a sealed link knows more.
    Message,
    Unknown,
}

impl<'a> Command<'a> {
    /// Parses the body of a command frame.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let (&name_len, rest) = body.split_first().ok_or(Malformed::EmptyCommand)?;
        if name_len == 0 {
            return Err(Malformed::EmptyCommandName);
        }
        let (name, data) = rest.split_at_checked(name_len.into()).ok_or(Malformed::CommandNameOverrun)?;
        Ok(match CommandKind::from_name(name) {
            CommandKind::Hello => Self::Hello(data),
            CommandKind::Welcome => Self::Welcome(data),
            CommandKind::Initiate => Self::Initiate(data),
            CommandKind::Ready => Self::Ready(data),
            CommandKind::Error => Self::Error(parse_reason(data)?),
            CommandKind::Subscribe => Self::Subscribe(data),
            CommandKind::Cancel => Self::Cancel(data),
            CommandKind::Ping => {
                let (ttl, context) = data.split_first_chunk().ok_or(Malformed::Ping)?;
                let context = context.get(..MAX_CONTEXT).unwrap_or(context);
                Self::Ping { ttl: u16::from_be_bytes(*ttl), context }
            }
            CommandKind::Pong => Self::Pong,
            CommandKind::Message => Self::Message,
            CommandKind::Unknown => Self::Unknown,
        })
    }

    /// Returns the kind.
    pub(crate) const fn kind(&self) -> CommandKind {
        match self {
            Self::Hello(_) => CommandKind::Hello,
            Self::Welcome(_) => CommandKind::Welcome,
            Self::Initiate(_) => CommandKind::Initiate,
            Self::Ready(_) => CommandKind::Ready,
            Self::Error(_) => CommandKind::Error,
            Self::Subscribe(_) => CommandKind::Subscribe,
            Self::Cancel(_) => CommandKind::Cancel,
            Self::Ping { .. } => CommandKind::Ping,
            Self::Pong => CommandKind::Pong,
            Self::Message => CommandKind::Message,
            Self::Unknown => CommandKind::Unknown,
        }
    }
}

pub(crate) fn parse_reason(data: &[u8]) -> Result<Reason, Malformed> {
    match data.split_first() {
        Some((&len, reason)) if reason.len() == usize::from(len) => Ok(Reason::new(reason)),
        _ => Err(Malformed::ErrorReason),
    }
}

/// Puts a command, as a message of its own.
pub(crate) fn put_command(kind: CommandKind, data: &[u8], out: &mut Outbox) {
    let name = kind.name().as_bytes();
    // Our own names are far shorter than 255 bytes.
    let name_len = u8::try_from(name.len()).unwrap_or(u8::MAX);
    put_header(COMMAND, 1 + name.len() + data.len(), out);
    out.put(&[name_len]);
    out.put(name);
    out.put(data);
    out.end_message();
}

/// Puts an ERROR.
pub(crate) fn put_error(reason: &str, out: &mut Outbox) {
    let len = u8::try_from(reason.len()).unwrap_or(u8::MAX);
    let reason = reason.bytes().take(len.into());
    put_command(CommandKind::Error, &std::iter::once(len).chain(reason).collect::<Vec<_>>(), out);
}

/// The length of the longest name, that of SUBSCRIBE.
pub(crate) const MAX_KNOWN_NAME: usize = 9;
/// How many bytes of the context of a PING are echoed.
const MAX_CONTEXT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_name_is_validated() {
        assert_eq!(Command::parse(b""), Err(Malformed::EmptyCommand));
        assert_eq!(Command::parse(b"\0"), Err(Malformed::EmptyCommandName));
        assert_eq!(Command::parse(b"\0PING"), Err(Malformed::EmptyCommandName));
        assert_eq!(Command::parse(b"\x05PING"), Err(Malformed::CommandNameOverrun));
        assert_eq!(Command::parse(b"\x03XYZ"), Ok(Command::Unknown));
        assert_eq!(Command::parse(b"\x04ping\0\0"), Ok(Command::Unknown));
    }

    #[test]
    fn ping_needs_ttl_truncates_context() {
        assert_eq!(Command::parse(b"\x04PING"), Err(Malformed::Ping));
        assert_eq!(Command::parse(b"\x04PING\0"), Err(Malformed::Ping));
        assert_eq!(Command::parse(b"\x04PING\x01\x02"), Ok(Command::Ping { ttl: 258, context: b"" }));
        assert_eq!(
            Command::parse(b"\x04PING\0\x000123456789abcdefXYZ"),
            Ok(Command::Ping { ttl: 0, context: b"0123456789abcdef" })
        );
    }

    #[test]
    fn error_reason_length_must_match() {
        assert_eq!(Command::parse(b"\x05ERROR\x03400"), Ok(Command::Error(Reason::new(b"400"))));
        assert_eq!(Command::parse(b"\x05ERROR\0"), Ok(Command::Error(Reason::new(b""))));
        for body in [&b"\x05ERROR"[..], b"\x05ERROR\x04400", b"\x05ERROR\x02400", b"\x05ERROR\xff"] {
            assert_eq!(Command::parse(body), Err(Malformed::ErrorReason));
        }
    }

    #[test]
    fn put_error_writes_expected_bytes() {
        let mut out = Outbox::new();
        put_error("Why", &mut out);
        assert_eq!(out.chunk(), b"\x04\x0a\x05ERROR\x03Why");
        assert_eq!(out.messages(), 1);
    }
}
