//! What a socket is made with. Every value is checked when it is set.

use std::time::Duration;

use bytes::Bytes;
use monocoque_core::{Hwm, RoutingId};

/// The options of one socket, as they stand when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) routing_id: Option<RoutingId>,
    pub(crate) send_hwm: Hwm,
    pub(crate) recv_hwm: Hwm,
    /// `None` waits for ever.
    pub(crate) linger: Option<Duration>,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) reconnect_interval: Duration,
    pub(crate) reconnect_interval_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            routing_id: None,
            send_hwm: Hwm::default(),
            recv_hwm: Hwm::default(),
            linger: Some(Duration::from_secs(30)),
            handshake_timeout: Some(Duration::from_secs(30)),
            reconnect_interval: Duration::from_millis(100),
            reconnect_interval_max: Duration::ZERO,
        }
    }
}

impl Options {
    /// What the handshake announces; empty for none.
    pub(crate) fn announced_id(&self) -> Bytes {
        self.routing_id.as_ref().map(|id| Bytes::copy_from_slice(id)).unwrap_or_default()
    }
}
