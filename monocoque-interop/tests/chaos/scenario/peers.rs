//! The parts, their connections and their proxies.

use std::path::Path;

use fastrand::Rng;

use super::faults;
use crate::part::Implementation::{Ours, Process, Theirs};
use crate::part::{Implementation, Part, ReadSpeed, Role, RoutingIdKind};
use testing::hostile::Target;
use testing::proxy::{Proxy, own_loopback};

pub(super) struct Parts<'a> {
    directory: &'a Path,
    rng: &'a mut Rng,
    pub(super) parts: Vec<Part>,
    /// The pairs of sender and receiver that must exchange messages.
    pub(super) pairs: Vec<(u8, u8)>,
    pub(super) proxies: Vec<Proxy>,
    /// The endpoints that hostile peers connect to.
    pub(super) dialled: Vec<Target>,
    /// The endpoints that hostile peers listen at.
    pub(super) listening: Vec<Target>,
}

impl<'a> Parts<'a> {
    /// Creates all parts, with ipc endpoints in `directory`.
    pub(super) fn new(directory: &'a Path, rng: &'a mut Rng) -> Self {
        let mut parts = Self {
            directory,
            rng,
            parts: Vec::new(),
            pairs: Vec::new(),
            proxies: Vec::new(),
            dialled: Vec::new(),
            listening: Vec::new(),
        };
        let pushes = parts.work();
        let dealers = parts.requests();
        let subscribers = parts.publications();
        parts.spared_pairs();
        parts.connect_additional(&pushes, &dealers, &subscribers);
        for index in [pushes[4], dealers[11]] {
            parts.parts[usize::from(index)].reconnects = true;
        }
        parts
    }

    /// Adds the PUSHes and their PULLs.
    fn work(&mut self) -> [u8; 5] {
        let (a, b, c, o) = (port(), self.place("pull"), port(), port());
        let (a2, b2, c2) = (self.through(&a), self.through(&b), self.through(&c));
        let pushes = [
            self.add(Role::Push, Ours, &[], &[&a2, &b, &c2]),
            self.add(Role::Push, Ours, &[], &[&a, &b2, &c]),
            self.add(Role::Push, Theirs, &[], &[&a2, &b2, &c]),
            self.add(Role::Push, Process, &[], &[&a2, &b, &c]),
            self.add(Role::Push, Ours, &[], &[&a, &b, &c]),
        ];
        let pulls = [
            self.add(Role::Pull, Ours, &[&a], &[]),
            self.add(Role::Pull, Ours, &[&b], &[]),
            self.add(Role::Pull, Theirs, &[&c], &[]),
        ];
        self.pairs.extend(pushes.iter().flat_map(|push| pulls.map(|pull| (*push, pull))));
        let pull = self.add(Role::Pull, Process, &[&o], &[]);
        for push in [pushes[0], pushes[2]] {
            self.parts[usize::from(push)].connects.push(o.clone());
            self.pairs.push((push, pull));
        }
        self.dialled.extend([a, b, o].map(|endpoint| Target { endpoint, socket_type: "PUSH" }));
        pushes
    }

    /// Adds the DEALERs and their ROUTERs.
    fn requests(&mut self) -> [u8; 12] {
        let (d, e, f) = (port(), self.place("router"), port());
        let (d2, e2, f2) = (self.through(&d), self.through(&e), self.through(&f));
        let router = self.add(Role::Router, Ours, &[&d, &e], &[]);
        let other = self.add(Role::Router, Theirs, &[&f], &[]);
        let dealers: [(Implementation, RoutingIdKind, &[&str], &[u8]); 12] = [
            (Ours, RoutingIdKind::Own, &[&d2], &[router]),
            (Ours, RoutingIdKind::Own, &[&e2], &[router]),
            (Ours, RoutingIdKind::Own, &[&d], &[router]),
            (Ours, RoutingIdKind::None, &[&d2, &f2], &[router, other]),
            (Ours, RoutingIdKind::None, &[&e2, &f], &[router, other]),
            (Ours, RoutingIdKind::None, &[&e], &[router]),
            (Ours, RoutingIdKind::None, &[&d, &f2], &[router, other]),
            (Theirs, RoutingIdKind::Own, &[&d2], &[router]),
            (Theirs, RoutingIdKind::None, &[&e2], &[router]),
            (Theirs, RoutingIdKind::None, &[&d], &[router]),
            (Process, RoutingIdKind::None, &[&d2, &f], &[router, other]),
            (Ours, RoutingIdKind::None, &[&d, &f], &[router, other]),
        ];
        let dealers = dealers.map(|(implementation, name, connects, routers)| {
            let dealer = self.add(Role::Dealer(name), implementation, &[], connects);
            self.pairs.extend(routers.iter().flat_map(|router| [(dealer, *router), (*router, dealer)]));
            dealer
        });
        self.dialled.extend([d, e].map(|endpoint| Target { endpoint, socket_type: "DEALER" }));
        dealers
    }

