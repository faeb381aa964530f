//! The inbox, by itself.

mod lanes;
mod limits;
mod receivers;
mod stress;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::{BytePermits, Room, Ticket};

impl Weigh for (usize, usize) {
    fn weight(&self) -> usize {
        1
    }
}

type Pair = (usize, usize);

/// Counts how often it is woken, and unparks the thread that it was made on.
#[derive(Debug)]
struct Alarm {
    rung: AtomicUsize,
    thread: thread::Thread,
}

impl Alarm {
    fn new() -> Arc<Self> {
        Arc::new(Self { rung: AtomicUsize::new(0), thread: thread::current() })
    }

    fn rung(&self) -> usize {
        self.rung.load(Ordering::SeqCst)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn config(hwm: usize, group: Option<u64>) -> LaneConfig {
    LaneConfig { hwm: Hwm::new(hwm), ordering_group: group, ..LaneConfig::default() }
}

fn lane(inbox: &Inbox<Pair>, slot: u32, hwm: usize) -> LaneKey {
    inbox.open_lane(PeerKey::new(slot, 1), (), config(hwm, None))
}

fn push(inbox: &Inbox<Pair>, lane: LaneKey, items: impl IntoIterator<Item = Pair>) {
    let mut batch: VecDeque<_> = items.into_iter().collect();
    let bytes = batch.len();
    inbox.push(lane, &mut batch, bytes);
    assert!(batch.is_empty());
}

fn room(inbox: &Inbox<Pair>, lane: LaneKey) -> Poll<Result<usize, InboxClosed>> {
    inbox.poll_room(lane, &mut Context::from_waker(Waker::noop()))
}

fn pop(inbox: &Inbox<Pair>) -> Option<Pair> {
    inbox.try_next().expect("open").map(|mut next| next.pop())
}

/// Receives as a future does: leaves the queue once it has got something.
fn poll_pop(
    inbox: &Inbox<Pair>,
    ticket: &mut Option<Ticket>,
    cx: &Context<'_>,
) -> Poll<Result<(PeerKey, Pair), InboxClosed>> {
    let popped = inbox.poll_next(ticket, cx).map_ok(|mut next| (next.from(), next.pop()));
    if popped.is_ready() {
        inbox.remove_waiter(ticket);
    }
    popped
}
