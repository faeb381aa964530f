//! Models of a socket: application threads on one side, the pumps of its connections on the other.
//! All code up to the stream is the real one; the models record and check what is written.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll::{Pending, Ready};

use bytes::Bytes;
use monocoque_core::actor::{InFlight, InletStatus, Outlet};
use monocoque_core::runtime::IdleRuntime;
use monocoque_core::sync::Mutex;
use monocoque_core::sync::model::{block_on, check, poll_once, spawn};
use monocoque_core::transport::DirectWriter;
use monocoque_core::{Encode, Endpoint, Hwm, IdentityEncoder, Outbox, Queued, RuntimeHandle};
use monocoque_zmtp::{Properties, Revision, TopicBudget};

use super::inlet::SessionInlet;
use super::outlet::SessionOutlet;
use super::*;
use crate::endpoint::connect;
use crate::meter::ByteMeter;
use crate::monitor::{Connection, ConnectionId};
use crate::options::Options;
use crate::pattern::{DEALER, Pattern, REQ, SUB};
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
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
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
    let connection = Connection { id, endpoint: endpoint.address.clone(), peer: String::new() };
    let outcome = Rc::new(Cell::new(HandshakeOutcome::Pending));
    let handler = SessionHandler {
        engine: engine.clone(),
        endpoint,
        connection: connection.into(),
        span: Span::none(),
        bytes: ByteMeter::default(),
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
    handler.accept(peer, direct.map(|wire| wire as _))
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

fn write_batch<E: Encode>(batch: &mut InFlight, encoder: &mut E, wire: &Wire) {
    while !batch.is_empty() {
        batch.encode(encoder);
        let written = batch.wire().chunk().len();
        wire.write(batch.wire().chunk());
        batch.consume(written);
    }
}

/// An encoder that changes every byte.
#[derive(Debug)]
struct Masking;

impl Encode for Masking {
    type Error = io::Error;

    fn is_identity(&self) -> bool {
        false
    }

    fn encode(&mut self, queued: &mut Queued<'_>, wire: &mut Outbox, limit: usize) {
        while wire.bytes() < limit
            && let Some(message) = queued.next_message()
        {
            message.for_each(|part| part.body().iter().for_each(|byte| wire.put(&[!byte, 0xff])));
            wire.end_message();
        }
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
    block_on(engine.send(None, message)).expect("open");
}

#[test]
fn sender_and_pump_wake_mutually() {
    check(3, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (mut outlet, _inlet) = peer(&engine, 0);
        let wire = Wire::new(0);
        let pump = spawn({
            let wire = wire.clone();
            move || write_all(&mut outlet, &wire)
        });
        ["a", "b", "c"].iter().for_each(|message| send(&engine, message));
        engine.close();
        pump.join().expect("done");
        assert_eq!(wire.messages(), "abc");
    });
}

#[test]
fn two_senders_share_one_slot() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (mut outlet, _inlet) = peer(&engine, 0);
        let wire = Wire::new(0);
        send(&engine, "a");
        let senders = ["b", "c"].map(|message| {
            let engine = engine.clone();
            spawn(move || send(&engine, message))
        });
        write(&mut outlet, &wire, 3);
        senders.into_iter().for_each(|sender| sender.join().expect("sent"));
        assert!(["abc", "acb"].contains(&&*wire.messages()), "{}", wire.messages());
    });
}

#[test]
fn two_slots_release_two_senders() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 2, 1);
        let (mut outlet, _inlet) = peer(&engine, 0);
        ["a", "b"].iter().for_each(|message| send(&engine, message));
        let senders = ["c", "d"].map(|message| {
            let engine = engine.clone();
            spawn(move || send(&engine, message))
        });
        let mut batch = Outbox::new();
        assert!(block_on(poll_fn(|cx| outlet.poll_take(cx, &mut batch))));
        assert_eq!(batch.messages(), 2);
        senders.into_iter().for_each(|sender| sender.join().expect("sent"));
    });
}

