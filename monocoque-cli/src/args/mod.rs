//! The command line, as types.

mod bench;
mod connection;
mod ends;
mod help;
mod keygen;
mod messages;
mod sections;
mod security;
mod values;

use anstream::ColorChoice;
use clap::{Args, Parser, Subcommand, ValueEnum};
use monocoque::zmq::SocketType;

pub(crate) use bench::{BenchArgs, Measure};
pub(crate) use connection::{ConnectionArgs, EndpointArgs, OptionArgs};
pub(crate) use ends::End;
pub(crate) use keygen::KeygenArgs;
pub(crate) use messages::{AnswerArgs, FormatArgs, InputArgs, OutputArgs};
pub(crate) use security::{KeyArg, SecurityArgs};

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
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Use of colour
    ///
    /// `auto` uses it on a terminal, unless NO_COLOR is set.
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
    Dealer(ExchangeArgs),
    Router(RouterArgs),
    #[command(about = "Exchange messages with one peer, in both directions at once", long_about = help::PAIR_ABOUT, after_long_help = help::PAIR)]
    Pair(ExchangeArgs),
    Proxy(ProxyArgs),
    Monitor(MonitorArgs),
    Bench(BenchArgs),
    Keygen(KeygenArgs),
}

impl Command {
    /// Returns the options of security, of a command that opens sockets.
    pub(crate) fn security(&self) -> Option<&SecurityArgs> {
        let options = match self {
            Self::Push(args) => &args.connection.options,
            Self::Pull(args) => &args.connection.options,
            Self::Pub(args) => &args.push.connection.options,
            Self::Sub(args) => &args.pull.connection.options,
            Self::Req(args) => &args.push.connection.options,
            Self::Rep(args) => &args.pull.connection.options,
            Self::Dealer(args) | Self::Pair(args) => &args.connection.options,
            Self::Router(args) => &args.exchange.connection.options,
            Self::Proxy(args) => &args.options,
            Self::Monitor(args) => &args.connection.options,
            Self::Bench(args) => &args.options,
            Self::Keygen(_) => return None,
        };
        Some(&options.security)
    }
}

/// Send messages, each to the next PULL peer in turn
///
/// Sends each message to one of its peers, one peer after the other. Waits while no peer is
/// connected or has room.
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
    /// Messages of --data and --file are repeated until N were sent.
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

impl PushArgs {
    /// Returns whether only a signal ends the command.
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

/// Publish messages to all subscribed SUB peers
///
/// Sends each message to every peer that has subscribed to a prefix of its first frame. Without
/// such a peer the message is dropped. Connecting and subscribing take a moment: a peer misses
/// messages published before that, so wait with --wait-for-peers. Messages for a peer with a full
/// queue are dropped, which mq reports in the end; see --nodrop.
#[derive(Debug, Args)]
#[command(after_long_help = help::PUB)]
pub(crate) struct PubArgs {
    #[command(flatten)]
    pub(crate) push: PushArgs,
    /// Put TOPIC in front of each message, as a frame of its own
    #[arg(long, value_name = "TOPIC")]
    pub(crate) topic: Option<String>,
    /// Wait for a subscriber with a full queue, instead of dropping messages for it
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
    /// Receive messages that start with TOPIC; can be given several times [default: everything]
    #[arg(short, long, value_name = "TOPIC")]
    pub(crate) subscribe: Vec<String>,
}

/// Send requests to REP peers and print the replies
///
/// Sends a message, waits for its reply, prints the reply, and continues with the next message.
#[derive(Debug, Args)]
#[command(after_long_help = help::REQ)]
pub(crate) struct ReqArgs {
    #[command(flatten)]
    pub(crate) push: PushArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Reply to requests of REQ peers
///
/// Prints each request and replies to it: with the same message (--echo), always with the same text
/// (--reply), or with the output of a command (--exec).
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
    /// With 0, mq ends when all of the input is sent.
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// Exchange messages with many peers, addressed by routing id
///
/// Prints each message with the routing id of its peer in front, and sends each message to the peer
/// with the routing id in its first frame. If no peer has that routing id, mq reports the message,
/// and fails in the end. Sending and receiving go on at once, as with mq dealer; with --echo, each
/// message is sent back instead, and no input is read.
#[derive(Debug, Args)]
#[command(after_long_help = help::ROUTER)]
pub(crate) struct RouterArgs {
    #[command(flatten)]
    pub(crate) exchange: ExchangeArgs,
    /// Send each message back to its sender
    #[arg(long, conflicts_with_all = ["data", "file", "input", "repeat", "interval"])]
    pub(crate) echo: bool,
}

/// Forward messages between two sockets
///
/// Connects peers that do not know each other: `router` and `dealer` form a request queue, `xsub`
/// and `xpub` a forwarder, `pull` and `push` a pipeline. Prints the number of forwarded messages
/// when it is interrupted, on SIGUSR1, and at the interval of --stats. The options of connections
/// and of security apply to all its sockets: both sides, and --capture.
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
    /// A copy that it has no room for is dropped and counted.
    #[arg(long, value_name = "TYPE@ENDPOINT")]
    pub(crate) capture: Option<End>,
    /// Print the number of forwarded messages every DURATION
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) stats: Option<std::time::Duration>,
    /// Serve metrics at http://ADDRESS/metrics, in the text format of Prometheus
    ///
    /// Counters and gauges of the sockets and their peers, sampled once a second. ADDRESS is an IP
    /// address and a port, as in 127.0.0.1:9464; with port 0, mq prints the port on standard error.
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics: Option<std::net::SocketAddr>,
    #[command(flatten)]
    pub(crate) options: OptionArgs,
    /// Format of the statistics
    #[arg(short = 'O', long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Report,
}

/// Print the events of a socket's connections
///
/// Opens a socket and prints an event a line: attempts to connect, handshakes, ends of connections
/// with their reasons. It neither sends nor reads messages, but counts as a peer: messages sent to
/// it are lost.
#[derive(Debug, Args)]
#[command(after_long_help = help::MONITOR)]
pub(crate) struct MonitorArgs {
    /// Socket type: pair, pub, sub, req, rep, dealer, router, pull, push, xpub, xsub or stream
    #[arg(value_name = "TYPE", value_parser = values::socket_type)]
    pub(crate) kind: SocketType,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// Format of the events
    #[arg(short = 'O', long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Report,
    /// End after N events
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
