//! `mq pub` and `mq sub`.

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start};
use crate::peer::{bound, connected, socket};

#[test]
fn topic_becomes_first_frame() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("topic");
    let sub = connected(SocketType::SUB, &endpoint);
    run(&["pub", "-b", &endpoint, "-w", "1", "--topic", "weather", "-d", "rain", "-d", "snow"], "").ok();
    assert_eq!(sub.recv_multipart(0).unwrap(), [b"weather", &b"rain"[..]]);
    assert_eq!(sub.recv_multipart(0).unwrap(), [b"weather", &b"snow"[..]]);
}

#[test]
fn topics_select_messages() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("topics");
    let publisher = bound(SocketType::XPUB, &endpoint);
    let mq = start(&["sub", "-c", &endpoint, "-s", "a", "-s", "b.", "-n", "3"]);
    let mut asked = [publisher.recv_bytes(0).unwrap(), publisher.recv_bytes(0).unwrap()];
    asked.sort_unstable();
    assert_eq!(asked, [b"\x01a".to_vec(), b"\x01b.".to_vec()]);
    for message in ["a", "b", "c", "ab", "b.", "bc"] {
        publisher.send(message, 0).unwrap();
    }
    assert_eq!(mq.end().text(), "a\nab\nb.\n");
}

#[test]
fn pub_waits_for_subscription_count() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("several");
    let one = start(&["sub", "-c", &endpoint, "-n", "1"]);
    let publisher = start(&["pub", "-b", &endpoint, "-w", "2", "-d", "news"]);
    let two = start(&["sub", "-c", &endpoint, "-s", "new", "-n", "1"]);
    publisher.end().ok();
    assert_eq!(one.end().text(), "news\n");
    assert_eq!(two.end().text(), "news\n");
}

#[test]
fn pub_without_subscribers_warns() {
    let directory = TestDirectory::new();
    let ended = run(&["pub", "-b", &directory.endpoint("nobody"), "-d", "x"], "");
    assert!(ended.stderr.contains("nobody is subscribed"), "{}", ended.stderr);
    ended.ok();
}

/// Returns an endpoint to bind to, a SUB with minimal buffers, and a large message body.
fn slow_subscriber(directory: &TestDirectory) -> (String, zmq::Socket, String) {
    let endpoint = directory.endpoint("slow");
    let sub = socket(SocketType::SUB);
    sub.set_rcvhwm(1).unwrap();
    sub.connect(&endpoint).unwrap();
    (endpoint, sub, "x".repeat(100_000))
}

#[test]
fn nodrop_waits_for_slow_subscriber() {
    let directory = TestDirectory::new();
    let (endpoint, sub, data) = slow_subscriber(&directory);
    let publisher =
        start(&["pub", "-b", &endpoint, "-w", "1", "--hwm", "1", "--nodrop", "-d", &data, "-n", "200"]);
    for _ in 0..200 {
        assert_eq!(sub.recv_bytes(0).unwrap().len(), 100_000);
    }
    publisher.end().ok();
}

#[test]
fn dropped_messages_are_reported() {
    let directory = TestDirectory::new();
    let (endpoint, _sub, data) = slow_subscriber(&directory);
    let args = ["pub", "-b", &endpoint, "-w", "1", "--hwm", "1", "--linger", "0s", "-d", &data, "-n", "1000"];
    run(&args, "").failed(1, "messages were not delivered: subscribers had no room");
}

#[test]
fn topic_option_subscribes() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("topic");
    let publisher = bound(SocketType::XPUB, &endpoint);
    let mq = start(&["sub", &endpoint, "--topic", "a", "-n", "1"]);
    assert_eq!(publisher.recv_bytes(0).unwrap(), b"\x01a");
    publisher.send("b", 0).unwrap();
    publisher.send("a", 0).unwrap();
    assert_eq!(mq.end().text(), "a\n");
}

#[test]
fn wildcard_subscription_warns_once() {
    let directory = TestDirectory::new();
    for command in ["sub", "xsub"] {
        let endpoint = directory.endpoint(command);
        let publisher = bound(SocketType::XPUB, &endpoint);
        let mq = start(&[command, &endpoint, "-s", "weather.*", "-s", "news.>", "-n", "1"]);
        let mut asked = [publisher.recv_bytes(0).unwrap(), publisher.recv_bytes(0).unwrap()];
        asked.sort_unstable();
        assert_eq!(
            asked,
            [b"\x01news.>".to_vec(), b"\x01weather.*".to_vec()],
            "it is subscribed to as it is"
        );
        publisher.send("weather.*", 0).unwrap();
        let ended = mq.end();
        let warning = "subscriptions are prefixes without wildcards: 'weather.' receives";
        assert!(ended.stderr.contains(warning), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        ended.ok();
    }
}
