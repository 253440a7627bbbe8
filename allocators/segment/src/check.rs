//! The walk over all segments, and the check of all bookkeeping.

use core::fmt;

use crate::Segments;
use crate::metadata::{Metadata, Name, Piece, SegmentState};
use crate::policy::Policy;

/// A segment, as a walk sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it begins: in band the address of its block, 8 bytes above its header.
    pub base: u64,
    /// How long it is; in band with its header, so that it ends 8 bytes below the next one's block.
    pub len: u64,
    /// What it is.
    pub state: SegmentState,
}

/// What was found wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Lengths of a region's segments do not come to its length.
    Lengths(u64),
    /// Two free neighbours that should have been joined; the upper one.
    NotJoined(u64),
    /// A segment that does not know that its neighbour below is free, or is not.
    Below(u64),
    /// The index disagrees with the marks: a list, a tree, a bitmap or a count.
    Index,
    /// The counts of free or all units disagree with the walk.
    Counts,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lengths(at) => write!(f, "the segments of the region at {at:#x} do not fill it"),
            Self::NotJoined(at) => write!(f, "two free neighbours meet at {at:#x}"),
            Self::Below(at) => write!(f, "the segment at {at:#x} is wrong about its neighbour"),
            Self::Index => f.write_str("the index of free segments is not in order"),
            Self::Counts => f.write_str("a count of units is not what a walk finds"),
        }
    }
}

impl core::error::Error for Broken {}

/// The segments of all regions, by rising place.
#[derive(Debug)]
struct Walk<'s, M> {
    meta: &'s M,
    region: Option<Name>,
    at: Option<Name>,
}

impl<M: Metadata> Iterator for Walk<'_, M> {
    type Item = (Piece, SegmentState);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let region = self.region?;
            let at = self.at.unwrap_or_else(|| self.meta.lowest(region));
            if self.meta.is_end(at) {
                (self.region, self.at) = (self.meta.next_region(region), None);
                continue;
            }
            let piece = Piece { name: at, len: self.meta.len(at) };
            self.at = Some(self.meta.above(piece));
            return Some((piece, self.meta.mark(at)));
        }
    }
}

impl<P: Policy, M: Metadata> Segments<P, M> {
    fn pieces(&self) -> Walk<'_, M> {
        Walk { meta: &self.meta, region: self.meta.first_region(), at: None }
    }

    /// All segments by rising place, used, free and quick.
    pub fn walk(&self) -> impl Iterator<Item = Seen> {
        self.pieces().map(|(piece, state)| Seen {
            base: self.meta.base(piece.name),
            len: u64::from(piece.len) << self.meta.unit_shift(),
            state,
        })
    }

    /// Walks everything and checks the bookkeeping, the index and the counts against one another.
    /// O(segments), with trees times their depth.
    ///
    /// # Errors
    ///
    /// What was found wrong first.
    pub fn validate(&self) -> Result<(), Broken> {
        let (mut free, mut quick, mut total, mut frees) = (0, 0, 0, 0);
        let mut region = self.meta.first_region();
        while let Some(name) = region {
            let found = self.validate_region(name)?;
            free += found[0];
            quick += found[1];
            total += found[2];
            frees += found[3];
            region = self.meta.next_region(name);
        }
        if free != self.free || total != self.total || quick != self.policy.quick_units() {
            return Err(Broken::Counts);
        }
        let (mut indexed, mut count) = (0, 0);
        let sound = self.policy.validate(&self.meta, &mut |piece| {
            indexed += u64::from(piece.len);
            count += 1;
        });
        if sound && indexed == free && count == frees { Ok(()) } else { Err(Broken::Index) }
    }

    /// Units that are free, quick and of all kinds in a region, and the number of free segments.
    fn validate_region(&self, region: Name) -> Result<[u64; 4], Broken> {
        let (place, len) = self.meta.bounds(region);
        let (mut at, mut next) = (self.meta.lowest(region), place);
        let mut sums = [0; 4];
        let mut below: Option<Piece> = None;
        loop {
            let base = self.meta.base(at);
            if self.meta.free_below(at) != below {
                return Err(Broken::Below(base));
            }
            if self.meta.is_end(at) {
                break;
            }
            let piece = Piece { name: at, len: self.meta.len(at) };
            if self.meta.place(at) != next
                || u64::from(next - place) + u64::from(piece.len) > u64::from(len)
            {
                return Err(Broken::Lengths(self.meta.base(region)));
            }
            let state = self.meta.mark(at);
            if state == SegmentState::Free
                && below.is_some_and(|below| {
                    P::joins(self.meta.place(below.name), below.len, piece.len)
                })
            {
                return Err(Broken::NotJoined(base));
            }
            let units = u64::from(piece.len);
            sums[2] += units;
            match state {
                SegmentState::Free => {
                    sums[0] += units;
                    sums[3] += 1;
                }
                SegmentState::Quick => sums[1] += units,
                SegmentState::Used => {}
            }
            below = (state == SegmentState::Free).then_some(piece);
            next += piece.len;
            at = self.meta.above(piece);
        }
        if next - place == len { Ok(sums) } else { Err(Broken::Lengths(self.meta.base(region))) }
    }
}
