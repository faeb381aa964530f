//! Options of security: the mechanism, and who may come in.

use std::mem::discriminant;
use std::sync::Arc;

use monocoque_zmtp::{MechanismConfig, Password, PlainCredentials};

use super::Builder;
use crate::error::MonocoqueError;
use crate::security::{Authenticator, AuthenticatorRef, SecurityError};
#[cfg(feature = "curve")]
use crate::security::{CurvePublicKey, CurveSecretKey};
use crate::zmq::capability::Secure;
use crate::zmq::kind::Capability;

impl<S: Secure> Builder<S> {
    /// Makes the socket a server of CURVE, with this secret key (`ZMQ_CURVE_SERVER`,
    /// `ZMQ_CURVE_SECRETKEY`): its peers are clients that know its public key, whether they connect
    /// or it does. Default: NULL. A socket has one mechanism: `build` rejects two of them, and
    /// client and server in one; libzmq takes the last.
    ///
    /// All traffic is encrypted. Who may come in is decided by the
    /// [`authenticator`](Self::authenticator); without one, and without a ZAP handler, every client
    /// that knows the public key of the server, as in libzmq.
    ///
    /// ```
    /// use monocoque::security::CurveKeyPair;
    /// use monocoque::zmq::RepSocket;
    ///
    /// let rep = RepSocket::builder().curve_server(CurveKeyPair::generate()).build()?;
    /// # drop(rep);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    #[cfg(feature = "curve")]
    pub fn curve_server(mut self, secret_key: impl Into<CurveSecretKey>) -> Self {
        self.require(Capability::Secure, "take the option `curve_server`");
        self.set_mechanism(MechanismConfig::CurveServer { secret_key: secret_key.into() });
        self
    }

    /// Makes the socket a client of CURVE, with this secret key, of the server with this public one
    /// (`ZMQ_CURVE_SERVERKEY`, `ZMQ_CURVE_SECRETKEY`). Default: NULL.
    ///
    /// All traffic is encrypted, and no other server can take part. A client that nobody needs to
    /// know makes a new [`CurveKeyPair`](crate::security::CurveKeyPair).
    ///
    /// ```
    /// use monocoque::security::CurveKeyPair;
    /// use monocoque::zmq::ReqSocket;
    ///
    /// let server = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID".parse().expect("a key");
    /// let req = ReqSocket::builder().curve_client(CurveKeyPair::generate(), server).build()?;
    /// # drop(req);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    #[cfg(feature = "curve")]
    pub fn curve_client(mut self, secret_key: impl Into<CurveSecretKey>, server_key: CurvePublicKey) -> Self {
        self.require(Capability::Secure, "take the option `curve_client`");
        let secret_key = secret_key.into();
        self.set_mechanism(MechanismConfig::CurveClient { secret_key, server_key });
        self
    }

    /// Makes the socket a server of PLAIN (`ZMQ_PLAIN_SERVER`): its peers are clients with a user
    /// name and a password, which the [`authenticator`](Self::authenticator) or a ZAP handler
    /// decides about. Without either, nobody comes in. Default: NULL.
    ///
    /// Nothing is encrypted: passwords can be read on the way.
    pub fn plain_server(mut self) -> Self {
        self.require(Capability::Secure, "take the option `plain_server`");
        self.set_mechanism(MechanismConfig::PlainServer);
        self
    }

    /// Makes the socket a client of PLAIN, with this user name and password
    /// (`ZMQ_PLAIN_USERNAME`, `ZMQ_PLAIN_PASSWORD`), each at most 255 bytes. Default: NULL.
    ///
    /// Nothing is encrypted: passwords can be read on the way.
    pub fn plain_client(mut self, username: impl AsRef<[u8]>, password: impl Into<Password>) -> Self {
        self.require(Capability::Secure, "take the option `plain_client`");
        let username = username.as_ref().to_vec().into();
        let credentials = PlainCredentials { username, password: password.into() };
        let lens = [credentials.username.len(), credentials.password.expose().len()];
        match lens.into_iter().find(|len| *len > MAX_FIELD) {
            Some(len) => self.reject_security(SecurityError::CredentialsTooLong(len)),
            None => self.set_mechanism(MechanismConfig::PlainClient(credentials)),
        }
        self
    }

    /// Decides which peers may come in. Default: none, a ZAP handler is asked if there is one.
    ///
    /// Servers of PLAIN and CURVE ask about their clients, and sockets of NULL about all peers,
    /// whether they connect or the socket does. Clients of PLAIN and CURVE do not ask. A peer that
    /// is refused is told, and tries again after its longest interval; the monitor reports it, and
    /// [`auth_failures`](crate::SocketStats::auth_failures) counts it.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.require(Capability::Secure, "take the option `authenticator`");
        self.options.security.authenticator = Some(AuthenticatorRef(Arc::new(authenticator)));
        self
    }

    /// Sets the domain that the authenticator or ZAP handler learns (`ZMQ_ZAP_DOMAIN`): at most 255
    /// bytes. Default: empty.
    ///
    /// With a domain, sockets of NULL ask a ZAP handler as well, if there is one.
    pub fn zap_domain(mut self, domain: impl Into<String>) -> Self {
        self.require(Capability::Secure, "take the option `zap_domain`");
        let domain = domain.into();
        if domain.len() > MAX_FIELD {
            self.reject_security(SecurityError::DomainTooLong(domain.len()));
        } else {
            self.options.security.zap_domain = domain;
        }
        self
    }

    /// Lets nobody in while there is a [`zap_domain`](Self::zap_domain) and no ZAP handler
    /// (`ZMQ_ZAP_ENFORCE_DOMAIN`); a server of CURVE without a domain then asks no handler.
    /// Default: false. It has no meaning with an [`authenticator`](Self::authenticator).
    pub fn zap_enforce_domain(mut self, enforce: bool) -> Self {
        self.require(Capability::Secure, "take the option `zap_enforce_domain`");
        self.options.security.enforces_domain = enforce;
        self
    }

    /// Adds a property to what peers learn in the handshake (`ZMQ_METADATA`): its name begins with
    /// `X-`. Default: none. Peers read it by [`Peer::property`](crate::Peer::property), and it is
    /// not verified.
    ///
    /// ```
    /// use monocoque::zmq::{PullSocket, PushSocket};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     compio::runtime::Runtime::new()?.block_on(async {
    ///         let pull = PullSocket::new()?;
    ///         let push = PushSocket::builder().metadata("X-Zone", "north").build()?;
    ///         push.connect(pull.bind("tcp://127.0.0.1:0").await?).await?;
    ///         push.send("work").await?;
    ///         let (_, peer) = pull.recv_with_peer().await?;
    ///         assert_eq!(peer.property("X-Zone"), Some(&b"north"[..]));
    ///         Ok(())
    ///     })
    /// }
    /// ```
    pub fn metadata(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.require(Capability::Secure, "take the option `metadata`");
        if let Err(error) = self.options.security.push_property(name, value.as_ref()) {
            self.reject_security(error);
        }
        self
    }

    /// Sets the mechanism, unless another one is set.
    fn set_mechanism(&mut self, mechanism: MechanismConfig) {
        let set = &mut self.options.security.mechanism;
        let is_other = discriminant(set) != discriminant(&mechanism);
        if is_other && !matches!(set, MechanismConfig::Null) {
            self.reject_security(SecurityError::SeveralMechanisms);
        } else {
            *set = mechanism;
        }
    }

    fn reject_security(&mut self, error: SecurityError) {
        self.reject(MonocoqueError::Security(error));
    }
}

/// The longest user name, password or domain, in bytes.
const MAX_FIELD: usize = 255;
