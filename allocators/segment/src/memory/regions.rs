//! Regions of memory: added, lengthened, shortened and taken away.

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use strata_core::align::{align_down, padding};

use crate::Segments;
use crate::error::RegionError;
use crate::metadata::{Bookkeeping, InBand, Name, Piece, SegmentState, UNIT, UNIT_SHIFT};
use crate::policy::Policy;

/// The name of a region of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionId(pub(crate) Name);

/// The least length of a region, at multiples of the unit: its record and one unit.
const LEAST: usize = 2 * UNIT;

impl<P: Policy> Segments<P, InBand> {
    /// Adds a buffer, for as long as the segments live. A few bytes at its ends may go unused.
    ///
    /// # Errors
    ///
    /// [`RegionError`], by cause.
    pub fn add_buffer(
        &mut self,
        buffer: &'static mut [MaybeUninit<u8>],
    ) -> Result<RegionId, RegionError> {
        let (start, len) = (NonNull::from(&mut *buffer).cast::<u8>(), buffer.len());
        // SAFETY: 1. to 3. borrowed for ever, exclusively.
        unsafe { self.add_region(start, len) }
    }

    /// Adds `len` bytes of memory from `start`: whole units of it, less 16 bytes. O(regions).
    ///
    /// # Errors
    ///
    /// [`RegionError`]: too short for a block, not in reach of the first region (8 GiB above it or 4 GiB
    /// below it are always in reach), or some of it is of a region already.
    ///
    /// # Safety
    ///
    /// 1. The memory may be read and written through `start` for as long as these segments or blocks of
    ///    them are used.
    /// 2. Nobody else uses it but by blocks from here.
    /// 3. It is not moved or unmapped before the region is [removed](Self::remove_region).
    pub unsafe fn add_region(
        &mut self,
        start: NonNull<u8>,
        len: usize,
    ) -> Result<RegionId, RegionError> {
        let skip = padding(start.addr().get(), UNIT);
        let low = start.addr().get() + skip;
        let len = align_down(len.saturating_sub(skip), UNIT);
        if len < LEAST {
            return Err(RegionError::TooShort);
        }
        let Some(high) = low.checked_add(len) else { return Err(RegionError::OutOfReach) };
        if !self.meta.reach(low, high) {
            return Err(RegionError::OutOfReach);
        }
        if self.overlaps(low, high) {
            return Err(RegionError::Overlaps);
        }
        let _ = start.as_ptr().expose_provenance();
        // SAFETY: 1. the caller's obligations, and not of another region. 2. as computed and checked.
        let piece = unsafe { self.meta.add_region(low, high) };
        self.total += u64::from(piece.len);
        let region = piece.name;
        self.give_range(piece);
        Ok(RegionId(region))
    }

    /// Whether a region has bytes of `[low, high)`.
    fn overlaps(&self, low: usize, high: usize) -> bool {
        self.region_ids().any(|RegionId(name)| {
            let start = self.meta.address(name) - UNIT;
            let end = self.meta.address(self.meta.end_of(name));
            low < end && start < high
        })
    }

    fn is_region(&self, region: RegionId) -> bool {
        self.region_ids().any(|id| id == region)
    }

    /// All regions by rising address.
    pub fn region_ids(&self) -> impl Iterator<Item = RegionId> {
        core::iter::successors(self.meta.first_region(), |region| self.meta.next_region(*region))
            .map(RegionId)
    }

    /// Where a region begins and how long it is in bytes, its record included; `None` where there is no
    /// such region. O(regions).
    pub fn region(&self, region: RegionId) -> Option<(usize, usize)> {
        self.is_region(region).then(|| {
            let len = (self.meta.region_len(region.0) as usize) << UNIT_SHIFT;
            (self.meta.address(region.0) - UNIT, len + UNIT)
        })
    }

