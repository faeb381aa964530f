//! Messages that can be told from all others, and a ledger of who has sent and who has received
//! which.
//!
//! A sender has a [`Stream`] for each of its lives, in which it numbers its messages; all that a
//! message holds follows from the seed, the stream and the number, so that one that was changed,
//! cut short or put together from two is found out. A receiver has a [`Reader`] for each of its
//! lives.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use fastrand::Rng;

pub use crate::number_sets::{Bits, Piles};

pub type Frames = Vec<Vec<u8>>;

/// What is being sent, and by which rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// PUSH to PULL: to one of them, once, all of it.
    Work,
    /// DEALER to ROUTER: likewise.
    Request,
    /// What a ROUTER sends back: dropped if the peer is not there, or has no room.
    Reply,
    /// PUB to SUB: to each, in order, with gaps.
    News,
}

/// Says which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub topic: u8,
    /// What the sender was about: [`CHAOS`], or a phase of a calm.
    pub phase: u8,
    pub stream: u32,
    pub number: u64,
}

/// What one sender sends in one life.
#[derive(Debug)]
pub struct Stream {
    pub id: u32,
    pub name: String,
    pub sender: u8,
    class: Class,
    seed: u64,
    sent: AtomicU64,
    /// How much had been sent when a lost connection was noticed, for each of those.
    losses: Mutex<Vec<u64>>,
    /// All lost connections are in `losses`.
    exact: bool,
    /// Connections that were made beside those that it began with.
    more: AtomicU64,
    /// The last phase in which nothing may be lost, and the first message in it.
    settled: Mutex<Option<(u8, u64)>>,
    killed: AtomicBool,
    /// By whichever receiver, for what only one is to receive.
    seen: Mutex<Bits>,
}

/// What one receiver receives in one life.
#[derive(Debug)]
pub struct Reader {
    ledger: Arc<Ledger>,
    name: String,
    receiver: u8,
    class: Class,
    views: HashMap<u32, View>,
}

/// What a receiver has of one stream.
#[derive(Debug, Default)]
struct View {
    stream: Option<Arc<Stream>>,
    piles: Piles,
    bits: Bits,
    received: u64,
    /// The highest one of each sender that was heard.
    phase: Option<u8>,
    sender: u8,
}

/// All that was sent and received.
#[derive(Debug)]
pub struct Ledger {
    seed: u64,
    streams: RwLock<Vec<Arc<Stream>>>,
    /// What the receivers had in the end.
    views: Mutex<Vec<(String, Class, View)>>,
    /// The highest phase of a sender that a receiver has heard of.
    heard: Mutex<HashMap<(u8, u8), u8>>,
    /// How many messages were received of each phase in which nothing may be lost.
    settled: Mutex<HashMap<(Class, u8), u64>>,
    checked: AtomicU64,
    wrongs: Mutex<Vec<String>>,
}

/// What became of all messages of one class.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub sent: u64,
    pub received: u64,
    /// Sent before a connection of the sender was lost: the system or the receiver had taken them.
    pub lost_with_a_connection: u64,
    /// How many connections the senders have lost.
    pub connections: u64,
    /// The most that went with one connection: messages and bytes.
    pub worst: (u64, u64),
    /// Sent after that, by a sender that was killed.
    pub lost_with_the_sender: u64,
    /// How many ordered runs the most mixed stream had at one receiver.
    pub runs: usize,
}

/// The phase in which anything may happen. A calm has two: in the first one each is to find the
/// others again, in the second one nothing may be lost. A calm that was disturbed is followed by
/// another one.
pub const CHAOS: u8 = 0;

/// Whether nothing may be lost in this phase, should it be the last one of its kind.
pub fn settles(phase: u8) -> bool {
    phase != CHAOS && phase.is_multiple_of(2)
}

impl Tag {
    /// The message: this tag, and frames that follow from it.
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

    /// How long the message is.
    fn bytes(self, seed: u64) -> u64 {
        (HEADER + lens(&mut self.rng(seed)).iter().sum::<usize>()) as u64
    }

    /// The tag of a message, or what is wrong with it.
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
                return Err(format!("{tag:?}: frame {} is not what was sent", n + 1));
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

/// The bodies of a message: mostly short, now and then large.
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
    /// The next message. To be [counted](Self::count) once it is sent.
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

