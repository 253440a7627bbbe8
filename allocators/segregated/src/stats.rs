//! A heap's figures in the words of [`Stats`].

use core::ptr::NonNull;

use strata_core::{ByteCount, Source, Stats};

use crate::central::{Central, Platform};
use crate::class::{self, CLASSES, FRAME};
use crate::span;

/// The figures of two heaps together.
#[cfg(all(feature = "profile", target_os = "linux", not(strata_loom)))]
pub(crate) fn sum(one: &Stats, other: &Stats) -> Stats {
    let sum = |one: Option<ByteCount>, other: Option<ByteCount>| {
        Some(ByteCount(one?.get() + other?.get()))
    };
    Stats {
        requested: sum(one.requested, other.requested),
        allocated: sum(one.allocated, other.allocated),
        active: sum(one.active, other.active),
        purged: sum(one.purged, other.purged),
        cached: sum(one.cached, other.cached),
        metadata: sum(one.metadata, other.metadata),
        committed: sum(one.committed, other.committed),
        reserved: sum(one.reserved, other.reserved),
    }
}

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// The figures, with `in_stocks` bytes of blocks that threads keep ready, large ones too.
    ///
    /// `active` are spans and large blocks, whole; `purged` are their pages that were never touched
    /// or were given back; `cached` is what is kept without a block.
    pub(crate) fn stats(&self, in_stocks: usize) -> Stats {
        let (mut in_classes, mut idle_pages) = (0, 0);
        for class in 0..CLASSES {
            in_classes += self.live_of(class) * class::cut(class).block_len();
            idle_pages += self.idle_of(class);
        }
        let untouched = self.untouched();
        let (in_spans, _) = self.idle_outside();
        debug_assert!(in_spans <= idle_pages.max(1) << self.page_log2() || in_spans > 0);
        self.ground.with(|ground| {
            let own = ground.scraps.bytes();
            let (tables, _) = ground.committed();
            let large = ground.runs_bytes() + ground.large.bytes;
            let active = ground.used_bytes() - own + ground.large.bytes;
            // Idle pages of spans are in `active` already.
            let cached = ground.idle_bytes() + ground.large.idle;
            let metadata = own + tables;
            let purged = untouched.min(active);
            let reserved: usize =
                self.territories.iter().map(|t| t.len()).sum::<usize>() + ground.large.whole;
            let in_blocks = (in_classes + large).saturating_sub(in_stocks);
            Stats {
                requested: None,
                allocated: Some(ByteCount(in_blocks.min(active))),
                active: Some(ByteCount(active)),
                purged: Some(ByteCount(purged)),
                cached: Some(ByteCount(cached)),
                metadata: Some(ByteCount(metadata)),
                committed: Some(ByteCount(active - purged + cached + metadata)),
                reserved: Some(ByteCount(reserved)),
            }
        })
    }

    /// Bytes of spans that hold nothing: never touched, or given back.
    fn untouched(&self) -> usize {
        let page_log2 = self.page_log2();
        let mut bytes = 0;
        for (_, shelf) in self.all_shelves() {
            shelf.with(|lists| {
                lists.each(&self.territories, |span| {
                    bytes += span::frames(span) * FRAME
                        - span::contents(span, page_log2).count_ones() as usize * FRAME;
                });
            });
        }
        bytes
    }
}