#[test]
fn cancelled_sender_passes_ticket_on() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (mut outlet, _inlet) = peer(&engine, 0);
        let wire = Wire::new(0);
        send(&engine, "a");
        let fickle = spawn({
            let engine = engine.clone();
            move || matches!(poll_once(pin!(engine.send(None, "b"))), Ready(Ok(())))
        });
        let patient = spawn({
            let engine = engine.clone();
            move || {
                send(&engine, "c");
                engine.close();
            }
        });
        write_all(&mut outlet, &wire);
        patient.join().expect("sent");
        let expected: &[&str] = if fickle.join().expect("dropped") { &["abc", "acb"] } else { &["ac"] };
        assert!(expected.contains(&&*wire.messages()), "{}", wire.messages());
    });
}

#[test]
fn cancelled_receiver_passes_wake_on() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (_outlet, mut inlet) = peer(&engine, 0);
        let fickle = spawn({
            let engine = engine.clone();
            move || poll_once(pin!(engine.recv())).is_ready()
        });
        let patient = spawn({
            let engine = engine.clone();
            move || drop(block_on(engine.recv()).expect("open"))
        });
        deliver(&mut inlet, "a");
        deliver(&mut inlet, "b");
        patient.join().expect("received");
        let left = if fickle.join().expect("dropped") { 0 } else { 1 };
        assert_eq!(engine.inbox.len(), left);
    });
}

/// Checks that waiting calls of a socket fail once `end` has ended it. A runtime that `end` returns
/// outlives them.
fn check_end(end: impl Fn(&Arc<Engine>, IdleRuntime) -> Option<IdleRuntime> + Send + Sync + 'static) {
    check(2, move || {
        let (engine, runtime) = socket(&DEALER, 1, 1);
        let (_outlet, _inlet) = peer(&engine, 0);
        send(&engine, "a");
        let sender = spawn({
            let engine = engine.clone();
            move || block_on(engine.send(None, "b")).is_err()
        });
        let watcher = spawn({
            let engine = engine.clone();
            move || block_on(engine.wait_for_peers(2)).is_err()
        });
        let _runtime = end(&engine, runtime);
        assert!(sender.join().expect("done") && watcher.join().expect("done"));
    });
}

#[test]
fn runtime_end_wakes_senders_and_watchers() {
    check_end(|_, runtime| {
        drop(runtime);
        None
    });
}

#[test]
fn close_wakes_senders_and_watchers() {
    check_end(|engine, runtime| {
        engine.close();
        Some(runtime)
    });
}

#[test]
fn runtime_end_wakes_pumps_and_receivers() {
    check(2, || {
        let (engine, runtime) = socket(&DEALER, 1, 2);
        let [(mut waits, _), (mut writes, _)] = [0, 1].map(|n| peer(&engine, n));
        let waiting = spawn(move || write_all(&mut waits, &Wire::new(0)));
        let writing = spawn(move || block_on(poll_fn(|cx| writes.poll_abort(cx))));
        let receiver = spawn({
            let engine = engine.clone();
            move || block_on(engine.recv()).is_err()
        });
        drop(runtime);
        waiting.join().expect("done");
        writing.join().expect("done");
        assert!(receiver.join().expect("done"));
    });
}

#[test]
fn accepted_messages_survive_close() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let (mut outlet, _inlet) = peer(&engine, 0);
        let wire = Wire::new(0);
        let sender = spawn({
            let engine = engine.clone();
            move || {
                ["a", "b"]
                    .into_iter()
                    .take_while(|message| block_on(engine.send(None, *message)).is_ok())
                    .count()
            }
        });
        let pump = spawn({
            let wire = wire.clone();
            move || write_all(&mut outlet, &wire)
        });
        engine.close();
        pump.join().expect("done");
        assert_eq!(wire.messages(), "ab"[..sender.join().expect("done")]);
    });
}

#[test]
fn direct_write_keeps_pump_order() {
    for takes in [0, 2, 64] {
        check(2, move || {
            let (engine, _runtime, mut outlet, mut inlet, wire) = connected(0, takes);
            let pump = spawn({
                let wire = wire.clone();
                move || write_all(&mut outlet, &wire)
            });
            let reader = spawn(move || {
                deliver(&mut inlet, "1");
                inlet
            });
            send(&engine, "a");
            block_on(engine.recv()).expect("open");
            send(&engine, "b");
            send(&engine, "c");
            engine.close();
            pump.join().expect("done");
            drop(reader.join());
            assert_eq!(wire.messages(), "abc");
        });
    }
}

