//! DNS: host names are resolved again for each attempt to connect.
//!
//! The test changes the address of a name in between, for which a mount namespace is needed:
//! `scripts/test.sh` makes one.

use std::fs;
use std::process::Command;
use std::time::Duration;

use futures::executor::block_on;
use monocoque::Context;
use monocoque::zmq::{PullSocket, PushSocket};

#[test]
#[ignore = "changes /etc/hosts, so only by scripts/test.sh, in a mount namespace"]
fn changed_dns_address_is_followed() {
    // Only the superuser can read the first one, and change the system's file.
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    assert_ne!(namespace("self"), namespace("1"), "run it by scripts/test.sh, which makes a namespace");
    let hosts = tempfile::NamedTempFile::new().expect("a file");
    let say = |address: &str| {
        fs::write(hosts.path(), format!("127.0.0.1 localhost\n{address} moves.test\n")).expect("written");
    };
    say("127.0.0.2");
    let mount = Command::new("mount").arg("--bind").arg(hosts.path()).arg("/etc/hosts").status();
    assert!(mount.is_ok_and(|status| status.success()), "run it by scripts/test.sh");

    block_on(async {
        let context = Context::new().expect("an I/O thread");
        let pull = |address: &'static str| {
            let context = &context;
            async move {
                let pull = PullSocket::new_in(context).expect("a socket");
                let endpoint = pull.bind(format!("tcp://{address}").as_str()).await.expect("bound");
                (pull, endpoint)
            }
        };
        let (first, endpoint) = pull("127.0.0.2:0").await;
        let port = endpoint.to_string().rsplit(':').next().expect("a port").to_owned();
        let push = PushSocket::builder().reconnect_interval(Duration::from_millis(10));
        let push = push.build_in(&context).expect("a socket");
        push.connect(format!("tcp://moves.test:{port}").as_str()).await.expect("connected");
        push.send("here").await.expect("sent");
        assert_eq!(first.recv().await.expect("received"), "here");

        say("127.0.0.3");
        let second = PullSocket::new_in(&context).expect("a socket");
        second.bind(format!("tcp://127.0.0.3:{port}").as_str()).await.expect("bound");
        first.close().await;
        push.wait_for_peers(1).await.expect("open");
        push.send("there").await.expect("sent");
        assert_eq!(second.recv().await.expect("received"), "there");
    });
}
