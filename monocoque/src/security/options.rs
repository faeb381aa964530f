//! The security options of a socket.

use monocoque_zmtp::{ConfigError, MechanismConfig, Properties};
use thiserror::Error;

use super::AuthenticatorRef;

/// The security options of one socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecurityOptions {
    pub(crate) mechanism: MechanismConfig,
    /// The ZAP domain; empty for none.
    pub(crate) zap_domain: String,
    pub(crate) enforces_domain: bool,
    pub(crate) authenticator: Option<AuthenticatorRef>,
    /// Our own properties in the handshake.
    pub(crate) properties: Properties,
}

/// A security option that cannot work, by itself or with the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// A user name or password of more than 255 bytes.
    #[error("a user name or password of {0} bytes: at most 255 are allowed")]
    CredentialsTooLong(usize),
    /// A ZAP domain of more than 255 bytes.
    #[error("a ZAP domain of {0} bytes: at most 255 are allowed")]
    DomainTooLong(usize),
    /// The name of a property that does not begin with `X-`, or has anything but letters, digits
    /// and `-_.+`, or more than 255 of them.
    #[error("the name of a property begins with X- and has at most 255 letters, digits and -_.+")]
    PropertyName,
    /// More than 32 KiB of properties, or more than 253.
    #[error("more than 32 KiB of properties, or more than 253")]
    PropertiesTooLarge,
    /// `zap_enforce_domain` without `zap_domain`, at a server of PLAIN, which nobody could enter;
    /// libzmq aborts.
    #[error("a server of PLAIN with zap_enforce_domain needs a zap_domain")]
    DomainRequired,
    /// Two mechanisms, or client and server in one; libzmq takes the last.
    #[error(
        "two mechanisms, or client and server in one: a socket is one of PLAIN and CURVE, client or server"
    )]
    SeveralMechanisms,
    /// `authenticator` at a client of PLAIN or CURVE, which would never ask it.
    #[error("a client of PLAIN or CURVE does not ask an authenticator: set it on the server")]
    AuthenticatorOfClient,
}

impl SecurityOptions {
    /// Returns whether an authenticator or a handler is asked about peers.
    pub(crate) fn authenticates(&self) -> bool {
        let has_domain = !self.zap_domain.is_empty();
        if self.authenticator.is_some() {
            return true;
        }
        match &self.mechanism {
            MechanismConfig::Null => has_domain,
            #[cfg(feature = "curve")]
            MechanismConfig::CurveServer { .. } => has_domain || !self.enforces_domain,
            _ => true,
        }
    }

    /// Returns whether there is a mechanism, other than NULL.
    pub(crate) fn is_secured(&self) -> bool {
        !matches!(self.mechanism, MechanismConfig::Null)
    }

    /// Checks the options together.
    pub(crate) fn check(&self) -> Result<(), SecurityError> {
        let is_closed = self.enforces_domain && self.zap_domain.is_empty() && self.authenticator.is_none();
        match &self.mechanism {
            MechanismConfig::PlainServer if is_closed => Err(SecurityError::DomainRequired),
            mechanism if self.is_secured() && !mechanism.is_server() && self.authenticator.is_some() => {
                Err(SecurityError::AuthenticatorOfClient)
            }
            _ => Ok(()),
        }
    }

    /// Adds a property to the handshake.
    pub(crate) fn push_property(&mut self, name: &str, value: &[u8]) -> Result<(), SecurityError> {
        let is_own = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-"));
        if !is_own {
            return Err(SecurityError::PropertyName);
        }
        if self.properties.iter().count() >= MAX_PROPERTIES {
            return Err(SecurityError::PropertiesTooLarge);
        }
        self.properties.push(name, value).map_err(|error| match error {
            ConfigError::PropertyName => SecurityError::PropertyName,
            _ => SecurityError::PropertiesTooLarge,
        })
    }
}

/// The most properties of an application: two more are sent.
const MAX_PROPERTIES: usize = 253;
