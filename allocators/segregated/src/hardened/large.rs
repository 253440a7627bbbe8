//! Blocks of pages of their own: where the guards are, and what is done when one is freed.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use strata_core::misuse;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_os::memory;

use super::shape::Shape;
use super::{CANARIES, GUARDS, QUARANTINE, WORD, ZERO, fill, none, seal, waiting};
use crate::central::Platform;
use crate::process::{HEAP, Process};
use crate::stocks::{self, Stocks};

/// From here on a block is zeroed by giving its pages back: below, to fetch them again costs more than clearing.
const GIVEN_BACK: usize = 1 << 20;

/// Live large blocks.
static LARGE: AtomicUsize = AtomicUsize::new(0);

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
    // SAFETY: 1. and 3. the caller's: its first and last units, which hold nothing, and which the program has no
    // right to. 2. units are whole pages. A refusal leaves a block without a guard.
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
    note_lowered();
    let whole = shape.whole().size();
    // SAFETY: 1. the caller's, all three: what lies between the guards stays as it is. 2. whole units.
    unsafe {
        // Of a long block the system would look at all page tables.
        if whole <= GIVEN_BACK || shape.lead == 0 {
            let from = if shape.lead == 0 { base.add(shape.body) } else { base };
            let len = if shape.lead == 0 { shape.trail } else { whole };
            return memory::unguard(from, len).is_ok();
        }
        memory::unguard(base.add(shape.lead + shape.body), shape.trail).is_ok()
            && memory::unguard(base, shape.lead).is_ok()
    }
}

