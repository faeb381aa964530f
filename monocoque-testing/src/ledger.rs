//! Unique messages, and a ledger of which ones were sent and received.
//!
//! A sender uses one [`Stream`] for each of its lifetimes and numbers the messages in it. The
//! content of a message follows from the seed, the stream and the number, so that an altered,
//! truncated or mixed message is detected. A receiver uses one [`Reader`] for each of its
//! lifetimes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use fastrand::Rng;

pub use crate::number_sets::{NumberSet, OrderedRuns};

pub type Frames = Vec<Vec<u8>>;

/// The kind of traffic, with its delivery guarantees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// PUSH to PULL: each message to one receiver, once, without loss.
    Work,
    /// DEALER to ROUTER: the same guarantees.
    Request,
    /// ROUTER to DEALER: dropped if the peer is disconnected or its queue is full.
    Reply,
    /// PUB to SUB: to each subscriber, in order, with gaps.
    Publication,
}

/// The identity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub topic: u8,
    /// The phase of the sender: [`CHAOS`], or one of a quiet period.
    pub phase: u8,
    pub stream: u32,
    pub number: u64,
}

/// The messages that a sender sends in one lifetime.
#[derive(Debug)]
pub struct Stream {
    pub id: u32,
    pub name: String,
    pub sender: u8,
    class: Class,
    seed: u64,
    sent: AtomicU64,
    /// The number of messages sent when each lost connection was noticed.
    losses: Mutex<Vec<u64>>,
    /// Whether `losses` contains all lost connections.
    exact: bool,
    /// The number of connections made after the initial ones.
    later_connections: AtomicU64,
    /// The last lossless phase and its first message.
    last_lossless: Mutex<Option<(u8, u64)>>,
    killed: AtomicBool,
    /// The numbers received by any receiver, where each message goes to only one.
    seen: Mutex<NumberSet>,
}

/// The messages that a receiver receives in one lifetime.
#[derive(Debug)]
pub struct Reader {
    ledger: Arc<Ledger>,
    name: String,
    receiver: u8,
    class: Class,
    views: HashMap<u32, View>,
}

/// The part of one stream that a receiver has received.
#[derive(Debug, Default)]
struct View {
    stream: Option<Arc<Stream>>,
    runs: OrderedRuns,
    numbers: NumberSet,
    received: u64,
    /// The highest phase received.
    phase: Option<u8>,
    sender: u8,
}

/// The messages sent and received in one test.
#[derive(Debug)]
pub struct Ledger {
    seed: u64,
    streams: RwLock<Vec<Arc<Stream>>>,
    /// The final views of the dropped readers.
    views: Mutex<Vec<(String, Class, View)>>,
    /// The highest phase received, by sender and receiver.
    highest_phases: Mutex<HashMap<(u8, u8), u8>>,
    /// The number of messages received in each lossless phase.
    lossless_counts: Mutex<HashMap<(Class, u8), u64>>,
    checked: AtomicU64,
    errors: Mutex<Vec<String>>,
}

/// The outcome of all messages of one class.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub sent: u64,
    pub received: u64,
    /// Lost, and sent before their sender lost a connection: the kernel or the receiver had them.
    pub lost_with_a_connection: u64,
    /// The number of connections that the senders lost.
    pub connections: u64,
    /// The largest loss with one connection: messages and bytes.
    pub worst: (u64, u64),
    /// Lost, and sent after that by a sender that was killed.
    pub lost_with_the_sender: u64,
    /// The largest number of ordered runs of one stream at one receiver.
    pub runs: usize,
}

/// The phase with faults. A quiet period has two phases: in the first the sockets reconnect, in the
/// second, the lossless one, no message may be lost. A quiet period that was disturbed is followed
/// by another one.
pub const CHAOS: u8 = 0;

/// Returns whether a phase is lossless, provided that it is the last one of that kind.
pub fn is_lossless(phase: u8) -> bool {
    phase != CHAOS && phase.is_multiple_of(2)
}

impl Tag {
    /// Returns the message: this tag, and frames that follow from it.
    pub fn frames(self, seed: u64) -> Frames {
        let mut frames = vec![self.header(seed).to_vec()];
        let mut rng = self.rng(seed);
        for len in lens(&mut rng) {
            let mut body = vec![0; len];
            rng.fill(&mut body);
            frames.push(body);
        }
        frames
    }

