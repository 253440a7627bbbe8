//! Zeroing a block whose pages may have contents, or never had some.
//!
//! Clearing a page that is there costs far less than fetching a new one; clearing one that is not
//! fetches it, though the program may never touch it. What a thread does with such blocks it mostly does
//! again: its [`Habit`] says whether they are cleared, or given back to the system whole, which makes
//! them zero. How long the system takes over the latter tells how many pages there were; of a thread that
//! touches much, no more than a part of a block is given back now and then, to see. Where that is wished
//! for, the system is asked which pages are there instead: those are cleared, and the others given back.

use core::cell::Cell;
use core::ops::Range;
use core::ptr::NonNull;

use strata_os::{clock, memory};

use crate::{huge, wishes};

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
/// Nanoseconds beside, where the rest of the block was cleared: what the system needs is out of the caches
/// then. A part that was touched all over takes some times as long.
const COLD: u64 = 14_000;
/// Blocks that are cleared before the next look, at first and at most, and how many times as many each time.
/// The first one comes soon: a time that was taken once says little where others run.
const CLEARED: Range<usize> = 4..1024;
const GROWS: usize = 8;
/// How many times [`ASKED`] they are long at most: a look costs as much after long blocks as after short ones.
const CLEARED_ASKED: usize = 4096;
/// Bytes that are given back to look: as few as there is a time to be seen of.
const LOOKED_AT: usize = ASKED;

/// Whether a thread touches much of what it wants zeroed.
#[derive(Debug)]
pub(super) struct Habit {
    /// Blocks to clear until the next look, and how many they were after the last one: none where little
    /// is touched.
    left: Cell<usize>,
    all: Cell<usize>,
    /// Whether what is given back next was given back the last time: what of it has contents was touched
    /// since.
    tells: Cell<bool>,
}

impl Habit {
    pub(super) const fn new() -> Self {
        Self { left: Cell::new(0), all: Cell::new(0), tells: Cell::new(false) }
    }

    /// What of the next block, whose whole pages are `len` bytes, is to be given back: all of it from a
    /// thread that touches little, and nothing from another, but for the middle of a block to look.
    fn gives_back(&self, len: usize) -> Range<usize> {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        if left != 0 {
            return len..len;
        }
        let looked_at = if self.all.get() == 0 { len } else { len.min(LOOKED_AT) };
        // At its multiples: of huge pages below, one at most is split.
        let start = (len - looked_at) / 2 / LOOKED_AT * LOOKED_AT;
        start..start + looked_at
    }

    /// Notes whether what was given back of a block of `len` bytes had many pages. Answers whether a whole
    /// block told that the thread touches much.
    fn note(&self, many: bool, len: usize) -> bool {
        if !self.tells.replace(true) {
            return false;
        }
        let before = self.all.get();
        let most = CLEARED.end.min(CLEARED_ASKED / (len / ASKED)).max(CLEARED.start);
        let all = if many { (GROWS * before).clamp(CLEARED.start, most) } else { 0 };
        self.all.set(all);
        self.left.set(all);
        // Around a part that was looked at all was cleared: the whole block tells nothing yet.
        self.tells.set(!many && before == 0);
        many && before == 0
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
    if is_small || (by_pages && dense) {
        // SAFETY: 1. the caller's.
        unsafe { at.write_bytes(0, len) };
        return !is_small;
    }
    if by_pages {
        // SAFETY: 1. the caller's.
        return unsafe {
            at.add(whole).write_bytes(0, len - whole);
            clear_pages(at, whole / page, page)
        };
    }
    let back = habit.gives_back(whole);
    // SAFETY: 1. the caller's; what is given back are whole pages of the block.
    unsafe {
        at.write_bytes(0, back.start);
        at.add(back.end).write_bytes(0, len - back.end);
        if back.is_empty() {
            return true;
        }
        let beside = if back.len() < whole { COLD } else { 0 };
        let many = give_back_all(at.add(back.start), back.len(), page, beside);
        // It will be touched all over again: a huge page at once costs less than its small ones one by one.
        habit.note(many, whole) && huge::process::fill(NonNull::new_unchecked(at), whole)
    }
}

/// Gives all pages back, or clears them where the system keeps them. Answers whether so many of them had
/// contents that clearing them would have been better; `beside` is what the call takes without any.
///
/// # Safety
///
/// 1. At `at` there are `len` bytes of whole pages, the caller's alone.
unsafe fn give_back_all(at: *mut u8, len: usize, page: usize, beside: u64) -> bool {
    let begun = clock::nanos();
    // SAFETY: 1. the caller's, here and there; a block is not at null.
    unsafe {
        if memory::purge(NonNull::new_unchecked(at), len).is_err() {
            // Locked into memory, say.
            at.write_bytes(0, len);
            return true;
        }
    }
    clock::nanos().wrapping_sub(begun) > beside + TOLD * (len / page) as u64
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

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    const LEN: usize = 16 << 20;

    /// How much of the next block is given back, if that has `many` pages.
    fn next(habit: &Habit, many: bool) -> usize {
        let back = habit.gives_back(LEN);
        assert!(back.end <= LEN && back.start.is_multiple_of(LOOKED_AT));
        if !back.is_empty() {
            habit.note(many, LEN);
        }
        back.len()
    }

    #[test]
    fn a_thread_that_touches_little_gives_all_back() {
        let habit = Habit::new();
        // Whatever the first one had in it.
        assert_eq!(next(&habit, true), LEN);
        assert!((0..100).all(|_| next(&habit, false) == LEN));
    }

    #[test]
    fn a_thread_that_touches_much_clears_and_looks_ever_more_seldom() {
        let habit = Habit::new();
        assert_eq!([next(&habit, true), next(&habit, true)], [LEN, LEN]);
        let mut cleared = CLEARED.start;
        for _ in 0..10 {
            assert!((0..cleared).all(|_| next(&habit, true) == 0));
            // The first look empties, the second one sees what was touched since.
            assert_eq!([next(&habit, true), next(&habit, true)], [LOOKED_AT, LOOKED_AT]);
            cleared = (GROWS * cleared).min(CLEARED_ASKED / (LEN / ASKED));
        }
    }

    #[test]
    fn a_thread_that_touches_little_from_now_on_is_found_out() {
        let habit = Habit::new();
        while next(&habit, true) != 0 {}
        while next(&habit, true) == 0 {}
        assert_eq!(next(&habit, false), LOOKED_AT);
        // Its pages were cleared, and so are there.
        assert_eq!(next(&habit, true), LEN);
        assert!((0..100).all(|_| next(&habit, false) == LEN));
    }
}
