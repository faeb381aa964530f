//! Cleanup after a closed peer: its topics, and the reports of their cancellation.
//!
//! There may be a million topics. A separate task removes all but a few of them in slices, so that
//! neither senders nor other connections of the thread are held up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use monocoque_core::{LaneKey, Message, Outbox, PeerKey, Weigh, runtime};
use monocoque_zmtp::Subscription;

use crate::pattern::Incoming;
use crate::pattern::outbound::ClosedLink;
use crate::pattern::publisher::{AT_ONCE, PeerCancels, Publisher};
use crate::pattern::subscription_frame::{as_subscription, report};
use crate::socket::Engine;
use crate::socket::departures::Departure;

/// Removes a peer whose sending side has ended, and gives back its unsent messages.
pub(crate) fn remove_peer(engine: &Arc<Engine>, key: PeerKey, unsent: Outbox) -> ClosedLink {
    let mut closed = engine.with_wakes(|out, wakes| out.remove_peer(key, unsent, wakes));
    drop(std::mem::take(&mut closed.garbage));
    if engine.out.lock().publisher().is_some_and(|publisher| publisher.has_departed()) {
        serve(engine);
    }
    closed
}

/// Ends the receiving side of a connection: the application receives the cancellations of its
/// peer's subscriptions, and the last messages.
pub(crate) fn remove_receiver(engine: &Arc<Engine>, mut departure: Departure) {
    let Departure { key, lane, .. } = departure;
    if engine.pattern.incoming != Incoming::Subscriptions {
        return close_lane(engine, &mut departure);
    }
    let is_much =
        engine.with_wakes(|out, _| out.remove_subscriptions(key)) || engine.inbox.unread(lane) > AT_ONCE;
    if is_much {
        engine.departures.lock().queue.push_back(departure);
        serve(engine);
    } else {
        let _done = report_cancels(engine, departure, &mut YieldPolicy::Never).now_or_never();
    }
}

fn close_lane(engine: &Engine, departure: &mut Departure) {
    engine.inbox.push(departure.lane, &mut departure.last, departure.bytes);
    engine.inbox.detach_lane(departure.lane);
}

/// Starts the cleanup task, unless it is running.
fn serve(engine: &Arc<Engine>) {
    if std::mem::replace(&mut engine.departures.lock().is_served, true) {
        return;
    }
    let service = CleanupTask(Some(engine.clone()));
    if engine.runtime.spawn(|| async move { service.run(&mut YieldPolicy::new()).await }).is_err()
        && !std::mem::replace(&mut engine.departures.lock().is_served, true)
    {
        let _done = CleanupTask(Some(engine.clone())).run(&mut YieldPolicy::Never).now_or_never();
    }
}

/// Removes a few topics of closed peers.
fn sweep(engine: &Engine) {
    if let Some(publisher) = engine.out.lock().publisher() {
        publisher.sweep(AT_ONCE);
    }
}

/// Returns the next piece of work. If there is none, the task has ended.
fn next_work(engine: &Engine) -> Option<Work> {
    let mut departures = engine.departures.lock();
    let mut out = engine.out.lock();
    let mut publisher = out.publisher();
    // A peer with few topics does not wait for a peer with many.
    let is_swept = |departure: &Departure| {
        publisher.as_ref().is_none_or(|publisher| !publisher.is_departed(departure.key))
    };
    let swept = departures.queue.iter().take(AT_ONCE).position(is_swept);
    if let Some(departure) = swept.and_then(|at| departures.queue.remove(at)) {
        return Some(Work::Report(departure));
    }
    departures.is_served = publisher.as_mut().is_some_and(|publisher| publisher.has_departed());
    departures.is_served.then_some(Work::Sweep)
}

/// Reports the topics that have no subscriber any more, and closes the lane.
///
/// A subscription whose report is unread is not reported, and neither is its cancellation.
async fn report_cancels(engine: &Engine, mut departure: Departure, policy: &mut YieldPolicy) {
    let Departure { key, lane, .. } = departure;
    let cancels = engine.out.lock().publisher().map(|publisher| publisher.take_cancels(key));
    let mut cancels = Cancels::of(cancels.unwrap_or_default());
    if cancels.can_be_annulled() {
        let mut unread = UnreadMessages::take(engine, lane);
        while unread.step(&mut cancels) {
            policy.step().await;
        }
    }
    let mut remaining = cancels.reports();
    loop {
        let mut batch: VecDeque<_> = remaining.by_ref().take(AT_ONCE).collect();
        if batch.is_empty() {
            break;
        }
        let bytes = batch.iter().map(Weigh::weight).sum();
        engine.inbox.push(lane, &mut batch, bytes);
        policy.step().await;
    }
    close_lane(engine, &mut departure);
}

