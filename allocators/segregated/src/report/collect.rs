//! Where the figures come from.

use core::ptr::NonNull;

use strata_core::{ByteCount, Source};

use super::{ClassReport, LargeReport, PARTS, Report};
use crate::budget::Budget;
use crate::central::{Central, Platform};
use crate::class::{self, CLASSES, FRAME};
use crate::region::Use;
use crate::span::{self, Span};

impl ClassReport {
    /// Counts a span.
    fn count(&mut self, span: &Span, page_log2: u32) {
        let total = usize::from(span.total);
        let taken = total - span.blocks.left();
        let bytes = span::frames(span) * FRAME;
        let contents = span::contents(span, page_log2).count_ones() as usize * FRAME;
        let idle = (span.idle.count_ones() as usize) << page_log2;
        self.spans += 1;
        self.capacity += total;
        self.taken += taken;
        // A span without a taken block is in the first part.
        self.occupancy[(taken * PARTS).div_ceil(total).max(1) - 1] += 1;
        self.holes += (contents - idle.min(contents)).saturating_sub(taken * self.block_len);
        self.idle += idle;
        self.untouched += bytes - contents.min(bytes);
    }

    /// Takes what another heap has of the class in.
    #[cfg(all(feature = "profile", target_os = "linux", not(strata_loom)))]
    fn add(&mut self, other: &Self) {
        self.spans += other.spans;
        self.capacity += other.capacity;
        self.taken += other.taken;
        self.occupancy.iter_mut().zip(other.occupancy).for_each(|(mine, more)| *mine += more);
        self.holes += other.holes;
        self.idle += other.idle;
        self.untouched += other.untouched;
    }
}

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// The report, where of large blocks `slotted` bytes are in threads' slots and `in_stocks` in their stocks
    /// and slots together.
    pub(crate) fn report(&self, in_stocks: usize, slotted: usize) -> Report {
        let mut classes = [ClassReport::default(); CLASSES];
        for (number, class) in classes.iter_mut().enumerate() {
            class.block_len = class::cut(number).block_len();
        }
        let mut large = LargeReport { slotted, ..LargeReport::default() };
        let page_log2 = self.page_log2();
        self.tenants(|at, usage| match usage {
            Use::Span { class, place } if usize::from(class) < CLASSES => {
                self.with_span(at, class, place, |span| {
                    classes[usize::from(class)].count(span, page_log2);
                });
            }
            Use::Run { whole, .. } => {
                large.runs += 1;
                large.run_bytes += whole as usize * FRAME;
            }
            _ => {}
        });
        let idle_frames = self.ground.with(|ground| {
            large.chunks = ground.large.count;
            large.chunk_bytes = ground.large.bytes;
            large.spare = ground.large.idle;
            ground.idle_bytes()
        });
        let limit = self.limit();
        let learned = match limit {
            usize::MAX => 0,
            limit => limit.saturating_sub(Budget::floor(self.live())),
        };
        Report {
            stats: self.stats(in_stocks),
            classes,
            large,
            idle_frames,
            budget: (limit != usize::MAX).then_some(ByteCount(limit)),
            learned: ByteCount(learned),
            given_back: None,
        }
    }
}

#[cfg(all(feature = "profile", target_os = "linux", not(strata_loom)))]
impl Report {
    /// Takes the small blocks of another heap in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.stats = crate::stats::sum(&self.stats, &other.stats);
        self.classes.iter_mut().zip(&other.classes).for_each(|(mine, more)| mine.add(more));
        self.idle_frames += other.idle_frames;
    }
}
