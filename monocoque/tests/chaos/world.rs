//! Who takes part, who talks to whom and through what, what happens to them, and what must hold in the end.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use monocoque::Context;
use tempfile::TempDir;

use crate::actor::{Actor, Make, Manner, Name, Part, Role};
use crate::hostile::{self, Hostile, Place};
use crate::ledger::{Class, Ledger, SETTLED};
use crate::proxy::{self, Counts, Faults, Proxy, own_loopback};

/// What the actors share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) context: Context,
    phase: AtomicU8,
    /// No thread connects and disconnects any more.
    pub(crate) reconnected: AtomicBool,
    /// Lives in which threads still do.
    pub(crate) reconnecting: AtomicU64,
    /// How many connections were begun or given up by those threads.
    pub(crate) reconnects: AtomicU64,
    /// Whole messages of hostile peers that were received.
    pub(crate) hostile_messages: AtomicU64,
    /// How long a life of ours has waited for its endpoint to be free, at the most: milliseconds.
    pub(crate) longest_bind: AtomicU64,
    /// How often a process was stopped.
    pub(crate) stops: AtomicU64,
    /// Nobody is to live again.
    pub(crate) ended: AtomicBool,
    pub(crate) replies: AtomicU64,
    pub(crate) replies_dropped: AtomicU64,
    /// Replies to a DEALER of the same name, before it was killed.
    pub(crate) stale_replies: AtomicU64,
    pub(crate) news_dropped: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct World {
    seed: u64,
    chance: Rng,
    shared: Arc<Shared>,
    actors: Vec<Actor>,
    proxies: Vec<Proxy>,
    hostile: Hostile,
    /// Who must hear whom.
    pairs: Vec<(u8, u8)>,
    kills: u64,
    since: Instant,
    held: Duration,
    /// Goes last.
    _directory: TempDir,
}

/// While anything may happen.
pub(crate) const CHAOS: u8 = 0;
/// Nothing more happens; each is to find the others again.
const RECOVERY: u8 = 1;

impl Shared {
    pub(crate) fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    /// How many messages are sent without a pause. Once it is calm, so few that what has piled up goes down.
    pub(crate) fn burst(&self, role: Role) -> usize {
        burst(self.phase(), role)
    }
}

/// How many messages are sent without a pause in this phase.
pub(crate) fn burst(phase: u8, role: Role) -> usize {
    let fast = if cfg!(debug_assertions) { 1 } else { 3 };
    match (phase, role) {
        (CHAOS, Role::Push) => 6 * fast,
        (CHAOS, _) => 2 * fast,
        _ => 1,
    }
}

/// Who talks to whom.
struct Cast {
    parts: Vec<Part>,
    pairs: Vec<(u8, u8)>,
}

impl Cast {
    fn add(&mut self, role: Role, make: Make, binds: &[&str], connects: &[&str]) -> u8 {
        let index = self.parts.len() as u8;
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        self.parts.push(Part {
            index,
            role,
            make,
            mortal: true,
            binds: owned(binds),
            connects: owned(connects),
            beside: Vec::new(),
            reconnects: false,
        });
        index
    }

    /// Lets a part dial other endpoints beside its own.
    fn dial_beside(&mut self, index: u8, beside: &[&str]) {
        let beside = beside.iter().map(|text| (*text).to_owned());
        self.parts[usize::from(index)].beside.extend(beside);
    }
}

