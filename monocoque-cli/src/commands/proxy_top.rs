//! The live tables of `mq proxy --top`.

use std::cell::RefCell;
use std::time::Duration;

use futures_lite::StreamExt;
use futures_lite::future::{or, pending};
use monocoque::{Monitor, ProxyControl};

use crate::error::Error;
use crate::session::Session;
use crate::top::{Counter, Peers, Screen, Snapshot, Table, counted};

/// The two sockets of a proxy, and what goes through it.
#[derive(Debug)]
pub(super) struct ProxyTop<'a> {
    front: &'a Session,
    back: &'a Session,
    /// The types of both.
    names: [&'static str; 2],
    control: ProxyControl,
}

impl<'a> ProxyTop<'a> {
    pub(super) fn new(
        front: &'a Session,
        back: &'a Session,
        names: [&'static str; 2],
        control: ProxyControl,
    ) -> Self {
        Self { front, back, names, control }
    }

    /// Shows snapshots until a key ends it, or standard output is closed.
    pub(super) async fn show(
        &self,
        front_events: Monitor,
        back_events: Monitor,
        every: Duration,
    ) -> Result<(), Error> {
        let (front_peers, back_peers) = (RefCell::new(Peers::default()), RefCell::new(Peers::default()));
        let watching = or(watch(front_events, &front_peers), watch(back_events, &back_peers));
        let (mut forward, mut backward) = (Counter::default(), Counter::default());
        let [front, back] = self.names;
        let showing = Screen::open(every, None)?.run(|elapsed| {
            let stats = self.control.stats();
            forward.set(stats.forward.messages, stats.forward.bytes);
            backward.set(stats.backward.messages, stats.backward.bytes);
            let way = |name: String, counter: &mut Counter| {
                [name].into_iter().chain(counter.cells(elapsed)).collect::<Vec<_>>()
            };
            let traffic = Table {
                title: "Traffic",
                columns: counted!("direction"),
                rows: vec![
                    way(format!("{front} to {back}"), &mut forward),
                    way(format!("{back} to {front}"), &mut backward),
                ],
            };
            let sockets = Table {
                title: "Sockets",
                columns: &[
                    "socket",
                    "peers",
                    "to send",
                    "received",
                    "dropped",
                    "discarded",
                    "lost connections",
                ],
                rows: vec![socket_row(front, self.front), socket_row(back, self.back)],
            };
            let mut rows = front_peers.borrow().rows(front);
            rows.extend(back_peers.borrow().rows(back));
            let peers = Table {
                title: "Peers",
                columns: &["socket", "peer", "type", "routing id", "connected"],
                rows,
            };
            let not_captured = match stats.not_captured {
                0 => String::new(),
                n => format!("; {n} copies not captured"),
            };
            let mut lines = vec![format!("mq proxy: {front} and {back}{not_captured}")];
            lines.extend(self.front.status());
            lines.extend(self.back.status());
            Snapshot { lines, tables: vec![traffic, sockets, peers] }
        });
        or(showing, watching).await
    }
}

async fn watch(mut events: Monitor, peers: &RefCell<Peers>) -> Result<(), Error> {
    while let Some(event) = events.next().await {
        peers.borrow_mut().update(&event);
    }
    pending().await
}

/// Returns the queues and the losses of a socket. The queue of received messages is short: the
/// proxy takes them at once, unless the other socket has no room.
fn socket_row(name: &str, session: &Session) -> Vec<String> {
    let stats = session.socket.stats();
    let numbers = [
        stats.peers as u64,
        stats.send_queue as u64,
        stats.recv_queue as u64,
        stats.dropped,
        stats.discarded,
        stats.lost_connections,
    ];
    [name.to_owned()].into_iter().chain(numbers.map(|number| number.to_string())).collect()
}
