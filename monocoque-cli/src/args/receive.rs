//! The commands that receive: `mq pull`, `mq sub` and `mq rep`.

use clap::Args;

use super::{
    AnswerArgs, ConflateReceivedArgs, ConnectionArgs, ExecArgs, FormatArgs, OutputArgs, TopicArgs, help,
};

#[derive(Debug, Args)]
pub(crate) struct ReceiveArgs {
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

/// Receive messages from PUSH peers
///
/// Prints the messages of all its peers, one of each in turn, until it is interrupted.
#[derive(Debug, Args)]
#[command(after_long_help = help::PULL)]
pub(crate) struct PullArgs {
    #[command(flatten)]
    pub(crate) receive: ReceiveArgs,
    #[command(flatten)]
    pub(crate) queue: ConflateReceivedArgs,
}

/// Subscribe to messages of PUB peers
///
/// Prints the messages whose first frame starts with one of the topics, until it is interrupted.
#[derive(Debug, Args)]
#[command(after_long_help = help::SUB)]
pub(crate) struct SubArgs {
    #[command(flatten)]
    pub(crate) receive: ReceiveArgs,
    #[command(flatten)]
    pub(crate) topics: TopicArgs,
    #[command(flatten)]
    pub(crate) queue: ConflateReceivedArgs,
}

/// Reply to requests of REQ peers
///
/// Prints each request and replies to it: with the same message (--echo), always with the same text
/// (--reply), or with the output of a command (--exec).
#[derive(Debug, Args)]
#[command(after_long_help = help::REP)]
pub(crate) struct RepArgs {
    #[command(flatten)]
    pub(crate) receive: ReceiveArgs,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
    #[command(flatten)]
    pub(crate) exec: ExecArgs,
}
