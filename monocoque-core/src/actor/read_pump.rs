//! The receiving half of a connection: lease, read, decode, deliver.
//!
//! Waits for one thing at a time: room at the owner, then bytes. A full owner stops the reading,
//! and so the peer.

use std::future::poll_fn;
use std::net::Shutdown;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use super::{BURST_BYTES, Closed, Inlet, InletStatus, Input, PumpState};
use crate::Decode;
use crate::transport::ByteStream;

pub(super) struct ReadPump<S: ByteStream, D: Decode, I: Inlet<D>> {
    stream: S,
    input: Input<S>,
    decoder: D,
    inlet: I,
    state: Rc<PumpState<D::Error>>,
}

impl<S: ByteStream, D: Decode, I: Inlet<D>> Drop for ReadPump<S, D, I> {
    /// Ends the other pump, and makes its write return, however this one ends.
    fn drop(&mut self) {
        self.state.read_ended.set(true);
        self.stream.shutdown(Shutdown::Both);
        self.state.wake_writer();
    }
}

impl<S: ByteStream, D: Decode, I: Inlet<D>> ReadPump<S, D, I> {
    pub(super) fn new(
        stream: S,
        input: Input<S>,
        decoder: D,
        inlet: I,
        state: Rc<PumpState<D::Error>>,
    ) -> Self {
        Self { stream, input, decoder, inlet, state }
    }

    /// Runs until the stream ends.
    pub(super) async fn run(mut self) {
        if let Some(reason) = self.pump().await {
            self.state.set_reason(reason);
        }
    }

    /// Returns the reason of the end; `None` if the receiver is gone.
    async fn pump(&mut self) -> Option<Closed<D::Error>> {
        loop {
            if !self.wait_for_room().await {
                return self.discard().await;
            }
            match self.decode() {
                Ok(InletStatus::Full) => continue,
                Ok(InletStatus::Ready) => {}
                Ok(InletStatus::Violation) => return Some(Closed::Violation),
                Err(error) => return Some(Closed::Protocol(error)),
            }
            match self.input.read(self.decoder.need()).await {
                Ok(0) => return Some(Closed::ByPeer),
                Ok(n) => self.note_read(n),
                Err(error) => return Some(Closed::Io(error)),
            }
        }
    }

    /// Notes that bytes have arrived, and that there is memory to release when the connection is
    /// idle.
    fn note_read(&self, n: usize) {
        self.state.last_received.set(Some(Instant::now()));
        self.state.received_bytes.set(self.state.received_bytes.get() + n as u64);
        self.state.traffic.add_received(n);
        if n >= BURST_BYTES || !self.state.memory.is_small() {
            self.state.note_spare_memory();
        }
    }

    /// Waits for room at the owner. Meanwhile the silence of the peer does not count against it.
    ///
    /// Once the stream has ended there is no more waiting: all that has arrived is delivered, with
    /// room or without, so that the connection can be replaced although nothing is received.
    async fn wait_for_room(&mut self) -> bool {
        let Self { inlet, state, input, decoder, .. } = self;
        let mut has_waited = false;
        let room = poll_fn(|cx| match inlet.poll_room(cx) {
            Poll::Pending if state.write_ended.get() => Poll::Ready(true),
            Poll::Pending => {
                has_waited = true;
                if state.shrink_reads.take() {
                    input.shrink(decoder.need());
                } else if input.has_spare_memory() {
                    state.note_spare_memory();
                }
                state.last_received.set(None);
                state.reader.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
            room => room,
        })
        .await;
        if has_waited {
            state.last_received.set(Some(Instant::now()));
            state.shrink_reads.set(false);
        }
        room
    }

    /// Delivers what has arrived, as far as there is room.
    fn decode(&mut self) -> Result<InletStatus, D::Error> {
        let mut replies = self.state.replies.borrow_mut();
        let outcome = loop {
            match self.decoder.next(&mut self.input.buffer, &mut replies, self.inlet.items()) {
                Ok(Some(kind)) => match self.inlet.on_item(kind) {
                    InletStatus::Ready => {}
                    status => break Ok(status),
                },
                Ok(None) => break Ok(InletStatus::Ready),
                Err(error) => break Err(error),
            }
        };
        let has_replies = !replies.is_empty();
        drop(replies);
        self.inlet.flush();
        if has_replies {
            self.state.wake_writer();
        }
        outcome
    }

    /// Reads to the end of the stream for a receiver that is gone, so that closing the stream does
    /// not reset what the peer has yet to read. Requests for a reply get one: the peer may be
    /// taking what we still send.
    async fn discard(&mut self) -> Option<Closed<D::Error>> {
        let mut is_intact = true;
        loop {
            is_intact = is_intact && self.discard_items();
            if !is_intact {
                let _discarded = self.input.buffer.take(self.input.buffer.len());
            }
            match self.input.read(self.decoder.need()).await {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.note_read(n),
            }
        }
    }

    /// Decodes what has arrived and drops it. Returns false if it does not decode.
    fn discard_items(&mut self) -> bool {
        let mut replies = self.state.replies.borrow_mut();
        let items = self.inlet.items();
        let outcome = loop {
            items.clear();
            match self.decoder.next(&mut self.input.buffer, &mut replies, items) {
                Ok(Some(_)) => {}
                outcome => break outcome,
            }
        };
        let has_replies = !replies.is_empty();
        drop(replies);
        if has_replies {
            self.state.wake_writer();
        }
        outcome.is_ok()
    }
}
