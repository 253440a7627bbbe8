//! Segments of memory that a source supplies, a region a chunk.

use core::alloc::Layout;
use core::ptr::NonNull;

use strata_core::align::{align_down, align_up};
use strata_core::{Chunk, Source};

use crate::Segments;
use crate::error::AllocError;
use crate::memory::{RegionId, wrong_free};
use crate::metadata::{Bookkeeping, HEADER, InBand, Piece, UNIT, UNIT_SHIFT};
use crate::policy::Policy;

/// The least that is asked of a source at once.
const STEP: usize = 64 << 10;
/// What a region has besides its segments, and a header.
const EXTRA: usize = UNIT + HEADER;

/// Segments with what is needed to lengthen and shorten them by a source.
///
/// # Invariants
///
/// 1. Every region is one chunk of the one source that is given to all calls, whole, except for chunks
///    whose end went back to a source that lets chunks be split.
#[derive(Debug)]
pub(crate) struct Growth<P: Policy> {
    pub(crate) segments: Segments<P, InBand>,
}

impl<P: Policy> Growth<P> {
    pub(crate) const fn new() -> Self {
        Self { segments: Segments::new() }
    }

    /// A block for `layout`; of new memory, where none of the old fits.
    ///
    /// # Safety
    ///
    /// 1. `source` is the one of every call.
    #[inline]
    pub(crate) unsafe fn allocate<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        layout: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        match self.segments.allocate(layout) {
            // SAFETY: 1. the caller's.
            Err(AllocError::Exhausted) => unsafe { self.allocate_slow(source, layout) },
            done => done,
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn allocate_slow<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        layout: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        let shaped = Segments::<P>::shape(layout)?;
        let units = if P::JOINS_ALL {
            shaped.0 as usize + shaped.1 as usize - 1
        } else {
            // A block lies at a multiple of its length.
            2 * shaped.0 as usize
        };
        let need = (units << UNIT_SHIFT) + EXTRA;
        // An eighth more than there is: chunks stay few.
        let step = ((self.segments.total as usize) << UNIT_SHIFT >> 3).max(STEP);
        for len in [need.max(step), need] {
            // SAFETY: 1. the caller's.
            if unsafe { self.lengthen(source, len) } {
                return self.segments.allocate(layout);
            }
        }
        Err(AllocError::Exhausted)
    }

