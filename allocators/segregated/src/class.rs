//! Size classes: which block size a layout gets, from the layout alone.
//!
//! Steps of 8 bytes up to 128, then 8 classes a doubling up to [`MAX_CLASSED`]: jemalloc's scheme
//! with twice its resolution. The same pure function answers at allocation and at deallocation, so
//! a freed block needs no lookup; where size and alignment are constants, the compiler does the
//! arithmetic.
//!
//! An alignment above 8 first rounds the size up to a multiple of it. The class of that is a
//! multiple of the alignment too: where the alignment is at most the step between classes, every
//! class is; where it is above, the rounded size is itself a class. Spans begin at a multiple of
//! [`MAX_ALIGN`], so every block of theirs is aligned as asked, without a byte more.
//!
//! The worst rounding above 128 bytes is one step in just over eight, 11.1 % of the block:
//! `class_waste_is_bounded` below proves it when the crate is compiled.

use core::alloc::Layout;

use strata_core::SizeClass;
use strata_core::span::{Cut, MAX_BLOCKS};

/// Whether there is a class more: with a word behind each block (`hardened/seal.rs`), blocks of 32 KiB are as
/// frequent as without.
const WITH_WORDS: bool = cfg!(feature = "canaries");
/// How many classes there are.
pub const CLASSES: usize = if WITH_WORDS { 81 } else { 80 };
/// The largest block of a class.
pub const MAX_CLASSED: usize = if WITH_WORDS { 36 << 10 } else { 32 << 10 };
/// The largest alignment that classes serve: spans begin at multiples of it.
pub const MAX_ALIGN: usize = FRAME;
/// The unit that spans and runs are made of, on every system: 4 KiB.
pub const FRAME: usize = 4096;
/// The most frames of a span.
pub(crate) const MAX_FRAMES: usize = 64;

/// Classes in steps of 8 bytes.
const FINE: usize = 16;
/// The largest block of those.
pub(crate) const FINE_MAX: usize = 8 * FINE;
/// What all larger blocks of classes are aligned to.
pub(crate) const ALIGN_ABOVE_FINE: usize = 16;
/// Sizes up to here are looked up; above, they are computed.
const LOOKED_UP: usize = 1024;

/// The class of a size from 129 to [`MAX_CLASSED`].
#[inline]
const fn computed(size: usize) -> usize {
    let x = size - 1;
    let log = usize::BITS as usize - 1 - x.leading_zeros() as usize;
    // The highest bit of `x` chooses the doubling, the three bits below it the class in it.
    (log - 7) * 8 + (x >> (log - 3)) - 8 + FINE
}

/// Classes by size in units of 8 bytes, rounded up. Size 0 gets the smallest block.
///
/// A constant, of which each user's crate has its own: what is in another crate's static the compiler does
/// not know, and would load the class of a constant size too.
const SMALL: [u8; LOOKED_UP / 8 + 1] = {
    let mut table = [0; LOOKED_UP / 8 + 1];
    let mut units = 1;
    while units < table.len() {
        table[units] = (if units <= FINE { units - 1 } else { computed(units * 8) }) as u8;
        units += 1;
    }
    table
};

/// The class of a size that its alignment was worked into; `size <= MAX_CLASSED`.
#[inline]
const fn class_of_size(size: usize) -> usize {
    debug_assert!(size <= MAX_CLASSED);
    // Not `div_ceil`, which looks at the remainder: nothing overflows here.
    if size <= LOOKED_UP { SMALL[(size + 7) >> 3] as usize } else { computed(size) }
}

/// The class that serves `layout`; `None` where it gets pages of its own. O(1).
///
/// ```
/// use core::alloc::Layout;
/// use strata_segregated::class::{block_len, class_of};
///
/// let class = class_of(Layout::from_size_align(48, 32)?).unwrap();
/// assert_eq!(block_len(class), 64);
/// assert_eq!(class_of(Layout::new::<[u8; 40_000]>()), None);
/// # Ok::<(), core::alloc::LayoutError>(())
/// ```
#[inline]
pub const fn class_of(layout: Layout) -> Option<SizeClass> {
    let (size, align) = (layout.size(), layout.align());
    // Most requests, with what they need to know alone.
    if size <= LOOKED_UP && align <= 8 {
        return Some(SizeClass(SMALL[(size + 7) >> 3] as u16));
    }
    let size = if align <= 8 {
        size
    } else {
        ((if size == 0 { 1 } else { size }) + align - 1) & !(align - 1)
    };
    // A layout's size, rounded up to its alignment, is at most isize::MAX: no overflow.
    if size <= MAX_CLASSED && align <= MAX_ALIGN {
        Some(SizeClass(class_of_size(size) as u16))
    } else {
        None
    }
}

/// Bytes of a block of `class`.
///
/// # Panics
///
/// Where there is no such class.
#[inline]
pub const fn block_len(class: SizeClass) -> usize {
    CUTS[class.index()].block_len()
}

pub(crate) const fn len_of(class: usize) -> usize {
    if class < FINE {
        return (class + 1) * 8;
    }
    let (doubling, step) = ((class - FINE) / 8, (class - FINE) % 8);
    (8 + step + 1) << (doubling + 4)
}

/// How long a span is. A class begins with short ones: where blocks come and go, some are soon
/// without a live one, and then their frames serve any class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Length {
    /// As few frames as a tail of at most 1/32 behind the last block allows.
    Short,
    /// Many blocks, and a tail of at most 1/200.
    Long,
}

/// The tails of spans, by [`Length`]: so many of them are a span.
const TAILS: [usize; 2] = [32, 200];

