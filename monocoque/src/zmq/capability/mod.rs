//! The capabilities of the socket types, as sealed traits.
//!
//! A program that names its socket types needs none of them: each type has the methods of its
//! capabilities itself, and no others. Code that is generic over socket types names the
//! capabilities that it needs and gets their methods; those of every socket come with [`Socket`].
//!
//! ```
//! use monocoque::MonocoqueError;
//! use monocoque::zmq::capability::{Receives, Sends};
//!
//! /// Sends each message back, until the socket is closed.
//! async fn echo<S: Sends + Receives>(socket: &S) -> Result<(), MonocoqueError> {
//!     loop {
//!         let message = socket.recv().await?;
//!         socket.send(message).await?;
//!     }
//! }
//! ```
//!
//! | capability | socket types |
//! |---|---|
//! | [`Sends`] | DEALER, ROUTER, REQ, REP, PUB, XPUB, XSUB, PUSH, PAIR, STREAM |
//! | [`Receives`] | DEALER, ROUTER, REQ, REP, SUB, XPUB, XSUB, PULL, PAIR, STREAM |
//! | [`RoutesById`] | ROUTER, STREAM |
//! | [`Publishes`] | PUB, XPUB |
//! | [`Subscribes`] | SUB, XSUB |
//! | [`Proxied`] | DEALER, ROUTER, PUB, SUB, XPUB, XSUB, PUSH, PULL, PAIR, STREAM |
//! | [`Conflate`] | DEALER, PUB, SUB, PUSH, PULL |
//! | [`HelloMsg`] | DEALER, ROUTER |
//! | [`InvertMatching`] | PUB, SUB, XPUB |
//! | [`OnlyFirstSubscribe`] | XPUB, XSUB |
//! | [`ProbeRouter`] | DEALER, ROUTER, REQ |
//! | [`Secure`] | DEALER, ROUTER, REQ, REP, PUB, SUB, XPUB, XSUB, PUSH, PULL, PAIR |
//!
//! The last six have no methods. Each is an option of the [`Builder`](super::Builder) and is named
//! after it; `Secure` stands for all options of [security](crate::security).

// Each file has a macro with the methods of a capability, and the trait. The macro gives the same
// methods to the trait (`fn + Send`) and to the types that have the capability (`pub fn`, see
// `socket!`). Generic code does not know the future of a method, so that the trait promises that it
// is `Send`; that of a type is so if its arguments are.

#[macro_use]
mod by_id;
#[macro_use]
mod publish;
#[macro_use]
mod recv;
#[macro_use]
mod send;
#[macro_use]
mod subscribe;

pub use by_id::RoutesById;
pub use publish::Publishes;
pub use recv::Receives;
pub use send::Sends;
pub use subscribe::Subscribes;

use super::Socket;

/// A socket type that can stand at either end of a [`proxy`](crate::proxy()): one whose sends and
/// receives do not have to alternate.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot stand at an end of a proxy",
    note = "requests and replies of REQ and REP alternate; use DEALER and ROUTER in their place"
)]
pub trait Proxied: Socket {}

/// A socket type with the option [`conflate`](super::Builder::conflate).
#[diagnostic::on_unimplemented(message = "a `{Self}` does not have the option `conflate`")]
pub trait Conflate: Socket {}

/// A socket type with the option [`hello_msg`](super::Builder::hello_msg).
#[diagnostic::on_unimplemented(message = "a `{Self}` does not have the option `hello_msg`")]
pub trait HelloMsg: Sends {}

/// A socket type with the option [`invert_matching`](super::Builder::invert_matching).
#[diagnostic::on_unimplemented(message = "a `{Self}` does not have the option `invert_matching`")]
pub trait InvertMatching: Socket {}

/// A socket type with the option
/// [`only_first_subscribe`](super::Builder::only_first_subscribe).
#[diagnostic::on_unimplemented(message = "a `{Self}` does not have the option `only_first_subscribe`")]
pub trait OnlyFirstSubscribe: Socket {}

/// A socket type with the [options of security](crate::security): every one that speaks ZMTP.
#[diagnostic::on_unimplemented(message = "a `{Self}` does not have the options of security")]
pub trait Secure: Socket {}

/// A socket type with the option [`probe_router`](super::Builder::probe_router).
#[diagnostic::on_unimplemented(message = "a `{Self}` does not have the option `probe_router`")]
pub trait ProbeRouter: Sends {}
