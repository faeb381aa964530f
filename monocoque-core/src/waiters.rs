//! Tasks that wait for their turn, first come first served.
//!
//! Lives under its owner's lock and wakes nobody itself: what is to be woken is handed out, to be woken once the lock
//! is released. A task keeps its place until it has got what it waits for or gives up, so that nobody overtakes it and
//! a wake-up that meets a cancelled task is passed on instead of lost.

use std::collections::VecDeque;
use std::task::Waker;

/// A queue of waiting tasks.
#[derive(Debug, Default)]
pub struct Waiters {
    queue: VecDeque<(Ticket, Waker)>,
    next: u64,
}

/// A place in the queue of [`Waiters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Waiters {
    /// Whether nobody waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether it is the turn of the holder of `ticket`, or of somebody new.
    #[inline]
    pub fn is_next(&self, ticket: Option<Ticket>) -> bool {
        match self.queue.front() {
            None => true,
            Some((first, _)) => Some(*first) == ticket,
        }
    }

    /// Takes a place at the end, or keeps the one that `ticket` stands for, also if it was [dismissed](Self::dismiss)
    /// meanwhile.
    pub fn wait(&mut self, ticket: &mut Option<Ticket>, waker: &Waker) {
        if let Some(held) = *ticket {
            match self.queue.binary_search_by_key(&held, |(ticket, _)| *ticket) {
                Ok(place) => {
                    if let Some((_, kept)) = self.queue.get_mut(place) {
                        kept.clone_from(waker);
                    }
                }
                Err(place) => self.queue.insert(place, (held, waker.clone())),
            }
            return;
        }
        let new = Ticket(self.next);
        self.next += 1;
        self.queue.push_back((new, waker.clone()));
        *ticket = Some(new);
    }

    /// The ticket that is handed out next: those that were before are smaller.
    pub fn next_ticket(&self) -> Ticket {
        Ticket(self.next)
    }

    /// Gives the place up. If it was the first, the one behind it is to be woken: it may be able to go on.
    #[must_use = "the next one is to be woken once the lock is released"]
    pub fn leave(&mut self, ticket: &mut Option<Ticket>) -> Option<Waker> {
        let place = ticket.take().and_then(|ticket| self.place(ticket))?;
        self.queue.remove(place);
        if place == 0 { self.first() } else { None }
    }

    /// The one whose turn it is, to be woken.
    #[must_use = "to be woken once the lock is released"]
    #[inline]
    pub fn first(&self) -> Option<Waker> {
        self.queue.front().map(|(_, waker)| waker.clone())
    }

    /// All of them, to be woken: there is nothing to wait for any more.
    #[must_use = "to be woken once the lock is released"]
    pub fn dismiss(&mut self) -> Vec<Waker> {
        self.queue.drain(..).map(|(_, waker)| waker).collect()
    }

    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.queue.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()
    }
}

/// A place in a queue of a future that may be dropped at any time: it is left then.
///
/// ```
/// use monocoque_core::{Seat, Waiters};
/// use std::{cell::RefCell, task::Waker};
///
/// let waiters = RefCell::new(Waiters::default());
/// let mut seat = Seat::new(|ticket| drop(waiters.borrow_mut().leave(ticket)));
/// waiters.borrow_mut().wait(&mut seat.ticket, Waker::noop());
/// drop(seat);
/// assert!(waiters.borrow().is_empty());
/// ```
#[derive(Debug)]
pub struct Seat<F: FnMut(&mut Option<Ticket>)> {
    /// For [`Waiters::wait`].
    pub ticket: Option<Ticket>,
    leave: F,
}

impl<F: FnMut(&mut Option<Ticket>)> Seat<F> {
    /// A seat that is not taken yet; `leave` is called if it was taken.
    pub fn new(leave: F) -> Self {
        Self { ticket: None, leave }
    }
}

impl<F: FnMut(&mut Option<Ticket>)> Drop for Seat<F> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            (self.leave)(&mut self.ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_overtakes_and_a_wake_up_is_passed_on() {
        let waker = Waker::noop();
        let mut waiters = Waiters::default();
        let (mut first, mut second, mut third) = (None, None, None);
        assert!(waiters.is_next(None));
        waiters.wait(&mut first, waker);
        waiters.wait(&mut second, waker);
        waiters.wait(&mut third, waker);
        waiters.wait(&mut first, waker);
        assert!(waiters.is_next(first) && !waiters.is_next(second) && !waiters.is_next(None));
        assert!(waiters.leave(&mut second).is_none(), "the first still has its turn");
        assert!(waiters.leave(&mut first).is_some(), "the third is to be woken");
        assert!(waiters.is_next(third));
        assert_eq!(first, None);
        let mark = waiters.next_ticket();
        assert_eq!(waiters.dismiss().len(), 1);
        let mut fourth = None;
        waiters.wait(&mut fourth, waker);
        waiters.wait(&mut third, waker);
        assert!(waiters.is_next(third), "who was dismissed keeps its place");
        assert!(third < Some(mark) && fourth >= Some(mark));
        assert!(waiters.leave(&mut third).is_some());
        assert!(waiters.leave(&mut fourth).is_none());
        assert!(waiters.is_empty());
    }
}
