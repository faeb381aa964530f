//! I/O threads of contexts: their number, affinity and driver.

use std::collections::BTreeMap;
use std::fs;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::thread;

use futures::executor::block_on;
use monocoque::zmq::{PullSocket, PushSocket};
use monocoque::{Context, DriverType, MonocoqueError};

/// Maps the name of each thread that starts with `prefix` to a field of its status.
fn threads(prefix: &str, field: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").expect("threads").flatten() {
        // The thread may have ended since.
        let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
            line.trim().to_owned()
        };
        if value("Name:").starts_with(prefix) {
            found.insert(value("Name:"), value(field));
        }
    }
    found
}

fn exchange_message(context: &Context) {
    block_on(async {
        let pull = PullSocket::new_in(context).expect("a socket");
        let endpoint = pull.bind("tcp://127.0.0.1:0").await.expect("bound");
        let push = PushSocket::new_in(context).expect("a socket");
        push.connect(endpoint).await.expect("connected");
        push.send("x").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "x");
    });
}

#[test]
fn zero_io_threads_are_rejected() {
    let rejected = Context::builder().io_threads(0).build().expect_err("no thread");
    assert!(matches!(rejected, MonocoqueError::OutOfRange { option: "io_threads", .. }), "{rejected}");
}

/// Identifies I/O threads by name: no other test of this process has three of them in a context.
#[test]
fn io_threads_match_configuration() {
    let allowed = threads("", "Cpus_allowed_list:").into_values().next().expect("this thread");
    let last = allowed.rsplit([',', '-']).next().expect("a processor").to_owned();
    let context = Context::builder().io_threads(3).thread_affinity([last.parse().expect("a number")]);
    let context = context.build().expect("threads");
    exchange_message(&context);
    let found = threads("monocoque-io-", "Cpus_allowed_list:");
    assert_eq!(found.get("monocoque-io-2"), Some(&last), "{found:?}");
    assert!(!found.contains_key("monocoque-io-3"), "{found:?}");
    block_on(context.shutdown());
}

/// A waker that records the thread on which it is woken.
#[derive(Debug, Default)]
struct WokenOn(Mutex<Option<String>>);

impl Wake for WokenOn {
    fn wake(self: Arc<Self>) {
        *self.0.lock().expect("no panic") = thread::current().name().map(str::to_owned);
    }
}

#[test]
fn socket_affinity_selects_io_thread() {
    let context = Context::builder().io_threads(2).build().expect("threads");
    for wanted in [1, 0, 0, 1, 1] {
        let pull = PullSocket::builder()
            .affinity([wanted, 7])
            .build_in(&context)
            .expect("such an I/O thread exists");
        let endpoint = pull.blocking().bind("tcp://127.0.0.1:0").expect("bound");
        let woken = Arc::new(WokenOn::default());
        let waker = woken.clone().into();
        let mut receive = pin!(pull.recv());
        assert!(receive.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
        let push = PushSocket::new().expect("a socket");
        push.blocking().connect(endpoint).expect("connected");
        push.blocking().send("x").expect("sent");
        let on = || woken.0.lock().expect("no panic").clone();
        block_on(testing::eventually("the waker has run", || on().is_some()));
        assert_eq!(on(), Some(format!("monocoque-io-{wanted}")));
        assert_eq!(block_on(receive).expect("received"), "x");
    }
    let nowhere = PullSocket::builder().affinity([3]).build_in(&context).expect_err("no such I/O thread");
    assert!(matches!(nowhere, MonocoqueError::OutOfRange { option: "affinity", .. }), "{nowhere}");
}

#[test]
fn requested_driver_is_used() {
    for driver in [DriverType::Polling, DriverType::IoUring] {
        match Context::builder().driver_type(driver).build() {
            Ok(context) => {
                assert_eq!(context.driver_type(), driver);
                exchange_message(&context);
            }
            // Some containers forbid io_uring.
            Err(error) => assert_eq!(driver, DriverType::IoUring, "{error}"),
        }
    }
}
