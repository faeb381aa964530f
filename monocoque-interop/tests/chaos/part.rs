//! The parts of the scenario: the sockets to run, and their endpoints.

use futures::channel::oneshot;

use testing::ledger::Class;

/// The socket type of a part, with its variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Push,
    Pull,
    Router,
    Dealer(RoutingIdKind),
    Pub,
    Sub(ReadSpeed),
}

/// The routing id of a DEALER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoutingIdKind {
    /// The same in all lifetimes.
    Own,
    None,
}

/// The reading speed of a SUB during the faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadSpeed {
    Good,
    Slow,
    /// Does not read.
    Stopped,
}

/// The implementation of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Implementation {
    /// Monocoque.
    Ours,
    /// Monocoque in a process of its own.
    Process,
    /// libzmq in a process of its own: an abort of libzmq ends no other part.
    Theirs,
}

/// The description of an actor.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Its index among all parts.
    pub(crate) index: u8,
    pub(crate) role: Role,
    pub(crate) implementation: Implementation,
    pub(crate) killable: bool,
    pub(crate) binds: Vec<String>,
    pub(crate) connects: Vec<String>,
    /// Additional endpoints to connect to: those of hostile peers, and one without a listener.
    pub(crate) additional: Vec<String>,
    /// Whether two threads connect and disconnect these endpoints during the faults.
    pub(crate) reconnects: bool,
}

/// Completes when a lifetime is to end.
pub(crate) type End = oneshot::Receiver<()>;

impl Role {
    /// Returns the class that it sends and the class that it receives.
    pub(crate) fn classes(self) -> (Option<Class>, Option<Class>) {
        match self {
            Self::Push => (Some(Class::Work), None),
            Self::Pull => (None, Some(Class::Work)),
            Self::Router => (None, Some(Class::Request)),
            Self::Dealer(_) => (Some(Class::Request), Some(Class::Reply)),
            Self::Pub => (Some(Class::Publication), None),
            Self::Sub(_) => (None, Some(Class::Publication)),
        }
    }
}

impl Part {
    pub(crate) fn name(&self) -> String {
        format!("{:?} {} ({:?})", self.role, self.index, self.implementation)
    }
}
