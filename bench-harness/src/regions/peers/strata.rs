//! `strata-segment`: the segments of this suite, by every policy, in band and out of band.

use super::distance;
use crate::regions::{Claims, FreeBytes, RegionSubject};
use crate::subject::Description;
use std::alloc::Layout;
use std::ptr::NonNull;
use strata_segment::{
    BestFit, Buddy, Entry, FirstFit, GoodFit, InBand, NextFit, OutOfBand, Policy, SegmentId,
    Segments,
};

/// The crate states its version nowhere; a test holds this to the lock file.
pub(crate) const VERSION: &str = "0.1.0";

/// A policy with its name in tables.
pub trait Named: Policy + 'static {
    /// The subject's name.
    const NAME: &'static str;
    /// What it is held to.
    const CLAIMS: Claims;
}

impl Named for GoodFit {
    const NAME: &'static str = "strata-segment";
    const CLAIMS: Claims = Claims::Time;
}

/// Without quick lists: a bound on every call.
impl Named for GoodFit<0, 0> {
    const NAME: &'static str = "strata-segment-no-quick";
    const CLAIMS: Claims = Claims::Headers;
}

impl Named for BestFit {
    const NAME: &'static str = "strata-segment-best-fit";
    const CLAIMS: Claims = Claims::Placement;
}

impl Named for FirstFit {
    const NAME: &'static str = "strata-segment-first-fit";
    const CLAIMS: Claims = Claims::Headers;
}

impl Named for NextFit {
    const NAME: &'static str = "strata-segment-next-fit";
    const CLAIMS: Claims = Claims::Headers;
}

impl Named for Buddy {
    const NAME: &'static str = "strata-segment-buddy";
    const CLAIMS: Claims = Claims::Nothing;
}

/// `Segments` in band, without a lock.
#[derive(Debug)]
pub struct StrataSegment<P: Named> {
    segments: Segments<P, InBand>,
    base: NonNull<u8>,
}

fn described(name: &str, settings: &str) -> Description {
    Description {
        name: name.into(),
        version: VERSION.into(),
        purge_settings: settings.into(),
        calibration: false,
    }
}

impl<P: Named> RegionSubject for StrataSegment<P> {
    type Block = NonNull<u8>;
    const CLAIMS: Claims = P::CLAIMS;

    fn describe() -> Description {
        described(P::NAME, "in band")
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let (mut segments, base) = (Segments::new(), region.cast::<u8>());
        // SAFETY: 1. to 3. the region is this allocator's (1.) and outlives it (2.).
        unsafe { segments.add_region(base, region.len()) }.ok()?;
        Some(Self { segments, base })
    }

    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        self.segments.allocate(layout).ok()
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: live, and allocated with this layout (1.).
        unsafe { self.segments.deallocate(block, layout) };
    }

    #[inline]
    unsafe fn resize(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
        bytes: usize,
    ) -> Option<NonNull<u8>> {
        let new = Layout::from_size_align(bytes, layout.align()).ok()?;
        // SAFETY: live, and allocated with this layout (1.); the answer takes the block's place.
        unsafe { self.segments.reallocate(block, layout, new) }.ok()
    }

    #[inline]
    fn start(&self, block: NonNull<u8>) -> usize {
        distance(block, self.base)
    }

    fn free_bytes(&self) -> Option<FreeBytes> {
        let (total, largest) = (self.segments.total_free(), self.segments.largest_free());
        Some(FreeBytes { total: total as usize, largest: largest as usize })
    }

    fn validate(&self) -> Result<(), String> {
        self.segments.validate().map_err(|broken| format!("{broken:?}"))
    }
}

/// `Segments` out of band: the same, with entries in a vector and nothing written into the region.
#[derive(Debug)]
pub struct StrataApart(Segments<GoodFit, OutOfBand<Vec<Entry>>>);

/// Bytes of a unit, to which lengths are rounded up.
const UNIT: u64 = 16;

impl RegionSubject for StrataApart {
    type Block = SegmentId;
    const IN_MEMORY: bool = false;
    const CLAIMS: Claims = Claims::Headers;

    fn describe() -> Description {
        described("strata-segment-apart", "out of band, units of 16 B")
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let entries = (region.len() / 32).clamp(1 << 12, 1 << 20);
        let mut segments = Segments::out_of_band(vec![Entry::EMPTY; entries], UNIT);
        segments.add_range(0, region.len() as u64).ok()?;
        Some(Self(segments))
    }

    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<SegmentId> {
        self.0.allocate_range(layout.size() as u64, layout.align() as u64).ok()
    }

    #[inline]
    unsafe fn free(&mut self, block: SegmentId, _layout: Layout) {
        let freed = self.0.free(block);
        debug_assert!(freed.is_ok(), "the harness gives back what is live");
    }

    unsafe fn resize(
        &mut self,
        block: SegmentId,
        _layout: Layout,
        bytes: usize,
    ) -> Option<SegmentId> {
        self.0.resize_range(block, bytes as u64).ok().map(|()| block)
    }

    #[inline]
    fn start(&self, block: SegmentId) -> usize {
        self.0.base(block).map_or(usize::MAX, |base| base as usize)
    }

    fn free_bytes(&self) -> Option<FreeBytes> {
        let (total, largest) = (self.0.total_free(), self.0.largest_free());
        Some(FreeBytes { total: total as usize, largest: largest as usize })
    }

    fn validate(&self) -> Result<(), String> {
        self.0.validate().map_err(|broken| format!("{broken:?}"))
    }
}
