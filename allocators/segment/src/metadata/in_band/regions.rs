//! The regions of memory: their records, their ends, and the span of all of them.

use super::{BELOW_FREE, CHECK, InBand, LEN, LEN_SHIFT, UNIT, UNIT_SHIFT, USED, WINDOW};
use crate::metadata::{Bookkeeping, MOST_UNITS, Name, Piece};

/// Words of a region's record, before the header of its lowest segment.
pub(super) const NEXT_REGION: isize = -4;
const REGION_LEN: isize = -3;

impl InBand {
    /// Whether `[start, end)` can be told in places; anchors them where there is none yet.
    pub(crate) fn reach(&mut self, start: usize, end: usize) -> bool {
        if self.first.is_none() {
            self.anchor =
                if WINDOW == 0 { 0 } else { (start & !(WINDOW - 1)).wrapping_sub(WINDOW) };
        }
        let (low, high) = (start.wrapping_sub(self.anchor), end.wrapping_sub(self.anchor));
        low >= UNIT && low < high && high >> UNIT_SHIFT <= MOST_UNITS as usize
    }

    /// Writes a region's two ends and lists it; its one segment, which is not marked yet.
    ///
    /// # Safety
    ///
    /// 1. `[start, end)` is memory as invariant 1 has it, and of no region yet.
    /// 2. Both are multiples of [`UNIT`], two units apart at least, and [`reach`](Self::reach) said yes.
    pub(crate) unsafe fn add_region(&mut self, start: usize, end: usize) -> Piece {
        let lowest = self.name_at(start + UNIT);
        let top = self.name_at(end);
        let (mut before, mut after) = (Name::NONE, self.first);
        while !after.is_none() && after.0 < lowest.0 {
            (before, after) = (after, Name(self.get(after, NEXT_REGION)));
        }
        self.set(lowest, NEXT_REGION, after.0);
        self.set(lowest, REGION_LEN, top.0 - lowest.0);
        if before.is_none() {
            self.first = lowest;
        } else {
            self.set(before, NEXT_REGION, lowest.0);
        }
        self.set(lowest, LEN, (top.0 - lowest.0) << LEN_SHIFT | USED);
        self.write_end(lowest, top, 0);
        self.respan();
        Piece { name: lowest, len: top.0 - lowest.0 }
    }

    fn write_end(&mut self, lowest: Name, top: Name, below: u32) {
        self.set(top, LEN, USED | below);
        self.set(top, CHECK, lowest.0);
    }

    fn respan(&mut self) {
        self.span = 0;
        let mut region = self.first_region();
        while let Some(name) = region {
            self.span = (self.end_of(name).0 - self.first.0) as usize;
            region = self.next_region(name);
        }
    }

    /// Takes a region off the list.
    pub(crate) fn remove_region(&mut self, region: Name) {
        let next = self.get(region, NEXT_REGION);
        if self.first == region {
            self.first = Name(next);
        } else {
            let mut before = self.first;
            while self.get(before, NEXT_REGION) != region.0 {
                before = Name(self.get(before, NEXT_REGION));
            }
            self.set(before, NEXT_REGION, next);
        }
        self.respan();
    }

    /// Units from a region's lowest segment to its end.
    pub(crate) fn region_len(&self, region: Name) -> u32 {
        self.get(region, REGION_LEN)
    }

    /// Where a region ends.
    pub(crate) fn end_of(&self, region: Name) -> Name {
        Name(region.0 + self.region_len(region))
    }

    /// The region whose end this is.
    #[inline]
    pub(crate) fn region_of_end(&self, end: Name) -> Name {
        Name(self.get(end, CHECK))
    }

    /// Makes a region longer: a segment in place of its old end, marked used; what lies below it may be
    /// free.
    ///
    /// # Safety
    ///
    /// 1. The memory from the region's end to that of `len` units is as invariant 1 has it, and can be
    ///    reached.
    pub(crate) unsafe fn raise_end(&mut self, region: Name, len: u32) -> Piece {
        let old = self.end_of(region);
        let added = len - self.region_len(region);
        let below = self.get(old, LEN) & BELOW_FREE;
        self.set(region, REGION_LEN, len);
        self.write_end(region, Name(region.0 + len), 0);
        self.set(old, LEN, added << LEN_SHIFT | USED | below);
        self.respan();
        Piece { name: old, len: added }
    }

    /// Makes a region shorter by all from `end` on, where nothing is used. `begins`: a segment begins
    /// there.
    pub(crate) fn lower_end(&mut self, region: Name, end: Name, begins: bool) {
        let below = if begins { self.get(end, LEN) & BELOW_FREE } else { 0 };
        self.set(region, REGION_LEN, end.0 - region.0);
        self.write_end(region, end, below);
        self.respan();
    }
}
