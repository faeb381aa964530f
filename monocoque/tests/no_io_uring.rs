//! Where io_uring is forbidden, as in many containers, everything works on the polling driver.
//!
//! Each test runs once more in a process of its own, which forbids itself the system calls: that
//! cannot be taken back.

use std::env;
use std::io::ErrorKind;
use std::process::Command;

use compio::driver::{DriverType, ProactorBuilder};
use compio::runtime::{Runtime, RuntimeBuilder};
use monocoque::zmq::{PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket};
use monocoque::{Context, Driver, MonocoqueError};
use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use testing::{Placement, Transport};

#[test]
fn contexts_fall_back_to_polling() {
    where_it_is_forbidden("contexts_fall_back_to_polling", || {
        assert_eq!(Context::new().expect("a context").driver(), Driver::Polling);
        let context = Context::builder().io_threads(2).driver(Driver::Polling).build().expect("a context");
        assert_eq!(context.driver(), Driver::Polling);
        Runtime::new().expect("a runtime").block_on(async {
            assert_eq!(Context::current().expect("a context").driver(), Driver::Polling);
        });
        // One that was asked for its completions, as docs/guide/getting-started.md advises.
        let mut proactor = ProactorBuilder::new();
        proactor.single_issuer(true).defer_taskrun(true).taskrun_flag(true);
        let runtime = RuntimeBuilder::new().with_proactor(proactor).build().expect("a runtime");
        runtime.block_on(async {
            assert_eq!(Context::current().expect("a context").driver(), Driver::Polling);
        });
    });
}

#[test]
fn requested_io_uring_is_rejected() {
    where_it_is_forbidden("requested_io_uring_is_rejected", || {
        let error = Context::builder().driver(Driver::IoUring).build().expect_err("forbidden");
        assert_eq!(
            error.to_string(),
            "an I/O thread could not be started: Operation not permitted (os error 1)"
        );
        let MonocoqueError::Thread(source) = error else { panic!("another error: {error}") };
        assert_eq!(source.kind(), ErrorKind::PermissionDenied);
    });
}

#[test]
fn polling_over_tcp_delivers() {
    where_it_is_forbidden("polling_over_tcp_delivers", || messages_go(Transport::Tcp));
}

#[test]
fn polling_over_ipc_delivers() {
    where_it_is_forbidden("polling_over_ipc_delivers", || messages_go(Transport::Ipc));
}

#[test]
fn polling_over_inproc_delivers() {
    where_it_is_forbidden("polling_over_inproc_delivers", || messages_go(Transport::Inproc));
}

/// On the caller's runtime, and beside a context with an I/O thread.
fn messages_go(transport: Transport) {
    for placement in [Placement::Current, Placement::Thread] {
        testing::run(transport, placement, async |at| {
            assert_eq!(at.context.driver(), Driver::Polling);

            let (pull, endpoint) = at.bound(PullSocket::builder()).await;
            let push = at.connected(PushSocket::builder(), &endpoint).await;
            let large = vec![7; 1_000_000];
            for n in 0..100 {
                push.send(testing::numbered(n)).await.expect("sent");
            }
            push.send(large.clone()).await.expect("sent");
            for n in 0..100 {
                assert_eq!(pull.recv().await.expect("received"), testing::numbered(n));
            }
            assert_eq!(pull.recv().await.expect("received"), large.into());

            let (rep, endpoint) = at.bound(RepSocket::builder()).await;
            let req = at.connected(ReqSocket::builder(), &endpoint).await;
            let asking = async {
                for n in 0..10 {
                    assert_eq!(req.request(testing::numbered(n)).await.expect("answered")[1], *b"answer");
                }
            };
            let answering = async {
                for _ in 0..10 {
                    let mut request = rep.recv().await.expect("received");
                    request.push_back("answer");
                    rep.send(request).await.expect("sent");
                }
            };
            futures::join!(asking, answering);

            let (publisher, endpoint) = at.bound(PubSocket::builder()).await;
            let subscriber = at.connected(SubSocket::builder(), &endpoint).await;
            subscriber.subscribe("news").expect("open");
            publisher.wait_for_subscriptions(1).await.expect("open");
            publisher.send(["other", "first"]).await.expect("sent");
            publisher.send(["news", "second"]).await.expect("sent");
            assert_eq!(subscriber.recv().await.expect("received"), ["news", "second"].into());

            futures::join!(push.close(), pull.close(), req.close(), rep.close());
            futures::join!(publisher.close(), subscriber.close());
        });
    }
}

/// Runs the work of this test in another process, where io_uring is forbidden.
fn where_it_is_forbidden(test: &str, work: impl FnOnce()) {
    if env::var_os(CHILD).is_some() {
        forbid();
        let mut proactor = ProactorBuilder::new();
        proactor.driver_type(DriverType::IoUring);
        let error = RuntimeBuilder::new().with_proactor(proactor).build().map(drop).expect_err("forbidden");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        return work();
    }
    let child = Command::new(env::current_exe().expect("a program"))
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("a process");
    let (out, err) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && out.contains("1 passed"), "{}\n{out}\n{err}", child.status);
}

/// From now on, in all threads of this process, the calls of io_uring fail with `EPERM`.
fn forbid() {
    let calls = [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];
    let filter = SeccompFilter::new(
        calls.map(|call| (call, Vec::new())).into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        env::consts::ARCH.try_into().expect("an architecture that it knows"),
    );
    let program: BpfProgram = filter.and_then(TryInto::try_into).expect("a filter");
    seccompiler::apply_filter_all_threads(&program).expect("a filter that is in force");
}

/// Says that this process is the other one.
const CHILD: &str = "MONOCOQUE_FORBIDDEN_CHILD";
