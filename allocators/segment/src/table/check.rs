//! Everything that must hold between the table, its descriptors, its pins and the core.

use core::fmt;

use strata_core::Address;

use super::{Mover, SegmentTable};
use crate::{Broken, Policy};

/// What was found wrong with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableBroken {
    /// The core's own bookkeeping.
    Core(Broken),
    /// The list of free descriptors, or a count of descriptors.
    Descriptors,
    /// A segment at this place whose node, base, limit or alignment is not what its descriptor says.
    Segment(u64),
    /// A count of segments or of bytes is not what a walk finds.
    Counts,
    /// Something is pinned that is no segment.
    Pins,
}

impl fmt::Display for TableBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core(broken) => broken.fmt(f),
            Self::Descriptors => f.write_str("the free descriptors are not in order"),
            Self::Segment(at) => {
                write!(f, "the segment at {at:#x} is not what its descriptor says")
            }
            Self::Counts => f.write_str("a count of the table is not what a walk finds"),
            Self::Pins => f.write_str("something is pinned that is no segment"),
        }
    }
}

impl core::error::Error for TableBroken {}

impl<P: Policy, M: Mover> SegmentTable<'_, P, M> {
    /// Checks all invariants, the core's among them. O(descriptors and nodes). For tests, and for
    /// programs that suspect something.
    ///
    /// # Errors
    ///
    /// What was found wrong first.
    pub fn validate(&self) -> Result<(), TableBroken> {
        self.core.validate().map_err(TableBroken::Core)?;
        if !self.descriptors.is_sound() {
            return Err(TableBroken::Descriptors);
        }
        let (mut segments, mut pinned, mut requested) = (0, 0, 0_usize);
        for stretch in self.map() {
            let Some(segment) = stretch.segment else { continue };
            let broken = TableBroken::Segment(stretch.place);
            let index = self.descriptors.find(segment.handle).map_err(|_| broken)?;
            let (node, limit) = (self.descriptors.node(index), self.descriptors.limit(index));
            let is_there = self.descriptors.base(index).number() == stretch.place
                && self.core.place(node) == stretch.place
                && stretch.place & (self.core.align(node) as u64 - 1) == 0;
            if !is_there || limit == 0 || limit > stretch.len {
                return Err(broken);
            }
            segments += 1;
            pinned += usize::from(segment.pinned);
            requested += limit;
        }
        if segments != self.descriptors.live() || requested != self.requested {
            return Err(TableBroken::Counts);
        }
        match self.pins.iter().filter(|pin| !pin.is_free()).count() {
            // A guard may go while this looks.
            count if count <= pinned => Ok(()),
            _ => Err(TableBroken::Pins),
        }
    }
}
