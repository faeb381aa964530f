//! PAIR: two, and nobody else.

use super::{Socket, kind::Pair};

/// Exchanges messages with one peer, which is a PAIR socket too.
///
/// Whoever comes while it has a peer is disconnected after the handshake, and comes back until that one has left.
/// [`send`](Socket::send) waits while the peer has no room, or while there is none.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use monocoque::zmq::PairSocket;
///
/// let one = PairSocket::new()?;
/// let other = PairSocket::new()?;
/// other.connect(one.bind("tcp://127.0.0.1:0").await?).await?;
///
/// other.send("there").await?;
/// assert_eq!(&one.recv().await?[0], b"there");
/// one.send("and back").await?;
/// assert_eq!(&other.recv().await?[0], b"and back");
/// # Ok::<(), monocoque::MonocoqueError>(())
/// # }).unwrap();
/// ```
pub type PairSocket = Socket<Pair>;
