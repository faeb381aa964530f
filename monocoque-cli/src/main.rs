//! `mq`: ZeroMQ sockets on the command line.
//!
//! [`args`] is the command line, [`commands`] its execution. In between, [`session`] opens and
//! closes a socket, [`mod@reports`] tells what its connections do, [`mod@security`] has its keys
//! and passwords, [`input`] and [`output`] are threads that read and write messages, and
//! [`mod@format`] has the formats of messages there. [`mod@top`] draws live tables.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod commands;
mod error;
mod events;
mod format;
mod input;
#[cfg(feature = "metrics")]
mod metrics;
mod output;
mod progress;
mod reports;
mod runtime;
mod security;
mod session;
mod signals;
mod terminal;
mod top;

use std::process::ExitCode;

use crate::args::Cli;
use crate::error::Error;
use crate::reports::Verbosity;
use crate::security::Security;
use crate::session::Env;

fn main() -> ExitCode {
    let cli = Cli::from_process();
    cli.terminal.color.write_global();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::warn(&error);
            error.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Error> {
    let security = cli.command.security().map(Security::load).transpose()?.unwrap_or_default();
    let interrupt = signals::interrupt()?;
    let verbosity = if cli.terminal.verbose { Verbosity::Events } else { Verbosity::Failures };
    let env = Env { interrupt, verbosity, announce: true, security };
    runtime::block_on(commands::run(cli.command, env))?
}
