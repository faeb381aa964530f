//! Raw peers, which exchange bytes over a stream.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use monocoque::Endpoint;
use monocoque::zmq::Socket;

use crate::bytes::{greeting, ready};
use crate::cases::{At, Placement, Transport};
use crate::wait::DEADLINE;

/// A source of raw peers: they connect to the socket, or the socket connects to them.
#[derive(Debug)]
pub enum RawPeerSource {
    Dial(Endpoint),
    Listen(RawPeerListener),
}

impl RawPeerSource {
    /// Returns both sources for a bound socket, which connects to the listening one.
    pub async fn both<S: Socket>(at: &At, socket: &S, bound: &Endpoint) -> [Arc<Self>; 2] {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("raw-peers-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let (listener, endpoint) = RawPeerListener::bind(at, &name);
        socket.connect(endpoint).await.expect("connected");
        [Self::Dial(bound.clone()), Self::Listen(listener)].map(Arc::new)
    }

    /// Returns one of the sources, another in each placement, for tests that take long.
    pub async fn one_per_placement<S: Socket>(at: &At, socket: &S, bound: &Endpoint) -> Arc<Self> {
        let [dial, listen] = Self::both(at, socket, bound).await;
        match at.placement {
            Placement::Current | Placement::Embedded => dial,
            Placement::Thread => listen,
        }
    }

    /// Returns the next raw peer.
    pub fn next(&self) -> RawPeer {
        match self {
            Self::Dial(endpoint) => RawPeer::connect(endpoint),
            Self::Listen(listener) => listener.accept(),
        }
    }

    /// Returns the next raw peer after its handshake.
    pub fn established(&self, socket_type: &str) -> RawPeer {
        let mut wire = self.next();
        wire.shake_hands(socket_type, b"");
        wire
    }
}

/// A raw peer. Its calls block.
#[derive(Debug)]
pub enum RawPeer {
    Tcp(TcpStream),
    Ipc(UnixStream),
}

/// A listener that accepts raw peers.
#[derive(Debug)]
pub enum RawPeerListener {
    Tcp(TcpListener),
    Ipc(UnixListener),
}

impl RawPeerListener {
    pub fn bind(at: &At, name: &str) -> (Self, Endpoint) {
        match at.transport {
            Transport::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
                let endpoint = listener.local_addr().expect("an address").into();
                (Self::Tcp(listener), endpoint)
            }
            Transport::Ipc => {
                let endpoint = at.unused_endpoint(name);
                let listener = UnixListener::bind(ipc_path(&endpoint)).expect("a path");
                (Self::Ipc(listener), endpoint)
            }
            Transport::Inproc => unreachable!("inproc has no streams"),
        }
    }

    pub fn accept(&self) -> RawPeer {
        let wire = match self {
            Self::Tcp(listener) => RawPeer::Tcp(listener.accept().expect("a peer").0),
            Self::Ipc(listener) => RawPeer::Ipc(listener.accept().expect("a peer").0),
        };
        wire.bounded()
    }
}

impl RawPeer {
    pub fn connect(endpoint: &Endpoint) -> Self {
        let wire = match endpoint.to_string().strip_prefix("tcp://") {
            Some(address) => Self::Tcp(TcpStream::connect(address).expect("a listener")),
            None => Self::Ipc(UnixStream::connect(ipc_path(endpoint)).expect("a listener")),
        };
        wire.bounded()
    }

    /// Connects a raw peer and completes its handshake.
    pub fn established(endpoint: &Endpoint, socket_type: &str) -> Self {
        let mut wire = Self::connect(endpoint);
        wire.shake_hands(socket_type, b"");
        wire
    }

    pub fn shake_hands(&mut self, socket_type: &str, identity: &[u8]) {
        self.put(&[&greeting()[..], &ready(socket_type, identity)].concat());
        assert_eq!(self.take(64)[9..12], greeting()[9..12]);
        let (flags, body) = self.frame();
        assert_eq!((flags, &body[..6]), (4, &b"\x05READY"[..]));
    }

    pub fn put(&mut self, bytes: &[u8]) {
        self.write_all(bytes).expect("written");
    }

    pub fn take(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.read_exact(&mut bytes).expect("enough bytes before the timeout");
        bytes
    }

    /// Reads the next frame: its flags and its body.
    pub fn frame(&mut self) -> (u8, Vec<u8>) {
        let flags = self.take(1)[0];
        let len = if flags & 2 == 0 {
            usize::from(self.take(1)[0])
        } else {
            u64::from_be_bytes(self.take(8).try_into().expect("eight bytes")) as usize
        };
        (flags, self.take(len))
    }

    /// Reads up to the end of the stream, which must come, and returns those bytes.
    pub fn end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "still open after {rest:x?}"),
        }
        rest
    }

    pub fn close(&self) {
        // The stream may have ended already.
        let _ended = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Ipc(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    pub fn write_timeout(&self, timeout: Duration) {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(timeout)),
            Self::Ipc(stream) => stream.set_write_timeout(Some(timeout)),
        }
        .expect("a timeout");
    }

    fn bounded(self) -> Self {
        match &self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true).expect("an option");
                stream.set_read_timeout(Some(DEADLINE / 2))
            }
            Self::Ipc(stream) => stream.set_read_timeout(Some(DEADLINE / 2)),
        }
        .expect("a timeout");
        self.write_timeout(DEADLINE / 2);
        self
    }
}

impl Read for RawPeer {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Ipc(stream) => stream.read(buffer),
        }
    }
}

impl Write for RawPeer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Ipc(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn ipc_path(endpoint: &Endpoint) -> String {
    endpoint.to_string().strip_prefix("ipc://").expect("an ipc endpoint").to_owned()
}