    /// Returns the length of the message.
    fn bytes(self, seed: u64) -> u64 {
        (HEADER + lens(&mut self.rng(seed)).iter().sum::<usize>()) as u64
    }

    /// Parses and checks a message. Fails if it is not one that was sent.
    pub fn read(seed: u64, frames: &[&[u8]]) -> Result<Self, String> {
        let header: &[u8; HEADER] = frames
            .first()
            .and_then(|first| (*first).try_into().ok())
            .ok_or_else(|| format!("a first frame of {:?}", frames.first().map(|first| first.len())))?;
        let tag = Self {
            topic: header[0],
            phase: header[1],
            stream: u32::from_be_bytes(header[2..6].try_into().expect("four bytes")),
            number: u64::from_be_bytes(header[6..14].try_into().expect("eight bytes")),
        };
        if tag.header(seed) != *header {
            return Err(format!("a false header: {header:x?}"));
        }
        let mut rng = tag.rng(seed);
        let lens = lens(&mut rng);
        let got: Vec<_> = frames[1..].iter().map(|frame| frame.len()).collect();
        if lens != got {
            return Err(format!("{tag:?}: frames of {got:?} instead of {lens:?}"));
        }
        let mut body = Vec::new();
        for (n, frame) in frames[1..].iter().enumerate() {
            body.resize(frame.len(), 0);
            rng.fill(&mut body);
            if body != *frame {
                return Err(format!("{tag:?}: frame {} differs from the one sent", n + 1));
            }
        }
        Ok(tag)
    }

    fn header(self, seed: u64) -> [u8; HEADER] {
        let mut header = [self.topic; HEADER];
        header[1] = self.phase;
        header[2..6].copy_from_slice(&self.stream.to_be_bytes());
        header[6..14].copy_from_slice(&self.number.to_be_bytes());
        let mut check = self.rng(seed ^ u64::from(self.topic) << 8 ^ u64::from(self.phase));
        header[14..].copy_from_slice(&check.u64(..).to_be_bytes());
        header
    }

    fn rng(self, seed: u64) -> Rng {
        Rng::with_seed(
            seed ^ (u64::from(self.stream) << 40 ^ self.number).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        )
    }
}

/// Returns the lengths of the bodies: mostly short, a few large.
fn lens(rng: &mut Rng) -> Vec<usize> {
    let mut len = || match rng.u8(..) {
        0..=159 => rng.usize(0..200),
        160..=249 => rng.usize(0..2_000),
        250..=254 => rng.usize(0..20_000),
        255 => rng.usize(0..100_000),
    };
    let first = len();
    let more = first % 4;
    std::iter::once(first).chain((0..more).map(|_| len())).collect()
}

impl Stream {
    /// Returns the next message. Call [`count`](Self::count) once it is sent.
    pub fn next(&self, topic: u8, phase: u8) -> Frames {
        let number = self.sent();
        self.enter(phase, number);
        Tag { topic, phase, stream: self.id, number }.frames(self.seed)
    }

