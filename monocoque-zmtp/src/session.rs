//! The handshake of a connection.
//!
//! Owns the order of events from the first byte to the traffic. It knows neither the commands of a
//! mechanism nor a deadline: the engine has one for the whole handshake. Called by the engine,
//! through [`Protocol`](monocoque_core::Protocol).
//!
//! ```text
//!        our 64 bytes                peer's 64 bytes
//!            out                           in                    done
//!  +-------+        +----------------+          +---------------+      +------------------+
//!  | Start | -----> | ExpectGreeting | -------> | ExpectCommand | ---> | Decoder, Encoder |
//!  +-------+        +----------------+          +---------------+      +------------------+
//!                           |                     |     |     ^
//!                      signature,        malformed,     |     | allowed
//!                  version, mechanism   unexpected,     v     |
//!                           |         incompatible:   +---------+
//!                           |             ERROR out   |  Asked  |  may the peer come in?
//!                           |                     |   +---------+
//!                           |                     |     | refused: ERROR out
//!                           v                     v     v
//!                   +------------------------------------------------+
//!                   |  ZmtpError: write the output, then close       |
//!                   +------------------------------------------------+
//! ```

use std::time::Instant;

use bytes::Bytes;
use monocoque_core::{Established, Outbox, SegmentedBuffer, Step};

use crate::auth::{Admission, AuthReply};
use crate::command::Command;
use crate::frame::{FrameHeader, MAX_HEADER_LEN};
use crate::greeting::{GREETING_LEN, check_greeting, greeting};
use crate::mechanism::{Done, Local, Mechanism, PeerIdentity, Progress};
use crate::secret::Entropy;
use crate::{
    ConfigError, Decoder, Encoder, Misbehaved, Properties, RefusalStatus, Revision, SessionConfig,
    SocketType, TopicBudget, ZmtpError,
};

/// One connection, from its first byte to the end of the handshake.
///
/// It is advanced through [`Protocol`](monocoque_core::Protocol); see the
/// [crate documentation](crate).
#[derive(Debug)]
pub struct ZmtpSession {
    /// Boxed, since a session is moved often.
    config: Box<SessionConfig>,
    state: HandshakeState,
    revision: Revision,
    /// How many bytes are needed to go on.
    pub(crate) need: usize,
}

#[derive(Debug)]
enum HandshakeState {
    /// Our greeting is not sent.
    Start(Entropy),
    /// Our greeting is sent.
    ExpectGreeting(Entropy),
    /// Both greetings are exchanged.
    ExpectCommand(Mechanism),
    /// The application decides whether the peer may come in.
    Asked(Mechanism),
    /// The application has decided.
    Answered(Mechanism, AuthReply),
    /// An answer came without a question.
    Broken,
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
    /// The description of the peer by the application, if it [was asked](crate::AuthQuestion).
    pub admission: Box<Admission>,
    /// Its budget for topics. The owner of its subscriptions keeps it up to date.
    pub topic_budget: TopicBudget,
}

impl ZmtpSession {
    /// A session that has sent nothing yet.
    ///
    /// # Errors
    ///
    /// If the configuration is out of range, or its mechanism
    /// [needs entropy](crate::MechanismConfig::needs_entropy).
    pub fn new(config: SessionConfig) -> Result<Self, ConfigError> {
        if config.mechanism.needs_entropy() {
            return Err(ConfigError::NoEntropy);
        }
        Self::start(config, Entropy::none())
    }

    /// A session that has sent nothing yet, of any mechanism. Each needs entropy of its own.
    ///
    /// # Errors
    ///
    /// If the configuration is out of range.
    pub fn with_entropy(config: SessionConfig, entropy: Entropy) -> Result<Self, ConfigError> {
        Self::start(config, entropy)
    }

    fn start(config: SessionConfig, entropy: Entropy) -> Result<Self, ConfigError> {
        config.check()?;
        let state = HandshakeState::Start(entropy);
        Ok(Self { config: config.into(), state, revision: Revision::V3_1, need: 1 })
    }

