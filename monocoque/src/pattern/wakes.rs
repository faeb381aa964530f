//! Tasks that are to be woken, and neighbours that are to be left, but not under a lock.

use std::task::Waker;

use super::link::Neighbour;

/// Tasks to wake once the lock is released. Nearly always there is one at most.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    first: Option<Waker>,
    others: Vec<Waker>,
    /// Neighbours that are no longer ours.
    left: Vec<Box<dyn Neighbour>>,
}

impl Wakes {
    #[inline]
    pub(crate) fn add(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        for waker in wakers {
            match &mut self.first {
                None => self.first = Some(waker),
                Some(_) => self.others.push(waker),
            }
        }
    }

    /// The connection to a neighbour has ended: it learns of it.
    pub(crate) fn leave(&mut self, neighbour: Option<Box<dyn Neighbour>>) {
        self.left.extend(neighbour);
    }

    /// For whoever collects many.
    pub(crate) fn all(&mut self) -> &mut Vec<Waker> {
        &mut self.others
    }

    /// By reference: most often there is nobody, and moving what was just made costs more than to look.
    #[inline]
    pub(crate) fn wake(&mut self) {
        if let Some(first) = self.first.take() {
            first.wake();
        }
        if !self.others.is_empty() {
            self.others.drain(..).for_each(Waker::wake);
        }
        if !self.left.is_empty() {
            self.left.clear();
        }
    }
}
