//! How the targets read an input, and the two ends of a connection that they share with the tests
//! of `monocoque-zmtp`.

use monocoque_zmtp::SocketType;
pub use testing::frame;
pub use testing::session::{End, Inbound, greeting, ready};

/// An input read from the front as decisions. At its end every decision is the first one.
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

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    pub fn choose<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// The next `n` bytes, or all there are.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A byte for how many, then as many bytes.
    pub fn string(&mut self, max: usize) -> &'a [u8] {
        let len = self.below(max + 1);
        self.take(len)
    }

    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Cuts `bytes` into pieces of these lengths, over and over; zero, and no length at all, is all
/// the rest.
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

/// A type that may talk to this one.
pub fn counterpart(ours: SocketType) -> SocketType {
    SocketType::ALL.into_iter().find(|theirs| ours.is_compatible_with(*theirs)).expect("every type has one")
}
