//! The crate `rlsf`: two-level segregated fit, as in its own example of `Tlsf`.

use super::distance;
use crate::regions::RegionSubject;
use crate::subject::Description;
use crate::subject::peers::RLSF_VERSION;
use rlsf::Tlsf;
use std::alloc::Layout;
use std::ptr::NonNull;

/// `Tlsf` with 28 × 32 lists, which serve every size of the workloads.
pub struct RlsfRegion {
    tlsf: Tlsf<'static, u32, u32, 28, 32>,
    base: NonNull<u8>,
}

impl RegionSubject for RlsfRegion {
    type Block = NonNull<u8>;

    fn describe() -> Description {
        Description {
            name: "rlsf".into(),
            version: RLSF_VERSION.into(),
            purge_settings: "28 × 32 lists".into(),
            calibration: false,
        }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let mut tlsf = Tlsf::new();
        // SAFETY: the region is this allocator's (1.) and outlives it (2.).
        unsafe { tlsf.insert_free_block_ptr(region) }?;
        Some(Self { tlsf, base: region.cast() })
    }

    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        self.tlsf.allocate(layout)
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: live, and allocated with this alignment (1.).
        unsafe { self.tlsf.deallocate(block, layout.align()) };
    }

    #[inline]
    unsafe fn resize(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
        bytes: usize,
    ) -> Option<NonNull<u8>> {
        let layout = Layout::from_size_align(bytes, layout.align()).ok()?;
        // SAFETY: live, and allocated with this alignment (1.).
        unsafe { self.tlsf.reallocate(block, layout) }
    }

    #[inline]
    fn start(&self, block: NonNull<u8>) -> usize {
        distance(block, self.base)
    }
}
