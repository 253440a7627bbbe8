//! Zeroing a block whose pages may have contents, or never had some.
//!
//! Clearing a page that is there costs far less than fetching a new one; clearing one that is not
//! fetches it, though the program may never touch it. Where that is wished for, the system is asked which
//! are there: those are cleared, and the others given back, which costs nothing and makes sure that they are zero.

use core::ops::Range;
use core::ptr::NonNull;

use strata_os::memory;

use crate::wishes;

/// The least block that is asked about.
const ASKED: usize = 1 << 20;
/// Pages that one call asks about, the first one and the others: where hardly any of the first have
/// contents, only some of the others are asked about.
const FIRST: usize = 64;
const WINDOW: usize = 1024;
/// Stretches without contents that are given back one by one; what lies behind is cleared.
const STRETCHES: usize = 64;

/// Clears `len` bytes at `at`, of which all pages have contents where it is `dense`. Answers whether all
/// have now.
///
/// # Safety
///
/// 1. `[at, at + len)` is a block of the process heap, the caller's alone.
pub(super) unsafe fn clear(at: *mut u8, len: usize, dense: bool) -> bool {
    let page = memory::page_size();
    let whole = len / page * page;
    if dense || len < ASKED || !at.addr().is_multiple_of(page) || !wishes::zeroes_by_pages() {
        // SAFETY: 1. the caller's.
        unsafe { at.write_bytes(0, len) };
        return len >= ASKED;
    }
    // SAFETY: 1. the caller's.
    unsafe {
        at.add(whole).write_bytes(0, len - whole);
        clear_pages(at, whole / page, page)
    }
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
