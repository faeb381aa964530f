//! The instruction counts of the hot paths, taken by callgrind: they do not depend on how busy the
//! machine is.
//!
//! `scripts/instructions.sh` runs this and compares the counts with those in
//! `benches/instructions.json`. It assumes that each benchmark does [`TIMES`] operations.
#![expect(missing_docs, reason = "the macros make public items and cannot document them")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use compio::driver::{DriverType, ProactorBuilder};
use compio::runtime::{Runtime, RuntimeBuilder};
use gungraun::{Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use monocoque::zmq::{PullSocket, PushSocket};
use monocoque_core::{
    Decode, Message, Outbox, Protocol, PubSubHub, Room, RouterBehavior, RouterHub, RoutingId,
    SegmentedBuffer, Step,
};
use monocoque_zmtp::{Decoder, SessionConfig, SocketType, ZmtpSession, encode_message};

use monocoque_bench::fixtures::{Lanes, message, publisher, router, subjects, topic};

/// The number of operations of a benchmark.
const TIMES: usize = 1000;

#[library_benchmark(setup = body)]
#[bench::bytes_64(64)]
#[bench::bytes_1024(1024)]
fn make_message(body: Vec<u8>) -> Vec<u8> {
    for _ in 0..TIMES {
        black_box(Message::from(black_box(&body[..])));
    }
    body
}

#[library_benchmark(setup = message)]
#[bench::bytes_64(64)]
#[bench::bytes_1024(1024)]
fn clone_message(message: Message) -> Message {
    for _ in 0..TIMES {
        black_box(black_box(&message).clone());
    }
    message
}

#[library_benchmark(setup = encoding)]
#[bench::bytes_64(64)]
#[bench::bytes_1024(1024)]
fn encode((message, mut outbox): (Message, Outbox)) -> (Message, Outbox) {
    for _ in 0..TIMES {
        encode_message(black_box(&message), &mut outbox);
    }
    (message, outbox)
}

#[library_benchmark(setup = decoding)]
#[bench::bytes_64(64)]
#[bench::bytes_1024(1024)]
fn decode((mut decoder, mut input, mut messages): Decoding) -> Decoding {
    let mut replies = Outbox::new();
    while decoder.next(&mut input, &mut replies, &mut messages).expect("well formed").is_some() {}
    assert_eq!(messages.len(), TIMES);
    (decoder, input, messages)
}

#[library_benchmark(setup = Lanes::new)]
#[bench::lanes_1(1)]
#[bench::lanes_100(100)]
fn push_and_take(mut lanes: Lanes) -> Lanes {
    let mut taken = 0;
    while taken < TIMES {
        taken += lanes.push_and_take();
    }
    lanes
}

#[library_benchmark(setup = ring)]
#[bench::peers_1(1)]
#[bench::peers_100(100)]
#[bench::peers_1000(1000)]
fn route_in_turn(mut hub: RouterHub) -> RouterHub {
    for _ in 0..TIMES {
        let to = hub.next_peer().expect("peers with room");
        hub.pass_turn(to, Room::Available);
    }
    hub
}

#[library_benchmark(setup = by_id)]
#[bench::peers_1(1)]
#[bench::peers_100(100)]
#[bench::peers_1000(1000)]
fn route_by_id((hub, ids): (RouterHub, Vec<RoutingId>)) -> (RouterHub, Vec<RoutingId>) {
    for id in ids.iter().cycle().take(TIMES) {
        black_box(hub.lookup(black_box(id)).expect("connected peers"));
    }
    (hub, ids)
}

// One of the subscriptions matches.
#[library_benchmark(setup = subscriptions)]
#[bench::topics_1(1)]
#[bench::topics_100(100)]
#[bench::topics_10000(10_000)]
#[bench::topics_100000(100_000)]
fn match_topics((mut hub, subjects): (PubSubHub, Vec<String>)) -> (PubSubHub, Vec<String>) {
    let mut to = Vec::with_capacity(1);
    for subject in subjects.iter().cycle().take(TIMES) {
        hub.matches(black_box(subject.as_bytes()), &mut to);
        assert_eq!(to.len(), 1);
    }
    (hub, subjects)
}

// None matches. All have different lengths and differ from the subject in their last byte only: the
// worst that a subscriber can do.
#[library_benchmark(setup = hostile_subscriptions)]
#[bench::topics_1000(1000)]
fn match_the_worst((mut hub, subject): (PubSubHub, Vec<u8>)) -> (PubSubHub, Vec<u8>) {
    let mut to = Vec::new();
    for _ in 0..TIMES {
        hub.matches(black_box(&subject), &mut to);
        assert!(to.is_empty());
    }
    (hub, subject)
}

// Sending and receiving without the stream.
#[library_benchmark(setup = neighbours)]
#[bench::bytes_64(64)]
#[bench::bytes_1024(1024)]
fn hand_over(neighbours: Neighbours) -> Neighbours {
    let Neighbours { push, pull, body, .. } = &neighbours;
    for _ in 0..TIMES / BURST {
        (0..BURST).for_each(|_| push.try_send(black_box(&body[..])).expect("room for a burst"));
        (0..BURST).for_each(|_| drop(black_box(pull.try_recv().expect("a message of the burst"))));
    }
    neighbours
}

library_benchmark_group!(
    name = hot_paths,
    benchmarks = [
        make_message,
        clone_message,
        encode,
        decode,
        push_and_take,
        route_in_turn,
        route_by_id,
        match_topics,
        match_the_worst,
        hand_over,
    ]
);
main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = hot_paths
);

