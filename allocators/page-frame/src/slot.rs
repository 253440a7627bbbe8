//! One local's words in the metadata.
//!
//! ```text
//! first line, written by the owner       second line, reached by others too
//! ┌────────┬──────┬──────┬───────────┐   ┌─────────────────────────┬───────┐
//! │ owner  │ hand │ held │ frees: row│   │ parts: up to four words │ tree  │
//! │        │      │      │ and bits  │   │ that anyone may steal   │ hint  │
//! │ journal: two words  │ row hint  │   │                         │       │
//! └────────┴──────┴──────┴───────────┘   └─────────────────────────┴───────┘
//! ```
//!
//! The hand and the parts are [`Part`]s: a quarter of a row with a bit for each frame that is in
//! stock. The owner alone reads and writes the hand, with plain loads and stores. A part is taken
//! by exchanging its word for zero, by the owner as by anyone. It says all about its frames, so that
//! it does not matter whether an equal word was there before.

use strata_core::FrameId;
use strata_core::sync::{AtomicU64, Ordering};

use crate::geometry::{ROW, SLOT_WORDS};
use crate::journal::{Journal, Record};

/// Frames of one part.
pub(crate) const PART: u64 = 16;
/// Parts of one row.
pub(crate) const PARTS: usize = (ROW / PART) as usize;

/// Frames of a quarter of a row.
///
/// ```text
///  63                         16 15          0
/// ┌─────────────────────────────┬─────────────┐
/// │ number of the quarter row   │ a bit each  │
/// └─────────────────────────────┴─────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part(pub(crate) u64);

impl Part {
    /// The part of `quarter` (of four) of a row, with its share of the row's `bits`.
    #[inline]
    pub(crate) const fn cut(row: usize, quarter: usize, bits: u64) -> Self {
        let number = (row * PARTS + quarter) as u64;
        Self(number << PART | (bits >> (quarter as u64 * PART)) & 0xffff)
    }

    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 & 0xffff == 0
    }

    /// Its lowest frame, and the part without it. Not of an empty part.
    #[inline]
    pub(crate) const fn pop(self) -> (FrameId, Self) {
        let bit = self.0.trailing_zeros() as u64;
        (FrameId((self.0 >> 16) * PART + bit), Self(self.0 & (self.0 - 1)))
    }

    /// Whether `frame` lies in its quarter row.
    #[inline]
    pub(crate) const fn covers(self, frame: FrameId) -> bool {
        frame.0 / PART == self.0 >> 16
    }

    /// The bit of a frame that it covers.
    #[inline]
    pub(crate) const fn bit(frame: FrameId) -> u64 {
        1 << (frame.0 % PART)
    }

    #[inline]
    pub(crate) const fn row(self) -> usize {
        (self.0 >> 16) as usize / PARTS
    }

    /// Its bits in the row.
    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        (self.0 & 0xffff) << ((self.0 >> 16) % PARTS as u64 * PART)
    }
}

const OWNER: usize = 0;
const HAND: usize = 1;
const HELD: usize = 2;
const FREES_ROW: usize = 3;
const FREES: usize = 4;
const RECORD: usize = 5;
const RECORD_MORE: usize = 6;
const ROW_HINT: usize = 7;
const FIRST_PART: usize = 8;
const TREE_HINT: usize = FIRST_PART + PARTS;

/// The words of one local.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'a>(&'a [AtomicU64; SLOT_WORDS]);

impl<'a> Slot<'a> {
    #[inline]
    pub(crate) fn of(slots: &'a [AtomicU64], index: usize) -> Option<Self> {
        let words = slots.get(index * SLOT_WORDS..(index + 1) * SLOT_WORDS)?;
        words.try_into().ok().map(Self)
    }

