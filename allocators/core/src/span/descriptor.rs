//! The descriptor of a span: 128 bytes beside the memory, nothing in it.

use core::ops::Range;
use core::ptr::NonNull;

use super::{Cut, Occupancy};

/// A span's number in the table of its owner; [`NONE`] is none.
pub type SpanId = u32;
/// No span.
pub const NONE: SpanId = SpanId::MAX;
/// What a span that is in no [`Lists`](super::Lists) says of its list: just cut, or gone from there.
pub const LEFT: u8 = u8::MAX;
/// What a span says of its list while somebody purges its idle pages. Blocks come back to it as ever.
pub const AWAY: u8 = u8::MAX - 1;

/// A span: memory cut into equal blocks. Belongs to no thread.
///
/// All fields are reached under the lock of the lists that it stands in only; while it is in none
/// (just cut, or just emptied), by the one thread that has it in hand.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Span {
    /// The first block.
    pub base: NonNull<u8>,
    /// Pages with contents on which no block is taken: bit `n` for the `n`-th page.
    ///
    /// # Invariants
    ///
    /// 1. Zero where pages of the span cannot be told apart ([`Span::pages`] is zero).
    /// 2. While it is not zero the span stands in its lists' queue, or is [`AWAY`].
    pub idle: u64,
    /// Pages that were given back and not taken from since. Disjoint from `idle`.
    pub gone: u64,
    /// Its own number.
    pub id: SpanId,
    /// The next one in a list.
    pub next: SpanId,
    /// The one before in a list.
    pub(super) prev: SpanId,
    /// Neighbours in the queue of spans with idle pages.
    pub(super) queue_next: SpanId,
    pub(super) queue_prev: SpanId,
    /// Blocks from this number on were never taken: nothing of this span has touched their memory.
    pub carved: u16,
    /// For its owner to tell spans apart by.
    pub class: u8,
    /// Which of the lists it is in.
    pub list: u8,
    /// Stands in the queue.
    pub queued: bool,
    /// Pages, where they can be told apart, or zero. At most 64.
    pub pages: u8,
    /// Blocks, free and taken.
    pub total: u16,
    /// The free blocks; its bitmap has a cache line of its own.
    pub blocks: Occupancy,
}

#[cfg(target_pointer_width = "64")]
static_assertions::const_assert_eq!(size_of::<Span>(), 128);
#[cfg(target_pointer_width = "64")]
static_assertions::const_assert_eq!(core::mem::offset_of!(Span, blocks), 56);

/// What taking blocks changed, in pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// Idle no longer.
    pub(super) idle: usize,
    /// Without contents before.
    pub(super) fresh: usize,
    /// Of these, those that had been given back.
    pub(super) again: usize,
}

impl Span {
    /// A span of `total` free blocks at `base`, cut as `cut` says, in `pages` pages that can be told
    /// apart (none where that is zero). Of these, `idle` have contents, and `gone` had been given
    /// back.
    ///
    /// Told apart can be pages of which the span begins and ends at one, and which are no more than
    /// 64.
    pub fn new(
        base: NonNull<u8>,
        id: SpanId,
        class: u8,
        total: usize,
        pages: usize,
        idle: u64,
        gone: u64,
    ) -> Self {
        debug_assert!(pages <= 64 && total > 0 && total <= super::MAX_BLOCKS);
        let mut blocks = Occupancy::none();
        blocks.fill(total);
        Self {
            base,
            idle,
            gone: gone & !idle,
            id,
            next: NONE,
            prev: NONE,
            queue_next: NONE,
            queue_prev: NONE,
            carved: 0,
            class,
            list: LEFT,
            queued: false,
            pages: pages as u8,
            total: total as u16,
            blocks,
        }
    }

    /// Whether no block is taken.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.blocks.left() == usize::from(self.total)
    }

    /// The block of that number.
    #[inline]
    pub fn block(&self, cut: Cut, number: usize) -> NonNull<u8> {
        debug_assert!(number < self.total.into());
        // SAFETY: blocks lie in the span (`Cut`), and `base` has provenance over all of it.
        unsafe { self.base.add(cut.offset_of(number)) }
    }

    /// The pages that block `number` lies on, as bits.
    #[inline]
    pub fn pages_of(cut: Cut, number: usize, page_log2: u32) -> u64 {
        let start = cut.offset_of(number);
        let (first, last) = (start >> page_log2, (start + cut.block_len() - 1) >> page_log2);
        u64::MAX >> (63 - last) & u64::MAX << first
    }

    /// Whether [`Span::taken`] needs the pages of the blocks.
    #[inline]
    pub(super) fn watches_pages(&self) -> bool {
        self.idle | self.gone != 0
    }

    /// Notes that blocks were just taken, up to number `last`, which lie on `pages`.
    #[inline]
    pub(super) fn taken(&mut self, cut: Cut, last: usize, pages: u64, page_log2: u32) -> Change {
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
    pub(super) fn put(&mut self, cut: Cut, pages: u64, page_log2: u32) -> usize {
        if self.pages == 0 {
            return 0;
        }
        let mut rest = pages & !self.idle;
        let mut new = 0;
        while rest != 0 {
            let page = rest.trailing_zeros();
            let from = (page as usize) << page_log2;
            let blocks = cut.blocks_in(from, from + (1 << page_log2));
            if self.blocks.all_free(blocks.start..blocks.end.min(self.total.into())) {
                new |= rest & rest.wrapping_neg();
            }
            rest &= rest - 1;
        }
        self.idle |= new;
        new.count_ones() as usize
    }

    /// The law that is broken in this span, for those who validate. `page_log2` is that of its
    /// lists.
    pub fn broken_law(&self, cut: Cut, page_log2: u32) -> Option<&'static str> {
        let (total, carved) = (usize::from(self.total), usize::from(self.carved));
        if !self.blocks.is_consistent(total) {
            return Some("the count of free blocks is that of the bitmap");
        }
        if carved > total || !self.blocks.all_free(carved..total) {
            return Some("blocks that were never taken are free");
        }
        if self.idle & self.gone != 0 {
            return Some("a page is not idle and gone");
        }
        for page in (0..u32::from(self.pages)).filter(|page| self.idle >> page & 1 == 1) {
            let (from, to) = ((page as usize) << page_log2, (page as usize + 1) << page_log2);
            let blocks = cut.blocks_in(from, to);
            if !self.blocks.all_free(blocks.start..blocks.end.min(total)) {
                return Some("no block of an idle page is taken");
            }
        }
        if self.queued != (self.idle != 0 && self.list != AWAY) {
            return Some("a span with idle pages is in the queue");
        }
        None
    }
}

/// The runs of ones in `bits`.
pub fn ranges(bits: u64) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    core::iter::from_fn(move || {
        let run = runs(bits, from)?;
        from = run.end;
        Some(run.start as usize..run.end as usize)
    })
}

/// The first run of ones in `bits` that begins at `from` or later.
pub(super) fn runs(bits: u64, from: u32) -> Option<Range<u32>> {
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
        for (block, pages) in
            [(8, 1), (48, 3), (128, 16), (144, 9), (272, 17), (1000, 31), (5120, 25), (28672, 63)]
        {
            let cut = Cut::new(block, pages << 12);
            let base = NonNull::without_provenance(4096.try_into().unwrap());
            let mut span = Span::new(base, 0, 0, cut.blocks(), pages, 0, 0);
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