    /// How many connections were lost so far, all of them together.
    pub fn note_losses(&self, connections: u64) {
        let mut losses = self.losses.lock().expect("not poisoned");
        let known = losses.len().max(connections as usize);
        losses.resize(known, self.sent());
    }

    /// Takes over what a sender in another process announces: what it has sent, and how much more
    /// it is about to send in a phase. That may be more than it then sends, as long as it is
    /// killed or says the true number in the end.
    pub fn announce(&self, sent: u64, more: u64, phase: u8) {
        self.enter(phase, sent);
        self.sent.store(sent + more, Ordering::Relaxed);
    }

    /// Notes which message is the first one of a phase.
    fn enter(&self, phase: u8, number: u64) {
        if settles(phase) {
            let mut settled = self.settled.lock().expect("not poisoned");
            if settled.is_none_or(|(known, _)| known < phase) {
                *settled = Some((phase, number));
            }
        }
    }

    /// Notes that the sender makes one more connection, maybe beside one to the same peer.
    pub fn note_connection(&self) {
        self.more.fetch_add(1, Ordering::Relaxed);
    }

    pub fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }
}

impl Ledger {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed,
            streams: RwLock::default(),
            views: Mutex::default(),
            heard: Mutex::default(),
            settled: Mutex::default(),
            checked: AtomicU64::new(0),
            wrongs: Mutex::default(),
        })
    }

    /// What all messages follow from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A stream of a sender. `exact` promises to note all of its lost connections.
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
            more: AtomicU64::new(0),
            settled: Mutex::default(),
            killed: AtomicBool::new(false),
            seen: Mutex::default(),
        });
        streams.push(stream.clone());
        stream
    }

    pub fn reader(self: &Arc<Self>, receiver: u8, name: &str, class: Class) -> Reader {
        Reader { ledger: self.clone(), name: name.into(), receiver, class, views: HashMap::new() }
    }

    /// Notes something that must not be.
    pub fn wrong(&self, what: String) {
        let mut wrongs = self.wrongs.lock().expect("not poisoned");
        if wrongs.len() < 50 {
            wrongs.push(what);
        }
    }

    pub fn wrongs(&self) -> Vec<String> {
        self.wrongs.lock().expect("not poisoned").clone()
    }

    /// Whether a receiver has heard a sender in this phase.
    pub fn has_heard(&self, sender: u8, receiver: u8, phase: u8) -> bool {
        let heard = self.heard.lock().expect("not poisoned");
        heard.get(&(sender, receiver)).is_some_and(|highest| *highest >= phase)
    }

    /// How many messages of a phase in which nothing may be lost were received.
    pub fn settled(&self, class: Class, phase: u8) -> u64 {
        self.settled.lock().expect("not poisoned").get(&(class, phase)).copied().unwrap_or_default()
    }

    /// How many messages were checked, byte by byte.
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// How many streams there were.
    pub fn lives(&self) -> usize {
        self.streams.read().expect("not poisoned").len()
    }

    /// What became of all messages, once all readers are dropped. What must not be is
    /// [noted](Self::wrong).
    ///
    /// `disturbances` is how many connections may have been lost by a sender that cannot say,
    /// `peers` how many a sender has at the same time, and `limit` how many bytes may go with a
    /// connection.
    pub fn judge(&self, class: Class, disturbances: usize, peers: usize, limit: u64) -> Account {
        let mut account = Account::default();
        let streams = self.streams.read().expect("not poisoned").clone();
        for stream in streams.iter().filter(|stream| stream.class == class) {
            self.judge_losses(stream, limit, &mut account);
        }
        for (name, _, view) in self.views.lock().expect("not poisoned").iter().filter(|view| view.1 == class)
        {
            let Some(stream) = &view.stream else { continue };
            let losses = stream.losses.lock().expect("not poisoned").len();
            let ended = if stream.killed.load(Ordering::Relaxed) { peers } else { 0 };
            // A lost connection puts what it gives back behind what another peer has, and what it
            // had brought
            // beside what the next one brings.
            let disturbed = if stream.exact { losses + ended } else { disturbances };
            let disturbed = disturbed + stream.more.load(Ordering::Relaxed) as usize;
            let allowed = match class {
                Class::News => 1,
                Class::Work | Class::Request => 1 + 2 * disturbed,
                // They come from several, each in its own time.
                Class::Reply => peers + 2 * disturbed,
            };
            let runs = view.piles.0.len();
            if runs > allowed {
                let wrong = format!("{name} got {} in {runs} runs, {allowed} allowed", stream.name);
                self.wrong(wrong);
            }
            account.runs = account.runs.max(runs);
            if matches!(class, Class::Reply | Class::News) {
                account.received += view.received;
            }
        }
        account
    }

    fn judge_losses(&self, stream: &Stream, limit: u64, account: &mut Account) {
        let (sent, seen) = (stream.sent(), stream.seen.lock().expect("not poisoned"));
        let losses = stream.losses.lock().expect("not poisoned");
        account.sent += sent;
        if matches!(stream.class, Class::Reply | Class::News) {
            return;
        }
        account.connections += losses.len() as u64;
        account.received += seen.count;
        if seen.end() > sent {
            self.wrong(format!("{} has sent {sent}, and up to {} were received", stream.name, seen.end()));
        }
        let settled = *stream.settled.lock().expect("not poisoned");
        let mut each = HashMap::<usize, (u64, u64)>::new();
        for number in (0..sent).filter(|number| !seen.has(*number)) {
            let loss = losses.partition_point(|sent| *sent <= number);
            let explained =
                settled.is_none_or(|(_, first)| number < first) && (loss < losses.len() || !stream.exact);
            if explained {
                let tag = Tag { topic: 0, phase: 0, stream: stream.id, number };
                let (messages, bytes) = each.entry(loss).or_default();
                *messages += 1;
                *bytes += tag.bytes(self.seed);
                account.lost_with_a_connection += 1;
            } else if stream.killed.load(Ordering::Relaxed) {
                account.lost_with_the_sender += 1;
            } else {
                self.wrong(format!("{}: number {number} of {sent} is lost, with no connection", stream.name));
            }
        }
        let worst = each.values().copied().max_by_key(|(_, bytes)| *bytes).unwrap_or_default();
        if stream.exact {
            if worst.1 > limit {
                self.wrong(format!("{}: {worst:?} lost with one connection", stream.name));
            }
            account.worst = account.worst.max(worst);
        }
    }
}

