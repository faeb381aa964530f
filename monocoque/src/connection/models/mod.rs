//! Models of a socket: application threads on one side, the pumps of its connections on the other.
//! All code up to the stream is the real one; the models record and check what is written.

mod direct_write;
mod end;
mod peers;
mod queue;
mod readiness;

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::task::Poll::{Pending, Ready};

use bytes::Bytes;
use monocoque_core::actor::{InFlight, InletStatus, Outlet};
use monocoque_core::runtime::IdleRuntime;
use monocoque_core::sync::Mutex;
use monocoque_core::sync::model::{JoinHandle, block_on, check, poll_once, spawn, spawn_with};
use monocoque_core::transport::DirectWriter;
use monocoque_core::{Encode, Endpoint, Hwm, IdentityEncoder, Outbox, Queued, RuntimeHandle};
use monocoque_zmtp::{Properties, Revision, TopicBudget};

use super::inlet::SessionInlet;
use super::outlet::SessionOutlet;
use super::*;
use crate::endpoint::connect;
use crate::monitor::{Connection, ConnectionId};
use crate::options::Options;
use crate::pattern::{DEALER, Pattern, REP, REQ, SUB};
use crate::socket::send::ByPattern;
use crate::trace::Span;

/// The stream of a connection.
#[derive(Debug)]
struct Wire {
    written: Mutex<Written>,
    /// The number of bytes that the stream accepts at once, outside the pump.
    takes: usize,
}

#[derive(Debug, Default)]
struct Written {
    bytes: Vec<u8>,
    /// The pump is writing.
    busy: bool,
}

impl Wire {
    fn new(takes: usize) -> Arc<Self> {
        Arc::new(Self { written: Mutex::default(), takes })
    }

    /// Writes as the pump; other writers may try to interfere.
    fn write(&self, bytes: &[u8]) {
        self.written.lock().busy = true;
        let mut written = self.written.lock();
        written.bytes.extend_from_slice(bytes);
        written.busy = false;
    }

    /// Returns the bodies of the written messages, of one byte each.
    fn messages(&self) -> String {
        let whole = |message: &[u8]| match *message {
            [0, 1, body] => char::from(body),
            _ => panic!("{message:?}"),
        };
        self.written.lock().bytes.chunks(MESSAGE).map(whole).collect()
    }
}

impl DirectWriter for Wire {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let mut written = self.written.lock();
        assert!(!written.busy, "two write at the same time");
        let taken = bytes.len().min(self.takes);
        written.bytes.extend_from_slice(&bytes[..taken]);
        if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }
}

/// Creates a socket that connects to this number of endpoints, without a connection yet.
fn socket(pattern: &'static Pattern, hwm: usize, endpoints: usize) -> (Arc<Engine>, IdleRuntime) {
    let (handle, runtime) = RuntimeHandle::idle();
    let options = Options { send_hwm: Hwm::new(hwm), ..Options::default() };
    let engine = Engine::new(pattern, options, handle, Arc::default()).expect("a runtime");
    for n in 0..endpoints {
        connect::connect(&engine, endpoint(n), None).expect("open");
    }
    (engine, runtime)
}

fn endpoint(n: usize) -> Endpoint {
    format!("tcp://127.0.0.1:{}", n + 1).parse().expect("an endpoint")
}

/// Creates a connection of an endpoint, after its handshake.
fn established(
    engine: &Arc<Engine>,
    endpoint: EndpointRef,
    direct: Option<Arc<Wire>>,
) -> Option<(SessionOutlet, SessionInlet)> {
    let id = ConnectionId::new(0);
    let connection = Connection { id, endpoint: endpoint.address.clone(), peer: endpoint.address.clone() };
    let outcome = Rc::new(Cell::new(HandshakeOutcome::Pending));
    let handler = SessionHandler {
        engine: engine.clone(),
        endpoint,
        connection: connection.into(),
        span: Span::none(),
        outcome,
        course: Rc::default(),
        place: None,
    };
    let peer = PeerInfo {
        socket_type: engine.pattern.socket_type,
        routing_id: Bytes::new(),
        revision: Revision::V3_1,
        properties: Properties::default(),
        topic_budget: TopicBudget::default(),
        admission: Box::default(),
    };
    handler.accept(peer, direct.map(|wire| wire as _), &Arc::default())
}

fn endpoint_ref(engine: &Engine, n: usize) -> EndpointRef {
    engine.endpoints.all().remove(n)
}

fn peer(engine: &Arc<Engine>, n: usize) -> (SessionOutlet, SessionInlet) {
    established(engine, endpoint_ref(engine, n), None).expect("accepted")
}

/// Creates a socket with one connection, whose stream accepts `takes` bytes at once outside the
/// pump.
fn connected(hwm: usize, takes: usize) -> (Arc<Engine>, IdleRuntime, SessionOutlet, SessionInlet, Arc<Wire>) {
    let (engine, runtime) = socket(&DEALER, hwm, 1);
    let wire = Wire::new(takes);
    let (outlet, inlet) =
        established(&engine, endpoint_ref(&engine, 0), Some(wire.clone())).expect("accepted");
    (engine, runtime, outlet, inlet, wire)
}

/// Writes as the write pump, until nothing is left and nothing will follow.
fn write_all(outlet: &mut SessionOutlet, wire: &Wire) {
    let mut encoder = IdentityEncoder::<io::Error>::new();
    let mut batch = InFlight::new(&encoder);
    while block_on(poll_fn(|cx| outlet.poll_take(cx, batch.queued_mut()))) {
        write_batch(&mut batch, &mut encoder, wire);
    }
}

/// Writes as the write pump, until this number of messages is written.
fn write(outlet: &mut SessionOutlet, wire: &Wire, messages: usize) {
    let mut encoder = IdentityEncoder::<io::Error>::new();
    let mut batch = InFlight::new(&encoder);
    while wire.written.lock().bytes.len() < messages * MESSAGE {
        assert!(block_on(poll_fn(|cx| outlet.poll_take(cx, batch.queued_mut()))));
        write_batch(&mut batch, &mut encoder, wire);
    }
}

/// Runs the write pump on a thread of its own, until nothing is left and nothing will follow.
fn spawn_pump(mut outlet: SessionOutlet, wire: &Arc<Wire>) -> JoinHandle<()> {
    let wire = wire.clone();
    spawn(move || write_all(&mut outlet, &wire))
}

fn write_batch<E: Encode>(batch: &mut InFlight, encoder: &mut E, wire: &Wire) {
    while !batch.is_empty() {
        batch.encode(encoder);
        let written = batch.wire().chunk().len();
        wire.write(batch.wire().chunk());
        batch.consume(written);
    }
}

/// Delivers a message as the read pump.
fn deliver(inlet: &mut SessionInlet, message: impl Into<Message>) {
    assert!(block_on(poll_fn(|cx| inlet.poll_room(cx))));
    inlet.items().push_back(message.into());
    assert_ne!(inlet.on_item(Inbound::Message), InletStatus::Violation);
    inlet.flush();
}

fn send(engine: &Arc<Engine>, message: &str) {
    block_on(engine.send(ByPattern, message)).expect("open");
}

/// The encoded length of a message of one byte.
const MESSAGE: usize = 3;
