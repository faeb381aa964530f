//! `mq bench`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use monocoque::Endpoint;

use super::connection::OptionArgs;
use super::{Report, help, values};

/// Measure throughput and latency
///
/// Throughput is that of PUSH and PULL, counted by the receiver from its first message to its last. Latency is that of REQ and
/// REP: the time from sending a request to having its reply. By default both ends are in this process, each on a
/// thread of its own; push, pull, req and rep are one end, for another mq bench or any other program.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = help::BENCH)]
pub(crate) struct BenchArgs {
    /// What to measure, or which end to be
    #[arg(value_name = "WHAT", default_value = "all")]
    pub(crate) what: Measure,
    /// Accept connections at ENDPOINT [default with both ends here: tcp://127.0.0.1:*]
    #[arg(short, long, value_name = "ENDPOINT", value_parser = values::to_bind, conflicts_with = "connect")]
    pub(crate) bind: Option<Endpoint>,
    /// Connect to ENDPOINT
    #[arg(short, long, value_name = "ENDPOINT", value_parser = values::to_connect)]
    pub(crate) connect: Option<Endpoint>,
    /// How many messages, the same at both ends [default: 1000000; 10000 for latency, req and rep]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// How many bytes a message has
    #[arg(short, long, value_name = "BYTES", default_value_t = 64)]
    pub(crate) size: usize,
    /// Give up when nothing could be sent or received for so long
    #[arg(short, long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) options: OptionArgs,
    /// How to print the figures
    #[arg(short = 'O', long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Report,
}

/// What is measured, or one end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// Throughput, then latency, both ends here
    All,
    /// Throughput, both ends here
    Throughput,
    /// Latency, both ends here
    Latency,
    /// Send messages to a PULL
    Push,
    /// Receive messages of a PUSH, and measure throughput
    Pull,
    /// Ask a REP, and measure latency
    Req,
    /// Answer a REQ
    Rep,
}
