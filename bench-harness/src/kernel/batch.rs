//! A thousand blocks at a time.

use super::pair::SIZES;
use super::random::Random;
use super::room::Room;
use super::window::{Window, give, layout, take};
use crate::subject::Subject;
use std::alloc::Layout;

/// Blocks of a batch.
pub(super) const BLOCKS: u64 = 1000;

const COUNT: usize = BLOCKS as usize;
type Blocks = [*mut u8; COUNT];
type Order = [u32; COUNT];

// Orders of a batch's frees.
const FORWARD: u8 = 0;
const REVERSE: u8 = 1;
const RANDOM: u8 = 2;

/// Freed in the order of allocation.
pub(super) fn forward<S: Subject, const BYTES: usize>(subject: &S, window: &mut Window) {
    batches::<S, BYTES, FORWARD>(subject, window);
}

/// Freed in reverse order.
pub(super) fn reverse<S: Subject, const BYTES: usize>(subject: &S, window: &mut Window) {
    batches::<S, BYTES, REVERSE>(subject, window);
}

/// Freed in an order by chance, the same for every batch.
pub(super) fn random<S: Subject, const BYTES: usize>(subject: &S, window: &mut Window) {
    batches::<S, BYTES, RANDOM>(subject, window);
}

fn batches<S: Subject, const BYTES: usize, const FREES: u8>(subject: &S, window: &mut Window) {
    #[inline(never)]
    fn rounds<S: Subject, const BYTES: usize, const FREES: u8>(
        subject: &S,
        blocks: &mut Blocks,
        order: &Order,
        rounds: u64,
    ) {
        let layout = const { layout(BYTES, 8) };
        for _ in 0..rounds {
            for block in blocks.iter_mut() {
                *block = take(subject, layout);
            }
            for (index, &by_chance) in order.iter().enumerate() {
                let index = match FREES {
                    FORWARD => index,
                    REVERSE => COUNT - 1 - index,
                    _ => by_chance as usize,
                };
                // SAFETY: 1: every block was taken above, and each order names each index once.
                unsafe { give(subject, blocks[index], layout) };
            }
        }
    }
    let (mut blocks, mut order) = (Room::<Blocks>::new(), Room::<Order>::new());
    Random::new(4).permutation(&mut *order);
    window.run(|count| rounds::<S, BYTES, FREES>(subject, &mut blocks, &order, count));
}

/// Blocks of run-time sizes aligned to 64, freed in the order of allocation.
pub(super) fn aligned<S: Subject>(subject: &S, window: &mut Window) {
    /// The layout at an index of a batch.
    #[inline(always)]
    fn sized(sizes: &[u32; SIZES], index: usize) -> Layout {
        // SAFETY: the table's sizes are small, the alignment is a power of two.
        unsafe { Layout::from_size_align_unchecked(sizes[index] as usize, 64) }
    }
    #[inline(never)]
    fn rounds<S: Subject>(subject: &S, blocks: &mut Blocks, sizes: &[u32; SIZES], rounds: u64) {
        for _ in 0..rounds {
            for (index, block) in blocks.iter_mut().enumerate() {
                *block = take(subject, sized(sizes, index));
            }
            for (index, &block) in blocks.iter().enumerate() {
                // SAFETY: 1: taken above with the same size.
                unsafe { give(subject, block, sized(sizes, index)) };
            }
        }
    }
    let (mut blocks, mut sizes) = (Room::<Blocks>::new(), Room::<[u32; SIZES]>::new());
    Random::new(2).sizes(&mut *sizes, 48, 1024);
    window.run(|count| rounds(subject, &mut blocks, &sizes, count));
}
