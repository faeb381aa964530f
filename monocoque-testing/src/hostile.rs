//! Raw peers that do what no socket does.
//!
//! They dial endpoints that sockets of ours bind, and listen where such sockets dial beside their
//! real endpoints. A message that they send whole is [told apart](is_hostile) from those of the
//! test. One that they begin and do not finish is a mistake wherever it is received.

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

/// The topic of the SUBs that they meet, which their messages begin with.
pub const TOPIC: u8 = b'n';

/// Hostile peers, on threads of their own until they [end](Self::end).
#[derive(Debug)]
pub struct Hostile {
    shared: Arc<Shared>,
    threads: Vec<(&'static str, JoinHandle<()>)>,
}

/// A place where a hostile peer meets a socket of ours.
#[derive(Clone, Debug)]
pub struct Place {
    pub endpoint: String,
    /// The socket type that the peer announces.
    pub plays: &'static str,
}

/// What hostile peers did.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that brought or took a byte at a time.
    pub trickles: AtomicU64,
    pub floods: AtomicU64,
    pub refusals: AtomicU64,
    /// Those of `refusals` that our sockets dialled.
    pub refusals_dialled: AtomicU64,
    /// Peers that left with all of their topics subscribed to.
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

/// Tells whether a message is one of a hostile peer, or what is wrong with one that says so.
pub fn is_hostile<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Result<bool, String> {
    let frames: Vec<_> = frames.into_iter().collect();
    if frames.first() != Some(&HOSTILE) {
        return Ok(false);
    }
    let more = frames.len() - 1;
    let whole = frames[1..].iter().all(|frame| frame.iter().all(|byte| usize::from(*byte) == more));
    match more > 0 && whole {
        true => Ok(true),
        false => Err(format!("a message of a hostile peer with {more} frames is not what was sent")),
    }
}

/// A whole message: each byte behind the first frame is the number of frames there.
fn message(chance: &mut Rng) -> Vec<u8> {
    let more = chance.u8(1..20);
    let bodies = (1..=more).map(|n| {
        let len = if chance.u8(0..40) == 0 { chance.usize(0..40_000) } else { chance.usize(0..300) };
        frame(u8::from(n < more), &vec![more; len])
    });
    iter::once(frame(1, HOSTILE)).chain(bodies).collect::<Vec<_>>().concat()
}

/// The beginning of a message: its last frame, or the rest of that, does not follow.
fn unfinished(chance: &mut Rng) -> Vec<u8> {
    let mut bytes = [frame(1, UNFINISHED), frame(0, &[0; 300])].concat();
    bytes.truncate(chance.usize(1..bytes.len()));
    bytes
}

impl Hostile {
    /// Starts those that dial `dialled`, and those that listen at `listening`.
    pub fn start(dialled: Vec<Place>, listening: Vec<Place>, topics: usize, seed: u64) -> Self {
        let shared = Shared { topics, ended: AtomicBool::new(false), counts: Counts::default() };
        let mut hostile = Self { shared: Arc::new(shared), threads: Vec::new() };
        let publishers: Vec<_> = dialled.iter().filter(|place| place.plays == "SUB").cloned().collect();
        let dials: [(_, Act, _, _); 4] = [
            ("trickling peer", Shared::trickle, 3, &dialled),
            ("flooding peer", Shared::flood, 2, &dialled),
            ("refusing peer", Shared::refuse, 2, &dialled),
            ("subscriber to many topics", Shared::subscribe_to_many, 1, &publishers),
        ];
        let dials = dials.into_iter().flat_map(|dial| iter::repeat_n(dial, dial.2));
        for (n, (name, act, _, places)) in (0..).zip(dials) {
            let places = places.clone();
            let work = move |shared: &Shared, chance: &mut Rng| shared.dial(act, &places, chance);
            hostile.spawn(name, Rng::with_seed(seed ^ n), work);
        }
        for (n, place) in (100..).zip(listening) {
            let listener = listen(&place.endpoint).expect("a place to listen");
            let work = move |shared: &Shared, chance: &mut Rng| shared.listen(&listener, &place, chance);
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

    /// Ends them and their connections. Returns what panicked.
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
        mut chance: Rng,
        work: impl FnOnce(&Shared, &mut Rng) + Send + 'static,
    ) {
        let shared = self.shared.clone();
        let work = move || work(&shared, &mut chance);
        let thread = thread::Builder::new().name(name.into()).spawn(work).expect("a thread");
        self.threads.push((name, thread));
    }
}

/// What a peer does with one connection. An error is that of one that the other side has ended.
type Act = fn(&Shared, &Socket, &Place, &mut Rng) -> io::Result<()>;

impl Shared {
    fn dial(&self, act: Act, places: &[Place], chance: &mut Rng) {
        while !self.ended() {
            let place = chance.choice(places).expect("not empty");
            if let Ok(stream) = connect(&place.endpoint) {
                // It may have been cut off, as it deserves.
                let _cut_off = act(self, &stream, place, chance);
                leave(&stream, chance);
            }
            self.pause(chance.u64(1..40));
        }
    }

