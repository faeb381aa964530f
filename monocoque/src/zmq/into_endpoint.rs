//! The values that methods take as an endpoint.

use monocoque_core::Endpoint;

use crate::error::MonocoqueError;

/// Values that are taken as an endpoint: text, an [`Endpoint`], a socket address, a host and a
/// port, or the path of an ipc socket.
///
/// ```
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// use std::net::Ipv4Addr;
/// use monocoque::zmq::PullSocket;
///
/// let pull = PullSocket::new()?;
/// pull.bind("tcp://127.0.0.1:0").await?;
/// pull.bind((Ipv4Addr::LOCALHOST, 0)).await?;
/// # Ok::<(), monocoque::Error>(())
/// # }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an endpoint",
    label = "not an endpoint",
    note = "an endpoint is text such as \"tcp://127.0.0.1:5555\", an `Endpoint`, a `SocketAddr`, or a host and a port"
)]
pub trait IntoEndpoint {
    /// Returns the endpoint.
    ///
    /// # Errors
    ///
    /// [`MonocoqueError::Endpoint`] if it is malformed.
    fn into_endpoint(self) -> Result<Endpoint, MonocoqueError>;
}

#[diagnostic::do_not_recommend]
impl<E> IntoEndpoint for E
where
    E: TryInto<Endpoint>,
    MonocoqueError: From<E::Error>,
{
    fn into_endpoint(self) -> Result<Endpoint, MonocoqueError> {
        Ok(self.try_into()?)
    }
}
