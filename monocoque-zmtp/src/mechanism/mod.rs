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
use crate::command::{Command, put_error};
use crate::config::{MAX_ROUTING_ID, MechanismConfig};
use crate::properties::{IDENTITY, SOCKET_TYPE, push_property};
use crate::secret::Entropy;
use crate::{Incompatible, Malformed, Misbehaved, Properties, SessionConfig, SocketType, ZmtpError};
#[cfg(feature = "curve")]
pub(crate) use curve::seal::{Opened, Opener, SEALED_OVERHEAD, Sealer};
#[cfg(not(feature = "curve"))]
pub(crate) use unsealed::{Opened, Opener, SEALED_OVERHEAD, Sealer};

/// A mechanism that waits for a command, or for the application.
#[derive(Debug)]
pub(crate) enum Mechanism {
    Null(null::NullState),
    Plain(plain::PlainState),
    #[cfg(feature = "curve")]
    Curve(Box<curve::CurveState>),
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
        config: &SessionConfig,
        #[cfg_attr(not(feature = "curve"), expect(unused_variables, reason = "only CURVE uses it"))]
        entropy: Entropy,
        output: &mut Outbox,
    ) -> Result<Progress, ZmtpError> {
        match &config.mechanism {
            MechanismConfig::Null => Ok(null::start(config, output)),
            MechanismConfig::PlainServer => Ok(plain::start_server()),
            MechanismConfig::PlainClient(credentials) => Ok(plain::start_client(credentials, output)),
            #[cfg(feature = "curve")]
            MechanismConfig::CurveServer { secret_key } => Ok(curve::server::start(secret_key, entropy)),
            #[cfg(feature = "curve")]
            MechanismConfig::CurveClient { secret_key, server_key } => {
                curve::client::start(secret_key, *server_key, &entropy, output)
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
        config: &SessionConfig,
        output: &mut Outbox,
    ) -> Result<Progress, ZmtpError> {
        match self {
            Self::Null(state) => state.on_command(command, config, output),
            Self::Plain(state) => state.on_command(command, config, output),
            #[cfg(feature = "curve")]
            Self::Curve(state) => state.on_command(command, config, output),
        }
    }

    /// Goes on after the application has admitted the peer.
    pub(crate) fn on_admitted(
        self,
        admission: Box<Admission>,
        config: &SessionConfig,
        output: &mut Outbox,
    ) -> Progress {
        match self {
            Self::Null(_) => null::NullState::on_admitted(admission, config, output),
            Self::Plain(_) => plain::PlainState::on_admitted(admission, output),
            #[cfg(feature = "curve")]
            Self::Curve(state) => state.on_admitted(admission, config, output),
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
    metadata.extend_from_slice(config.properties.as_bytes());
    metadata
}

/// Checks the metadata of a peer, where we may still send an ERROR: an incompatible peer gets one.
fn identify_or_refuse(
    config: &SessionConfig,
    metadata: &[u8],
    output: &mut Outbox,
) -> Result<PeerIdentity, ZmtpError> {
    identify(config, metadata).inspect_err(|error| {
        if matches!(error, ZmtpError::Incompatible(_)) {
            put_refusal(config, "Incompatible socket types", output);
        }
    })
}

/// Puts an ERROR, in the form of the mechanism.
pub(crate) fn put_refusal(config: &SessionConfig, reason: &str, output: &mut Outbox) {
    match config.mechanism {
        MechanismConfig::PlainServer | MechanismConfig::PlainClient(_) => plain::put_error(reason, output),
        _ => put_error(reason, output),
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