    fn listen(&self, listener: &Socket, place: &Place, chance: &mut Rng) {
        while !self.ended() {
            let Ok((stream, _)) = listener.accept() else { continue };
            let _cut_off = bound(&stream).and_then(|()| self.refuse(&stream, place, chance));
            leave(&stream, chance);
            count(&self.counts.refusals_dialled);
        }
    }

    /// Sends the handshake and a few messages a byte at a time.
    fn trickle(&self, mut stream: &Socket, place: &Place, chance: &mut Rng) -> io::Result<()> {
        count(&self.counts.trickles);
        // The slow ones do not complete the handshake in time.
        let slow = chance.u8(0..5) == 0;
        let said = match place.plays {
            "SUB" => command("SUBSCRIBE", &[TOPIC]),
            _ => message(chance),
        };
        let parts = [&greeting()[..], &ready(place.plays, b""), &said[..said.len().min(2_000)]].concat();
        for byte in parts {
            if self.ended() {
                return Ok(());
            }
            stream.write_all(&[byte])?;
            let micros = if slow { chance.u64(5_000..20_000) } else { chance.u64(0..1_500) };
            thread::sleep(Duration::from_micros(micros));
        }
        // What the other side has to say is taken as slowly.
        for _ in 0..chance.usize(0..200) {
            if self.ended() || stream.read(&mut [0])? == 0 {
                return Ok(());
            }
            self.pause(chance.u64(0..3));
        }
        Ok(())
    }

    /// Sends far too much of everything, in pieces, and reads little of what comes.
    fn flood(&self, stream: &Socket, place: &Place, chance: &mut Rng) -> io::Result<()> {
        count(&self.counts.floods);
        self.shake_hands(stream, place.plays)?;
        for _ in 0..chance.usize(1..20) {
            let mut bytes = Vec::new();
            for _ in 0..chance.usize(1..60) {
                let more = match (chance.u8(0..5), place.plays) {
                    (0, _) => command("PING", b"\0\0who is there").repeat(chance.usize(1..50)),
                    (1 | 2, "SUB") => subscriptions(Older::Too, chance),
                    // A PUB has no use for it.
                    (3, "SUB") => message(chance),
                    (1, _) => subscriptions(Older::Not, chance),
                    _ => message(chance),
                };
                bytes.extend(more);
            }
            let largest = *chance.choice(&[7, 200, 70_000]).expect("not empty");
            self.write_in_pieces(stream, &bytes, largest, chance)?;
        }
        self.write_in_pieces(stream, &unfinished(chance), 100, chance)
    }

