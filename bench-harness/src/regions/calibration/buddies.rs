//! The textbook's binary buddies.

use crate::regions::{Claims, FreeBytes, RegionSubject};
use crate::subject::Description;
use std::alloc::Layout;
use std::collections::BTreeSet;
use std::ptr::NonNull;

/// Bytes of the smallest block, as a power of two.
const LEAST: u32 = 4;

/// Powers of two at multiples of themselves, the lowest free one of the least power that is enough; two
/// halves that are free are one again. The table is apart.
#[derive(Debug)]
pub struct Buddies {
    /// By power: where the free ones begin.
    free: Vec<BTreeSet<usize>>,
}

/// The power that a block takes.
fn power(layout: Layout) -> u32 {
    layout.size().max(layout.align()).next_power_of_two().trailing_zeros().max(LEAST)
}

impl RegionSubject for Buddies {
    type Block = usize;
    const IN_MEMORY: bool = false;
    const CLAIMS: Claims = Claims::Nothing;

    fn describe() -> Description {
        Description {
            name: "buddies".into(),
            purge_settings: "table apart".into(),
            calibration: true,
            ..Description::default()
        }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let mut free = vec![BTreeSet::new(); usize::BITS as usize];
        let (mut start, end) = (0_usize, region.len());
        // The longest that begins there and fits.
        while end - start >= 1 << LEAST {
            let fits = (end - start).ilog2();
            let power = if start == 0 { fits } else { fits.min(start.trailing_zeros()) };
            free[power as usize].insert(start);
            start += 1 << power;
        }
        Some(Self { free })
    }

    fn allocate(&mut self, layout: Layout) -> Option<usize> {
        let wanted = power(layout);
        let found = (wanted..usize::BITS).find(|&power| !self.free[power as usize].is_empty())?;
        let start = self.free[found as usize].pop_first()?;
        for half in wanted..found {
            self.free[half as usize].insert(start + (1 << half));
        }
        Some(start)
    }

    unsafe fn free(&mut self, mut block: usize, layout: Layout) {
        let mut power = power(layout);
        while self.free[power as usize].remove(&(block ^ (1 << power))) {
            block &= !(1 << power);
            power += 1;
        }
        self.free[power as usize].insert(block);
    }

    fn start(&self, block: usize) -> usize {
        block
    }

    fn free_bytes(&self) -> Option<FreeBytes> {
        let blocks = self.free.iter().zip(0..).map(|(free, power)| (free.len(), 1_usize << power));
        let total = blocks.clone().map(|(count, bytes)| count * bytes).sum();
        let largest = blocks.filter(|(count, _)| *count > 0).map(|(_, bytes)| bytes).max();
        Some(FreeBytes { total, largest: largest.unwrap_or(0) })
    }
}
