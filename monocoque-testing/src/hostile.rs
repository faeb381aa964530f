//! Raw peers that violate the protocol or misuse it as no socket does.
//!
//! They connect to endpoints that tested sockets bind, and listen at additional endpoints that
//! tested sockets connect to. [`is_hostile`] separates the whole messages that they send from those
//! of the test. They also begin messages that they never finish: receiving one of these is an
//! error.

use std::io::{self, ErrorKind, Read, Write};
use std::iter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::bytes::{command, frame, greeting, ready};

/// The topic that the tested SUBs subscribe to. All messages of hostile peers begin with it.
pub const TOPIC: u8 = b'n';

/// Hostile peers, on threads of their own until [`end`](Self::end).
#[derive(Debug)]
pub struct Hostile {
    shared: Arc<Shared>,
    threads: Vec<(&'static str, JoinHandle<()>)>,
}

/// An endpoint of a tested socket, and how hostile peers present themselves there.
#[derive(Clone, Debug)]
pub struct Target {
    pub endpoint: String,
    /// The socket type that the peer announces.
    pub socket_type: &'static str,
}

/// Counts of what hostile peers did.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that sent or read one byte at a time.
    pub trickles: AtomicU64,
    pub floods: AtomicU64,
    pub refusals: AtomicU64,
    /// The part of `refusals` on connections that tested sockets initiated.
    pub refusals_dialled: AtomicU64,
    /// Peers that disconnected without cancelling any of their subscriptions.
    pub subscribers: AtomicU64,
}

#[derive(Debug)]
struct Shared {
    /// How many topics one peer subscribes to.
    topics: usize,
    ended: AtomicBool,
    counts: Counts,
}

/// The first frame of a message that is sent whole.
const HOSTILE: &[u8] = b"nothing of the test";
/// The first frame of a message that is never finished.
const UNFINISHED: &[u8] = b"never to be received";
const _: () = assert!(HOSTILE[0] == TOPIC && UNFINISHED[0] == TOPIC);

/// Returns whether a message is one of a hostile peer. Fails if such a message was altered.
pub fn is_hostile<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Result<bool, String> {
    let frames: Vec<_> = frames.into_iter().collect();
    if frames.first() != Some(&HOSTILE) {
        return Ok(false);
    }
    let more = frames.len() - 1;
    let whole = frames[1..].iter().all(|frame| frame.iter().all(|byte| usize::from(*byte) == more));
    match more > 0 && whole {
        true => Ok(true),
        false => Err(format!("a message of a hostile peer with {more} frames was altered")),
    }
}

/// Encodes a whole message: each byte behind its first frame is the number of those frames.
fn message(rng: &mut Rng) -> Vec<u8> {
    let more = rng.u8(1..20);
    let bodies = (1..=more).map(|n| {
        let len = if rng.u8(0..40) == 0 { rng.usize(0..40_000) } else { rng.usize(0..300) };
        frame(u8::from(n < more), &vec![more; len])
    });
    iter::once(frame(1, HOSTILE)).chain(bodies).collect::<Vec<_>>().concat()
}

/// Encodes the beginning of a message, whose last frame is missing or cut short.
fn unfinished(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = [frame(1, UNFINISHED), frame(0, &[0; 300])].concat();
    bytes.truncate(rng.usize(1..bytes.len()));
    bytes
}