impl World {
    /// `topics` is how many one hostile peer subscribes to.
    pub(crate) fn start(seed: u64, topics: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let place = |name: &str| format!("ipc://{}", directory.path().join(name).display());
        let port = || format!("tcp://{}:5555", own_loopback());
        let mut chance = Rng::with_seed(seed);
        let mut proxies = Vec::new();
        let mut through = |target: &str| {
            let front = match target.starts_with("tcp") {
                true => format!("tcp://{}:0", own_loopback()),
                false => place(&format!("proxy {}", proxies.len())),
            };
            let proxy = Proxy::start(&front, target, faults(&mut chance), chance.u64(..));
            let endpoint = proxy.endpoint().to_owned();
            proxies.push(proxy);
            endpoint
        };
        let mut cast = Cast { parts: Vec::new(), pairs: Vec::new() };
        let (ours, theirs, process) = (Make::Ours, Make::Theirs, Make::Process);
        let nobody = port();

        let (a, b, c, o) = (port(), place("pull"), port(), port());
        let (a2, b2, c2) = (through(&a), through(&b), through(&c));
        let pushes = [
            cast.add(Role::Push, ours, &[], &[&a2, &b, &c2]),
            cast.add(Role::Push, ours, &[], &[&a, &b2, &c]),
            cast.add(Role::Push, theirs, &[], &[&a2, &b2, &c]),
            cast.add(Role::Push, process, &[], &[&a2, &b, &c]),
            cast.add(Role::Push, ours, &[], &[&a, &b, &c]),
        ];
        let pulls = [
            cast.add(Role::Pull, ours, &[&a], &[]),
            cast.add(Role::Pull, ours, &[&b], &[]),
            cast.add(Role::Pull, theirs, &[&c], &[]),
        ];
        cast.pairs.extend(pushes.iter().flat_map(|push| pulls.map(|pull| (*push, pull))));
        let pull = cast.add(Role::Pull, process, &[&o], &[]);
        for push in [pushes[0], pushes[2]] {
            cast.parts[usize::from(push)].connects.push(o.clone());
            cast.pairs.push((push, pull));
        }

        let (d, e, f) = (port(), place("router"), port());
        let (d2, e2, f2) = (through(&d), through(&e), through(&f));
        let router = cast.add(Role::Router, ours, &[&d, &e], &[]);
        let other = cast.add(Role::Router, theirs, &[&f], &[]);
        let dealers: [(Make, Name, &[&str], &[u8]); 12] = [
            (ours, Name::Own, &[&d2], &[router]),
            (ours, Name::Own, &[&e2], &[router]),
            (ours, Name::Own, &[&d], &[router]),
            (ours, Name::None, &[&d2, &f2], &[router, other]),
            (ours, Name::None, &[&e2, &f], &[router, other]),
            (ours, Name::None, &[&e], &[router]),
            (ours, Name::None, &[&d, &f2], &[router, other]),
            (theirs, Name::Own, &[&d2], &[router]),
            (theirs, Name::None, &[&e2], &[router]),
            (theirs, Name::None, &[&d], &[router]),
            (process, Name::None, &[&d2, &f], &[router, other]),
            (ours, Name::None, &[&d, &f], &[router, other]),
        ];
        let dealers = dealers.map(|(make, name, connects, routers)| {
            let dealer = cast.add(Role::Dealer(name), make, &[], connects);
            cast.pairs.extend(routers.iter().flat_map(|router| [(dealer, *router), (*router, dealer)]));
            dealer
        });

        let (g, h) = (port(), place("pub"));
        let (g2, h2) = (through(&g), through(&h));
        let publisher = cast.add(Role::Pub, ours, &[&g, &h], &[]);
        let subscribers = [
            (ours, Manner::Good, &g2),
            (ours, Manner::Good, &h),
            (ours, Manner::Slow, &h2),
            (ours, Manner::Stopped, &g),
            (theirs, Manner::Good, &g2),
        ];
        let subscribers = subscribers.map(|(make, manner, connect)| {
            let subscriber = cast.add(Role::Sub(manner), make, &[], &[connect]);
            cast.pairs.push((publisher, subscriber));
            subscriber
        });

        for endpoint in [port(), place("spared")] {
            let push = cast.add(Role::Push, ours, &[], &[&endpoint]);
            let pull = cast.add(Role::Pull, ours, &[&endpoint], &[]);
            cast.pairs.push((push, pull));
            cast.parts.iter_mut().rev().take(2).for_each(|part| part.mortal = false);
        }
        let t = port();
        let spared = cast.add(Role::Pub, ours, &[&t], &[]);
        let subscriber = cast.add(Role::Sub(Manner::Good), ours, &[], &[&t]);
        cast.pairs.push((spared, subscriber));
        cast.parts.iter_mut().rev().take(2).for_each(|part| part.mortal = false);

        let (p, q, r, s) = (port(), place("no pull"), port(), place("no pub"));
        cast.dial_beside(pushes[0], &[&p]);
        cast.dial_beside(pushes[1], &[&q]);
        cast.dial_beside(pushes[4], &[&p, &q, &nobody]);
        cast.dial_beside(dealers[2], &[&r]);
        cast.dial_beside(dealers[3], &[&r]);
        cast.dial_beside(dealers[11], &[&r, &nobody]);
        cast.dial_beside(subscribers[1], &[&s]);
        for index in [pushes[4], dealers[11]] {
            cast.parts[usize::from(index)].reconnects = true;
        }
        let as_peers = |places: &[(&str, &'static str)]| {
            places.iter().map(|&(endpoint, plays)| Place { endpoint: endpoint.into(), plays }).collect()
        };
        let dialled = [
            (&*a, "PUSH"),
            (&b, "PUSH"),
            (&o, "PUSH"),
            (&d, "DEALER"),
            (&e, "DEALER"),
            (&g, "SUB"),
            (&h, "SUB"),
            (&t, "SUB"),
        ];
        let listening = [(&*p, "PULL"), (&q, "PULL"), (&r, "ROUTER"), (&s, "PUB")];
        let hostile = Hostile::start(as_peers(&dialled), as_peers(&listening), topics, chance.u64(..));

        let shared = Arc::new(Shared {
            ledger: Ledger::new(seed),
            context: Context::builder().io_threads(2).build().expect("I/O threads"),
            phase: AtomicU8::new(CHAOS),
            reconnected: AtomicBool::new(false),
            reconnecting: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            hostile_messages: AtomicU64::new(0),
            longest_bind: AtomicU64::new(0),
            stops: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            replies: AtomicU64::new(0),
            replies_dropped: AtomicU64::new(0),
            stale_replies: AtomicU64::new(0),
            news_dropped: AtomicU64::new(0),
        });
        let mut start = |part| Actor::start(part, shared.clone(), chance.u64(..));
        let actors = cast.parts.into_iter().map(&mut start).collect();
        Self {
            seed,
            chance,
            shared,
            actors,
            proxies,
            hostile,
            pairs: cast.pairs,
            kills: 0,
            since: Instant::now(),
            held: Duration::ZERO,
            _directory: directory,
        }
    }

    /// Lets things happen for a while. Ends early if something is wrong already.
    pub(crate) fn disturb(mut self, time: Duration) -> Calm {
        let is_over = |world: &Self| {
            !world.shared.ledger.wrongs().is_empty() || world.actors.iter().any(Actor::is_finished)
        };
        while self.since.elapsed() < time && !is_over(&self) {
            thread::sleep(Duration::from_millis(self.chance.u64(5..80)));
            self.happen();
        }
        self.held = self.since.elapsed();
        Calm(self)
    }

    fn happen(&mut self) {
        let what = self.chance.u8(0..20);
        if what < 6 {
            let victims: Vec<_> = self.actors.iter().filter(|actor| actor.part.mortal).collect();
            let victim = self.chance.choice(victims).expect("not empty");
            self.kills += u64::from(victim.kill());
            return;
        }
        let at = self.chance.usize(..self.proxies.len());
        let mut millis = |range| Duration::from_millis(self.chance.u64(range));
        let proxy = &self.proxies[at];
        match what {
            6..=8 => proxy.hit(proxy::End::Reset),
            9 => proxy.hit_all(proxy::End::Reset),
            10 => proxy.hit(proxy::End::Close),
            11 | 12 => proxy.hit(proxy::End::Stall(millis(100..2_000))),
            13 => proxy.hit_all(proxy::End::Stall(millis(100..1_000))),
            14 => proxy.hit(proxy::End::Pause(millis(50..500))),
            15 => proxy.hit(proxy::End::CutToClient),
            16 => proxy.hit(proxy::End::CutToTarget),
            17 => proxy.refuse(millis(20..400)),
            _ => proxy.set(faults(&mut self.chance)),
        }
    }

    fn finish(mut self) -> Vec<String> {
        let panicked = self.hostile.end();
        let Self { shared, actors, proxies, pairs, .. } = &self;
        let ledger = &shared.ledger;
        panicked.into_iter().for_each(|panic| ledger.wrong(panic));
        proxies.iter().for_each(Proxy::heal);
        // Whoever was killed last has to have noticed, or would die later on.
        wait(|| actors.iter().all(Actor::lives) || !ledger.wrongs().is_empty());
        shared.reconnected.store(true, Ordering::SeqCst);
        wait(|| shared.reconnecting.load(Ordering::SeqCst) == 0);
        shared.phase.store(RECOVERY, Ordering::SeqCst);
        let deaf =
            || pairs.iter().filter(|(from, to)| !ledger.has_heard(*from, *to, RECOVERY)).collect::<Vec<_>>();
        let name = |index: &u8| actors[usize::from(*index)].part.name();
        let mut last = String::new();
        let recovery = wait(|| {
            let deaf = deaf();
            if let Some((from, to)) = deaf.last() {
                last = format!("{} by {}", name(from), name(to));
            }
            deaf.is_empty() || !ledger.wrongs().is_empty()
        });
        for (from, to) in deaf() {
            ledger.wrong(format!("{} does not hear {} again", name(to), name(from)));
        }

        shared.phase.store(SETTLED, Ordering::SeqCst);
        let sends = |role: fn(Role) -> bool| {
            (actors.iter().filter(|actor| role(actor.part.role)).count() * SETTLED_MESSAGES) as u64
        };
        let all = [
            (Class::Work, sends(|role| role == Role::Push)),
            (Class::Request, sends(|role| matches!(role, Role::Dealer(_)))),
            (Class::Reply, sends(|role| matches!(role, Role::Dealer(_)))),
            (Class::News, sends(|role| matches!(role, Role::Sub(_)))),
        ];
        let missing = || all.iter().filter(|(class, n)| ledger.settled(*class) < *n).collect::<Vec<_>>();
        let settling = wait(|| missing().is_empty() || !ledger.wrongs().is_empty());
        for (class, n) in missing() {
            let got = ledger.settled(*class);
            ledger.wrong(format!(
                "{class:?}: {got} of {n} messages were received when nothing happened any more"
            ));
        }

        shared.ended.store(true, Ordering::SeqCst);
        wait(|| {
            actors.iter().for_each(|actor| {
                actor.kill();
            });
            actors.iter().all(Actor::is_finished)
        });
        let late = actors.iter().filter(|actor| !actor.is_finished());
        late.for_each(|actor| ledger.wrong(format!("{} does not end", actor.part.name())));
        let found = format!("{recovery:.1?}, the last one {last}");
        self.sum_up(&found, settling)
    }

    fn sum_up(mut self, found: &str, settling: Duration) -> Vec<String> {
        let ledger = self.shared.ledger.clone();
        for actor in self.actors.drain(..).filter(Actor::is_finished) {
            actor.join().into_iter().for_each(|panic| ledger.wrong(panic));
        }
        let mut counts = Counts::default();
        self.proxies.iter().for_each(|proxy| counts.add(&proxy.counts()));
        let disturbances = (self.kills + counts.accepted + counts.faults()) as usize;
        let of = |class| ledger.judge(class, disturbances, 3, lost_at_most());
        let (work, request, reply, news) =
            (of(Class::Work), of(Class::Request), of(Class::Reply), of(Class::News));
        println!(
            "SEED={} load held {:.1} s: {} lives, {} kills, {} faults in {} connections through proxies \
             ({} resets, {} closes, {} stalls, {} pauses, {} cuts, {} refusals, {} fragments, {} delays); \
             {} messages checked; found each other in {found}, settled in {settling:.1?}",
            self.seed,
            self.held.as_secs_f64(),
            ledger.lives(),
            self.kills,
            counts.faults(),
            counts.accepted,
            counts.resets,
            counts.closes,
            counts.stalls,
            counts.pauses,
            counts.cuts,
            counts.refusals,
            counts.fragments,
            counts.delays,
            ledger.checked(),
        );
        for (name, account) in [("PUSH to PULL", work), ("DEALER to ROUTER", request)] {
            println!(
                "  {name}: {} sent, {} received; lost with one of {} connections: {} (at most {} messages, {} bytes \
                 with one of ours), with a killed sender: {}; at most {} runs",
                account.sent,
                account.received,
                account.connections,
                account.lost_with_a_connection,
                account.worst.0,
                account.worst.1,
                account.lost_with_the_sender,
                account.runs,
            );
        }
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let shared = &self.shared;
        println!(
            "  ROUTER to DEALER: {} sent, {} received, {} of them by a later life of the name; {} dropped by ROUTERs of \
             ours, the rest lost with a connection or a receiver; at most {} runs",
            load(&shared.replies),
            reply.received,
            load(&shared.stale_replies),
            load(&shared.replies_dropped),
            reply.runs,
        );
        println!(
            "  PUBs to SUBs: {} sent, {} received; {} dropped for those without room, the rest by those who were away",
            news.sent,
            news.received,
            load(&shared.news_dropped),
        );
        let peers = self.hostile.counts();
        println!(
            "  hostile peers: {} trickled, {} flooded, {} refused ({} of them dialled), {} left with {} topics, \
             {} whole messages of theirs received; processes stopped {} times; {} connects and disconnects \
             from two threads; an endpoint was free again after {} ms at the most",
            load(&peers.trickles),
            load(&peers.floods),
            load(&peers.refusals),
            load(&peers.refusals_dialled),
            load(&peers.subscribers),
            self.hostile.topics(),
            load(&shared.hostile_messages),
            load(&shared.stops),
            load(&shared.reconnects),
            load(&shared.longest_bind),
        );
        let happened = [
            ("trickling peer", load(&peers.trickles)),
            ("flooding peer", load(&peers.floods)),
            ("refusing peer", load(&peers.refusals)),
            ("subscriber to many topics", load(&peers.subscribers)),
            ("whole message of a hostile peer", load(&shared.hostile_messages)),
            ("stopped process", load(&shared.stops)),
            ("connect or disconnect from two threads", load(&shared.reconnects)),
        ];
        // A round that has ended early has not had the time for all of it.
        if ledger.wrongs().is_empty() && self.held > Duration::from_secs(5) {
            for (what, _) in happened.iter().filter(|(_, times)| *times == 0) {
                ledger.wrong(format!("there was no {what}"));
            }
        }
        ledger.wrongs()
    }
}

/// A world in which nothing more happens.
#[derive(Debug)]
pub(crate) struct Calm(World);

impl Calm {
    /// Lets all find each other again and proves that nothing is lost from then on; ends them, and says what was wrong.
    pub(crate) fn end(self) -> Vec<String> {
        self.0.finish()
    }
}

/// What a proxy does by itself.
fn faults(chance: &mut Rng) -> Faults {
    use proxy::End::{Close, CutToClient, CutToTarget, Pause, Reset, Stall};
    let ends = [
        Reset,
        Reset,
        Close,
        CutToClient,
        CutToTarget,
        Stall(Duration::from_millis(700)),
        Pause(Duration::from_millis(300)),
    ];
    Faults {
        fragment: if chance.bool() { chance.usize(64..4_096) } else { 0 },
        delay: if chance.u8(0..4) == 0 {
            Duration::from_micros(chance.u64(50..1_500))
        } else {
            Duration::ZERO
        },
        ends: ends.to_vec(),
        // Some within the handshake.
        after: if chance.u8(0..4) == 0 { 0..3_000 } else { 1_000..1_500_000 },
    }
}

/// Waits for something, for how long it may take; how long it took.
fn wait(mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() && start.elapsed() < DEADLINE {
        thread::sleep(Duration::from_millis(5));
    }
    start.elapsed()
}

/// How much can go with one connection: what two systems buffer for it, and what the proxy does.
fn lost_at_most() -> u64 {
    let largest = |name: &str| -> u64 {
        let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).expect("a limit");
        text.split_whitespace().nth(2).and_then(|text| text.parse().ok()).expect("a number")
    };
    largest("tcp_wmem") + largest("tcp_rmem") + (2 << 20)
}

/// The topic that all SUBs subscribe to.
pub(crate) const TOPIC: u8 = hostile::TOPIC;
/// How many messages each sends at last, of which none may be lost.
pub(crate) const SETTLED_MESSAGES: usize = 200;
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// Between two bursts.
pub(crate) const PAUSE: Duration = Duration::from_millis(4);
