//! The client of CURVE: HELLO, INITIATE.

use zeroize::Zeroizing;

use super::boxes::{self, SharedKey, long_nonce, short_nonce};
use super::keys::KEY_LEN;
use super::seal::{Opener, Sealer};
use super::{CurvePublicKey, CurveSecretKey, CurveState};
use crate::command::Command;
use crate::mechanism::{Done, Local, Progress, identify};
use crate::names::CommandKind;
use crate::secret::Entropy;
use crate::{Malformed, Misbehaved, SessionConfig, ZmtpError};

/// The state of a client.
#[derive(Debug)]
pub(crate) enum ClientState {
    ExpectWelcome(HelloSent),
    /// INITIATE is sent. The key of the traffic.
    ExpectReady(SharedKey),
}

/// The secrets between HELLO and INITIATE.
pub(crate) struct HelloSent {
    /// Our long-term key, C.
    long_term: CurveSecretKey,
    /// The key of the server, S.
    server_key: CurvePublicKey,
    /// Our key for this connection, C'.
    ours: CurveSecretKey,
    /// The key of HELLO and WELCOME, of C' and S.
    key: SharedKey,
    vouch_nonce: Zeroizing<[u8; 16]>,
}

/// Puts out our HELLO.
pub(in crate::mechanism) fn start(
    long_term: &CurveSecretKey,
    server_key: CurvePublicKey,
    entropy: &Entropy,
    local: &mut Local<'_>,
) -> Result<Progress, ZmtpError> {
    let ours = CurveSecretKey::from_bytes(*entropy.take(0));
    let key = SharedKey::agree(server_key.as_bytes(), ours.expose())?;
    let mut hello = vec![1, 0];
    hello.resize(hello.len() + 72, 0);
    hello.extend_from_slice(ours.public_key().as_bytes());
    hello.extend_from_slice(&HELLO_NUMBER.to_be_bytes());
    key.seal(&short_nonce(boxes::HELLO, HELLO_NUMBER), &[0; 64], &mut hello);
    local.put_command(CommandKind::Hello, &hello);
    let vouch_nonce = entropy.take(KEY_LEN);
    let sent = HelloSent { long_term: long_term.clone(), server_key, ours, key, vouch_nonce };
    Ok(CurveState::Client(ClientState::ExpectWelcome(sent)).into())
}

impl ClientState {
    pub(super) fn on_command(
        self,
        command: &Command<'_>,
        local: &mut Local<'_>,
    ) -> Result<Progress, ZmtpError> {
        match (self, command) {
            (Self::ExpectWelcome(sent), Command::Welcome(welcome)) => sent.on_welcome(welcome, local),
            (Self::ExpectReady(key), Command::Ready(ready)) => on_ready(key, ready, local.config),
            (_, other) => Err(Misbehaved::UnexpectedCommand(other.kind()).into()),
        }
    }
}

impl HelloSent {
    /// Opens `nonce(16) box(S' cookie)`, and puts out our INITIATE.
    fn on_welcome(self, welcome: &[u8], local: &mut Local<'_>) -> Result<Progress, ZmtpError> {
        let form = Malformed::Form(CommandKind::Welcome);
        let (nonce, sealed) = welcome.split_first_chunk().ok_or(form)?;
        if sealed.len() != WELCOME_BOX_LEN {
            return Err(form.into());
        }
        let plain = self.key.open(&long_nonce(boxes::WELCOME, nonce), sealed, CommandKind::Welcome)?;
        let (theirs, cookie) = plain.split_first_chunk().ok_or(form)?;
        let key = SharedKey::agree(theirs, self.ours.expose())?;

        // We vouch for C' and S with C: only its owner can, and only for this server.
        let vouch_key = SharedKey::agree(theirs, self.long_term.expose())?;
        let vouched = [*self.ours.public_key().as_bytes(), *self.server_key.as_bytes()].concat();
        let mut plain = Zeroizing::new(self.long_term.public_key().as_bytes().to_vec());
        plain.extend_from_slice(&*self.vouch_nonce);
        vouch_key.seal(&long_nonce(boxes::VOUCH, &self.vouch_nonce), &vouched, &mut plain);
        plain.extend_from_slice(&local.metadata());

        let mut initiate = cookie.to_vec();
        initiate.extend_from_slice(&INITIATE_NUMBER.to_be_bytes());
        key.seal(&short_nonce(boxes::INITIATE, INITIATE_NUMBER), &plain, &mut initiate);
        local.put_command(CommandKind::Initiate, &initiate);
        Ok(CurveState::Client(ClientState::ExpectReady(key)).into())
    }
}

impl std::fmt::Debug for HelloSent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HelloSent").field("server_key", &self.server_key).finish_non_exhaustive()
    }
}

/// Opens `nonce(8) box(metadata)`.
fn on_ready(key: SharedKey, ready: &[u8], config: &SessionConfig) -> Result<Progress, ZmtpError> {
    let (number, sealed) = ready.split_first_chunk().ok_or(Malformed::Form(CommandKind::Ready))?;
    let number = u64::from_be_bytes(*number);
    let metadata = key.open(&short_nonce(boxes::READY, number), sealed, CommandKind::Ready)?;
    let peer = identify(config, &metadata)?;
    let key = std::sync::Arc::new(key);
    let sealer = Sealer::new(key.clone(), boxes::FROM_CLIENT, INITIATE_NUMBER + 1);
    let opener = Opener::new(key, boxes::FROM_SERVER, number);
    let seal = Some((Box::new(sealer), Box::new(opener)));
    Ok(Progress::Done(Done { peer, admission: Box::default(), seal }))
}

/// The numbers of our commands, from which their nonces are made.
const HELLO_NUMBER: u64 = 1;
const INITIATE_NUMBER: u64 = 2;
/// The length of S', the cookie and the authenticator.
const WELCOME_BOX_LEN: usize = 144;
