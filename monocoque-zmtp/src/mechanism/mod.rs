//! Security mechanisms: what is said between the greeting and the traffic.
//!
//! Owns the choice of the mechanism and the steps that all of them have: it starts when the greeting is whole, takes one
//! command after the other, and ends with the peer's properties. It does not know frames, nor whether the two socket
//! types fit. Called by the session. A new mechanism is a file here and a variant of three enums.

mod null;

use monocoque_core::Outbox;

use crate::command::Command;
use crate::properties::{IDENTITY, SOCKET_TYPE, push_property};
use crate::{MechanismName, Properties, SessionConfig, ZmtpError};

/// How the two ends prove who they are. Both must be configured alike; there is no negotiation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MechanismConfig {
    /// Not at all. libzmq: `ZMQ_NULL`.
    #[default]
    Null,
}

impl MechanismConfig {
    /// The name in the greeting.
    pub(crate) const fn name(&self) -> MechanismName {
        match self {
            Self::Null => MechanismName::NULL,
        }
    }

    /// Whether we are the server of the mechanism. It does not depend on who dialled.
    pub(crate) const fn is_server(&self) -> bool {
        match self {
            Self::Null => false,
        }
    }
}

/// A mechanism that waits for a command.
#[derive(Debug)]
pub(crate) enum Mechanism {
    Null(null::ExpectReady),
}

/// Where a mechanism stands after a command.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The handshake is done, and this is what the peer says about itself.
    Done(Properties),
}

impl Mechanism {
    /// Starts after the greetings.
    pub(crate) fn start(config: &SessionConfig, output: &mut Outbox) -> Self {
        match config.mechanism {
            MechanismConfig::Null => Self::Null(null::start(config, output)),
        }
    }

    /// Takes the peer's next command, which is not ERROR.
    pub(crate) fn on_command(self, command: &Command<'_>) -> Result<Progress, ZmtpError> {
        match self {
            Self::Null(state) => state.on_command(command).map(Progress::Done),
        }
    }
}

/// What we say about ourselves, in libzmq's order.
fn metadata(config: &SessionConfig) -> Vec<u8> {
    let mut metadata = Vec::new();
    push_property(SOCKET_TYPE, config.socket_type.name().as_bytes(), &mut metadata);
    if config.socket_type.announces_routing_id() {
        push_property(IDENTITY, &config.routing_id, &mut metadata);
    }
    metadata
}
