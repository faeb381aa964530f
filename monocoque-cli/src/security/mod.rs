//! The mechanism of the sockets, and who may connect to them.
//!
//! Made from the command line before a socket is opened. [`keys`] and [`passwords`] read files,
//! [`failures`] explains handshakes that fail.

mod certificate;
mod failures;
mod files;
mod key_directory;
mod keys;
mod passwords;
mod refusals;
mod repeats;

use std::future::pending;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::Command;

use monocoque::AnySocket;
use monocoque::security::{Allow, CurveKeyPair, CurvePublicKey, CurveSecretKey, Password};
use monocoque::zmq::Builder;

use crate::args::{KeyArg, SecurityArgs};
use crate::error::Error;

pub(crate) use failures::{Explanation, Failures};
use refusals::FirstRefusal;
pub(crate) use refusals::Refusals;

/// The security options of all sockets of the process. Neither keys nor passwords are in `Debug`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Security {
    mechanism: Mechanism,
    allow: Option<Allow>,
    /// The first refusal by a peer, if it ends the command.
    first_refusal: Option<FirstRefusal>,
}

#[derive(Clone, Debug, Default)]
enum Mechanism {
    #[default]
    Null,
    PlainServer,
    PlainClient {
        user: String,
        password: Password,
    },
    CurveServer(CurveSecretKey),
    CurveClient {
        secret_key: CurveSecretKey,
        server_key: CurvePublicKey,
    },
}

impl Security {
    /// Reads the files that the command line names.
    pub(crate) fn load(args: &SecurityArgs) -> Result<Self, Error> {
        let first_refusal = args.fail_on_refusal.then(FirstRefusal::new);
        Ok(Self { mechanism: Mechanism::load(args)?, allow: allow(args)?, first_refusal })
    }

    /// Sets the options of a socket.
    pub(crate) fn apply(&self, builder: Builder<AnySocket>) -> Builder<AnySocket> {
        let builder = match &self.mechanism {
            Mechanism::Null => builder,
            Mechanism::PlainServer => builder.plain_server(),
            Mechanism::PlainClient { user, password } => builder.plain_client(user, password.clone()),
            Mechanism::CurveServer(secret_key) => builder.curve_server(secret_key.clone()),
            Mechanism::CurveClient { secret_key, server_key } => {
                builder.curve_client(secret_key.clone(), *server_key)
            }
        };
        match &self.allow {
            Some(allow) => builder.authenticator(allow.clone()),
            None => builder,
        }
    }

    /// Returns whether there is no mechanism, and no list of who may connect.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self { mechanism: Mechanism::Null, allow: None, .. })
    }

    /// Waits until a peer refuses a socket, with --fail-on-refusal; without, for ever.
    pub(crate) async fn refused(&self) -> Error {
        match &self.first_refusal {
            Some(refusal) => Error::Refused(refusal.reported().await),
            None => pending().await,
        }
    }

    /// Returns the options of a client for this server, with a new key; `None` if that needs more
    /// than this server knows.
    pub(crate) fn of_client(&self) -> Option<Self> {
        let mechanism = match &self.mechanism {
            Mechanism::Null => Mechanism::Null,
            Mechanism::CurveServer(secret_key) => {
                let server_key = secret_key.public_key();
                Mechanism::CurveClient { secret_key: CurveKeyPair::generate().into(), server_key }
            }
            _ => return None,
        };
        Some(Self { mechanism, allow: None, first_refusal: self.first_refusal.clone() })
    }
}

impl Mechanism {
    fn load(args: &SecurityArgs) -> Result<Self, Error> {
        let secret_key = args.key_file.as_deref().map(keys::read_secret_key).transpose()?;
        let server_key = args.server_key.as_ref().map(|key| public_key("--server-key", key)).transpose()?;
        Ok(match (secret_key, server_key) {
            (Some(secret_key), None) => Self::CurveServer(secret_key),
            (Some(secret_key), Some(server_key)) if keys::is_same(&secret_key, &server_key) => {
                let reason = "--server-key is the secret key in --key-file, not the public key of the server";
                return Err(Error::Usage(reason.into()));
            }
            (secret_key, Some(server_key)) => {
                let secret_key = secret_key.unwrap_or_else(|| CurveKeyPair::generate().into());
                Self::CurveClient { secret_key, server_key }
            }
            (None, None) if args.plain_server => Self::PlainServer,
            (None, None) => match &args.plain_client {
                Some(user) => Self::PlainClient { user: user.clone(), password: password(args)? },
                None => Self::Null,
            },
        })
    }
}

/// Returns the password of a client of PLAIN.
fn password(args: &SecurityArgs) -> Result<Password, Error> {
    if let Some(path) = &args.password_file {
        return passwords::read_password(path);
    }
    let password = std::env::var_os(PASSWORD).filter(|password| !password.is_empty()).ok_or_else(|| {
        Error::Usage(format!(
            "--plain-client needs a password: in a file with --password-file, or in the environment variable {PASSWORD}"
        ))
    })?;
    Ok(password.into_vec().into())
}

/// Returns a public key, and warns if others may change its file.
fn public_key(option: &str, key: &KeyArg) -> Result<CurvePublicKey, Error> {
    let public_key = keys::public_key(option, key)?;
    let path = Path::new(&key.0);
    if path.extension().is_some_and(|end| end == "pub") {
        key_directory::warn_writable(&[&path.to_owned()]);
    }
    Ok(public_key)
}

/// Returns the lists of who may connect; `None` if there is none.
fn allow(args: &SecurityArgs) -> Result<Option<Allow>, Error> {
    let SecurityArgs { allow_key, keys, passwords: table, allow_address, .. } = args;
    let has_keys = !allow_key.is_empty() || keys.is_some();
    if !has_keys && table.is_none() && allow_address.is_empty() {
        return Ok(None);
    }
    let listed = allow_key.iter().map(|key| public_key("--allow-key", key));
    let mut allow = Allow::new().keys(listed.collect::<Result<Vec<_>, _>>()?);
    if let Some(directory) = keys {
        key_directory::check(directory)?;
        allow = allow.key_directory(directory);
    }
    if let Some(path) = table {
        allow = allow.passwords(passwords::read_passwords(path)?);
    }
    if args.curve_server && !has_keys {
        allow = allow.any_key();
    }
    if !args.curve_server && !args.plain_server {
        allow = allow.anonymous();
    }
    if !allow_address.is_empty() {
        let invalid = |error| Error::Usage(format!("--allow-address: {error}"));
        allow = allow.addresses(allow_address).map_err(invalid)?;
    }
    Ok(Some(allow))
}

/// Removes secrets from the environment of a command that `mq` starts.
pub(crate) fn remove_secrets(command: &mut Command) -> &mut Command {
    command.env_remove(PASSWORD)
}

/// The environment variable with the password of a client of PLAIN.
const PASSWORD: &str = "MQ_PASSWORD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_secrets() {
        let keys = CurveKeyPair::generate();
        let server = Mechanism::CurveServer(keys.secret.clone());
        let client = Mechanism::CurveClient { secret_key: keys.secret.clone(), server_key: keys.public };
        let user = Mechanism::PlainClient { user: "anna".into(), password: "s3cret".into() };
        let allow = Some(Allow::new().passwords([("anna", "s3cret")]));
        for mechanism in [server, client, user] {
            let shown = format!("{:?}", Security { mechanism, allow: allow.clone(), first_refusal: None });
            assert!(!shown.contains(&*keys.secret.to_z85()) && !shown.contains("s3cret"), "{shown}");
        }
    }
}
