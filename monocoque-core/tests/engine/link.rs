//! The channel between a program and a connection of its own protocol.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::common::{Wire, run, run_tasks, wait_until};
use futures_util::FutureExt;
use monocoque_core::actor::{Channel, ChannelClosed, SocketActor};
use monocoque_core::{
    Decode, Established, IdentityEncoder, Message, Outbox, Protocol, SegmentedBuffer, Step,
};

/// A protocol with one-byte messages. A zero byte instead of a handshake is an error.
#[derive(Debug)]
struct SingleBytes;

#[derive(Debug, thiserror::Error)]
#[error("zero")]
struct Zero;

impl Protocol for SingleBytes {
    type Peer = ();
    type Decoder = Self;
    type Encoder = IdentityEncoder<Zero>;
    type Question = Infallible;
    type Error = Zero;

    fn advance(
        self,
        input: &mut SegmentedBuffer,
        _output: &mut Outbox,
        _now: std::time::Instant,
    ) -> Result<Step<Self>, Zero> {
        match input.peek::<1>() {
            None => Ok(Step::NeedInput(self)),
            Some([0]) => Err(Zero),
            Some(_) => Ok(Step::Established(Established {
                peer: (),
                decoder: Self,
                encoder: IdentityEncoder::new(),
            })),
        }
    }

    fn resume(self, answer: Infallible) -> Self {
        match answer {}
    }
}

impl Decode for SingleBytes {
    type Item = Message;
    type Kind = ();
    type Error = Zero;

    fn next(
        &mut self,
        input: &mut SegmentedBuffer,
        _replies: &mut Outbox,
        items: &mut VecDeque<Message>,
    ) -> Result<Option<()>, Zero> {
        Ok(input.take(1).map(|letter| items.push_back(letter.into())))
    }
}

fn letter(letter: u8) -> impl Fn(&mut Outbox) {
    move |out| out.put(&[letter])
}

#[test]
fn cancelled_send_unblocks_next_sender() {
    run(async {
        let wire = Wire::new();
        let link = Channel::<Message>::new();
        while link.send(letter(b'a')).now_or_never().is_some() {}
        {
            let mut given_up = pin!(link.send(letter(b'b')));
            assert!(given_up.as_mut().now_or_never().is_none(), "full");
        }
        wire.push_input(b"x");
        let actor = compio::runtime::spawn(SocketActor::new(wire.clone(), SingleBytes).run(link.clone()));
        link.send(letter(b'c')).await.expect("room after the channel is drained");
        wait_until("all messages are written", || wire.written().ends_with(b"ac")).await;
        drop(actor);
    });
}

#[test]
fn cancelled_receiver_passes_wake_on() {
    run(async {
        let wire = Wire::new();
        let link = Channel::<Message>::new();
        wire.push_input(b"x");
        let _actor = compio::runtime::spawn(SocketActor::new(wire.clone(), SingleBytes).run(link.clone()));
        assert_eq!(link.recv().await, Ok("x".into()));
        assert!(link.recv().now_or_never().is_none());
        let other = link.clone();
        let waiting = compio::runtime::spawn(async move { other.recv().await });
        run_tasks(3).await;
        wire.push_input(b"y");
        assert_eq!(waiting.await.expect("no panic"), Ok("y".into()));
    });
}

#[test]
fn arrived_messages_precede_link_close() {
    run(async {
        let wire = Wire::new();
        wire.push_input(b"abc");
        wire.end();
        let link = Channel::new();
        SocketActor::new(wire, SingleBytes).run(link.clone()).await;
        for expected in ["a", "b", "c"] {
            assert_eq!(link.recv().await, Ok(expected.into()));
        }
        assert_eq!(link.recv().await, Err(ChannelClosed));
        assert_eq!(link.send(letter(b'd')).await, Err(ChannelClosed));
    });
}

#[test]
fn failed_handshake_closes_link() {
    run(async {
        let wire = Wire::new();
        wire.push_input(b"\0");
        let link = Channel::<Message>::new();
        SocketActor::new(wire, SingleBytes).run(link.clone()).await;
        assert_eq!(link.recv().now_or_never(), Some(Err(ChannelClosed)));
        assert_eq!(link.send(letter(b'a')).now_or_never(), Some(Err(ChannelClosed)));
    });
}

#[test]
fn close_flushes_queued_messages() {
    run(async {
        let wire = Wire::new();
        wire.push_input(b"x");
        let link = Channel::<Message>::new();
        for byte in b"abc" {
            link.send(letter(*byte)).await.expect("room");
        }
        link.close();
        let _closed = SocketActor::new(wire.clone(), SingleBytes).run(link.clone()).await;
        assert_eq!(wire.written(), b"abc");
        let mut sending = pin!(link.send(letter(b'd')));
        assert_eq!(
            sending.as_mut().poll(&mut Context::from_waker(Waker::noop())),
            Poll::Ready(Err(ChannelClosed))
        );
    });
}
