//! One block at a time.

use super::random::Random;
use super::room::Room;
use super::window::{Window, give, layout, take};
use crate::subject::Subject;
use std::alloc::Layout;

/// Run-time sizes are taken from a table of so many.
pub(super) const SIZES: usize = 1024;

/// Blocks of a constant size.
pub(super) fn constant<S: Subject, const BYTES: usize>(subject: &S, window: &mut Window) {
    #[inline(never)]
    fn rounds<S: Subject, const BYTES: usize>(subject: &S, rounds: u64) {
        let layout = const { layout(BYTES, 8) };
        for _ in 0..rounds {
            let block = take(subject, layout);
            // SAFETY: 1: taken just now.
            unsafe { give(subject, block, layout) };
        }
    }
    window.run(|count| rounds::<S, BYTES>(subject, count));
}

/// Blocks of run-time sizes.
pub(super) fn mixed<S: Subject>(subject: &S, window: &mut Window) {
    sized::<S, 8>(subject, window, 8);
}

/// Blocks of run-time sizes, aligned to 64.
pub(super) fn aligned<S: Subject>(subject: &S, window: &mut Window) {
    sized::<S, 64>(subject, window, 48);
}

fn sized<S: Subject, const ALIGN: usize>(subject: &S, window: &mut Window, least: u32) {
    #[inline(never)]
    fn rounds<S: Subject, const ALIGN: usize>(subject: &S, sizes: &[u32; SIZES], rounds: u64) {
        for index in 0..rounds {
            let bytes = sizes[index as usize % SIZES] as usize;
            // SAFETY: the table's sizes are small, the alignment is a power of two.
            let layout = unsafe { Layout::from_size_align_unchecked(bytes, ALIGN) };
            let block = take(subject, layout);
            // SAFETY: 1: taken just now.
            unsafe { give(subject, block, layout) };
        }
    }
    let mut sizes = Room::<[u32; SIZES]>::new();
    Random::new(1).sizes(&mut *sizes, least, 1024);
    window.run(|count| rounds::<S, ALIGN>(subject, &sizes, count));
}
