//! Models of readiness: changes of a socket against observers that ask to be told, and look.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::*;
use crate::sync::model::{block_on, check, poll_once, spawn_with};
use crate::{Inbox, LaneConfig, LaneKey, Message, PeerKey, WaitGuard};

/// The receiving side of a socket with an observer.
struct Observed {
    inbox: Inbox<Message>,
    lane: LaneKey,
    readiness: Arc<Readiness>,
}

impl Observed {
    fn new() -> Arc<Self> {
        let inbox = Inbox::new();
        let lane = inbox.open_lane(PeerKey::new(0, 1), (), LaneConfig::default());
        let readiness = Arc::new(Readiness::default());
        inbox.observe(&readiness.waker());
        Arc::new(Self { inbox, lane, readiness })
    }

    fn deliver(&self) {
        self.inbox.push(self.lane, &mut VecDeque::from([Message::from("m")]), 1);
    }

    fn has_item(&self) -> bool {
        self.inbox.try_next().is_ok_and(|next| next.is_some())
    }

    /// Clears the descriptor, and looks, as `events` does.
    fn look(&self) -> bool {
        self.readiness.clear();
        self.has_item()
    }

    fn take(&self) -> bool {
        self.inbox.try_next().expect("open").map(|mut next| next.pop()).is_some()
    }

    fn is_signalled(&self) -> bool {
        let descriptor = self.readiness.descriptor().expect("made");
        let mut ready = [PollFd::new(&descriptor, PollFlags::IN)];
        poll(&mut ready, Some(&Timespec::default())).expect("polled") == 1
    }

    /// Waits as the future of an observer does.
    async fn readable(&self) {
        let mut guard = WaitGuard::new(|ticket| self.readiness.remove(ticket));
        poll_fn(|cx| {
            self.readiness.wait(&mut guard.ticket, cx.waker());
            if self.has_item() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[test]
fn arrival_during_clear_leaves_edge() {
    check(3, || {
        let socket = Observed::new();
        assert!(socket.is_signalled() && !socket.look());
        let pump = spawn_with(&socket, |socket| socket.deliver());
        let mut is_seen = socket.look();
        is_seen |= !is_seen && socket.look();
        pump.join().expect("delivered");
        assert!(is_seen || socket.is_signalled());
    });
}

#[test]
fn receiver_that_empties_leaves_edge() {
    check(3, || {
        let socket = Observed::new();
        assert!(socket.is_signalled() && !socket.look());
        let pump = spawn_with(&socket, |socket| {
            socket.deliver();
            socket.deliver();
        });
        // Looks once, and receives until there is nothing, without another look.
        let mut received = 0;
        if socket.look() {
            received = std::iter::from_fn(|| socket.take().then_some(())).count();
        }
        pump.join().expect("delivered");
        assert!(received == 2 || socket.is_signalled());
    });
}

#[test]
fn two_signals_and_clear_keep_edge() {
    check(3, || {
        let socket = Observed::new();
        assert!(socket.is_signalled() && !socket.look());
        let pumps = [(); 2].map(|()| spawn_with(&socket, |socket| socket.deliver()));
        if socket.look() {
            socket.take();
        }
        let is_seen = socket.look();
        pumps.into_iter().for_each(|pump| pump.join().expect("delivered"));
        assert!(is_seen || !socket.has_item() || socket.is_signalled());
    });
}

#[test]
fn descriptor_made_during_arrival_is_set() {
    check(3, || {
        let socket = Observed::new();
        let pump = spawn_with(&socket, |socket| socket.deliver());
        socket.readiness.descriptor().expect("made");
        let is_seen = socket.look();
        pump.join().expect("delivered");
        assert!(is_seen || socket.is_signalled());
    });
}

#[test]
fn observers_and_receiver_all_wake() {
    check(2, || {
        let socket = Observed::new();
        let observer = spawn_with(&socket, |socket| block_on(socket.readable()));
        let receiver = spawn_with(&socket, |socket| {
            let mut guard = WaitGuard::new(|ticket| socket.inbox.remove_waiter(ticket));
            block_on(poll_fn(|cx| {
                socket.inbox.poll_next(&mut guard.ticket, cx).map(|next| drop(next.expect("open")))
            }));
        });
        socket.deliver();
        observer.join().expect("woken");
        receiver.join().expect("woken");
    });
}

#[test]
fn cancelled_observer_leaves_no_task() {
    check(3, || {
        let socket = Observed::new();
        let fickle = spawn_with(&socket, |socket| poll_once(pin!(socket.readable())).is_ready());
        let patient = spawn_with(&socket, |socket| block_on(socket.readable()));
        socket.deliver();
        fickle.join().expect("gone");
        patient.join().expect("woken");
        assert!(socket.readiness.state.lock().tasks.is_empty());
    });
}
