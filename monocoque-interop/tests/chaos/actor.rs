//! A thread that plays one part, in one life after the other.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;
use futures::channel::oneshot;

use crate::scenario::Shared;
use crate::{child, monocoque_peers};
use testing::ledger::Class;

/// A part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Push,
    Pull,
    Router,
    Dealer(Name),
    Pub,
    Sub(Manner),
}

/// What a DEALER calls itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// The same in all its lives.
    Own,
    None,
}

/// How a SUB reads while there is chaos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Good,
    Slow,
    /// Not at all.
    Stopped,
}

/// Whose implementation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// Monocoque's.
    Ours,
    /// Monocoque's, in a process of its own.
    Process,
    /// libzmq's, in a process of its own: an abort of libzmq ends no other part.
    Theirs,
}

/// What is known of an actor.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Its number among all.
    pub(crate) index: u8,
    pub(crate) role: Role,
    pub(crate) make: Make,
    pub(crate) mortal: bool,
    pub(crate) binds: Vec<String>,
    pub(crate) connects: Vec<String>,
    /// Endpoints that it dials beside those: of hostile peers, and of nobody.
    pub(crate) beside: Vec<String>,
    /// Two threads connect and disconnect all of these while there is chaos.
    pub(crate) reconnects: bool,
}

#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) part: Part,
    kill: Kill,
    thread: JoinHandle<()>,
}

/// Ends the life that is on.
type Kill = Arc<Mutex<Option<oneshot::Sender<()>>>>;
/// Tells a life that it is to end.
pub(crate) type End = oneshot::Receiver<()>;

impl Role {
    /// What it sends, and what it receives.
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
        format!("{:?} {} ({:?})", self.role, self.index, self.make)
    }
}

impl Actor {
    pub(crate) fn start(part: Part, shared: Arc<Shared>, seed: u64) -> Self {
        let kill = Kill::default();
        let (to_kill, cast) = (kill.clone(), part.clone());
        let play = move || {
            let mut chance = Rng::with_seed(seed);
            let mut home = None;
            loop {
                let (kill, end) = oneshot::channel();
                *to_kill.lock().expect("not poisoned") = Some(kill);
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                match cast.make {
                    Make::Ours => home = Some(monocoque_peers::live(&cast, &shared, end, &mut chance, home)),
                    Make::Process | Make::Theirs => child::live(&cast, &shared, end, &mut chance),
                }
                if !shared.ended.load(Ordering::SeqCst) {
                    // Away for a moment, mostly.
                    thread::sleep(Duration::from_millis(chance.u64(0..80)));
                }
            }
        };
        let thread = thread::Builder::new().name(part.name()).spawn(play).expect("a thread");
        Self { part, kill, thread }
    }

    /// Ends its life. `false` if it is between two.
    pub(crate) fn kill(&self) -> bool {
        let kill = self.kill.lock().expect("not poisoned").take();
        kill.is_some_and(|kill| kill.send(()).is_ok())
    }

    /// Whether it lives, and is not about to be killed.
    pub(crate) fn lives(&self) -> bool {
        self.kill.lock().expect("not poisoned").is_some()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// What it said when it panicked, if it did.
    pub(crate) fn join(self) -> Option<String> {
        let name = self.part.name();
        let panic = self.thread.join().err()?;
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Some(format!("{name} panicked: {}", text.unwrap_or_default()))
    }
}
