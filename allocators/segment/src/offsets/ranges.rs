//! Managed ranges: added, lengthened, shortened and taken away.

use crate::Segments;
use crate::error::RegionError;
use crate::metadata::{Bookkeeping, Entry, Name, OutOfBand, Piece};
use crate::policy::Policy;

/// The name of a managed range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeId(pub(super) Name);

impl<P: Policy, S: AsRef<[Entry]> + AsMut<[Entry]>> Segments<P, OutOfBand<S>> {
    /// Adds the range `[base, base + len)`, multiples of the unit. Two entries. O(ranges).
    ///
    /// # Errors
    ///
    /// [`RegionError`], by cause.
    pub fn add_range(&mut self, base: u64, len: u64) -> Result<RangeId, RegionError> {
        let unit = 1_u64 << self.meta.unit_shift();
        if base & (unit - 1) != 0 || len & (unit - 1) != 0 {
            return Err(RegionError::Misaligned);
        }
        if len == 0 {
            return Err(RegionError::TooShort);
        }
        if !self.meta.reach(base, len) {
            return Err(RegionError::OutOfReach);
        }
        let (Some(place), Some(units)) = (self.meta.inner(base), self.units(len)) else {
            return Err(RegionError::OutOfReach);
        };
        if self.overlaps(place, units) {
            return Err(RegionError::Overlaps);
        }
        if !self.meta.can_split(2 + P::CUTS * 2) {
            return Err(RegionError::NoEntry);
        }
        let (range, piece) = self.meta.add_region(place, units);
        self.total += u64::from(units);
        self.give_range(piece);
        Ok(RangeId(range))
    }

    fn overlaps(&self, place: u32, len: u32) -> bool {
        let end = u64::from(place) + u64::from(len);
        self.ranges().any(|range| {
            let (low, length) = self.meta.bounds(range);
            u64::from(low) < end && u64::from(place) < u64::from(low) + u64::from(length)
        })
    }

    fn ranges(&self) -> impl Iterator<Item = Name> {
        core::iter::successors(self.meta.first_region(), |range| self.meta.next_region(*range))
    }

    /// Where a range begins and how long it is; `None` where there is none of this name. O(ranges).
    pub fn range(&self, range: RangeId) -> Option<(u64, u64)> {
        self.ranges().find(|&name| name == range.0).map(|name| {
            let (place, len) = self.meta.bounds(name);
            (self.meta.outer(place), u64::from(len) << self.meta.unit_shift())
        })
    }

    /// All ranges by rising place.
    pub fn range_ids(&self) -> impl Iterator<Item = RangeId> {
        self.ranges().map(RangeId)
    }

    /// Makes a range `len` long by what follows it. O(ranges).
    ///
    /// # Errors
    ///
    /// [`RegionError`], by cause; `TooShort` also where it is as long already.
    pub fn extend_range(&mut self, range: RangeId, len: u64) -> Result<(), RegionError> {
        let Some((base, old)) = self.range(range) else { return Err(RegionError::NotARegion) };
        if len & ((1 << self.meta.unit_shift()) - 1) != 0 {
            return Err(RegionError::Misaligned);
        }
        if len <= old {
            return Err(RegionError::TooShort);
        }
        let Some(units) = self.units(len) else { return Err(RegionError::OutOfReach) };
        if !self.meta.reach(base, len) {
            return Err(RegionError::OutOfReach);
        }
        let (place, old) = self.meta.bounds(range.0);
        if self.overlaps(place + old, units - old) {
            return Err(RegionError::Overlaps);
        }
        if !self.meta.can_split(1 + P::CUTS * 2) {
            return Err(RegionError::NoEntry);
        }
        let piece = self.meta.raise_end(range.0, units);
        self.total += u64::from(piece.len);
        self.give_range(piece);
        Ok(())
    }

    /// Makes a range shorter, down to `len` or to what is used at its end; how long it is now. O(ranges),
    /// and O(segments) with [`Buddy`](crate::Buddy).
    ///
    /// # Errors
    ///
    /// [`RegionError`], by cause; a range keeps at least one unit.
    pub fn truncate_range(&mut self, range: RangeId, len: u64) -> Result<u64, RegionError> {
        if self.range(range).is_none() {
            return Err(RegionError::NotARegion);
        }
        let units = self.units(len).filter(|&units| units > 0).ok_or(RegionError::TooShort)?;
        self.flush_quick();
        if !self.meta.can_split(1 + P::CUTS * 2) {
            return Err(RegionError::NoEntry);
        }
        loop {
            let now = self.meta.bounds(range.0).1;
            let Some(last) = self.meta.free_below(range.0) else { break };
            if now <= units {
                break;
            }
            let mut keep = units.saturating_sub(now - last.len);
            if last.len == now {
                keep = keep.max(1);
            }
            if keep >= last.len {
                break;
            }
            self.policy.remove(&mut self.meta, last);
            self.free -= u64::from(last.len);
            self.total -= u64::from(last.len - keep);
            self.meta.mark_used(last, true);
            if keep > 0 {
                self.meta.split(last, keep);
                self.meta.lower_end(range.0);
                let kept = Piece { name: last.name, len: keep };
                self.meta.mark_used(kept, false);
                self.give_range(kept);
                break;
            }
            self.meta.lower_end(range.0);
        }
        Ok(u64::from(self.meta.bounds(range.0).1) << self.meta.unit_shift())
    }

    /// Takes a range away of which nothing is used. O(ranges), and O(segments) with
    /// [`Buddy`](crate::Buddy).
    ///
    /// # Errors
    ///
    /// [`RegionError::InUse`] or [`RegionError::NotARegion`].
    pub fn remove_range(&mut self, range: RangeId) -> Result<(), RegionError> {
        if self.range(range).is_none() {
            return Err(RegionError::NotARegion);
        }
        self.flush_quick();
        let mut name = self.meta.lowest(range.0);
        while !self.meta.is_end(name) {
            if !self.meta.is_free(name) {
                return Err(RegionError::InUse);
            }
            name = self.meta.high(name);
        }
        // One segment again, whatever shapes the policy had made of it.
        let mut whole: Option<Piece> = None;
        name = self.meta.lowest(range.0);
        while !self.meta.is_end(name) {
            let piece = Piece { name, len: self.meta.len(name) };
            name = self.meta.high(name);
            self.policy.remove(&mut self.meta, piece);
            self.free -= u64::from(piece.len);
            self.total -= u64::from(piece.len);
            whole = Some(whole.map_or(piece, |low| self.meta.join(low, piece)));
        }
        self.meta.remove_region(range.0);
        Ok(())
    }
}
