//! What peers leave that have gone: their topics, and what the program is told of that.
//!
//! It may be a million topics. All but a few are taken down a part at a time by a task of their own, so that neither whoever
//! sends nor the other connections of the thread wait for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use monocoque_core::{LaneKey, Message, Outbox, PeerKey, Weigh, runtime};
use monocoque_zmtp::Subscription;

use super::Engine;
use crate::pattern::Intake;
use crate::pattern::asking::{as_subscription, report};
use crate::pattern::audience::{AT_ONCE, Audience, Farewell};
use crate::pattern::route::Remains;

/// What is still to be done for peers that have gone.
#[derive(Debug, Default)]
pub(super) struct Departures {
    farewells: VecDeque<Departure>,
    /// There is a task that does it.
    is_served: bool,
}

/// A connection whose receiving side has ended.
#[derive(Debug)]
pub(super) struct Departure {
    pub(super) key: PeerKey,
    pub(super) lane: LaneKey,
    /// What the program receives last, and what it weighs.
    pub(super) last: VecDeque<Message>,
    pub(super) bytes: usize,
}

impl Engine {
    /// The sending side of a connection has ended.
    pub(super) fn link_down(self: &Arc<Self>, key: PeerKey, unsent: Outbox) -> Remains {
        let mut remains = self.with_wakes(|out, wakes| out.down(key, unsent, wakes));
        drop(std::mem::take(&mut remains.garbage));
        if self.out.lock().audience().is_some_and(|audience| audience.has_departed()) {
            self.serve_departures();
        }
        remains
    }

    /// The receiving side of a connection has ended: the program receives what its peer wants no more, and what comes last.
    pub(super) fn depart(self: &Arc<Self>, mut departure: Departure) {
        let Departure { key, lane, .. } = departure;
        if self.pattern.intake != Intake::Subscriptions {
            return self.close_lane(&mut departure);
        }
        let is_much = self.with_wakes(|out, _| out.depart(key)) || self.inbox.unread(lane) > AT_ONCE;
        if is_much {
            self.departures.lock().farewells.push_back(departure);
            self.serve_departures();
        } else {
            let _done = self.say_farewell(departure, &mut Pace::Unbroken).now_or_never();
        }
    }

    fn close_lane(&self, departure: &mut Departure) {
        self.inbox.push(departure.lane, &mut departure.last, departure.bytes);
        self.inbox.detach_lane(departure.lane);
    }

    /// Makes the task that does what is to be done, unless there is one.
    fn serve_departures(self: &Arc<Self>) {
        if std::mem::replace(&mut self.departures.lock().is_served, true) {
            return;
        }
        let service = Service(Some(self.clone()));
        if self.home.spawn(|| async move { service.run(&mut Pace::new()).await }).is_err()
            && !std::mem::replace(&mut self.departures.lock().is_served, true)
        {
            let _done = Service(Some(self.clone())).run(&mut Pace::Unbroken).now_or_never();
        }
    }

    /// Takes down a few topics of peers that have gone.
    fn sweep(&self) {
        if let Some(audience) = self.out.lock().audience() {
            audience.sweep(AT_ONCE);
        }
    }

    /// What is to be done next. If there is nothing, the task has ended.
    fn next_work(&self) -> Option<Work> {
        let mut departures = self.departures.lock();
        let mut out = self.out.lock();
        let mut audience = out.audience();
        // One whose topics are few does not wait for another one's.
        let is_swept = |departure: &Departure| {
            audience.as_ref().is_none_or(|audience| !audience.is_departed(departure.key))
        };
        let swept = departures.farewells.iter().take(AT_ONCE).position(is_swept);
        if let Some(departure) = swept.and_then(|at| departures.farewells.remove(at)) {
            return Some(Work::Farewell(departure));
        }
        departures.is_served = audience.as_mut().is_some_and(|audience| audience.has_departed());
        departures.is_served.then_some(Work::Topics)
    }

    /// Tells the program which topics nobody is left to want, and closes the lane.
    ///
    /// What it has not received yet of the beginning of a subscription it need not receive, and neither its end.
    async fn say_farewell(&self, mut departure: Departure, pace: &mut Pace) {
        let Departure { key, lane, .. } = departure;
        let farewell = self.out.lock().audience().map(|audience| audience.farewell(key)).unwrap_or_default();
        let mut ends = Ends::of(farewell);
        if ends.can_be_annulled() {
            let mut unread = Unread::take(self, lane);
            while unread.step(&mut ends) {
                pace.step().await;
            }
        }
        let mut remaining = ends.reports();
        loop {
            let mut batch: VecDeque<_> = remaining.by_ref().take(AT_ONCE).collect();
            if batch.is_empty() {
                break;
            }
            let bytes = batch.iter().map(Weigh::weight).sum();
            self.inbox.push(lane, &mut batch, bytes);
            pace.step().await;
        }
        self.close_lane(&mut departure);
    }
}