    /// Adds the SUBs and their PUB.
    fn publications(&mut self) -> [u8; 5] {
        let (g, h) = (port(), self.place("pub"));
        let (g2, h2) = (self.through(&g), self.through(&h));
        let publisher = self.add(Role::Pub, Ours, &[&g, &h], &[]);
        let subscribers = [
            (Ours, ReadSpeed::Good, &g2),
            (Ours, ReadSpeed::Good, &h),
            (Ours, ReadSpeed::Slow, &h2),
            (Ours, ReadSpeed::Stopped, &g),
            (Theirs, ReadSpeed::Good, &g2),
        ];
        let subscribers = subscribers.map(|(implementation, speed, connect)| {
            let subscriber = self.add(Role::Sub(speed), implementation, &[], &[connect]);
            self.pairs.push((publisher, subscriber));
            subscriber
        });
        self.dialled.extend([g, h].map(|endpoint| Target { endpoint, socket_type: "SUB" }));
        subscribers
    }

    /// Adds parts that are spared all faults.
    fn spared_pairs(&mut self) {
        let first = self.parts.len();
        for endpoint in [port(), self.place("spared")] {
            let push = self.add(Role::Push, Ours, &[], &[&endpoint]);
            let pull = self.add(Role::Pull, Ours, &[&endpoint], &[]);
            self.pairs.push((push, pull));
        }
        let endpoint = port();
        let publisher = self.add(Role::Pub, Ours, &[&endpoint], &[]);
        let subscriber = self.add(Role::Sub(ReadSpeed::Good), Ours, &[], &[&endpoint]);
        self.pairs.push((publisher, subscriber));
        self.dialled.push(Target { endpoint, socket_type: "SUB" });
        self.parts[first..].iter_mut().for_each(|part| part.killable = false);
    }

    /// Lets some parts connect to additional endpoints: of hostile peers, and one without a
    /// listener.
    fn connect_additional(&mut self, pushes: &[u8], dealers: &[u8], subscribers: &[u8]) {
        let nobody = port();
        let (p, q, r, s) = (port(), self.place("no pull"), port(), self.place("no pub"));
        let all: [(u8, &[&str]); 7] = [
            (pushes[0], &[&p]),
            (pushes[1], &[&q]),
            (pushes[4], &[&p, &q, &nobody]),
            (dealers[2], &[&r]),
            (dealers[3], &[&r]),
            (dealers[11], &[&r, &nobody]),
            (subscribers[1], &[&s]),
        ];
        for (index, additional) in all {
            self.parts[usize::from(index)].additional = owned(additional);
        }
        let listening = [(p, "PULL"), (q, "PULL"), (r, "ROUTER"), (s, "PUB")];
        self.listening.extend(listening.map(|(endpoint, socket_type)| Target { endpoint, socket_type }));
    }

    fn add(&mut self, role: Role, implementation: Implementation, binds: &[&str], connects: &[&str]) -> u8 {
        let index = self.parts.len() as u8;
        self.parts.push(Part {
            index,
            role,
            implementation,
            killable: true,
            binds: owned(binds),
            connects: owned(connects),
            additional: Vec::new(),
            reconnects: false,
        });
        index
    }

    fn place(&self, name: &str) -> String {
        format!("ipc://{}", self.directory.join(name).display())
    }

    /// Starts a proxy to the target. Returns its endpoint.
    fn through(&mut self, target: &str) -> String {
        let front = match target.starts_with("tcp") {
            true => format!("tcp://{}:0", own_loopback()),
            false => self.place(&format!("proxy {}", self.proxies.len())),
        };
        let proxy = Proxy::start(&front, target, faults(self.rng), self.rng.u64(..));
        let endpoint = proxy.endpoint().to_owned();
        self.proxies.push(proxy);
        endpoint
    }
}

fn port() -> String {
    format!("tcp://{}:5555", own_loopback())
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}
