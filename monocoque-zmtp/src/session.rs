//! The handshake of a connection.
//!
//! Owns the order of events from the first byte to the traffic, and the check that the two socket
//! types are compatible. It knows neither the commands of a mechanism nor a deadline: the engine
//! has one for the whole handshake. Called by the engine, through
//! [`Protocol`](monocoque_core::Protocol).
//!
//! ```text
//!        our 64 bytes                peer's 64 bytes                  mechanism done,
//!            out                   in; NULL: READY out                types compatible
//!  +-------+        +----------------+          +---------------+             +------------------+
//!  | Start | -----> | ExpectGreeting | -------> | ExpectCommand | ----------> | Decoder, Encoder |
//!  +-------+        +----------------+          +---------------+             +------------------+
//!                           |                        |         |
//!                      signature,               malformed,   incompatible types:
//!                  version, mechanism          unexpected,   ERROR out
//!                           v                  ERROR in v      v
//!                   +------------------------------------------------+
//!                   |  ZmtpError: write the output, then close       |
//!                   +------------------------------------------------+
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
    TopicBudget, ZmtpError,
};

/// One connection, from its first byte to the end of the handshake.
///
/// It is advanced through [`Protocol`](monocoque_core::Protocol); see the
/// [crate documentation](crate).
#[derive(Debug)]
pub struct ZmtpSession {
    config: SessionConfig,
    state: HandshakeState,
    /// How many bytes are needed to go on.
    pub(crate) need: usize,
}

#[derive(Debug)]
enum HandshakeState {
    /// Our greeting is not sent.
    Start,
    /// Our greeting is sent.
    ExpectGreeting,
    /// Both greetings are exchanged.
    ExpectCommand { revision: Revision, mechanism: Mechanism },
}

/// The result of a handshake: the properties of a peer.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// The type of its socket, which is compatible with ours.
    pub socket_type: SocketType,
    /// The routing id that it announces, at most 255 bytes; empty if it announces none.
    pub routing_id: Bytes,
    /// The revision of the protocol.
    pub revision: Revision,
    /// Its metadata.
    pub properties: Properties,
    /// Its budget for topics. The owner of its subscriptions keeps it up to date.
    pub topic_budget: TopicBudget,
}

impl ZmtpSession {
    /// A session that has sent nothing yet.
    ///
    /// # Errors
    ///
    /// If the routing id or the heartbeat TTL is out of range.
    pub fn new(config: SessionConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { config, state: HandshakeState::Start, need: 1 })
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
                HandshakeState::Start => {
                    let mechanism = &self.config.mechanism;
                    output.put(&greeting(mechanism.name(), mechanism.is_server()));
                    output.end_message();
                    HandshakeState::ExpectGreeting
                }
                HandshakeState::ExpectGreeting => match take_greeting(&self.config, input)? {
                    Some(revision) => HandshakeState::ExpectCommand {
                        revision,
                        mechanism: Mechanism::start(&self.config, output),
                    },
                    None => return Ok(Step::NeedInput(self)),
                },
                HandshakeState::ExpectCommand { revision, mechanism } => {
                    match take_command(input, &mut self.need)? {
                        Some(body) => match Command::parse(&body)? {
                            Command::Error(reason) => return Err(ZmtpError::PeerError(reason)),
                            command => {
                                let Progress::Done(properties) = mechanism.on_command(&command)?;
                                let peer = check_peer(&self.config, revision, properties, output)?;
                                return Ok(Step::Established(establish(&self.config, peer, now)));
                            }
                        },
                        None => {
                            self.state = HandshakeState::ExpectCommand { revision, mechanism };
                            return Ok(Step::NeedInput(self));
                        }
                    }
                }
            };
        }
    }
}

fn establish(config: &SessionConfig, peer: PeerInfo, now: Instant) -> Established<ZmtpSession> {
    let encoder = Encoder::new(config, peer.revision, now);
    let decoder = Decoder::new(config, encoder.announced_ttl(), peer.topic_budget.clone());
    Established { peer, decoder, encoder }
}

/// Takes the peer's greeting, once it is whole.
fn take_greeting(config: &SessionConfig, input: &mut SegmentedBuffer) -> Result<Option<Revision>, ZmtpError> {
    let mut bytes = [0; GREETING_LEN];
    let arrived = input.peek_into(&mut bytes);
    let revision = check_greeting(bytes.get(..arrived).unwrap_or(&bytes), config.mechanism.name())?;
    if revision.is_some() {
        input.advance(GREETING_LEN);
    }
    Ok(revision)
}

/// Takes the body of the next command, once it is whole; until then, notes how many bytes it needs.
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

/// Checks the properties of a peer. An incompatible peer gets an ERROR.
fn check_peer(
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
    Ok(PeerInfo { socket_type, routing_id, revision, properties, topic_budget: TopicBudget::default() })
}

fn check_type(ours: SocketType, name: &[u8]) -> Result<SocketType, Incompatible> {
    let theirs = SocketType::from_name(name).ok_or(Incompatible::UnknownSocketType)?;
    if ours.is_compatible_with(theirs) { Ok(theirs) } else { Err(Incompatible::SocketType { ours, theirs }) }
}

/// The largest command of the handshake: the memory that an unknown peer can make us use.
const MAX_HANDSHAKE_COMMAND: u64 = 64 * 1024;
