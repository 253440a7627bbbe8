//! What strata-core's spans are to a heap: where they lie in frames.

use core::ptr::NonNull;

use strata_core::span::Spans;
pub(crate) use strata_core::span::{NONE, Span, SpanId, ranges};

use crate::class::{self, FRAME, Length};
use crate::territory::Territories;

/// Of a [`SpanId`], its place in its territory's table is in the bits below, the territory above.
pub(crate) const PLACE_BITS: u32 = 24;
/// What the place of a span holds as its class while no span is there.
pub(crate) const FREE_PLACE: u8 = u8::MAX;

// SAFETY: 1. places of a territory's table, one for each number. 2. territories end with the heap.
unsafe impl Spans for Territories {
    #[inline]
    fn span(&self, id: SpanId) -> NonNull<Span> {
        Self::span(self, id)
    }
}

/// A span of free blocks of `class` at `base`, of whose frames `contents` have contents and `gone`
/// had been purged.
pub(crate) fn new(
    base: NonNull<u8>,
    class: usize,
    length: Length,
    id: SpanId,
    page: usize,
    contents: u64,
    gone: u64,
) -> Span {
    let len = class::span_frames(class, length) * FRAME;
    let whole = base.addr().get().is_multiple_of(page) && len.is_multiple_of(page);
    let pages = if whole { len / page } else { 0 };
    let frames = page / FRAME;
    let of_pages = |of_frames: u64| match frames {
        1 => of_frames,
        _ => (0..pages)
            .filter(|page| of_frames >> (page * frames) & ones(frames) != 0)
            .fold(0, |bits, page| bits | 1 << page),
    };
    let blocks = class::span_blocks(class, length);
    Span::new(base, id, class as u8, blocks, pages, of_pages(contents), of_pages(gone))
}

/// Frames of a span.
pub(crate) fn frames(span: &Span) -> usize {
    let class = usize::from(span.class);
    let long = usize::from(span.total) == class::cut(class).blocks();
    class::span_frames(class, if long { Length::Long } else { Length::Short })
}

/// Which of a span's frames have contents: those of blocks that were taken once, and those that had
/// them when it was cut, but for the pages that were given back.
pub(crate) fn contents(span: &Span, page_log2: u32) -> u64 {
    let frames = frames(span);
    let block = class::cut(span.class.into()).block_len();
    let carved = (usize::from(span.carved) * block).div_ceil(FRAME);
    let carved = if carved == 0 { 0 } else { u64::MAX >> (64 - carved) };
    if span.pages == 0 {
        // What it had at first is not known: perhaps all.
        return u64::MAX >> (64 - frames);
    }
    let wide = page_log2 - FRAME.trailing_zeros();
    carved & !widened(span.gone, wide) | widened(span.idle, wide)
}

/// Which of a span's frames were given back and not taken from since.
pub(crate) fn gone_frames(span: &Span, page_log2: u32) -> u64 {
    widened(span.gone, page_log2 - FRAME.trailing_zeros())
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
