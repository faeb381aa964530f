//! `mq xpub`, `mq xsub` and `mq stream`.

use std::io::{Read, Write};
use std::net::TcpStream;

use zmq::SocketType;

use crate::mq_process::{TestDirectory, run, start};
use crate::peer::{bound, connected, text};

#[test]
fn xpub_prints_subscriptions() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("xpub");
    let mut mq = start(&["xpub", "-b", &endpoint, "-O", "json"]);
    let sub = connected(SocketType::SUB, &endpoint);
    assert!(mq.line().ends_with(r#""frames":["\u0001"]}"#));
    mq.type_in("news\n");
    assert_eq!(text(&sub), "news");
    mq.interrupt().failed(130, "");
}

#[test]
fn xpub_options_reach_socket() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("xpub");
    let options = ["--xpub-verbose", "--xpub-welcome-msg", "hello", "-O", "json"];
    let mq = start(&[&["xpub", "-b", &endpoint][..], &options].concat());
    let mut subscribers = Vec::new();
    for _ in 0..2 {
        let sub = connected(SocketType::SUB, &endpoint);
        assert_eq!(text(&sub), "hello");
        assert!(mq.line().ends_with(r#""frames":["\u0001"]}"#), "each subscription");
        subscribers.push(sub);
    }
    mq.interrupt().failed(130, "");
}

#[test]
fn xsub_subscribes_and_sends() {
    let directory = TestDirectory::new();
    let endpoint = directory.endpoint("xsub");
    let xpub = bound(SocketType::XPUB, &endpoint);
    let mut mq = start(&["xsub", "-c", &endpoint, "-s", "a"]);
    assert_eq!(xpub.recv_bytes(0).unwrap(), b"\x01a");
    xpub.send("abc", 0).unwrap();
    assert_eq!(mq.line(), "abc");
    mq.type_in("upstream\n");
    assert_eq!(text(&xpub), "upstream");
    mq.interrupt().failed(130, "");
}

#[test]
fn stream_exchanges_bytes() {
    let mut mq = start(&["stream", "-b", "tcp://127.0.0.1:*"]);
    let endpoint = mq.endpoint();
    let mut client = TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
    let id = mq.line();
    client.write_all(b"hello").unwrap();
    assert_eq!(mq.line(), format!("{id}\thello"));
    mq.type_in(&format!("{id}\tbye\n{id}\t\n"));
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "bye");
    mq.interrupt().failed(130, "");
}

#[test]
fn stream_echo_returns_bytes() {
    let mut mq = start(&["stream", "-b", "tcp://127.0.0.1:*", "--echo", "-n", "1"]);
    let endpoint = mq.endpoint();
    let mut client = TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
    client.write_all(b"hello").unwrap();
    let mut received = [0; 5];
    client.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"hello");
    mq.end().ok();
    run(&["stream", "-b", "tcp://127.0.0.1:0", "--allow-address", "::1"], "")
        .failed(2, "no options of security");
}
