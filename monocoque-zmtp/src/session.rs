//! The handshake of a connection.
//!
//! Owns the order of events from the first byte to the traffic, and the check whether the two ends fit. It does not know
//! what a mechanism says, nor how long it may all take: the engine has one deadline for the whole handshake. Called
//! by the engine, through [`Protocol`](monocoque_core::Protocol).
//!
//! ```text
//!          our 64 bytes                 peer's 64 bytes                    mechanism done,
//!              out                    in; NULL: READY out                  socket types fit
//!  +-------+          +----------------+              +---------------+                  +-----------------+
//!  | Start | -------> | ExpectGreeting | -----------> | ExpectCommand | ---------------> | Decoder,Encoder |
//!  +-------+          +----------------+              +---------------+                  +-----------------+
//!                             |                          |         |
//!                        signature,                 malformed,   types do not fit:
//!                    version, mechanism            unexpected,     ERROR out
//!                             v                  ERROR in v         v
//!                     +-----------------------------------------------------+
//!                     |  ZmtpError: write what is put out, then close       |
//!                     +-----------------------------------------------------+
//! ```

use std::time::Instant;

use bytes::Bytes;
use monocoque_core::{Established, Outbox, SegmentedBuffer, Step};

use crate::command::{Command, put_error};
use crate::config::MAX_ROUTING_ID;
use crate::frame::{FrameHeader, MAX_HEADER_LEN};
use crate::greeting::{GREETING_LEN, check_greeting, greeting};
use crate::mechanism::{Mechanism, Progress};
use crate::properties::{IDENTITY, SOCKET_TYPE};
use crate::{
    ConfigError, Decoder, Encoder, Incompatible, Misbehaved, Properties, Revision, SessionConfig, SocketType,
    TopicAllowance, ZmtpError,
};

/// One connection, from its first byte to the end of the handshake.
///
/// It is advanced through [`Protocol`](monocoque_core::Protocol); see the [crate](crate) for how.
#[derive(Debug)]
pub struct ZmtpSession {
    config: SessionConfig,
    state: State,
    /// How many bytes are needed before there is something to do.
    pub(crate) need: usize,
}

#[derive(Debug)]
enum State {
    /// Nothing was put out yet.
    Start,
    /// Our greeting is out.
    ExpectGreeting,
    /// Both greetings are exchanged.
    ExpectCommand { revision: Revision, mechanism: Mechanism },
}

/// What the handshake learns about a peer.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// Its type, which fits ours.
    pub socket_type: SocketType,
    /// What it wants to be called by a router, at most 255 bytes; empty if it does not care.
    pub routing_id: Bytes,
    /// Which revision it speaks.
    pub revision: Revision,
    /// All that it says about itself.
    pub properties: Properties,
    /// What it may still subscribe to: to be kept up to date by whoever keeps its subscriptions.
    pub topics: TopicAllowance,
}

impl ZmtpSession {
    /// A session that has said nothing yet.
    ///
    /// # Errors
    ///
    /// If the routing id or the heartbeat TTL is out of range.
    pub fn new(config: SessionConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { config, state: State::Start, need: 1 })
    }

    /// Goes as far as `input` allows.
    pub(crate) fn run(
        mut self,
        input: &mut SegmentedBuffer,
        output: &mut Outbox,
        now: Instant,
    ) -> Result<Step<Self>, ZmtpError> {
        loop {
            self.state = match self.state {
                State::Start => {
                    let mechanism = &self.config.mechanism;
                    output.put(&greeting(mechanism.name(), mechanism.is_server()));
                    output.end_message();
                    State::ExpectGreeting
                }
                State::ExpectGreeting => match take_greeting(&self.config, input)? {
                    Some(revision) => {
                        State::ExpectCommand { revision, mechanism: Mechanism::start(&self.config, output) }
                    }
                    None => return Ok(Step::NeedInput(self)),
                },
                State::ExpectCommand { revision, mechanism } => match take_command(input, &mut self.need)? {
                    Some(body) => match Command::parse(&body)? {
                        Command::Error(reason) => return Err(ZmtpError::PeerError(reason)),
                        command => {
                            let Progress::Done(properties) = mechanism.on_command(&command)?;
                            let peer = identify(&self.config, revision, properties, output)?;
                            return Ok(Step::Established(establish(&self.config, peer, now)));
                        }
                    },
                    None => {
                        self.state = State::ExpectCommand { revision, mechanism };
                        return Ok(Step::NeedInput(self));
                    }
                },
            };
        }
    }
}

fn establish(config: &SessionConfig, peer: PeerInfo, now: Instant) -> Established<ZmtpSession> {
    let encoder = Encoder::new(config, peer.revision, now);
    let decoder = Decoder::new(config, encoder.announced_ttl(), peer.topics.clone());
    Established { peer, decoder, encoder }
}

/// The peer's greeting, once it is whole.
fn take_greeting(config: &SessionConfig, input: &mut SegmentedBuffer) -> Result<Option<Revision>, ZmtpError> {
    let mut bytes = [0; GREETING_LEN];
    let arrived = input.peek_into(&mut bytes);
    let revision = check_greeting(bytes.get(..arrived).unwrap_or(&bytes), config.mechanism.name())?;
    if revision.is_some() {
        input.advance(GREETING_LEN);
    }
    Ok(revision)
}

/// The body of the next command, once it is whole; until then, how many bytes are needed for it is noted.
fn take_command(input: &mut SegmentedBuffer, need: &mut usize) -> Result<Option<Bytes>, ZmtpError> {
    let mut bytes = [0; MAX_HEADER_LEN];
    let arrived = input.peek_into(&mut bytes);
    let Some(header) = FrameHeader::parse(bytes.get(..arrived).unwrap_or(&bytes))? else { return Ok(None) };
    if !header.is_command() {
        return Err(Misbehaved::MessageInHandshake.into());
    }
    if header.size > MAX_HANDSHAKE_COMMAND {
        return Err(Misbehaved::HandshakeCommandTooLarge(header.size).into());
    }
    if input.len() < header.frame_len() {
        *need = header.frame_len();
        return Ok(None);
    }
    input.advance(header.len());
    Ok(input.take(header.body_len()))
}

/// Who the peer is; one that does not fit is told so.
fn identify(
    config: &SessionConfig,
    revision: Revision,
    properties: Properties,
    output: &mut Outbox,
) -> Result<PeerInfo, ZmtpError> {
    let name = properties.get(SOCKET_TYPE).ok_or(Misbehaved::MissingSocketType)?;
    let socket_type = check_type(config.socket_type, name)
        .inspect_err(|_| put_error("Incompatible socket types", output))?;
    let routing_id = properties.get(IDENTITY).unwrap_or_default();
    if routing_id.len() > MAX_ROUTING_ID {
        return Err(Misbehaved::RoutingIdTooLong(routing_id.len()).into());
    }
    if routing_id.first() == Some(&0) {
        return Err(Misbehaved::RoutingIdReserved.into());
    }
    let routing_id = Bytes::copy_from_slice(routing_id);
    Ok(PeerInfo { socket_type, routing_id, revision, properties, topics: TopicAllowance::default() })
}

fn check_type(ours: SocketType, name: &[u8]) -> Result<SocketType, Incompatible> {
    let theirs = SocketType::from_name(name).ok_or(Incompatible::UnknownSocketType)?;
    if ours.accepts(theirs) { Ok(theirs) } else { Err(Incompatible::SocketType { ours, theirs }) }
}

/// How large a command of the handshake may be. It is what a stranger can make us keep.
const MAX_HANDSHAKE_COMMAND: u64 = 64 * 1024;
