//! The textbook's first fit.

use crate::regions::{Claims, FreeBytes, RegionSubject};
use crate::subject::Description;
use std::alloc::Layout;
use std::collections::BTreeMap;
use std::ptr::NonNull;

/// The lowest range that is long enough, exact to 8 bytes, with its table apart: what placement by
/// address reaches without any header.
#[derive(Debug)]
pub struct FirstFit {
    /// Free ranges: where each begins, and its length.
    free: BTreeMap<usize, usize>,
}

/// What a block takes.
fn rounded(layout: Layout) -> usize {
    layout.size().max(1).next_multiple_of(8)
}

impl RegionSubject for FirstFit {
    type Block = usize;
    const IN_MEMORY: bool = false;
    const CLAIMS: Claims = Claims::Nothing;

    fn describe() -> Description {
        Description {
            name: "first-fit".into(),
            purge_settings: "table apart".into(),
            calibration: true,
            ..Description::default()
        }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        Some(Self { free: BTreeMap::from([(0, region.len())]) })
    }

    fn allocate(&mut self, layout: Layout) -> Option<usize> {
        let bytes = rounded(layout);
        let place = |(&from, &length): (&usize, &usize)| {
            let start = from.next_multiple_of(layout.align());
            (start + bytes <= from + length).then_some((from, length, start))
        };
        let (from, length, start) = self.free.iter().find_map(place)?;
        self.free.remove(&from);
        let (before, after) = (start - from, from + length - start - bytes);
        if before > 0 {
            self.free.insert(from, before);
        }
        if after > 0 {
            self.free.insert(start + bytes, after);
        }
        Some(start)
    }

    unsafe fn free(&mut self, block: usize, layout: Layout) {
        let (mut start, mut length) = (block, rounded(layout));
        if let Some(after) = self.free.remove(&(start + length)) {
            length += after;
        }
        if let Some((&from, &before)) = self.free.range(..start).next_back()
            && from + before == start
        {
            (start, length) = (from, before + length);
        }
        self.free.insert(start, length);
    }

    fn start(&self, block: usize) -> usize {
        block
    }

    fn free_bytes(&self) -> Option<FreeBytes> {
        let largest = self.free.values().copied().max().unwrap_or(0);
        Some(FreeBytes { total: self.free.values().sum(), largest })
    }
}
