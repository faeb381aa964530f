//! The server of CURVE: WELCOME, READY.
//!
//! Between WELCOME and INITIATE it keeps one random key: the keys of the connection are in the
//! cookie, which the client brings back. A stranger costs two multiplications until then, and two
//! more for an INITIATE that opens.

use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::boxes::{self, SharedKey, long_nonce, short_nonce};
use super::keys::KEY_LEN;
use super::seal::{Opener, Sealer};
use super::{CurvePublicKey, CurveSecretKey, CurveState};
use crate::auth::{Admission, AuthQuestion, Credentials};
use crate::command::Command;
use crate::mechanism::{Done, Local, Mechanism, PeerIdentity, Progress};
use crate::names::CommandKind;
use crate::secret::Entropy;
use crate::{Malformed, Misbehaved, ZmtpError};

/// The state of a server.
#[derive(Debug)]
pub(crate) enum ServerState {
    ExpectHello(Start),
    ExpectInitiate(WelcomeSent),
    /// The application is asked.
    Undecided(Verified),
}

/// The state before a HELLO.
#[derive(Debug)]
pub(crate) struct Start {
    /// Our long-term key, S.
    long_term: CurveSecretKey,
    entropy: Entropy,
}

/// The state between WELCOME and INITIATE.
#[derive(Debug)]
pub(crate) struct WelcomeSent {
    long_term: CurveSecretKey,
    /// The key of the cookie, which nobody else has.
    cookie_key: SharedKey,
    /// The number of HELLO.
    number: u64,
}

/// A client whose INITIATE is verified.
#[derive(Debug)]
pub(crate) struct Verified {
    peer: PeerIdentity,
    /// The key of the traffic, of C' and S'.
    key: SharedKey,
    /// The number of INITIATE.
    number: u64,
}

/// Starts the server, which waits for a HELLO.
pub(in crate::mechanism) fn start(long_term: &CurveSecretKey, entropy: Entropy) -> Progress {
    CurveState::Server(ServerState::ExpectHello(Start { long_term: long_term.clone(), entropy })).into()
}

impl ServerState {
    pub(super) fn on_command(
        self,
        command: &Command<'_>,
        local: &mut Local<'_>,
    ) -> Result<Progress, ZmtpError> {
        match (self, command) {
            (Self::ExpectHello(start), Command::Hello(hello)) => start.on_hello(hello, local),
            (Self::ExpectInitiate(sent), Command::Initiate(initiate)) => sent.on_initiate(initiate, local),
            (_, other) => Err(Misbehaved::UnexpectedCommand(other.kind()).into()),
        }
    }
}

impl Start {
    /// Opens `version(2) zeros(72) C' number(8) box(zeros)`, and puts out our WELCOME.
    fn on_hello(self, hello: &[u8], local: &mut Local<'_>) -> Result<Progress, ZmtpError> {
        let form = Malformed::Form(CommandKind::Hello);
        let (head, rest) = hello.split_first_chunk::<74>().ok_or(form)?;
        let (theirs, rest) = rest.split_first_chunk().ok_or(form)?;
        let (number, sealed) = rest.split_first_chunk().ok_or(form)?;
        let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        if head.first_chunk() != Some(&VERSION) || !is_zero(&head[2..]) || sealed.len() != HELLO_BOX_LEN {
            return Err(form.into());
        }
        let number = u64::from_be_bytes(*number);
        let key = SharedKey::agree(theirs, self.long_term.expose())?;
        let plain = key.open(&short_nonce(boxes::HELLO, number), sealed, CommandKind::Hello)?;
        if !is_zero(&plain) {
            return Err(form.into());
        }

        let ours = CurveSecretKey::from_bytes(*self.entropy.take(0));
        let cookie_key = SharedKey::from_bytes(self.entropy.take(KEY_LEN));
        let [welcome_nonce, cookie_nonce] = [64, 80].map(|at| self.entropy.take::<16>(at));
        let kept = Zeroizing::new([*theirs, *ours.expose()].concat());
        let mut plain = Zeroizing::new(ours.public_key().as_bytes().to_vec());
        plain.extend_from_slice(&*cookie_nonce);
        cookie_key.seal(&long_nonce(boxes::COOKIE, &cookie_nonce), &kept, &mut plain);

        let mut welcome = welcome_nonce.to_vec();
        key.seal(&long_nonce(boxes::WELCOME, &welcome_nonce), &plain, &mut welcome);
        local.put_command(CommandKind::Welcome, &welcome);
        let sent = WelcomeSent { long_term: self.long_term, cookie_key, number };
        Ok(CurveState::Server(ServerState::ExpectInitiate(sent)).into())
    }
}

