//! The descriptor of a span: 128 bytes beside the memory, nothing in it.

use core::ops::Range;
use core::ptr::NonNull;

use strata_core::span::{Cut, Occupancy};

use crate::class::{self, FRAME};

/// A span's number among all of a heap's; [`NONE`] is none. Its territory is in the bits above
/// [`PLACE_BITS`], its place in that territory's table below.
pub(crate) type SpanId = u32;
pub(crate) const NONE: SpanId = SpanId::MAX;
pub(crate) const PLACE_BITS: u32 = 24;
/// What a span that left its shelf says of its list.
pub(crate) const LEFT: u8 = u8::MAX;
/// What the place of a span holds as its class while no span is there.
pub(crate) const FREE_PLACE: u8 = u8::MAX;

/// Frames cut into equal blocks of one class. Belongs to no thread.
///
/// All fields are reached under the lock of the shelf of its class only; while it is on none (just
/// cut, or just emptied), by the one thread that has it in hand.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Span {
    /// The first block.
    pub(crate) base: NonNull<u8>,
    /// Pages with contents on which no block is taken: bit `n` for the `n`-th page.
    ///
    /// # Invariants
    ///
    /// 1. Zero where pages of the span cannot be told apart ([`Span::pages`] is zero).
    /// 2. While it is not zero the span stands in its shelf's queue.
    pub(crate) idle: u64,
    /// Pages that were given back and not taken from since. Disjoint from `idle`.
    pub(crate) gone: u64,
    pub(crate) id: SpanId,
    /// Neighbours in a list of its shelf.
    pub(crate) next: SpanId,
    pub(crate) prev: SpanId,
    /// Neighbours in its shelf's queue of spans with idle pages.
    pub(crate) queue_next: SpanId,
    pub(crate) queue_prev: SpanId,
    /// Blocks from this number on were never taken: nothing of this span has touched their memory.
    pub(crate) carved: u16,
    pub(crate) class: u8,
    /// Which list of its shelf it is in.
    pub(crate) list: u8,
    /// Stands in its shelf's queue.
    pub(crate) queued: bool,
    /// Pages, where they can be told apart, or zero.
    pub(crate) pages: u8,
    /// The free blocks; its bitmap has a cache line of its own.
    pub(crate) blocks: Occupancy,
}

static_assertions::const_assert_eq!(size_of::<Span>(), 128);
static_assertions::const_assert_eq!(core::mem::offset_of!(Span, blocks), 56);

/// What taking blocks changed, in pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    /// Idle no longer.
    pub(crate) idle: usize,
    /// Without contents before.
    pub(crate) fresh: usize,
    /// Of these, those that had been given back.
    pub(crate) again: usize,
}

impl Span {
    /// A span of free blocks at `base`, of whose frames `contents` have contents and `gone` had been
    /// purged.
    pub(crate) fn new(
        base: NonNull<u8>,
        class: usize,
        id: SpanId,
        page: usize,
        contents: u64,
        gone: u64,
    ) -> Self {
        let mut blocks = Occupancy::none();
        blocks.fill(class::cut(class).blocks());
        let len = class::span_frames(class) * FRAME;
        let whole = base.addr().get().is_multiple_of(page) && len.is_multiple_of(page);
        let pages = if whole { len / page } else { 0 };
        let frames = page / FRAME;
        let of_pages = |of_frames: u64| match frames {
            1 => of_frames,
            _ => (0..pages)
                .filter(|page| of_frames >> (page * frames) & ones(frames) != 0)
                .fold(0, |bits, page| bits | 1 << page),
        };
        let idle = of_pages(contents);
        Self {
            base,
            idle,
            gone: of_pages(gone) & !idle,
            id,
            next: NONE,
            prev: NONE,
            queue_next: NONE,
            queue_prev: NONE,
            carved: 0,
            class: class as u8,
            list: 0,
            queued: false,
            pages: pages as u8,
            blocks,
        }
    }

    pub(crate) fn cut(&self) -> Cut {
        class::cut(self.class.into())
    }

