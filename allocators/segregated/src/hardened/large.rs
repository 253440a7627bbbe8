//! Blocks of pages of their own: where the guards are, and what is done when one is freed.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use strata_core::align::align_up;
use strata_core::misuse;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_os::memory;

use super::{CANARIES, GUARDS, QUARANTINE, WORD, ZERO, none, quarantine, seal};
use crate::central::Platform;
use crate::class::FRAME;
use crate::process::{HEAP, Process};
use crate::stocks::{self, Stocks};

/// From here on a block is zeroed by giving its pages back: below, to fetch them again costs more than clearing.
const GIVEN_BACK: usize = 1 << 20;

/// Live large blocks.
static LARGE: AtomicUsize = AtomicUsize::new(0);

/// What guards are multiples of.
fn unit() -> usize {
    HEAP.granule().max(FRAME)
}

/// Where a large block lies in what is taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes of the guard in front, of the block, and of the guard behind.
    lead: usize,
    pub(super) body: usize,
    trail: usize,
    align: usize,
}

impl Shape {
    /// The shape of a layout's block; `None` where no block can be so long.
    pub(super) fn of(layout: Layout) -> Option<Self> {
        let unit = unit();
        let body = align_up(layout.size().checked_add(WORD)?.max(1), unit)?;
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

    /// The layout of the whole.
    fn whole(self) -> Layout {
        let len = self.lead + self.body + self.trail;
        // SAFETY: a power of two, and a length that was checked when the shape was made.
        unsafe { Layout::from_size_align_unchecked(len, self.align) }
    }

    /// Where the whole of a block begins; nowhere where nothing can.
    fn base(self, block: NonNull<u8>) -> NonNull<u8> {
        NonNull::new(block.as_ptr().wrapping_sub(self.lead)).unwrap_or(block)
    }
}

/// Makes the guards untouchable, where there may be so many mappings: three for a block, in half of what the
/// heap may have.
///
/// # Safety
///
/// 1. `base` is a whole of this shape, the caller's.
unsafe fn raise(base: NonNull<u8>, shape: Shape) {
    if !GUARDS {
        return;
    }
    // Relaxed: a count that orders nothing.
    if LARGE.fetch_add(1, Ordering::Relaxed) >= Process::most_mappings() / 6 {
        return;
    }
    // SAFETY: 1. the caller's: its first and last units, which hold nothing. A refusal leaves a block
    // without a guard.
    unsafe {
        if shape.lead != 0 {
            let _ = memory::guard(base, shape.lead);
        }
        let _ = memory::guard(base.add(shape.lead + shape.body), shape.trail);
    }
}

/// Makes all of a whole usable again. `false` where the system has no more mappings.
///
/// # Safety
///
/// 1. As for [`raise`].
unsafe fn lower(base: NonNull<u8>, shape: Shape) -> bool {
    if !GUARDS {
        return true;
    }
    // Relaxed: see `raise`.
    LARGE.fetch_sub(1, Ordering::Relaxed);
    // SAFETY: 1. the caller's.
    unsafe {
        let behind = base.add(shape.lead + shape.body);
        memory::unguard(behind, shape.trail).is_ok()
            && (shape.lead == 0 || memory::unguard(base, shape.lead).is_ok())
    }
}

/// A large block; null where the system has no more.
#[inline(never)]
pub(super) fn take(stocks: &Stocks, layout: Layout, zeroed: bool) -> *mut u8 {
    let Some(shape) = Shape::of(layout) else { return none() };
    if REUSES && let Some(block) = reuse(stocks, shape, zeroed) {
        if CANARIES {
            // SAFETY: 1. a block of this shape.
            unsafe { seal::seal(block.as_ptr(), shape.body, layout.size()) };
        }
        return block.as_ptr();
    }
    let base = if zeroed {
        stocks::take_large_zeroed_in(stocks, shape.whole())
    } else {
        stocks::take_large_in(stocks, shape.whole())
    };
    let Some(base) = NonNull::new(base) else { return none() };
    // SAFETY: 1. just taken with this shape; the block is in it.
    unsafe {
        raise(base, shape);
        let block = base.as_ptr().add(shape.lead);
        if CANARIES {
            seal::seal(block, shape.body, layout.size());
        }
        block
    }
}

/// Whether blocks go from quarantine to the next request: their guards stay up. The profiler would not hear
/// of it.
const REUSES: bool = QUARANTINE && GUARDS && !cfg!(feature = "profile");

/// A block of this shape that waited.
fn reuse(stocks: &Stocks, shape: Shape, zeroed: bool) -> Option<NonNull<u8>> {
    let fits = |kept: &Kept| {
        let Shape { lead, body, trail, .. } = kept.shape;
        (lead, body, trail) == (shape.lead, shape.body, shape.trail)
            && kept.block.addr().is_multiple_of(shape.align)
    };
    let kept = stocks.here.waiting.take_large(fits)?;
    let block = NonNull::new(kept.block)?;
    // SAFETY: 1. a block that was freed, ours alone. 2. whole units. Where the system refuses, it stays as it is,
    // for good.
    unsafe {
        memory::unguard(block, shape.body).ok()?;
        if ZERO || zeroed {
            clear(block, shape.body - WORD);
        }
    }
    Some(block)
}

/// Takes a large block back.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap for `layout`, which is large.
#[inline(never)]
pub(super) unsafe fn put(stocks: &Stocks, block: NonNull<u8>, layout: Layout) {
    let Some(shape) = Shape::of(layout) else {
        misuse::stop("a block was freed with a size that no block has");
    };
    // SAFETY: 1. the caller's.
    unsafe { put_shaped(stocks, block, shape, Some(layout.size())) };
}

/// [`put`] of a block by its shape.
///
/// # Safety
///
/// 1. As there.
pub(super) unsafe fn put_shaped(
    stocks: &Stocks,
    block: NonNull<u8>,
    shape: Shape,
    size: Option<usize>,
) {
    let base = check(stocks, block, shape, size);
    if CANARIES {
        // SAFETY: 1. the caller's.
        unsafe { seal::unseal(block.as_ptr(), shape.body) };
    }
    let kept = Kept { base: base.as_ptr(), block: block.as_ptr(), shape };
    if QUARANTINE {
        // SAFETY: 1. the caller's: nobody's any more; whole units of a block that is gone.
        unsafe {
            if shape.body >= GIVEN_BACK {
                let _ = memory::purge(block, shape.body);
            }
            if memory::guard(base, shape.whole().size()).is_ok() {
                return leave(stocks, quarantine::keep_large(stocks, kept));
            }
        }
    }
    leave(stocks, kept);
}

/// Stops the process where `block` is no live block of this shape, and answers where its whole begins.
fn check(stocks: &Stocks, block: NonNull<u8>, shape: Shape, size: Option<usize>) -> NonNull<u8> {
    let base = shape.base(block);
    if QUARANTINE && stocks.here.waiting.has_large(block) {
        misuse::stop("a large block was freed twice");
    }
    HEAP.check_large(base, shape.whole());
    if CANARIES {
        // SAFETY: 1. the tables say that a block of this shape is there.
        unsafe { seal::size_of_sealed(block.as_ptr(), shape.body, size) };
    }
    base
}

/// A block that was freed, and may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    base: *mut u8,
    pub(super) block: *mut u8,
    shape: Shape,
}