impl WelcomeSent {
    /// Opens `cookie(96) number(8) box(C nonce(16) vouch(80) metadata)`.
    fn on_initiate(self, initiate: &[u8], local: &mut Local<'_>) -> Result<Progress, ZmtpError> {
        let form = Malformed::Form(CommandKind::Initiate);
        let (cookie_nonce, rest) = initiate.split_first_chunk().ok_or(form)?;
        let (cookie, rest) = rest.split_first_chunk::<COOKIE_BOX_LEN>().ok_or(form)?;
        let (number, sealed) = rest.split_first_chunk().ok_or(form)?;
        let cookie =
            self.cookie_key.open(&long_nonce(boxes::COOKIE, cookie_nonce), cookie, CommandKind::Initiate);
        let cookie = cookie.map_err(|_| Misbehaved::Cookie)?;
        let (theirs, ours) = cookie.split_first_chunk::<KEY_LEN>().ok_or(Misbehaved::Cookie)?;
        let ours = ours.first_chunk::<KEY_LEN>().ok_or(Misbehaved::Cookie)?;
        let number = u64::from_be_bytes(*number);
        if number <= self.number {
            return Err(Misbehaved::NonceReused(CommandKind::Initiate).into());
        }
        let key = SharedKey::agree(theirs, ours)?;
        let plain = key.open(&short_nonce(boxes::INITIATE, number), sealed, CommandKind::Initiate)?;
        let (client_key, rest) = plain.split_first_chunk().ok_or(form)?;
        let (vouch_nonce, rest) = rest.split_first_chunk().ok_or(form)?;
        let (vouch, metadata) = rest.split_first_chunk::<VOUCH_BOX_LEN>().ok_or(form)?;
        let vouch_key = SharedKey::agree(client_key, ours)?;
        let vouched = vouch_key.open(&long_nonce(boxes::VOUCH, vouch_nonce), vouch, CommandKind::Initiate);
        let vouched = vouched.map_err(|_| Misbehaved::Vouch)?;
        let expected = [*theirs, *self.long_term.public_key().as_bytes()].concat();
        if !bool::from(vouched.ct_eq(&expected)) {
            return Err(Misbehaved::Vouch.into());
        }
        let peer = local.identify_or_refuse(metadata)?;
        let verified = Verified { peer, key, number };
        if !local.config.authenticates {
            return Ok(verified.on_admitted(Box::default(), local));
        }
        let question = AuthQuestion {
            credentials: Credentials::Curve(CurvePublicKey::from_bytes(*client_key)),
            routing_id: verified.peer.routing_id.clone(),
            properties: verified.peer.properties.clone(),
        };
        let state = CurveState::Server(ServerState::Undecided(verified));
        Ok(Progress::Ask(Mechanism::Curve(Box::new(state)), question))
    }
}

impl Verified {
    /// Puts out our READY.
    pub(super) fn on_admitted(self, admission: Box<Admission>, local: &mut Local<'_>) -> Progress {
        let mut ready = READY_NUMBER.to_be_bytes().to_vec();
        self.key.seal(&short_nonce(boxes::READY, READY_NUMBER), &local.metadata(), &mut ready);
        local.put_command(CommandKind::Ready, &ready);
        let key = Arc::new(self.key);
        let sealer = Sealer::new(key.clone(), boxes::FROM_SERVER, READY_NUMBER + 1);
        let opener = Opener::new(key, boxes::FROM_CLIENT, self.number);
        let seal = Some((Box::new(sealer), Box::new(opener)));
        Progress::Done(Done { peer: self.peer, admission, seal })
    }
}

/// The version of CURVE.
const VERSION: [u8; 2] = [1, 0];
/// The number of our READY, from which its nonce is made.
const READY_NUMBER: u64 = 1;
// The lengths of boxes.
const HELLO_BOX_LEN: usize = 80;
const COOKIE_BOX_LEN: usize = 80;
const VOUCH_BOX_LEN: usize = 80;
