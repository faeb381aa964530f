//! The rows of the comparison, and their bars.

use crate::job::{Attach, Library, Role};

/// One kind of work, done by several pairings in turn. The first pairing is the reference of the
/// others.
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

/// The roles of both sides and the number of their sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// The role that sends messages or requests.
    pub(crate) from: Role,
    /// The role that receives messages or replies.
    pub(crate) to: Role,
    /// The task of the side `from`; the other side has the opposite one.
    pub(crate) from_attach: Attach,
    /// The number of sockets of the side that connects; the other has one.
    pub(crate) connecting: usize,
    /// The number of messages that each DEALER has in flight.
    pub(crate) in_flight: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Transport {
    Tcp,
    Ipc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// The threads run on any core.
    Free,
    /// All threads of both processes run on one core.
    OneCore,
}

/// The main figure of a row, which is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Messages per second.
    Rate,
    /// The time of a round trip.
    RoundTrip,
    /// Memory of the side that binds, for each connection.
    Memory,
}

/// The libraries of the two sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) from: Library,
    pub(crate) to: Library,
    /// The number of idle PUSH sockets at the side `from`.
    pub(crate) idle: usize,
}

/// The limit that the figure of a cell has to meet.
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
    /// Processor time per message, of both processes together.
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

/// The cost of idle connections for a busy one, as a ratio to Monocoque without them.
fn idle_peers() -> Row {
    let counts = [0, 1, 10, 100, 1000];
    let bar = |cell| Bar { cell, ..Bar::ratio(Metric::Rate, Limit::AtLeast(0.9)) };
    Row {
        cells: counts.map(|idle| Cell { idle, ..Cell::of(Ours, Ours) }).into(),
        bars: (1..counts.len()).map(bar).collect(),
        ..Row::rate("push-pull tcp, idle peers", PUSH_PULL, 64, 0.0)
    }
}

/// The memory of each connection of a PULL socket, whichever library connects.
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
    /// Messages in one direction, as fast as possible; Monocoque is to be `bar` times as fast.
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

    /// Round trips, one message at a time; the median of Monocoque is to be at most `bar` times as
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
    /// Returns the pairings of each library with itself and with the other.
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

/// The positions of the cells in a row.
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
