//! The commands that send and receive at once.

use clap::{ArgAction, Args};

use super::{ConnectionArgs, EchoArgs, FormatArgs, InputArgs, NodropArgs, OutputArgs, help};

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

#[derive(Debug, Args)]
pub(crate) struct DealerArgs {
    #[command(flatten)]
    pub(crate) exchange: ExchangeArgs,
    /// Keep the last message only, of those to be sent to a peer and of those received
    #[arg(long)]
    pub(crate) conflate: bool,
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
    #[command(flatten)]
    pub(crate) reply: EchoArgs,
    /// Fail for a message to a peer that is not connected; with false, drop it
    ///
    /// Dropped messages are counted, and mq fails in the end. [with --echo: false]
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub(crate) router_mandatory: bool,
    /// Give the routing id of a connected peer to a new peer that claims it
    #[arg(long)]
    pub(crate) router_handover: bool,
}

/// Publish messages, and print the subscriptions of SUB and XSUB peers
///
/// Publishes as mq pub does. Prints what its peers send: for a subscription a one and the topic,
/// for a cancellation a zero and the topic, as one frame; and the messages of XSUB peers.
#[derive(Debug, Args)]
#[command(after_long_help = help::XPUB)]
pub(crate) struct XpubArgs {
    #[command(flatten)]
    pub(crate) exchange: ExchangeArgs,
    #[command(flatten)]
    pub(crate) drops: NodropArgs,
    /// Print each subscription, also to topics that another peer has subscribed to
    #[arg(long)]
    pub(crate) xpub_verbose: bool,
    /// Print each subscription and each cancellation
    #[arg(long)]
    pub(crate) xpub_verboser: bool,
    /// Send TEXT to each peer first
    #[arg(long, value_name = "TEXT")]
    pub(crate) xpub_welcome_msg: Option<String>,
}

/// Subscribe to messages of PUB and XPUB peers, and send messages to them
///
/// Prints the messages of its peers, and sends its input to all of them. A message that is a one
/// and a topic subscribes, as --subscribe does; a zero and a topic cancels that.
#[derive(Debug, Args)]
#[command(after_long_help = help::XSUB)]
pub(crate) struct XsubArgs {
    #[command(flatten)]
    pub(crate) exchange: ExchangeArgs,
    /// Receive messages that start with TOPIC; can be given several times [default: none]
    #[arg(short, long, visible_alias = "topic", value_name = "TOPIC")]
    pub(crate) subscribe: Vec<String>,
}

/// Exchange bytes with programs that do not speak ZeroMQ
///
/// With one endpoint to connect to, mq is a client of that connection: it waits for it, sends its
/// input, prints the chunks that arrive, and ends with the connection.
///
/// With --bind or several endpoints, each chunk is printed with the routing id of its connection in
/// front, and each message is sent, as it is, to the connection with the routing id in its first
/// frame. An empty chunk tells that a connection has begun or ended, and an empty message ends one.
/// With --echo, chunks are sent back and no input is read.
///
/// A line is sent without its line break: -f PATH and -I whole send all bytes. There is no
/// encryption: options of security are refused.
#[derive(Debug, Args)]
#[command(after_long_help = help::STREAM)]
pub(crate) struct StreamArgs {
    #[command(flatten)]
    pub(crate) exchange: ExchangeArgs,
    #[command(flatten)]
    pub(crate) reply: EchoArgs,
    /// Print empty chunks when connections begin and end; a client of one connection prints none
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub(crate) stream_notify: bool,
}
