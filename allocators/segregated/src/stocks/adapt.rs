//! How many blocks a stock may hold.
//!
//! It starts small, doubles while it keeps running empty or over, and is halved when the thread's
//! slow path comes round and finds that nothing happened in it since it last came.

use crate::class;

/// Blocks that a stock holds at first, at most.
pub(super) const FIRST: usize = 8;
/// Blocks that a stock ever holds, at most: with the null below, an array of 16 KiB.
pub(super) const MOST: usize = 2047;
/// Blocks that one refill takes, at most.
pub(super) const REFILL: usize = 512;
/// Bytes of blocks that a stock holds at first, and ever.
const FIRST_BYTES: usize = 4 << 10;
const MOST_BYTES: usize = 256 << 10;
/// Visits to the slow path between two trims, where only pages that had been given back are wanted.
pub(super) const BETWEEN_TRIMS: u32 = 8;
/// Visits to the slow path between two looks at what is live.
pub(super) const LOOK: u32 = 256;
/// Bytes of blocks that the stocks of a thread may grow by, whatever is live, and however much is.
const THREAD_BYTES: core::ops::Range<usize> = 136 << 10..2 << 20;
/// Classes that a sweep looks at, at most.
pub(super) const SWEPT: usize = 8;
/// Visits to the slow path of one class, one after the other, that double its stock.
pub(super) const REPEATS: u8 = 2;
/// Visits to the slow path of all classes between two looks at an idle one.
pub(super) const SWEEP: u32 = 16;

/// Blocks that the stock of `class` holds at first.
pub(super) fn first(class: usize) -> usize {
    (FIRST_BYTES / class::cut(class).block_len()).min(FIRST)
}

/// Blocks that the stock of `class` ever holds.
pub(super) fn most(class: usize) -> usize {
    (MOST_BYTES / class::cut(class).block_len()).clamp(2, MOST)
}

/// Bytes of blocks that the stocks of a thread may grow by while `live` bytes are in use.
pub(super) fn most_bytes(live: usize) -> usize {
    (live / 8).clamp(THREAD_BYTES.start, THREAD_BYTES.end)
}

/// The bound after `now`: arrays are powers of two, and hold a null besides the blocks.
pub(super) fn grown(class: usize, now: usize) -> usize {
    let next = match now {
        0 => 1,
        1..FIRST => 2 * now,
        FIRST => 2 * FIRST - 1,
        _ => 2 * now + 1,
    };
    next.min(most(class)).max(now)
}

/// The bound below `now`.
pub(super) fn shrunk(class: usize, now: usize) -> usize {
    (now / 2).max(first(class))
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    #[test]
    fn stocks_grow_to_their_bounds_and_no_further() {
        for class in 0..class::CLASSES {
            let (mut bound, mut steps) = (first(class), 0);
            while grown(class, bound) > bound {
                bound = grown(class, bound);
                steps += 1;
            }
            assert_eq!(bound, most(class).max(first(class)));
            assert!(steps <= 12);
            let len = class::cut(class).block_len();
            assert!(bound * len <= MOST_BYTES.max(2 * len));
            assert!((bound + 1) * size_of::<usize>() <= 16 << 10);
            while bound > first(class) {
                bound = shrunk(class, bound);
            }
        }
    }
}
