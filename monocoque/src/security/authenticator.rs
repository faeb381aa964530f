//! Who decides whether a peer may come in.

use std::fmt;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt;
use monocoque_zmtp::{AuthFault, AuthQuestion, AuthReply, Credentials, MechanismName};

use super::zap;
use crate::endpoint::EndpointRef;
use crate::monitor::Connection;
use crate::peer;
use crate::socket::Engine;

/// Decides which peers may come in; see
/// [`Builder::authenticator`](crate::zmq::Builder::authenticator).
///
/// An async function is an authenticator, and so is [`Allow`](super::Allow):
///
/// ```
/// use monocoque::security::{AuthReply, AuthRequest, Credentials};
/// use monocoque::zmq::RepSocket;
///
/// async fn check(request: AuthRequest) -> AuthReply {
///     let Credentials::Plain { username, password } = request.credentials() else {
///         return AuthReply::deny();
///     };
///     if username == "anna" && password.matches(b"s3cret") {
///         AuthReply::allow_user("anna")
///     } else {
///         AuthReply::deny()
///     }
/// }
///
/// let rep = RepSocket::builder().plain_server().authenticator(check).build()?;
/// # drop(rep);
/// # Ok::<(), monocoque::MonocoqueError>(())
/// ```
///
/// The future runs on the thread of the connection, between reads: it must not block that thread,
/// and finds no tokio runtime there. A question that needs one is a task of it:
///
/// ```
/// use monocoque::security::{AuthReply, AuthRequest, RefusalStatus};
/// use monocoque::zmq::RepSocket;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), monocoque::Error> {
/// let tokio = tokio::runtime::Handle::current();
/// let authenticator = move |request: AuthRequest| {
///     let task = tokio.spawn(async move { ask_database(&request).await });
///     async { task.await.unwrap_or(AuthReply::Refuse(RefusalStatus::Temporary)) }
/// };
/// let rep = RepSocket::builder().plain_server().authenticator(authenticator).build()?;
/// # drop(rep);
/// # Ok(())
/// # }
///
/// async fn ask_database(request: &AuthRequest) -> AuthReply {
/// #     let _request = request;
///     tokio::time::sleep(std::time::Duration::from_millis(50)).await;
///     AuthReply::deny()
/// }
/// ```
///
/// It may wait, while many others are asked and all other connections go on; the
/// [`handshake_timeout`](crate::zmq::Builder::handshake_timeout) drops it. If it panics, the
/// connection ends, and nothing else does.
pub trait Authenticator: Send + Sync + 'static {
    /// Decides about one peer.
    fn authenticate<'a>(&'a self, request: AuthRequest) -> Pin<Box<dyn Future<Output = AuthReply> + 'a>>;
}

impl<F, R> Authenticator for F
where
    F: Fn(AuthRequest) -> R + Send + Sync + 'static,
    R: Future<Output = AuthReply> + 'static,
{
    fn authenticate<'a>(&'a self, request: AuthRequest) -> Pin<Box<dyn Future<Output = AuthReply> + 'a>> {
        Box::pin(self(request))
    }
}

impl<A: Authenticator + ?Sized> Authenticator for Arc<A> {
    fn authenticate<'a>(&'a self, request: AuthRequest) -> Pin<Box<dyn Future<Output = AuthReply> + 'a>> {
        (**self).authenticate(request)
    }
}

/// The question to an [`Authenticator`].
#[derive(Clone, Debug)]
pub struct AuthRequest {
    connection: Arc<Connection>,
    domain: String,
    question: AuthQuestion,
}

impl AuthRequest {
    /// Returns the connection: the endpoint of the socket, and the address of the peer.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the IP address of the peer, `None` unless it is connected over TCP.
    pub fn address(&self) -> Option<IpAddr> {
        peer::socket_addr(&self.connection.peer).map(|address| address.ip())
    }

    /// Returns the [`zap_domain`](crate::zmq::Builder::zap_domain) of the socket; empty if it has
    /// none.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Returns the mechanism, for example `CURVE`.
    pub fn mechanism(&self) -> MechanismName {
        self.question.credentials.mechanism()
    }

    /// Returns the proof of who the peer is.
    pub fn credentials(&self) -> &Credentials {
        &self.question.credentials
    }

    /// Returns the routing id that the peer announces, up to 255 bytes. Always empty with NULL and
    /// PLAIN: the peer has not sent it yet.
    pub fn routing_id(&self) -> &[u8] {
        &self.question.routing_id
    }

    /// Returns a property of the peer's handshake by its name, without regard to case. Always
    /// `None` with NULL and PLAIN.
    pub fn property(&self, name: &str) -> Option<&[u8]> {
        self.question.properties.get(name)
    }
}

/// The authenticator of a socket.
#[derive(Clone)]
pub(crate) struct AuthenticatorRef(pub(crate) Arc<dyn Authenticator>);

impl fmt::Debug for AuthenticatorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}

/// Asks the authenticator of a socket, or else the ZAP handler of its context.
pub(crate) async fn authenticate(
    engine: &Arc<Engine>,
    endpoint: &EndpointRef,
    connection: &Arc<Connection>,
    question: AuthQuestion,
) -> AuthReply {
    let domain = endpoint.options.security.zap_domain.clone();
    let request = AuthRequest { connection: connection.clone(), domain, question };
    match &endpoint.options.security.authenticator {
        Some(AuthenticatorRef(authenticator)) => {
            let decision = async { authenticator.authenticate(request).await };
            AssertUnwindSafe(decision).catch_unwind().await.unwrap_or(AuthReply::Fail(AuthFault::Panicked))
        }
        None => zap::authenticate(engine, &endpoint.options.security, &request).await,
    }
}
