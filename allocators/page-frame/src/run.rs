//! Runs of any length and alignment: first fit over the zone, claimed as a range.

use strata_core::FrameId;
use strata_core::sync::{AtomicU64, Ordering, yield_now};

use crate::error::ClaimError;
use crate::geometry::{ROW, bit_of, row_of};
use crate::journal::Journal;
use crate::tables::Tables;
use crate::take::Pass;

/// Losses to other threads after which a claim of several words queues.
const LOSSES: u32 = 8;

/// Looks at the ticket that is served before one who queues goes on all the same: it may be that of
/// a thread that stopped for ever.
const LOOKS: u32 = if cfg!(strata_loom) { 1 } else { 1 << 10 };

/// The queue of claims that lost again and again. Single words do not look at it.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    next: AtomicU64,
    served: AtomicU64,
}

impl Queue {
    /// Draws a ticket and waits for it, but not for ever.
    #[cold]
    pub(crate) fn enter(&self) -> u64 {
        // Relaxed, all of the queue: it orders nothing, it only spaces claims out.
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        for _ in 0..LOOKS {
            if self.served.load(Ordering::Relaxed) >= ticket {
                break;
            }
            yield_now();
        }
        ticket
    }

    pub(crate) fn leave(&self, ticket: u64) {
        // Relaxed: as above. The greatest, for those who did not wait leave in any order.
        self.served.fetch_max(ticket + 1, Ordering::Relaxed);
    }
}

impl Tables<'_> {
    /// Takes the first run of `frames` frames aligned to `align` frames, a power of two.
    pub(crate) fn take_run(
        &self,
        frames: u64,
        align: u64,
        queue: &Queue,
        journal: &impl Journal,
    ) -> Pass<FrameId> {
        let mut from = 0;
        let mut losses = 0;
        let mut ticket = None;
        let taken = loop {
            let Some(start) = self.find_run(from, frames, align) else {
                let flying = losses > 0 || self.claims_in_flight();
                break if flying { Pass::Unsure } else { Pass::Nothing };
            };
            journal.range(start, frames);
            match self.claim_range((start, start + frames), true, journal) {
                Ok(()) => break Pass::Found(FrameId(start)),
                // It is taken now: behind it there may be more.
                Err(ClaimError::Busy(lost)) => from = lost.0.max(start) + 1,
                Err(ClaimError::OutOfRange) => break Pass::Nothing,
            }
            losses += 1;
            if losses >= LOSSES && ticket.is_none() {
                ticket = Some(queue.enter());
                from = 0;
            }
        };
        if let Some(ticket) = ticket {
            queue.leave(ticket);
        }
        taken
    }

    /// The start of the first run from `from` on that looks free.
    fn find_run(&self, from: u64, frames: u64, align: u64) -> Option<u64> {
        let (capacity, quarter) = (self.capacity(), self.geometry.quarter());
        let tree_frames = capacity * self.geometry.tree_huge() as u64;
        let up = |frame: u64| frame.checked_next_multiple_of(align);
        let mut start = up(from)?;
        // From start to here all is free.
        let mut at = start;
        loop {
            if at >= start + frames {
                return Some(start);
            }
            if start + frames > self.frames {
                return None;
            }
            let huge = self.geometry.huge_of(at);
            let tree = self.geometry.tree_of(huge);
            if at.is_multiple_of(tree_frames) && self.tree(tree).used == 0 {
                at += tree_frames;
                continue;
            }
            let entry = self.entry(huge);
            if entry.is_whole() || entry.used() == capacity {
                start = up(at / capacity * capacity + capacity)?;
                at = start;
                continue;
            }
            if entry.used() == 0 {
                // Whatever its rows say: where it is stale they are full.
                at = at / capacity * capacity + capacity;
                continue;
            }
            if entry.is_quartered() {
                let behind = (at / quarter + 1) * quarter;
                if self.has_quarter(entry, at) {
                    start = up(behind)?;
                    at = start;
                } else {
                    at = behind;
                }
                continue;
            }
            // Relaxed: the claim decides.
            let row = self.rows[row_of(at)].load(Ordering::Relaxed) >> bit_of(at);
            let left = ROW - at % ROW;
            let free = u64::from(row.trailing_zeros()).min(left);
            at += free;
            if free < left && at < start + frames {
                let taken = u64::from((!(row >> free)).trailing_zeros());
                start = up(at + taken)?;
                at = start;
            }
        }
    }

    /// Whether somebody holds words that he may give back: then a pass that found nothing says
    /// little.
    fn claims_in_flight(&self) -> bool {
        const MARKS: u64 = crate::entry::LANES * (crate::entry::BUSY | crate::entry::CLAIMS) as u64;
        // Relaxed: a reading; the pass before it found nothing either.
        self.quads.iter().any(|quad| quad.load(Ordering::Relaxed) & MARKS != 0)
    }
}
