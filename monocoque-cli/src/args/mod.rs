//! The command line, as types.

mod bench;
mod connection;
mod ends;
mod help;
mod messages;
mod sections;
mod values;

use anstream::ColorChoice;
use clap::{Args, Parser, Subcommand, ValueEnum};
use monocoque::zmq::SocketType;

pub(crate) use bench::{BenchArgs, Measure};
pub(crate) use connection::{ConnectionArgs, EndpointArgs, OptionArgs};
pub(crate) use ends::End;
pub(crate) use messages::{AnswerArgs, FormatArgs, InputArgs, OutputArgs};

/// Talk to ZeroMQ sockets from the command line
///
/// Opens one ZeroMQ socket, sends what it reads and prints what it receives. The other end may be any program that speaks ZMTP
/// 3: libzmq and its bindings, such as pyzmq, Monocoque, or another mq. Each type of socket is a command.
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
    /// Tell on standard error what happens to connections, and in the end how much was sent and received
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// When to use colour
    ///
    /// `auto` uses it where a terminal is, and not if NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// For all that is written from now on.
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
    Dealer(ExchangeArgs),
    Router(RouterArgs),
    #[command(about = "Talk to one peer, both ways at once", long_about = help::PAIR_ABOUT, after_long_help = help::PAIR)]
    Pair(ExchangeArgs),
    Proxy(ProxyArgs),
    Monitor(MonitorArgs),
    Bench(BenchArgs),
}

/// Send messages, each to the next PULL peer in turn
///
/// Sends each message to one of its peers, one peer after the other. While no peer is there or has room, it waits.
#[derive(Debug, Args)]
#[command(after_long_help = help::PUSH)]
pub(crate) struct PushArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    /// End after sending N messages
    ///
    /// Messages of --data and --file are sent again and again until there were N.
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

impl PushArgs {
    /// Whether only an interrupt ends it.
    pub(crate) fn is_endless(&self) -> bool {
        self.input.repeat && self.count.is_none()
    }
}

/// Receive messages from PUSH peers
///
/// Prints the messages of all its peers, one of each in turn, until it is interrupted.
#[derive(Debug, Args)]
#[command(after_long_help = help::PULL)]
pub(crate) struct PullArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    /// End after receiving N messages
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// Publish messages to all SUB peers that want them
///
/// Sends each message to every peer that has subscribed to a prefix of its first frame, and to nobody if nobody has. A peer
/// needs a moment to connect and to subscribe: what is published before that is lost to it, so wait with
/// --wait-for-peers. A peer that has no room for a message does not get it, which mq reports in the end; see --nodrop.
#[derive(Debug, Args)]
#[command(after_long_help = help::PUB)]
pub(crate) struct PubArgs {
    #[command(flatten)]
    pub(crate) push: PushArgs,
    /// Put TOPIC in front of each message, as a frame of its own
    #[arg(long, value_name = "TOPIC")]
    pub(crate) topic: Option<String>,
    /// Wait for a subscriber that has no room, instead of dropping messages for it
    #[arg(long)]
    pub(crate) nodrop: bool,
}

/// Subscribe to messages of PUB peers
///
/// Prints the messages whose first frame starts with one of the topics, until it is interrupted.
#[derive(Debug, Args)]
#[command(after_long_help = help::SUB)]
pub(crate) struct SubArgs {
    #[command(flatten)]
    pub(crate) pull: PullArgs,
    /// Receive what starts with TOPIC; can be given several times [default: everything]
    #[arg(short, long, value_name = "TOPIC")]
    pub(crate) subscribe: Vec<String>,
}

/// Send requests to REP peers and print the replies
///
/// Sends a message, waits for its reply, prints that, and goes on with the next message.
#[derive(Debug, Args)]
#[command(after_long_help = help::REQ)]
pub(crate) struct ReqArgs {
    #[command(flatten)]
    pub(crate) push: PushArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Answer requests of REQ peers
///
/// Prints each request and answers it: with the same message (--echo), always with the same text (--reply), or with what a
/// command makes of it (--exec).
#[derive(Debug, Args)]
#[command(after_long_help = help::REP)]
pub(crate) struct RepArgs {
    #[command(flatten)]
    pub(crate) pull: PullArgs,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExchangeArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    /// End when N messages were received and the input has ended
    ///
    /// With 0, mq ends when the input has ended and is sent.
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// Talk to many peers by name
///
/// Prints what it receives with the routing id of its peer in front, and sends each message to the peer that its first frame
/// names. Such a message is reported, and mq fails in the end, if no peer has that routing id. Both go on at once, as with
/// mq dealer; with --echo, what is received is sent back instead, and no input is read.
#[derive(Debug, Args)]
#[command(after_long_help = help::ROUTER)]
pub(crate) struct RouterArgs {
    #[command(flatten)]
    pub(crate) exchange: ExchangeArgs,
    /// Send each message back to whoever sent it
    #[arg(long, conflicts_with_all = ["data", "file", "input", "repeat", "interval"])]
    pub(crate) echo: bool,
}

/// Pass messages between two sockets
///
/// Puts itself between peers that do not know each other: `router` and `dealer` make a queue of requests, `xsub` and `xpub` a
/// forwarder of what is published, `pull` and `push` a pipeline. Prints what was passed on when it is interrupted, on
/// SIGUSR1, and as often as --stats says.
#[derive(Debug, Args)]
#[command(after_long_help = help::PROXY)]
pub(crate) struct ProxyArgs {
    /// One side: TYPE@ENDPOINT[,ENDPOINT...]
    #[arg(value_name = "FRONTEND")]
    pub(crate) frontend: End,
    /// The other side: TYPE@ENDPOINT[,ENDPOINT...]
    #[arg(value_name = "BACKEND")]
    pub(crate) backend: End,
    /// Send a copy of all messages here: TYPE is pub, push or pair
    ///
    /// A copy that it has no room for is left out, and counted.
    #[arg(long, value_name = "TYPE@ENDPOINT")]
    pub(crate) capture: Option<End>,
    /// Print what was passed on every DURATION
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) stats: Option<std::time::Duration>,
    #[command(flatten)]
    pub(crate) options: OptionArgs,
    /// How to print it
    #[arg(short = 'O', long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Report,
}

/// Print what happens to the connections of a socket
///
/// Opens a socket and prints an event a line: attempts to connect, handshakes, ends of connections with their reasons.
/// It neither sends nor reads messages, but it is a peer like any other: what others send to it is lost.
#[derive(Debug, Args)]
#[command(after_long_help = help::MONITOR)]
pub(crate) struct MonitorArgs {
    /// Which type of socket: pair, pub, sub, req, rep, dealer, router, pull, push, xpub, xsub or stream
    #[arg(value_name = "TYPE", value_parser = values::socket_type)]
    pub(crate) kind: SocketType,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// How to print them
    #[arg(short = 'O', long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Report,
    /// End after N events
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// How figures and events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    /// For people
    Text,
    /// A JSON object on each line
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
