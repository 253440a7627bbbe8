//! One live block as the checker knows it.

use super::checker::At;
use super::content::Extent;
use std::ops::Range;

/// A live block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// Where it begins.
    pub(super) ptr: *mut u8,
    /// What it holds.
    pub(super) extent: Extent,
    /// The alignment asked for, which a realloc keeps.
    pub(super) align: usize,
    /// The call that returned it, and with it promised its usable bytes.
    pub(super) born: At,
    /// The record at which its content was last read and found unharmed, or written.
    pub(super) sound: u64,
}

// SAFETY: the pointer is only followed under the checker's lock, and a block's memory belongs to
// whoever holds the block, not to a thread.
unsafe impl Send for Block {}

impl Block {
    /// The first address.
    pub(super) fn start(&self) -> usize {
        self.ptr.addr()
    }

    /// The addresses asked for.
    pub(super) fn asked(&self) -> Range<usize> {
        self.start()..self.start().saturating_add(self.extent.asked)
    }

    /// One past the last address that holds content.
    pub(super) fn filled_end(&self) -> usize {
        self.start().saturating_add(self.extent.filled)
    }

    /// `0x7f00..0x7f40 (64 bytes)`, for a report.
    pub(super) fn words(&self) -> String {
        addresses(self.asked())
    }
}

/// A range of addresses in words, for a report.
pub(super) fn addresses(range: Range<usize>) -> String {
    let bytes = range.len();
    format!(
        "{:#x}..{:#x} ({bytes} byte{})",
        range.start,
        range.end,
        if bytes == 1 { "" } else { "s" }
    )
}

/// What a slot of the replay holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Slot {
    /// Nothing.
    #[default]
    Empty,
    /// A block that is checked; its start is in the ledger's map.
    Live(Block),
    /// A block inside a call of realloc: its addresses belong to the subject until it returns.
    Moving(Block),
    /// A block that a violation has spoilt: neither read nor written until its slot is used again.
    Quarantined,
}
