//! What an operation is about to do, written where a crash leaves it.

use strata_core::FrameId;

/// Told before frames are taken or given back, with what they are. After a crash, frames of the
/// last record of each journal are in doubt: see [`PageFrames::recover`](crate::PageFrames::recover).
pub(crate) trait Journal {
    /// Bits of one row.
    fn bits(&self, row: usize, bits: u64);
    /// Frames from `start` on.
    fn range(&self, start: u64, frames: u64);
    /// A block: as a range of its frames, and written with one word.
    fn block(&self, frame: FrameId, order: u8);
}

/// Nothing is written.
impl Journal for () {
    #[inline]
    fn bits(&self, _row: usize, _bits: u64) {}
    #[inline]
    fn range(&self, _start: u64, _frames: u64) {}
    #[inline]
    fn block(&self, _frame: FrameId, _order: u8) {}
}

/// The last record of a journal, packed in two words.
///
/// ```text
///  63                          8 7        0
/// ┌─────────────────────────────┬──────────┐
/// │ row or first frame          │ kind     │   second word: bits, or a number of frames
/// └─────────────────────────────┴──────────┘
/// ```
///
/// A block needs the first word alone: its kind is its order and [`Record::BLOCK`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Nothing is in doubt.
    None,
    /// A block.
    Block { frame: u64, order: u8 },
    /// Bits of a row.
    Bits { row: u64, bits: u64 },
    /// A range.
    Range { start: u64, frames: u64 },
}

impl Record {
    const BLOCK: u64 = 0x80;
    const BITS: u64 = 1;
    const RANGE: u64 = 2;

    #[inline]
    pub(crate) const fn block(frame: u64, order: u8) -> u64 {
        frame << 8 | Self::BLOCK | order as u64
    }

    #[inline]
    pub(crate) const fn bits(row: u64) -> u64 {
        row << 8 | Self::BITS
    }

    #[inline]
    pub(crate) const fn range(start: u64) -> u64 {
        start << 8 | Self::RANGE
    }

    /// What the two words say. Total: words of a foreign memory are nothing in doubt.
    pub(crate) const fn read(first: u64, second: u64) -> Self {
        let (place, kind) = (first >> 8, first & 0xff);
        if kind & Self::BLOCK != 0 {
            return Self::Block { frame: place, order: (kind & 0x3f) as u8 };
        }
        match kind {
            Self::BITS => Self::Bits { row: place, bits: second },
            Self::RANGE => Self::Range { start: place, frames: second },
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        assert_eq!(Record::read(0, 7), Record::None);
        let block = Record::Block { frame: 77, order: 9 };
        assert_eq!(Record::read(Record::block(77, 9), 3), block);
        assert_eq!(Record::read(Record::bits(5), 6), Record::Bits { row: 5, bits: 6 });
        let range = Record::Range { start: 1 << 43, frames: 3 };
        assert_eq!(Record::read(Record::range(1 << 43), 3), range);
    }
}
