//! One connection of a socket: a ZMTP session on an actor, attached to the socket's queues.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use monocoque_core::actor::{Closed, ConnectionHandler, Inlet, InletStatus, Outlet, SocketActor};
use monocoque_core::sync::{AtomicBool, Ordering};
use monocoque_core::transport::{ByteStream, DirectWriter, Stream};
use monocoque_core::{Decode, LaneConfig, LaneKey, Message, Outbox, PeerKey, Protocol, RoutingId, Weigh};
use monocoque_zmtp::{Inbound, PeerInfo, SessionConfig, Subscription, TopicBudget, ZmtpError, ZmtpSession};

use super::departures::Departure;
use super::endpoints::{Attached, Via};
use super::hearing::Heard;
use super::{Engine, Refusal};
use crate::monitor::{Connection, DisconnectReason, SocketEvent};
use crate::pattern::asking::List;
use crate::pattern::intake::{Verdict, judge};
use crate::pattern::link::Direct;
use crate::pattern::route::Undeliverable;
use crate::pattern::wakes::Wakes;
use crate::pattern::{Envelope, Framing};
use crate::peer::Peer;
use crate::raw::RawSession;
use crate::trace::Span;

#[cfg(fuzzing)]
pub mod fuzzing;

/// How a connection has ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its handshake was completed.
    pub(super) was_up: bool,
    /// Something has come of it: a message was written or received whole, or it has lived for a while.
    pub(super) progress: bool,
    pub(super) reason: DisconnectReason,
}

impl Ended {
    /// How a connection has ended whose task has panicked: nothing is known of it.
    pub(super) fn by_panic() -> Self {
        Self { was_up: true, progress: false, reason: DisconnectReason::ByUs }
    }
}

/// Runs a connection to its end.
///
/// When its endpoint is given up, it ends: at once during the handshake, later once what is queued is sent.
pub(super) async fn run(engine: &Arc<Engine>, stream: Stream, via: &Via) -> Ended {
    match stream {
        Stream::Tcp(stream) => run_on(engine, stream, via).await,
        Stream::Ipc(stream) => run_on(engine, stream, via).await,
    }
}

/// The same, on a stream of any kind.
pub(super) async fn run_on<S: ByteStream>(engine: &Arc<Engine>, stream: S, via: &Via) -> Ended {
    match engine.pattern.framing {
        Framing::Raw => speak(engine, stream, RawSession, via).await,
        Framing::Zmtp => {
            let Ok(session) = ZmtpSession::new(engine.session_config()) else {
                unreachable!("the options were checked when they were set");
            };
            speak(engine, stream, session, via).await
        }
    }
}

async fn speak<S, P>(engine: &Arc<Engine>, stream: S, session: P, via: &Via) -> Ended
where
    S: ByteStream,
    P: Protocol<Peer = PeerInfo, Error = ZmtpError>,
    P::Decoder: Decode<Item = Message, Kind = Inbound>,
{
    let story = Story::begin(engine, via, stream.peer_label());
    let meeting = Rc::new(Cell::new(Meeting::Ahead));
    let (course, started) = (Rc::new(Course::default()), Instant::now());
    let owner = Owner {
        engine: engine.clone(),
        via: via.clone(),
        connection: story.connection.clone(),
        meeting: meeting.clone(),
        course: course.clone(),
    };
    let actor = SocketActor::new(stream, session).handshake_timeout(engine.options.handshake_timeout);
    let run = std::pin::pin!(story.span.around(actor.run(owner)));
    let closed = match select(run, std::pin::pin!(via.stop.said())).await {
        Either::Left((closed, _)) => closed,
        Either::Right(((), run)) if meeting.get() == Meeting::Welcome => run.await,
        Either::Right(_) => Closed::ByUs,
    };
    let reason = match meeting.get() {
        Meeting::Refused(Refusal::Unwanted) => DisconnectReason::ByUs,
        Meeting::Refused(Refusal::Taken) => DisconnectReason::Taken,
        _ if course.cut.get() => DisconnectReason::ByUs,
        _ => match DisconnectReason::from(closed) {
            // Only those who come to us may be probing.
            DisconnectReason::Probe if via.kind == Attached::Connected => DisconnectReason::ByPeer,
            reason => reason,
        },
    };
    let was_up = meeting.get() == Meeting::Welcome;
    story.end(was_up, reason.clone());
    let progress = course.progress.get() || started.elapsed() >= LONG_LIVED;
    Ended { was_up, progress, reason }
}

