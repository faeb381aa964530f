//! REQ: asks, and waits for the answer.

use monocoque_core::Message;

use super::{Socket, kind::Req};
use crate::error::MonocoqueError;

/// Sends requests, each to the next of its peers, and receives the reply; its peers are REP and ROUTER sockets.
///
/// Requests and replies alternate. Only the peer that was asked can reply. A request that the kernel had not taken when its
/// connection was lost goes to the next peer; one that it had taken is not sent again, and without its reply the socket
/// cannot send another one: then make a new socket.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use monocoque::zmq::{RepSocket, ReqSocket};
///
/// let rep = RepSocket::new()?;
/// let endpoint = rep.bind("tcp://127.0.0.1:0").await?;
/// let server = async {
///     let request = rep.recv().await?;
///     rep.send(request).await?;
///     Ok::<_, monocoque::MonocoqueError>(())
/// };
///
/// let req = ReqSocket::new()?;
/// req.connect(endpoint).await?;
/// let (reply, served) = futures::join!(req.request("echo"), server);
/// served?;
/// assert_eq!(&reply?[0], b"echo");
/// # Ok::<(), monocoque::MonocoqueError>(())
/// # }).unwrap();
/// ```
pub type ReqSocket = Socket<Req>;

impl ReqSocket {
    /// Sends a request and waits for its reply.
    ///
    /// Not cancel safe as a whole: once the request is sent, its reply is to be received before the next request.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::OutOfTurn`] while an earlier request has no reply; [`MonocoqueError::Closed`].
    pub async fn request(&self, message: impl Into<Message>) -> Result<Message, MonocoqueError> {
        self.send(message).await?;
        self.recv().await
    }
}
