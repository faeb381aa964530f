//! Meters that measure nothing.

use std::sync::Arc;

use monocoque_core::PeerKey;

use crate::monitor::DisconnectReason;
use crate::peer::Peer;
use crate::socket::Engine;

#[derive(Clone, Debug)]
pub(crate) struct PeerMeter {}

impl PeerMeter {
    pub(crate) fn begin(_: &Arc<Engine>, _: PeerKey, _: &Arc<Peer>) -> Self {
        Self {}
    }

    #[inline]
    pub(crate) fn add_received(&self, _messages: usize) {}

    pub(crate) fn set_sent(&self, _messages: u64) {}
}

pub(crate) const ON: bool = false;

/// Runs the work of the supervisor.
pub(crate) fn beside<F: Future>(_engine: &Engine, work: F) -> F {
    work
}

pub(crate) fn ended(_engine: &Engine) {}

pub(crate) fn connect_failed(_engine: &Engine) {}

pub(crate) fn handshake_failed(_engine: &Engine, _reason: &DisconnectReason) {}