/// What has come of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meeting {
    /// Nothing yet.
    Ahead,
    Welcome,
    Refused(Refusal),
}

/// What is known of a connection by its pumps, for when it has ended.
#[derive(Debug, Default)]
struct Course {
    /// Something has come of it: a message was written or received whole.
    progress: Cell<bool>,
    /// The program has ended it.
    cut: Cell<bool>,
}

/// Tells of a connection: its beginning, and whatever happens, its end.
struct Story<'a> {
    engine: &'a Engine,
    connection: Arc<Connection>,
    span: Span,
    told: bool,
}

impl<'a> Story<'a> {
    fn begin(engine: &'a Engine, via: &Via, peer: String) -> Self {
        let connection = engine.new_connection(via, peer);
        let span = Span::of(&connection);
        span.within(|| {
            engine.tell(|| via.begun(&connection));
        });
        Self { engine, connection, span, told: false }
    }

    fn end(mut self, was_up: bool, reason: DisconnectReason) {
        let Self { engine, connection, span, told } = &mut self;
        *told = true;
        span.within(|| {
            if !was_up {
                let (connection, reason) = (connection.clone(), reason.clone());
                engine.tell(|| SocketEvent::HandshakeFailed { connection, reason });
            }
            engine.tell(|| SocketEvent::Disconnected { connection: connection.clone(), reason });
        });
    }
}

impl Drop for Story<'_> {
    /// Its task ends with the runtime.
    fn drop(&mut self) {
        if !self.told {
            let connection = self.connection.clone();
            self.span.within(|| {
                self.engine.tell(|| SocketEvent::Disconnected { connection, reason: DisconnectReason::ByUs });
            });
        }
    }
}

/// Waits for the handshake, then ties the pumps to the socket.
struct Owner {
    engine: Arc<Engine>,
    via: Via,
    connection: Arc<Connection>,
    meeting: Rc<Cell<Meeting>>,
    course: Rc<Course>,
}

impl<P> ConnectionHandler<P> for Owner
where
    P: Protocol<Peer = PeerInfo>,
    P::Decoder: Decode<Item = Message, Kind = Inbound>,
{
    type Outlet = SessionOutlet;
    type Inlet = SessionInlet;

    fn on_established(
        self,
        peer: PeerInfo,
        direct: Option<Arc<dyn DirectWriter>>,
    ) -> Option<(SessionOutlet, SessionInlet)> {
        Self::on_established(self, peer, direct)
    }
}

impl Owner {
    /// Whatever the protocol is: what matters of the peer is the same.
    fn on_established(
        self,
        peer: PeerInfo,
        direct: Option<Arc<dyn DirectWriter>>,
    ) -> Option<(SessionOutlet, SessionInlet)> {
        let Self { engine, via, connection, meeting, course } = self;
        let heard = Arc::new(AtomicBool::new(true));
        let direct = direct.map(|stream| Direct::new(stream, heard.clone()));
        let (key, id) = match engine.welcome(&peer, &via, direct) {
            Ok(welcome) => welcome,
            Err(refusal) => {
                meeting.set(Meeting::Refused(refusal));
                return None;
            }
        };
        meeting.set(Meeting::Welcome);
        let PeerInfo { socket_type, routing_id, properties, topic_budget: topics, .. } = peer;
        let announced = || RoutingId::try_from(routing_id).ok();
        let routing_id = via.name.clone().or_else(announced).unwrap_or_else(|| id.clone());
        engine.out.lock().set_connection(key, connection.id);
        engine.tell(|| SocketEvent::HandshakeSucceeded {
            connection: connection.clone(),
            socket_type,
            routing_id: routing_id.clone(),
        });
        let outlet_connection = connection.clone();
        let peer = Peer { connection, socket_type, routing_id, properties };
        let lane = engine.open_lane(key, &via, peer, LaneConfig::default());
        let (connection, engine_of_outlet) = (outlet_connection, engine.clone());
        let outlet = SessionOutlet {
            engine: engine_of_outlet,
            key,
            lane,
            connection,
            course: course.clone(),
            is_closed: false,
        };
        let notices = engine.options.notices.unwrap_or(engine.pattern.notices);
        let inlet = SessionInlet {
            engine,
            key,
            lane,
            id,
            via,
            heard,
            topics,
            opens: notices.connect,
            ends: notices.disconnect,
            room: 0,
            batch: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            course,
        };
        Some((outlet, inlet))
    }
}

