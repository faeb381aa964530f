//! One connection of a socket: a ZMTP session on an actor, attached to the socket's queues.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{Either, select};
use monocoque_core::actor::{Accepted, Attach, Inlet, Outlet, SocketActor};
use monocoque_core::sync::{AtomicBool, Ordering};
use monocoque_core::transport::{Socket, Stream, WriteNow};
use monocoque_core::{
    BytePermits, LaneKey, Message, Outbox, PeerKey, PubSubHub, RoutingId, Subscribed, Weigh,
};
use monocoque_zmtp::{Decoder, Inbound, PeerInfo, SessionConfig, ZmtpSession};

use super::Engine;
use super::endpoints::Via;
use crate::pattern::intake::{Verdict, judge};
use crate::pattern::link::Direct;

/// Runs a connection to its end, and says whether its handshake was completed.
///
/// When its endpoint is given up, it ends: at once during the handshake, later once what is queued is sent.
pub(crate) async fn run(engine: &Arc<Engine>, stream: Stream, via: &Via) -> bool {
    match stream {
        Stream::Tcp(stream) => run_on(engine, stream, via).await,
        Stream::Ipc(stream) => run_on(engine, stream, via).await,
    }
}

async fn run_on<S: Socket>(engine: &Arc<Engine>, stream: S, via: &Via) -> bool {
    let Ok(session) = ZmtpSession::new(engine.session_config()) else {
        unreachable!("the options were checked when they were set");
    };
    let attached = Rc::new(Cell::new(false));
    let owner = Owner { engine: engine.clone(), via: via.clone(), attached: attached.clone() };
    let actor = SocketActor::new(stream, session).handshake_timeout(engine.options.handshake_timeout);
    let run = std::pin::pin!(actor.run(owner));
    if let Either::Right(((), run)) = select(run, std::pin::pin!(via.stop.said())).await
        && attached.get()
    {
        run.await;
    }
    attached.get()
}

/// Waits for the handshake, then ties the pumps to the socket.
struct Owner {
    engine: Arc<Engine>,
    via: Via,
    attached: Rc<Cell<bool>>,
}

impl Attach<ZmtpSession> for Owner {
    type Outlet = SessionOutlet;
    type Inlet = SessionInlet;

    fn attach(
        self,
        peer: PeerInfo,
        direct: Option<Arc<dyn WriteNow>>,
    ) -> Option<(SessionOutlet, SessionInlet)> {
        let Self { engine, via, attached } = self;
        let heard = Arc::new(AtomicBool::new(true));
        let direct = direct.map(|stream| Direct::new(stream, heard.clone()));
        let (key, id) = engine.welcome(&peer, &via, direct)?;
        attached.set(true);
        let lane = engine.inbox.attach(key, engine.options.recv_hwm, BytePermits::default(), via.series());
        let outlet = SessionOutlet { engine: engine.clone(), key };
        let inlet = SessionInlet {
            engine,
            key,
            lane,
            id,
            heard,
            room: 0,
            batch: VecDeque::new(),
            bytes: 0,
            dropped: 0,
        };
        Some((outlet, inlet))
    }
}

/// Where the write pump of a connection takes from.
#[derive(Debug)]
pub(crate) struct SessionOutlet {
    engine: Arc<Engine>,
    key: PeerKey,
}

impl Outlet for SessionOutlet {
    fn poll_take(&mut self, cx: &mut Context<'_>, batch: &mut Outbox) -> Poll<bool> {
        self.engine.with_wakes(|out, wakes| out.poll_take(self.key, cx, batch, wakes))
    }

    fn unpark(&mut self) -> bool {
        self.engine.out.lock().unpark(self.key)
    }

    fn poll_abort(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.engine.out.lock().poll_abort(self.key, cx)
    }

    fn close(&mut self, unsent: Outbox) {
        self.engine.with_wakes(|out, wakes| out.down(self.key, unsent, wakes));
    }
}

/// Where the read pump of a connection delivers to.
#[derive(Debug)]
pub(crate) struct SessionInlet {
    engine: Arc<Engine>,
    key: PeerKey,
    lane: LaneKey,
    id: RoutingId,
    /// Tells the sending side that the peer has said something since.
    heard: Arc<AtomicBool>,
    room: usize,
    batch: VecDeque<Message>,
    bytes: usize,
    dropped: u64,
}

impl Inlet<Decoder> for SessionInlet {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.engine.inbox.poll_room(self.lane, cx).map(|room| {
            self.room = room.unwrap_or(0);
            room.is_ok()
        })
    }

    fn items(&mut self) -> &mut VecDeque<Message> {
        &mut self.batch
    }

    #[inline]
    fn accept(&mut self, inbound: Inbound) -> Accepted {
        let Some(message) = self.batch.back_mut() else { unreachable!("it was put there") };
        if inbound == Inbound::Message {
            match judge(self.engine.pattern, &self.id, message) {
                Verdict::Queue => {
                    self.bytes += message.weight();
                    return if self.batch.len() < self.room { Accepted::More } else { Accepted::Full };
                }
                Verdict::Drop => self.dropped += 1,
                Verdict::Violation => return Accepted::Violation,
            }
        }
        let message = self.batch.pop_back().unwrap_or_default();
        match (inbound, message.frame(0).unwrap_or_default()) {
            (Inbound::Message, _) => Accepted::More,
            (Inbound::Subscribe, topic) => match self.with_hub(|hub, key| hub.subscribe(key, topic)) {
                Some(Subscribed::Refused(_)) => Accepted::Violation,
                _ => Accepted::More,
            },
            (Inbound::Cancel, topic) => {
                self.with_hub(|hub, key| hub.cancel(key, topic));
                Accepted::More
            }
        }
    }

    fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.heard.store(true, Ordering::Relaxed);
        }
        self.engine.inbox.push(self.lane, &mut self.batch, std::mem::take(&mut self.bytes));
        if self.dropped > 0 {
            self.engine.note_discarded(std::mem::take(&mut self.dropped));
        }
    }
}

impl Drop for SessionInlet {
    /// The read pump has delivered the last message of the connection, maybe long after the write pump gave up.
    fn drop(&mut self) {
        self.engine.inbox.detach(self.lane);
    }
}

impl SessionInlet {
    /// Changes what the peer is subscribed to.
    fn with_hub<T>(&self, change: impl FnOnce(&mut PubSubHub, PeerKey) -> T) -> Option<T> {
        self.engine.with_wakes(|out, wakes| {
            wakes.add(out.watchers.dismiss());
            out.subscriptions().map(|hub| change(hub, self.key))
        })
    }
}

impl Engine {
    fn session_config(&self) -> SessionConfig {
        let mut config = SessionConfig::new(self.pattern.socket_type);
        config.routing_id = self.options.announced_id();
        config
    }
}

#[cfg(all(test, monocoque_loom))]
mod models;
