//! Monocoque sockets of a [child process](crate::child_main), used through blocking calls.

use std::time::Duration;

use monocoque::zmq::{Builder, DealerSocket, PullSocket, PushSocket, Socket, capability};
use monocoque::{Message, MonocoqueError};

use crate::child_socket::{Attaches, Receives, Sends, WAIT};
use crate::monocoque_peers::with_options;
use testing::ledger::Frames;

/// A socket that is used through blocking calls.
pub(crate) struct Blocking<S>(S);

pub(crate) fn push() -> Blocking<PushSocket> {
    built(PushSocket::builder().send_hwm(100))
}

pub(crate) fn pull() -> Blocking<PullSocket> {
    built(PullSocket::builder().recv_hwm(100))
}

pub(crate) fn dealer() -> Blocking<DealerSocket> {
    built(DealerSocket::builder())
}

fn built<S: Socket>(builder: Builder<S>) -> Blocking<S> {
    Blocking(with_options(builder).build().expect("a socket"))
}

impl<S: Socket> Attaches for Blocking<S> {
    fn bind(&self, endpoint: &str) -> Result<(), String> {
        self.0.blocking().bind(endpoint).map(drop).map_err(|error| error.to_string())
    }

    fn connect(&self, endpoint: &str) {
        self.0.blocking().connect(endpoint).expect("an endpoint");
    }

    fn lost_connections(&self) -> u64 {
        self.0.stats().lost_connections
    }

    fn close(self) {
        self.0.blocking().close().expect("called outside the runtime of the socket");
    }
}

impl<S: capability::Sends> Sends for Blocking<S> {
    fn send(&self, frames: Frames) -> bool {
        match self.0.blocking().send_timeout(Message::from(frames), WAIT) {
            Ok(()) => true,
            Err(error) if matches!(error.reason(), MonocoqueError::TimedOut) => false,
            Err(error) => panic!("not sent: {error}"),
        }
    }
}

impl<S: capability::Receives> Receives for Blocking<S> {
    fn receive(&self, wait: Duration) -> Option<Frames> {
        let received = match wait.is_zero() {
            true => self.0.try_recv(),
            false => self.0.blocking().recv_timeout(wait),
        };
        match received {
            Ok(message) => Some(message.iter().map(<[u8]>::to_vec).collect()),
            Err(MonocoqueError::TimedOut | MonocoqueError::WouldBlock) => None,
            Err(error) => panic!("not received: {error}"),
        }
    }
}