/// Where the write pump of a connection takes from.
#[derive(Debug)]
pub(crate) struct SessionOutlet {
    engine: Arc<Engine>,
    key: PeerKey,
    lane: LaneKey,
    connection: Arc<Connection>,
    course: Rc<Course>,
    is_closed: bool,
}

impl Drop for SessionOutlet {
    /// Also when its pump has panicked, or ends with the runtime.
    fn drop(&mut self) {
        if !self.is_closed {
            self.engine.link_down(self.key, Outbox::new());
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
        self.engine.out.lock().rest(self.key);
        self.engine.inbox.release_memory(self.lane);
    }

    fn poll_abort(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.engine.out.lock().poll_abort(self.key, cx)
    }

    fn drains_input(&self) -> bool {
        self.engine.out.lock().has_heir(self.key)
    }

    fn on_closed(&mut self, unsent: Outbox) {
        self.is_closed = true;
        let remains = self.engine.link_down(self.key, unsent);
        if remains.progress {
            self.course.progress.set(true);
        }
        self.course.cut.set(remains.cut);
        if let Some(Undeliverable { bytes, attempts }) = remains.undeliverable {
            let connection = self.connection.clone();
            self.engine.tell(|| SocketEvent::MessageDropped { connection, bytes, attempts });
        }
    }
}

/// Where the read pump of a connection delivers to.
#[derive(Debug)]
pub(crate) struct SessionInlet {
    engine: Arc<Engine>,
    key: PeerKey,
    lane: LaneKey,
    id: RoutingId,
    via: Via,
    /// Tells the sending side that the peer has said something since.
    heard: Arc<AtomicBool>,
    /// Tells the decoder what the peer may still subscribe to.
    topics: TopicBudget,
    /// The application is to hear of the peer before it hears from it.
    opens: bool,
    /// The application is to hear that the peer is gone.
    ends: bool,
    room: usize,
    batch: VecDeque<Message>,
    bytes: usize,
    dropped: u64,
    course: Rc<Course>,
}

impl<D: Decode<Item = Message, Kind = Inbound>> Inlet<D> for SessionInlet {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        Self::poll_room(self, cx)
    }

    #[inline]
    fn items(&mut self) -> &mut VecDeque<Message> {
        Self::items(self)
    }

    #[inline]
    fn on_item(&mut self, inbound: Inbound) -> InletStatus {
        Self::on_item(self, inbound)
    }

    fn flush(&mut self) {
        Self::flush(self);
    }
}

/// Whatever the protocol is: what is delivered is the same.
impl SessionInlet {
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            let room = ready!(self.engine.inbox.poll_room(self.lane, cx));
            self.room = room.unwrap_or(0);
            if room.is_err() || !self.opens {
                return Poll::Ready(room.is_ok());
            }
            self.open();
            self.flush();
        }
    }

    #[inline]
    fn items(&mut self) -> &mut VecDeque<Message> {
        if self.batch.capacity() == 0 {
            self.engine.inbox.lend(self.lane, &mut self.batch);
        }
        &mut self.batch
    }

    #[inline]
    fn on_item(&mut self, inbound: Inbound) -> InletStatus {
        let Some(message) = self.batch.back_mut() else { unreachable!("it was put there") };
        if inbound == Inbound::Message {
            match judge(self.engine.pattern, &self.engine.options, &self.id, message) {
                Verdict::Queue if is_surplus(&self.engine, self.key, message) => self.dropped += 1,
                Verdict::Queue => {
                    self.bytes += message.weight();
                    return if self.batch.len() < self.room { InletStatus::Ready } else { InletStatus::Full };
                }
                Verdict::Drop => self.dropped += 1,
                Verdict::TakeApart => return self.take_apart(),
                Verdict::Violation => {
                    self.batch.pop_back();
                    return InletStatus::Violation;
                }
            }
        }
        let message = self.batch.pop_back().unwrap_or_default();
        let topic = message.frame(0).unwrap_or_default();
        match inbound {
            Inbound::Message => InletStatus::Ready,
            Inbound::Subscribe => self.hear(Subscription::Subscribe, topic),
            Inbound::Cancel => self.hear(Subscription::Cancel, topic),
        }
    }

    fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.heard.store(true, Ordering::Relaxed);
            self.course.progress.set(true);
        }
        self.engine.inbox.push_lent(self.lane, &mut self.batch, std::mem::take(&mut self.bytes));
        if self.dropped > 0 {
            self.engine.note_discarded(std::mem::take(&mut self.dropped));
        }
    }
}

