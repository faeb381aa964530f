//! Options of security.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Clone, Debug, Args)]
pub(crate) struct SecurityArgs {
    /// Encrypt with CURVE, as the server with the secret key in --key-file
    ///
    /// Its peers are clients that know its public key. Either side may bind. All of them may
    /// connect, unless --allow-key or --keys says which.
    #[arg(long, groups = ["mechanism", "curve"], requires = "key_file", help_heading = "Security")]
    pub(crate) curve_server: bool,
    /// Encrypt with CURVE, as a client of the server with the public key --server-key
    ///
    /// Without --key-file, the client uses a new key.
    #[arg(long, groups = ["mechanism", "curve"], requires = "server_key", help_heading = "Security")]
    pub(crate) curve_client: bool,
    /// File with the secret key of this socket, as mq keygen writes it
    ///
    /// The key is the first line, as Z85, or that of a certificate of pyzmq (NAME.key_secret). mq
    /// warns if other users may read the file.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, allow_hyphen_values = true, requires = "curve", help_heading = "Security")]
    pub(crate) key_file: Option<PathBuf>,
    /// Public key of the server: 40 characters of Z85, or the path of its .pub file
    #[arg(
        long,
        value_name = "KEY",
        allow_hyphen_values = true,
        requires = "curve_client",
        conflicts_with = "curve_server",
        help_heading = "Security"
    )]
    pub(crate) server_key: Option<KeyArg>,
    /// Allow the client with this public key; can be given several times
    ///
    /// KEY is the key or the path of its .pub file. Clients with other keys are refused.
    #[arg(
        long,
        value_name = "KEY",
        allow_hyphen_values = true,
        requires = "curve_server",
        conflicts_with = "curve_client",
        help_heading = "Security"
    )]
    pub(crate) allow_key: Vec<KeyArg>,
    /// Allow the clients whose public keys are in the .pub files of DIR
    ///
    /// The files are read when a client connects: keys can be added and removed while mq runs.
    /// Clients with other keys are refused. mq warns if other users may change DIR or a file in it.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "curve_server", conflicts_with = "curve_client", help_heading = "Security")]
    pub(crate) keys: Option<PathBuf>,
    /// Require a user name and a password that --passwords lists (PLAIN: nothing is encrypted)
    #[arg(long, group = "mechanism", requires = "passwords", help_heading = "Security")]
    pub(crate) plain_server: bool,
    /// File of the users: lines user:password
    ///
    /// Blank lines and lines that start with # are ignored. The file is read once, at the start:
    /// to change a password, restart mq. mq warns if other users of the machine may read the file.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, requires = "plain_server", help_heading = "Security")]
    pub(crate) passwords: Option<PathBuf>,
    /// Log in as USER (PLAIN: nothing is encrypted), with the password of --password-file or of the
    /// environment variable MQ_PASSWORD
    #[arg(long, value_name = "USER", group = "mechanism", help_heading = "Security")]
    pub(crate) plain_client: Option<String>,
    /// File with the password, which is its first line
    ///
    /// mq warns if other users may read the file.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, requires = "plain_client", help_heading = "Security")]
    pub(crate) password_file: Option<PathBuf>,
    /// Allow peers of this IP address or network, as in 10.0.0.0/8; can be given several times
    ///
    /// All others are refused, also those over ipc. A server of CURVE or PLAIN requires the key or
    /// the password as well.
    #[arg(long, value_name = "NET", conflicts_with_all = ["curve_client", "plain_client"], help_heading = "Security")]
    pub(crate) allow_address: Vec<String>,
    /// End with exit code 77 when a peer refuses this socket
    ///
    /// Without it, mq tries again: the peer may allow it later.
    #[arg(long, help_heading = "Security")]
    pub(crate) fail_on_refusal: bool,
}

/// A public key or the path of its file, which may be a secret by mistake: it is neither in `Debug`
/// nor in errors of the command line.
#[derive(Clone)]
pub(crate) struct KeyArg(pub(crate) OsString);

impl From<OsString> for KeyArg {
    fn from(value: OsString) -> Self {
        Self(value)
    }
}

impl fmt::Debug for KeyArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyArg(..)")
    }
}
