//! Tasks that wait, first come, first served.
//!
//! Lives under the lock of its owner and wakes no task: wakers are returned, to be woken once the
//! lock is released. A task keeps its place until it has got what it waits for or gives up. So no
//! task overtakes it, and a wake-up that reaches a cancelled task is passed on instead of lost.

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
    /// Returns true if no task waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Returns true if the holder of `ticket` is first, or the queue is empty.
    #[inline]
    pub fn is_next(&self, ticket: Option<Ticket>) -> bool {
        match self.queue.front() {
            None => true,
            Some((first, _)) => Some(*first) == ticket,
        }
    }

    /// Takes a place at the end, or keeps the place of `ticket`, also if the queue was
    /// [drained](Self::drain) meanwhile.
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

    /// Returns the ticket that is handed out next: earlier ones are smaller.
    pub fn next_ticket(&self) -> Ticket {
        Ticket(self.next)
    }

    /// Removes the holder of `ticket`. If it was the first, returns the next one, which may be able
    /// to go on.
    #[must_use = "the next one is to be woken once the lock is released"]
    pub fn remove(&mut self, ticket: &mut Option<Ticket>) -> Option<Waker> {
        let place = ticket.take().and_then(|ticket| self.place(ticket))?;
        self.queue.remove(place);
        if place == 0 { self.first() } else { None }
    }

    /// Returns the first task.
    #[must_use = "to be woken once the lock is released"]
    #[inline]
    pub fn first(&self) -> Option<Waker> {
        self.queue.front().map(|(_, waker)| waker.clone())
    }

    /// Removes all tasks: what they wait for has come, or never will.
    #[must_use = "to be woken once the lock is released"]
    pub fn drain(&mut self) -> Vec<Waker> {
        self.queue.drain(..).map(|(_, waker)| waker).collect()
    }

    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.queue.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()
    }
}

/// A ticket that is removed from its queue when this is dropped, for futures that may be dropped at
/// any time.
///
/// ```
/// use monocoque_core::{WaitGuard, Waiters};
/// use std::{cell::RefCell, task::Waker};
///
/// let waiters = RefCell::new(Waiters::default());
/// let mut guard = WaitGuard::new(|ticket| drop(waiters.borrow_mut().remove(ticket)));
/// waiters.borrow_mut().wait(&mut guard.ticket, Waker::noop());
/// drop(guard);
/// assert!(waiters.borrow().is_empty());
/// ```
#[derive(Debug)]
pub struct WaitGuard<F: FnMut(&mut Option<Ticket>)> {
    /// The ticket, for [`Waiters::wait`].
    pub ticket: Option<Ticket>,
    remove: F,
}

impl<F: FnMut(&mut Option<Ticket>)> WaitGuard<F> {
    /// A guard without a ticket. `remove` is called with the ticket that it has in the end, if any.
    pub fn new(remove: F) -> Self {
        Self { ticket: None, remove }
    }
}

impl<F: FnMut(&mut Option<Ticket>)> Drop for WaitGuard<F> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            (self.remove)(&mut self.ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiters_stay_fifo_and_pass_wake() {
        let waker = Waker::noop();
        let mut waiters = Waiters::default();
        let (mut first, mut second, mut third) = (None, None, None);
        assert!(waiters.is_next(None));
        waiters.wait(&mut first, waker);
        waiters.wait(&mut second, waker);
        waiters.wait(&mut third, waker);
        waiters.wait(&mut first, waker);
        assert!(waiters.is_next(first) && !waiters.is_next(second) && !waiters.is_next(None));
        assert!(waiters.remove(&mut second).is_none(), "the first still has its turn");
        assert!(waiters.remove(&mut first).is_some(), "the third is to be woken");
        assert!(waiters.is_next(third));
        assert_eq!(first, None);
        let mark = waiters.next_ticket();
        assert_eq!(waiters.drain().len(), 1);
        let mut fourth = None;
        waiters.wait(&mut fourth, waker);
        waiters.wait(&mut third, waker);
        assert!(waiters.is_next(third), "a drained ticket keeps its place");
        assert!(third < Some(mark) && fourth >= Some(mark));
        assert!(waiters.remove(&mut third).is_some());
        assert!(waiters.remove(&mut fourth).is_none());
        assert!(waiters.is_empty());
    }
}
