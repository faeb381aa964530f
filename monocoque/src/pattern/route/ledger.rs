//! Where each message is, whatever happens: random steps of a socket's outgoing side, beside a ledger that is kept of them.
//!
//! The ledger says of each step what must come of it, but for one thing: which of the peers with room gets what waited for
//! any of them.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use monocoque_core::actor::InFlight;
use monocoque_core::sync::{AtomicBool, Ordering};
use monocoque_core::transport::DirectWriter;
use monocoque_core::{Encode, Queued};
use proptest::collection::vec;
use proptest::prelude::*;

use monocoque_zmtp::encode_message;

use super::super::{DEALER, ROUTER};
use super::*;
use crate::pattern::link::{Direct, Through};

#[derive(Clone, Debug)]
enum Step {
    /// A handshake is done, through one of the endpoints, by a peer of one of the names.
    Up { endpoint: usize, name: u8 },
    /// A connection is lost, when so much of what its pump has in hand is written, in 256ths.
    Down { who: usize, written: usize },
    /// A message is sent, to whoever is next or to one of the names.
    Send { name: u8, len: usize, going: Going },
    /// A pump has written what it had, and comes for more.
    Take { who: usize },
    /// A peer says something, to which the next message may be the answer.
    Hear { who: usize },
    /// Nothing is held any more.
    LetGo,
    /// An endpoint is given up, and connected or bound again; its peer may be given a name.
    Leave { endpoint: usize, name: u8 },
    /// The high water mark changes.
    Mark { hwm: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let going = prop_oneof![Just(Going::InBatch), Just(Going::Alone), Just(Going::Held)];
    let len = prop_oneof![4 => Just(0), 1 => Just(300), 1 => Just(5_000)];
    let (who, endpoint, name) = (any::<usize>(), 0..ENDPOINTS, 0..4_u8);
    prop_oneof![
        3 => (endpoint.clone(), name.clone()).prop_map(|(endpoint, name)| Step::Up { endpoint, name }),
        2 => (who, 0..256_usize).prop_map(|(who, written)| Step::Down { who, written }),
        12 => (name.clone(), len, going).prop_map(|(name, len, going)| Step::Send { name, len, going }),
        5 => who.prop_map(|who| Step::Take { who }),
        3 => who.prop_map(|who| Step::Hear { who }),
        1 => Just(Step::LetGo),
        1 => (endpoint, name).prop_map(|(endpoint, name)| Step::Leave { endpoint, name }),
        1 => (0..6_usize).prop_map(|hwm| Step::Mark { hwm }),
    ]
}

/// The last one is listened on.
const ENDPOINTS: usize = 3;

/// A stream that is full after so many bytes at a time, and all that it took.
#[derive(Debug)]
struct Wire {
    takes: usize,
    bytes: Mutex<Vec<u8>>,
}

impl Wire {
    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("nobody has panicked").clone()
    }

    fn extend(&self, bytes: &[u8]) {
        self.bytes.lock().expect("nobody has panicked").extend(bytes);
    }
}

impl DirectWriter for Wire {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.takes);
        self.extend(&bytes[..n]);
        Ok(n)
    }
}

/// What a connection writes: what is queued, or something of which no byte is the same.
#[derive(Clone, Copy, Debug)]
struct Form {
    masks: bool,
}

impl Encode for Form {
    type Error = io::Error;

    fn is_identity(&self) -> bool {
        !self.masks
    }

    fn encode(&mut self, queued: &mut Queued<'_>, wire: &mut Outbox, limit: usize) {
        while wire.bytes() < limit
            && let Some(message) = queued.next_message()
        {
            wire.put(&mask(&message.flat_map(|part| part.body().to_vec()).collect::<Vec<_>>()));
            wire.end_message();
        }
    }
}

fn mask(message: &[u8]) -> Vec<u8> {
    let masked: Vec<_> = message.iter().map(|byte| byte ^ 0x5a).collect();
    [b"<", &*masked, b">"].concat()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    number: u32,
    len: usize,
}

