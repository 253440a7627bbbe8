//! Segments at places that the caller chooses.

use super::Segments;
use crate::error::ClaimError;
use crate::metadata::{Metadata, Name, Piece, SegmentState};
use crate::policy::Policy;

impl<P: Policy, M: Metadata> Segments<P, M> {
    /// The region that has `[place, place + len)`.
    pub(crate) fn region_with(&self, place: u32, len: u32) -> Option<Name> {
        let mut region = self.meta.first_region();
        while let Some(name) = region {
            let (low, length) = self.meta.bounds(name);
            if place >= low
                && u64::from(place) + u64::from(len) <= u64::from(low) + u64::from(length)
            {
                return Some(name);
            }
            region = self.meta.next_region(name);
        }
        None
    }

    /// The segment of a region that has `place`, with its mark. O(segments).
    pub(crate) fn find(&self, region: Name, place: u32) -> Option<(Piece, SegmentState)> {
        let mut name = self.meta.lowest(region);
        while !self.meta.is_end(name) {
            let piece = Piece { name, len: self.meta.len(name) };
            if place - self.meta.place(name) < piece.len {
                return Some((piece, self.meta.mark(name)));
            }
            name = self.meta.above(piece);
        }
        None
    }

    /// Takes `[place, place + len)`. O(segments): the region is walked.
    pub(crate) fn claim(&mut self, place: u32, len: u32) -> Result<Piece, ClaimError> {
        let region = self.region_with(place, len).ok_or(ClaimError::OutOfRange)?;
        if P::shape(len, 1) != Some(len) || P::lump(place, len) != len {
            return Err(ClaimError::Misaligned);
        }
        let fits = |found: Option<(Piece, SegmentState)>, this: &Self| match found {
            Some((piece, SegmentState::Free)) => {
                let skip = place - this.meta.place(piece.name);
                (piece.len - skip >= len).then_some((piece, skip))
            }
            _ => None,
        };
        let mut found = fits(self.find(region, place), self);
        if found.is_none() && self.flush_quick() {
            found = fits(self.find(region, place), self);
        }
        let (whole, skip) = found.ok_or(ClaimError::Busy)?;
        if !self.meta.can_split(2 * P::CUTS) {
            return Err(ClaimError::NoEntry);
        }
        // The free segment becomes a used one, and what is not wanted of it is freed.
        self.policy.remove(&mut self.meta, whole);
        self.free -= u64::from(whole.len);
        self.meta.mark_used(whole, true);
        let mut piece = whole;
        let mut low = None;
        if skip > 0 {
            let high = self.meta.split(piece, skip);
            low = Some(Piece { name: piece.name, len: skip });
            self.meta.mark_used(Piece { name: piece.name, len: skip }, false);
            piece = high;
        }
        if piece.len > len {
            let high = self.meta.split(piece, len);
            piece.len = len;
            self.meta.mark_used(piece, false);
            self.give_range(high);
        } else {
            self.meta.mark_used(piece, false);
        }
        if let Some(low) = low {
            self.give_range(low);
        }
        Ok(piece)
    }
}