/// How many frames the spans of each class have, by [`Length`].
static SPAN_FRAMES: [[u8; CLASSES]; 2] = {
    let mut frames = [[0; CLASSES]; 2];
    let mut class = 0;
    while class < CLASSES {
        let len = len_of(class);
        let mut length = 0;
        while length < 2 {
            let least = if length == Length::Short as usize { 1 } else { many(len) };
            frames[length][class] = frames_from(least, len, TAILS[length]) as u8;
            length += 1;
        }
        class += 1;
    }
    frames
};

/// How long spans are cut; short ones have their first blocks.
static CUTS: [Cut; CLASSES] = {
    let mut cuts = [Cut::new(8, 8); CLASSES];
    let mut class = 0;
    while class < CLASSES {
        let frames = SPAN_FRAMES[Length::Long as usize][class] as usize;
        cuts[class] = Cut::new(len_of(class), frames * FRAME);
        class += 1;
    }
    cuts
};

/// Frames of many blocks of `len` bytes.
const fn many(len: usize) -> usize {
    let wanted = if len <= 128 {
        // Whole frames, with no tail at all.
        len * MAX_BLOCKS
    } else if len <= 4096 {
        64 << 10
    } else if len <= 8192 {
        128 << 10
    } else if 8 * len <= MAX_FRAMES * FRAME {
        8 * len
    } else {
        7 * len
    };
    let frames = wanted.div_ceil(FRAME);
    if frames > MAX_FRAMES { MAX_FRAMES } else { frames }
}

/// The least frames, `frames` or more, of which blocks of `len` bytes leave a tail of at most
/// 1/`tails`; those with the least one where there are none.
const fn frames_from(mut frames: usize, len: usize, tails: usize) -> usize {
    let mut best = frames;
    let mut best_tail = usize::MAX;
    while frames <= MAX_FRAMES {
        let bytes = frames * FRAME;
        let tail = bytes % len;
        if len <= bytes && tail * tails <= bytes && bytes / len <= MAX_BLOCKS {
            return frames;
        }
        if tail * best < best_tail.saturating_mul(frames) {
            best = frames;
            best_tail = tail;
        }
        frames += 1;
    }
    best
}

/// Frames of a span of `class`.
#[inline]
pub(crate) fn span_frames(class: usize, length: Length) -> usize {
    usize::from(SPAN_FRAMES[length as usize][class])
}

/// Blocks of a span of `class`.
pub(crate) fn span_blocks(class: usize, length: Length) -> usize {
    (span_frames(class, length) * FRAME / len_of(class)).min(MAX_BLOCKS)
}

/// How blocks of `class` lie in a span.
#[inline]
pub(crate) fn cut(class: usize) -> Cut {
    CUTS[class]
}

/// All classes.
pub fn all() -> impl ExactSizeIterator<Item = SizeClass> + Clone {
    (0..CLASSES as u16).map(SizeClass)
}

const _: () = {
    // class_waste_is_bounded: sizes and classes agree, every class is a multiple of 8, no class
    // rounds a size up by more than 1/9 of the block above 128 bytes (7 bytes up to there), and no
    // span's tail is more than its part of it.
    let mut class = 0;
    let mut below = 0;
    while class < CLASSES {
        let len = len_of(class);
        assert!(class_of_size(len) == class && class_of_size(below + 1) == class);
        assert!(len.is_multiple_of(8) && (len <= 128 || (len - below) * 9 <= len));
        assert!(len > 128 || len - below == 8);
        assert!(len <= FINE_MAX || len.is_multiple_of(ALIGN_ABOVE_FINE));
        let mut length = 0;
        while length < 2 {
            let frames = SPAN_FRAMES[length][class] as usize;
            assert!(frames * FRAME % len * TAILS[length] <= frames * FRAME);
            assert!(frames <= MAX_FRAMES && frames * FRAME / len <= MAX_BLOCKS);
            length += 1;
        }
        below = len;
        class += 1;
    }
    assert!(below == MAX_CLASSED);
};

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    /// Every size to 64 KiB with every alignment to 4 KiB: the block holds the size, is aligned, is
    /// no larger than the smallest class that could serve, and is the same each time it is asked.
    #[test]
    fn every_layout_gets_the_smallest_class_that_holds_it() {
        for align in (0..=12).map(|log| 1 << log) {
            let mut previous = 0;
            for size in 0..=64 << 10 {
                let layout = Layout::from_size_align(size, align).unwrap();
                let rounded = size.next_multiple_of(align);
                let Some(class) = class_of(layout) else {
                    assert!(rounded > MAX_CLASSED, "{layout:?}");
                    continue;
                };
                assert!(rounded <= MAX_CLASSED);
                let len = block_len(class);
                assert!(len >= size && len.is_multiple_of(align.max(8)), "{layout:?} gets {len}");
                assert!(class.index() >= previous, "classes grow with sizes");
                previous = class.index();
                let fits = |class: &SizeClass| {
                    let len = block_len(*class);
                    len >= size.max(1) && len.is_multiple_of(align)
                };
                // The first that fits is found by walking back: cheaper than from the start.
                let smaller = class.index().checked_sub(1).map(|below| SizeClass(below as u16));
                if let Some(smaller) = smaller.filter(fits) {
                    panic!("{layout:?} gets {len} where {} would do", block_len(smaller));
                }
            }
        }
    }

    #[test]
    fn spans_are_whole_frames_of_aligned_blocks() {
        for class in 0..CLASSES {
            let (cut, len) = (cut(class), block_len(SizeClass(class as u16)));
            for (length, least) in [(Length::Short, 1), (Length::Long, 7)] {
                let blocks = span_blocks(class, length);
                assert!(blocks >= least && blocks <= cut.blocks(), "{len} B: {blocks} blocks");
                assert!(cut.offset_of(blocks) <= span_frames(class, length) * FRAME);
            }
            assert_eq!(span_blocks(class, Length::Long), cut.blocks());
        }
    }
}