impl Sent {
    fn message(self) -> Message {
        let mut body = self.number.to_be_bytes().to_vec();
        body.resize(4 + self.len, self.number as u8);
        Message::from(body)
    }

    fn bytes(self) -> Vec<u8> {
        let mut outbox = Outbox::new();
        encode_message(&self.message(), &mut outbox);
        bytes(&outbox)
    }
}

fn bytes(outbox: &Outbox) -> Vec<u8> {
    outbox.slices().collect::<Vec<_>>().concat()
}

fn encoded<'a>(messages: impl IntoIterator<Item = &'a Sent>) -> Vec<u8> {
    messages.into_iter().flat_map(|message| message.bytes()).collect()
}

/// A connection.
struct Peer {
    key: PeerKey,
    through: Through,
    name: RoutingId,
    wire: Arc<Wire>,
    heard: Arc<AtomicBool>,
    form: Form,
    /// What its pump has in hand.
    batch: InFlight,
    /// All that is to go over it, from the beginning.
    given: Vec<Sent>,
    /// Its endpoint was given up.
    leaving: bool,
    /// Another one has its name.
    doomed: bool,
}

impl Peer {
    /// How many of the messages it was given are on the wire, whole.
    fn written(&self) -> usize {
        let bytes = self.wire.bytes().len();
        let ends = self.given.iter().scan(0, |end, message| {
            *end += message.bytes().len() + if self.form.masks { 2 } else { 0 };
            Some(*end)
        });
        ends.take_while(|end| *end <= bytes).count()
    }

    /// How many of them the socket has handed out, whole.
    fn taken(&self) -> usize {
        self.written() + self.batch.queued().messages()
    }

    /// All that it was given, as it was queued, but for the beginning of a message that is still in the batch.
    fn bytes(&self, outbox: &Outbox) -> Vec<u8> {
        let mut on_wire = self.wire.bytes();
        if self.form.masks {
            on_wire = self.unmasked(&on_wire);
        }
        [on_wire, bytes(self.batch.queued()), bytes(outbox)].concat()
    }

    /// The messages that are on the wire whole, without their masks.
    fn unmasked(&self, mut wire: &[u8]) -> Vec<u8> {
        let whole = &self.given[..self.written()];
        for message in whole {
            wire = wire.strip_prefix(&mask(&message.bytes())[..]).expect("the mask of what was given");
        }
        if let Some(begun) = self.given.get(whole.len()) {
            assert!(mask(&begun.bytes()).starts_with(wire), "no other byte is there");
        }
        encoded(whole)
    }

    /// Writes so much of what its pump has in hand, in 256ths.
    fn write(&mut self, part: usize) {
        let queued = self.batch.queued();
        let all = queued.bytes() + if self.form.masks { 2 * queued.messages() } else { 0 };
        let mut left = all * part / 256;
        while left > 0 {
            self.batch.encode(&mut self.form);
            let n = left.min(self.batch.wire().bytes());
            self.wire.extend(&bytes(self.batch.wire())[..n]);
            self.batch.consume(n);
            left -= n;
        }
        // What is encoded and not written is lost with the connection.
        self.batch.encode(&mut self.form);
    }

    fn waiting(&self) -> usize {
        self.given.len() - self.taken()
    }

    fn is_there(&self) -> bool {
        !self.leaving && !self.doomed
    }
}

/// The socket, and what is known of it.
struct Ledger {
    out: Outbound,
    by_name: bool,
    options: Options,
    hwm: usize,
    peers: Vec<Peer>,
    endpoints: Vec<Through>,
    /// What waits for any peer, in order.
    backlog: VecDeque<Sent>,
    /// What waits for the next connection through an endpoint.
    leftovers: Vec<(u64, RoutingId, Vec<Sent>)>,
    /// Endpoints whose peers were given a name.
    named: Vec<(u64, RoutingId)>,
    /// Something may be held.
    holds: bool,
    numbers: u32,
    accepted: u64,
    refused: u64,
    /// Of what was accepted.
    dropped: u64,
    /// Over connections that have ended.
    delivered: u64,
}

