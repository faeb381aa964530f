//! The thread of a proxy: its commands, its listener and its connections.

use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::Connection;
use super::pipe::{Listener, Pipe};
use super::{Channels, Command, Counts, FaultPlan};

/// The thread of a proxy.
pub(super) struct Worker {
    front: String,
    target: String,
    listener: Option<Listener>,
    /// When to listen again, and how many attempts have failed.
    listen_at: Option<Instant>,
    attempts: u32,
    connections: Vec<Connection>,
    faults: FaultPlan,
    seed: u64,
    rng: Rng,
    channels: Channels,
    now: Counts,
}

impl Worker {
    pub(super) fn new(
        listener: Listener,
        target: &str,
        faults: FaultPlan,
        seed: u64,
        channels: Channels,
    ) -> Self {
        Self {
            front: listener.endpoint(),
            target: target.to_owned(),
            listener: Some(listener),
            listen_at: None,
            attempts: 0,
            connections: Vec::new(),
            faults,
            seed,
            rng: Rng::with_seed(seed),
            channels,
            now: Counts::default(),
        }
    }

    pub(super) fn run(mut self) {
        loop {
            while let Ok((command, done)) = self.channels.commands.try_recv() {
                if !self.carry_out(command) {
                    return;
                }
                self.publish();
                // The receiver may have been dropped meanwhile.
                let _gone = done.send(());
            }
            self.listen_again();
            self.accept();
            let Self { connections, now, .. } = &mut self;
            connections.retain_mut(|connection| connection.step(now));
            self.publish();
            self.wait();
        }
    }

    fn publish(&mut self) {
        self.now.open = self.connections.len();
        *self.channels.counts.lock().expect("not poisoned") = self.now;
    }

    fn carry_out(&mut self, command: Command) -> bool {
        match command {
            Command::SetPlan(faults) => self.faults = faults,
            Command::One(fault) => {
                if !self.connections.is_empty() {
                    let at = self.rng.usize(..self.connections.len());
                    if !self.connections[at].apply(fault, &mut self.now) {
                        self.connections.swap_remove(at);
                    }
                }
            }
            Command::All(fault) => {
                let now = &mut self.now;
                self.connections.retain_mut(|connection| connection.apply(fault, now));
            }
            Command::Refuse(time) => {
                self.listener = None;
                self.listen_at = Some(Instant::now() + time);
                self.now.refusals += 1;
            }
            Command::Target(target) => self.target = target,
            Command::Heal => {
                self.faults = FaultPlan::default();
                self.listen_at = self.listen_at.map(|_| Instant::now());
                let now = &mut self.now;
                self.connections.retain_mut(|connection| connection.heal(now));
            }
            Command::Stop => return false,
        }
        true
    }

    /// Listens again when it is due. A failure is temporary: another process has bound the port for
    /// all addresses.
    fn listen_again(&mut self) {
        if self.listen_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        match Listener::bind(&self.front) {
            Ok(listener) => {
                self.listener = Some(listener);
                (self.listen_at, self.attempts) = (None, 0);
            }
            Err(error) => {
                self.attempts += 1;
                assert!(self.attempts < ATTEMPTS, "the proxy's own address is still in use: {error}");
                self.listen_at = Some(Instant::now() + PAUSE);
            }
        }
    }

    fn accept(&mut self) {
        while let Some(client) = self.listener.as_ref().and_then(Listener::accept) {
            self.now.accepted += 1;
            let rng = Rng::with_seed(self.seed ^ self.now.accepted.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            match Pipe::connect(&self.target) {
                Ok(target) => {
                    let record = self.faults.records.then(|| self.channels.record.clone());
                    self.connections.push(Connection::new(client, target, &self.faults, rng, record));
                }
                Err(_) => {
                    client.reset_at_end();
                    self.now.unreachable += 1;
                }
            }
        }
    }

    /// Waits until a socket is ready, a command arrives or a delay ends.
    fn wait(&self) {
        let now = Instant::now();
        let mut fds = vec![PollFd::new(&self.channels.wakeups, PollFlags::IN)];
        fds.extend(
            self.listener.as_ref().map(|listener| PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)),
        );
        let mut wake = self.listen_at;
        for connection in &self.connections {
            connection.watch(now, &mut fds, &mut wake);
        }
        let wait = wake.map(|wake| wake.saturating_duration_since(now));
        let wait = wait.map(|wait| Timespec::try_from(wait).expect("a short time"));
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
        let _none = (&self.channels.wakeups).read(&mut [0; 64]);
    }
}

/// The pause between attempts to listen again, and their maximum number.
const PAUSE: Duration = Duration::from_millis(10);
const ATTEMPTS: u32 = 1_000;
