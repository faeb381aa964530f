//! draft
mod buffer;
mod message;
mod outbox;
mod peer;
mod protocol;

pub use buffer::SegmentedBuffer;
pub use message::{Frame, IntoIter, Iter, Message, Part, Parts};
pub use outbox::Outbox;
pub use peer::{PeerEvent, PeerKey, PeerTable};
pub use protocol::{Decode, Encode, Established, PlainEncoder, Protocol, Step};
