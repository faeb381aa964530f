//! Sockets of Monocoque as a [player](crate::child_main) uses them, by calls that wait.

use std::time::Duration;

use monocoque::zmq::kind::{self, Kind};
use monocoque::zmq::{Builder, DealerSocket, PullSocket, PushSocket, Socket};
use monocoque::{Message, MonocoqueError};

use crate::child_main::{Attaches, Receives, Sends, WAIT};
use crate::monocoque_peers::with_options;
use testing::ledger::Frames;

pub(crate) fn push() -> PushSocket {
    made(PushSocket::builder().send_hwm(100))
}

pub(crate) fn pull() -> PullSocket {
    made(PullSocket::builder().recv_hwm(100))
}

pub(crate) fn dealer() -> DealerSocket {
    made(DealerSocket::builder())
}

fn made<K: Kind>(builder: Builder<K>) -> Socket<K> {
    with_options(builder).build().expect("a socket")
}

impl<K: Kind> Attaches for Socket<K> {
    fn bind(&self, endpoint: &str) -> Result<(), String> {
        self.blocking_bind(endpoint).map(drop).map_err(|error| error.to_string())
    }

    fn connect(&self, endpoint: &str) {
        self.blocking_connect(endpoint).expect("an endpoint");
    }

    fn lost_connections(&self) -> u64 {
        self.stats().lost_connections
    }

    fn close(self) {
        self.blocking_close().expect("elsewhere");
    }
}

impl<K: kind::Sends> Sends for Socket<K> {
    fn send(&self, frames: Frames) -> bool {
        match self.blocking_send_timeout(Message::from(frames), WAIT) {
            Ok(()) => true,
            Err(error) if matches!(error.reason(), MonocoqueError::TimedOut) => false,
            Err(error) => panic!("not sent: {error}"),
        }
    }
}

impl<K: kind::Receives> Receives for Socket<K> {
    fn receive(&self, wait: Duration) -> Option<Frames> {
        let received = match wait.is_zero() {
            true => self.try_recv(),
            false => self.blocking_recv_timeout(wait),
        };
        match received {
            Ok(message) => Some(message.iter().map(<[u8]>::to_vec).collect()),
            Err(MonocoqueError::TimedOut | MonocoqueError::WouldBlock) => None,
            Err(error) => panic!("not received: {error}"),
        }
    }
}