    /// Is no peer for long: before, within or behind the handshake.
    fn refuse(&self, mut stream: &Socket, place: &Place, chance: &mut Rng) -> io::Result<()> {
        count(&self.counts.refusals);
        match chance.u8(0..11) {
            0 => Ok(()),
            1 => stream.write_all(&noise(chance)),
            2 => stream.write_all(&greeting()[..chance.usize(1..64)]),
            3 => stream.write_all(&[&greeting()[..], &command("ERROR", b"\x08go away!")].concat()),
            4 => self.shake_hands(stream, "REQ"),
            5 => self.shake_hands(stream, place.plays),
            6 => {
                self.shake_hands(stream, place.plays)?;
                stream.write_all(&noise(chance))
            }
            7 => {
                self.shake_hands(stream, place.plays)?;
                stream.write_all(&[&[2][..], &chance.u64(1 << 40..).to_be_bytes()].concat())
            }
            8 => {
                self.shake_hands(stream, place.plays)?;
                stream.write_all(&unfinished(chance))
            }
            9 => {
                self.shake_hands(stream, place.plays)?;
                stream.write_all(&message(chance))?;
                // It is there, and takes nothing.
                self.pause(chance.u64(1..300));
                Ok(())
            }
            _ => {
                self.shake_hands(stream, place.plays)?;
                stream.write_all(&[message(chance), unfinished(chance)].concat())?;
                for _ in 0..chance.usize(1..100) {
                    if self.ended() || stream.read(&mut [0; 1_000])? == 0 {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Subscribes to many topics at a publisher and leaves once they are known.
    fn subscribe_to_many(&self, mut stream: &Socket, place: &Place, chance: &mut Rng) -> io::Result<()> {
        self.shake_hands(stream, place.plays)?;
        let mut bytes = Vec::new();
        for n in 0..self.topics {
            let topic = format!("{n:x} of many");
            match chance.bool() {
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
        // Whatever matches is read, up to the PONG.
        while self.next_frame(stream)?.0 & 4 == 0 {}
        count(&self.counts.subscribers);
        Ok(())
    }

    fn shake_hands(&self, mut stream: &Socket, plays: &str) -> io::Result<()> {
        stream.write_all(&[&greeting()[..], &ready(plays, b"")].concat())?;
        stream.read_exact(&mut [0; 64])?;
        self.next_frame(stream).map(drop)
    }

    /// The next frame: its flags and its body. It may take its time to come.
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
        chance: &mut Rng,
    ) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.ended() {
            let (piece, behind) = rest.split_at(chance.usize(1..=largest).min(rest.len()));
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

/// Whether subscriptions have the older form as well, which is a message to all but publishers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Older {
    Too,
    Not,
}

/// Subscribes and cancels, the topic of all SUBs among others, also what is not subscribed to.
fn subscriptions(older: Older, chance: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..chance.usize(1..200) {
        let topic = match chance.u8(0..3) {
            0 => vec![TOPIC],
            _ => format!("{} that come and go", chance.u8(0..100)).into_bytes(),
        };
        let subscribes = chance.bool();
        let older = older == Older::Too && chance.bool();
        bytes.extend(match (subscribes, older) {
            (true, false) => command("SUBSCRIBE", &topic),
            (false, false) => command("CANCEL", &topic),
            (_, true) => frame(0, &[&[u8::from(subscribes)], &topic[..]].concat()),
        });
    }
    bytes
}

/// Bytes that are neither a greeting nor a frame.
fn noise(chance: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![0; chance.usize(1..2_000)];
    chance.fill(&mut bytes);
    bytes[0] = 0xf8;
    bytes
}

/// Makes the end of a connection a reset, or an orderly one.
fn leave(stream: &Socket, chance: &mut Rng) {
    if chance.bool() {
        stream.set_linger(Some(Duration::ZERO)).expect("an option");
    }
}

fn connect(endpoint: &str) -> io::Result<Socket> {
    let (address, socket) = socket(endpoint)?;
    bound(&socket)?;
    socket.connect(&address)?;
    Ok(socket)
}

fn listen(endpoint: &str) -> io::Result<Socket> {
    let (address, socket) = socket(endpoint)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address)?;
    socket.listen(16)?;
    // This is also how long `accept` waits.
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    Ok(socket)
}

/// Bounds how long a call may wait.
fn bound(stream: &Socket) -> io::Result<()> {
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
