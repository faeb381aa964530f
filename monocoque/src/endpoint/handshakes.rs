//! The handshakes of a bound endpoint: strangers take only so many places.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use monocoque_core::runtime;

use super::cancellation::CancellationToken;

/// The connections of a bound endpoint whose handshake is not done.
#[derive(Clone, Debug)]
pub(super) struct Handshakes {
    /// The most of them; zero for no limit.
    limit: usize,
    places: Rc<RefCell<Places>>,
}

#[derive(Debug, Default)]
struct Places {
    taken: BTreeMap<u64, Place>,
    next: u64,
    /// The listener, while it waits for a place.
    listener: Option<Waker>,
}

#[derive(Debug)]
struct Place {
    since: Instant,
    /// The application decides about the peer.
    is_undecided: bool,
    displaced: CancellationToken,
}

/// A place among the handshakes of an endpoint, until it is dropped.
#[derive(Debug)]
pub(crate) struct HandshakePlace {
    number: u64,
    displaced: CancellationToken,
    places: Rc<RefCell<Places>>,
}

impl Handshakes {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, places: Rc::default() }
    }

    /// Waits for a place. If the oldest handshake has had enough time, it is displaced; those that
    /// wait for a decision of the application only if all do.
    pub(super) async fn wait_for_place(&self) {
        while let Some((number, since)) = self.oldest_if_full() {
            let left = GRACE.saturating_sub(since.elapsed());
            if left.is_zero() {
                self.displace(number);
                return;
            }
            let place = poll_fn(|cx| {
                let mut places = self.places.borrow_mut();
                if places.taken.len() < self.limit {
                    return Poll::Ready(());
                }
                places.listener = Some(cx.waker().clone());
                Poll::Pending
            });
            if let Either::Left(_) = select(place, std::pin::pin!(runtime::sleep(left))).await {
                return;
            }
        }
    }

    /// Takes a place.
    pub(super) fn begin(&self) -> HandshakePlace {
        let mut places = self.places.borrow_mut();
        let (number, displaced) = (places.next, CancellationToken::default());
        places.next += 1;
        let place = Place { since: Instant::now(), is_undecided: false, displaced: displaced.clone() };
        places.taken.insert(number, place);
        HandshakePlace { number, displaced, places: self.places.clone() }
    }

    /// Returns the number and the start of the oldest handshake, if there is no place.
    fn oldest_if_full(&self) -> Option<(u64, Instant)> {
        let places = self.places.borrow();
        let is_full = self.limit > 0 && places.taken.len() >= self.limit;
        let by_age = || places.taken.iter().filter(|_| is_full);
        let oldest = by_age().find(|(_, place)| !place.is_undecided).or_else(|| by_age().next());
        oldest.map(|(number, place)| (*number, place.since))
    }

    fn displace(&self, number: u64) {
        let place = self.places.borrow_mut().taken.remove(&number);
        if let Some(place) = place {
            place.displaced.cancel();
        }
    }
}

impl HandshakePlace {
    /// Returns the token that is cancelled when another connection takes the place.
    pub(crate) fn displaced(&self) -> CancellationToken {
        self.displaced.clone()
    }

    /// Keeps the place while the application decides about the peer, as long as others can be
    /// displaced.
    pub(crate) fn keep(&self) {
        if let Some(place) = self.places.borrow_mut().taken.get_mut(&self.number) {
            place.is_undecided = true;
        }
    }
}

impl Drop for HandshakePlace {
    fn drop(&mut self) {
        let mut places = self.places.borrow_mut();
        places.taken.remove(&self.number);
        let listener = places.listener.take();
        drop(places);
        if let Some(listener) = listener {
            listener.wake();
        }
    }
}

/// The time that a handshake has in any case before it is displaced.
const GRACE: Duration = Duration::from_secs(1);
