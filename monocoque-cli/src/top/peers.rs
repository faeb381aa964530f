//! The peers of a socket, by their connections.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use monocoque::{ConnectionId, Peer, SocketEvent};

use super::{Counter, Table, counted};

/// The connected peers, with what was received from each.
#[derive(Debug, Default)]
pub(crate) struct Peers(HashMap<ConnectionId, PeerRow>);

#[derive(Debug)]
struct PeerRow {
    address: String,
    kind: &'static str,
    routing_id: String,
    since: Instant,
    received: Counter,
}

impl Peers {
    /// Takes an event of the socket into account.
    pub(crate) fn update(&mut self, event: &SocketEvent) {
        match event {
            SocketEvent::HandshakeSucceeded { connection, socket_type, routing_id } => {
                let new = || PeerRow::new(connection.peer.to_string());
                let row = self.0.entry(connection.id).or_insert_with(new);
                row.kind = socket_type.name();
                row.routing_id = routing_id.to_string();
            }
            SocketEvent::Disconnected { connection, .. } => {
                self.0.remove(&connection.id);
            }
            _ => {}
        }
    }

    /// Counts a received message. One of a peer that has gone is not shown.
    pub(crate) fn count(&mut self, peer: &Peer, bytes: usize) {
        if let Some(row) = self.0.get_mut(&peer.connection().id) {
            row.received.add(bytes);
        }
    }

    /// Returns the table of peers that send, the busiest one first.
    pub(crate) fn received(&mut self, elapsed: Duration) -> Table {
        let mut rows: Vec<_> = self.0.values_mut().collect();
        rows.sort_by(|one, other| {
            let key = |row: &PeerRow| (row.received.recent(), row.received.messages);
            key(other).cmp(&key(one)).then_with(|| one.address.cmp(&other.address))
        });
        let rows = rows.into_iter().map(|row| {
            let named = [row.address.clone(), row.kind.into(), row.routing_id.clone(), row.age()];
            named.into_iter().chain(row.received.cells(elapsed)).collect()
        });
        Table {
            title: "Peers",
            columns: counted!("peer", "type", "routing id", "connected"),
            rows: rows.collect(),
        }
    }

    /// Returns rows of name, address, type, routing id and age, in the order of connecting.
    pub(crate) fn rows(&self, name: &str) -> Vec<Vec<String>> {
        let mut peers: Vec<_> = self.0.iter().collect();
        peers.sort_by_key(|(id, _)| **id);
        let row = |(_, row): (&ConnectionId, &PeerRow)| {
            vec![name.into(), row.address.clone(), row.kind.into(), row.routing_id.clone(), row.age()]
        };
        peers.into_iter().map(row).collect()
    }
}

impl PeerRow {
    fn new(address: String) -> Self {
        Self {
            address,
            kind: "",
            routing_id: String::new(),
            since: Instant::now(),
            received: Counter::default(),
        }
    }

    fn age(&self) -> String {
        humantime::format_duration(Duration::from_secs(self.since.elapsed().as_secs())).to_string()
    }
}
