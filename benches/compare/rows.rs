//! What is compared, and the bars that it has to clear.

use crate::job::{Attach, Library, Role};

/// One kind of work, done by several pairings in turn. The first is the one the others are compared
/// with.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) transport: Transport,
    pub(crate) size: usize,
    pub(crate) placement: Placement,
    pub(crate) figure: Figure,
    pub(crate) cells: Vec<Cell>,
    pub(crate) bars: Vec<Bar>,
}

/// Who talks to whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Sends, or asks.
    pub(crate) from: Role,
    /// Receives, or answers.
    pub(crate) to: Role,
    /// What the end `from` does; the other one does the other.
    pub(crate) from_attach: Attach,
    /// How many sockets the end that connects has; the one that binds has one.
    pub(crate) connecting: usize,
    /// How many messages each DEALER has under way.
    pub(crate) in_flight: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Transport {
    Tcp,
    Ipc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Wherever the kernel puts the threads.
    Free,
    /// All threads of both ends on one core.
    OneCore,
}

/// What is looked at first, and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Messages per second.
    Rate,
    /// The time of a round trip.
    RoundTrip,
    /// Memory of the end that binds, for each connection.
    Memory,
}

/// The libraries of the two ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) from: Library,
    pub(crate) to: Library,
    /// PUSH sockets at the end `from` that only are connected.
    pub(crate) idle: usize,
}

