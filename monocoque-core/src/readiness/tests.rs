use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::*;
use crate::{Inbox, LaneConfig, Message, PeerKey};

fn is_readable(descriptor: BorrowedFd<'_>) -> bool {
    let mut ready = [PollFd::new(&descriptor, PollFlags::IN)];
    poll(&mut ready, Some(&Timespec::default())).expect("polled") == 1
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn new_descriptor_is_readable() {
    let readiness = Readiness::default();
    let descriptor = readiness.descriptor().expect("made");
    assert!(is_readable(descriptor));
    readiness.clear();
    assert!(!is_readable(descriptor));
}

#[test]
fn signal_sets_descriptor_until_cleared() {
    let readiness = Readiness::default();
    let descriptor = readiness.descriptor().expect("made");
    readiness.clear();
    readiness.signal();
    readiness.signal();
    assert!(is_readable(descriptor));
    readiness.clear();
    assert!(!is_readable(descriptor), "one clear is enough for two signals");
}

#[test]
fn signal_wakes_every_task_once() {
    let readiness = Readiness::default();
    let tasks = [(); 3].map(|()| Arc::new(Count::default()));
    let mut tickets = [None; 3];
    for (task, ticket) in tasks.iter().zip(&mut tickets) {
        readiness.wait(ticket, &task.clone().into());
    }
    readiness.remove(&mut tickets[0]);
    readiness.signal();
    readiness.signal();
    assert_eq!(tasks.map(|task| task.0.load(Ordering::Relaxed)), [0, 1, 1]);
}

#[test]
fn observer_leaves_turn_to_receiver() {
    let inbox = Inbox::<Message>::new();
    let lane = inbox.open_lane(PeerKey::new(0, 1), (), LaneConfig::default());
    let (observer, receiver) = (Arc::new(Count::default()), Arc::new(Count::default()));
    inbox.observe(&observer.clone().into());
    let mut ticket = None;
    let waker = receiver.clone().into();
    assert!(inbox.poll_next(&mut ticket, &std::task::Context::from_waker(&waker)).is_pending());
    inbox.push(lane, &mut [Message::from("a")].into(), 1);
    inbox.push(lane, &mut [Message::from("b")].into(), 1);
    assert_eq!(observer.0.load(Ordering::Relaxed), 1, "told when there was none before");
    assert_eq!(receiver.0.load(Ordering::Relaxed), 1);
    inbox.abort();
    assert_eq!(observer.0.load(Ordering::Relaxed), 2, "told of the end");
}

#[test]
fn spare_descriptor_stays_readable() {
    reserve_spare().expect("made");
    let spare = event_fd::spare().as_fd();
    assert!(is_readable(spare));
    Readiness::default().signal();
    assert!(is_readable(spare));
}
