//! Meters that measure nothing.

use std::sync::Arc;

use monocoque_core::PeerKey;
use monocoque_core::actor::SocketActor;
use monocoque_core::transport::DirectWriter;

use crate::monitor::{Connection, DisconnectReason};
use crate::socket::Engine;

#[derive(Clone, Debug, Default)]
pub(crate) struct ByteMeter {}

#[derive(Clone, Debug)]
pub(crate) struct PeerMeter {}

impl ByteMeter {
    pub(crate) fn attach<S, P>(&self, actor: SocketActor<S, P>) -> SocketActor<S, P> {
        actor
    }

    pub(crate) fn count_direct(&self, stream: Arc<dyn DirectWriter>) -> Arc<dyn DirectWriter> {
        stream
    }
}

impl PeerMeter {
    pub(crate) fn begin(_: &Arc<Engine>, _: PeerKey, _: &Arc<Connection>, _: ByteMeter) -> Self {
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
