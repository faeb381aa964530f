//! A reader of fuzz inputs, the protocol peers shared with the tests of `monocoque-zmtp`, and a
//! connection between two of them.

use monocoque_zmtp::SocketType;
pub use testing::frame;
pub use testing::session::{Inbound, TestPeer, greeting, ready};

/// An input that is read from the front as a series of decisions. At its end all decisions are 0.
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    /// Returns a number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    pub fn choose<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// Returns the next `n` bytes, or those that are left.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Reads a length, and then as many bytes.
    pub fn string(&mut self, max: usize) -> &'a [u8] {
        let len = self.below(max + 1);
        self.take(len)
    }

    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Two sessions, and the bytes between them, which a target may change.
pub struct Connection {
    pub ends: [TestPeer; 2],
    /// The bytes that each side has written and the other has not read.
    pub wires: [Vec<u8>; 2],
    pub received: [Vec<Inbound>; 2],
}

impl Connection {
    pub fn new(ends: [TestPeer; 2]) -> Self {
        Self { ends, wires: Default::default(), received: Default::default() }
    }

    /// Moves the output of both sides into flight.
    pub fn write(&mut self) {
        for (end, wire) in self.ends.iter_mut().zip(&mut self.wires) {
            wire.append(&mut end.written());
        }
    }

    /// Returns whether bytes are in flight.
    pub fn is_busy(&self) -> bool {
        self.wires.iter().any(|wire| !wire.is_empty())
    }

    /// Lets the other side read up to `n` bytes.
    pub fn carry(&mut self, from: usize, n: usize) {
        let to = 1 - from;
        let wire = &mut self.wires[from];
        let piece: Vec<_> = wire.drain(..n.min(wire.len())).collect();
        self.ends[to].feed(&piece, usize::MAX);
        self.received[to].append(&mut self.ends[to].recv());
    }

    /// Changes a byte in flight from this side. Returns whether it did.
    pub fn change_byte(&mut self, from: usize, script: &mut Script<'_>) -> bool {
        let (at, bits) = (usize::from(script.byte()), script.byte());
        let Some(byte) = self.wires[from].get_mut(at) else { return false };
        *byte ^= bits;
        bits != 0
    }
}

/// Splits `bytes` into chunks of these lengths, repeatedly. A length of zero means the rest, and so
/// does an empty list.
pub fn pieces<'a>(mut bytes: &'a [u8], lengths: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        let len = match lengths.next() {
            None | Some(0) => bytes.len(),
            Some(len) => bytes.len().min(usize::from(*len)),
        };
        let (piece, rest) = bytes.split_at(len);
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Returns a socket type that is compatible with this one.
pub fn counterpart(ours: SocketType) -> SocketType {
    SocketType::ALL
        .into_iter()
        .find(|theirs| ours.is_compatible_with(*theirs))
        .expect("every type has a counterpart")
}
