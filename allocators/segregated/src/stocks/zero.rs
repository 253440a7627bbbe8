//! Zeroing a block whose pages may have contents, or never had some.
//!
//! Clearing a page that is there costs far less than fetching a new one; clearing one that is not
//! fetches it, though the program may never touch it. What a thread does with such blocks it mostly does
//! again: its [`Habit`] says whether they are cleared, or given back to the system whole, which makes
//! them zero. How long the system takes over the latter tells how many pages there were. Where that is
//! wished for, the system is asked which are there instead: those are cleared, and the others given back.

use core::cell::Cell;
use core::ops::Range;
use core::ptr::NonNull;

use strata_os::{clock, memory};

use crate::wishes;

/// The least block that is asked about.
const ASKED: usize = 1 << 20;
/// Pages that one call asks about, the first one and the others: where hardly any of the first have
/// contents, only some of the others are asked about.
const FIRST: usize = 64;
const WINDOW: usize = 1024;
/// Stretches without contents that are given back one by one; what lies behind is cleared.
const STRETCHES: usize = 64;

/// Nanoseconds for each page of a block that giving it back takes where so many of its pages had contents
/// that clearing it costs less than fetching those again: about one in thirty.
const TOLD: u64 = 8;
/// Blocks that are cleared before the next one is given back to see, at first and at most.
const CLEARED: Range<u16> = 16..1024;

/// Whether a thread touches much of what it wants zeroed.
#[derive(Debug)]
pub(super) struct Habit {
    /// Blocks to clear until one is given back, and how many they were after the last one.
    left: Cell<u16>,
    all: Cell<u16>,
    /// Whether the last one was given back: what has contents of the next one was touched since.
    tells: Cell<bool>,
}

impl Habit {
    pub(super) const fn new() -> Self {
        Self { left: Cell::new(0), all: Cell::new(0), tells: Cell::new(false) }
    }

    /// Whether the next block is to be cleared.
    fn clears(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left != 0
    }

    /// Notes how many pages the block had that was given back.
    fn note(&self, many: bool) {
        if !self.tells.replace(true) {
            return;
        }
        let all = if many { (2 * self.all.get()).clamp(CLEARED.start, CLEARED.end) } else { 0 };
        self.all.set(all);
        self.left.set(all);
        self.tells.set(!many);
    }
}

/// Clears `len` bytes at `at`, of which all pages have contents where it is `dense`. Answers whether all
/// have now.
///
/// # Safety
///
/// 1. `[at, at + len)` is a block of the process heap, the caller's alone.
pub(super) unsafe fn clear(at: *mut u8, len: usize, dense: bool, habit: &Habit) -> bool {
    let page = memory::page_size();
    let whole = len / page * page;
    let is_small = len < ASKED || !at.addr().is_multiple_of(page);
    let by_pages = !is_small && wishes::zeroes_by_pages();
    if is_small || if by_pages { dense } else { habit.clears() } {
        // SAFETY: 1. the caller's.
        unsafe { at.write_bytes(0, len) };
        return !is_small;
    }
    // SAFETY: 1. the caller's.
    unsafe {
        at.add(whole).write_bytes(0, len - whole);
        if by_pages {
            clear_pages(at, whole / page, page)
        } else {
            habit.note(give_back_all(at, whole, page));
            false
        }
    }
}

/// Gives all pages back, or clears them where the system keeps them. Answers whether so many of them had
/// contents that clearing them would have been better.
///
/// # Safety
///
/// 1. At `at` there are `len` bytes of whole pages, the caller's alone.
unsafe fn give_back_all(at: *mut u8, len: usize, page: usize) -> bool {
    let begun = clock::nanos();
    // SAFETY: 1. the caller's, here and there; a block is not at null.
    unsafe {
        if memory::purge(NonNull::new_unchecked(at), len).is_err() {
            // Locked into memory, say.
            at.write_bytes(0, len);
            return true;
        }
    }
    clock::nanos().wrapping_sub(begun) > TOLD * (len / page) as u64
}

/// # Safety
///
/// 1. At `at` there are so many pages, the caller's alone.
unsafe fn clear_pages(at: *mut u8, pages: usize, page: usize) -> bool {
    let mut there = [0; WINDOW];
    let (mut stretches, mut gap) = (0, 0..0);
    let (mut from, mut cleared) = (0, 0);
    // SAFETY: 1. the caller's; ranges of pages in the block.
    let clear = |pages: Range<usize>| unsafe {
        at.add(pages.start * page).write_bytes(0, pages.len() * page);
    };
    while from < pages {
        if from == FIRST && cleared <= FIRST / 16 && is_sparse(at, from..pages, page) {
            break;
        }
        let to = pages.min(from + if from == 0 { FIRST } else { WINDOW });
        let window = &mut there[..to - from];
        // SAFETY: in the block; whole pages.
        let asked = unsafe {
            memory::resident(
                NonNull::new_unchecked(at.add(from * page)),
                (to - from) * page,
                window,
            )
        };
        if asked.is_err() || stretches >= STRETCHES {
            clear(gap.start..pages);
            return true;
        }
        let mut start = from;
        while start < to {
            let state = window[start - from] & 1;
            let same = alike(&window[start - from..], state);
            let range = start..start + same;
            start = range.end;
            if state == 0 {
                gap = if gap.end == range.start && !gap.is_empty() {
                    gap.start..range.end
                } else {
                    range
                };
                continue;
            }
            stretches += usize::from(!gap.is_empty());
            give_back(at, gap.clone(), page, clear);
            gap = range.end..range.end;
            cleared += range.len();
            clear(range);
        }
        from = to;
    }
    gap.end = pages.max(gap.end);
    stretches += usize::from(!gap.is_empty());
    give_back(at, gap, page, clear);
    stretches == 0
}

/// Whether some pages, spread over a range, all have no contents.
fn is_sparse(at: *mut u8, pages: Range<usize>, page: usize) -> bool {
    const LOOKS: usize = 4;
    let step = pages.len() / LOOKS;
    step != 0
        && (1..=LOOKS).all(|look| {
            let mut there = [1];
            // SAFETY: in the block, and so not null.
            let one =
                unsafe { NonNull::new_unchecked(at.add((pages.start + look * step - 1) * page)) };
            // SAFETY: one whole page of it.
            unsafe { memory::resident(one, page, &mut there) }.is_ok() && there[0] & 1 == 0
        })
}

/// How many pages from the first on are in the same `state`.
fn alike(pages: &[u8], state: u8) -> usize {
    let all = [state; 64];
    let whole = pages.chunks_exact(64).take_while(|pages| **pages == all).count() * 64;
    whole + pages[whole..].iter().take_while(|page| **page & 1 == state).count()
}

/// Makes a range of pages without contents sure to be zero.
fn give_back(at: *mut u8, pages: Range<usize>, page: usize, clear: impl Fn(Range<usize>)) {
    if pages.is_empty() {
        return;
    }
    // SAFETY: not null: part of a block.
    let from = unsafe { NonNull::new_unchecked(at.add(pages.start * page)) };
    // SAFETY: whole pages of a block that is the caller's alone.
    if unsafe { memory::purge(from, pages.len() * page) }.is_err() {
        // Locked into memory, say.
        clear(pages);
    }
}