impl Hostile {
    /// Starts peers that connect to `dialled` and listeners at `listening`.
    pub fn start(dialled: Vec<Target>, listening: Vec<Target>, topics: usize, seed: u64) -> Self {
        let shared = Shared { topics, ended: AtomicBool::new(false), counts: Counts::default() };
        let mut hostile = Self { shared: Arc::new(shared), threads: Vec::new() };
        let publishers: Vec<_> =
            dialled.iter().filter(|target| target.socket_type == "SUB").cloned().collect();
        let dials: [(_, Behaviour, _, _); 4] = [
            ("trickling peer", Shared::trickle, 3, &dialled),
            ("flooding peer", Shared::flood, 2, &dialled),
            ("refusing peer", Shared::refuse, 2, &dialled),
            ("subscriber to many topics", Shared::subscribe_to_many, 1, &publishers),
        ];
        let dials = dials.into_iter().flat_map(|dial| iter::repeat_n(dial, dial.2));
        for (n, (name, behaviour, _, targets)) in (0..).zip(dials) {
            let targets = targets.clone();
            let work = move |shared: &Shared, rng: &mut Rng| shared.dial(behaviour, &targets, rng);
            hostile.spawn(name, Rng::with_seed(seed ^ n), work);
        }
        for (n, target) in (100..).zip(listening) {
            let listener = listen(&target.endpoint).expect("an address to listen at");
            let work = move |shared: &Shared, rng: &mut Rng| shared.listen(&listener, &target, rng);
            hostile.spawn("refusing listener", Rng::with_seed(seed ^ n), work);
        }
        hostile
    }

    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    pub fn topics(&self) -> usize {
        self.shared.topics
    }

    /// Ends the peers and their connections. Returns a line for each thread that panicked.
    pub fn end(&mut self) -> Vec<String> {
        self.shared.ended.store(true, Ordering::Relaxed);
        let panicked = |(name, thread): (&str, JoinHandle<()>)| {
            thread.join().is_err().then(|| format!("the {name} panicked"))
        };
        self.threads.drain(..).filter_map(panicked).collect()
    }

    fn spawn(
        &mut self,
        name: &'static str,
        mut rng: Rng,
        work: impl FnOnce(&Shared, &mut Rng) + Send + 'static,
    ) {
        let shared = self.shared.clone();
        let work = move || work(&shared, &mut rng);
        let thread = thread::Builder::new().name(name.into()).spawn(work).expect("a thread");
        self.threads.push((name, thread));
    }
}

/// The behaviour of a peer on one connection. Returns an error if the other side closed it.
type Behaviour = fn(&Shared, &Socket, &Target, &mut Rng) -> io::Result<()>;

impl Shared {
    fn dial(&self, behaviour: Behaviour, targets: &[Target], rng: &mut Rng) {
        while !self.ended() {
            let target = rng.choice(targets).expect("not empty");
            if let Ok(stream) = connect(&target.endpoint) {
                // An error is expected: the socket may have closed the connection.
                let _disconnected = behaviour(self, &stream, target, rng);
                choose_close(&stream, rng);
            }
            self.pause(rng.u64(1..40));
        }
    }

    fn listen(&self, listener: &Socket, target: &Target, rng: &mut Rng) {
        while !self.ended() {
            let Ok((stream, _)) = listener.accept() else { continue };
            let _disconnected = limit_blocking(&stream).and_then(|()| self.refuse(&stream, target, rng));
            choose_close(&stream, rng);
            count(&self.counts.refusals_dialled);
        }
    }

    /// Sends the handshake and a few messages one byte at a time.
    fn trickle(&self, mut stream: &Socket, target: &Target, rng: &mut Rng) -> io::Result<()> {
        count(&self.counts.trickles);
        // Slow peers exceed the handshake timeout.
        let slow = rng.u8(0..5) == 0;
        let payload = match target.socket_type {
            "SUB" => command("SUBSCRIBE", &[TOPIC]),
            _ => message(rng),
        };
        let parts =
            [&greeting()[..], &ready(target.socket_type, b""), &payload[..payload.len().min(2_000)]].concat();
        for byte in parts {
            if self.ended() {
                return Ok(());
            }
            stream.write_all(&[byte])?;
            let micros = if slow { rng.u64(5_000..20_000) } else { rng.u64(0..1_500) };
            thread::sleep(Duration::from_micros(micros));
        }
        // The peer reads as slowly.
        for _ in 0..rng.usize(0..200) {
            if self.ended() || stream.read(&mut [0])? == 0 {
                return Ok(());
            }
            self.pause(rng.u64(0..3));
        }
        Ok(())
    }