/// What the figure of a cell has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub(crate) cell: usize,
    pub(crate) metric: Metric,
    pub(crate) against: Against,
    pub(crate) limit: Limit,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Metric {
    Rate,
    /// Processor time per message, both ends together.
    Cpu,
    /// The median round trip.
    Median,
    /// KiB for each connection.
    Memory,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Against {
    /// The ratio to this cell.
    Cell(usize),
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

use Library::{Ours, OursIo, Raw, Zmq};

pub(crate) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for (size, bar) in [(64, 4.0), (KIB, 3.5), (16 * KIB, 2.0), (256 * KIB, 1.5)] {
        let mut row = Row::rate("push-pull tcp", PUSH_PULL, size, bar);
        if size == 64 {
            row.bars.push(Bar::ratio(Metric::Cpu, Limit::AtMost(0.30)));
        }
        rows.push(row);
    }
    rows.push(Row::round_trip("req-rep tcp", Placement::Free, Ours, 0.82));
    let mut pinned = Row::round_trip("req-rep tcp, one core", Placement::OneCore, Ours, 0.36);
    pinned.bars.push(Bar { against: Against::Cell(RAW), ..Bar::ratio(Metric::Median, Limit::AtMost(1.5)) });
    rows.push(pinned);
    let three = |bars: [f64; 3]| [64, KIB, 16 * KIB].into_iter().zip(bars);
    for (size, bar) in three([2.2, 5.0, 4.5]) {
        rows.push(Row::rate("pub to 32 subs tcp", PUB_SUB, size, bar));
    }
    for (size, bar) in three([2.0, 2.0, 2.2]) {
        rows.push(Row::rate("push to 4 pulls tcp", FAN_OUT, size, bar));
    }
    for (size, bar) in three([2.0, 2.0, 2.2]) {
        rows.push(Row::rate("4 pushes to pull tcp", FAN_IN, size, bar));
    }
    rows.push(Row::rate("100 dealers, router echo tcp", DEALERS, 64, 2.0));
    let busier = Shape { in_flight: 10, ..DEALERS };
    rows.push(Row::rate("100 dealers x 10, router echo tcp", busier, 64, 2.0));
    for (size, bar) in three([3.0, 4.0, 4.0]) {
        rows.push(Row { transport: Transport::Ipc, ..Row::rate("push-pull ipc", PUSH_PULL, size, bar) });
    }
    for (size, bar) in three([3.0, 3.0, 1.4]) {
        let row = Row::rate("push-pull tcp, I/O thread", PUSH_PULL, size, bar);
        rows.push(Row { cells: Cell::pairings(OursIo), ..row });
    }
    rows.push(Row::round_trip("req-rep tcp, I/O thread", Placement::Free, OursIo, 1.0));
    rows.push(idle_peers());
    rows.push(memory());
    rows
}

/// What it costs the one that is busy that others are connected: compared with ourselves without
/// them.
fn idle_peers() -> Row {
    let counts = [0, 1, 10, 100, 1000];
    let bar = |cell| Bar { cell, ..Bar::ratio(Metric::Rate, Limit::AtLeast(0.9)) };
    Row {
        cells: counts.map(|idle| Cell { idle, ..Cell::of(Ours, Ours) }).into(),
        bars: (1..counts.len()).map(bar).collect(),
        ..Row::rate("push-pull tcp, idle peers", PUSH_PULL, 64, 0.0)
    }
}

/// What a connection of a PULL socket costs; who connects does not matter.
fn memory() -> Row {
    let shape = Shape { connecting: 0, ..PUSH_PULL };
    Row {
        figure: Figure::Memory,
        cells: [Zmq, Ours].map(|to| Cell { idle: 1000, ..Cell::of(Ours, to) }).into(),
        bars: vec![Bar { against: Against::Nothing, ..Bar::ratio(Metric::Memory, Limit::AtMost(24.0)) }],
        ..Row::rate("memory of an idle connection", shape, 0, 0.0)
    }
}

impl Row {
    /// Messages one way, or as many as fit; ours is to be `bar` times as fast.
    fn rate(name: &str, shape: Shape, size: usize, bar: f64) -> Self {
        let size_of = match size {
            0 => String::new(),
            _ if size < KIB => format!(" {size} B"),
            _ => format!(" {} KiB", size / KIB),
        };
        Self {
            name: format!("{name}{size_of}"),
            shape,
            transport: Transport::Tcp,
            size,
            placement: Placement::Free,
            figure: Figure::Rate,
            cells: Cell::pairings(Ours),
            bars: vec![Bar::ratio(Metric::Rate, Limit::AtLeast(bar))],
        }
    }

    /// One message there and back at a time; the median of ours is to be at most `bar` times as
    /// long.
    fn round_trip(name: &str, placement: Placement, ours: Library, bar: f64) -> Self {
        Self {
            placement,
            figure: Figure::RoundTrip,
            cells: [Cell::pairings(ours), vec![Cell::of(Raw, Raw)]].concat(),
            bars: vec![Bar::ratio(Metric::Median, Limit::AtMost(bar))],
            ..Self::rate(name, REQ_REP, 64, 0.0)
        }
    }
}

impl Cell {
    /// Both ends of one library and of the other, and mixed.
    fn pairings(ours: Library) -> Vec<Self> {
        [(Zmq, Zmq), (ours, ours), (ours, Zmq), (Zmq, ours)].map(|(from, to)| Self::of(from, to)).into()
    }

    const fn of(from: Library, to: Library) -> Self {
        Self { from, to, idle: 0 }
    }
}

impl Bar {
    const fn ratio(metric: Metric, limit: Limit) -> Self {
        Self { cell: SUBJECT, metric, against: Against::Cell(REFERENCE), limit }
    }
}

const KIB: usize = 1024;

/// Where a row has its cells.
const REFERENCE: usize = 0;
const SUBJECT: usize = 1;
const RAW: usize = 4;

const PUSH_PULL: Shape =
    Shape { from: Role::Push, to: Role::Pull, from_attach: Attach::Connect, connecting: 1, in_flight: 1 };
const FAN_IN: Shape = Shape { connecting: 4, ..PUSH_PULL };
const FAN_OUT: Shape = Shape { from_attach: Attach::Bind, ..FAN_IN };
const PUB_SUB: Shape =
    Shape { from: Role::Pub, to: Role::Sub, from_attach: Attach::Bind, connecting: 32, in_flight: 1 };
const REQ_REP: Shape = Shape { from: Role::Req, to: Role::Rep, ..PUSH_PULL };
const DEALERS: Shape = Shape { from: Role::Dealer, to: Role::Router, connecting: 100, ..PUSH_PULL };