/// Notes that a block has no guards any more.
fn note_lowered() {
    if GUARDS {
        // Relaxed: see `raise`.
        LARGE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A large block; null where the system has no more.
#[inline(never)]
pub(super) fn take(stocks: &Stocks, layout: Layout, zeroed: bool) -> *mut u8 {
    let Some(shape) = Shape::of(layout) else { return none() };
    if QUARANTINE && let Some(kept) = waiting::take(shape) {
        return reuse(stocks, kept, layout, zeroed);
    }
    let base = if zeroed {
        stocks::take_large_zeroed_for(stocks, shape.whole(), layout)
    } else {
        stocks::take_large_for(stocks, shape.whole(), layout)
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

/// A block that waited, for `layout`.
fn reuse(stocks: &Stocks, kept: Kept, layout: Layout, zeroed: bool) -> *mut u8 {
    let (block, shape, size) = (kept.block, kept.shape, layout.size());
    kept.check_untouched();
    // SAFETY: 1. a block that was freed, ours alone. 2. whole units. Where the system refuses, it stays as
    // it is, for good.
    unsafe {
        if kept.is_untouchable
            && NonNull::new(block).is_none_or(|block| memory::unguard(block, shape.body).is_err())
        {
            return none();
        }
        if zeroed && !kept.is_untouchable {
            let zero = if ZERO { kept.filled.min(size) } else { 0 };
            block.add(zero).write_bytes(0, size - zero);
        }
        if CANARIES {
            seal::seal(block, shape.body, size);
        }
    }
    stocks::count_large(stocks, kept.base, layout);
    block
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
    let (base, size) = check(block, shape, size);
    let is_long = shape.body >= GIVEN_BACK;
    let filled = if is_long { 0 } else { shape.touched(size) };
    let (base_at, block_at) = (base.as_ptr(), block.as_ptr());
    let mut kept = Kept { base: base_at, block: block_at, shape, filled, is_untouchable: false };
    // SAFETY: 1. the caller's: nobody's any more; whole units of a block that is gone.
    unsafe {
        if CANARIES && !is_long {
            seal::unseal(block.as_ptr(), shape.body);
        }
        if ZERO || QUARANTINE {
            if is_long {
                empty(block, shape.body);
            } else {
                fill::clear(block.as_ptr(), filled);
            }
        }
        if QUARANTINE {
            stocks::forget_large(base);
            kept.is_untouchable = is_long && memory::guard(block, shape.body).is_ok();
            if kept.is_untouchable || !is_long {
                return waiting::keep(stocks, kept);
            }
        }
    }
    leave(stocks, kept);
}

/// Stops the process where `block` is no live block of this shape. Answers where its whole begins, and how many
/// bytes the program has of it, as far as that is known.
fn check(block: NonNull<u8>, shape: Shape, size: Option<usize>) -> (NonNull<u8>, usize) {
    let base = shape.base(block);
    if QUARANTINE && waiting::has(block.as_ptr()) {
        misuse::stop("a large block was freed twice");
    }
    HEAP.check_large(base, shape.whole());
    if CANARIES {
        // SAFETY: 1. the tables say that a block of this shape is there.
        return (base, unsafe { seal::size_of_sealed(block.as_ptr(), shape.body, size) });
    }
    (base, shape.body)
}

/// A block that was freed, and may wait: its guards are up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    base: *mut u8,
    pub(super) block: *mut u8,
    pub(super) shape: Shape,
    /// Bytes that are poisoned.
    filled: usize,
    /// Whether it cannot be touched, and has no contents.
    is_untouchable: bool,
}

impl Kept {
    /// None; all zero.
    pub(super) const NONE: Self = Self {
        base: ptr::null_mut(),
        block: ptr::null_mut(),
        shape: Shape { lead: 0, body: 0, trail: 0, align: 0 },
        filled: 0,
        is_untouchable: false,
    };

    /// Its bytes that have contents.
    pub(super) fn contents(&self) -> usize {
        self.filled
    }

    /// Whether a request for a block of this shape may have it.
    pub(super) fn serves(&self, shape: Shape) -> bool {
        let Shape { lead, body, trail, .. } = self.shape;
        (lead, body, trail) == (shape.lead, shape.body, shape.trail)
            && self.block.addr().is_multiple_of(shape.align)
    }

    /// Stops the process where it was written after it had been freed.
    fn check_untouched(&self) {
        // SAFETY: 1. filled when it was freed, and nobody's since; 1. and unsealed.
        let untouched = self.is_untouchable
            || unsafe {
                fill::is_filled(self.block, self.filled)
                    && (!CANARIES || seal::is_unsealed(self.block, self.shape.body))
            };
        if !untouched {
            misuse::stop("a large block was written after it was freed");
        }
    }
}

/// A block goes back to what is below.
pub(super) fn leave(stocks: &Stocks, kept: Kept) {
    let Some(base) = NonNull::new(kept.base) else { return };
    if QUARANTINE {
        kept.check_untouched();
    }
    let (shape, whole) = (kept.shape, kept.shape.whole());
    // SAFETY: 1. a whole of this shape, whose block was freed.
    unsafe {
        let usable = if kept.is_untouchable {
            note_lowered();
            memory::unguard(base, whole.size()).is_ok()
        } else {
            lower(base, shape)
        };
        if !usable {
            // It stays as it is, for good: nobody can be given what cannot be touched.
            return;
        }
        // By the layout that the tables have.
        let whole = Layout::from_size_align_unchecked(whole.size(), 1);
        stocks::put_large_in(stocks, base, whole);
    }
}

/// Gives the pages of a block back: it is zero then.
///
/// # Safety
///
/// 1. `[at, at + len)` is the caller's, whole pages.
unsafe fn empty(at: NonNull<u8>, len: usize) {
    // SAFETY: 1. the caller's. 2. whole pages. 3. nobody has it.
    unsafe {
        if memory::purge(at, len).is_err() {
            at.write_bytes(0, len);
        }
    }
}

/// Makes unreadable what is cut off a block at `from`, and goes to others; its word, which stands further behind,
/// stays for who is refused.
///
/// # Safety
///
/// 1. `[from, from + cut)` of the block is the caller's, and begins at a page.
unsafe fn wipe(block: NonNull<u8>, from: usize, cut: usize) {
    let pages = if cut < GIVEN_BACK { 0 } else { cut / memory::page_size() * memory::page_size() };
    if cut == 0 {
        return;
    }
    // SAFETY: 1. the caller's; whole pages first.
    unsafe {
        let at = block.add(from);
        if pages != 0 {
            empty(at, pages);
        }
        at.as_ptr().add(pages).write_bytes(fill::POISON, cut - pages);
    }
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
    let (base, size) = check(block, shape, size);
    // What the program has no more is as if it was freed.
    let lost = if ZERO || QUARANTINE { shape.touched(size).min(other.body - WORD) } else { 0 };
    // SAFETY: 1. the caller's, here and there; what is written lies in the old body (`touched` ends there), or in the
    // new one, between its first `new` bytes and its word. The layout is no longer than `other`, which was checked.
    unsafe {
        let asked = Layout::from_size_align_unchecked(new, 1);
        let to = if shape.body == other.body {
            stocks::forget_large(base);
            stocks::count_large(stocks, base.as_ptr(), asked);
            block
        } else {
            if ZERO || QUARANTINE {
                let cut = shape.touched(size).saturating_sub(other.body);
                wipe(block, other.body, cut);
            }
            let (from, to) = (shape.whole(), other.whole());
            let usable = lower(base, shape);
            let to = usable.then(|| stocks::resize_large_for(stocks, base, from, to, asked));
            let Some(to) = to.flatten() else {
                raise(base, shape);
                return None;
            };
            raise(to, other);
            to.add(other.lead)
        };
        if CANARIES {
            if other.body > shape.body {
                // Who learned the old word could forge it when a block has that length again.
                to.add(shape.body - WORD).write_bytes(fill::POISON, WORD);
            }
            to.add(new).write_bytes(fill::POISON, lost.saturating_sub(new));
            seal::seal(to.as_ptr(), other.body, new);
        }
        Some(to.as_ptr())
    }
}

/// Bytes that a large block has for the program.
pub(super) fn good_size(layout: Layout) -> usize {
    Shape::of(layout).map_or(layout.size(), |shape| shape.body - WORD)
}
