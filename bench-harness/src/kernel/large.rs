//! Large blocks: one at a time, touched here and there or on every page, and zeroed ones.

use super::random::Random;
use super::room::Room;
use super::window::{Window, give, layout, take, take_zeroed, touch_pages};
use crate::subject::Subject;
use std::alloc::Layout;

/// A block of `BYTES` at a time; with `PAGES` a word is written on every page of it.
pub(super) fn pair<S: Subject, const BYTES: usize, const PAGES: bool>(
    subject: &S,
    window: &mut Window,
) {
    #[inline(never)]
    fn rounds<S: Subject, const BYTES: usize, const PAGES: bool>(subject: &S, rounds: u64) {
        let layout = const { layout(BYTES, 8) };
        for _ in 0..rounds {
            let block = take(subject, layout);
            if PAGES {
                // SAFETY: 1: taken just now.
                unsafe { touch_pages::<S>(block, layout) };
            }
            // SAFETY: 1: taken just now.
            unsafe { give(subject, block, layout) };
        }
    }
    window.run(|count| rounds::<S, BYTES, PAGES>(subject, count));
}

/// The same of zeroed blocks.
pub(super) fn zeroed<S: Subject, const BYTES: usize, const PAGES: bool>(
    subject: &S,
    window: &mut Window,
) {
    #[inline(never)]
    fn rounds<S: Subject, const BYTES: usize, const PAGES: bool>(subject: &S, rounds: u64) {
        let layout = const { layout(BYTES, 8) };
        for _ in 0..rounds {
            let block = take_zeroed(subject, layout);
            if PAGES {
                // SAFETY: 1: taken just now.
                unsafe { touch_pages::<S>(block, layout) };
            }
            // SAFETY: 1: taken just now.
            unsafe { give(subject, block, layout) };
        }
    }
    window.run(|count| rounds::<S, BYTES, PAGES>(subject, count));
}

const SIZES: usize = 64;

/// Pairs of a round of [`mixed`], which are the same sizes each time.
pub(super) const MIXED: u64 = SIZES as u64;

/// Blocks of run-time sizes, 64 KiB to `MOST`, a word written on every page.
pub(super) fn mixed<S: Subject, const MOST: u32>(subject: &S, window: &mut Window) {
    #[inline(never)]
    fn rounds<S: Subject>(subject: &S, sizes: &[u32; SIZES], rounds: u64) {
        for &bytes in (0..rounds).flat_map(|_| sizes) {
            let bytes = bytes as usize;
            // SAFETY: the table's sizes are small, the alignment is a power of two.
            let layout = unsafe { Layout::from_size_align_unchecked(bytes, 8) };
            let block = take(subject, layout);
            // SAFETY: 1: taken just now.
            unsafe { touch_pages::<S>(block, layout) };
            // SAFETY: 1: taken just now.
            unsafe { give(subject, block, layout) };
        }
    }
    let mut sizes = Room::<[u32; SIZES]>::new();
    Random::new(3).sizes(&mut *sizes, 64 << 10, MOST);
    window.run(|count| rounds::<S>(subject, &sizes, count));
}