/// A piece of cleanup work.
enum Work {
    /// Removal of topics of closed peers.
    Sweep,
    /// Reports for a peer whose topics are all removed.
    Report(Departure),
}

/// The cleanup task. `None` once it is done.
struct CleanupTask(Option<Arc<Engine>>);

impl CleanupTask {
    async fn run(mut self, policy: &mut YieldPolicy) {
        while let Some(engine) = &self.0 {
            match next_work(engine) {
                Some(Work::Sweep) => {
                    sweep(engine);
                    policy.step().await;
                }
                Some(Work::Report(departure)) => report_cancels(engine, departure, policy).await,
                None => self.0 = None,
            }
        }
    }
}

impl Drop for CleanupTask {
    /// The runtime may end before the work is done.
    fn drop(&mut self) {
        if let Some(engine) = &self.0 {
            engine.departures.lock().is_served = false;
        }
    }
}

/// The rule by which the cleanup task yields.
#[derive(Debug)]
enum YieldPolicy {
    /// Never yields.
    Never,
    /// Yields once a slice has passed since this time.
    Since(Instant),
}

impl YieldPolicy {
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

/// The topics of a closed peer, and the outcome of their reports.
#[derive(Debug)]
struct Cancels {
    /// Sorted.
    topics: Vec<Bytes>,
    states: Vec<ReportState>,
    repeated: bool,
}

/// The outcome for the report of one cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReportState {
    /// Undecided.
    Open,
    /// Neither the subscription nor the cancellation is received.
    Annulled,
    /// The cancellation is received.
    Reported,
}

impl Cancels {
    fn of(cancels: PeerCancels) -> Self {
        let PeerCancels { topics, repeated } = cancels;
        Self { states: vec![ReportState::Open; topics.len()], topics, repeated }
    }

    /// Returns whether each unread subscription is the only one of its topic.
    fn can_be_annulled(&self) -> bool {
        !self.topics.is_empty() && !self.repeated
    }

    /// Returns whether an unread message can be skipped. To be called from the last message to the
    /// first.
    fn annuls(&mut self, message: &Message, publisher: &mut Publisher) -> bool {
        let Some((kind, topic)) = as_subscription(message) else { return false };
        let Ok(at) = self.topics.binary_search_by(|other| other[..].cmp(topic)) else { return false };
        let Some(state) = self.states.get_mut(at).filter(|state| **state == ReportState::Open) else {
            return false;
        };
        *state = match kind {
            Subscription::Subscribe if publisher.annul(topic) => ReportState::Annulled,
            Subscription::Subscribe | Subscription::Cancel => ReportState::Reported,
        };
        *state == ReportState::Annulled
    }

    /// Returns the remaining reports.
    fn reports(self) -> impl Iterator<Item = Message> {
        let reported =
            self.topics.into_iter().zip(self.states).filter(|(_, state)| *state != ReportState::Annulled);
        reported.map(|(topic, _)| report(Subscription::Cancel, &topic))
    }
}

/// The unread messages of a lane, taken out of it and put back on drop.
struct UnreadMessages<'a> {
    engine: &'a Engine,
    lane: LaneKey,
    messages: VecDeque<Message>,
    kept: VecDeque<Message>,
    gone: usize,
    bytes: usize,
}

impl<'a> UnreadMessages<'a> {
    fn take(engine: &'a Engine, lane: LaneKey) -> Self {
        let messages = engine.inbox.take_unread(lane);
        Self { engine, lane, messages, kept: VecDeque::new(), gone: 0, bytes: 0 }
    }

    /// Removes the annulled ones of a few messages. Returns whether there are more messages.
    fn step(&mut self, cancels: &mut Cancels) -> bool {
        // Blocks receivers, so that none receives one of two reports that annul each other.
        let _hold = self.engine.inbox.lock_receivers();
        let mut out = self.engine.out.lock();
        let Some(publisher) = out.publisher() else { return false };
        for _ in 0..AT_ONCE {
            let Some(message) = self.messages.pop_back() else { return false };
            if cancels.annuls(&message, publisher) {
                self.gone += 1;
                self.bytes += message.weight();
            } else {
                self.kept.push_front(message);
            }
        }
        true
    }
}

impl Drop for UnreadMessages<'_> {
    fn drop(&mut self) {
        self.messages.append(&mut self.kept);
        self.engine.inbox.put_back(self.lane, &mut self.messages, self.gone, self.bytes);
    }
}

/// The longest slice of work between two yields.
const SLICE: Duration = Duration::from_micros(500);
