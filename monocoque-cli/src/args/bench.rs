//! `mq bench`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use monocoque::Endpoint;

use super::{OptionArgs, Report, help, values};

/// Measure throughput and latency
///
/// Throughput is measured with PUSH and PULL, by the receiver, from its first message to its last.
/// Latency is measured with REQ and REP: the time from sending a request to receiving its reply. By
/// default both sides are in this process, each on its own thread; push, pull, req and rep run one
/// side, with another mq bench or any other program as the peer; one that is no mq bench needs
/// --count on both sides. CPU is the processor time of this process for each message, of both sides
/// if both are here. On a terminal, latency is drawn as a histogram. compare shows two results side
/// by side.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = help::BENCH)]
pub(crate) struct BenchArgs {
    /// The measurement, or the side to run
    #[arg(value_name = "WHAT", default_value = "all")]
    pub(crate) what: Measure,
    /// Accept connections at ENDPOINT [default with both sides here: tcp://127.0.0.1:*]
    #[arg(short, long, value_name = "ENDPOINT", value_parser = values::to_bind, conflicts_with = "connect")]
    pub(crate) bind: Option<Endpoint>,
    /// Connect to ENDPOINT
    #[arg(short, long, value_name = "ENDPOINT", value_parser = values::to_connect)]
    pub(crate) connect: Option<Endpoint>,
    /// The two results to compare: files that -O json has written, or endpoints of REP sockets that
    /// are measured now
    #[arg(value_name = "RESULT")]
    pub(crate) results: Vec<String>,
    /// Number of messages, the same on both sides [default: as many as --duration allows]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Measure for at least DURATION; the side that sends tells the other one when it is over
    #[arg(short, long, value_name = "DURATION", value_parser = values::duration, default_value = "1s", conflicts_with = "count")]
    pub(crate) duration: Duration,
    /// Size of a message in bytes
    #[arg(short, long, value_name = "BYTES", default_value_t = 64)]
    pub(crate) size: usize,
    /// Give up when nothing could be sent or received for DURATION
    #[arg(short, long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) options: OptionArgs,
    /// Format of the results
    #[arg(short = 'O', long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Report,
}

/// A measurement, or one side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// Throughput, then latency, both sides here
    All,
    /// Throughput, both sides here
    Throughput,
    /// Latency, both sides here
    Latency,
    /// Send messages to a PULL
    Push,
    /// Receive messages from a PUSH, and measure throughput
    Pull,
    /// Send requests to a REP, and measure latency
    Req,
    /// Reply to a REQ
    Rep,
    /// Compare two results
    Compare,
}