    /// Whether no block is taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.left() == self.cut().blocks()
    }

    /// The block of that number.
    pub(crate) fn block(&self, cut: Cut, number: usize) -> NonNull<u8> {
        // SAFETY: blocks lie in the span (`Cut`), and `base` has provenance over all of it.
        unsafe { self.base.add(cut.offset_of(number)) }
    }

    /// The pages that block `number` lies on, as bits.
    #[inline]
    pub(crate) fn pages_of(cut: Cut, number: usize, page_log2: u32) -> u64 {
        let start = cut.offset_of(number);
        let (first, last) = (start >> page_log2, (start + cut.block_len() - 1) >> page_log2);
        u64::MAX >> (63 - last) & u64::MAX << first
    }

    /// Whether [`Span::taken`] needs the pages of the blocks.
    #[inline]
    pub(crate) fn watches_pages(&self) -> bool {
        self.idle | self.gone != 0
    }

    /// Notes that blocks were just taken, up to number `last`, which lie on `pages`.
    #[inline]
    pub(crate) fn taken(&mut self, cut: Cut, last: usize, pages: u64, page_log2: u32) -> Change {
        let mut new = self.gone & pages;
        let again = new.count_ones() as usize;
        if last >= usize::from(self.carved) {
            if self.pages != 0 {
                // From the page behind the last one that is known to have been touched.
                let before = cut.offset_of(self.carved.into());
                let first = (before + (1 << page_log2) - 1) >> page_log2;
                let end = (cut.offset_of(last + 1) - 1) >> page_log2;
                if first <= end {
                    new |= u64::MAX >> (63 - end) & u64::MAX << first & !self.idle;
                }
            }
            self.carved = last as u16 + 1;
        }
        let idle = self.idle & pages;
        self.idle &= !pages;
        self.gone &= !pages;
        Change { idle: idle.count_ones() as usize, fresh: new.count_ones() as usize, again }
    }

    /// Notes that blocks were just put back that lie on `pages`. Answers how many became idle.
    #[inline]
    pub(crate) fn put(&mut self, cut: Cut, pages: u64, page_log2: u32) -> usize {
        if self.pages == 0 {
            return 0;
        }
        let mut rest = pages & !self.idle;
        let mut new = 0;
        while rest != 0 {
            let page = rest.trailing_zeros();
            let from = (page as usize) << page_log2;
            if self.blocks.all_free(cut.blocks_in(from, from + (1 << page_log2))) {
                new |= rest & rest.wrapping_neg();
            }
            rest &= rest - 1;
        }
        self.idle |= new;
        new.count_ones() as usize
    }

    /// Which of the span's frames have contents: those of blocks that were taken once, and those that
    /// had them when it was cut, but for the pages that were given back.
    pub(crate) fn contents(&self, page_log2: u32) -> u64 {
        let frames = class::span_frames(self.class.into());
        let carved = (usize::from(self.carved) * self.cut().block_len()).div_ceil(FRAME);
        let carved = if carved == 0 { 0 } else { u64::MAX >> (64 - carved) };
        if self.pages == 0 {
            // What it had at first is not known: perhaps all.
            return u64::MAX >> (64 - frames);
        }
        let wide = page_log2 - FRAME.trailing_zeros();
        carved & !widened(self.gone, wide) | widened(self.idle, wide)
    }

    /// Which of the span's frames were given back and not taken from since.
    pub(crate) fn gone_frames(&self, page_log2: u32) -> u64 {
        widened(self.gone, page_log2 - FRAME.trailing_zeros())
    }

    /// The next run of idle pages from `from` on.
    pub(crate) fn idle_pages(&self, from: u32) -> Option<Range<u32>> {
        runs(self.idle, from)
    }
}

/// Bits of pages as bits of frames, `2^wide` to a page.
fn widened(pages: u64, wide: u32) -> u64 {
    if wide == 0 {
        return pages;
    }
    (0..64)
        .filter(|frame| pages >> (frame >> wide) & 1 == 1)
        .fold(0, |bits, frame| bits | 1 << frame)
}

/// The lowest `count` bits.
fn ones(count: usize) -> u64 {
    u64::MAX >> (64 - count.min(64))
}

/// The runs of ones in `bits`.
pub(crate) fn ranges(bits: u64) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    core::iter::from_fn(move || {
        let run = runs(bits, from)?;
        from = run.end;
        Some(run.start as usize..run.end as usize)
    })
}

/// The first run of ones in `bits` that begins at `from` or later.
pub(crate) fn runs(bits: u64, from: u32) -> Option<Range<u32>> {
    if from >= 64 || bits >> from == 0 {
        return None;
    }
    let start = from + (bits >> from).trailing_zeros();
    let end = start + (!(bits >> start)).trailing_zeros();
    Some(start..end.min(64))
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    #[test]
    fn runs_of_ones_are_found_in_order() {
        assert_eq!(runs(0b0110_1110, 0), Some(1..4));
        assert_eq!(runs(0b0110_1110, 4), Some(5..7));
        assert_eq!(runs(0b0110_1110, 7), None);
        assert_eq!(runs(u64::MAX, 0), Some(0..64));
        assert_eq!(runs(1 << 63, 0), Some(63..64));
        assert_eq!(runs(1, 64), None);
    }

    /// Takes and puts random blocks and compares the idle pages with a look at every byte.
    #[test]
    fn idle_pages_are_the_touched_ones_without_a_taken_block() {
        let mut random = 1_u64;
        for class in [0, 5, 15, 16, 23, 40, 55, 64, 79] {
            let cut = class::cut(class);
            let mut span = Span::new(
                NonNull::without_provenance(FRAME.try_into().unwrap()),
                class,
                0,
                FRAME,
                0,
                0,
            );
            let mut taken = std::vec::Vec::new();
            let mut idle = 0;
            for _ in 0..3000 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let dice = (random >> 33) as usize;
                if dice % 5 < 2 || taken.is_empty() {
                    let mut got = std::vec::Vec::new();
                    let mut pages = 0;
                    span.blocks.take(1 + dice % 3, |n| {
                        got.push(n as u16);
                        pages |= Span::pages_of(cut, n, 12);
                    });
                    let last = got.last().copied().unwrap_or(0);
                    idle -= span.taken(cut, last.into(), pages, 12).idle;
                    taken.extend(got);
                } else {
                    let number = taken.swap_remove(dice / 8 % taken.len());
                    span.blocks.put(number.into()).unwrap();
                    idle += span.put(cut, Span::pages_of(cut, number.into(), 12), 12);
                }
                assert_eq!(span.idle.count_ones() as usize, idle);
            }
            for page in 0..span.pages {
                let (from, to) = (usize::from(page) << 12, (usize::from(page) + 1) << 12);
                let overlaps = |&n: &u16| {
                    let at = cut.offset_of(n.into());
                    at < to && at + cut.block_len() > from
                };
                let used = taken.iter().any(overlaps);
                let touched = (0..span.carved).any(|n| overlaps(&n));
                let idle = span.idle >> page & 1 == 1;
                assert_eq!(idle, touched && !used, "page {page} of {}", cut.block_len());
            }
        }
    }
}
