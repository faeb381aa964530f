//! The batch in flight: between the queue and the kernel.

use compio::buf::{IoBuf, IoVectoredBuf};

use crate::transport::MAX_IO_BYTES;
use crate::{Encode, Outbox, QueuedCursor};

/// The messages that a write pump has taken and of which the kernel has not taken every byte.
///
/// They are kept in their queued form until the kernel has taken their encoded form: a lost
/// connection always gives back [whole, neutral messages](Self::into_unsent). If both forms are the
/// same there is only one.
///
/// ```
/// use monocoque_core::actor::InFlight;
/// use monocoque_core::{Encode, Outbox, Queued};
///
/// /// Sends everything twice.
/// #[derive(Debug)]
/// struct Doubler;
///
/// impl Encode for Doubler {
///     type Error = std::convert::Infallible;
///
///     fn is_identity(&self) -> bool {
///         false
///     }
///
///     fn encode(&mut self, queued: &mut Queued<'_>, wire: &mut Outbox, limit: usize) {
///         while wire.bytes() < limit
///             && let Some(message) = queued.next_message()
///         {
///             for byte in message.flat_map(|part| part.body().to_vec()) {
///                 wire.put(&[byte, byte]);
///             }
///             wire.end_message();
///         }
///     }
/// }
///
/// let mut batch = InFlight::new(&Doubler);
/// for message in ["ab", "cd"] {
///     batch.queued_mut().put(message.as_bytes());
///     batch.queued_mut().end_message();
/// }
/// batch.encode(&mut Doubler);
/// assert_eq!(batch.wire().chunk(), b"aabbccdd");
/// batch.consume(5); // the kernel took the first message and a part of the second
/// assert_eq!(batch.into_unsent().chunk(), b"cd");
/// ```
#[derive(Debug, Default)]
pub struct InFlight {
    /// The messages in their queued form.
    queued: Outbox,
    /// Their encoded form, where that is not the same.
    encoded: Option<Box<Encoded>>,
}

#[derive(Debug, Default)]
struct Encoded {
    wire: Outbox,
    /// The position in `queued` up to which it was encoded.
    cursor: QueuedCursor,
}

impl InFlight {
    /// An empty batch for this encoder.
    pub fn new<E: Encode>(encoder: &E) -> Self {
        Self { queued: Outbox::new(), encoded: (!encoder.is_identity()).then(Box::default) }
    }

    /// A batch that is written in its queued form.
    pub fn unencoded(queued: Outbox) -> Self {
        Self { queued, encoded: None }
    }

    /// Returns the messages in their queued form.
    #[inline]
    pub fn queued(&self) -> &Outbox {
        &self.queued
    }

    /// Returns the messages, to add more while nothing is in flight.
    #[inline]
    pub fn queued_mut(&mut self) -> &mut Outbox {
        &mut self.queued
    }

    /// Returns true if nothing is in flight.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// Encodes the next messages, unless encoded bytes are still to be written.
    #[inline]
    pub fn encode<E: Encode<Error = X>, X>(&mut self, encoder: &mut E) {
        while let Some(encoded) = &mut self.encoded
            && encoded.wire.is_empty()
            && !self.queued.is_empty()
        {
            encoder.encode(&mut self.queued.read_queued(&mut encoded.cursor), &mut encoded.wire, ENCODE_STEP);
            if encoded.wire.is_empty() {
                // Nothing is written for these messages.
                let messages = encoded.wire.messages();
                encoded.wire.clear();
                self.drop_written(messages);
                if messages == 0 {
                    // The encoder takes nothing: the write of no bytes ends the connection.
                    return;
                }
            }
        }
    }

    /// Returns the bytes that are to be written next.
    #[inline]
    pub fn wire(&self) -> &Outbox {
        self.encoded.as_ref().map_or(&self.queued, |encoded| &encoded.wire)
    }

    /// Notes that the kernel has taken `n` bytes of [`wire`](Self::wire).
    ///
    /// # Panics
    ///
    /// If there are fewer.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        let Some(encoded) = &mut self.encoded else { return self.queued.consume(n) };
        let before = encoded.wire.messages();
        encoded.wire.consume(n);
        let messages = before - encoded.wire.messages();
        self.drop_written(messages);
    }

    /// Drops the first messages, which were written whole.
    fn drop_written(&mut self, messages: usize) {
        for _ in 0..messages {
            self.queued.drop_first();
        }
        if let Some(encoded) = &mut self.encoded {
            encoded.cursor.on_dropped(messages);
        }
    }

    /// Returns the messages of which the kernel has not taken every byte, in their queued form.
    /// This counts as an attempt at the first one if it was partly written.
    pub fn into_unsent(mut self) -> Outbox {
        if self.encoded.is_some_and(|encoded| encoded.wire.is_partly_written()) {
            self.queued.count_attempt();
        }
        self.queued.rewind();
        self.queued
    }

    /// Releases memory beyond what an idle connection needs, if nothing is in flight.
    pub(super) fn shrink(&mut self) {
        self.queued.shrink();
        if let Some(encoded) = &mut self.encoded {
            encoded.wire.shrink();
        }
    }
}

impl IoBuf for InFlight {
    fn as_init(&self) -> &[u8] {
        let chunk = self.wire().chunk();
        chunk.get(..MAX_IO_BYTES).unwrap_or(chunk)
    }
}

impl IoVectoredBuf for InFlight {
    fn iter_slice(&self) -> impl Iterator<Item = &[u8]> {
        let mut left = MAX_IO_BYTES;
        self.wire().slices().take(IOV_MAX).map_while(move |slice| {
            let part = slice.get(..left).unwrap_or(slice);
            left -= part.len();
            (!part.is_empty()).then_some(part)
        })
    }
}

/// The number of bytes that are encoded at a time, about, so that a large batch does not hold up
/// the other connections of the thread.
const ENCODE_STEP: usize = 128 * 1024;
/// The most slices that the kernel takes in one call.
const IOV_MAX: usize = 1024;
