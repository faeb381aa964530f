//! The peer of `mq`: a socket of libzmq in this process, or of pyzmq in another one.

use std::path::PathBuf;
use std::process::Child;
use std::thread::{self, JoinHandle};

use testing::start_python_peer;
use zmq::{Context, Socket, SocketType};

use crate::mq_process::LIMIT;

/// Returns the messages to exchange; peer.py has the same.
pub(crate) fn messages() -> Vec<Vec<Vec<u8>>> {
    let frames = |frames: &[&[u8]]| frames.iter().map(|frame| frame.to_vec()).collect();
    let all: Vec<u8> = (0..=255).collect();
    vec![
        frames(&[b"hello"]),
        frames(&[b"two", b"frames"]),
        frames(&[b"", b"", b"last"]),
        frames(&[&all, b"\n"]),
        frames(&[b""]),
        frames(&[&[b'x'; 100_000], b"\x00\xff"]),
    ]
}

/// Encodes messages in the format of `-I frames` and `-O frames`.
pub(crate) fn framed(messages: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        for (n, frame) in message.iter().enumerate() {
            bytes.push(u8::from(n + 1 < message.len()));
            bytes.extend(u32::try_from(frame.len()).expect("short").to_be_bytes());
            bytes.extend(frame);
        }
    }
    bytes
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Implementation {
    Libzmq,
    Pyzmq,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    Source,
    Sink,
    Ask,
    Echo,
    /// Expects that its peer refuses it; pyzmq only.
    Refused,
    /// Expects that it cannot accept its peer; pyzmq only.
    Refuses,
}

/// A socket with a role.
#[derive(Debug)]
pub(crate) enum Peer {
    Libzmq(Option<JoinHandle<()>>),
    Pyzmq(Child),
}

impl Peer {
    /// Starts a peer that binds or connects. Returns it with its endpoint.
    pub(crate) fn start(
        implementation: Implementation,
        kind: SocketType,
        role: Role,
        way: &str,
        endpoint: &str,
    ) -> (Self, String) {
        match implementation {
            Implementation::Libzmq => libzmq(kind, role, way, endpoint),
            Implementation::Pyzmq => pyzmq(kind, role, way, endpoint, &[]),
        }
    }

    /// Starts a peer of pyzmq with the arguments of a mechanism. Returns it with its endpoint.
    pub(crate) fn start_secure(
        kind: SocketType,
        role: Role,
        way: &str,
        endpoint: &str,
        security: &[&str],
    ) -> (Self, String) {
        pyzmq(kind, role, way, endpoint, security)
    }

    /// Waits until the peer has ended, and checks that it has received what it expects.
    pub(crate) fn done(mut self) {
        match &mut self {
            Self::Libzmq(thread) => {
                thread.take().expect("once").join().expect("the peer has received what it expects")
            }
            Self::Pyzmq(child) => {
                let status = child.wait().expect("the exit status");
                assert!(status.success(), "the pyzmq side ended with {status}: see its last line");
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Self::Pyzmq(child) = self {
            // It has ended already, unless the test has failed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Creates a libzmq socket whose calls time out with the tests.
pub(crate) fn socket(kind: SocketType) -> Socket {
    let socket = Context::new().socket(kind).expect("a socket");
    let limit = i32::try_from(LIMIT.as_millis()).expect("a short limit");
    socket.set_rcvtimeo(limit).expect("an option");
    socket.set_sndtimeo(limit).expect("an option");
    socket.set_linger(limit).expect("an option");
    if kind == SocketType::SUB {
        // Its final unsubscription would linger at a publisher that has ended.
        socket.set_linger(0).expect("an option");
        socket.set_subscribe(b"").expect("an option");
    }
    socket
}

/// Creates a connected socket.
pub(crate) fn connected(kind: SocketType, endpoint: &str) -> Socket {
    let socket = socket(kind);
    socket.connect(endpoint).expect("an endpoint");
    socket
}

/// Creates a bound socket.
pub(crate) fn bound(kind: SocketType, endpoint: &str) -> Socket {
    let socket = socket(kind);
    socket.bind(endpoint).expect("an endpoint");
    socket
}

/// Receives a message as text.
pub(crate) fn text(socket: &Socket) -> String {
    String::from_utf8(socket.recv_bytes(0).expect("a message")).expect("text")
}

fn libzmq(kind: SocketType, role: Role, way: &str, endpoint: &str) -> (Peer, String) {
    let socket = if way == "bind" { bound(kind, endpoint) } else { connected(kind, endpoint) };
    let endpoint = socket.get_last_endpoint().expect("an option").expect("text");
    (Peer::Libzmq(Some(thread::spawn(move || play(&socket, role)))), endpoint)
}

fn play(socket: &Socket, role: Role) {
    let send = |message: &Vec<Vec<u8>>| socket.send_multipart(message, 0).expect("room");
    let recv = || socket.recv_multipart(0).expect("a message");
    if matches!(role, Role::Source) && socket.get_socket_type() == Ok(SocketType::XPUB) {
        assert_eq!(recv(), [b"\x01"], "a subscription");
    }
    for message in messages() {
        match role {
            Role::Source => send(&message),
            Role::Sink => assert!(recv() == message),
            Role::Ask => {
                send(&message);
                assert!(recv() == message);
            }
            Role::Echo => send(&recv()),
            Role::Refused | Role::Refuses => unreachable!("a role of pyzmq"),
        }
    }
}

fn pyzmq(kind: SocketType, role: Role, way: &str, endpoint: &str, security: &[&str]) -> (Peer, String) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cli/peer.py");
    let args = [format!("{kind:?}"), format!("{role:?}").to_lowercase(), way.into(), endpoint.into()];
    let (child, mut lines) =
        start_python_peer(&script, args.into_iter().chain(security.iter().map(|part| (*part).to_owned())));
    let endpoint = lines.next().expect("the endpoint");
    (Peer::Pyzmq(child), endpoint)
}
