//! `mq`: ZeroMQ sockets on the command line.
//!
//! [`args`] is the command line, [`commands`] its execution. In between, [`session`] opens and
//! closes a socket, [`input`] and [`output`] are threads that read and write messages, and
//! [`mod@format`] has the formats of messages there.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod commands;
mod error;
mod events;
mod format;
mod input;
mod output;
mod progress;
mod runtime;
mod session;
mod signals;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::session::Env;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.terminal.color.write_global();
    let done = signals::interrupt().and_then(|interrupt| {
        let env = Env { interrupt, verbose: cli.terminal.verbose, announce: true };
        runtime::block_on(commands::run(cli.command, env))?
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::warn(&error);
            error.exit_code()
        }
    }
}
