//! XSUB: asks for what others want to hear.

use super::{Socket, kind::Xsub};

/// A [`SubSocket`](super::SubSocket) that subscribes by messages and passes on all it gets; its peers are PUB and XPUB sockets.
///
/// A message of one frame with a one in front asks for the topic behind it, one with a zero in front takes that back, as
/// [`subscribe`](Socket::subscribe) and [`unsubscribe`](Socket::unsubscribe) do. Every other message goes to all peers, and is
/// dropped for those that have no room. What its peers send is received, whether it matches a subscription or not.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use monocoque::zmq::{XpubSocket, XsubSocket};
///
/// let xpub = XpubSocket::new()?;
/// let xsub = XsubSocket::new()?;
/// xsub.connect(xpub.bind("tcp://127.0.0.1:0").await?).await?;
/// xsub.send(b"\x01news").await?;
/// assert_eq!(&xpub.recv().await?[0], b"\x01news");
///
/// xpub.send("news of today").await?;
/// assert_eq!(&xsub.recv().await?[0], b"news of today");
/// xsub.send("thanks").await?;
/// assert_eq!(&xpub.recv().await?[0], b"thanks");
/// # Ok::<(), monocoque::MonocoqueError>(())
/// # }).unwrap();
/// ```
pub type XsubSocket = Socket<Xsub>;
