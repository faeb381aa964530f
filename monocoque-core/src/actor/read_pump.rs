//! The receiving half of a connection: lease, read, decode, deliver.
//!
//! Waits for one thing at a time: room at the owner, then bytes. A full owner stops the reading, and so the peer.

use std::future::poll_fn;
use std::net::Shutdown;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use super::{Accepted, BURST, Closed, Inlet, Input, Shared};
use crate::Decode;
use crate::transport::Socket;

pub(super) struct ReadPump<S: Socket, D: Decode, I: Inlet<D>> {
    stream: S,
    input: Input<S>,
    decoder: D,
    inlet: I,
    shared: Rc<Shared<D::Error>>,
}

impl<S: Socket, D: Decode, I: Inlet<D>> Drop for ReadPump<S, D, I> {
    /// However it ends, the other pump hears of it, and what that one is writing returns.
    fn drop(&mut self) {
        self.shared.read_ended.set(true);
        self.stream.shutdown(Shutdown::Both);
        self.shared.wake_writer();
    }
}

impl<S: Socket, D: Decode, I: Inlet<D>> ReadPump<S, D, I> {
    pub(super) fn new(
        stream: S,
        input: Input<S>,
        decoder: D,
        inlet: I,
        shared: Rc<Shared<D::Error>>,
    ) -> Self {
        Self { stream, input, decoder, inlet, shared }
    }

    /// Runs until the stream ends.
    pub(super) async fn run(mut self) {
        if let Some(reason) = self.pump().await {
            self.shared.end(reason);
        }
    }

    /// `None` if it was the owner who wanted no more.
    async fn pump(&mut self) -> Option<Closed<D::Error>> {
        loop {
            if !self.wait_for_room().await {
                return self.discard().await;
            }
            match self.decode() {
                Ok(Accepted::Full) => continue,
                Ok(Accepted::More) => {}
                Ok(Accepted::Violation) => return Some(Closed::Violation),
                Err(error) => return Some(Closed::Protocol(error)),
            }
            match self.input.read(self.decoder.need()).await {
                Ok(0) => return Some(Closed::ByPeer),
                Ok(n) => self.note_read(n),
                Err(error) => return Some(Closed::Io(error)),
            }
        }
    }

    /// Notes that the peer was heard, and that there is memory to let go of when it is quiet.
    fn note_read(&self, n: usize) {
        self.shared.heard.set(Some(Instant::now()));
        self.shared.arrived.set(self.shared.arrived.get() + n as u64);
        if n >= BURST || !self.shared.memory.is_small() {
            self.shared.note_kept();
        }
    }

    /// Waits for room at the owner; meanwhile the peer's silence does not count against it.
    ///
    /// Once the stream is over there is no more waiting: what has arrived is handed over whether there is room or not, so
    /// that the connection can be made anew although nobody receives.
    async fn wait_for_room(&mut self) -> bool {
        let Self { inlet, shared, input, decoder, .. } = self;
        let mut waited = false;
        let room = poll_fn(|cx| match inlet.poll_room(cx) {
            Poll::Pending if shared.write_ended.get() => Poll::Ready(true),
            Poll::Pending => {
                waited = true;
                if shared.rests.take() {
                    input.rest(decoder.need());
                } else if input.is_spread() {
                    shared.note_kept();
                }
                shared.heard.set(None);
                shared.reader.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
            room => room,
        })
        .await;
        if waited {
            shared.heard.set(Some(Instant::now()));
            shared.rests.set(false);
        }
        room
    }

    /// Hands over what has arrived, as far as there is room.
    fn decode(&mut self) -> Result<Accepted, D::Error> {
        let mut replies = self.shared.replies.borrow_mut();
        let outcome = loop {
            match self.decoder.next(&mut self.input.buffer, &mut replies, self.inlet.items()) {
                Ok(Some(kind)) => match self.inlet.accept(kind) {
                    Accepted::More => {}
                    enough => break Ok(enough),
                },
                Ok(None) => break Ok(Accepted::More),
                Err(error) => break Err(error),
            }
        };
        let replied = !replies.is_empty();
        drop(replies);
        self.inlet.flush();
        if replied {
            self.shared.wake_writer();
        }
        outcome
    }

    /// Nobody receives any more: reads on to the end of the stream, so that closing it does not reset what the peer
    /// has yet to read. What asks for a reply gets one: the peer may be taking what we still send.
    async fn discard(&mut self) -> Option<Closed<D::Error>> {
        let mut intact = true;
        loop {
            intact = intact && self.drop_items();
            if !intact {
                let _decoded = self.input.buffer.take(self.input.buffer.len());
            }
            match self.input.read(self.decoder.need()).await {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.note_read(n),
            }
        }
    }

    /// Decodes what has arrived for nobody. `false` if it does not decode.
    fn drop_items(&mut self) -> bool {
        let mut replies = self.shared.replies.borrow_mut();
        let items = self.inlet.items();
        let outcome = loop {
            items.clear();
            match self.decoder.next(&mut self.input.buffer, &mut replies, items) {
                Ok(Some(_)) => {}
                outcome => break outcome,
            }
        };
        let replied = !replies.is_empty();
        drop(replies);
        if replied {
            self.shared.wake_writer();
        }
        outcome.is_ok()
    }
}
