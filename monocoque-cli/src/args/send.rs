//! The commands that send: `mq push`, `mq pub` and `mq req`.

use std::num::NonZeroUsize;

use clap::Args;

use super::{ConflateSentArgs, ConnectionArgs, FormatArgs, InputArgs, NodropArgs, OutputArgs, help};

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
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

impl SendArgs {
    /// Returns whether only a signal ends the command.
    pub(crate) fn is_endless(&self) -> bool {
        self.input.repeat && self.count.is_none()
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
    pub(crate) send: SendArgs,
    #[command(flatten)]
    pub(crate) queue: ConflateSentArgs,
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
    pub(crate) send: SendArgs,
    /// Put TOPIC in front of each message, as a frame of its own
    #[arg(long, value_name = "TOPIC")]
    pub(crate) topic: Option<String>,
    #[command(flatten)]
    pub(crate) drops: NodropArgs,
    #[command(flatten)]
    pub(crate) queue: ConflateSentArgs,
}

/// Send requests to REP peers and print the replies
///
/// Sends a message, waits for its reply, prints the reply, and continues with the next message.
#[derive(Debug, Args)]
#[command(after_long_help = help::REQ)]
pub(crate) struct ReqArgs {
    #[command(flatten)]
    pub(crate) send: SendArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Send requests over N sockets at once; replies are printed as they arrive
    #[arg(short, long, value_name = "N", default_value = "1")]
    pub(crate) parallel: NonZeroUsize,
    /// Mark each request with a number, and ignore replies to earlier ones
    #[arg(long)]
    pub(crate) req_correlate: bool,
}
