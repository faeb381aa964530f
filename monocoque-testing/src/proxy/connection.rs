//! A connection of a proxy: what it forwards, and its faults.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::event::{PollFd, PollFlags};

use super::pipe::Pipe;
use super::{Counts, Fault, FaultPlan, Record};

/// A connection through the proxy, with its faults.
pub(super) struct Connection {
    /// The connecting side and the target.
    pipes: [Pipe; 2],
    /// One flow from each of them to the other.
    flows: [Flow; 2],
    fragment: usize,
    delay: Duration,
    /// The fault that is due after so many more bytes.
    planned: Option<(Fault, u64)>,
    /// Forwards nothing until this instant.
    halt: Option<(Instant, Halt)>,
    rng: Rng,
    record: Option<Record>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Halt {
    ThenReset,
    ThenOn,
}

#[derive(Default)]
struct Flow {
    held: Vec<u8>,
    at: usize,
    /// The source has ended its stream.
    source_ended: bool,
    /// The stream to the destination has been ended.
    ended: bool,
    next: Option<Instant>,
}

/// The result of an attempt to forward.
enum Moved {
    Some,
    None,
    /// The fault of the connection is due.
    FaultDue,
    Broken,
}

impl Connection {
    pub(super) fn new(
        client: Pipe,
        target: Pipe,
        faults: &FaultPlan,
        mut rng: Rng,
        record: Option<Record>,
    ) -> Self {
        let planned = rng.choice(&faults.faults).copied();
        let planned = planned.map(|fault| (fault, rng.u64(faults.after.clone())));
        Self {
            pipes: [client, target],
            flows: Default::default(),
            fragment: faults.fragment,
            delay: faults.delay,
            planned,
            halt: None,
            rng,
            record,
        }
    }

    /// Forwards available data. Returns `false` if the connection is over.
    pub(super) fn step(&mut self, counts: &mut Counts) -> bool {
        if let Some((until, then)) = self.halt {
            if Instant::now() < until {
                return true;
            }
            self.halt = None;
            if then == Halt::ThenReset {
                return self.reset(counts);
            }
        }
        for side in [0, 1] {
            // Bounded, so that commands and other connections are served too.
            for _ in 0..16 {
                match self.forward(side, counts) {
                    Moved::Some => {}
                    Moved::None => break,
                    Moved::Broken => return self.reset(counts),
                    Moved::FaultDue => {
                        if let Some((fault, _)) = self.planned.take() {
                            return self.apply(fault, counts);
                        }
                    }
                }
            }
        }
        !self.flows.iter().all(|flow| flow.ended)
    }

    /// Reads once, or writes once.
    fn forward(&mut self, side: usize, counts: &mut Counts) -> Moved {
        let [source, destination] = if side == 0 { [0, 1] } else { [1, 0] };
        let flow = &mut self.flows[side];
        if flow.at < flow.held.len() {
            let now = Instant::now();
            if flow.next.is_some_and(|next| now < next) {
                return Moved::None;
            }
            let rest = flow.held.len() - flow.at;
            let mut piece =
                if self.fragment > 0 { rest.min(self.rng.usize(1..=self.fragment)) } else { rest };
            if let Some((_, left)) = self.planned {
                if left == 0 {
                    return Moved::FaultDue;
                }
                piece = piece.min(usize::try_from(left).unwrap_or(usize::MAX));
            }
            match self.pipes[destination].write(&flow.held[flow.at..flow.at + piece]) {
                Err(error) if is_retry(&error) => return Moved::None,
                Err(_) => return Moved::Broken,
                Ok(n) => {
                    flow.at += n;
                    counts.bytes += n as u64;
                    counts.fragments += u64::from(n < rest);
                    if let Some((_, left)) = &mut self.planned {
                        *left -= n as u64;
                    }
                }
            }
            if flow.at == flow.held.len() {
                flow.held.clear();
                flow.at = 0;
            }
            if !self.delay.is_zero() {
                flow.next = Some(now + self.delay.mul_f64(self.rng.f64()));
                counts.delays += 1;
            }
            return Moved::Some;
        }
        if flow.source_ended {
            return Moved::None;
        }
        flow.held.resize(CHUNK, 0);
        let read = self.pipes[source].read(&mut flow.held);
        flow.held.truncate(read.as_ref().map_or(0, |n| *n));
        if let Some(record) = &self.record {
            record.lock().expect("not poisoned")[side].extend_from_slice(&flow.held);
        }
        match read {
            Ok(0) => {
                (flow.source_ended, flow.ended) = (true, true);
                self.pipes[destination].shutdown(Shutdown::Write);
                Moved::None
            }
            Ok(_) => Moved::Some,
            Err(error) if is_retry(&error) => Moved::None,
            Err(_) => Moved::Broken,
        }
    }

    /// Applies a fault. Returns `false` if the connection is over.
    pub(super) fn apply(&mut self, fault: Fault, counts: &mut Counts) -> bool {
        let halt = |time, then| Some((Instant::now() + time, then));
        match fault {
            Fault::Reset => {
                counts.resets += 1;
                return self.reset(counts);
            }
            Fault::Close => {
                counts.closes += 1;
                counts.bytes_lost += self.held();
                return false;
            }
            Fault::Stall(time) => {
                counts.stalls += 1;
                self.halt = halt(time, Halt::ThenReset);
            }
            Fault::Pause(time) => {
                counts.pauses += 1;
                self.halt = halt(time, Halt::ThenOn);
            }
            Fault::CutToClient => self.cut(1, counts),
            Fault::CutToTarget => self.cut(0, counts),
        }
        true
    }

    pub(super) fn heal(&mut self, counts: &mut Counts) -> bool {
        (self.fragment, self.delay, self.planned) = (0, Duration::ZERO, None);
        match self.halt.take() {
            Some((_, Halt::ThenReset)) => self.reset(counts),
            _ => true,
        }
    }

    fn cut(&mut self, side: usize, counts: &mut Counts) {
        counts.cuts += 1;
        let flow = &mut self.flows[side];
        counts.bytes_lost += (flow.held.len() - flow.at) as u64;
        *flow = Flow { source_ended: true, ended: true, ..Flow::default() };
        self.pipes[1 - side].shutdown(Shutdown::Write);
    }

    /// Makes the connection end with a reset.
    fn reset(&self, counts: &mut Counts) -> bool {
        counts.bytes_lost += self.held();
        self.pipes.iter().for_each(Pipe::reset_at_end);
        false
    }

    fn held(&self) -> u64 {
        self.flows.iter().map(|flow| (flow.held.len() - flow.at) as u64).sum()
    }

    /// Adds the descriptors and the instant that the connection waits for.
    pub(super) fn watch<'a>(&'a self, now: Instant, fds: &mut Vec<PollFd<'a>>, wake: &mut Option<Instant>) {
        let mut wake_at = |at: Instant| *wake = Some(wake.map_or(at, |other| other.min(at)));
        if let Some((until, _)) = self.halt {
            return wake_at(until);
        }
        for (side, flow) in self.flows.iter().enumerate() {
            if flow.at < flow.held.len() {
                match flow.next.filter(|next| now < *next) {
                    Some(next) => wake_at(next),
                    None => fds.push(PollFd::from_borrowed_fd(self.pipes[1 - side].as_fd(), PollFlags::OUT)),
                }
            } else if !flow.source_ended {
                fds.push(PollFd::from_borrowed_fd(self.pipes[side].as_fd(), PollFlags::IN));
            }
        }
    }
}

fn is_retry(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// The buffer size of a flow in bytes.
const CHUNK: usize = 16 * 1024;
