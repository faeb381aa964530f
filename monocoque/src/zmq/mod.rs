//! The ZeroMQ sockets.
//!
//! | type | sends | receives | when nobody has room |
//! |---|---|---|---|
//! | [`DealerSocket`] | to one peer after the other | from all, in turn | waits |
//! | [`RouterSocket`] | to the peer that is named | from all, with the name | drops |
//! | [`ReqSocket`] | a request to one peer after the other | its reply | waits |
//! | [`RepSocket`] | the reply to the request received last | requests from all, in turn | drops |
//! | [`PubSocket`] | to every peer with a matching subscription | - | drops, for that peer |
//! | [`SubSocket`] | - | what it has subscribed to | - |
//! | [`XpubSocket`] | to every peer with a matching subscription | subscriptions, and what else comes | drops, for that peer |
//! | [`XsubSocket`] | subscriptions, and all else to every peer | what its peers send | drops, for that peer |
//! | [`PushSocket`] | to one peer after the other | - | waits |
//! | [`PullSocket`] | - | from all, in turn | - |
//! | [`PairSocket`] | to its one peer | from its one peer | waits |
//! | [`StreamSocket`] | bytes to the peer that is named | bytes from all, with the name | waits |
//!
//! All of them are [`Socket`]s of one [`Kind`](kind::Kind): what they have in common is documented there.

mod blocking;
mod builder;
mod by_id;
mod handle;
#[path = "capability.rs"]
pub mod kind;
mod message_sink;
mod message_stream;
mod recv;
mod send;

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
mod system;
mod xpub;
mod xsub;

pub use builder::Builder;
pub use dealer::DealerSocket;
pub use handle::Socket;
pub use message_sink::MessageSink;
pub use message_stream::MessageStream;
pub use monocoque_zmtp::{CommandKind, Incompatible, Malformed, Misbehaved, Reason, SocketType, ZmtpError};
pub use pair::PairSocket;
pub use publisher::PubSocket;
pub use pull::PullSocket;
pub use push::PushSocket;
pub use rep::RepSocket;
pub use req::ReqSocket;
pub use router::RouterSocket;
pub use stream::StreamSocket;
pub use subscriber::SubSocket;
pub use xpub::XpubSocket;
pub use xsub::XsubSocket;
