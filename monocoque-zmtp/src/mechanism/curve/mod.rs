//! CURVE: encryption, and authentication by public keys (RFC 25, RFC 26).
//!
//! ```text
//! client  HELLO -------------> ExpectHello     server   C' is known, S' is made: both are in the
//!         ExpectWelcome <---------- WELCOME             cookie, and nowhere else
//!         INITIATE ----------> ExpectInitiate           the cookie comes back, C is proved
//!                 the application is asked: Undecided
//!         ExpectReady <-------------- READY
//!                  both seal: Sealer, Opener
//! ```
//!
//! `C` and `S` are the long-term keys of client and server, `C'` and `S'` those of one connection.
//! The [`client`] and the [`server`] own the states of one side each, [`keys`] the long-term keys,
//! [`boxes`] what is sealed for whom, [`seal`] the frames of the traffic, [`large`] those that are
//! opened piece by piece, and [`traffic`] the keys.

mod boxes;
pub(super) mod client;
mod keys;
mod large;
pub(crate) mod seal;
pub(super) mod server;
mod traffic;

pub use keys::{CurvePublicKey, CurveSecretKey, KeyError};

use super::{Local, Mechanism, Progress};
use crate::ZmtpError;
use crate::auth::Admission;
use crate::command::Command;

/// The state of either side.
#[derive(Debug)]
pub(crate) enum CurveState {
    Client(client::ClientState),
    Server(server::ServerState),
}

impl CurveState {
    pub(super) fn on_command(
        self,
        command: &Command<'_>,
        local: &mut Local<'_>,
    ) -> Result<Progress, ZmtpError> {
        match self {
            Self::Client(state) => state.on_command(command, local),
            Self::Server(state) => state.on_command(command, local),
        }
    }

    /// Goes on after the application has admitted the peer.
    pub(super) fn on_admitted(self, admission: Box<Admission>, local: &mut Local<'_>) -> Progress {
        match self {
            Self::Server(server::ServerState::Undecided(verified)) => verified.on_admitted(admission, local),
            // Only a server asks.
            state => state.into(),
        }
    }
}

impl From<CurveState> for Progress {
    fn from(state: CurveState) -> Self {
        Self::Next(Mechanism::Curve(Box::new(state)))
    }
}
