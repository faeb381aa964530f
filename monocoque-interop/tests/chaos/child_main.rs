//! The main function of a child process, for Monocoque and libzmq alike.

use std::thread;
use std::time::{Duration, Instant};

use crate::child::{Brief, Orders, Report};
use crate::child_socket::{Attaches, Receives, Sends, WAIT};
use crate::part::{Make, Role};
use crate::shared::{DEADLINE, PAUSE, Quota, TOPIC, burst};
use crate::{blocking, libzmq_peers};
use testing::hostile::is_hostile;
use testing::ledger::Tag;

/// Runs the part of this process. Returns `false` if it is not a child process.
pub(crate) fn play() -> bool {
    let Some(brief) = Brief::of_this_process() else { return false };
    let player = Player { brief, orders: Orders::listen(), sent: 0, quota: Quota::default() };
    let Brief { make, role, index, .. } = player.brief;
    match (make, role) {
        (Make::Ours, _) => unreachable!("not played in a process of its own"),
        (Make::Process, Role::Push) => player.push(blocking::push()),
        (Make::Process, Role::Pull) => player.receive(blocking::pull()),
        (Make::Process, Role::Dealer(_)) => player.dealer(blocking::dealer()),
        (Make::Process, _) => unreachable!("not played by Monocoque in a process of its own"),
        (Make::Theirs, Role::Push) => player.push(libzmq_peers::socket(role, index)),
        (Make::Theirs, Role::Pull | Role::Sub(_)) => player.receive(libzmq_peers::socket(role, index)),
        (Make::Theirs, Role::Router) => player.router(libzmq_peers::socket(role, index)),
        (Make::Theirs, Role::Dealer(_)) => player.dealer(libzmq_peers::socket(role, index)),
        (Make::Theirs, Role::Pub) => unreachable!("not played by libzmq"),
    }
    true
}

struct Player {
    brief: Brief,
    orders: Orders,
    sent: u64,
    quota: Quota,
}

impl Player {
    fn push(mut self, socket: impl Sends) {
        self.attach(&socket);
        while !self.orders.ended() {
            self.send_burst(&socket);
            thread::sleep(PAUSE);
        }
        self.report_sent(&socket, 0, self.orders.phase());
        socket.close();
    }

    fn dealer(mut self, socket: impl Sends + Receives) {
        self.attach(&socket);
        while !self.orders.ended() {
            self.send_burst(&socket);
            while let Some(frames) = socket.receive(Duration::ZERO) {
                match frames.first().and_then(|first| first.first()) {
                    Some(router) => _ = self.received(*router, &frames[1..]),
                    None => Report::Wrong("an empty reply".into()).write(),
                }
            }
            thread::sleep(PAUSE);
        }
        self.report_sent(&socket, 0, self.orders.phase());
        socket.close();
    }

    /// Receives as a PULL or SUB.
    fn receive(self, socket: impl Receives) {
        self.attach(&socket);
        while !self.orders.ended() {
            let Some(frames) = socket.receive(WAIT) else { continue };
            match is_hostile(frames.iter().map(Vec::as_slice)) {
                Ok(true) => {}
                Ok(false) => _ = self.received(0, &frames),
                Err(wrong) => Report::Wrong(wrong).write(),
            }
        }
        socket.close();
    }

    /// Echoes messages with its index in front.
    fn router(self, socket: impl Sends + Receives) {
        self.attach(&socket);
        while !self.orders.ended() {
            let Some(mut frames) = socket.receive(WAIT) else { continue };
            if self.received(0, &frames[1..]) {
                frames.insert(1, vec![self.brief.index]);
                // The message is dropped if the peer has disconnected.
                let _dropped = socket.send(frames);
            }
        }
        socket.close();
    }

    fn attach(&self, socket: &impl Attaches) {
        for endpoint in &self.brief.binds {
            let start = Instant::now();
            while let Err(error) = socket.bind(endpoint) {
                assert!(start.elapsed() < DEADLINE, "still not free: {endpoint}: {error}");
                thread::sleep(Duration::from_millis(5));
            }
        }
        self.brief.connects.iter().for_each(|endpoint| socket.connect(endpoint));
    }

    /// Sends a few messages, up to the quota of a lossless phase. Messages that do not fit in the
    /// queue are sent later.
    fn send_burst(&mut self, socket: &impl Sends) {
        let phase = self.orders.phase();
        let messages = burst(phase, self.brief.role).min(self.quota.left(phase));
        self.report_sent(socket, messages as u64, phase);
        for _ in 0..messages {
            let tag = Tag { topic: TOPIC, phase, stream: self.brief.stream, number: self.sent };
            if !socket.send(tag.frames(self.brief.seed)) {
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
        let tag = Tag::read(self.brief.seed, &frames);
        let whole = tag.is_ok();
        tag.map_or_else(Report::Wrong, |tag| Report::Received { through, tag }).write();
        whole
    }
}
