//! Every pattern with libzmq and with pyzmq, over tcp and ipc, bound and connected: arbitrary
//! bytes, whole messages, in order.

use zmq::SocketType;

use crate::mq_process::{Running, TestDirectory, run, start};
use crate::peer::{Implementation, Peer, Role, framed, messages};

/// Makes tests of each body: with each implementation, over each transport, bound and connected.
macro_rules! for_each_peer {
    ($($behaviour:ident),+ $(,)?) => {$(
        mod $behaviour {
            use crate::peer::Implementation::{Libzmq, Pyzmq};

            for_each_peer!(@ $behaviour Libzmq libzmq_connects_over_tcp "tcp" true);
            for_each_peer!(@ $behaviour Libzmq libzmq_binds_over_tcp "tcp" false);
            for_each_peer!(@ $behaviour Libzmq libzmq_connects_over_ipc "ipc" true);
            for_each_peer!(@ $behaviour Libzmq libzmq_binds_over_ipc "ipc" false);
            for_each_peer!(@ #[ignore = "needs pyzmq: scripts/test.sh"] $behaviour Pyzmq pyzmq_connects_over_tcp "tcp" true);
            for_each_peer!(@ #[ignore = "needs pyzmq: scripts/test.sh"] $behaviour Pyzmq pyzmq_binds_over_tcp "tcp" false);
            for_each_peer!(@ #[ignore = "needs pyzmq: scripts/test.sh"] $behaviour Pyzmq pyzmq_connects_over_ipc "ipc" true);
            for_each_peer!(@ #[ignore = "needs pyzmq: scripts/test.sh"] $behaviour Pyzmq pyzmq_binds_over_ipc "ipc" false);
        }
    )+};
    (@ $(#[$attribute:meta])? $behaviour:ident $implementation:ident $name:ident $transport:literal $we_bind:literal) => {
        #[test]
        $(#[$attribute])?
        fn $name() {
            super::$behaviour(&super::Case::new($implementation, $transport, $we_bind));
        }
    };
}

for_each_peer! {
    push_sends_messages,
    pull_prints_messages,
    pub_sends_messages,
    sub_prints_messages,
    req_prints_replies,
    rep_echoes_requests,
    dealer_exchanges_messages,
    router_echoes_messages,
    pair_exchanges_messages,
    proxy_forwards_requests
}

fn push_sends_messages(case: &Case) {
    let (mut mq, peer) = case.start_pair(SocketType::PULL, Role::Sink, &["push", "-I", "frames"]);
    mq.feed(framed(&messages()));
    mq.end().ok();
    peer.done();
}

fn pull_prints_messages(case: &Case) {
    let (mq, peer) = case.start_pair(SocketType::PUSH, Role::Source, &["pull", "-O", "frames", "-n", "6"]);
    assert!(mq.end().ok() == framed(&messages()));
    peer.done();
}

fn pub_sends_messages(case: &Case) {
    let (mut mq, peer) = case.start_pair(SocketType::SUB, Role::Sink, &["pub", "-I", "frames", "-w", "1"]);
    mq.feed(framed(&messages()));
    mq.end().ok();
    peer.done();
}

fn sub_prints_messages(case: &Case) {
    let (mq, peer) = case.start_pair(SocketType::XPUB, Role::Source, &["sub", "-O", "frames", "-n", "6"]);
    assert!(mq.end().ok() == framed(&messages()));
    peer.done();
}

fn req_prints_replies(case: &Case) {
    let (mut mq, peer) =
        case.start_pair(SocketType::REP, Role::Echo, &["req", "-I", "frames", "-O", "frames"]);
    mq.feed(framed(&messages()));
    assert!(mq.end().ok() == framed(&messages()));
    peer.done();
}

fn rep_echoes_requests(case: &Case) {
    let (mq, peer) =
        case.start_pair(SocketType::REQ, Role::Ask, &["rep", "--echo", "-O", "frames", "-n", "6"]);
    assert!(mq.end().ok() == framed(&messages()));
    peer.done();
}

fn dealer_exchanges_messages(case: &Case) {
    let args = ["dealer", "-I", "frames", "-O", "frames", "-n", "6"];
    let (mut mq, peer) = case.start_pair(SocketType::ROUTER, Role::Echo, &args);
    mq.feed(framed(&messages()));
    assert!(mq.end().ok() == framed(&messages()));
    peer.done();
}

fn router_echoes_messages(case: &Case) {
    let (mq, peer) =
        case.start_pair(SocketType::DEALER, Role::Ask, &["router", "--echo", "-O", "quiet", "-n", "6"]);
    assert!(mq.end().ok().is_empty());
    peer.done();
}

fn pair_exchanges_messages(case: &Case) {
    let (mut mq, peer) =
        case.start_pair(SocketType::PAIR, Role::Echo, &["pair", "-I", "frames", "-O", "frames", "-n", "6"]);
    mq.feed(framed(&messages()));
    assert!(mq.end().ok() == framed(&messages()));
    peer.done();
}

/// Forwards between a REQ and a REP of the other implementation.
fn proxy_forwards_requests(case: &Case) {
    let (front, back) = (case.endpoint("front"), case.endpoint("back"));
    if !case.we_bind {
        let (req, front) = Peer::start(case.implementation, SocketType::REQ, Role::Ask, "bind", &front);
        let (rep, back) = Peer::start(case.implementation, SocketType::REP, Role::Echo, "bind", &back);
        let mq = start(&["proxy", &format!("router@connect:{front}"), &format!("dealer@connect:{back}")]);
        req.done();
        rep.done();
        mq.interrupt().ok();
        return;
    }
    let mut mq = start(&["proxy", &format!("router@{front}"), &format!("dealer@{back}")]);
    let (front, back) = (case.bound(&mut mq, front), case.bound(&mut mq, back));
    let (req, _) = Peer::start(case.implementation, SocketType::REQ, Role::Ask, "connect", &front);
    let (rep, _) = Peer::start(case.implementation, SocketType::REP, Role::Echo, "connect", &back);
    req.done();
    rep.done();
    mq.interrupt().ok();
}

#[test]
fn one_mq_serves_several_peers() {
    let directory = TestDirectory::new();
    let (one, two) = (directory.endpoint("one"), directory.endpoint("two"));
    let pull = start(&["pull", "-b", &one, "-b", &two, "-n", "4"]);
    run(&["push", "-c", &one, "-c", &two, "-d", "a", "-d", "b", "-w", "2"], "").ok();
    run(&["push", "-c", &two, "-d", "c", "-d", "d"], "").ok();
    let printed = pull.end().text();
    let mut lines: Vec<_> = printed.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a", "b", "c", "d"]);
}

/// The implementation of the peer, and how it is connected.
struct Case {
    implementation: Implementation,
    directory: TestDirectory,
    is_tcp: bool,
    we_bind: bool,
}

impl Case {
    fn new(implementation: Implementation, transport: &str, we_bind: bool) -> Self {
        Self { implementation, directory: TestDirectory::new(), is_tcp: transport == "tcp", we_bind }
    }

    /// Returns the endpoint for the side that binds.
    fn endpoint(&self, name: &str) -> String {
        if self.is_tcp { "tcp://127.0.0.1:*".into() } else { self.directory.endpoint(name) }
    }

    /// Returns the endpoint that `mq` has bound to.
    fn bound(&self, mq: &mut Running, endpoint: String) -> String {
        if self.is_tcp { mq.endpoint() } else { endpoint }
    }

    fn start_pair(&self, kind: SocketType, role: Role, args: &[&str]) -> (Running, Peer) {
        let endpoint = self.endpoint("met");
        if self.we_bind {
            let mut mq = start(&[args, &["-b", &endpoint]].concat());
            let endpoint = self.bound(&mut mq, endpoint);
            let (peer, _) = Peer::start(self.implementation, kind, role, "connect", &endpoint);
            (mq, peer)
        } else {
            let (peer, endpoint) = Peer::start(self.implementation, kind, role, "bind", &endpoint);
            (start(&[args, &["-c", &endpoint]].concat()), peer)
        }
    }
}