#[test]
fn partial_direct_write_is_completed() {
    for takes in [0, 2] {
        check(3, move || {
            let (engine, runtime, mut outlet, _inlet, wire) = connected(0, takes);
            let sender = spawn(move || {
                send(&engine, "a");
                runtime
            });
            write(&mut outlet, &wire, 1);
            drop(sender.join());
            assert_eq!(wire.messages(), "a");
        });
    }
}

#[test]
fn concurrent_direct_writes_stay_whole() {
    for takes in [2, 64] {
        check(2, move || {
            let (engine, _runtime, mut outlet, _inlet, wire) = connected(0, takes);
            let pump = spawn({
                let wire = wire.clone();
                move || write_all(&mut outlet, &wire)
            });
            let sender = spawn({
                let engine = engine.clone();
                move || send(&engine, "a")
            });
            send(&engine, "b");
            sender.join().expect("sent");
            engine.close();
            pump.join().expect("done");
            assert!(["ab", "ba"].contains(&&*wire.messages()), "{}", wire.messages());
        });
    }
}

#[test]
fn pump_replies_exclude_direct_writes() {
    for takes in [2, 64] {
        check(3, move || {
            let (engine, _runtime, mut outlet, _inlet, wire) = connected(0, takes);
            let pump = spawn({
                let wire = wire.clone();
                move || {
                    let mut replied = false;
                    while !replied {
                        let mut batch = Outbox::new();
                        let taken = block_on(poll_fn(|cx| match outlet.poll_take(cx, &mut batch) {
                            Pending if outlet.unpark() => Ready(None),
                            Pending => Pending,
                            Ready(more) => Ready(Some(more)),
                        }));
                        match taken {
                            Some(more) if more => wire.write(batch.chunk()),
                            ended_or_idle => {
                                wire.write(&[0, 1, b'-']);
                                replied = true;
                                if ended_or_idle.is_some() {
                                    return;
                                }
                            }
                        }
                    }
                    write_all(&mut outlet, &wire);
                }
            });
            send(&engine, "a");
            send(&engine, "b");
            engine.close();
            pump.join().expect("done");
            assert!(["-ab", "a-b", "ab-"].contains(&&*wire.messages()), "{}", wire.messages());
        });
    }
}

#[test]
fn deferred_message_precedes_next_send() {
    check(3, || {
        let (engine, _runtime, mut outlet, _inlet, wire) = connected(0, 64);
        let pump = spawn({
            let wire = wire.clone();
            move || write_all(&mut outlet, &wire)
        });
        block_on(engine.send_deferred("a")).expect("open");
        send(&engine, "b");
        send(&engine, "c");
        engine.close();
        pump.join().expect("done");
        assert_eq!(wire.messages(), "abc");
    });
}

#[test]
fn send_flushes_deferred_other_peer() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 0, 2);
        let pumps = [0, 1].map(|n| {
            let (mut outlet, inlet) = peer(&engine, n);
            spawn(move || {
                write(&mut outlet, &Wire::new(0), 1);
                drop(inlet);
            })
        });
        block_on(engine.send_deferred("a")).expect("open");
        send(&engine, "b");
        pumps.into_iter().for_each(|pump| pump.join().expect("written"));
    });
}

#[test]
fn flush_returns_after_last_write() {
    check(3, || {
        let (engine, _runtime, mut outlet, _inlet, wire) = connected(0, 64);
        let pump = spawn({
            let wire = wire.clone();
            move || write_all(&mut outlet, &wire)
        });
        block_on(engine.send_deferred("a")).expect("open");
        block_on(engine.send_deferred("b")).expect("open");
        block_on(engine.flush()).expect("open");
        assert_eq!(wire.messages(), "ab");
        engine.close();
        pump.join().expect("done");
        assert_eq!(wire.messages(), "ab");
    });
}

#[test]
fn flush_notices_direct_write() {
    check(3, || {
        let (engine, _runtime, mut outlet, _inlet, wire) = connected(0, 2);
        let pump = spawn({
            let wire = wire.clone();
            move || write_all(&mut outlet, &wire)
        });
        send(&engine, "a");
        block_on(engine.flush()).expect("open");
        assert_eq!(wire.messages(), "a");
        engine.close();
        pump.join().expect("done");
    });
}