    #[inline]
    fn word(self, index: usize) -> &'a AtomicU64 {
        &self.0[index]
    }

    /// Makes the caller the owner, if there is none.
    pub(crate) fn acquire(self) -> bool {
        // Acquire: its partner is the Release in `release`: the owner before wrote these words.
        self.word(OWNER).compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    pub(crate) fn release(self) {
        // Release: its partner is the Acquire in `acquire`.
        self.word(OWNER).store(0, Ordering::Release);
    }

    // The owner's words. Relaxed loads: only the owner writes. Release stores: a crash that leaves
    // a later word leaves the earlier ones too; their partner is whoever recovers.

    #[inline]
    pub(crate) fn hand(self) -> Part {
        Part(self.word(HAND).load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn set_hand(self, part: Part) {
        self.word(HAND).store(part.0, Ordering::Release);
    }

    /// The huge frame at which the stock works.
    #[inline]
    pub(crate) fn held(self) -> Option<usize> {
        (self.word(HELD).load(Ordering::Relaxed) as usize).checked_sub(1)
    }

    pub(crate) fn set_held(self, huge: Option<usize>) {
        self.word(HELD).store(huge.map_or(0, |huge| huge as u64 + 1), Ordering::Release);
    }

    /// Freed frames that are not given back yet: their row and their bits, none of which may be.
    #[inline]
    pub(crate) fn frees(self) -> (usize, u64) {
        let row = self.word(FREES_ROW).load(Ordering::Relaxed) as usize;
        (row, self.word(FREES).load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn set_frees(self, bits: u64) {
        self.word(FREES).store(bits, Ordering::Release);
    }

    /// Begins with another row; there are no bits now.
    #[inline]
    pub(crate) fn set_frees_row(self, row: usize) {
        self.word(FREES_ROW).store(row as u64, Ordering::Release);
    }

    /// Writes that a block is being handed out or taken back.
    #[inline]
    pub(crate) fn record_block(self, frame: FrameId, order: u8) {
        self.word(RECORD).store(Record::block(frame.0, order), Ordering::Release);
    }

    /// Writes that nothing is in doubt.
    #[inline]
    pub(crate) fn record_none(self) {
        self.word(RECORD).store(0, Ordering::Release);
    }

    pub(crate) fn record(self) -> Record {
        let first = self.word(RECORD).load(Ordering::Relaxed);
        Record::read(first, self.word(RECORD_MORE).load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn row_hint(self) -> &'a AtomicU64 {
        self.word(ROW_HINT)
    }

    #[inline]
    pub(crate) fn tree_hint(self) -> &'a AtomicU64 {
        self.word(TREE_HINT)
    }

    /// Looks at part `index` without taking it.
    #[inline]
    pub(crate) fn peek(self, index: usize) -> Part {
        // Relaxed: a look.
        Part(self.word(FIRST_PART + index).load(Ordering::Relaxed))
    }

    /// Puts frames where others may take them. The owner, on an empty place.
    #[inline]
    pub(crate) fn put_part(self, index: usize, part: Part) {
        debug_assert_eq!(self.peek(index), Part(0));
        // Release: its partner is the Acquire in `take_part`: what was done to the frames before.
        self.word(FIRST_PART + index).store(part.0, Ordering::Release);
    }

    /// Takes the frames of part `index`, after telling `journal` which; anyone may.
    #[inline]
    pub(crate) fn take_part(self, index: usize, journal: &impl Journal) -> Part {
        let part = self.peek(index);
        if part.0 == 0 {
            return part;
        }
        journal.bits(part.row(), part.bits());
        // Acquire: its partner is the Release in `put_part`. Relaxed: lost to another.
        let word = self.word(FIRST_PART + index);
        match word.compare_exchange(part.0, 0, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => part,
            Err(_) => Part(0),
        }
    }

    /// Zeroes all words: nothing is in stock or in doubt, and nobody owns it.
    pub(crate) fn reset(self) {
        for word in self.0 {
            // Relaxed: nobody is at work.
            word.store(0, Ordering::Relaxed);
        }
    }
}

/// The records of the local's owner.
impl Journal for Slot<'_> {
    #[inline]
    fn bits(&self, row: usize, bits: u64) {
        self.two(Record::bits(row as u64), bits);
    }

    #[inline]
    fn range(&self, start: u64, frames: u64) {
        self.two(Record::range(start), frames);
    }

    #[inline]
    fn block(&self, frame: FrameId, order: u8) {
        self.record_block(frame, order);
    }
}

impl Slot<'_> {
    #[inline]
    fn two(self, first: u64, second: u64) {
        // Nothing is in doubt while the record is half written, for what it is about begins after.
        self.record_none();
        self.word(RECORD_MORE).store(second, Ordering::Release);
        self.word(RECORD).store(first, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_row_are_its_frames_once() {
        let bits = 0x8001_0000_00f0_0003;
        let mut all = 0;
        for quarter in 0..PARTS {
            let mut part = Part::cut(7, quarter, bits);
            assert_eq!(part.row(), 7);
            assert_eq!(part.bits(), bits & 0xffff << (16 * quarter));
            while !part.is_empty() {
                let (frame, rest) = part.pop();
                assert!(part.covers(frame));
                assert_eq!(frame.0 / ROW, 7);
                assert_eq!(part.0 & !rest.0, Part::bit(frame));
                all |= 1 << (frame.0 % ROW);
                part = rest;
            }
        }
        assert_eq!(all, bits);
    }
}
