//! The capabilities of the socket types, as sealed traits.
//!
//! A program that names its socket types needs none of them: each type has the methods of its
//! capabilities itself, and no others. Code that is generic over socket types names the
//! capabilities that it needs and gets their methods; those of every socket come with [`Socket`].
//!
//! A call of a method that a type lacks does not compile: there is "no method named `recv`" on a
//! `PushSocket`, and on its view `push.blocking()` the bound `PushSocket: Receives` is not
//! satisfied. The table has the types with that capability.
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
//! | [`Requests`] | REQ |
//! | [`Proxied`] | DEALER, ROUTER, PUB, SUB, XPUB, XSUB, PUSH, PULL, PAIR, STREAM |
//! | [`Conflate`] | DEALER, PUB, SUB, PUSH, PULL |
//! | [`HelloMsg`] | DEALER, ROUTER |
//! | [`HiccupMsg`] | DEALER |
//! | [`InvertMatching`] | PUB, SUB, XPUB |
//! | [`OnlyFirstSubscribe`] | XPUB, XSUB |
//! | [`ProbeRouter`] | DEALER, ROUTER, REQ |
//! | [`RouterOptions`] | ROUTER |
//! | [`Secure`] | DEALER, ROUTER, REQ, REP, PUB, SUB, XPUB, XSUB, PUSH, PULL, PAIR |
//! | [`StreamNotify`] | STREAM |
//! | [`XpubOptions`] | XPUB |
//!
//! Those from `Proxied` on have no methods. Each is an option of the [`Builder`](super::Builder)
//! and is named after it; `Secure` stands for all options of [security](crate::security),
//! `RouterOptions` and `XpubOptions` for those of one type.
//!
//! An [`AnySocket`](crate::AnySocket) has all capabilities. A call that its type cannot do fails
//! with [`Unsupported`](crate::MonocoqueError::Unsupported).

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
mod request;
#[macro_use]
mod send;
#[macro_use]
mod subscribe;

pub use by_id::RoutesById;
pub use publish::Publishes;
pub use recv::Receives;
pub use request::Requests;
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

/// A socket type with the option [`hiccup_msg`](super::Builder::hiccup_msg).
#[diagnostic::on_unimplemented(message = "a `{Self}` does not have the option `hiccup_msg`")]
pub trait HiccupMsg: Socket {}

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

/// A socket type with the options of a ROUTER, such as
/// [`router_mandatory`](super::Builder::router_mandatory).
#[diagnostic::on_unimplemented(message = "a `{Self}` does not have the options of a ROUTER")]
pub trait RouterOptions: RoutesById {}

/// A socket type with the option [`stream_notify`](super::Builder::stream_notify).
#[diagnostic::on_unimplemented(message = "a `{Self}` does not have the option `stream_notify`")]
pub trait StreamNotify: RoutesById {}

/// A socket type with the options of an XPUB, such as
/// [`xpub_verbose`](super::Builder::xpub_verbose).
#[diagnostic::on_unimplemented(message = "a `{Self}` does not have the options of an XPUB")]
pub trait XpubOptions: Publishes + Receives {}