    /// Makes a region `len` bytes long in all, by memory that follows it. O(regions).
    ///
    /// # Errors
    ///
    /// [`RegionError`], by cause; `TooShort` also where it is as long already.
    ///
    /// # Safety
    ///
    /// 1. What is added may be used as [`add_region`](Self::add_region) has it.
    /// 2. The provenance that was exposed for the region, or is exposed for what is added, covers it.
    pub unsafe fn extend(&mut self, region: RegionId, len: usize) -> Result<(), RegionError> {
        let Some((start, old)) = self.region(region) else { return Err(RegionError::NotARegion) };
        let len = align_down(len, UNIT);
        if len <= old {
            return Err(RegionError::TooShort);
        }
        let Some(end) = start.checked_add(len) else { return Err(RegionError::OutOfReach) };
        if !self.meta.reach(start, end) {
            return Err(RegionError::OutOfReach);
        }
        if self.overlaps(start + old, end) {
            return Err(RegionError::Overlaps);
        }
        let units = ((len - UNIT) >> UNIT_SHIFT) as u32;
        // SAFETY: 1. the caller's, not of another region, and reached.
        let piece = unsafe { self.meta.raise_end(region.0, units) };
        self.total += u64::from(piece.len);
        self.give_range(piece);
        Ok(())
    }

    /// Makes a region shorter, down to `len` bytes in all or to what is used at its end; how long it is
    /// now. What lies above is the caller's again. O(regions), and O(segments) with
    /// [`Buddy`](crate::Buddy).
    ///
    /// # Errors
    ///
    /// [`RegionError::NotARegion`], and `TooShort` where `len` leaves no room for one unit (remove it).
    pub fn truncate(&mut self, region: RegionId, len: usize) -> Result<usize, RegionError> {
        if !self.is_region(region) {
            return Err(RegionError::NotARegion);
        }
        let units = (len.div_ceil(UNIT) as u64).saturating_sub(1);
        if units < 1 {
            return Err(RegionError::TooShort);
        }
        self.flush_quick();
        loop {
            let end = self.meta.end_of(region.0);
            let now = self.meta.region_len(region.0);
            let Some(last) = self.meta.free_below(end) else { break };
            if u64::from(now) <= units {
                break;
            }
            let keep = (units as u32).saturating_sub(now - last.len);
            // At least one unit stays, so that the region does.
            let keep = if last.name == region.0 { keep.max(1) } else { keep };
            if keep >= last.len {
                break;
            }
            self.policy.remove(&mut self.meta, last);
            self.free -= u64::from(last.len);
            self.total -= u64::from(last.len - keep);
            let new_end = Name(last.name.0 + keep);
            if keep > 0 {
                self.meta.mark_used(Piece { name: last.name, len: keep }, false);
                self.meta.lower_end(region.0, new_end, false);
                self.give_range(Piece { name: last.name, len: keep });
                break;
            }
            self.meta.lower_end(region.0, new_end, true);
        }
        Ok(((self.meta.region_len(region.0) as usize) << UNIT_SHIFT) + UNIT)
    }

    /// Takes a region away of which nothing is used: its memory is the caller's again. O(regions), and
    /// O(segments) with [`Buddy`](crate::Buddy).
    ///
    /// # Errors
    ///
    /// [`RegionError::InUse`] or [`RegionError::NotARegion`]; nothing changed, except that quick
    /// segments were joined.
    pub fn remove_region(&mut self, region: RegionId) -> Result<(), RegionError> {
        if !self.is_region(region) {
            return Err(RegionError::NotARegion);
        }
        self.flush_quick();
        let mut name = region.0;
        while !self.meta.is_end(name) {
            if self.meta.mark(name) != SegmentState::Free {
                return Err(RegionError::InUse);
            }
            name = self.meta.above(Piece { name, len: self.meta.len(name) });
        }
        name = region.0;
        while !self.meta.is_end(name) {
            let piece = Piece { name, len: self.meta.len(name) };
            name = self.meta.above(piece);
            self.policy.remove(&mut self.meta, piece);
            self.free -= u64::from(piece.len);
            self.total -= u64::from(piece.len);
        }
        self.meta.remove_region(region.0);
        Ok(())
    }

    /// Takes a region off the list, whatever is in it: nothing of these segments is used any more.
    pub(crate) fn forget_region(&mut self, region: RegionId) {
        self.meta.remove_region(region.0);
    }
}
