//! STREAM: exchanges bytes with programs that do not speak ZeroMQ.

use super::Builder;
use super::capability::StreamNotify;
use super::kind::Capability;
use crate::options::Notices;

socket! {
    /// A socket that receives bytes from all its peers and sends bytes by routing id. Its peers are
    /// programs that do not speak ZeroMQ, over tcp and ipc; `inproc://` is refused with
    /// [`RawInproc`](crate::MonocoqueError::RawInproc).
    ///
    /// [`recv`](Self::recv) gives a chunk of bytes as they were read from a peer, 1 to 8192 of
    /// them, behind the routing id of the peer: five bytes, the first of them zero, valid for as
    /// long as its connection, or the one that [`connect_as`](Self::connect_as) gave it. The end of
    /// a chunk has no meaning: a stream has no messages. An empty chunk reports that a peer has
    /// connected, which is how its routing id is learnt, or that it has gone; see
    /// [`stream_notify`](Builder::stream_notify).
    ///
    /// [`send`](Self::send) takes the first frame for the routing id of the receiver, and writes
    /// the bytes of the others one after the other. If there are none, as in `[id, ""]`, the
    /// connection is closed once the bytes queued for it are sent, and not made again if it was
    /// made by `connect`; the empty chunk follows. [`recv_from`](Self::recv_from) and
    /// [`send_to`](Self::send_to) keep routing id and bytes apart.
    ///
    /// A message to a peer that is not connected fails with
    /// [`Unreachable`](crate::MonocoqueError::Unreachable); one to a peer whose queue is full
    /// waits, as with [`router_mandatory`](Builder::router_mandatory). A chunk and a message count
    /// as one for the high-water marks. A peer that ends its sending side has ended the connection:
    /// bytes that are still queued for it are dropped.
    ///
    /// There is no handshake and there are no frames, so that heartbeats, `handshake_timeout`,
    /// `routing_id`, `max_message_size` and `max_frames` have no meaning here. A monitor reports a
    /// handshake that has succeeded as soon as the connection is made.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::net::TcpStream;
    /// use monocoque::Context;
    /// use monocoque::zmq::StreamSocket;
    ///
    /// let context = Context::new()?;
    /// let server = StreamSocket::new_in(&context)?;
    /// let endpoint = server.blocking().bind("tcp://127.0.0.1:0")?.to_string();
    /// let mut client = TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
    ///
    /// let (peer, chunk) = server.blocking().recv_from()?;
    /// assert!(chunk[0].is_empty()); // it has connected
    /// client.write_all(b"hello").unwrap();
    /// assert_eq!(&server.blocking().recv_from()?.1[0], b"hello");
    /// server.blocking().send_to(&peer, "and goodbye")?;
    /// server.blocking().send_to(&peer, "")?; // closes the connection
    /// let mut received = String::new();
    /// client.read_to_string(&mut received).unwrap();
    /// assert_eq!(received, "and goodbye");
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    pub struct StreamSocket(STREAM): Sends + Receives + RoutesById + Proxied + StreamNotify;
}

impl<S: StreamNotify> Builder<S> {
    /// Makes the socket receive an empty chunk when a peer has connected, in front of all its
    /// others, and one when it has gone, behind them (`ZMQ_STREAM_NOTIFY`). Default: true.
    ///
    /// Without it a peer is known once it has sent something, or if
    /// [`connect_as`](StreamSocket::connect_as) gave it a routing id.
    ///
    /// ```
    /// use monocoque::zmq::StreamSocket;
    ///
    /// let stream = StreamSocket::builder().stream_notify(false).build()?;
    /// # drop(stream);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    pub fn stream_notify(mut self, notify: bool) -> Self {
        self.require(Capability::StreamNotify, "take the option `stream_notify`");
        self.options.notices = Some(Notices { connect: notify, disconnect: notify });
        self
    }
}
