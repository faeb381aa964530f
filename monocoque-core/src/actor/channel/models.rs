//! Models of a channel: senders and a receiver on one side, the two pumps of its connection on the
//! other.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Instant;

use super::*;
use crate::sync::model::{block_on, check, poll_once, spawn};
use crate::{IdentityEncoder, SegmentedBuffer, Step};

/// A message; its number stands for it on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbered(u8);

impl Weigh for Numbered {
    fn weight(&self) -> usize {
        1
    }
}

/// The protocol of a connection that nothing is read from.
#[derive(Debug)]
struct Numbers;

impl Protocol for Numbers {
    type Peer = ();
    type Decoder = Self;
    type Encoder = IdentityEncoder<Infallible>;
    type Question = Infallible;
    type Error = Infallible;

    fn advance(
        self,
        _input: &mut SegmentedBuffer,
        _output: &mut Outbox,
        _now: Instant,
    ) -> Result<Step<Self>, Infallible> {
        Ok(Step::NeedInput(self))
    }

    fn resume(self, answer: Infallible) -> Self {
        match answer {}
    }
}

impl Decode for Numbers {
    type Item = Numbered;
    type Kind = ();
    type Error = Infallible;

    fn next(
        &mut self,
        _input: &mut SegmentedBuffer,
        _replies: &mut Outbox,
        _items: &mut VecDeque<Numbered>,
    ) -> Result<Option<()>, Infallible> {
        Ok(None)
    }
}

fn connected(hwm: usize) -> (Channel<Numbered>, ChannelOutlet<Numbered>, ChannelInlet<Numbered>) {
    let channel = Channel::new();
    channel.queues.sending.lock().hwm = Hwm::new(hwm);
    let (outlet, inlet) =
        ConnectionHandler::<Numbers>::on_established(channel.clone(), (), None, &Arc::default())
            .expect("welcome");
    (channel, outlet, inlet)
}

async fn send(channel: &Channel<Numbered>, number: u8) -> Result<(), ChannelClosed> {
    channel.send(|outbox| outbox.put(&[number])).await
}

/// Takes all that is to be written, until the channel has nothing more.
fn write_all(outlet: &mut ChannelOutlet<Numbered>) -> Vec<u8> {
    let (mut wire, mut batch) = (Vec::new(), Outbox::new());
    while block_on(poll_fn(|cx| outlet.poll_take(cx, &mut batch))) {
        wire.extend_from_slice(batch.chunk());
        batch.clear();
    }
    wire
}

#[test]
fn sender_and_pump_wake_mutually() {
    check(3, || {
        let (channel, mut outlet, _inlet) = connected(1);
        let sender = spawn(move || {
            for number in 0..3 {
                block_on(send(&channel, number)).expect("open");
            }
            channel.close();
        });
        assert_eq!(write_all(&mut outlet), [0, 1, 2]);
        sender.join().expect("sent");
    });
}

#[test]
fn two_senders_share_one_slot() {
    check(2, || {
        let (channel, mut outlet, _inlet) = connected(1);
        block_on(send(&channel, 9)).expect("open");
        let senders = [0, 1].map(|number| {
            let channel = channel.clone();
            spawn(move || block_on(send(&channel, number)).expect("open"))
        });
        let (mut wire, mut batch) = (Vec::new(), Outbox::new());
        while wire.len() < 3 {
            assert!(block_on(poll_fn(|cx| outlet.poll_take(cx, &mut batch))));
            wire.extend_from_slice(batch.chunk());
            batch.clear();
        }
        senders.into_iter().for_each(|sender| sender.join().expect("sent"));
        assert!(matches!(wire[..], [9, 0, 1] | [9, 1, 0]), "{wire:?}");
    });
}

#[test]
fn cancelled_sender_passes_ticket_on() {
    check(3, || {
        let (channel, mut outlet, _inlet) = connected(1);
        block_on(send(&channel, 9)).expect("open");
        let fickle = spawn({
            let channel = channel.clone();
            move || poll_once(pin!(send(&channel, 0))) == Poll::Ready(Ok(()))
        });
        let patient = spawn(move || {
            block_on(send(&channel, 1)).expect("open");
            channel.close();
        });
        let mut wire = write_all(&mut outlet);
        patient.join().expect("sent");
        let sent = fickle.join().expect("gone");
        assert_eq!(wire.remove(0), 9);
        wire.sort();
        assert_eq!(wire, if sent { vec![0, 1] } else { vec![1] });
    });
}

#[test]
fn connection_close_wakes_senders() {
    check(3, || {
        let (channel, mut outlet, _inlet) = connected(1);
        block_on(send(&channel, 0)).expect("open");
        let sender = spawn(move || (block_on(send(&channel, 1)), block_on(send(&channel, 2))));
        Outlet::on_closed(&mut outlet, Outbox::new());
        assert_eq!(sender.join().expect("no panic"), (Err(ChannelClosed), Err(ChannelClosed)));
        assert_eq!(write_all(&mut outlet), [0], "what is queued is left");
    });
}

#[test]
fn delivered_items_precede_link_close() {
    check(3, || {
        let (channel, _outlet, mut inlet) = connected(0);
        let receiver =
            spawn(move || std::iter::from_fn(|| block_on(channel.recv()).ok()).collect::<Vec<_>>());
        for number in [0, 1] {
            assert!(block_on(poll_fn(|cx| Inlet::<Numbers>::poll_room(&mut inlet, cx))));
            Inlet::<Numbers>::items(&mut inlet).push_back(Numbered(number));
            Inlet::<Numbers>::on_item(&mut inlet, ());
            Inlet::<Numbers>::flush(&mut inlet);
        }
        drop(inlet);
        assert_eq!(receiver.join().expect("no panic"), [Numbered(0), Numbered(1)]);
    });
}
