//! Figures of a zone, and what they say about fragmentation.

use strata_core::Order;

use crate::check::FrameState;
use crate::frames::PageFrames;

/// Orders that a zone of 2^44 frames can have.
const ORDERS: usize = 45;

/// A reading of a zone. Exact when nobody is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameStats {
    /// Frames of the zone.
    pub frames: u64,
    /// Frames that anyone may take.
    pub free: u64,
    /// Frames in the stocks of locals: in neither of the other figures.
    pub stocked: u64,
    /// Frames that are handed out.
    pub taken: u64,
    /// Frames that were taken out of use.
    pub offline: u64,
    /// Huge frames of which every frame is free.
    pub free_huge: u64,
    /// Huge frames that are handed out whole.
    pub whole_huge: u64,
    /// Frees that turned out to be a second one when they were carried out.
    pub late_double_frees: u64,
    blocks: [u64; ORDERS],
}

impl FrameStats {
    /// Free blocks of exactly this order, where neighbours are joined as far as they can be.
    pub fn free_blocks(&self, order: Order) -> u64 {
        self.blocks.get(usize::from(order.get())).copied().unwrap_or(0)
    }

    /// How many blocks of `order` could be taken.
    pub fn suitable(&self, order: Order) -> u64 {
        let from = usize::from(order.get());
        let above = self.blocks.iter().enumerate().skip(from);
        above.map(|(n, blocks)| blocks << (n - from)).sum()
    }

    /// The share of free memory that a request of `order` cannot use, from 0 to 1: Linux's unusable
    /// free space index. 0 where nothing is free.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use strata_core::{FrameId, Order};
    /// # use strata_page_frame::{Geometry, PageFrames};
    /// # let layout = PageFrames::metadata_layout(1024, 0, Geometry::DEFAULT)?;
    /// # let mut metadata = vec![MaybeUninit::uninit(); layout.size() + layout.align()];
    /// # let frames = PageFrames::new(1024, 0, Geometry::DEFAULT, &mut metadata)?;
    /// frames.alloc_at(FrameId(256), 256)?; // a half of the first of two huge frames
    /// let stats = frames.stats();
    /// assert_eq!(stats.unusable(Order::new(8).unwrap()), 0.0);
    /// assert_eq!(stats.unusable(Order::new(9).unwrap()), 1.0 / 3.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unusable(&self, order: Order) -> f64 {
        if self.free == 0 {
            return 0.0;
        }
        let usable = self.suitable(order) << order.get();
        self.free.saturating_sub(usable) as f64 / self.free as f64
    }

    /// Why a request of `order` would fail: towards 0 for want of memory, towards 1 because it lies
    /// scattered. Linux's fragmentation index; `None` where the request would not fail.
    pub fn fragmentation(&self, order: Order) -> Option<f64> {
        if self.suitable(order) > 0 {
            return None;
        }
        let blocks: u64 = self.blocks.iter().sum();
        if blocks == 0 {
            return Some(0.0);
        }
        let requests = self.free as f64 / order.frames() as f64;
        Some(1.0 - (1.0 + requests) / blocks as f64)
    }
}

impl PageFrames<'_> {
    /// Reads all figures: a pass over all entries and the rows of partly used huge frames.
    pub fn stats(&self) -> FrameStats {
        let mut blocks = [0; ORDERS];
        let (mut free, mut free_huge, mut whole) = (0, 0, 0);
        let huge = self.geometry().huge_order().frames();
        self.walk(|start, frames, state| match state {
            FrameState::Free => {
                free += frames;
                let (first, end) =
                    (start.0.next_multiple_of(huge), (start.0 + frames) / huge * huge);
                free_huge += end.saturating_sub(first) / huge;
                count_blocks(start.0, start.0 + frames, &mut blocks);
            }
            FrameState::Whole => whole += frames / huge,
            FrameState::Taken => {}
        });
        let (offline, stocked) = (self.offline_frames(), self.stocked_frames());
        let taken = (self.frames() - free).saturating_sub(offline + stocked);
        FrameStats {
            frames: self.frames(),
            free,
            stocked,
            taken,
            offline,
            free_huge,
            whole_huge: whole,
            late_double_frees: self.late_double_frees(),
            blocks,
        }
    }
}

/// Counts the aligned blocks that a free run joins to.
fn count_blocks(start: u64, end: u64, blocks: &mut [u64; ORDERS]) {
    let mut at = start;
    while at < end {
        let fits = (end - at).ilog2();
        let order = if at == 0 { fits } else { fits.min(at.trailing_zeros()) };
        blocks[order as usize] += 1;
        at += 1 << order;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_counted_in_the_fewest_blocks() {
        let mut blocks = [0; ORDERS];
        count_blocks(3, 21, &mut blocks); // 3, 4..8, 8..16, 16..20, 20
        assert_eq!(blocks[..5], [2, 0, 2, 1, 0]);
        count_blocks(0, 16, &mut blocks);
        assert_eq!(blocks[4], 1);
    }
}