fn body(len: usize) -> Vec<u8> {
    vec![b'm'; len]
}

/// Creates an outbox with the capacity that it needs.
fn encoding(len: usize) -> (Message, Outbox) {
    let message = message(len);
    let mut outbox = Outbox::new();
    (0..TIMES).for_each(|_| encode_message(&message, &mut outbox));
    outbox.clear();
    (message, outbox)
}

type Decoding = (Decoder, SegmentedBuffer, VecDeque<Message>);

/// Creates the input from a PUSH socket, in reads of 64 KiB.
fn decoding(len: usize) -> Decoding {
    let (message, mut outbox) = encoding(len);
    (0..TIMES).for_each(|_| encode_message(&message, &mut outbox));
    let mut input = SegmentedBuffer::new();
    outbox.chunk().chunks(64 * 1024).for_each(|read| input.push(Bytes::copy_from_slice(read)));
    (decoder(), input, VecDeque::with_capacity(TIMES))
}

/// Creates the decoder of a PULL socket after its handshake.
fn decoder() -> Decoder {
    let mut ends = [SocketType::Pull, SocketType::Push].map(|kind| {
        let session = ZmtpSession::new(SessionConfig::new(kind)).expect("a valid configuration");
        (Some(session), SegmentedBuffer::new())
    });
    let mut turn = 0;
    loop {
        let (session, input) = &mut ends[turn];
        let mut output = Outbox::new();
        let step =
            session.take().expect("an unfinished handshake").advance(input, &mut output, Instant::now());
        match step.expect("compatible peers") {
            Step::Established(established) if turn == 0 => return established.decoder,
            Step::Established(_) => {}
            Step::NeedInput(next) => *session = Some(next),
            Step::Ask(..) => {}
        }
        turn = 1 - turn;
        ends[turn].1.push(Bytes::copy_from_slice(output.chunk()));
    }
}

fn ring(peers: u32) -> RouterHub {
    router(RouterBehavior::RoundRobin, peers).0
}

fn by_id(peers: u32) -> (RouterHub, Vec<RoutingId>) {
    router(RouterBehavior::ById, peers)
}

fn subscriptions(topics: usize) -> (PubSubHub, Vec<String>) {
    (publisher((0..topics).map(topic)), subjects(topics))
}

fn hostile_subscriptions(topics: usize) -> (PubSubHub, Vec<u8>) {
    (publisher((0..topics).map(|n| [&*vec![b'a'; n], b"\0"].concat())), vec![b'a'; topics])
}

struct Neighbours {
    push: PushSocket,
    pull: PullSocket,
    body: Vec<u8>,
    /// Keeps the sockets alive.
    _runtime: Runtime,
}

/// Creates two sockets that are connected within the process.
fn neighbours(len: usize) -> Neighbours {
    let mut proactor = ProactorBuilder::new();
    // Valgrind supports little of io_uring.
    proactor.driver_type(DriverType::Poll);
    let runtime = RuntimeBuilder::new().with_proactor(proactor).build().expect("a runtime");
    let sockets = runtime.block_on(async {
        let (push, pull) = (PushSocket::new()?, PullSocket::new()?);
        push.connect(pull.bind("inproc://instructions").await?).await?;
        Ok::<_, monocoque::MonocoqueError>((push, pull))
    });
    let (push, pull) = sockets.expect("connected");
    Neighbours { push, pull, body: body(len), _runtime: runtime }
}

/// The number of messages sent before they are received.
const BURST: usize = 10;
