//! Blocks that grow as those of `Vec`, `String`, `HashMap` and `Box<[u8]>` do.

use super::window::{Window, give, grow, layout, take};
use crate::subject::Subject;
use std::alloc::Layout;

/// Bytes of a vector's first block.
const FIRST: usize = 64;

/// Pairs of a round of [`vector`]: a block for each length.
pub(super) const fn steps(bytes: usize) -> u64 {
    ((bytes / FIRST).ilog2() + 1) as u64
}

fn bytes(bytes: usize, align: usize) -> Layout {
    // SAFETY: kernels' sizes are far below the limit, their alignments powers of two.
    unsafe { Layout::from_size_align_unchecked(bytes, align) }
}

/// Writes the bytes of a block from `from` on.
///
/// # Safety
///
/// 1. `block` is live, of this layout and at least `from` bytes.
unsafe fn fill<S: Subject>(block: *mut u8, layout: Layout, from: usize) {
    if S::TOUCHABLE {
        // SAFETY: 1: inside the block.
        unsafe { block.add(from).write_bytes(0x5A, layout.size() - from) };
    }
}

/// A block that doubles, filled each time, from 64 bytes to `BYTES`: a `Vec` that is pushed to.
fn doubled<S: Subject>(subject: &S, most: usize) -> (*mut u8, Layout) {
    let mut layout = const { layout(FIRST, 8) };
    let mut block = take(subject, layout);
    // SAFETY: 1: taken just now.
    unsafe { fill::<S>(block, layout, 0) };
    while layout.size() < most {
        let old = layout.size();
        // SAFETY: 1: live, of this layout.
        block = unsafe { grow(subject, block, layout, 2 * old) };
        layout = bytes(2 * old, layout.align());
        // SAFETY: 1: twice as long now.
        unsafe { fill::<S>(block, layout, old) };
    }
    (block, layout)
}

/// A vector that is pushed to until it has `BYTES`.
pub(super) fn vector<S: Subject, const BYTES: usize>(subject: &S, window: &mut Window) {
    #[inline(never)]
    fn rounds<S: Subject>(subject: &S, most: usize, rounds: u64) {
        for _ in 0..rounds {
            let (block, layout) = doubled(subject, most);
            // SAFETY: 1: live, of this layout.
            unsafe { give(subject, block, layout) };
        }
    }
    window.run(|count| rounds(subject, BYTES, count));
}

/// Pairs of a round of [`boxed`].
pub(super) const fn boxed_steps(bytes: usize) -> u64 {
    steps(bytes) + 1
}

/// A vector of `BYTES` that is made a boxed slice of five eighths.
pub(super) fn boxed<S: Subject, const BYTES: usize>(subject: &S, window: &mut Window) {
    #[inline(never)]
    fn rounds<S: Subject>(subject: &S, most: usize, rounds: u64) {
        for _ in 0..rounds {
            let (block, layout) = doubled(subject, most);
            let exact = most / 8 * 5;
            // SAFETY: 1: live, of this layout.
            unsafe {
                let block = grow(subject, block, layout, exact);
                give(subject, block, bytes(exact, layout.align()));
            }
        }
    }
    window.run(|count| rounds(subject, BYTES, count));
}

/// Bytes that [`appended`] grows by.
const STEP: usize = 64 << 10;

/// Pairs of a round of [`appended`].
pub(super) const fn appends(bytes: usize) -> u64 {
    (bytes / STEP) as u64
}

/// A block that grows by 64 KiB at a time: a reader that asks for exactly what it needs.
pub(super) fn appended<S: Subject, const BYTES: usize>(subject: &S, window: &mut Window) {
    #[inline(never)]
    fn rounds<S: Subject>(subject: &S, most: usize, rounds: u64) {
        for _ in 0..rounds {
            let mut layout = const { layout(STEP, 8) };
            let mut block = take(subject, layout);
            // SAFETY: 1: taken just now.
            unsafe { fill::<S>(block, layout, 0) };
            while layout.size() < most {
                let old = layout.size();
                // SAFETY: 1: live, of this layout.
                block = unsafe { grow(subject, block, layout, old + STEP) };
                layout = bytes(old + STEP, layout.align());
                // SAFETY: 1: longer now.
                unsafe { fill::<S>(block, layout, old) };
            }
            // SAFETY: 1: live, of this layout.
            unsafe { give(subject, block, layout) };
        }
    }
    window.run(|count| rounds(subject, BYTES, count));
}

/// Bytes of an entry of [`table`], with its control byte.
const ENTRY: usize = 17;
/// Entries of its first table.
const ENTRIES: usize = 16;

/// Pairs of a round of [`table`]: one for each length of it.
pub(super) const fn tables(entries: usize) -> u64 {
    ((entries / ENTRIES).ilog2() + 1) as u64
}

/// A hash table that doubles until it has `MOST` places: the new one is filled from the old one,
/// place by place in the order of hashes, while both are there.
pub(super) fn table<S: Subject, const MOST: usize>(subject: &S, window: &mut Window) {
    #[inline(never)]
    fn rounds<S: Subject>(subject: &S, most: usize, rounds: u64) {
        for _ in 0..rounds {
            let mut old: Option<(*mut u8, Layout)> = None;
            let mut places = ENTRIES;
            while places <= most {
                let layout = bytes(places * ENTRY, 16);
                let block = take(subject, layout);
                if S::TOUCHABLE {
                    // SAFETY: the block has room for so many entries and as many control bytes
                    // behind them; half of the places are written, by an odd step that meets
                    // each at most once.
                    unsafe {
                        block.add(places * (ENTRY - 1)).write_bytes(0xFF, places);
                        for item in 0..places / 2 {
                            let place = item.wrapping_mul(0x9E37_79B1) & (places - 1);
                            block.cast::<[usize; 2]>().add(place).write([item, place]);
                        }
                    }
                }
                if let Some((block, layout)) = old.replace((block, layout)) {
                    // SAFETY: 1: the table before, live until now.
                    unsafe { give(subject, block, layout) };
                }
                places *= 2;
            }
            if let Some((block, layout)) = old {
                // SAFETY: 1: the last table.
                unsafe { give(subject, block, layout) };
            }
        }
    }
    window.run(|count| rounds(subject, MOST, count));
}
