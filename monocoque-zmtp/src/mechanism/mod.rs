//! Security mechanisms: the commands between the greeting and the traffic.
//!
//! Owns the choice of the mechanism and the steps that all of them have: a mechanism starts after
//! the greetings, takes one command after the other, may ask the application once, and ends with
//! the identity of the peer. It does not know frames. Called by the session. A new mechanism is a
//! file here and a variant of [`Mechanism`] and of `MechanismConfig`.

#[cfg(feature = "curve")]
pub(crate) mod curve;
mod null;
pub(crate) mod plain;
#[cfg(not(feature = "curve"))]
mod unsealed;

use bytes::Bytes;
use monocoque_core::Outbox;

use crate::auth::{Admission, AuthQuestion};
use crate::command::{Command, put_command, put_error};
use crate::config::{MAX_ROUTING_ID, MechanismConfig};
use crate::names::CommandKind;
use crate::properties::{IDENTITY, SOCKET_TYPE, push_property};
use crate::secret::Entropy;
use crate::{Incompatible, Malformed, Misbehaved, Properties, SessionConfig, SocketType, ZmtpError};
#[cfg(feature = "curve")]
pub(crate) use curve::seal::{AT_ONCE_MAX, BOX_START, Opened, Opener, SEALED_OVERHEAD, Sealer};
#[cfg(not(feature = "curve"))]
pub(crate) use unsealed::{AT_ONCE_MAX, BOX_START, Opened, Opener, SEALED_OVERHEAD, Sealer};

/// A mechanism that waits for a command, or for the application.
#[derive(Debug)]
pub(crate) enum Mechanism {
    Null(null::NullState),
    Plain(plain::PlainState),
    #[cfg(feature = "curve")]
    Curve(Box<curve::CurveState>),
}

/// The local side of a handshake: its configuration, and the output of its commands.
#[derive(Debug)]
pub(crate) struct Local<'a> {
    pub(crate) config: &'a SessionConfig,
    pub(crate) output: &'a mut Outbox,
}

/// The state of a mechanism after a step.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The next command is awaited.
    Next(Mechanism),
    /// The application decides whether the peer may come in.
    Ask(Mechanism, AuthQuestion),
    /// The handshake is done.
    Done(Done),
}

/// The result of a mechanism.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) peer: PeerIdentity,
    /// Boxed: it moves with the handshake, and is empty in most.
    pub(crate) admission: Box<Admission>,
    /// Both ends of the sealed link, if the mechanism seals.
    pub(crate) seal: Option<(Box<Sealer>, Box<Opener>)>,
}

/// The properties of a peer whose socket is compatible with ours.
#[derive(Clone, Debug)]
pub(crate) struct PeerIdentity {
    pub(crate) socket_type: SocketType,
    pub(crate) routing_id: Bytes,
    pub(crate) properties: Properties,
}

impl Mechanism {
    /// Starts after the greetings. Only a mechanism that
    /// [needs it](MechanismConfig::needs_entropy) uses the entropy.
    pub(crate) fn start(
        #[cfg_attr(not(feature = "curve"), expect(unused_variables, reason = "only CURVE uses it"))]
        entropy: Entropy,
        local: &mut Local<'_>,
    ) -> Result<Progress, ZmtpError> {
        match &local.config.mechanism {
            MechanismConfig::Null => Ok(null::start(local)),
            MechanismConfig::PlainServer => Ok(plain::start_server()),
            MechanismConfig::PlainClient(credentials) => Ok(plain::start_client(credentials, local)),
            #[cfg(feature = "curve")]
            MechanismConfig::CurveServer { secret_key } => Ok(curve::server::start(secret_key, entropy)),
            #[cfg(feature = "curve")]
            MechanismConfig::CurveClient { secret_key, server_key } => {
                curve::client::start(secret_key, *server_key, &entropy, local)
            }
        }
    }

    /// Parses the body of a command.
    pub(crate) fn parse<'a>(&self, body: &'a [u8]) -> Result<Command<'a>, Malformed> {
        match self {
            Self::Plain(_) => plain::PlainState::parse(body),
            _ => Command::parse(body),
        }
    }

    /// Handles the next command of the peer, other than ERROR.
    pub(crate) fn on_command(
        self,
        command: &Command<'_>,
        local: &mut Local<'_>,
    ) -> Result<Progress, ZmtpError> {
        match self {
            Self::Null(state) => state.on_command(command, local),
            Self::Plain(state) => state.on_command(command, local),
            #[cfg(feature = "curve")]
            Self::Curve(state) => state.on_command(command, local),
        }
    }

    /// Goes on after the application has admitted the peer.
    pub(crate) fn on_admitted(self, admission: Box<Admission>, local: &mut Local<'_>) -> Progress {
        match self {
            Self::Null(_) => null::NullState::on_admitted(admission, local),
            Self::Plain(_) => plain::PlainState::on_admitted(admission, local),
            #[cfg(feature = "curve")]
            Self::Curve(state) => state.on_admitted(admission, local),
        }
    }
}

impl Local<'_> {
    fn put_command(&mut self, kind: CommandKind, body: &[u8]) {
        put_command(kind, body, self.output);
    }

    /// Puts an ERROR, in the form of the mechanism.
    pub(crate) fn put_refusal(&mut self, reason: &str) {
        match self.config.mechanism {
            MechanismConfig::PlainServer | MechanismConfig::PlainClient(_) => {
                plain::put_error(reason, self.output);
            }
            _ => put_error(reason, self.output),
        }
    }

    /// Returns our own properties, in the order of libzmq.
    fn metadata(&self) -> Vec<u8> {
        let config = self.config;
        let mut metadata = Vec::new();
        push_property(SOCKET_TYPE, config.socket_type.name().as_bytes(), &mut metadata);
        if config.socket_type.announces_routing_id() {
            push_property(IDENTITY, &config.routing_id, &mut metadata);
        }
        metadata.extend_from_slice(config.properties.as_bytes());
        metadata
    }

    /// Checks the metadata of a peer, where we may still send an ERROR: an incompatible peer gets
    /// one.
    fn identify_or_refuse(&mut self, metadata: &[u8]) -> Result<PeerIdentity, ZmtpError> {
        identify(self.config, metadata).inspect_err(|error| {
            if matches!(error, ZmtpError::Incompatible(_)) {
                self.put_refusal("Incompatible socket types");
            }
        })
    }
}

/// Checks the metadata of a peer.
fn identify(config: &SessionConfig, metadata: &[u8]) -> Result<PeerIdentity, ZmtpError> {
    let properties = Properties::parse(metadata)?;
    let name = properties.get(SOCKET_TYPE).ok_or(Misbehaved::MissingSocketType)?;
    let socket_type = check_type(config.socket_type, name)?;
    let routing_id = properties.get(IDENTITY).unwrap_or_default();
    if routing_id.len() > MAX_ROUTING_ID {
        return Err(Misbehaved::RoutingIdTooLong(routing_id.len()).into());
    }
    if routing_id.first() == Some(&0) {
        return Err(Misbehaved::RoutingIdReserved.into());
    }
    let routing_id = Bytes::copy_from_slice(routing_id);
    Ok(PeerIdentity { socket_type, routing_id, properties })
}

fn check_type(ours: SocketType, name: &[u8]) -> Result<SocketType, Incompatible> {
    let theirs = SocketType::from_name(name).ok_or(Incompatible::UnknownSocketType)?;
    if ours.is_compatible_with(theirs) { Ok(theirs) } else { Err(Incompatible::SocketType { ours, theirs }) }
}
