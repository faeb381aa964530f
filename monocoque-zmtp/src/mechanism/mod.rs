//! Security mechanisms: the commands between the greeting and the traffic.
//!
//! Owns the choice of the mechanism and the steps that all of them have: a mechanism starts after
//! the greetings, takes one command after the other, and ends with the properties of the peer. It
//! does not know frames, nor the compatibility of socket types. Called by the session. A new
//! mechanism is a file here and a variant of two enums, and of `MechanismConfig`.

mod null;

use monocoque_core::Outbox;

use crate::command::Command;
use crate::config::MechanismConfig;
use crate::properties::{IDENTITY, SOCKET_TYPE, push_property};
use crate::{Properties, SessionConfig, ZmtpError};

/// A mechanism that waits for a command.
#[derive(Debug)]
pub(crate) enum Mechanism {
    Null(null::ExpectReady),
}

/// The state of a mechanism after a command.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The handshake is done, with the properties of the peer.
    Done(Properties),
}

impl Mechanism {
    /// Starts after the greetings.
    pub(crate) fn start(config: &SessionConfig, output: &mut Outbox) -> Self {
        match config.mechanism {
            MechanismConfig::Null => Self::Null(null::start(config, output)),
        }
    }

    /// Handles the next command of the peer, other than ERROR.
    pub(crate) fn on_command(self, command: &Command<'_>) -> Result<Progress, ZmtpError> {
        match self {
            Self::Null(state) => state.on_command(command).map(Progress::Done),
        }
    }
}

/// Returns our own properties, in the order of libzmq.
fn metadata(config: &SessionConfig) -> Vec<u8> {
    let mut metadata = Vec::new();
    push_property(SOCKET_TYPE, config.socket_type.name().as_bytes(), &mut metadata);
    if config.socket_type.announces_routing_id() {
        push_property(IDENTITY, &config.routing_id, &mut metadata);
    }
    metadata
}
