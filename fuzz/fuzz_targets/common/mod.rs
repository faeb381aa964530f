//! What the targets share: the two ends and the wire of the tests of `monocoque-zmtp`, and how an input is read.

#[path = "../../../monocoque-zmtp/tests/common/mod.rs"]
mod harness;

pub(crate) use harness::{End, Inbound, frame, greeting, ready};
use monocoque_zmtp::SocketType;

/// An input read from the front as decisions. At its end every decision is the first one.
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    pub(crate) fn choose<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// The next `n` bytes, or all there are.
    pub(crate) fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A byte for how many, then as many bytes.
    pub(crate) fn string(&mut self, max: usize) -> &'a [u8] {
        let len = self.below(max + 1);
        self.take(len)
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Cuts `bytes` into pieces of these lengths, over and over; zero, and no length at all, is all the rest.
pub(crate) fn pieces<'a>(mut bytes: &'a [u8], lengths: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
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
pub(crate) fn counterpart(ours: SocketType) -> SocketType {
    SocketType::ALL.into_iter().find(|theirs| ours.is_compatible_with(*theirs)).expect("every type has one")
}
