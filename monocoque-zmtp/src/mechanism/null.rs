//! NULL: no security (RFC 23, section 'The NULL Security Mechanism').
//!
//! Each side sends READY as soon as it has the other's greeting, as libzmq does; in RFC 37 the
//! client sends first. A side that asks the application does so before its READY: the other side
//! may wait for that. Called by the enum of mechanisms only.

use bytes::Bytes;

use super::{Done, Local, Mechanism, Progress};
use crate::auth::{Admission, AuthQuestion, Credentials};
use crate::command::Command;
use crate::names::CommandKind;
use crate::{Misbehaved, Properties, ZmtpError};

/// The state of either side.
#[derive(Debug)]
pub(crate) enum NullState {
    /// The application is asked.
    Undecided,
    /// Our READY is sent.
    ExpectReady(Box<Admission>),
}

/// Puts out our READY, or asks the application first.
pub(super) fn start(local: &mut Local<'_>) -> Progress {
    if !local.config.authenticates {
        return NullState::on_admitted(Box::default(), local);
    }
    let question = AuthQuestion {
        credentials: Credentials::Null,
        routing_id: Bytes::new(),
        properties: Properties::default(),
    };
    Progress::Ask(Mechanism::Null(NullState::Undecided), question)
}

impl NullState {
    pub(super) fn on_command(
        self,
        command: &Command<'_>,
        local: &mut Local<'_>,
    ) -> Result<Progress, ZmtpError> {
        match (self, command) {
            (Self::ExpectReady(admission), Command::Ready(properties)) => {
                let peer = local.identify_or_refuse(properties)?;
                Ok(Progress::Done(Done { peer, admission, seal: None }))
            }
            (_, other) => Err(Misbehaved::UnexpectedCommand(other.kind()).into()),
        }
    }

    /// Puts out our READY, after the application has admitted the peer.
    pub(super) fn on_admitted(admission: Box<Admission>, local: &mut Local<'_>) -> Progress {
        local.put_command(CommandKind::Ready, &local.metadata());
        Progress::Next(Mechanism::Null(Self::ExpectReady(admission)))
    }
}
