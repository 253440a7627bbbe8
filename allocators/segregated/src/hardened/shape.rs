//! Where a large block lies in what is taken for it.

use core::alloc::Layout;
use core::ptr::NonNull;

use strata_core::align::align_up;

use super::{CANARIES, GUARDS, QUARANTINE, WORD};
use crate::class::FRAME;
use crate::process::HEAP;

/// What guards are multiples of.
fn unit() -> usize {
    HEAP.granule().max(FRAME)
}

/// What the length of a block is a multiple of where blocks wait for requests of their length: the greatest power of two
/// in it, so that few lengths are asked for, but no more than the slack that the 16 bits of a block's word can say. Pages
/// that nobody touches cost nothing.
fn step(len: usize) -> usize {
    const MOST: usize = 64 << 10;
    (1 << len.ilog2()).min(MOST)
}

/// Where a large block lies in what is taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes of the guard in front, of the block, and of the guard behind.
    pub(super) lead: usize,
    pub(super) body: usize,
    pub(super) trail: usize,
    pub(super) align: usize,
}

impl Shape {
    /// The shape of a layout's block; `None` where no block can be so long.
    pub(super) fn of(layout: Layout) -> Option<Self> {
        let unit = unit();
        let len = layout.size().checked_add(WORD)?.max(1);
        let body = align_up(len, if QUARANTINE { step(len).max(unit) } else { unit })?;
        let (lead, trail) = match GUARDS {
            // A guard in front would cost as much as the alignment.
            true if layout.align() > unit => (0, unit),
            true => (unit, unit),
            false => (0, 0),
        };
        let shape = Self { lead, body, trail, align: layout.align() };
        let whole = body.checked_add(lead + trail)?;
        Layout::from_size_align(whole, layout.align()).is_ok().then_some(shape)
    }

    /// The shape of a block that was found in a whole of so many bytes, with or without a guard in front.
    pub(super) fn of_whole(whole: usize, leads: bool) -> Option<Self> {
        let unit = unit();
        let (lead, trail) = (if leads { unit } else { 0 }, if GUARDS { unit } else { 0 });
        let body = whole.checked_sub(lead + trail).filter(|body| *body != 0)?;
        Some(Self { lead, body, trail, align: 1 })
    }

    /// The shape of another length at the same place; `None` where that has other guards.
    pub(super) fn for_size(self, size: usize) -> Option<Self> {
        let other = Self::of(Layout::from_size_align(size, 1).ok()?)?;
        (other.lead == self.lead).then_some(Self { align: self.align, ..other })
    }

    /// Bytes from its beginning on that a program with `size` bytes of it may have written without being
    /// stopped, and the mark: whole words, but for the word at the end.
    pub(super) fn touched(self, size: usize) -> usize {
        if CANARIES { (size + 2 * WORD - 1).min(self.body - WORD) & !(WORD - 1) } else { self.body }
    }

    /// The layout of the whole.
    pub(super) fn whole(self) -> Layout {
        let len = self.lead + self.body + self.trail;
        // SAFETY: a power of two, and a length that was checked for it when the shape was made, or that a block
        // has: shapes of other lengths have the alignment 1. `Kept::NONE` is asked nothing.
        unsafe { Layout::from_size_align_unchecked(len, self.align) }
    }

    /// Where the whole of a block begins; nowhere where nothing can.
    pub(super) fn base(self, block: NonNull<u8>) -> NonNull<u8> {
        NonNull::new(block.as_ptr().wrapping_sub(self.lead)).unwrap_or(block)
    }
}
