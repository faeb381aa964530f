//! The commands for what lies between sockets, and for mq itself.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use clap_complete::Shell;
use monocoque::zmq::SocketType;

use super::{ConnectionArgs, End, OptionArgs, Report, TopicArgs, help, values};

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
    pub(crate) stats: Option<Duration>,
    /// Show peers, rates, queues and drops of both sides, live
    ///
    /// Drawn anew every second, or as --stats says. Where standard output is no terminal, each
    /// snapshot is printed as text.
    #[arg(long, conflicts_with = "output")]
    pub(crate) top: bool,
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
    /// Print the time in front of each line, in UTC; JSON has it always
    #[arg(long)]
    pub(crate) time: bool,
    /// End after N events
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// Show the rates of messages by peer and by topic, live
///
/// Subscribes to publishers and shows a table that is drawn anew every --interval: their peers with
/// rates, sizes and totals, and the topics, the busiest first. The topic is the first frame of a
/// message, or its first word if it has one frame. A socket cannot be asked for its other peers:
/// what a publisher sends to others and drops for them is not seen here. For what goes through a
/// proxy, with its peers, queues and drops, see mq proxy --top. Where standard output is no
/// terminal, each snapshot is printed as text.
#[derive(Debug, Args)]
#[command(after_long_help = help::TOP)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) topics: TopicArgs,
    /// Time between two snapshots
    #[arg(short, long, value_name = "DURATION", value_parser = values::duration, default_value = "1s")]
    pub(crate) interval: Duration,
    /// End after N snapshots
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// Print the completions of a shell
///
/// The completions are made from the definitions of the command line, and know all commands,
/// options and values.
#[derive(Debug, Args)]
#[command(after_long_help = help::COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Print the manual as a man page
///
/// Prints the page of mq, or that of a command, in the format of man: mq man | man -l -
#[derive(Debug, Args)]
#[command(after_long_help = help::MAN)]
pub(crate) struct ManArgs {
    /// The command [default: mq itself]
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
    /// Write all pages to files of this directory: mq.1, mq-push.1 and so on
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    pub(crate) out: Option<PathBuf>,
}
