//! Refusals of this process by its peers, which decide about the exit code.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use monocoque::Endpoint;

/// The endpoints whose peers have refused a socket, until they accept it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Rc<RefCell<HashSet<Endpoint>>>);

impl Refusals {
    pub(super) fn insert(&self, endpoint: &Endpoint) {
        self.0.borrow_mut().insert(endpoint.clone());
    }

    pub(super) fn remove(&self, endpoint: &Endpoint) {
        self.0.borrow_mut().remove(endpoint);
    }

    /// Returns whether no peer refuses the socket.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// The first refusal, for --fail-on-refusal: of any socket of the process.
#[derive(Clone, Debug)]
pub(super) struct FirstRefusal {
    sender: flume::Sender<String>,
    receiver: flume::Receiver<String>,
}

impl FirstRefusal {
    pub(super) fn new() -> Self {
        let (sender, receiver) = flume::bounded(1);
        Self { sender, receiver }
    }

    /// Ends the command, with this reason. Returns whether it is the first one.
    pub(super) fn report(&self, reason: &str) -> bool {
        self.sender.try_send(reason.to_owned()).is_ok()
    }

    /// Waits for the first refusal, and returns its reason.
    pub(super) async fn reported(&self) -> String {
        // The sender is here as well: the channel is not closed.
        self.receiver.recv_async().await.unwrap_or_default()
    }
}
