//! The ZeroMQ sockets.
//!
//! | type | sends | receives | when a queue is full |
//! |---|---|---|---|
//! | [`DealerSocket`] | to one peer after the other | from all, in turn | waits |
//! | [`RouterSocket`] | by routing id | from all, with the routing id | drops |
//! | [`ReqSocket`] | a request to one peer after the other | its reply | waits |
//! | [`RepSocket`] | the reply to the last request | requests from all, in turn | drops |
//! | [`PubSocket`] | to all with a matching subscription | - | drops, for that peer |
//! | [`SubSocket`] | - | what it has subscribed to | - |
//! | [`XpubSocket`] | as PUB | subscriptions and messages | drops, for that peer |
//! | [`XsubSocket`] | subscriptions, messages to all | from all, in turn | drops, for that peer |
//! | [`PushSocket`] | to one peer after the other | - | waits |
//! | [`PullSocket`] | - | from all, in turn | - |
//! | [`PairSocket`] | to its one peer | from its one peer | waits |
//! | [`StreamSocket`] | bytes, by routing id | bytes from all, with the routing id | waits |
//!
//! Each type has the methods that make sense for it, and no others. Code that is generic over
//! socket types uses the traits [`Socket`] and [`TypedSocket`] and the [capabilities](capability).
//! An [`AnySocket`] has a type that is chosen at run time, and the methods of all.
//!
//! A [`Builder`] makes a socket with options.
//!
//! # Blocking calls
//!
//! [`blocking()`](Socket::blocking) is a view of a socket for threads without an executor. Its
//! methods have the names of those that return a future, park the thread until they are done, and
//! cost no processor time meanwhile. The options [`send_timeout`](Builder::send_timeout) and
//! [`recv_timeout`](Builder::recv_timeout) bound them as they bound the others, and those whose
//! name ends with `_timeout` take a duration.
//!
//! The connections must live on another thread, as in a context with I/O threads. On the thread
//! that runs them, which is that of the compio runtime in which the socket was made, each of these
//! calls fails with [`MonocoqueError::WouldDeadlock`](crate::MonocoqueError::WouldDeadlock) at
//! once, whether or not it would have had to wait. On a thread of any other executor they stop that
//! executor meanwhile.
//!
//! ```
//! use std::thread;
//! use monocoque::Context;
//! use monocoque::zmq::{PullSocket, PushSocket};
//!
//! let context = Context::new()?;
//! let pull = PullSocket::new_in(&context)?;
//! let endpoint = pull.blocking().bind("tcp://127.0.0.1:0")?;
//! let sender = thread::spawn(move || {
//!     let push = PushSocket::new_in(&context)?;
//!     push.blocking().connect(endpoint)?;
//!     push.blocking().send("from a thread")?;
//!     push.blocking().close()
//! });
//! assert_eq!(&pull.blocking().recv()?[0], b"from a thread");
//! sender.join().unwrap()?;
//! # Ok::<(), monocoque::MonocoqueError>(())
//! ```

// The macros of methods come first, then the socket types that are made of them.
#[macro_use]
pub mod capability;
#[macro_use]
mod declare;
#[macro_use]
mod readiness;
#[macro_use]
mod socket;

mod any;
mod dealer;
mod pair;
mod publisher;
mod pull;
mod push;
mod rep;
mod req;
mod router;
mod stream;
mod subscriber;
mod xpub;
mod xsub;

mod blocking;
mod builder;
mod handle;
mod into_endpoint;
mod into_limit;
mod kind;
mod message_sink;
mod message_stream;
mod options;
mod recipient;

pub use crate::socket::send::Sending;
pub use any::{AnySocket, WrongSocketType};
pub use blocking::Blocking;
pub use builder::Builder;
pub use dealer::DealerSocket;
pub use into_endpoint::IntoEndpoint;
pub use into_limit::IntoLimit;
pub use message_sink::MessageSink;
pub use message_stream::MessageStream;
pub use monocoque_zmtp::{CommandKind, Incompatible, Malformed, Misbehaved, Reason, SocketType, ZmtpError};
pub use options::SocketOptions;
pub use pair::PairSocket;
pub use publisher::PubSocket;
pub use pull::PullSocket;
pub use push::PushSocket;
pub use recipient::Recipient;
pub use rep::RepSocket;
pub use req::ReqSocket;
pub use router::RouterSocket;
pub use socket::{Socket, TypedSocket};
pub use stream::StreamSocket;
pub use subscriber::SubSocket;
pub use xpub::XpubSocket;
pub use xsub::XsubSocket;
