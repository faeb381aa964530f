//! The options of a socket, as a program reads them.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use monocoque_core::{Endpoint, Message, RoutingId};

use super::builder::UNLIMITED;
use crate::options::Options;

/// The options of a socket at one time, returned by [`options`](super::Socket::options).
///
/// Each method has the name of the method of the [`Builder`](super::Builder) that sets the option,
/// which describes it. Secrets cannot be read: neither keys nor passwords.
///
/// ```
/// use std::time::Duration;
/// use monocoque::zmq::DealerSocket;
///
/// let dealer = DealerSocket::builder().send_hwm(10).linger(Duration::ZERO).build()?;
/// let options = dealer.options();
/// assert_eq!((options.send_hwm(), options.recv_hwm()), (10, 1000));
/// assert_eq!(options.linger(), Some(Duration::ZERO));
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SocketOptions(Arc<Options>);

macro_rules! getters {
    ($($name:ident: $type:ty = |$options:ident| $value:expr $(, $note:literal)?;)+) => {
        impl SocketOptions {
            $(
                #[doc = concat!("Returns [`", stringify!($name), "`](super::Builder::", stringify!($name), ")", $(": ", $note,)? ".")]
                pub fn $name(&self) -> $type {
                    let $options = &*self.0;
                    $value
                }
            )+
        }
    };
}

getters! {
    routing_id: Option<&RoutingId> = |o| o.routing_id.as_ref();
    send_hwm: usize = |o| o.send_hwm.limit().unwrap_or(0);
    recv_hwm: usize = |o| o.recv_hwm.limit().unwrap_or(0);
    send_timeout: Option<Duration> = |o| o.send_timeout;
    recv_timeout: Option<Duration> = |o| o.recv_timeout;
    linger: Option<Duration> = |o| o.linger;
    connect_timeout: Option<Duration> = |o| o.connect_timeout;
    handshake_timeout: Option<Duration> = |o| o.handshake_timeout;
    pending_handshakes: usize = |o| o.pending_handshakes;
    reconnect_interval: Duration = |o| o.reconnect_interval;
    reconnect_interval_max: Option<Duration> = |o| o.reconnect_interval_max, "`None` for the default, which depends on the first interval";
    heartbeat_interval: Option<Duration> = |o| o.heartbeat.interval;
    heartbeat_timeout: Option<Duration> = |o| o.heartbeat.timeout, "`None` for the default, which is the interval";
    heartbeat_ttl: Duration = |o| o.heartbeat.ttl, "zero for no promise";
    max_message_size: Option<u64> = |o| Some(o.limits.max_message_size).filter(|size| *size < UNLIMITED);
    departed_budget: usize = |o| o.departed_budget;
    delivery_attempts: u32 = |o| o.delivery_attempts.map_or(0, NonZero::get);
    max_frames: usize = |o| o.limits.max_frames;
    immediate: bool = |o| o.immediate;
    affinity: &[usize] = |o| &o.affinity;
    conflate: bool = |o| o.conflate;
    nodrop: bool = |o| o.mandatory, "the same option as `router_mandatory`";
    router_mandatory: bool = |o| o.mandatory, "the same option as `nodrop`";
    router_handover: bool = |o| o.handover;
    disconnect_msg: Option<&Message> = |o| o.disconnect_msg.as_ref();
    hiccup_msg: Option<&Message> = |o| o.hiccup_msg.as_ref();
    hello_msg: Option<&Message> = |o| o.first_message.as_ref(), "also the message of `probe_router` and `xpub_welcome_msg`";
    xpub_welcome_msg: Option<&Message> = |o| o.first_message.as_ref(), "the same as `hello_msg`";
    probe_router: bool = |o| o.first_message.as_ref().is_some_and(|message| message.byte_len() == 0);
    req_relaxed: bool = |o| o.relaxed;
    req_correlate: bool = |o| o.correlate;
    xpub_verbose: bool = |o| o.verbose;
    xpub_verboser: bool = |o| o.verboser;
    xpub_manual: bool = |o| o.manual;
    xpub_manual_last_value: bool = |o| o.last_value;
    invert_matching: bool = |o| o.inverted;
    only_first_subscribe: bool = |o| o.only_first;
    backlog: u32 = |o| o.sockets.backlog;
    reuse_port: bool = |o| o.sockets.reuse_port;
    send_buffer: Option<usize> = |o| o.sockets.send_buffer, "`None` for that of the system";
    recv_buffer: Option<usize> = |o| o.sockets.recv_buffer, "`None` for that of the system";
    tcp_keepalive: Option<bool> = |o| o.sockets.keepalive.enabled, "`None` for that of the system";
    tcp_keepalive_idle: Option<Duration> = |o| o.sockets.keepalive.idle, "`None` for that of the system";
    tcp_keepalive_interval: Option<Duration> = |o| o.sockets.keepalive.interval, "`None` for that of the system";
    tcp_keepalive_count: Option<u32> = |o| o.sockets.keepalive.count, "`None` for that of the system";
    tcp_max_retransmit_timeout: Option<Duration> = |o| o.sockets.retransmit_timeout, "`None` for that of the system";
    type_of_service: Option<u8> = |o| o.sockets.type_of_service, "`None` for that of the system";
    priority: Option<u32> = |o| o.sockets.priority, "`None` for that of the system";
    socks_proxy: Option<&Endpoint> = |o| o.sockets.socks_proxy.as_ref();
    ipv6: bool = |o| o.sockets.ipv6;
    zap_domain: &str = |o| &o.security.zap_domain;
    zap_enforce_domain: bool = |o| o.security.enforces_domain;
}

impl SocketOptions {
    pub(super) fn new(options: Arc<Options>) -> Self {
        Self(options)
    }
}
