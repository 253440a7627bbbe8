//! The crate `offset-allocator`: bins of eighths of powers of two, with its nodes apart.

use crate::regions::RegionSubject;
use crate::subject::Description;
use offset_allocator::{Allocation, Allocator};
use std::alloc::Layout;
use std::ptr::NonNull;

/// The crate states its version nowhere; a test holds this to the lock file.
pub(crate) const VERSION: &str = "0.2.0";

/// Bytes of a unit: it knows no alignment, so that this is all that its blocks have.
const UNIT: usize = 8;

/// `Allocator` over units of 8 bytes.
pub struct Offsets(Allocator);

impl RegionSubject for Offsets {
    type Block = Allocation;
    const IN_MEMORY: bool = false;

    fn describe() -> Description {
        Description {
            name: "offset-allocator".into(),
            version: VERSION.into(),
            purge_settings: "units of 8 B, nodes apart".into(),
            calibration: false,
        }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let units = u32::try_from(region.len() / UNIT).ok()?;
        // Each node may be a block; the crate's default is enough for few regions only.
        let blocks = (units / 4).clamp(128 << 10, 1 << 20);
        Some(Self(Allocator::with_max_allocs(units, blocks)))
    }

    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<Allocation> {
        let units = u32::try_from(layout.size().div_ceil(UNIT)).ok()?;
        if layout.align() > UNIT {
            return None;
        }
        self.0.allocate(units)
    }

    #[inline]
    unsafe fn free(&mut self, block: Allocation, _layout: Layout) {
        self.0.free(block);
    }

    #[inline]
    fn start(&self, block: Allocation) -> usize {
        block.offset as usize * UNIT
    }
}