impl Ledger {
    fn new(by_name: bool, [mandatory, handover, immediate]: [bool; 3], hwm: usize) -> Self {
        let options = Options {
            send_hwm: Hwm::new(hwm),
            mandatory,
            handover,
            immediate,
            delivery_attempts: None,
            ..Options::default()
        };
        let mut out = Outbound::new(if by_name { &ROUTER } else { &DEALER }, &options);
        let endpoints: Vec<_> =
            (0..ENDPOINTS).map(|n| Through { via: n as u64, dialled: n + 1 < ENDPOINTS }).collect();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.dialled) {
            out.begin_dial(endpoint.via, &mut Wakes::default());
        }
        Self {
            out,
            by_name,
            options,
            hwm,
            peers: Vec::new(),
            endpoints,
            backlog: VecDeque::new(),
            leftovers: Vec::new(),
            named: Vec::new(),
            holds: false,
            numbers: 0,
            accepted: 0,
            refused: 0,
            dropped: 0,
            delivered: 0,
        }
    }

    fn has_room(&self, peer: &Peer) -> bool {
        self.hwm == 0 || peer.waiting() < self.hwm
    }

    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// What a peer is called, who matters to a ROUTER only.
    fn name(&mut self, name: u8) -> RoutingId {
        let announced: &[u8] = if self.by_name && name > 0 { &[name] } else { b"" };
        let number = self.number();
        routing_id(announced, number)
    }

    fn take(&mut self, step: Step) {
        let who = |at: usize, peers: &Vec<Peer>| (!peers.is_empty()).then(|| at % peers.len());
        match step {
            Step::Up { endpoint, name } => self.up(self.endpoints[endpoint], name),
            Step::Down { who: at, written } => {
                if let Some(at) = who(at, &self.peers) {
                    self.down(at, written);
                }
            }
            Step::Send { name, len, going } => self.send(name, len, going),
            Step::Take { who: at } => {
                if let Some(at) = who(at, &self.peers) {
                    self.fetch(at);
                }
            }
            Step::Hear { who: at } => {
                if let Some(at) = who(at, &self.peers) {
                    self.peers[at].heard.store(true, Ordering::Relaxed);
                }
            }
            Step::LetGo => {
                self.out.let_go(&mut Wakes::default());
                self.holds = false;
            }
            Step::Leave { endpoint, name } => self.leave(endpoint, name),
            Step::Mark { hwm } => {
                self.hwm = hwm;
                self.out.set_hwm(Hwm::new(hwm), &mut Wakes::default());
            }
        }
        self.see_what_was_given();
        self.check();
    }

    fn up(&mut self, through: Through, name: u8) {
        if through.dialled && self.peers.iter().any(|peer| peer.through == through) {
            return;
        }
        let given_name = self.named.iter().find(|(via, _)| *via == through.via).map(|(_, name)| name.clone());
        let name = given_name.unwrap_or_else(|| self.name(name));
        let takes = self.number() as usize % 7 * 10;
        let (wire, heard) =
            (Arc::new(Wire { takes, bytes: Mutex::default() }), Arc::new(AtomicBool::new(true)));
        let form = Form { masks: self.number().is_multiple_of(3) };
        let has_direct = takes > 0 && form.is_identity();
        let direct = has_direct.then(|| Direct::new(wire.clone(), heard.clone()));
        let wakes = &mut Wakes::default();
        let key = self.out.up(name.clone(), through, direct, wakes);
        if self.is_kept_from(&name, through.via) {
            assert_eq!(key, None, "the name is kept for another one");
            return;
        }
        let namesake =
            self.peers.iter().position(|peer| self.by_name && peer.is_there() && peer.name == name);
        let mut given = Vec::new();
        if let Some(at) = namesake {
            if !self.options.handover {
                assert_eq!(key, None, "the name is taken");
                return;
            }
            let old = &mut self.peers[at];
            let taken = old.taken();
            given = old.given.split_off(taken);
            old.doomed = true;
        }
        let key = key.expect("welcome");
        if let Some(at) = self.leftovers.iter().position(|(via, ..)| *via == through.via) {
            let (_, known, left) = self.leftovers.remove(at);
            if known == name {
                given.extend(left);
            } else {
                self.dropped += left.len() as u64;
            }
        }
        let peer = Peer {
            key,
            through,
            name,
            wire,
            heard,
            form,
            batch: InFlight::new(&form),
            given,
            leaving: false,
            doomed: false,
        };
        self.peers.push(peer);
    }

    fn down(&mut self, at: usize, written: usize) {
        let mut peer = self.peers.remove(at);
        peer.write(written);
        let delivered = peer.written();
        self.out.down(peer.key, peer.batch.into_unsent(), &mut Wakes::default());
        self.delivered += delivered as u64;
        let orphans = &peer.given[delivered..];
        if self.out.phase == Phase::Aborted || peer.doomed {
            self.dropped += orphans.len() as u64;
        } else if !self.by_name {
            orphans.iter().rev().for_each(|orphan| self.backlog.push_front(*orphan));
        } else if orphans.is_empty() || !peer.through.dialled || peer.leaving || is_made_up(&peer.name) {
            self.dropped += orphans.len() as u64;
        } else {
            self.leftovers.push((peer.through.via, peer.name, orphans.to_vec()));
        }
    }

    fn send(&mut self, name: u8, len: usize, going: Going) {
        if self.out.phase != Phase::Open {
            return;
        }
        let sent = Sent { number: self.number(), len };
        let named = |peer: &&Peer| match name {
            0 => is_made_up(&peer.name),
            _ => peer.name[..] == [name],
        };
        let known = self.peers.iter().filter(|peer| peer.is_there()).find(named);
        let made_up = known.map_or_else(|| vec![name, 0], |peer| peer.name.to_vec());
        let target = if self.by_name { Target::Id(&made_up) } else { Target::Pattern };
        let there = self.peers.iter().filter(|peer| peer.is_there());
        let nobody_yet = there.clone().next().is_none() && !self.options.immediate;
        let room: Vec<_> = match self.by_name {
            true => known.filter(|peer| self.has_room(peer)).map(|peer| peer.key).into_iter().collect(),
            false => there.filter(|peer| self.has_room(peer)).map(|peer| peer.key).collect(),
        };
        let is_known = known.is_some();

        if let Some((via, id)) = self.named.iter().find(|(_, id)| id[..] == [name]).filter(|_| !is_known)
            && !self.options.immediate
        {
            let (via, id) = (*via, id.clone());
            return self.send_to_absent(via, id, sent);
        }
        self.out.going = going;
        self.holds |= going == Going::Held;
        let offer = self.out.offer(target, &mut sent.message(), &mut Wakes::default());
        match offer {
            Offer::Queued(Some(key)) => {
                assert!(self.backlog.is_empty(), "it would overtake them");
                assert!(room.contains(&key), "beyond the mark");
                let peer = self.peers.iter_mut().find(|peer| peer.key == key).expect("one of them");
                peer.given.push(sent);
                self.accepted += 1;
            }
            Offer::Queued(None) => {
                assert!(!self.by_name && nobody_yet && (self.hwm == 0 || self.backlog.len() < self.hwm));
                self.backlog.push_back(sent);
                self.accepted += 1;
            }
            Offer::Full if self.by_name => {
                assert!(self.options.mandatory && is_known && room.is_empty());
            }
            Offer::Full => {
                let waits = nobody_yet && (self.hwm == 0 || self.backlog.len() < self.hwm);
                assert!(room.is_empty() && !waits, "there is room");
            }
            Offer::Dropped => {
                assert!(self.by_name && !self.options.mandatory && room.is_empty());
                self.refused += 1;
            }
            Offer::Closed => panic!("nobody has asked for that"),
            Offer::Unreachable => assert!(self.by_name && self.options.mandatory && !is_known),
        }
    }

    /// Whether a name is that of another endpoint's peer.
    fn is_kept_from(&self, name: &RoutingId, via: u64) -> bool {
        self.named.iter().any(|(of, other)| *of != via && other == name)
    }

    /// A message goes to a peer with a name that is not there.
    fn send_to_absent(&mut self, via: u64, id: RoutingId, sent: Sent) {
        let waiting = self.leftovers.iter().position(|(other, ..)| *other == via);
        let has_room = self.hwm == 0 || waiting.map_or(0, |at| self.leftovers[at].2.len()) < self.hwm;
        match self.out.offer(Target::Id(&id), &mut sent.message(), &mut Wakes::default()) {
            Offer::Queued(None) => {
                assert!(has_room, "beyond the mark");
                match waiting {
                    Some(at) => self.leftovers[at].2.push(sent),
                    None => self.leftovers.push((via, id, vec![sent])),
                }
                self.accepted += 1;
            }
            Offer::Full => assert!(!has_room && self.options.mandatory),
            Offer::Dropped => {
                assert!(!has_room && !self.options.mandatory);
                self.refused += 1;
            }
            offer => panic!("{offer:?}"),
        }
    }

    /// Lets a pump come for more; `false` if its connection has ended.
    fn fetch(&mut self, at: usize) -> bool {
        let peer = &mut self.peers[at];
        peer.write(256);
        assert!(peer.batch.is_empty());
        let over = match self.out.phase {
            Phase::Open => peer.leaving,
            Phase::Draining => peer.leaving || self.backlog.is_empty(),
            Phase::Aborted => true,
        };
        let (waiting, doomed) = (peer.waiting(), peer.doomed || self.out.phase == Phase::Aborted);
        let cx = Context::from_waker(Waker::noop());
        match self.out.poll_take(peer.key, &cx, peer.batch.queued_mut(), &mut Wakes::default()) {
            Poll::Ready(true) => {
                assert!(waiting > 0 && !doomed);
                assert_eq!(peer.batch.queued().messages(), waiting, "all that waits, in one batch");
            }
            Poll::Ready(false) => {
                assert!(doomed || waiting == 0 && over);
                self.down(at, 0);
                return false;
            }
            Poll::Pending => assert!(waiting == 0 && !over && !doomed),
        }
        true
    }

    fn leave(&mut self, endpoint: usize, name: u8) {
        let through = self.endpoints[endpoint];
        self.out.leave(through.via, &mut Wakes::default());
        for peer in self.peers.iter_mut().filter(|peer| peer.through == through) {
            peer.leaving = true;
        }
        if let Some(at) = self.leftovers.iter().position(|(via, ..)| *via == through.via) {
            self.dropped += self.leftovers.remove(at).2.len() as u64;
        }
        self.named.retain(|(via, _)| *via != through.via);
        let via = (ENDPOINTS as u64) + u64::from(self.number());
        self.endpoints[endpoint].via = via;
        if through.dialled {
            self.out.begin_dial(via, &mut Wakes::default());
        }
        if self.by_name && through.dialled && name > 0 {
            let name = self.name(name);
            let is_free = !self.peers.iter().any(|peer| peer.is_there() && peer.name == name)
                && !self.named.iter().any(|(_, other)| *other == name);
            assert_eq!(self.out.reserve(&name, via), is_free);
            if is_free {
                self.named.push((via, name));
            }
        }
    }

    /// Finds out who got what had waited for anybody: it goes in order.
    fn see_what_was_given(&mut self) {
        let mut given = 0;
        for peer in self.peers.iter_mut().filter(|peer| !peer.doomed) {
            let link = self.out.links.get(peer.key).expect("it is there");
            let all = peer.bytes(&link.outbox);
            let known = encoded(&peer.given).len();
            assert!(all.len() >= known, "something is lost");
            let mut more = &all[known..];
            for message in &self.backlog {
                if more.is_empty() {
                    break;
                }
                if let Some(rest) = more.strip_prefix(&message.bytes()[..]) {
                    assert!(!peer.leaving, "it gets nothing more");
                    peer.given.push(*message);
                    given += 1;
                    more = rest;
                }
            }
            assert!(more.is_empty(), "nobody has sent this, or not in this order");
        }
        let mut first: Vec<_> = self.backlog.drain(..given).collect();
        let mut found: Vec<_> = self.peers.iter().flat_map(|peer| &peer.given).copied().collect();
        found.sort_by_key(|message| message.number);
        assert!(found.windows(2).all(|pair| pair[0] != pair[1]), "twice");
        first.retain(|message| found.binary_search_by_key(&message.number, |found| found.number).is_err());
        assert_eq!(first, [], "overtaken by what was sent later");
    }

    fn check(&self) {
        let waiting = self.backlog.iter().map(|sent| sent.message());
        assert!(self.out.backlog.messages().eq(waiting), "whole, in order and once");
        for peer in self.peers.iter().filter(|peer| !peer.doomed) {
            let link = self.out.links.get(peer.key).expect("it is there");
            let all = peer.bytes(&link.outbox);
            assert!(all == encoded(&peer.given), "whole, in order and once");
            assert_eq!(link.messages(), peer.waiting());
            assert!(link.pump.is_none() || link.messages() == 0 || self.holds, "its pump sleeps on");
            let stuck = !self.by_name && peer.is_there() && self.has_room(peer) && !self.backlog.is_empty();
            assert!(!stuck, "somebody has room for what waits");
        }
        let left: usize = self.leftovers.iter().map(|(.., left)| left.len()).sum();
        let waiting = self.backlog.len() + left + self.peers.iter().map(Peer::waiting).sum::<usize>();
        let taken: usize = self.peers.iter().map(Peer::taken).sum();
        assert_eq!((self.out.sent, self.out.queued()), (self.accepted, waiting));
        assert_eq!(self.out.dropped, self.refused + self.dropped);
        assert_eq!(self.accepted, self.delivered + self.dropped + (waiting + taken) as u64, "it adds up");
    }

    /// All that is there goes, or is dropped.
    fn end(mut self, phase: Phase) {
        self.out.enter(phase, &mut Wakes::default());
        if phase == Phase::Aborted {
            self.dropped += self.backlog.len() as u64;
            self.dropped += self.leftovers.drain(..).map(|(.., left)| left.len() as u64).sum::<u64>();
            self.backlog.clear();
        }
        loop {
            if let Some(at) = self.peers.len().checked_sub(1) {
                self.fetch(at);
            } else if self.out.has_backlog() {
                assert!(self.out.wants_peers());
                if let Some(at) =
                    self.leftovers.iter().position(|(via, name, _)| self.is_kept_from(name, *via))
                {
                    // Its peer would not be let in.
                    let (via, _, left) = self.leftovers.remove(at);
                    self.out.leave(via, &mut Wakes::default());
                    self.dropped += left.len() as u64;
                    continue;
                }
                let (through, name) = match self.leftovers.first() {
                    Some((via, name, _)) => (Through { via: *via, dialled: true }, name[0]),
                    None => (self.endpoints[0], 1),
                };
                self.up(through, name);
            } else {
                break;
            }
            self.see_what_was_given();
            self.check();
        }
        assert_eq!((self.out.queued(), self.accepted), (0, self.delivered + self.dropped));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_message_is_in_one_place(
        by_name: bool,
        options: [bool; 3],
        hwm in 0..6_usize,
        steps in vec(step(), 1..120),
        aborts: bool,
    ) {
        let mut ledger = Ledger::new(by_name, options, hwm);
        for step in steps {
            ledger.take(step);
        }
        ledger.end(if aborts { Phase::Aborted } else { Phase::Draining });
    }
}
