//! Hubs and queues of the core, filled as needed by `instructions` and `scale`.

use std::collections::VecDeque;

use monocoque_core::{
    Inbox, LaneConfig, LaneKey, Message, PeerEvent, PeerKey, PubSubHub, RouterBehavior, RouterHub, RoutingId,
    Weigh,
};

pub fn message(len: usize) -> Message {
    Message::from(&vec![b'm'; len][..])
}

/// An inbox whose messages are pushed again after they are received.
pub struct Lanes {
    inbox: Inbox<Message>,
    lanes: Vec<(LaneKey, VecDeque<Message>)>,
    /// The size of a batch in bytes.
    bytes: usize,
}

impl Lanes {
    /// The number of messages in a batch.
    pub const BATCH: usize = 10;

    pub fn new(n: u32) -> Self {
        let inbox = Inbox::new();
        let batch: VecDeque<_> = (0..Self::BATCH).map(|_| message(64)).collect();
        let bytes = batch.iter().map(Weigh::weight).sum();
        let attach = |slot| inbox.open_lane(PeerKey::new(slot, 1), (), LaneConfig::default());
        let lanes = (0..n).map(|slot| (attach(slot), batch.clone())).collect();
        Self { inbox, lanes, bytes }
    }

    /// Pushes a batch to each lane and receives all messages. Returns their number.
    pub fn push_and_take(&mut self) -> usize {
        let Self { inbox, lanes, bytes } = self;
        for (lane, batch) in &mut *lanes {
            inbox.push(*lane, batch, *bytes);
        }
        for _ in 0..Self::BATCH {
            for (_, batch) in &mut *lanes {
                let next = inbox.try_next().expect("an open inbox");
                batch.push_back(next.expect("as many as were pushed").pop());
            }
        }
        Self::BATCH * lanes.len()
    }
}

/// Creates a hub with `peers` peers. Returns it with their ids.
pub fn router(behavior: RouterBehavior, peers: u32) -> (RouterHub, Vec<RoutingId>) {
    let mut hub = RouterHub::new(behavior);
    let mut ids = Vec::new();
    for slot in 0..peers {
        let id = RoutingId::try_from(&slot.to_be_bytes()).expect("short enough");
        let event = PeerEvent::Up { key: PeerKey::new(slot, 1), id: id.clone() };
        hub.on_event(event).expect("unique ids");
        ids.push(id);
    }
    (hub, ids)
}

/// Creates a hub with one peer that has subscribed to `topics`.
pub fn publisher(topics: impl IntoIterator<Item = impl AsRef<[u8]>>) -> PubSubHub {
    let mut hub = PubSubHub::default();
    let key = PeerKey::new(0, 1);
    hub.on_event(PeerEvent::Up { key, id: () });
    for topic in topics {
        hub.subscribe(key, topic);
    }
    hub
}

pub fn topic(n: usize) -> String {
    format!("instrument.{n:06}.")
}

/// Returns subjects that match `topics` topics, in a scattered order.
pub fn subjects(topics: usize) -> Vec<String> {
    (0..1000).map(|n| format!("{}price", topic(n * 7919 % topics))).collect()
}