    pub fn count(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Records the total number of lost connections so far.
    pub fn note_losses(&self, connections: u64) {
        let mut losses = self.losses.lock().expect("not poisoned");
        let known = losses.len().max(connections as usize);
        losses.resize(known, self.sent());
    }

    /// Records what a sender in another process announces: how many messages it has sent, and how
    /// many more it is about to send in a phase. It may send fewer if it is killed, or if it
    /// announces the true number in the end.
    pub fn announce(&self, sent: u64, more: u64, phase: u8) {
        self.enter(phase, sent);
        self.sent.store(sent + more, Ordering::Relaxed);
    }

    /// Records the first message of a lossless phase.
    fn enter(&self, phase: u8, number: u64) {
        if is_lossless(phase) {
            let mut last = self.last_lossless.lock().expect("not poisoned");
            if last.is_none_or(|(known, _)| known < phase) {
                *last = Some((phase, number));
            }
        }
    }

    /// Records an additional connection, possibly a second one to the same peer.
    pub fn note_connection(&self) {
        self.later_connections.fetch_add(1, Ordering::Relaxed);
    }

    pub fn mark_killed(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }
}

impl Ledger {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed,
            streams: RwLock::default(),
            views: Mutex::default(),
            highest_phases: Mutex::default(),
            lossless_counts: Mutex::default(),
            checked: AtomicU64::new(0),
            errors: Mutex::default(),
        })
    }

    /// Returns the seed of all messages.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Adds a stream. With `exact`, the sender records all of its lost connections.
    pub fn stream(&self, sender: u8, name: &str, class: Class, exact: bool) -> Arc<Stream> {
        let mut streams = self.streams.write().expect("not poisoned");
        let stream = Arc::new(Stream {
            id: streams.len() as u32,
            name: format!("{name}, stream {}", streams.len()),
            sender,
            class,
            seed: self.seed,
            sent: AtomicU64::new(0),
            losses: Mutex::default(),
            exact,
            later_connections: AtomicU64::new(0),
            last_lossless: Mutex::default(),
            killed: AtomicBool::new(false),
            seen: Mutex::default(),
        });
        streams.push(stream.clone());
        stream
    }

    pub fn reader(self: &Arc<Self>, receiver: u8, name: &str, class: Class) -> Reader {
        Reader { ledger: self.clone(), name: name.into(), receiver, class, views: HashMap::new() }
    }

    /// Records an error.
    pub fn record_error(&self, what: String) {
        let mut errors = self.errors.lock().expect("not poisoned");
        if errors.len() < 50 {
            errors.push(what);
        }
    }

    pub fn errors(&self) -> Vec<String> {
        self.errors.lock().expect("not poisoned").clone()
    }

    /// Returns whether a receiver has received messages of a sender in this phase.
    pub fn has_received_from(&self, sender: u8, receiver: u8, phase: u8) -> bool {
        let highest_phases = self.highest_phases.lock().expect("not poisoned");
        highest_phases.get(&(sender, receiver)).is_some_and(|highest| *highest >= phase)
    }

    /// Returns how many messages of a lossless phase were received.
    pub fn lossless_count(&self, class: Class, phase: u8) -> u64 {
        self.lossless_counts.lock().expect("not poisoned").get(&(class, phase)).copied().unwrap_or_default()
    }

    /// Returns how many messages were checked byte by byte.
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// Returns the number of streams.
    pub fn stream_count(&self) -> usize {
        self.streams.read().expect("not poisoned").len()
    }

    /// Computes the outcome of all messages, once all readers are dropped.
    /// [Records](Self::record_error) violations of the delivery guarantees.
    ///
    /// `disturbances` is the number of connections that a sender without exact records may have
    /// lost, `peers` the number of simultaneous peers of a sender, and `limit` the number of bytes
    /// that may be lost with a connection.
    pub fn account(&self, class: Class, disturbances: usize, peers: usize, limit: u64) -> Account {
        let mut account = Account::default();
        let streams = self.streams.read().expect("not poisoned").clone();
        for stream in streams.iter().filter(|stream| stream.class == class) {
            self.account_losses(stream, limit, &mut account);
        }
        for (name, _, view) in self.views.lock().expect("not poisoned").iter().filter(|view| view.1 == class)
        {
            let Some(stream) = &view.stream else { continue };
            let losses = stream.losses.lock().expect("not poisoned").len();
            let ended = if stream.killed.load(Ordering::Relaxed) { peers } else { 0 };
            // A lost connection adds two runs: its unsent messages follow those of another peer,
            // and those in flight mix with those of the next connection.
            let disturbed = if stream.exact { losses + ended } else { disturbances };
            let disturbed = disturbed + stream.later_connections.load(Ordering::Relaxed) as usize;
            let allowed = match class {
                Class::Publication => 1,
                Class::Work | Class::Request => 1 + 2 * disturbed,
                // Several senders reply independently.
                Class::Reply => peers + 2 * disturbed,
            };
            let runs = view.runs.0.len();
            if runs > allowed {
                let wrong = format!("{name} got {} in {runs} runs, {allowed} allowed", stream.name);
                self.record_error(wrong);
            }
            account.runs = account.runs.max(runs);
            if matches!(class, Class::Reply | Class::Publication) {
                account.received += view.received;
            }
        }
        account
    }

    fn account_losses(&self, stream: &Stream, limit: u64, account: &mut Account) {
        let (sent, seen) = (stream.sent(), stream.seen.lock().expect("not poisoned"));
        let losses = stream.losses.lock().expect("not poisoned");
        account.sent += sent;
        if matches!(stream.class, Class::Reply | Class::Publication) {
            return;
        }
        account.connections += losses.len() as u64;
        account.received += seen.count;
        if seen.end() > sent {
            self.record_error(format!(
                "{} has sent {sent}, and up to {} were received",
                stream.name,
                seen.end()
            ));
        }
        let last_lossless = *stream.last_lossless.lock().expect("not poisoned");
        let mut each = HashMap::<usize, (u64, u64)>::new();
        for number in (0..sent).filter(|number| !seen.has(*number)) {
            let loss = losses.partition_point(|sent| *sent <= number);
            let explained = last_lossless.is_none_or(|(_, first)| number < first)
                && (loss < losses.len() || !stream.exact);
            if explained {
                let tag = Tag { topic: 0, phase: 0, stream: stream.id, number };
                let (messages, bytes) = each.entry(loss).or_default();
                *messages += 1;
                *bytes += tag.bytes(self.seed);
                account.lost_with_a_connection += 1;
            } else if stream.killed.load(Ordering::Relaxed) {
                account.lost_with_the_sender += 1;
            } else {
                self.record_error(format!(
                    "{}: number {number} of {sent} is lost, with no connection",
                    stream.name
                ));
            }
        }
        let worst = each.values().copied().max_by_key(|(_, bytes)| *bytes).unwrap_or_default();
        if stream.exact {
            if worst.1 > limit {
                self.record_error(format!("{}: {worst:?} lost with one connection", stream.name));
            }
            account.worst = account.worst.max(worst);
        }
    }
}

