//! The naive truth about memory: which ranges are out, and what each of their bytes holds.

use std::ops::Range;

/// The live ranges, in a list that is searched from end to end.
#[derive(Debug, Default)]
pub struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Adds a range. Panics when it shares a byte with another one: memory was handed out twice.
    pub fn insert(&mut self, range: Range<u64>) {
        assert!(!range.is_empty(), "an empty range was handed out");
        if let Some(other) = self.0.iter().find(|r| r.start < range.end && range.start < r.end) {
            panic!("{range:x?} was handed out while {other:x?} is still out");
        }
        self.0.push(range);
    }

    /// Removes a range. Panics when it is not there.
    pub fn remove(&mut self, range: Range<u64>) {
        let at = self.0.iter().position(|r| *r == range).expect("a range that is out");
        self.0.swap_remove(at);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the bytes of one range must read as; `None` is anything, and must not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<Option<u8>>);

impl Bytes {
    /// `len` bytes of `value`.
    pub fn new(len: usize, value: Option<u8>) -> Self {
        Self(vec![value; len])
    }

    /// Makes `range` read as `value`.
    pub fn fill(&mut self, range: Range<usize>, value: Option<u8>) {
        self.0[range].fill(value);
    }

    /// Compares with memory, byte by byte.
    ///
    /// # Errors
    ///
    /// The first byte that differs: its place, what it should be, and what it is.
    ///
    /// # Safety
    ///
    /// 1. `memory` may be read for the length of these bytes, and those that are not `None` are
    ///    initialised.
    pub unsafe fn compare(&self, memory: *const u8) -> Result<(), (usize, u8, u8)> {
        for (place, expected) in self.0.iter().enumerate() {
            let Some(expected) = *expected else { continue };
            // SAFETY: 1. of this function.
            let found = unsafe { memory.add(place).read() };
            if found != expected {
                return Err((place, expected, found));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_not_an_overlap() {
        let mut ranges = Ranges::default();
        ranges.insert(10..20);
        ranges.insert(20..30);
        ranges.insert(0..10);
        ranges.remove(20..30);
        assert_eq!(ranges.len(), 2);
    }

    #[test]
    #[should_panic(expected = "still out")]
    fn one_shared_byte_is_an_overlap() {
        let mut ranges = Ranges::default();
        ranges.insert(10..20);
        ranges.insert(19..21);
    }

    #[test]
    fn a_byte_that_may_be_anything_is_not_compared() {
        let mut bytes = Bytes::new(4, Some(7));
        bytes.fill(1..3, None);
        let memory = [7u8, 1, 2, 8];
        // SAFETY: 1. four bytes, initialised.
        assert_eq!(unsafe { bytes.compare(memory.as_ptr()) }, Err((3, 7, 8)));
    }
}
