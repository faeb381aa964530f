//! The subscription reports of an XPUB: selects those that the application receives, so that it can
//! keep a set of topics.
//!
//! A report lies in the lane of the peer that caused it, and lanes are received in turn, so reports
//! of several peers about one topic may be reordered. Each is judged when it is received. A
//! subscription is skipped if the application knows the topic as subscribed, or no peer subscribes
//! to it any more; a cancellation is skipped if the application does not know the topic, or a peer
//! subscribes to it again. Once all reports are received, the set of the application is right.

use std::collections::BTreeMap;

use bytes::Bytes;
use monocoque_zmtp::Subscription;

/// The topics with reports that the application has not received yet.
///
/// A topic is `wanted` while a peer subscribes to it. Invariant: for a wanted topic, the
/// application knows it or a subscription is unread; for any other topic, the application does not
/// know it or a cancellation is unread.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    // There may be a million topics: a map without long pauses to grow.
    topics: BTreeMap<Bytes, UnreadReports>,
    /// Every subscription is received, also those of known topics.
    verbose: bool,
}

/// The unread reports of one topic.
#[derive(Clone, Copy, Debug)]
struct UnreadReports {
    /// The application has last received a subscription of the topic.
    known: bool,
    begins: usize,
    ends: usize,
}

impl Reports {
    pub(super) fn new(verbose: bool) -> Self {
        Self { topics: BTreeMap::new(), verbose }
    }

    pub(super) fn set_verbose(&mut self, verbose: bool) {
        self.verbose = verbose;
    }

    /// Adds a report that is to be received; `known` tells if the topic was wanted before.
    pub(super) fn add(&mut self, kind: Subscription, topic: Bytes, known: bool) {
        let unread = self.topics.entry(topic).or_insert(UnreadReports { known, begins: 0, ends: 0 });
        *unread.count(kind) += 1;
    }

    /// Returns whether the application receives the next report. One that was never added is a
    /// message that a peer sent.
    pub(super) fn admits(&self, kind: Subscription, topic: &[u8], wanted: bool) -> bool {
        self.topics.get(topic).is_none_or(|unread| unread.admits(kind, wanted, self.verbose))
    }

    /// Removes a report that has left its lane; `received` tells if the application has received
    /// it.
    pub(super) fn remove(&mut self, kind: Subscription, topic: &[u8], received: bool) {
        self.change(topic, |unread| {
            *unread.count(kind) = unread.count(kind).saturating_sub(1);
            if received {
                unread.known = kind == Subscription::Subscribe;
            }
        });
    }

    /// Removes an unread subscription and an unread cancellation, if the application needs neither
    /// of them to know the state of the topic. Returns whether it did.
    pub(super) fn annul(&mut self, topic: &[u8], wanted: bool) -> bool {
        let Some(unread) = self.topics.get(topic) else { return false };
        let learns =
            if wanted { unread.known || unread.begins > 1 } else { !unread.known || unread.ends > 1 };
        let both = unread.begins > 0 && unread.ends > 0;
        if learns && both {
            self.change(topic, |unread| {
                unread.begins -= 1;
                unread.ends -= 1;
            });
        }
        learns && both
    }

    fn change(&mut self, topic: &[u8], change: impl FnOnce(&mut UnreadReports)) {
        let Some(unread) = self.topics.get_mut(topic) else { return };
        change(unread);
        if unread.begins + unread.ends == 0 {
            self.topics.remove(topic);
        }
    }
}

impl UnreadReports {
    const fn count(&mut self, kind: Subscription) -> &mut usize {
        match kind {
            Subscription::Subscribe => &mut self.begins,
            Subscription::Cancel => &mut self.ends,
        }
    }

    const fn admits(&self, kind: Subscription, wanted: bool, verbose: bool) -> bool {
        match kind {
            Subscription::Subscribe => (verbose || !self.known) && (wanted || self.ends > 0),
            Subscription::Cancel => self.known && (!wanted || self.begins > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use fastrand::Rng;

    use super::*;

    const PEERS: usize = 4;

    /// Peers that subscribe to one topic or not, the lanes of their reports, and the set of the
    /// application.
    struct Scene {
        reports: Reports,
        verbose: bool,
        wants: [bool; PEERS],
        lanes: [VecDeque<Subscription>; PEERS],
        set: bool,
    }

    impl Scene {
        fn new(verbose: bool) -> Self {
            let lanes = std::array::from_fn(|_| VecDeque::new());
            Self { reports: Reports::new(verbose), verbose, wants: [false; PEERS], lanes, set: false }
        }

        fn wanted(&self) -> bool {
            self.wants.contains(&true)
        }

        fn turn(&mut self, peer: usize) {
            let before = self.wanted();
            self.wants[peer] ^= true;
            let begins = self.wants[peer];
            if before != self.wanted() || (begins && self.verbose) {
                let kind = if begins { Subscription::Subscribe } else { Subscription::Cancel };
                self.reports.add(kind, "t".into(), before);
                self.lanes[peer].push_back(kind);
            }
        }

        fn receive(&mut self, peer: usize) {
            let Some(kind) = self.lanes[peer].pop_front() else { return };
            let received = self.reports.admits(kind, b"t", self.wanted());
            self.reports.remove(kind, b"t", received);
            if received {
                let begins = kind == Subscription::Subscribe;
                assert!(self.verbose && begins || self.set != begins, "received twice");
                self.set = begins;
            }
        }

        fn annul(&mut self, peer: usize) {
            let lane = &self.lanes[peer];
            let Some(at) = lane.len().checked_sub(2) else { return };
            let pair = [lane[at], lane[at + 1]];
            if pair == [Subscription::Subscribe, Subscription::Cancel]
                && self.reports.annul(b"t", self.wanted())
            {
                self.lanes[peer].truncate(at);
            }
        }

        fn finish(&mut self, rng: &mut Rng) {
            while self.lanes.iter().any(|lane| !lane.is_empty()) {
                self.receive(rng.usize(0..PEERS));
            }
            assert_eq!(self.set, self.wanted());
            assert!(self.reports.topics.is_empty());
        }
    }

    #[test]
    fn random_reports_yield_correct_set() {
        let mut rng = Rng::with_seed(0x5e7);
        for round in 0..20_000 {
            let mut scene = Scene::new(round % 2 == 0);
            for _ in 0..rng.usize(1..24) {
                let peer = rng.usize(0..PEERS);
                match rng.u8(0..6) {
                    0 => scene.annul(peer),
                    1 | 2 => scene.receive(peer),
                    _ => scene.turn(peer),
                }
            }
            scene.finish(&mut rng);
        }
    }

    #[test]
    fn single_lane_reports_all_admitted() {
        let mut rng = Rng::with_seed(7);
        for _ in 0..1_000 {
            let mut scene = Scene::new(false);
            let (mut turns, mut received) = (0, 0);
            for _ in 0..30 {
                if rng.bool() {
                    scene.turn(0);
                    turns += 1;
                } else if let Some(kind) = scene.lanes[0].front() {
                    received += usize::from(scene.reports.admits(*kind, b"t", scene.wanted()));
                    scene.receive(0);
                }
            }
            assert_eq!(received, turns - scene.lanes[0].len());
        }
    }

    #[test]
    fn swapped_reports_keep_topic_subscribed() {
        let mut scene = Scene::new(false);
        scene.turn(0);
        scene.receive(0);
        scene.turn(0);
        scene.turn(1);
        scene.receive(1);
        scene.receive(0);
        assert!(scene.set && scene.wanted());
    }
}