#[test]
fn lost_peer_messages_move_on() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 1, 2);
        let [(mut lost, _), (mut stays, _)] = [0, 1].map(|n| peer(&engine, n));
        let ends = spawn(move || {
            let mut batch = Outbox::new();
            assert!(block_on(poll_fn(|cx| lost.poll_take(cx, &mut batch))));
            Outlet::on_closed(&mut lost, batch);
        });
        // The third one waits until one of the others has ended.
        let sender = spawn({
            let engine = engine.clone();
            move || ["a", "b", "c"].iter().for_each(|message| send(&engine, message))
        });
        ends.join().expect("a message for it");
        let wire = Wire::new(0);
        write(&mut stays, &wire, 3);
        sender.join().expect("sent");
        let mut messages: Vec<_> = wire.messages().chars().collect();
        messages.sort();
        assert_eq!(messages, ['a', 'b', 'c']);
    });
}

#[test]
fn wait_for_peers_sees_arrivals() {
    check(3, || {
        let (engine, _runtime) = socket(&DEALER, 1, 2);
        let watcher = spawn({
            let engine = engine.clone();
            move || block_on(engine.wait_for_peers(2)).is_ok()
        });
        let _peers = [0, 1].map(|n| peer(&engine, n));
        assert!(watcher.join().expect("done"));
    });
}

#[test]
fn request_matches_its_reply() {
    check(2, || {
        let (engine, _runtime) = socket(&REQ, 1, 1);
        let (mut outlet, mut inlet) = peer(&engine, 0);
        let replier = spawn(move || {
            for reply in ["a", "b"] {
                let mut batch = Outbox::new();
                assert!(block_on(poll_fn(|cx| outlet.poll_take(cx, &mut batch))));
                deliver(&mut inlet, ["", reply]);
            }
            (outlet, inlet)
        });
        for reply in ["a", "b"] {
            send(&engine, "?");
            let got = block_on(engine.recv()).expect("open");
            assert_eq!(&got[0], reply.as_bytes());
        }
        drop(replier.join());
    });
}

#[test]
fn subscribe_during_attach_announces_once() {
    check(3, || {
        let (engine, _runtime) = socket(&SUB, 1, 1);
        let subscriber = spawn({
            let engine = engine.clone();
            move || engine.subscribe(b"topic").expect("open")
        });
        let (mut outlet, _inlet) = peer(&engine, 0);
        let mut batch = Outbox::new();
        assert!(block_on(poll_fn(|cx| outlet.poll_take(cx, &mut batch))));
        subscriber.join().expect("subscribed");
        assert_eq!(batch.messages(), 1);
        let again = poll_fn(|cx| outlet.poll_take(cx, &mut batch));
        assert!(poll_once(pin!(again)).is_pending());
    });
}

#[test]
fn disconnect_during_attach_leaves_none() {
    check(3, || {
        let (engine, _runtime) = socket(&DEALER, 1, 1);
        let via = endpoint_ref(&engine, 0);
        let giving_up = spawn({
            let engine = engine.clone();
            move || connect::disconnect(&engine, &endpoint(0)).expect("connected")
        });
        if let Some((mut outlet, _inlet)) = established(&engine, via, None) {
            write_all(&mut outlet, &Wire::new(0));
            Outlet::on_closed(&mut outlet, Outbox::new());
        }
        giving_up.join().expect("ended");
        assert_eq!(engine.peer_count(), 0);
    });
}

#[test]
fn lost_masked_batch_requeues_plain() {
    check(2, || {
        let (engine, _runtime) = socket(&DEALER, 0, 2);
        let (mut lost, _inlet) = peer(&engine, 0);
        ["a", "b"].iter().for_each(|message| send(&engine, message));
        let mut batch = InFlight::new(&Masking);
        assert!(block_on(poll_fn(|cx| lost.poll_take(cx, batch.queued_mut()))));
        let sender = spawn({
            let engine = engine.clone();
            move || send(&engine, "c")
        });
        batch.encode(&mut Masking);
        // The whole first message, and a part of the second.
        batch.consume(2 * MESSAGE + 1);
        lost.on_closed(batch.into_unsent());
        drop(lost);
        let (mut outlet, _inlet) = peer(&engine, 1);
        let wire = Wire::new(0);
        write(&mut outlet, &wire, 2);
        sender.join().expect("sent");
        assert_eq!(wire.messages(), "bc");
    });
}

/// The encoded length of a message of one byte.
const MESSAGE: usize = 3;
