//! The ideal: nothing is ever between blocks when there is no room.

use crate::regions::{Budget, Claims, Compacted, FreeBytes, RegionSubject};
use crate::subject::Description;
use std::alloc::Layout;
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::time::Instant;

/// Handles of blocks that slide down when there is no room: perfect compaction, in the plainest way.
///
/// # Invariants
///
/// 1. The region's bytes are this allocator's and its blocks'.
#[derive(Debug)]
pub struct Sliding {
    region: NonNull<[u8]>,
    /// Where each block begins and what it takes, by handles.
    places: Vec<(usize, usize)>,
    /// Handles of no block.
    unused: Vec<u32>,
    /// Blocks by their beginnings.
    order: BTreeMap<usize, u32>,
    /// Where the last block ends, and bytes in use below.
    end: usize,
    used: usize,
}

impl Sliding {
    /// Slides blocks down until `stop` says so, which is told how many bytes were moved.
    fn slide(&mut self, mut stop: impl FnMut(usize) -> bool) -> Compacted {
        let (mut to, mut moved, mut done) = (0, 0, true);
        for (start, handle) in std::mem::take(&mut self.order) {
            let bytes = self.places[handle as usize].1;
            if done && start > to && stop(moved) {
                done = false;
            }
            let place = if done { to } else { start };
            if place != start {
                let base = self.region.cast::<u8>();
                // SAFETY: both ranges lie in the region, `place` below `start`, and are this block's
                // or free (invariant 1).
                unsafe { base.add(start).copy_to(base.add(place), bytes) };
                moved += bytes;
            }
            self.places[handle as usize].0 = place;
            self.order.insert(place, handle);
            to = place + bytes;
        }
        self.end = to;
        Compacted { moved, done }
    }
}

impl RegionSubject for Sliding {
    type Block = u32;
    const CLAIMS: Claims = Claims::Nothing;

    fn describe() -> Description {
        Description {
            name: "sliding".into(),
            purge_settings: "moves blocks".into(),
            calibration: true,
            ..Description::default()
        }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let (places, unused, order) = (Vec::new(), Vec::new(), BTreeMap::new());
        Some(Self { region, places, unused, order, end: 0, used: 0 })
    }

    fn allocate(&mut self, layout: Layout) -> Option<u32> {
        // Moves keep multiples of 8 only: other alignments are aligned to by length.
        let bytes = layout.size().max(1).next_multiple_of(8);
        if layout.align() > 8 || self.used + bytes > self.region.len() {
            return None;
        }
        if self.end + bytes > self.region.len() {
            self.slide(|_| false);
        }
        let start = self.end;
        let handle = self.unused.pop().unwrap_or_else(|| {
            self.places.push((0, 0));
            self.places.len() as u32 - 1
        });
        self.places[handle as usize] = (start, bytes);
        self.order.insert(start, handle);
        self.end += bytes;
        self.used += bytes;
        Some(handle)
    }

    unsafe fn free(&mut self, block: u32, _layout: Layout) {
        let (start, bytes) = self.places[block as usize];
        self.order.remove(&start);
        self.unused.push(block);
        self.used -= bytes;
    }

    fn start(&self, block: u32) -> usize {
        self.places[block as usize].0
    }

    fn free_bytes(&self) -> Option<FreeBytes> {
        let (mut end, mut largest) = (0, 0);
        for (&start, &handle) in &self.order {
            largest = largest.max(start - end);
            end = start + self.places[handle as usize].1;
        }
        let total = self.region.len() - self.used;
        Some(FreeBytes { total, largest: largest.max(self.region.len() - end) })
    }

    fn compact(&mut self, budget: Budget) -> Option<Compacted> {
        let begun = Instant::now();
        Some(self.slide(|moved| match budget {
            Budget::Whole => false,
            Budget::Bytes(most) => moved >= most,
            Budget::Time(most) => begun.elapsed() >= most,
        }))
    }
}
