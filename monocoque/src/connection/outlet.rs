//! The sending side of a connection: the write pump takes batches from it.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use monocoque_core::actor::Outlet;
use monocoque_core::{LaneKey, Outbox, PeerKey};

use super::Course;
use super::cleanup::remove_peer;
use crate::meter::PeerMeter;
use crate::monitor::{Connection, SocketEvent};
use crate::pattern::outbound::Undeliverable;
use crate::socket::Engine;
use crate::trace::Span;

/// The source of a write pump.
#[derive(Debug)]
pub(crate) struct SessionOutlet {
    engine: Arc<Engine>,
    key: PeerKey,
    lane: LaneKey,
    connection: Arc<Connection>,
    span: Span,
    meter: PeerMeter,
    course: Rc<Course>,
    is_closed: bool,
}

impl SessionOutlet {
    pub(super) fn new(
        engine: Arc<Engine>,
        key: PeerKey,
        lane: LaneKey,
        connection: Arc<Connection>,
        span: Span,
        meter: PeerMeter,
        course: Rc<Course>,
    ) -> Self {
        Self { engine, key, lane, connection, span, meter, course, is_closed: false }
    }
}

impl Drop for SessionOutlet {
    /// Also if the pump has panicked, or its runtime has ended.
    fn drop(&mut self) {
        if !self.is_closed {
            let closed = remove_peer(&self.engine, self.key, Outbox::new());
            self.course.comes_back.set(closed.comes_back);
        }
    }
}

impl Outlet for SessionOutlet {
    fn poll_take(&mut self, cx: &mut Context<'_>, batch: &mut Outbox) -> Poll<bool> {
        self.engine.with_wakes(|out, wakes| out.poll_take(self.key, cx, batch, wakes))
    }

    fn unpark(&mut self) -> bool {
        self.engine.out.lock().unpark(self.key)
    }

    fn on_progress(&mut self) {
        self.engine.with_wakes(|out, wakes| out.on_progress(self.key, wakes));
    }

    fn on_idle(&mut self) {
        self.engine.out.lock().release_memory(self.key);
        self.engine.inbox.release_memory(self.lane);
    }

    fn poll_abort(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.engine.out.lock().poll_abort(self.key, cx)
    }

    fn drains_input(&self) -> bool {
        self.engine.out.lock().is_replaced(self.key)
    }

    fn on_closed(&mut self, unsent: Outbox) {
        self.is_closed = true;
        let closed = remove_peer(&self.engine, self.key, unsent);
        if closed.has_progress {
            self.course.has_progress.set(true);
        }
        self.meter.set_sent(closed.written);
        self.course.is_disconnected.set(closed.is_disconnected);
        self.course.comes_back.set(closed.comes_back);
        if let Some(Undeliverable { bytes, attempts }) = closed.undeliverable {
            let connection = self.connection.clone();
            self.engine.emit_in(&self.span, || SocketEvent::MessageDropped { connection, bytes, attempts });
        }
    }
}
