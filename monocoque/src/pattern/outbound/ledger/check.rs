//! Comparisons of the socket with its expected state.

use super::peer::{encoded, is_parked, outbox_of};
use super::*;

impl Ledger {
    /// Finds out which peers got the messages that waited for any peer: they go in order.
    pub(super) fn find_given_messages(&mut self) {
        let mut given = 0;
        for peer in self.peers.iter_mut().filter(|peer| !peer.is_replaced) {
            let link = self.out.peers.links.get(peer.key).expect("it is there");
            let all = peer.bytes(outbox_of(link));
            let known = encoded(&peer.given).len();
            assert!(all.len() >= known, "something is lost");
            let mut more = &all[known..];
            for message in &self.backlog {
                if more.is_empty() {
                    break;
                }
                if let Some(rest) = more.strip_prefix(&message.bytes()[..]) {
                    assert!(!peer.leaving, "it gets nothing more");
                    peer.given.push(*message);
                    given += 1;
                    more = rest;
                }
            }
            assert!(more.is_empty(), "bytes that were not sent, or not in this order");
        }
        let mut first: Vec<_> = self.backlog.drain(..given).collect();
        let mut found: Vec<_> = self.peers.iter().flat_map(|peer| &peer.given).copied().collect();
        found.sort_by_key(|message| message.number);
        assert!(found.windows(2).all(|pair| pair[0] != pair[1]), "twice");
        first.retain(|message| found.binary_search_by_key(&message.number, |found| found.number).is_err());
        assert_eq!(first, [], "overtaken by what was sent later");
    }

    pub(super) fn check(&self) {
        let waiting = self.backlog.iter().map(|sent| sent.message());
        assert!(self.out.queue.backlog.messages().eq(waiting), "whole, in order and once");
        for peer in self.peers.iter().filter(|peer| !peer.is_replaced) {
            let link = self.out.peers.links.get(peer.key).expect("it is there");
            let all = peer.bytes(outbox_of(link));
            assert!(all == encoded(&peer.given), "whole, in order and once");
            assert_eq!(link.messages(), peer.waiting());
            assert!(!is_parked(link) || link.messages() == 0 || self.holds, "its pump sleeps on");
            let stuck = !self.by_name && peer.is_there() && self.has_room(peer) && !self.backlog.is_empty();
            assert!(!stuck, "somebody has room for what waits");
        }
        let left: usize = self.pending.iter().map(|(.., left)| left.len()).sum();
        let waiting = self.backlog.len() + left + self.peers.iter().map(Peer::waiting).sum::<usize>();
        let taken: usize = self.peers.iter().map(Peer::taken).sum();
        assert_eq!((self.out.counters.sent, self.out.queued()), (self.accepted, waiting));
        assert_eq!(self.out.counters.dropped, self.refused + self.dropped);
        assert_eq!(self.accepted, self.delivered + self.dropped + (waiting + taken) as u64, "it adds up");
    }

    /// Checks that all remaining messages are written, or dropped.
    pub(super) fn end(mut self, phase: Phase) {
        self.out.enter(phase, &mut Wakes::default());
        if phase == Phase::Aborted {
            self.dropped += self.backlog.len() as u64;
            self.dropped += self.pending.drain(..).map(|(.., left)| left.len() as u64).sum::<u64>();
            self.backlog.clear();
        }
        loop {
            if let Some(at) = self.peers.len().checked_sub(1) {
                self.fetch(at);
            } else if self.out.has_waiting() {
                assert!(self.out.wants_peers());
                if let Some(at) = self
                    .pending
                    .iter()
                    .position(|(of_endpoint, name, _)| self.is_kept_from(name, *of_endpoint))
                {
                    // Its peer would be refused.
                    let (of_endpoint, _, left) = self.pending.remove(at);
                    self.out.detach_endpoint(of_endpoint, &mut Wakes::default());
                    self.dropped += left.len() as u64;
                    continue;
                }
                let (endpoint_key, name) = match self.pending.first() {
                    Some((of_endpoint, name, _)) => {
                        (EndpointKey { id: *of_endpoint, origin: Origin::Connected }, name[0])
                    }
                    None => (self.endpoints[0], 1),
                };
                self.up(endpoint_key, name);
            } else {
                break;
            }
            self.find_given_messages();
            self.check();
        }
        assert_eq!((self.out.queued(), self.accepted), (0, self.delivered + self.dropped));
    }
}