impl Drop for SessionInlet {
    /// The read pump has delivered the last message of the connection, maybe long after the write pump gave up.
    fn drop(&mut self) {
        self.take_leave();
    }
}

impl SessionInlet {
    /// Lets the application know that the peer is there: in front of all that comes from it, as soon as there is room.
    fn open(&mut self) {
        self.opens = false;
        self.put_notice("".into());
    }

    /// Lets the application know that nothing follows: which topics nobody is left to want, or that the peer is gone.
    fn take_leave(&mut self) {
        self.flush();
        let last = self.engine.last_words(&self.via).or_else(|| self.ends.then(|| "".into()));
        // A newcomer that has taken the name is not gone.
        if let Some(last) = last
            && !self.engine.out.lock().is_replaced(self.key, &self.id)
        {
            if self.opens {
                self.open();
            }
            self.put_notice(last);
        }
        let (last, bytes) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.bytes));
        self.engine.depart(Departure { key: self.key, lane: self.lane, last, bytes });
    }

    /// A message of our own making, as if it were of the peer.
    fn put_notice(&mut self, mut notice: Message) {
        self.engine.put_in_envelope(&self.id, &mut notice);
        self.pass_on(notice);
    }

    /// The peer asks for something.
    fn hear(&mut self, kind: Subscription, topic: &[u8]) -> InletStatus {
        let mut wakes = Wakes::default();
        let heard = self.engine.hear(self.key, kind, topic, Some(&self.topics), &mut wakes);
        wakes.wake();
        match heard {
            Heard::ToItself => return InletStatus::Ready,
            Heard::PassOn(message) => self.pass_on(message),
            Heard::TooMuch => return InletStatus::Violation,
        }
        self.accepted()
    }

    /// The peer asks for several things in one message, and may say something else in it.
    fn take_apart(&mut self) -> InletStatus {
        let list = List::of(self.batch.pop_back().unwrap_or_default());
        for (kind, topic) in list.subscriptions() {
            if self.hear(kind, topic) == InletStatus::Violation {
                return InletStatus::Violation;
            }
        }
        if !list.rest.is_empty() {
            self.pass_on(list.rest);
        }
        self.accepted()
    }

    /// Queues a message that is not as it came.
    fn pass_on(&mut self, message: Message) {
        self.bytes += message.weight();
        self.batch.push_back(message);
    }

    fn accepted(&self) -> InletStatus {
        if self.batch.len() < self.room { InletStatus::Ready } else { InletStatus::Full }
    }
}

impl Engine {
    fn session_config(&self) -> SessionConfig {
        let mut config = SessionConfig::new(self.pattern.socket_type);
        config.routing_id = self.options.announced_id();
        config.heartbeat = self.options.heartbeat;
        config.limits = self.options.limits;
        config
    }
}

/// Whether a message is a reply that nobody waits for. A REQ reads on and discards it.
#[inline]
fn is_surplus(engine: &Engine, from: PeerKey, message: &Message) -> bool {
    engine.pattern.envelope == Envelope::Request && !engine.out.lock().dialogue.takes_reply(from, message)
}

/// How long a connection lives that was worth making.
const LONG_LIVED: Duration = Duration::from_secs(60);

#[cfg(all(test, monocoque_loom))]
mod models;
