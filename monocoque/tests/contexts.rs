//! What is said of I/O threads holds: how many there are, where they run, and by which driver.

use std::collections::BTreeMap;
use std::fs;

use futures::executor::block_on;
use monocoque::zmq::{PullSocket, PushSocket};
use monocoque::{Context, Driver};

/// A field of the status of each thread of this process with such a name, by name.
fn threads(prefix: &str, field: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").expect("threads").flatten() {
        // It may have ended meanwhile.
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

fn they_talk(context: &Context) {
    block_on(async {
        let pull = PullSocket::new_in(context).expect("a socket");
        let endpoint = pull.bind("tcp://127.0.0.1:0").await.expect("bound");
        let push = PushSocket::new_in(context).expect("a socket");
        push.connect(endpoint).await.expect("connected");
        push.send("x").await.expect("sent");
        assert_eq!(pull.recv().await.expect("received"), "x".into());
    });
}

/// The other tests of this process have fewer threads a context.
#[test]
fn threads_are_as_many_as_said_and_run_where_said() {
    let allowed = threads("", "Cpus_allowed_list:").into_values().next().expect("this thread");
    let last = allowed.rsplit([',', '-']).next().expect("a processor").to_owned();
    let context = Context::builder().io_threads(3).thread_affinity([last.parse().expect("a number")]);
    let context = context.build().expect("threads");
    they_talk(&context);
    let found = threads("monocoque-io-", "Cpus_allowed_list:");
    assert_eq!(found.get("monocoque-io-2"), Some(&last), "{found:?}");
    assert!(!found.contains_key("monocoque-io-3"), "{found:?}");
    block_on(context.shutdown());
}

#[test]
fn the_driver_is_the_one_that_was_asked_for() {
    for driver in [Driver::Polling, Driver::IoUring] {
        match Context::builder().driver(driver).build() {
            Ok(context) => {
                assert_eq!(context.driver(), driver);
                they_talk(&context);
            }
            // Some containers forbid the rings.
            Err(error) => assert_eq!(driver, Driver::IoUring, "{error}"),
        }
    }
}
