//! PLAIN: a user name and a password, in clear text (RFC 24).
//!
//! ```text
//! client  HELLO -------------> ExpectHello  server
//!                 the application is asked: Undecided
//!         ExpectWelcome <---------- WELCOME
//!         INITIATE ----------> ExpectInitiate
//!         ExpectReady <-------------- READY
//! ```
//!
//! libzmq writes the ERROR of this mechanism as `^RROR`, without the length of its name, and
//! understands no other form: so it is written, and both are read. Called by the enum of mechanisms
//! only.

use bytes::Bytes;
use monocoque_core::Outbox;

use super::{Done, Local, Mechanism, PeerIdentity, Progress, identify};
use crate::auth::{Admission, AuthQuestion, Credentials};
use crate::command::{Command, parse_reason};
use crate::frame::{COMMAND, put_header};
use crate::names::CommandKind;
use crate::secret::Password;
use crate::{ConfigError, Malformed, Misbehaved, Properties, ZmtpError};

/// The user name and the password of a client of PLAIN.
#[derive(Clone, Debug)]
pub struct PlainCredentials {
    /// The user name, at most 255 bytes. libzmq: `ZMQ_PLAIN_USERNAME`.
    pub username: Bytes,
    /// The password, at most 255 bytes. libzmq: `ZMQ_PLAIN_PASSWORD`.
    pub password: Password,
}

/// The state of either side.
#[derive(Debug)]
pub(crate) enum PlainState {
    ExpectHello,
    /// The application is asked.
    Undecided,
    ExpectInitiate(Box<Admission>),
    ExpectWelcome,
    ExpectReady,
}

impl PlainCredentials {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        for len in [self.username.len(), self.password.expose().len()] {
            if len > MAX_CREDENTIAL {
                return Err(ConfigError::CredentialsTooLong(len));
            }
        }
        Ok(())
    }
}

/// Starts the server, which waits for a HELLO.
pub(super) fn start_server() -> Progress {
    PlainState::ExpectHello.into()
}

/// Starts the client: puts out its HELLO.
pub(super) fn start_client(credentials: &PlainCredentials, local: &mut Local<'_>) -> Progress {
    let mut hello = Vec::new();
    for part in [&*credentials.username, credentials.password.expose()] {
        // The lengths were checked with the configuration.
        hello.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        hello.extend_from_slice(part);
    }
    local.put_command(CommandKind::Hello, &hello);
    zeroize::Zeroize::zeroize(&mut hello);
    PlainState::ExpectWelcome.into()
}

impl PlainState {
    pub(super) fn on_command(
        self,
        command: &Command<'_>,
        local: &mut Local<'_>,
    ) -> Result<Progress, ZmtpError> {
        match (self, command) {
            (Self::ExpectHello, Command::Hello(hello)) => {
                let question = AuthQuestion {
                    credentials: parse_hello(hello)?,
                    routing_id: Bytes::new(),
                    properties: Properties::default(),
                };
                Ok(Progress::Ask(Mechanism::Plain(Self::Undecided), question))
            }
            (Self::ExpectInitiate(admission), Command::Initiate(properties)) => {
                let peer = local.identify_or_refuse(properties)?;
                local.put_command(CommandKind::Ready, &local.metadata());
                Ok(done(peer, admission))
            }
            (Self::ExpectWelcome, Command::Welcome([])) => {
                local.put_command(CommandKind::Initiate, &local.metadata());
                Ok(Self::ExpectReady.into())
            }
            (Self::ExpectWelcome, Command::Welcome(_)) => Err(Malformed::Form(CommandKind::Welcome).into()),
            (Self::ExpectReady, Command::Ready(properties)) => {
                Ok(done(identify(local.config, properties)?, Box::default()))
            }
            (_, other) => Err(Misbehaved::UnexpectedCommand(other.kind()).into()),
        }
    }

    /// Parses a command, or the ERROR of libzmq.
    pub(super) fn parse(body: &[u8]) -> Result<Command<'_>, Malformed> {
        match body.strip_prefix(ERROR) {
            Some(reason) => parse_reason(reason).map(Command::Error),
            None => Command::parse(body),
        }
    }

    /// Goes on after the application has admitted the peer.
    pub(super) fn on_admitted(admission: Box<Admission>, local: &mut Local<'_>) -> Progress {
        local.put_command(CommandKind::Welcome, &[]);
        Self::ExpectInitiate(admission).into()
    }
}

impl From<PlainState> for Progress {
    fn from(state: PlainState) -> Self {
        Self::Next(Mechanism::Plain(state))
    }
}

/// Puts an ERROR, as libzmq does.
pub(super) fn put_error(reason: &str, output: &mut Outbox) {
    let len = u8::try_from(reason.len()).unwrap_or(u8::MAX);
    let reason = reason.bytes().take(len.into());
    let body: Vec<u8> = ERROR.iter().copied().chain([len]).chain(reason).collect();
    put_header(COMMAND, body.len(), output);
    output.put(&body);
    output.end_message();
}

fn done(peer: PeerIdentity, admission: Box<Admission>) -> Progress {
    Progress::Done(Done { peer, admission, seal: None })
}

/// Parses `len(1) username len(1) password`.
fn parse_hello(hello: &[u8]) -> Result<Credentials, Malformed> {
    let form = Malformed::Form(CommandKind::Hello);
    let (username, rest) = split_field(hello).ok_or(form)?;
    match split_field(rest) {
        Some((password, [])) => {
            Ok(Credentials::Plain { username: Bytes::copy_from_slice(username), password: password.into() })
        }
        _ => Err(form),
    }
}

fn split_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = bytes.split_first()?;
    rest.split_at_checked(len.into())
}

/// The name of an ERROR in libzmq's PLAIN: `\x05E` is one character in C.
const ERROR: &[u8] = b"^RROR";
/// The longest user name or password, in bytes.
const MAX_CREDENTIAL: usize = 255;
