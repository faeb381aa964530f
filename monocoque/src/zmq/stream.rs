//! STREAM: talks to many, by name, in bytes.

use super::kind::Stream;
use super::{Builder, Socket};
use crate::options::Notices;

/// Receives bytes from all its peers and sends some to the one that is named; its peers are programs that do not speak
/// ZeroMQ, over tcp and ipc; `inproc://` is refused with [`NoBytes`](crate::MonocoqueError::NoBytes).
///
/// [`recv`](Socket::recv) gives what was read from a peer, a chunk of 1 to 8192 bytes, behind the routing id of the peer:
/// five bytes, the first of them zero, that last as long as its connection, or the name that
/// [`connect_as`](Socket::connect_as) gave it. Where a chunk ends has no meaning: a stream has no messages. An empty chunk
/// says that a peer has connected, which is how its routing id is learnt, or that it is gone; see
/// [`stream_notify`](Builder::stream_notify).
///
/// [`send`](Socket::send) takes the first frame for the name of the receiver, and writes the bytes of the others one after the
/// other. If there are none, as in `[id, ""]`, the connection is closed once what is queued for it is sent, and not made
/// again if it was made by `connect`; the empty chunk follows. [`recv_from`](Socket::recv_from) and
/// [`send_to`](Socket::send_to) keep id and bytes apart.
///
/// A message to a peer that is not there fails with [`Unreachable`](crate::MonocoqueError::Unreachable); one to a peer without
/// room waits, as with [`router_mandatory`](Builder::router_mandatory). A chunk and a message count as one for the high
/// water marks. A peer that ends its sending side has ended the connection: what is still queued for it is dropped.
///
/// There is no handshake and there are no frames, so that heartbeats, `handshake_timeout`, `routing_id`, `max_message_size`
/// and `max_frames` have no meaning here. A monitor tells of a handshake that has succeeded as soon as the connection is
/// there.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
/// use monocoque::Context;
/// use monocoque::zmq::StreamSocket;
///
/// let context = Context::new()?;
/// let server = StreamSocket::new_in(&context)?;
/// let endpoint = server.blocking_bind("tcp://127.0.0.1:0")?.to_string();
/// let mut client = TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
///
/// let (peer, chunk) = server.blocking_recv_from()?;
/// assert!(chunk[0].is_empty()); // it has connected
/// client.write_all(b"hello").unwrap();
/// assert_eq!(&server.blocking_recv_from()?.1[0], b"hello");
/// server.blocking_send_to(&peer, "and goodbye")?;
/// server.blocking_send_to(&peer, "")?; // closes the connection
/// let mut heard = String::new();
/// client.read_to_string(&mut heard).unwrap();
/// assert_eq!(heard, "and goodbye");
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
pub type StreamSocket = Socket<Stream>;

impl Builder<Stream> {
    /// Whether the socket receives an empty chunk when a peer has connected, in front of all its others, and one when it is gone,
    /// behind them (`ZMQ_STREAM_NOTIFY`). Default: true.
    ///
    /// Without it a peer is known once it has said something, or if it was [given a name](Socket::connect_as).
    ///
    /// ```
    /// use monocoque::zmq::StreamSocket;
    ///
    /// let stream = StreamSocket::builder().stream_notify(false).build()?;
    /// # drop(stream);
    /// # Ok::<(), monocoque::MonocoqueError>(())
    /// ```
    pub fn stream_notify(mut self, notify: bool) -> Self {
        self.options.notices = Some(Notices { connect: notify, disconnect: notify });
        self
    }
}
