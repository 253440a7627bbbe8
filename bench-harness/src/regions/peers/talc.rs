//! The crate `talc`, without a lock and without a source of memory.

use super::distance;
use crate::regions::RegionSubject;
use crate::subject::Description;
use crate::subject::peers::TALC_VERSION;
use std::alloc::Layout;
use std::ptr::NonNull;
use talc::DefaultBinning;
use talc::base::Talc;
use talc::source::Manual;

/// `Talc` with its default bins.
pub struct TalcRegion {
    talc: Talc<Manual, DefaultBinning>,
    base: NonNull<u8>,
}

impl RegionSubject for TalcRegion {
    type Block = NonNull<u8>;

    fn describe() -> Description {
        Description {
            name: "talc".into(),
            version: TALC_VERSION.into(),
            purge_settings: "default bins".into(),
            calibration: false,
        }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let base = region.cast::<u8>();
        let mut talc = Talc::new(Manual);
        // SAFETY: the region is this allocator's (1.) and outlives it (2.).
        unsafe { talc.claim(base.as_ptr(), region.len()) }?;
        Some(Self { talc, base })
    }

    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: no workload asks for nothing.
        unsafe { self.talc.allocate(layout) }
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: live, and allocated with this layout (1.).
        unsafe { self.talc.deallocate(block.as_ptr(), layout) };
    }

    #[inline]
    unsafe fn resize(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
        bytes: usize,
    ) -> Option<NonNull<u8>> {
        // SAFETY: live, and allocated with this layout (1.); not nothing (2.).
        unsafe { self.talc.try_realloc_in_place(block.as_ptr(), layout, bytes) }.then_some(block)
    }

    #[inline]
    fn start(&self, block: NonNull<u8>) -> usize {
        distance(block, self.base)
    }
}
