//! `mq keygen`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Report, help};

/// Make a key pair for CURVE
///
/// Prints a new public key and its secret key, as Z85. With --out, writes them to two files, and
/// prints the public key.
#[derive(Debug, Args)]
#[command(after_long_help = help::KEYGEN)]
pub(crate) struct KeygenArgs {
    /// Write the secret key to PATH.key, which only its owner may read, and the public key to
    /// PATH.pub
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) out: Option<PathBuf>,
    /// Replace the files of --out, if there are any
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
    /// Format of the keys
    #[arg(short = 'O', long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Report,
}