    /// Goes as far as `input` allows.
    pub(crate) fn run(
        mut self,
        input: &mut SegmentedBuffer,
        output: &mut Outbox,
        now: Instant,
    ) -> Result<Step<Self>, ZmtpError> {
        loop {
            let mut local = Local { config: &self.config, output };
            let progress = match self.state {
                HandshakeState::Start(entropy) => {
                    let mechanism = &local.config.mechanism;
                    local.output.put(&greeting(mechanism.name(), mechanism.is_server()));
                    local.output.end_message();
                    self.state = HandshakeState::ExpectGreeting(entropy);
                    continue;
                }
                HandshakeState::ExpectGreeting(entropy) => {
                    let Some(revision) = take_greeting(local.config, input)? else {
                        self.state = HandshakeState::ExpectGreeting(entropy);
                        return Ok(Step::NeedInput(self));
                    };
                    self.revision = revision;
                    Mechanism::start(entropy, &mut local)?
                }
                HandshakeState::ExpectCommand(mechanism) => {
                    let Some(body) = take_command(input, &mut self.need)? else {
                        self.state = HandshakeState::ExpectCommand(mechanism);
                        return Ok(Step::NeedInput(self));
                    };
                    match mechanism.parse(&body)? {
                        Command::Error(reason) => return Err(ZmtpError::PeerError(reason)),
                        command => mechanism.on_command(&command, &mut local)?,
                    }
                }
                HandshakeState::Answered(mechanism, reply) => {
                    mechanism.on_admitted(admit(reply, &mut local)?, &mut local)
                }
                HandshakeState::Asked(_) | HandshakeState::Broken => return Err(ZmtpError::Unanswered),
            };
            self.state = match progress {
                Progress::Next(mechanism) => HandshakeState::ExpectCommand(mechanism),
                Progress::Ask(mechanism, question) => {
                    self.state = HandshakeState::Asked(mechanism);
                    return Ok(Step::Ask(self, question));
                }
                Progress::Done(done) => {
                    return Ok(Step::Established(establish(&self.config, self.revision, done, now)));
                }
            };
        }
    }

    /// Takes the answer of the application.
    pub(crate) fn on_reply(mut self, reply: AuthReply) -> Self {
        self.state = match self.state {
            HandshakeState::Asked(mechanism) => HandshakeState::Answered(mechanism, reply),
            _ => HandshakeState::Broken,
        };
        self
    }
}

/// Tells a peer that it is refused, unless it may come in later.
fn admit(reply: AuthReply, local: &mut Local<'_>) -> Result<Box<Admission>, ZmtpError> {
    match reply {
        AuthReply::Allow(admission) => Ok(admission.into()),
        AuthReply::Refuse(status) => {
            if status != RefusalStatus::Temporary {
                local.put_refusal(&status.to_string());
            }
            Err(ZmtpError::Refused(status))
        }
        AuthReply::Fail(fault) => Err(ZmtpError::Unauthenticated(fault)),
    }
}

fn establish(
    config: &SessionConfig,
    revision: Revision,
    done: Done,
    now: Instant,
) -> Established<ZmtpSession> {
    let Done { peer: PeerIdentity { socket_type, routing_id, properties }, admission, seal } = done;
    let topic_budget = TopicBudget::default();
    let (sealer, opener) = seal.unzip();
    let encoder = Encoder::new(config, revision, sealer, now);
    let decoder = Decoder::new(config, opener, encoder.announced_ttl(), topic_budget.clone());
    let peer = PeerInfo { socket_type, routing_id, revision, properties, admission, topic_budget };
    Established { peer, decoder, encoder }
}

/// Takes the peer's greeting, once it is whole.
fn take_greeting(config: &SessionConfig, input: &mut SegmentedBuffer) -> Result<Option<Revision>, ZmtpError> {
    let mut bytes = [0; GREETING_LEN];
    let arrived = input.peek_into(&mut bytes);
    let mechanism = &config.mechanism;
    let arrived = bytes.get(..arrived).unwrap_or(&bytes);
    let revision = check_greeting(arrived, mechanism.name(), mechanism.is_server())?;
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
    *need = 1;
    input.advance(header.len());
    Ok(input.take(header.body_len()))
}

/// The largest command of the handshake: the memory that an unknown peer can make us use.
const MAX_HANDSHAKE_COMMAND: u64 = 64 * 1024;
