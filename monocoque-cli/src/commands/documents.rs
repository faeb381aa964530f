//! `mq completions` and `mq man`: documents that are made from the definitions of the command line.

use std::fs;
use std::io::{self, ErrorKind, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::error::Error;

pub(super) fn completions(args: &CompletionsArgs) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    print(&script)
}

pub(super) fn man(args: &ManArgs) -> Result<(), Error> {
    let mut mq = Cli::command();
    mq.build();
    let commands = || mq.get_subcommands().filter(|command| command.get_name() != "help");
    if let Some(directory) = &args.out {
        for command in commands().chain([&mq]) {
            let path = directory.join(format!("{}.1", full_name(command)));
            let page = page(command).map_err(|error| Error::Write(path.clone(), error))?;
            fs::write(&path, page).map_err(|error| Error::Write(path, error))?;
        }
        return Ok(());
    }
    let command = match &args.command {
        None => &mq,
        Some(name) => commands()
            .find(|command| command.get_name() == name)
            .ok_or_else(|| Error::Usage(format!("there is no command {name:?}: see mq --help")))?,
    };
    print(&page(command).map_err(Error::Stdout)?)
}

/// Returns the man page of a command.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).section("1");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    Roff::new().control("SH", ["SYNOPSIS"]).text([roman(usage)]).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let text = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    sections(&text).to_writer(&mut page)?;
    Ok(page)
}

/// Returns the sections of the text below the options, whose lines stay as they are.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    for line in text.lines() {
        match line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            Some(name) => {
                let name = if name == "Exit codes" { "EXIT STATUS".into() } else { name.to_uppercase() };
                roff.control("fi", []).control("SH", [&*name]).control("nf", []);
            }
            None => {
                roff.text([roman(line)]);
            }
        }
    }
    roff.control("fi", []);
    roff
}

/// Returns the name of a page: `mq`, or `mq-push`.
fn full_name(command: &Command) -> String {
    match command.get_name() {
        NAME => NAME.into(),
        name => format!("{NAME}-{name}"),
    }
}

fn print(bytes: &[u8]) -> Result<(), Error> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
        _ => Ok(()),
    }
}

const NAME: &str = "mq";