impl Reader {
    /// Checks a message that was received.
    pub fn take<'a>(&mut self, frames: impl IntoIterator<Item = &'a [u8]>) -> Option<Tag> {
        let frames: Vec<_> = frames.into_iter().collect();
        self.take_tag(Tag::read(self.ledger.seed, &frames))
    }

    /// Checks a message that another process has received and read.
    pub fn take_tag(&mut self, tag: Result<Tag, String>) -> Option<Tag> {
        self.ledger.checked.fetch_add(1, Ordering::Relaxed);
        match tag.and_then(|tag| self.note(tag).map(|()| tag)) {
            Ok(tag) => Some(tag),
            Err(wrong) => {
                self.ledger.wrong(format!("{}: {wrong}", self.name));
                None
            }
        }
    }

    /// Notes that another one took part in the way of a message.
    pub fn heard_through(&self, other: u8, tag: Tag) {
        let mut heard = self.ledger.heard.lock().expect("not poisoned");
        let highest = heard.entry((other, self.receiver)).or_default();
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
        view.piles.put(tag.number);
        let Some(stream) = &view.stream else { return Ok(()) };
        let new = match self.class {
            Class::Work | Class::Request => stream.seen.lock().expect("not poisoned").set(tag.number),
            Class::Reply | Class::News => view.bits.set(tag.number),
        };
        if !new {
            return Err(format!("number {} of {} a second time", tag.number, stream.name));
        }
        if settles(tag.phase) {
            let mut settled = self.ledger.settled.lock().expect("not poisoned");
            *settled.entry((self.class, tag.phase)).or_default() += 1;
        }
        if view.phase.is_none_or(|phase| phase < tag.phase) {
            view.phase = Some(tag.phase);
            let mut heard = self.ledger.heard.lock().expect("not poisoned");
            let highest = heard.entry((view.sender, self.receiver)).or_default();
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
