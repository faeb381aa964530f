//! Encryption, and who may come in.
//!
//! | mechanism | options | gives |
//! |---|---|---|
//! | NULL | none, the default | nothing |
//! | PLAIN | [`plain_server`], [`plain_client`] | a user name and a password, in clear text |
//! | CURVE | [`curve_server`], [`curve_client`] | encryption, and proof of a key on both sides |
//!
//! Both peers need the same mechanism; there is no negotiation, and no fallback. Client and server
//! of a mechanism are independent of who binds and who connects. Mechanisms apply to tcp, ipc and
//! attached streams; peers of one process, over inproc, are not authenticated.
//!
//! A server decides who may come in with an [`Authenticator`]: [`Allow`] is one with lists of keys,
//! passwords and addresses, and any async function is another. Without one, a [handler of
//! ZAP](https://rfc.zeromq.org/spec/27/) that is bound to `inproc://zeromq.zap.01` in the same
//! context is asked, as in libzmq.
//!
//! ```
//! use monocoque::security::{Allow, CurveKeyPair};
//! use monocoque::zmq::{PullSocket, PushSocket};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     compio::runtime::Runtime::new()?.block_on(async {
//!         let (server, client) = (CurveKeyPair::generate(), CurveKeyPair::generate());
//!
//!         let pull = PullSocket::builder()
//!             .curve_server(&server)
//!             .authenticator(Allow::new().keys([client.public]))
//!             .build()?;
//!         let endpoint = pull.bind("tcp://127.0.0.1:0").await?;
//!
//!         let push = PushSocket::builder().curve_client(&client, server.public).build()?;
//!         push.connect(endpoint).await?;
//!         push.send("sealed").await?;
//!         assert_eq!(pull.recv().await?, "sealed");
//!         Ok(())
//!     })
//! }
//! ```
//!
//! [`plain_server`]: crate::zmq::Builder::plain_server
//! [`plain_client`]: crate::zmq::Builder::plain_client
//! [`curve_server`]: crate::zmq::Builder::curve_server
//! [`curve_client`]: crate::zmq::Builder::curve_client

mod allow;
mod authenticator;
#[cfg(feature = "curve")]
mod key_directory;
#[cfg(feature = "curve")]
mod keys;
mod options;
mod zap;

pub use allow::{Allow, AllowError};
pub use authenticator::{AuthRequest, Authenticator};
#[cfg(feature = "curve")]
pub use keys::CurveKeyPair;
pub use monocoque_zmtp::{
    Admission, AuthFault, AuthReply, ConfigError, Credentials, MechanismName, Password, Properties,
    RefusalStatus,
};
#[cfg(feature = "curve")]
pub use monocoque_zmtp::{CurvePublicKey, CurveSecretKey, KeyError, Z85Error};
pub use options::SecurityError;
#[cfg(fuzzing)]
pub use zap::parse_reply as parse_zap_reply;

pub(crate) use authenticator::{AuthenticatorRef, authenticate};
pub(crate) use options::SecurityOptions;

use monocoque_zmtp::{SessionConfig, ZmtpSession};

/// Returns a session that has sent nothing yet, with random bytes if its mechanism needs them.
///
/// # Errors
///
/// If the configuration is out of range.
#[cfg(feature = "curve")]
#[expect(clippy::expect_used, reason = "a system without randomness has no security to offer")]
pub(crate) fn session(config: SessionConfig) -> Result<ZmtpSession, ConfigError> {
    use monocoque_zmtp::Entropy;

    if !config.mechanism.needs_entropy() {
        return ZmtpSession::new(config);
    }
    let mut bytes = [0; Entropy::LEN];
    getrandom::fill(&mut bytes).expect("the random generator of the system");
    ZmtpSession::with_entropy(config, Entropy::new(bytes))
}

/// Returns a session that has sent nothing yet. Without CURVE no mechanism needs random bytes.
///
/// # Errors
///
/// If the configuration is out of range.
#[cfg(not(feature = "curve"))]
pub(crate) fn session(config: SessionConfig) -> Result<ZmtpSession, ConfigError> {
    ZmtpSession::new(config)
}