    /// Sends large amounts of all kinds of traffic in pieces, and reads little.
    fn flood(&self, stream: &Socket, target: &Target, rng: &mut Rng) -> io::Result<()> {
        count(&self.counts.floods);
        self.complete_handshake(stream, target.socket_type)?;
        for _ in 0..rng.usize(1..20) {
            let mut bytes = Vec::new();
            for _ in 0..rng.usize(1..60) {
                let more = match (rng.u8(0..5), target.socket_type) {
                    (0, _) => command("PING", b"\0\0who is there").repeat(rng.usize(1..50)),
                    (1 | 2, "SUB") => subscriptions(LegacyForm::Included, rng),
                    // A PUB ignores messages.
                    (3, "SUB") => message(rng),
                    (1, _) => subscriptions(LegacyForm::Excluded, rng),
                    _ => message(rng),
                };
                bytes.extend(more);
            }
            let largest = *rng.choice(&[7, 200, 70_000]).expect("not empty");
            self.write_in_pieces(stream, &bytes, largest, rng)?;
        }
        self.write_in_pieces(stream, &unfinished(rng), 100, rng)
    }

    /// Breaks off: before, during or after the handshake.
    fn refuse(&self, mut stream: &Socket, target: &Target, rng: &mut Rng) -> io::Result<()> {
        count(&self.counts.refusals);
        match rng.u8(0..11) {
            0 => Ok(()),
            1 => stream.write_all(&noise(rng)),
            2 => stream.write_all(&greeting()[..rng.usize(1..64)]),
            3 => stream.write_all(&[&greeting()[..], &command("ERROR", b"\x08go away!")].concat()),
            4 => self.complete_handshake(stream, "REQ"),
            5 => self.complete_handshake(stream, target.socket_type),
            6 => {
                self.complete_handshake(stream, target.socket_type)?;
                stream.write_all(&noise(rng))
            }
            7 => {
                self.complete_handshake(stream, target.socket_type)?;
                stream.write_all(&[&[2][..], &rng.u64(1 << 40..).to_be_bytes()].concat())
            }
            8 => {
                self.complete_handshake(stream, target.socket_type)?;
                stream.write_all(&unfinished(rng))
            }
            9 => {
                self.complete_handshake(stream, target.socket_type)?;
                stream.write_all(&message(rng))?;
                // The peer stays connected without reading.
                self.pause(rng.u64(1..300));
                Ok(())
            }
            _ => {
                self.complete_handshake(stream, target.socket_type)?;
                stream.write_all(&[message(rng), unfinished(rng)].concat())?;
                for _ in 0..rng.usize(1..100) {
                    if self.ended() || stream.read(&mut [0; 1_000])? == 0 {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Subscribes to many topics at a publisher, and disconnects once it has processed them.
    fn subscribe_to_many(&self, mut stream: &Socket, target: &Target, rng: &mut Rng) -> io::Result<()> {
        self.complete_handshake(stream, target.socket_type)?;
        let mut bytes = Vec::new();
        for n in 0..self.topics {
            let topic = format!("{n:x} of many");
            match rng.bool() {
                true => bytes.extend(command("SUBSCRIBE", topic.as_bytes())),
                false => bytes.extend(frame(0, &[b"\x01", topic.as_bytes()].concat())),
            }
            if bytes.len() > 64 * 1024 || n + 1 == self.topics {
                if self.ended() {
                    return Ok(());
                }
                stream.write_all(&bytes)?;
                bytes.clear();
            }
        }
        stream.write_all(&command("PING", b"\0\0are they known?"))?;
        // Reads publications up to the PONG.
        while self.next_frame(stream)?.0 & 4 == 0 {}
        count(&self.counts.subscribers);
        Ok(())
    }

    fn complete_handshake(&self, mut stream: &Socket, socket_type: &str) -> io::Result<()> {
        stream.write_all(&[&greeting()[..], &ready(socket_type, b"")].concat())?;
        stream.read_exact(&mut [0; 64])?;
        self.next_frame(stream).map(drop)
    }

    /// Reads the next frame: its flags and its body. Waits for it until the peers are ended.
    fn next_frame(&self, mut stream: &Socket) -> io::Result<(u8, Vec<u8>)> {
        let mut flags = [0];
        while let Err(error) = stream.read_exact(&mut flags) {
            if error.kind() != ErrorKind::WouldBlock || self.ended() {
                return Err(error);
            }
        }
        let mut len = vec![0; if flags[0] & 2 == 0 { 1 } else { 8 }];
        stream.read_exact(&mut len)?;
        let len = len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        let mut body = vec![0; len];
        stream.read_exact(&mut body)?;
        Ok((flags[0], body))
    }

    fn write_in_pieces(
        &self,
        mut stream: &Socket,
        bytes: &[u8],
        largest: usize,
        rng: &mut Rng,
    ) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.ended() {
            let (piece, behind) = rest.split_at(rng.usize(1..=largest).min(rest.len()));
            stream.write_all(piece)?;
            rest = behind;
        }
        Ok(())
    }

    fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn pause(&self, millis: u64) {
        let start = Instant::now();
        while !self.ended() && start.elapsed() < Duration::from_millis(millis) {
            thread::sleep(Duration::from_millis(millis.min(5)));
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Whether to use the ZMTP 3.0 form of subscriptions too, which is a message to all but publishers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LegacyForm {
    Included,
    Excluded,
}

/// Encodes subscribe and cancel requests, among them ones for [`TOPIC`] and for topics without a
/// subscription.
fn subscriptions(legacy: LegacyForm, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..rng.usize(1..200) {
        let topic = match rng.u8(0..3) {
            0 => vec![TOPIC],
            _ => format!("{} that come and go", rng.u8(0..100)).into_bytes(),
        };
        let subscribes = rng.bool();
        let legacy = legacy == LegacyForm::Included && rng.bool();
        bytes.extend(match (subscribes, legacy) {
            (true, false) => command("SUBSCRIBE", &topic),
            (false, false) => command("CANCEL", &topic),
            (_, true) => frame(0, &[&[u8::from(subscribes)], &topic[..]].concat()),
        });
    }
    bytes
}

/// Returns bytes that are neither a greeting nor a frame.
fn noise(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![0; rng.usize(1..2_000)];
    rng.fill(&mut bytes);
    bytes[0] = 0xf8;
    bytes
}

/// Chooses whether the connection will end with a reset or in an orderly way.
fn choose_close(stream: &Socket, rng: &mut Rng) {
    if rng.bool() {
        stream.set_linger(Some(Duration::ZERO)).expect("an option");
    }
}

fn connect(endpoint: &str) -> io::Result<Socket> {
    let (address, socket) = socket(endpoint)?;
    limit_blocking(&socket)?;
    socket.connect(&address)?;
    Ok(socket)
}

fn listen(endpoint: &str) -> io::Result<Socket> {
    let (address, socket) = socket(endpoint)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address)?;
    socket.listen(16)?;
    // The timeout of `accept` as well.
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    Ok(socket)
}

/// Bounds the duration of blocking calls.
fn limit_blocking(stream: &Socket) -> io::Result<()> {
    if stream.domain()? != Domain::UNIX {
        stream.set_tcp_nodelay(true)?;
    }
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.set_write_timeout(Some(Duration::from_secs(1)))
}

fn socket(endpoint: &str) -> io::Result<(SockAddr, Socket)> {
    let address = match endpoint.strip_prefix("tcp://") {
        Some(address) => SockAddr::from(address.parse::<SocketAddr>().expect("an address")),
        None => SockAddr::unix(endpoint.strip_prefix("ipc://").expect("tcp or ipc"))?,
    };
    let socket = Socket::new(address.domain(), Type::STREAM, None)?;
    Ok((address, socket))
}