impl Reader {
    /// Checks a received message.
    pub fn take<'a>(&mut self, frames: impl IntoIterator<Item = &'a [u8]>) -> Option<Tag> {
        let frames: Vec<_> = frames.into_iter().collect();
        self.take_tag(Tag::read(self.ledger.seed, &frames))
    }

    /// Checks a message that another process has received and parsed.
    pub fn take_tag(&mut self, tag: Result<Tag, String>) -> Option<Tag> {
        self.ledger.checked.fetch_add(1, Ordering::Relaxed);
        match tag.and_then(|tag| self.note(tag).map(|()| tag)) {
            Ok(tag) => Some(tag),
            Err(error) => {
                self.ledger.record_error(format!("{}: {error}", self.name));
                None
            }
        }
    }

    /// Records that a message has passed another socket on its way.
    pub fn record_relay(&self, other: u8, tag: Tag) {
        let mut highest_phases = self.ledger.highest_phases.lock().expect("not poisoned");
        let highest = highest_phases.entry((other, self.receiver)).or_default();
        *highest = (*highest).max(tag.phase);
    }

    fn note(&mut self, tag: Tag) -> Result<(), String> {
        let view = match self.views.entry(tag.stream) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let streams = self.ledger.streams.read().expect("not poisoned");
                let stream = streams.get(tag.stream as usize).ok_or("of no stream")?;
                entry.insert(View { stream: Some(stream.clone()), sender: stream.sender, ..View::default() })
            }
        };
        view.received += 1;
        view.runs.put(tag.number);
        let Some(stream) = &view.stream else { return Ok(()) };
        let new = match self.class {
            Class::Work | Class::Request => stream.seen.lock().expect("not poisoned").set(tag.number),
            Class::Reply | Class::Publication => view.numbers.set(tag.number),
        };
        if !new {
            return Err(format!("number {} of {} a second time", tag.number, stream.name));
        }
        if is_lossless(tag.phase) {
            let mut counts = self.ledger.lossless_counts.lock().expect("not poisoned");
            *counts.entry((self.class, tag.phase)).or_default() += 1;
        }
        if view.phase.is_none_or(|phase| phase < tag.phase) {
            view.phase = Some(tag.phase);
            let mut highest_phases = self.ledger.highest_phases.lock().expect("not poisoned");
            let highest = highest_phases.entry((view.sender, self.receiver)).or_default();
            *highest = (*highest).max(tag.phase);
        }
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let views = self.views.drain().map(|(_, view)| (self.name.clone(), self.class, view));
        self.ledger.views.lock().expect("not poisoned").extend(views);
    }
}

const HEADER: usize = 22;
