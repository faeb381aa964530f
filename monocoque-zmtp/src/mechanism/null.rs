//! NULL: no security (RFC 23, section 'The NULL Security Mechanism').
//!
//! Each side sends READY as soon as it has the other's greeting, as libzmq does; in RFC 37 the
//! client sends first. Called by the enum of mechanisms only.

use monocoque_core::Outbox;

use super::metadata;
use crate::command::{Command, put_command};
use crate::names::CommandKind;
use crate::{Misbehaved, Properties, SessionConfig, ZmtpError};

/// Puts out our READY.
pub(super) fn start(config: &SessionConfig, output: &mut Outbox) -> ExpectReady {
    put_command(CommandKind::Ready, &metadata(config), output);
    ExpectReady
}

/// The state after our READY, before the peer's.
#[derive(Debug)]
pub(crate) struct ExpectReady;

impl ExpectReady {
    pub(super) fn on_command(self, command: &Command<'_>) -> Result<Properties, ZmtpError> {
        match command {
            Command::Ready(metadata) => Properties::parse(metadata),
            other => Err(Misbehaved::UnexpectedCommand(other.kind()).into()),
        }
    }
}
