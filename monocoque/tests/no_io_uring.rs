//! The polling driver, in processes where io_uring is forbidden as in many containers.
//!
//! Each test runs again in a process of its own, which installs an irreversible filter for the
//! system calls.

use std::env;
use std::io::ErrorKind;
use std::process::Command;

use compio::driver::ProactorBuilder;
use compio::runtime::{Runtime, RuntimeBuilder};
use monocoque::zmq::{PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket};
use monocoque::{Context, DriverType, MonocoqueError};
use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use testing::{Placement, Transport};

#[test]
fn contexts_fall_back_to_polling() {
    without_io_uring("contexts_fall_back_to_polling", || {
        assert_eq!(Context::new().expect("a context").driver_type(), DriverType::Polling);
        let context =
            Context::builder().io_threads(2).driver_type(DriverType::Polling).build().expect("a context");
        assert_eq!(context.driver_type(), DriverType::Polling);
        Runtime::new().expect("a runtime").block_on(async {
            assert_eq!(Context::current().expect("a context").driver_type(), DriverType::Polling);
        });
        // A runtime with deferred completions, as docs/guide/getting-started.md advises.
        let mut proactor = ProactorBuilder::new();
        proactor.single_issuer(true).defer_taskrun(true).taskrun_flag(true);
        let runtime = RuntimeBuilder::new().with_proactor(proactor).build().expect("a runtime");
        runtime.block_on(async {
            assert_eq!(Context::current().expect("a context").driver_type(), DriverType::Polling);
        });
    });
}

#[test]
fn requested_io_uring_is_rejected() {
    without_io_uring("requested_io_uring_is_rejected", || {
        let error = Context::builder().driver_type(DriverType::IoUring).build().expect_err("forbidden");
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
    without_io_uring("polling_over_tcp_delivers", || check_delivery(Transport::Tcp));
}

#[test]
fn polling_over_ipc_delivers() {
    without_io_uring("polling_over_ipc_delivers", || check_delivery(Transport::Ipc));
}

#[test]
fn polling_over_inproc_delivers() {
    without_io_uring("polling_over_inproc_delivers", || check_delivery(Transport::Inproc));
}

/// Checks delivery on the caller's runtime, with an I/O thread, and embedded.
fn check_delivery(transport: Transport) {
    for placement in [Placement::Current, Placement::Thread, Placement::Embedded] {
        testing::run(transport, placement, async |at| {
            assert_eq!(at.context.driver_type(), DriverType::Polling);

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
            assert_eq!(pull.recv().await.expect("received"), large);

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
            assert_eq!(subscriber.recv().await.expect("received"), ["news", "second"]);

            futures::join!(push.close(), pull.close(), req.close(), rep.close());
            futures::join!(publisher.close(), subscriber.close());
        });
    }
}

/// Runs `work` in another process, where io_uring is forbidden.
fn without_io_uring(test: &str, work: impl FnOnce()) {
    if env::var_os(CHILD).is_some() {
        forbid_io_uring();
        let mut proactor = ProactorBuilder::new();
        proactor.driver_type(compio::driver::DriverType::IoUring);
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

/// Makes the system calls of io_uring fail with `EPERM` in all threads of this process.
fn forbid_io_uring() {
    let calls = [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];
    let filter = SeccompFilter::new(
        calls.map(|call| (call, Vec::new())).into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        env::consts::ARCH.try_into().expect("a supported architecture"),
    );
    let program: BpfProgram = filter.and_then(TryInto::try_into).expect("a filter");
    seccompiler::apply_filter_all_threads(&program).expect("the filter is in force");
}

/// Environment variable that marks the child process.
const CHILD: &str = "MONOCOQUE_FORBIDDEN_CHILD";
