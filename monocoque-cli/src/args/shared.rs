//! Options that several commands have in common.

use clap::Args;

/// The topics of commands that print what publishers send.
#[derive(Debug, Args)]
pub(crate) struct TopicArgs {
    /// Receive messages that start with TOPIC; can be given several times [default: everything]
    ///
    /// TOPIC is a prefix: `weather.` includes weather.oslo. There are no wildcards.
    #[arg(short, long, visible_alias = "topic", value_name = "TOPIC")]
    pub(crate) subscribe: Vec<String>,
}

/// The limit of what is queued for a peer.
#[derive(Debug, Args)]
pub(crate) struct ConflateSentArgs {
    /// Keep the last message only, for each peer that is not ready for it; messages of one frame
    #[arg(long)]
    pub(crate) conflate: bool,
}

/// The limit of what is queued for mq itself.
#[derive(Debug, Args)]
pub(crate) struct ConflateReceivedArgs {
    /// Keep the last message of all peers only, if mq is too slow for all; messages of one frame
    #[arg(long)]
    pub(crate) conflate: bool,
}

/// The choice of publishers between waiting and dropping.
#[derive(Debug, Args)]
pub(crate) struct NodropArgs {
    /// Wait for a subscriber with a full queue, instead of dropping messages for it
    #[arg(long)]
    pub(crate) nodrop: bool,
}

/// The reply to what peers send, of commands that address them by routing id.
#[derive(Debug, Args)]
pub(crate) struct EchoArgs {
    /// Send each message back to its sender
    #[arg(long, conflicts_with_all = ["data", "file", "input", "repeat", "interval"])]
    pub(crate) echo: bool,
}