/// Something to be done.
enum Work {
    /// Topics of peers that have gone are to be taken down.
    Topics,
    Farewell(Departure),
}

/// The task that does what is to be done. `None` once all is.
struct Service(Option<Arc<Engine>>);

impl Service {
    async fn run(mut self, pace: &mut Pace) {
        while let Some(engine) = &self.0 {
            match engine.next_work() {
                Some(Work::Topics) => {
                    engine.sweep();
                    pace.step().await;
                }
                Some(Work::Farewell(departure)) => engine.say_farewell(departure, pace).await,
                None => self.0 = None,
            }
        }
    }
}

impl Drop for Service {
    /// The runtime may end before all is done.
    fn drop(&mut self) {
        if let Some(engine) = &self.0 {
            engine.departures.lock().is_served = false;
        }
    }
}

/// When a task that works in parts lets others go on.
#[derive(Debug)]
enum Pace {
    /// Never.
    Unbroken,
    /// When this is long ago.
    Since(Instant),
}

impl Pace {
    fn new() -> Self {
        Self::Since(Instant::now())
    }

    async fn step(&mut self) {
        if let Self::Since(began) = self
            && began.elapsed() >= SLICE
        {
            runtime::process_completions().await;
            *began = Instant::now();
        }
    }
}

/// The topics that a peer has left, and what became of telling the program.
#[derive(Debug)]
struct Ends {
    /// Sorted.
    topics: Vec<Bytes>,
    fates: Vec<Fate>,
    repeated: bool,
}

/// What becomes of telling the end of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing is known yet.
    Open,
    /// The beginning was not received, and will not be.
    Annulled,
    /// It is told.
    Told,
}

impl Ends {
    fn of(farewell: Farewell) -> Self {
        let Farewell { topics, repeated } = farewell;
        Self { fates: vec![Fate::Open; topics.len()], topics, repeated }
    }

    /// Whether each beginning that was not received is the only one.
    fn can_be_annulled(&self) -> bool {
        !self.topics.is_empty() && !self.repeated
    }

    /// Whether a message that was not received need not be. To be asked of the last one first.
    fn annuls(&mut self, message: &Message, audience: &mut Audience) -> bool {
        let Some((kind, topic)) = as_subscription(message) else { return false };
        let Ok(at) = self.topics.binary_search_by(|other| other[..].cmp(topic)) else { return false };
        let Some(fate) = self.fates.get_mut(at).filter(|fate| **fate == Fate::Open) else { return false };
        *fate = match kind {
            Subscription::Subscribe if audience.annul(topic) => Fate::Annulled,
            Subscription::Subscribe | Subscription::Cancel => Fate::Told,
        };
        *fate == Fate::Annulled
    }

    /// What the program is told.
    fn reports(self) -> impl Iterator<Item = Message> {
        let told = self.topics.into_iter().zip(self.fates).filter(|(_, fate)| *fate != Fate::Annulled);
        told.map(|(topic, _)| report(Subscription::Cancel, &topic))
    }
}

/// What a lane holds and no receiver has fetched, taken out of it. It is put back when this is dropped.
struct Unread<'a> {
    engine: &'a Engine,
    lane: LaneKey,
    messages: VecDeque<Message>,
    kept: VecDeque<Message>,
    gone: usize,
    bytes: usize,
}

impl<'a> Unread<'a> {
    fn take(engine: &'a Engine, lane: LaneKey) -> Self {
        let messages = engine.inbox.take_unread(lane);
        Self { engine, lane, messages, kept: VecDeque::new(), gone: 0, bytes: 0 }
    }

    /// Leaves out what is annulled, of a few messages; whether there are more.
    fn step(&mut self, ends: &mut Ends) -> bool {
        // Nobody is to receive one of two reports that annul each other.
        let _hold = self.engine.inbox.lock_receivers();
        let mut out = self.engine.out.lock();
        let Some(audience) = out.audience() else { return false };
        for _ in 0..AT_ONCE {
            let Some(message) = self.messages.pop_back() else { return false };
            if ends.annuls(&message, audience) {
                self.gone += 1;
                self.bytes += message.weight();
            } else {
                self.kept.push_front(message);
            }
        }
        true
    }
}

impl Drop for Unread<'_> {
    fn drop(&mut self) {
        self.messages.append(&mut self.kept);
        self.engine.inbox.put_back(self.lane, &mut self.messages, self.gone, self.bytes);
    }
}

/// How long such a task goes on at a time.
const SLICE: Duration = Duration::from_micros(500);
