//! `mq xpub`, `mq xsub` and `mq stream`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

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

/// Returns a listener and its endpoint.
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

#[test]
fn stream_client_exchanges_until_end() {
    let (listener, endpoint) = listener();
    let directory = TestDirectory::new();
    let path = directory.path("request");
    std::fs::write(&path, "GET /\r\n\r\n").unwrap();
    let mq = start(&["stream", &endpoint, "-f", &path, "-O", "raw"]);
    let (mut server, _) = listener.accept().unwrap();
    let mut request = [0; 9];
    server.read_exact(&mut request).unwrap();
    assert_eq!(&request, b"GET /\r\n\r\n");
    server.write_all(b"200 OK\n\nbody").unwrap();
    drop(server);
    assert_eq!(mq.end().text(), "200 OK\n\nbody");
}

#[test]
fn stream_client_waits_for_server() {
    let (listener, endpoint) = listener();
    drop(listener);
    let mut mq = start(&["stream", &endpoint, "-d", "early", "-n", "1"]);
    mq.stderr_after("Connection refused");
    let listener = TcpListener::bind(endpoint.trim_start_matches("tcp://")).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut request = [0; 5];
    server.read_exact(&mut request).unwrap();
    assert_eq!(&request, b"early");
    server.write_all(b"reply").unwrap();
    assert_eq!(mq.end().text(), "reply\n");
    drop(listener);
    run(&["stream", &endpoint, "-d", "x", "-t", "200ms"], "")
        .failed(124, "no connection was made within 200ms");
}

#[test]
fn stream_client_without_all_chunks_fails() {
    let (listener, endpoint) = listener();
    let mq = start(&["stream", &endpoint, "-n", "2"]);
    let (mut server, _) = listener.accept().unwrap();
    server.write_all(b"one").unwrap();
    drop(server);
    assert_eq!(mq.end().failed(1, "the peer has ended the connection after 1 of 2 chunks"), b"one\n");
}

#[test]
fn stream_message_without_body_is_explained() {
    let (listener, one) = listener();
    let two = format!("tcp://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    run(&["stream", &one, &two, "-d", "x", "-t", "5s"], "").failed(2, "--delimiter : -d ID:TEXT");
    drop(listener);
}