    /// Adds at least `len` bytes: to the end of a region, or as a region.
    unsafe fn lengthen<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        len: usize,
    ) -> bool {
        let Some(len) = align_up(len, source.granule().max(UNIT)) else { return false };
        if S::GROWS
            && let Some(region) = self.segments.region_ids().last()
            && let Some((start, old)) = self.segments.region(region)
            && let Some(base) = NonNull::new(core::ptr::with_exposed_provenance_mut(start))
        {
            // SAFETY: 1. to 3. invariant 1: the region is the chunk.
            let mut chunk = unsafe { Chunk::from_raw_parts(base, old) };
            // SAFETY: 1. of this source.
            let grown = unsafe { source.grow(&mut chunk, old.saturating_add(len)) };
            if grown.is_ok() {
                let _ = chunk.base().as_ptr().expose_provenance();
                let (_, whole) = chunk.into_raw_parts();
                // SAFETY: 1. and 2. the source's, for the longer chunk.
                let extended = unsafe { self.segments.extend(region, whole) };
                debug_assert!(extended.is_ok(), "{extended:?}");
                return extended.is_ok();
            }
            // The region owns it, as before.
            let _ = chunk.into_raw_parts();
        }
        let Ok(chunk) = source.acquire(len, UNIT) else { return false };
        let (base, len) = chunk.into_raw_parts();
        // SAFETY: 1. a chunk of ours. 2. whole.
        if S::COMMITS && unsafe { source.commit(base, len) }.is_err() {
            // SAFETY: 1. acquired above. 2. never used.
            unsafe { source.release(Chunk::from_raw_parts(base, len)) };
            return false;
        }
        // SAFETY: 1. to 3. a fresh chunk, ours until it is released.
        match unsafe { self.segments.add_region(base, len) } {
            Ok(_) => true,
            Err(_) => {
                // SAFETY: 1. acquired above. 2. never used.
                unsafe { source.release(Chunk::from_raw_parts(base, len)) };
                false
            }
        }
    }

    /// Takes a block back; where much is free, memory goes back to the source.
    ///
    /// # Safety
    ///
    /// 1. As for [`Segments::deallocate`].
    /// 2. `source` is the one of every call.
    #[inline]
    pub(crate) unsafe fn deallocate<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        block: NonNull<u8>,
        layout: Layout,
    ) {
        // SAFETY: 1. a block of ours lies in a region.
        match unsafe { self.segments.checked(block, layout) } {
            // SAFETY: 1. checked. 2. the caller's.
            Ok(piece) => unsafe { self.give(source, piece) },
            Err(error) => wrong_free(error),
        }
    }

    /// Gives back a used segment.
    ///
    /// # Safety
    ///
    /// 1. Nobody uses it.
    /// 2. `source` is the one of every call.
    #[inline]
    pub(crate) unsafe fn give<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        piece: Piece,
    ) {
        if let Some(free) = self.segments.give(piece)
            && S::RELEASES
            && free.len as usize >= STEP >> UNIT_SHIFT
        {
            // SAFETY: 2. the caller's.
            unsafe { self.give_back_slow(source, free) };
        }
    }

    /// Where a long free segment ends a region and more is free than a quarter of what is used: regions go
    /// back of which nothing is used, or the free end of this one, until an eighth is left.
    #[cold]
    #[inline(never)]
    unsafe fn give_back_slow<S: Source<Address = NonNull<u8>>>(&mut self, source: &S, free: Piece) {
        let end = self.segments.meta.above(free);
        if !self.segments.meta.is_end(end) {
            return;
        }
        let used = (self.segments.total - self.segments.free) as usize;
        let kept = (used / 8).max((2 * STEP) >> UNIT_SHIFT);
        if (self.segments.free as usize) < 2 * kept {
            return;
        }
        let this = RegionId(self.segments.meta.region_of_end(end));
        let mut next = self.segments.region_ids().next();
        while let Some(region) = next {
            next = self.segments.meta.next_region(region.0).map(RegionId);
            let len = self.segments.meta.region_len(region.0) as usize;
            let spare = (self.segments.free as usize).saturating_sub(kept);
            if len <= spare {
                // SAFETY: 1. the caller's.
                unsafe { self.release(source, region) };
            }
        }
        let spare = (self.segments.free as usize).saturating_sub(kept);
        if S::SPLITS && spare > kept && self.segments.region(this).is_some() {
            let end = self.segments.meta.end_of(this.0);
            // Half of what is kept stays here: the next block at this end does not ask the source.
            if let Some(last) = self.segments.meta.free_below(end)
                && last.len as usize > kept
            {
                // SAFETY: 1. the caller's.
                unsafe { self.shorten(source, this, spare.min(last.len as usize - kept / 2)) };
            }
        }
    }

    /// Gives a region back of which nothing is used; whether it could.
    unsafe fn release<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        region: RegionId,
    ) -> bool {
        let meta = &self.segments.meta;
        let whole = meta.is_free(region.0) && meta.len(region.0) == meta.region_len(region.0);
        if P::JOINS_ALL && !whole {
            return false;
        }
        let Some((start, len)) = self.segments.region(region) else { return false };
        if self.segments.remove_region(region).is_err() {
            return false;
        }
        if let Some(base) = NonNull::new(core::ptr::with_exposed_provenance_mut(start)) {
            // SAFETY: 1. invariant 1. 2. the region is gone, and nothing of it was used.
            unsafe { source.release(Chunk::from_raw_parts(base, len)) };
        }
        true
    }

    /// Gives up to `units` free units at the end of a region back.
    unsafe fn shorten<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        region: RegionId,
        units: usize,
    ) {
        let Some((start, old)) = self.segments.region(region) else { return };
        let granule = source.granule().max(UNIT);
        let cut = align_down(units << UNIT_SHIFT, granule);
        if cut == 0 || cut >= old {
            return;
        }
        // `old` is of whole granules, so the new end is as well.
        let Ok(len) = self.segments.truncate(region, old - cut) else { return };
        let exact = align_up(len, granule).unwrap_or(old);
        if exact > len {
            // What is used reaches beyond: the rest of that granule stays.
            // SAFETY: 1. and 2. it was the region's until now.
            let _ = unsafe { self.segments.extend(region, exact) };
        }
        if exact < old
            && let Some(tail) = NonNull::new(core::ptr::with_exposed_provenance_mut(start + exact))
        {
            // SAFETY: 1. cut off a chunk of this source, which lets chunks be split. 2. unused.
            unsafe { source.release(Chunk::from_raw_parts(tail, old - exact)) };
        }
    }

    /// Gives all regions back of which nothing is used, and with a source that lets chunks be split what is
    /// free at the ends of the others. Bytes that went.
    ///
    /// # Safety
    ///
    /// 1. `source` is the one of every call.
    pub(crate) unsafe fn trim<S: Source<Address = NonNull<u8>>>(&mut self, source: &S) -> usize {
        self.segments.flush_quick();
        let before = self.segments.total;
        let mut next = self.segments.region_ids().next();
        while let Some(region) = next {
            next = self.segments.meta.next_region(region.0).map(RegionId);
            // SAFETY: 1. the caller's.
            if !unsafe { self.release(source, region) } && S::SPLITS {
                let end = self.segments.meta.end_of(region.0);
                if let Some(last) = self.segments.meta.free_below(end) {
                    // SAFETY: 1. the caller's.
                    unsafe { self.shorten(source, region, last.len as usize) };
                }
            }
        }
        ((before - self.segments.total) as usize) << UNIT_SHIFT
    }

    /// Makes a block fit `new`, as [`Segments::reallocate`] does.
    ///
    /// # Safety
    ///
    /// 1. As for [`Segments::reallocate`].
    /// 2. `source` is the one of every call.
    pub(crate) unsafe fn reallocate<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: 1. the caller's.
        match unsafe { self.segments.reallocate(block, old, new) } {
            Err(AllocError::Exhausted) => {}
            done => return done,
        }
        // SAFETY: 1. and 2. the caller's; a fresh block overlaps none, and both are long enough.
        unsafe {
            let to = self.allocate_slow(source, new)?;
            to.copy_from_nonoverlapping(block, old.size().min(new.size()));
            self.deallocate(source, block, old);
            Ok(to)
        }
    }

    /// Gives every region back, used or not.
    ///
    /// # Safety
    ///
    /// 1. Nobody uses a block any more.
    /// 2. `source` is the one of every call.
    pub(crate) unsafe fn release_all<S: Source<Address = NonNull<u8>>>(&mut self, source: &S) {
        loop {
            let Some(region) = self.segments.region_ids().next() else { break };
            let bounds = self.segments.region(region);
            self.segments.forget_region(region);
            if let Some((start, len)) = bounds
                && let Some(base) = NonNull::new(core::ptr::with_exposed_provenance_mut(start))
            {
                // SAFETY: 1. invariant 1. 2. obligation 1 of this method.
                unsafe { source.release(Chunk::from_raw_parts(base, len)) };
            }
        }
    }
}
