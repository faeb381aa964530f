//! A model test of message redelivery: random steps of a socket's outgoing side, compared with a
//! ledger.
//!
//! The ledger predicts the result of each step, except for one thing: which of the peers with room
//! gets the messages that waited for any peer.

mod check;
mod peer;
mod step;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use monocoque_core::actor::InFlight;
use monocoque_core::sync::{AtomicBool, Ordering};
use monocoque_core::{Encode, RoutingId};
use proptest::collection::vec;
use proptest::prelude::*;

use self::peer::{Form, Peer, Sent, Wire};
use self::step::{ENDPOINTS, Step, step};
use super::super::{DEALER, ROUTER};
use super::*;
use crate::endpoint::{EndpointId, EndpointKey, Origin};
use crate::pattern::link::DirectWrite;

/// The socket, and its expected state.
struct Ledger {
    out: Outbound,
    by_name: bool,
    options: Options,
    hwm: usize,
    peers: Vec<Peer>,
    endpoints: Vec<EndpointKey>,
    /// The messages that wait for any peer, in order.
    backlog: VecDeque<Sent>,
    /// The messages that wait for the next connection through an endpoint.
    pending: Vec<(EndpointId, RoutingId, Vec<Sent>)>,
    /// Endpoints whose peers were assigned a name.
    named: Vec<(EndpointId, RoutingId)>,
    /// Some messages may be deferred.
    holds: bool,
    numbers: u32,
    accepted: u64,
    refused: u64,
    /// The number of accepted messages that were dropped.
    dropped: u64,
    /// The number of messages delivered by connections that have ended.
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
        let endpoints: Vec<_> = (0..ENDPOINTS)
            .map(|n| EndpointKey {
                id: EndpointId::new(n as u64),
                origin: if n + 1 < ENDPOINTS { Origin::Connected } else { Origin::Bound },
            })
            .collect();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.is_connected()) {
            out.begin_dial(endpoint.id, &mut Wakes::default());
        }
        Self {
            out,
            by_name,
            options,
            hwm,
            peers: Vec::new(),
            endpoints,
            backlog: VecDeque::new(),
            pending: Vec::new(),
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

    /// Returns a routing id for a name, which matters to a ROUTER only.
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
            Step::Send { name, len, flush } => self.send(name, len, flush),
            Step::Take { who: at } => {
                if let Some(at) = who(at, &self.peers) {
                    self.fetch(at);
                }
            }
            Step::Input { who: at } => {
                if let Some(at) = who(at, &self.peers) {
                    self.peers[at].has_input.store(true, Ordering::Relaxed);
                }
            }
            Step::Flush => {
                self.out.flush(&mut Wakes::default());
                self.holds = false;
            }
            Step::Detach { endpoint, name } => self.detach(endpoint, name),
            Step::SetHwm { hwm } => {
                self.hwm = hwm;
                self.out.set_hwm(Hwm::new(hwm), &mut Wakes::default());
            }
        }
        self.find_given_messages();
        self.check();
    }

    fn up(&mut self, endpoint_key: EndpointKey, name: u8) {
        if endpoint_key.is_connected() && self.peers.iter().any(|peer| peer.endpoint_key == endpoint_key) {
            return;
        }
        let given_name = self
            .named
            .iter()
            .find(|(of_endpoint, _)| *of_endpoint == endpoint_key.id)
            .map(|(_, name)| name.clone());
        let name = given_name.unwrap_or_else(|| self.name(name));
        let takes = self.number() as usize % 7 * 10;
        let (wire, has_input) =
            (Arc::new(Wire { takes, bytes: Mutex::default() }), Arc::new(AtomicBool::new(true)));
        let form = Form { masks: self.number().is_multiple_of(3) };
        let has_direct = takes > 0 && form.is_identity();
        let direct = has_direct.then(|| DirectWrite::new(wire.clone(), has_input.clone(), Arc::default()));
        let wakes = &mut Wakes::default();
        let key = self.out.add_peer(name.clone(), endpoint_key, direct, wakes);
        if self.is_kept_from(&name, endpoint_key.id) {
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
            old.is_replaced = true;
        }
        let key = key.expect("accepted");
        if let Some(at) = self.pending.iter().position(|(of_endpoint, ..)| *of_endpoint == endpoint_key.id) {
            let (_, known, left) = self.pending.remove(at);
            if known == name {
                given.extend(left);
            } else {
                self.dropped += left.len() as u64;
            }
        }
        let peer = Peer {
            key,
            endpoint_key,
            name,
            wire,
            has_input,
            form,
            batch: InFlight::new(&form),
            given,
            leaving: false,
            is_replaced: false,
        };
        self.peers.push(peer);
    }

    fn down(&mut self, at: usize, written: usize) {
        let mut peer = self.peers.remove(at);
        peer.write(written);
        let delivered = peer.written();
        self.out.remove_peer(peer.key, peer.batch.into_unsent(), &mut Wakes::default());
        self.delivered += delivered as u64;
        let unsent = &peer.given[delivered..];
        if self.out.lifecycle.phase == Phase::Aborted || peer.is_replaced {
            self.dropped += unsent.len() as u64;
        } else if !self.by_name {
            unsent.iter().rev().for_each(|message| self.backlog.push_front(*message));
        } else if unsent.is_empty()
            || !peer.endpoint_key.is_connected()
            || peer.leaving
            || is_generated(&peer.name)
        {
            self.dropped += unsent.len() as u64;
        } else {
            self.pending.push((peer.endpoint_key.id, peer.name, unsent.to_vec()));
        }
    }

    fn send(&mut self, name: u8, len: usize, flush: Flush) {
        if self.out.lifecycle.phase != Phase::Open {
            return;
        }
        let sent = Sent { number: self.number(), len };
        let named = |peer: &&Peer| match name {
            0 => is_generated(&peer.name),
            _ => peer.name[..] == [name],
        };
        let known = self.peers.iter().filter(|peer| peer.is_there()).find(named);
        let id = known.map_or_else(|| vec![name, 0], |peer| peer.name.to_vec());
        let target = if self.by_name { Target::Id(&id) } else { Target::Pattern };
        let there = self.peers.iter().filter(|peer| peer.is_there());
        let nobody_yet = there.clone().next().is_none() && !self.options.immediate;
        let room: Vec<_> = match self.by_name {
            true => known.filter(|peer| self.has_room(peer)).map(|peer| peer.key).into_iter().collect(),
            false => there.filter(|peer| self.has_room(peer)).map(|peer| peer.key).collect(),
        };
        let is_known = known.is_some();

        if let Some((of_endpoint, id)) =
            self.named.iter().find(|(_, id)| id[..] == [name]).filter(|_| !is_known)
            && !self.options.immediate
        {
            let (of_endpoint, id) = (*of_endpoint, id.clone());
            return self.send_to_absent(of_endpoint, id, sent);
        }
        self.holds |= flush == Flush::Deferred;
        let request = SendRequest { target, flush, waits: false };
        let outcome = self.out.send(request, &mut sent.message(), &mut Wakes::default());
        match outcome {
            SendOutcome::Queued(Some(key)) => {
                assert!(self.backlog.is_empty(), "it would overtake them");
                assert!(room.contains(&key), "beyond the mark");
                let peer = self.peers.iter_mut().find(|peer| peer.key == key).expect("one of them");
                peer.given.push(sent);
                self.accepted += 1;
            }
            SendOutcome::Queued(None) => {
                assert!(!self.by_name && nobody_yet && (self.hwm == 0 || self.backlog.len() < self.hwm));
                self.backlog.push_back(sent);
                self.accepted += 1;
            }
            SendOutcome::Full if self.by_name => {
                assert!(self.options.mandatory && is_known && room.is_empty());
            }
            SendOutcome::Full => {
                let waits = nobody_yet && (self.hwm == 0 || self.backlog.len() < self.hwm);
                assert!(room.is_empty() && !waits, "there is room");
            }
            SendOutcome::Dropped => {
                assert!(self.by_name && !self.options.mandatory && room.is_empty());
                self.refused += 1;
            }
            SendOutcome::Closed => panic!("no message requests the end"),
            SendOutcome::Unreachable => assert!(self.by_name && self.options.mandatory && !is_known),
        }
    }

    /// Returns whether a name is assigned to the peer of another endpoint.
    fn is_kept_from(&self, name: &RoutingId, of_endpoint: EndpointId) -> bool {
        self.named.iter().any(|(of, other)| *of != of_endpoint && other == name)
    }

    /// Sends a message to a named peer that is away.
    fn send_to_absent(&mut self, of_endpoint: EndpointId, id: RoutingId, sent: Sent) {
        let waiting = self.pending.iter().position(|(other, ..)| *other == of_endpoint);
        let has_room = self.hwm == 0 || waiting.map_or(0, |at| self.pending[at].2.len()) < self.hwm;
        let request = SendRequest { target: Target::Id(&id), flush: Flush::Batched, waits: false };
        match self.out.send(request, &mut sent.message(), &mut Wakes::default()) {
            SendOutcome::Queued(None) => {
                assert!(has_room, "beyond the mark");
                match waiting {
                    Some(at) => self.pending[at].2.push(sent),
                    None => self.pending.push((of_endpoint, id, vec![sent])),
                }
                self.accepted += 1;
            }
            SendOutcome::Full => assert!(!has_room && self.options.mandatory),
            SendOutcome::Dropped => {
                assert!(!has_room && !self.options.mandatory);
                self.refused += 1;
            }
            outcome => panic!("{outcome:?}"),
        }
    }

    /// Lets a pump ask for more. Returns `false` if its connection has ended.
    fn fetch(&mut self, at: usize) -> bool {
        let peer = &mut self.peers[at];
        peer.write(256);
        assert!(peer.batch.is_empty());
        let over = match self.out.lifecycle.phase {
            Phase::Open => peer.leaving,
            Phase::Draining => peer.leaving || self.backlog.is_empty(),
            Phase::Aborted => true,
        };
        let (waiting, is_replaced) =
            (peer.waiting(), peer.is_replaced || self.out.lifecycle.phase == Phase::Aborted);
        let cx = Context::from_waker(Waker::noop());
        match self.out.poll_take(peer.key, &cx, peer.batch.queued_mut(), &mut Wakes::default()) {
            Poll::Ready(true) => {
                assert!(waiting > 0 && !is_replaced);
                assert_eq!(peer.batch.queued().messages(), waiting, "all that waits, in one batch");
            }
            Poll::Ready(false) => {
                assert!(is_replaced || waiting == 0 && over);
                self.down(at, 0);
                return false;
            }
            Poll::Pending => assert!(waiting == 0 && !over && !is_replaced),
        }
        true
    }

    fn detach(&mut self, endpoint: usize, name: u8) {
        let endpoint_key = self.endpoints[endpoint];
        self.out.detach_endpoint(endpoint_key.id, &mut Wakes::default());
        for peer in self.peers.iter_mut().filter(|peer| peer.endpoint_key == endpoint_key) {
            peer.leaving = true;
        }
        if let Some(at) = self.pending.iter().position(|(of_endpoint, ..)| *of_endpoint == endpoint_key.id) {
            self.dropped += self.pending.remove(at).2.len() as u64;
        }
        self.named.retain(|(of_endpoint, _)| *of_endpoint != endpoint_key.id);
        let of_endpoint = EndpointId::new((ENDPOINTS as u64) + u64::from(self.number()));
        self.endpoints[endpoint].id = of_endpoint;
        if endpoint_key.is_connected() {
            self.out.begin_dial(of_endpoint, &mut Wakes::default());
        }
        if self.by_name && endpoint_key.is_connected() && name > 0 {
            let name = self.name(name);
            let is_free = !self.peers.iter().any(|peer| peer.is_there() && peer.name == name)
                && !self.named.iter().any(|(_, other)| *other == name);
            assert_eq!(self.out.reserve_name(&name, of_endpoint), is_free);
            if is_free {
                self.named.push((of_endpoint, name));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_steps_account_every_message(
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
