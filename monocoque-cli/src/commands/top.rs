//! `mq top`.

use std::cell::RefCell;

use futures_lite::StreamExt;
use futures_lite::future::{or, pending};
use monocoque::zmq::SocketType;

use super::{NOT_TAKEN, topics};
use crate::args::TopArgs;
use crate::error::Error;
use crate::reports::Verbosity;
use crate::session::{Env, Session};
use crate::top::{Peers, Screen, Snapshot, Topics};

pub(super) async fn run(args: &TopArgs, env: &Env) -> Result<(), Error> {
    // Failures are on the screen.
    let env = &Env { verbosity: Verbosity::Silent, ..env.clone() };
    let session = Session::make(SocketType::Sub, (&args.connection).into(), env, |builder| builder)?;
    let mut monitor = session.socket.monitor();
    session.attach(&args.connection.endpoints).await?;
    topics::of(&args.topics).iter().try_for_each(|topic| session.socket.subscribe(topic))?;
    let observed = RefCell::new(Observed::default());
    let receiving = async {
        loop {
            let received = session.recv_with_peer().await?;
            let bytes = received.message.byte_len();
            let Observed { peers, topics } = &mut *observed.borrow_mut();
            topics.count(&received.message, bytes);
            if let Some(peer) = &received.peer {
                peers.count(peer, bytes);
            }
        }
    };
    let watching = async {
        while let Some(event) = monitor.next().await {
            observed.borrow_mut().peers.update(&event);
        }
        pending().await
    };
    let screen = Screen::open(args.interval, args.count)?;
    let showing = screen.run(|elapsed| {
        let Observed { peers, topics } = &mut *observed.borrow_mut();
        let stats = session.socket.stats();
        let mut lines = vec![format!(
            "mq top: {} peers, {} messages received, {} queued, {} discarded; {} connections lost, {} handshakes failed",
            stats.peers, stats.received, stats.recv_queue, stats.discarded, stats.lost_connections, stats.failed_handshakes
        )];
        lines.extend(session.status());
        Snapshot { lines, tables: vec![peers.received(elapsed), topics.table(elapsed)] }
    });
    let work = or(or(showing, watching), receiving);
    let done = session.until_interrupted(work, || args.count.is_none()).await;
    session.close(done, NOT_TAKEN).await
}

#[derive(Debug, Default)]
struct Observed {
    peers: Peers,
    topics: Topics,
}
