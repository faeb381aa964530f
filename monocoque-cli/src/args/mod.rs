//! The command line, as types.

mod bench;
mod connection;
mod ends;
mod exchange;
mod habits;
mod help;
mod keygen;
mod messages;
mod options;
mod receive;
mod sections;
mod security;
mod send;
mod shared;
mod tips;
mod tools;
mod values;

use anstream::ColorChoice;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub(crate) use bench::{BenchArgs, Measure};
use connection::Origin;
pub(crate) use connection::{ConnectionArgs, EndpointArgs};
pub(crate) use ends::End;
pub(crate) use exchange::{DealerArgs, ExchangeArgs, RouterArgs, StreamArgs, XpubArgs, XsubArgs};
pub(crate) use keygen::KeygenArgs;
pub(crate) use messages::{AnswerArgs, ExecArgs, FormatArgs, InputArgs, OutputArgs};
pub(crate) use options::OptionArgs;
pub(crate) use receive::{PullArgs, ReceiveArgs, RepArgs, SubArgs};
pub(crate) use security::{KeyArg, SecurityArgs};
pub(crate) use send::{PubArgs, PushArgs, ReqArgs, SendArgs};
pub(crate) use shared::TopicArgs;
use shared::{ConflateReceivedArgs, ConflateSentArgs, EchoArgs, NodropArgs};
pub(crate) use tools::{CompletionsArgs, ManArgs, MonitorArgs, ProxyArgs, TopArgs};
pub(crate) use values::to_connect as parse_endpoint;

/// Talk to ZeroMQ sockets from the command line
///
/// Opens one ZeroMQ socket, sends messages that it reads, and prints messages that it receives. The
/// peer may be any program that speaks ZMTP 3: libzmq and its bindings, such as pyzmq, Monocoque,
/// or another mq. Each socket type is a command.
#[derive(Debug, Parser)]
#[command(name = "mq", version, after_long_help = help::MQ, max_term_width = 100, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) terminal: TerminalArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TerminalArgs {
    /// Print the events of connections on standard error, and in the end the number of messages
    #[arg(short, long, global = true, display_order = 900)]
    pub(crate) verbose: bool,
    /// Use of colour
    ///
    /// `auto` uses it on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, display_order = 901, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Sets the choice for the whole process.
    pub(crate) fn write_global(self) {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
        .write_global();
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Push(PushArgs),
    Pull(PullArgs),
    Pub(PubArgs),
    Sub(SubArgs),
    Req(ReqArgs),
    Rep(RepArgs),
    #[command(about = "Send and receive messages, both at once", long_about = help::DEALER_ABOUT, after_long_help = help::DEALER)]
    Dealer(DealerArgs),
    Router(RouterArgs),
    #[command(about = "Exchange messages with one peer, in both directions at once", long_about = help::PAIR_ABOUT, after_long_help = help::PAIR)]
    Pair(ExchangeArgs),
    Xpub(XpubArgs),
    Xsub(XsubArgs),
    Stream(StreamArgs),
    Proxy(ProxyArgs),
    Monitor(MonitorArgs),
    Top(TopArgs),
    Bench(BenchArgs),
    Keygen(KeygenArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

impl Command {
    /// Returns the options of security, of a command that opens sockets.
    pub(crate) fn security(&self) -> Option<&SecurityArgs> {
        let options = match self {
            Self::Proxy(args) => &args.options,
            Self::Bench(args) => &args.options,
            _ => &self.connection()?.options,
        };
        Some(&options.security)
    }

    /// Returns the arguments of the one socket that a command opens.
    fn connection(&self) -> Option<&ConnectionArgs> {
        Some(match self {
            Self::Push(args) => &args.send.connection,
            Self::Pull(args) => &args.receive.connection,
            Self::Pub(args) => &args.send.connection,
            Self::Sub(args) => &args.receive.connection,
            Self::Req(args) => &args.send.connection,
            Self::Rep(args) => &args.receive.connection,
            Self::Dealer(args) => &args.exchange.connection,
            Self::Pair(args) => &args.connection,
            Self::Router(args) => &args.exchange.connection,
            Self::Xpub(args) => &args.exchange.connection,
            Self::Xsub(args) => &args.exchange.connection,
            Self::Stream(args) => &args.exchange.connection,
            Self::Monitor(args) => &args.connection,
            Self::Top(args) => &args.connection,
            Self::Proxy(_) | Self::Bench(_) | Self::Keygen(_) | Self::Completions(_) | Self::Man(_) => {
                return None;
            }
        })
    }

    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(match self {
            Self::Push(args) => &mut args.send.connection,
            Self::Pull(args) => &mut args.receive.connection,
            Self::Pub(args) => &mut args.send.connection,
            Self::Sub(args) => &mut args.receive.connection,
            Self::Req(args) => &mut args.send.connection,
            Self::Rep(args) => &mut args.receive.connection,
            Self::Dealer(args) => &mut args.exchange.connection,
            Self::Pair(args) => &mut args.connection,
            Self::Router(args) => &mut args.exchange.connection,
            Self::Xpub(args) => &mut args.exchange.connection,
            Self::Xsub(args) => &mut args.exchange.connection,
            Self::Stream(args) => &mut args.exchange.connection,
            Self::Monitor(args) => &mut args.connection,
            Self::Top(args) => &mut args.connection,
            Self::Proxy(_) | Self::Bench(_) | Self::Keygen(_) | Self::Completions(_) | Self::Man(_) => {
                return None;
            }
        })
    }
}

impl Cli {
    /// Parses the command line of the process; ends it with a text if that is not valid.
    pub(crate) fn from_process() -> Self {
        let (mut command, given) = (Self::command(), Vec::from_iter(std::env::args_os()));
        let matches = command
            .try_get_matches_from_mut(&given)
            .unwrap_or_else(|error| tips::add(error, &command, &given).exit());
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        let variable = matches.subcommand().is_some_and(|(_, arguments)| {
            let is_known = arguments.try_contains_id(connection::ENDPOINT).is_ok();
            is_known && arguments.value_source(connection::ENDPOINT) == Some(ValueSource::EnvVariable)
        });
        if let Some(connection) = cli.command.connection_mut() {
            connection.endpoints.settle(if variable { Origin::Variable } else { Origin::Arguments });
        }
        cli
    }
}

/// The format of results and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    /// Lines of text
    Text,
    /// A JSON object on each line
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
