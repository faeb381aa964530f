//! The exchanges with pyzmq, which has a newer libzmq than the `zmq` crate, in processes of its
//! own.
//!
//! `scripts/pyzmq_env.sh` creates the Python environment; `MONOCOQUE_PYTHON` names its interpreter.
//! The default is `python3`. A test fails if the interpreter has no pyzmq.

use std::path::PathBuf;
use std::process::{Child, Command};

use monocoque::zmq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket, SubSocket,
};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use testing::{python, start_python_peer};

use crate::support::{
    Binds, Case, LIMIT, assert_same, close, echo, on_thread, receive_all, recv, send, send_all, shapes,
    within,
};

with_pyzmq! {
    everywhere:
    dealer_with_router,
    router_with_dealer,
    router_with_req,
    req_with_rep,
    rep_with_req,
    pub_with_sub,
    sub_with_xpub,
    push_with_pull,
    pull_with_push,
}

pub(crate) async fn dealer_with_router(case: &Case) {
    let dealer: DealerSocket = case.socket();
    let peer = Peer::join(case, &dealer, "ROUTER", "echo").await;
    send_all(&dealer).await;
    receive_all(&dealer).await;
    peer.done().await;
    close(dealer).await;
}

pub(crate) async fn router_with_dealer(case: &Case) {
    let router: RouterSocket = case.socket();
    let peer = Peer::join(case, &router, "DEALER", "ask").await;
    echo(&router, shapes().len()).await;
    peer.done().await;
    close(router).await;
}

pub(crate) async fn router_with_req(case: &Case) {
    let router: RouterSocket = case.socket();
    let peer = Peer::join(case, &router, "REQ", "ask").await;
    echo(&router, shapes().len()).await;
    peer.done().await;
    close(router).await;
}

pub(crate) async fn req_with_rep(case: &Case) {
    let req: ReqSocket = case.socket();
    let peer = Peer::join(case, &req, "REP", "echo").await;
    for (n, shape) in shapes().iter().enumerate() {
        send(&req, shape.clone()).await;
        assert_same(n, &recv(&req).await, shape);
    }
    peer.done().await;
    close(req).await;
}

pub(crate) async fn rep_with_req(case: &Case) {
    let rep: RepSocket = case.socket();
    let peer = Peer::join(case, &rep, "REQ", "ask").await;
    echo(&rep, shapes().len()).await;
    peer.done().await;
    close(rep).await;
}

pub(crate) async fn pub_with_sub(case: &Case) {
    let publisher: PubSocket = case.socket();
    let peer = Peer::join(case, &publisher, "SUB", "sink").await;
    within(LIMIT, "wait_for_subscriptions", publisher.wait_for_subscriptions(1)).await.unwrap();
    send_all(&publisher).await;
    peer.done().await;
    close(publisher).await;
}

pub(crate) async fn sub_with_xpub(case: &Case) {
    let sub: SubSocket = case.socket();
    sub.subscribe("").unwrap();
    let peer = Peer::join(case, &sub, "XPUB", "source").await;
    receive_all(&sub).await;
    peer.done().await;
    close(sub).await;
}

pub(crate) async fn push_with_pull(case: &Case) {
    let push: PushSocket = case.socket();
    let peer = Peer::join(case, &push, "PULL", "sink").await;
    send_all(&push).await;
    peer.done().await;
    close(push).await;
}

pub(crate) async fn pull_with_push(case: &Case) {
    let pull: PullSocket = case.socket();
    let peer = Peer::join(case, &pull, "PUSH", "source").await;
    receive_all(&pull).await;
    peer.done().await;
    close(pull).await;
}

#[test]
#[ignore = "needs pyzmq: scripts/test.sh"]
fn pyzmq_brings_newer_libzmq() {
    let output =
        Command::new(python()).args(["-c", "import zmq; print(zmq.zmq_version())"]).output().unwrap();
    let theirs: Vec<i32> =
        String::from_utf8_lossy(&output.stdout).trim().split('.').map(|part| part.parse().unwrap()).collect();
    let (major, minor, patch) = zmq::version();
    assert!(theirs > vec![major, minor, patch], "libzmq {theirs:?}: install a newer pyzmq");
}

/// A Python process with a socket.
#[derive(Debug)]
pub(crate) struct Peer(Child);

impl Peer {
    pub(crate) async fn join<S: Socket>(case: &Case, ours: &S, kind: &str, role: &str) -> Self {
        match case.binds() {
            Binds::Us => {
                let endpoint = case.bind(ours).await;
                Self::start(case, kind, role, "connect", endpoint).await.0
            }
            Binds::Them => {
                let (peer, endpoint) = Self::start(case, kind, role, "bind", case.wildcard()).await;
                ours.connect(endpoint).await.unwrap();
                peer
            }
        }
    }

    /// Starts a process whose socket is bound, for several connecting ones.
    pub(crate) async fn bound(case: &Case, kind: &str, role: &str) -> (Self, String) {
        Self::start(case, kind, role, "bind", case.wildcard()).await
    }

    async fn start(
        case: &Case,
        kind: &str,
        role: &str,
        way: &'static str,
        endpoint: String,
    ) -> (Self, String) {
        let security = case.security().of_peer();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/interop/peer.py");
        let (kind, role) = (kind.to_owned(), role.to_owned());
        on_thread(move || {
            let args = [kind, role, way.into(), endpoint].into_iter().chain(security);
            let (child, mut lines) = start_python_peer(&script, args);
            let version = lines.next().expect("the version of libzmq");
            let endpoint = lines.next().expect("the endpoint");
            assert!(version.starts_with("4."), "libzmq {version}");
            (Self(child), endpoint)
        })
        .await
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).expect("a process that is not reaped");
    }

    /// Waits until the process has ended, and checks that it has received what it expects.
    pub(crate) async fn done(mut self) {
        on_thread(move || {
            let status = self.0.wait().expect("the exit status");
            assert!(status.success(), "the pyzmq side ended with {status}: see its last line");
        })
        .await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
