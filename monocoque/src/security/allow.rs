//! An authenticator with lists of keys, passwords and addresses.

use std::collections::HashMap;
#[cfg(feature = "curve")]
use std::collections::HashSet;
use std::fmt;
use std::future::ready;
use std::net::IpAddr;
use std::pin::Pin;

use ipnet::IpNet;
#[cfg(feature = "curve")]
use monocoque_zmtp::CurvePublicKey;
#[cfg(feature = "curve")]
use monocoque_zmtp::RefusalStatus;
use monocoque_zmtp::{AuthReply, Credentials, Password};
use thiserror::Error;

use super::{AuthRequest, Authenticator};

/// Allows the peers that are listed, and no others.
///
/// A peer needs an [address](Self::addresses) that is allowed, if any are listed, and not
/// [denied](Self::deny_addresses); and with CURVE one of the [keys](Self::keys), with PLAIN one of
/// the [passwords](Self::passwords). Peers of NULL are allowed by [`anonymous`](Self::anonymous).
///
/// ```
/// use monocoque::security::Allow;
///
/// let allow = Allow::new()
///     .passwords([("anna", "s3cret"), ("ben", "hunter2")])
///     .addresses(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])?
///     .deny_addresses(["10.6.6.6"])?;
/// # drop(allow);
/// # Ok::<(), monocoque::security::AllowError>(())
/// ```
#[derive(Clone, Default)]
pub struct Allow {
    #[cfg(feature = "curve")]
    keys: HashSet<CurvePublicKey>,
    #[cfg(feature = "curve")]
    any_key: bool,
    #[cfg(feature = "curve")]
    directory: Option<super::key_directory::KeyDirectory>,
    passwords: HashMap<Vec<u8>, Password>,
    anonymous: bool,
    allowed: Option<Vec<IpNet>>,
    denied: Vec<IpNet>,
}

/// The reason why a list of peers is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AllowError {
    /// Neither an IP address nor one with the length of a prefix.
    #[error("{0:?} is neither an IP address, such as 10.0.0.1, nor a network, such as 10.0.0.0/8")]
    Address(String),
}

impl Allow {
    /// Allows nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows the owners of these keys. Their user id is the key, as Z85.
    #[cfg(feature = "curve")]
    pub fn keys(mut self, keys: impl IntoIterator<Item = CurvePublicKey>) -> Self {
        self.keys.extend(keys);
        self
    }

    /// Allows the owner of any key: encryption alone. Its user id is the key, as Z85.
    #[cfg(feature = "curve")]
    pub fn any_key(mut self) -> Self {
        self.any_key = true;
        self
    }

    /// Allows the owners of the keys in a directory, as it is when they connect: files with the end
    /// `.pub`, each with a key as Z85 in its first line. The user id is the name of the file
    /// without its end. Files that hold no key are left out.
    ///
    /// A file that comes or goes counts from the next handshake on, a new key in an old file within
    /// 100 ms; connections that are established stay. Handshakes look at the directory on the
    /// thread of the connections, and read the files that have changed: it is meant for a local
    /// disk and up to some thousands of keys. While it cannot be listed, peers are refused for now,
    /// with status 300.
    #[cfg(feature = "curve")]
    pub fn key_directory(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.directory = Some(super::key_directory::KeyDirectory::new(path.into()));
        self
    }

    /// Allows users with these passwords, of PLAIN. The user id is the user name,
    /// unless that is not UTF-8. Of two passwords of a user the last one counts.
    pub fn passwords<U, P>(mut self, passwords: impl IntoIterator<Item = (U, P)>) -> Self
    where
        U: AsRef<[u8]>,
        P: Into<Password>,
    {
        let users = passwords.into_iter().map(|(user, password)| (user.as_ref().to_vec(), password.into()));
        self.passwords.extend(users);
        self
    }

    /// Allows peers of NULL, which prove nothing: those of the allowed addresses.
    pub fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// Allows peers of these addresses and networks only, over tcp. May be called more than once.
    ///
    /// # Errors
    ///
    /// If one is neither an address nor a network.
    pub fn addresses<A: AsRef<str>>(
        mut self,
        addresses: impl IntoIterator<Item = A>,
    ) -> Result<Self, AllowError> {
        let allowed = self.allowed.get_or_insert_default();
        for address in addresses {
            allowed.push(parse(address.as_ref())?);
        }
        Ok(self)
    }

    /// Denies peers of these addresses and networks, whatever else is allowed.
    ///
    /// # Errors
    ///
    /// If one is neither an address nor a network.
    pub fn deny_addresses<A: AsRef<str>>(
        mut self,
        addresses: impl IntoIterator<Item = A>,
    ) -> Result<Self, AllowError> {
        for address in addresses {
            self.denied.push(parse(address.as_ref())?);
        }
        Ok(self)
    }

    fn allows_address(&self, address: Option<IpAddr>) -> bool {
        // An IPv4 peer of an IPv6 listener has an IPv6 address, too, and any IPv4 peer is in an
        // IPv6 network that has these.
        let forms = address.map(|address| {
            let address = address.to_canonical();
            let IpAddr::V4(v4) = address else { return [address; 2] };
            [address, v4.to_ipv6_mapped().into()]
        });
        let is_in = |networks: &[IpNet]| {
            let mut forms = forms.iter().flatten();
            forms.any(|form| networks.iter().any(|network| network.contains(form)))
        };
        self.allowed.as_deref().is_none_or(is_in) && !is_in(&self.denied)
    }

    fn decide(&self, request: &AuthRequest) -> AuthReply {
        if !self.allows_address(request.address()) {
            return AuthReply::deny();
        }
        match request.credentials() {
            Credentials::Null if self.anonymous => AuthReply::allow(),
            Credentials::Plain { username, password } => self.decide_password(username, password),
            #[cfg(feature = "curve")]
            Credentials::Curve(key) => self.decide_key(key),
            _ => AuthReply::deny(),
        }
    }

    /// Compares with a password in any case: the time does not tell which users exist.
    fn decide_password(&self, username: &[u8], password: &Password) -> AuthReply {
        let nobody = Password::from("");
        let known = self.passwords.get(username);
        let matches = password.matches(known.unwrap_or(&nobody).expose());
        if matches && known.is_some() {
            // Without one, if two names could become the same.
            AuthReply::allow_user(std::str::from_utf8(username).unwrap_or_default())
        } else {
            AuthReply::deny()
        }
    }

    #[cfg(feature = "curve")]
    fn decide_key(&self, key: &CurvePublicKey) -> AuthReply {
        if self.any_key || self.keys.contains(key) {
            return AuthReply::allow_user(key.to_string());
        }
        match self.directory.as_ref().map(|directory| directory.owner_of(key)) {
            Some(Ok(Some(owner))) => AuthReply::allow_user(owner),
            // The peer may come in once the directory can be read again.
            Some(Err(_)) => AuthReply::Refuse(RefusalStatus::Temporary),
            Some(Ok(None)) | None => AuthReply::deny(),
        }
    }
}

impl Authenticator for Allow {
    fn authenticate<'a>(&'a self, request: AuthRequest) -> Pin<Box<dyn Future<Output = AuthReply> + 'a>> {
        Box::pin(ready(self.decide(&request)))
    }
}

impl fmt::Debug for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allow")
            .field("allowed", &self.allowed)
            .field("denied", &self.denied)
            .finish_non_exhaustive()
    }
}

fn parse(text: &str) -> Result<IpNet, AllowError> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| AllowError::Address(text.to_owned()))
}
