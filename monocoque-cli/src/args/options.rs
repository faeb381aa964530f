//! Options of sockets.

use std::time::Duration;

use clap::{ArgAction, Args};
use monocoque::Endpoint;

use super::{SecurityArgs, values};

#[derive(Clone, Debug, Args)]
pub(crate) struct OptionArgs {
    /// High-water mark: messages queued to be sent to each peer, and received from each; 0 for no
    /// limit
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1000,
        env = "MQ_HWM",
        hide_env_values = true,
        help_heading = "Connections"
    )]
    pub(crate) hwm: usize,
    /// Time to send queued messages at the end [default: --timeout if given, else 30s]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, env = "MQ_LINGER", hide_env_values = true, help_heading = "Connections")]
    pub(crate) linger: Option<Duration>,
    /// Heartbeat interval; a peer that does not reply within it is disconnected [default: no
    /// heartbeats]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, env = "MQ_HEARTBEAT", hide_env_values = true, help_heading = "Connections")]
    pub(crate) heartbeat: Option<Duration>,
    /// Wait for a peer before taking a message; with false, queue it for an endpoint that is not
    /// connected yet
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set, help_heading = "Connections")]
    pub(crate) immediate: bool,
    /// Time between two attempts to connect; it doubles while they fail [default: 100ms]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = "Connections")]
    pub(crate) reconnect_interval: Option<Duration>,
    /// Longest time between two attempts; with 0 it is constant [default: 5s, at most 50 times the
    /// first]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = "Connections")]
    pub(crate) reconnect_interval_max: Option<Duration>,
    /// Time limit of an attempt to connect [default: that of the system]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = "Connections")]
    pub(crate) connect_timeout: Option<Duration>,
    /// Time limit of a handshake [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = "Connections")]
    pub(crate) handshake_timeout: Option<Duration>,
    /// TCP keep-alive, after DURATION without traffic: 1s to 32767s [default: that of the system]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = "Connections")]
    pub(crate) keep_alive: Option<Duration>,
    /// Largest message that a peer may send, all frames together; k, M and G stand for powers of
    /// 1024 [default: 1G]
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, help_heading = "Connections")]
    pub(crate) max_message_size: Option<u64>,
    /// Connect through the SOCKS5 proxy at this tcp endpoint
    #[arg(long, value_name = "ENDPOINT", value_parser = values::to_connect, env = "MQ_SOCKS_PROXY", hide_env_values = true, help_heading = "Connections")]
    pub(crate) socks_proxy: Option<Endpoint>,
    /// Send buffer of the system for each connection [default: that of the system]
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, help_heading = "Connections")]
    pub(crate) send_buffer: Option<u64>,
    /// Receive buffer of the system for each connection [default: that of the system]
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, help_heading = "Connections")]
    pub(crate) recv_buffer: Option<u64>,
    #[command(flatten)]
    pub(crate) security: SecurityArgs,
}
