//! The main function of a child process, for Monocoque and libzmq alike.

use std::thread;
use std::time::{Duration, Instant};

use crate::child::{Commands, Report, Task};
use crate::child_socket::{Attaches, Receives, Sends, WAIT};
use crate::part::{Implementation, Role};
use crate::shared::{DEADLINE, PAUSE, Quota, TOPIC, burst};
use crate::{blocking, libzmq_peers};
use testing::hostile::is_hostile;
use testing::ledger::Tag;

/// Runs the part of this process. Returns `false` if it is not a child process.
pub(crate) fn run() -> bool {
    let Some(task) = Task::of_this_process() else { return false };
    let runner = PartRunner { task, commands: Commands::listen(), sent: 0, quota: Quota::default() };
    let Task { implementation, role, index, .. } = runner.task;
    match (implementation, role) {
        (Implementation::Ours, _) => unreachable!("runs in the process of the test"),
        (Implementation::Process, Role::Push) => runner.push(blocking::push()),
        (Implementation::Process, Role::Pull) => runner.receive(blocking::pull()),
        (Implementation::Process, Role::Dealer(_)) => runner.dealer(blocking::dealer()),
        (Implementation::Process, _) => unreachable!("Monocoque has no such part in a child process"),
        (Implementation::Theirs, Role::Push) => runner.push(libzmq_peers::socket(role, index)),
        (Implementation::Theirs, Role::Pull | Role::Sub(_)) => {
            runner.receive(libzmq_peers::socket(role, index))
        }
        (Implementation::Theirs, Role::Router) => runner.router(libzmq_peers::socket(role, index)),
        (Implementation::Theirs, Role::Dealer(_)) => runner.dealer(libzmq_peers::socket(role, index)),
        (Implementation::Theirs, Role::Pub) => unreachable!("libzmq has no such part"),
    }
    true
}

struct PartRunner {
    task: Task,
    commands: Commands,
    sent: u64,
    quota: Quota,
}

impl PartRunner {
    fn push(mut self, socket: impl Sends) {
        self.attach(&socket);
        while !self.commands.ended() {
            self.send_burst(&socket);
            thread::sleep(PAUSE);
        }
        self.report_sent(&socket, 0, self.commands.phase());
        socket.close();
    }

    fn dealer(mut self, socket: impl Sends + Receives) {
        self.attach(&socket);
        while !self.commands.ended() {
            self.send_burst(&socket);
            while let Some(frames) = socket.receive(Duration::ZERO) {
                match frames.first().and_then(|first| first.first()) {
                    Some(router) => _ = self.received(*router, &frames[1..]),
                    None => Report::Violation("an empty reply".into()).write(),
                }
            }
            thread::sleep(PAUSE);
        }
        self.report_sent(&socket, 0, self.commands.phase());
        socket.close();
    }

    /// Receives as a PULL or SUB.
    fn receive(self, socket: impl Receives) {
        self.attach(&socket);
        while !self.commands.ended() {
            let Some(frames) = socket.receive(WAIT) else { continue };
            match is_hostile(frames.iter().map(Vec::as_slice)) {
                Ok(true) => {}
                Ok(false) => _ = self.received(0, &frames),
                Err(wrong) => Report::Violation(wrong).write(),
            }
        }
        socket.close();
    }

    /// Echoes messages with its index in front.
    fn router(self, socket: impl Sends + Receives) {
        self.attach(&socket);
        while !self.commands.ended() {
            let Some(mut frames) = socket.receive(WAIT) else { continue };
            if self.received(0, &frames[1..]) {
                frames.insert(1, vec![self.task.index]);
                // The message is dropped if the peer has disconnected.
                let _dropped = socket.send(frames);
            }
        }
        socket.close();
    }

    fn attach(&self, socket: &impl Attaches) {
        for endpoint in &self.task.binds {
            let start = Instant::now();
            while let Err(error) = socket.bind(endpoint) {
                assert!(start.elapsed() < DEADLINE, "still not free: {endpoint}: {error}");
                thread::sleep(Duration::from_millis(5));
            }
        }
        self.task.connects.iter().for_each(|endpoint| socket.connect(endpoint));
    }

    /// Sends a few messages, up to the quota of a lossless phase. Messages that do not fit in the
    /// queue are sent later.
    fn send_burst(&mut self, socket: &impl Sends) {
        let phase = self.commands.phase();
        let messages = burst(phase, self.task.role).min(self.quota.left(phase));
        self.report_sent(socket, messages as u64, phase);
        for _ in 0..messages {
            let tag = Tag { topic: TOPIC, phase, stream: self.task.stream, number: self.sent };
            if !socket.send(tag.frames(self.task.seed)) {
                return;
            }
            self.sent += 1;
            self.quota.count(phase);
        }
    }

    fn report_sent(&self, socket: &impl Attaches, more: u64, phase: u8) {
        Report::Sends { sent: self.sent, more, phase, losses: socket.lost_connections() }.write();
    }

    /// Checks and reports a received message. Returns whether it was valid.
    fn received(&self, through: u8, frames: &[Vec<u8>]) -> bool {
        let frames: Vec<_> = frames.iter().map(Vec::as_slice).collect();
        let tag = Tag::read(self.task.seed, &frames);
        let whole = tag.is_ok();
        tag.map_or_else(Report::Violation, |tag| Report::Received { through, tag }).write();
        whole
    }
}
