//! Collections of message numbers: sets, and counts of ordered runs.

/// The least number of ordered runs that a sequence was merged from: the last number of each run.
#[derive(Debug, Default)]
pub struct OrderedRuns(pub Vec<u64>);

impl OrderedRuns {
    pub fn put(&mut self, number: u64) {
        match self.0.iter_mut().filter(|last| **last < number).max() {
            Some(last) => *last = number,
            None => self.0.push(number),
        }
    }
}

/// A set of numbers.
#[derive(Debug, Default)]
pub struct NumberSet {
    words: Vec<u64>,
    pub count: u64,
}

impl NumberSet {
    /// Adds a number. Returns `true` if it was not in the set.
    pub fn set(&mut self, number: u64) -> bool {
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += u64::from(new);
        new
    }

    pub fn has(&self, number: u64) -> bool {
        self.words.get((number / 64) as usize).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// Returns one more than the highest number, or 0.
    pub fn end(&self) -> u64 {
        let last = self.words.iter().rposition(|word| *word != 0);
        last.map_or(0, |last| 64 * (last as u64 + 1) - u64::from(self.words[last].leading_zeros()))
    }
}
