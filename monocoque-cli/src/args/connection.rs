//! Where a socket binds and connects, and with which options.

use std::time::Duration;

use clap::Args;
use monocoque::Endpoint;

use super::values;

#[derive(Debug, Args)]
pub(crate) struct ConnectionArgs {
    #[command(flatten)]
    pub(crate) endpoints: EndpointArgs,
    #[command(flatten)]
    pub(crate) options: OptionArgs,
    /// The routing id that peers know this socket by [default: they make one up]
    #[arg(long, visible_alias = "routing-id", value_name = "ID", help_heading = "Connections")]
    pub(crate) identity: Option<String>,
    /// Give up when nothing could be sent or received for so long
    ///
    /// Time in which mq itself waits for input does not count. What ends then, and with which exit code, is said below.
    #[arg(short, long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct EndpointArgs {
    /// Accept connections at ENDPOINT; can be given several times
    ///
    /// With a wildcard, as in tcp://*:5555, tcp://127.0.0.1:* or ipc://*, mq tells on standard error where that is.
    #[arg(short, long, value_name = "ENDPOINT", value_parser = values::to_bind, help_heading = "Connections")]
    pub(crate) bind: Vec<Endpoint>,
    /// Connect to ENDPOINT, and again whenever the connection is lost; can be given several times
    #[arg(short, long, value_name = "ENDPOINT", value_parser = values::to_connect, help_heading = "Connections")]
    pub(crate) connect: Vec<Endpoint>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct OptionArgs {
    /// How many messages may wait to be sent to each peer, and how many received from each; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 1000, help_heading = "Connections")]
    pub(crate) hwm: usize,
    /// How long to go on sending in the end what is not sent yet [default: --timeout if there is one, else 30s]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = "Connections")]
    pub(crate) linger: Option<Duration>,
    /// How often to ask peers for a sign of life; one that gives none for as long is given up [default: never]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = "Connections")]
    pub(crate) heartbeat: Option<Duration>,
}