impl Kept {
    /// None; all zero.
    pub(super) const NONE: Self = Self {
        base: ptr::null_mut(),
        block: ptr::null_mut(),
        shape: Shape { lead: 0, body: 0, trail: 0, align: 0 },
    };
}

/// A block goes back to what is below.
pub(super) fn leave(stocks: &Stocks, kept: Kept) {
    let (Some(base), Some(block)) = (NonNull::new(kept.base), NonNull::new(kept.block)) else {
        return;
    };
    let (shape, whole) = (kept.shape, kept.shape.whole());
    // SAFETY: 1. a whole of this shape, whose block was freed.
    unsafe {
        let usable = if QUARANTINE {
            if GUARDS {
                // Relaxed: see `raise`.
                LARGE.fetch_sub(1, Ordering::Relaxed);
            }
            memory::unguard(base, whole.size()).is_ok()
        } else {
            lower(base, shape)
        };
        if !usable {
            // It stays as it is, for good: nobody can be given what cannot be touched.
            return;
        }
        if ZERO {
            clear(block, shape.body - WORD);
        }
        // By the layout that the tables have.
        let whole = Layout::from_size_align_unchecked(whole.size(), 1);
        stocks::put_large_in(stocks, base, whole);
    }
}

/// Zeroes a block.
///
/// # Safety
///
/// 1. `[at, at + len)` is the caller's, from a page on.
unsafe fn clear(at: NonNull<u8>, len: usize) {
    let mut given = 0;
    if len >= GIVEN_BACK {
        let whole = len / unit() * unit();
        // SAFETY: 1. the caller's; whole pages.
        if unsafe { memory::purge(at, whole) }.is_ok() {
            given = whole;
        }
    }
    // SAFETY: 1. the caller's.
    unsafe { at.add(given).write_bytes(0, len - given) };
}

/// Resizes a large block to another large layout, where it lies or by moving its pages; `None` where it has
/// to be copied, and then it is as it was.
///
/// # Safety
///
/// 1. As for [`put`]; `new` is large, and of the same alignment.
pub(super) unsafe fn resize(
    stocks: &Stocks,
    block: NonNull<u8>,
    layout: Layout,
    new: Layout,
) -> Option<*mut u8> {
    // SAFETY: 1. the caller's.
    unsafe {
        resize_shaped(
            stocks,
            block,
            Shape::of(layout)?,
            Some(layout.size()),
            Shape::of(new)?,
            new.size(),
        )
    }
}

/// [`resize`] of a block by its shape.
///
/// # Safety
///
/// 1. As there; both shapes have the same guards in front, and the new one holds `new` bytes.
pub(super) unsafe fn resize_shaped(
    stocks: &Stocks,
    block: NonNull<u8>,
    shape: Shape,
    size: Option<usize>,
    other: Shape,
    new: usize,
) -> Option<*mut u8> {
    debug_assert!(shape.lead == other.lead && shape.align == other.align);
    let base = check(stocks, block, shape, size);
    // SAFETY: 1. the caller's, here and there.
    unsafe {
        if !lower(base, shape) {
            raise(base, shape);
            return None;
        }
        let Some(base) = stocks::resize_large_in(stocks, base, shape.whole(), other.whole()) else {
            raise(base, shape);
            return None;
        };
        raise(base, other);
        let block = base.as_ptr().add(other.lead);
        if CANARIES {
            seal::seal(block, other.body, new);
        }
        Some(block)
    }
}

/// Bytes that a large block has for the program.
pub(super) fn good_size(layout: Layout) -> usize {
    Shape::of(layout).map_or(layout.size(), |shape| shape.body - WORD)
}
