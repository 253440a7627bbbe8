//! Figures of a table.

use core::fmt;

use strata_core::ByteCount;

use crate::policy::Policy;

use super::{Handle, Mover, Permissions, SegmentTable};

/// What a table holds, and what it has done. Made by [`stats`](SegmentTable::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    /// Live segments.
    pub segments: usize,
    /// Those that are pinned.
    pub pinned: usize,
    /// Segments that there are descriptors for, live ones and retired descriptors included.
    pub capacity: usize,
    /// Descriptors whose generations are used up.
    pub retired: usize,
    /// Bytes of the regions.
    pub managed: ByteCount,
    /// Bytes that the program asked for: the sum of all limits.
    pub requested: ByteCount,
    /// Bytes of the segments: requested plus rounding.
    pub allocated: ByteCount,
    /// Bytes of the holes.
    pub free: ByteCount,
    /// Bytes of the longest hole.
    pub largest_free: ByteCount,
    /// Holes.
    pub holes: usize,
    /// Moves so far, by compaction, by growth and by relocation.
    pub moved_segments: u64,
    /// Bytes copied by them.
    pub moved_bytes: u64,
}

impl TableStats {
    /// External fragmentation: 1 − longest hole / all that is free. Zero where nothing is free, or it is
    /// one hole.
    ///
    /// ```
    /// use strata_core::ByteCount;
    /// use strata_segment::table::TableStats;
    /// let (free, largest_free) = (ByteCount(400), ByteCount(100));
    /// let stats = TableStats { free, largest_free, ..TableStats::default() };
    /// assert_eq!(stats.fragmentation(), 0.75);
    /// ```
    pub fn fragmentation(&self) -> f64 {
        match self.free.get() {
            0 => 0.0,
            free => 1.0 - self.largest_free.get() as f64 / free as f64,
        }
    }
}

impl fmt::Display for TableStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segments, pinned, requested, managed, free, holes, largest_free, .. } = self;
        write!(
            f,
            "{segments} segments ({pinned} pinned) of {requested} in {managed}; \
             {free} free in {holes} holes, the longest {largest_free}"
        )
    }
}

/// One stretch of a region: what [`map`](SegmentTable::map) goes through, by rising place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Where it starts, as a number.
    pub place: u64,
    /// Its bytes, rounding included.
    pub len: usize,
    /// The segment that is there, or `None` for a hole.
    pub segment: Option<Mapped>,
}

/// A segment on the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Its handle.
    pub handle: Handle,
    /// Its length in bytes, without rounding.
    pub limit: usize,
    /// What it grants.
    pub permissions: Permissions,
    /// Whether it is pinned.
    pub pinned: bool,
}

impl<P: Policy, M: Mover> SegmentTable<'_, P, M> {
    /// What the table holds, by a walk over all its nodes.
    pub fn stats(&self) -> TableStats {
        let mut stats = TableStats {
            capacity: self.descriptors.capacity(),
            retired: self.descriptors.retired(),
            requested: ByteCount(self.requested),
            moved_segments: self.moved_segments,
            moved_bytes: self.moved_bytes,
            ..TableStats::default()
        };
        for stretch in self.map() {
            stats.managed += ByteCount(stretch.len);
            match stretch.segment {
                Some(segment) => {
                    stats.segments += 1;
                    stats.pinned += usize::from(segment.pinned);
                    stats.allocated += ByteCount(stretch.len);
                }
                None => {
                    stats.holes += 1;
                    stats.free += ByteCount(stretch.len);
                    stats.largest_free = stats.largest_free.max(ByteCount(stretch.len));
                }
            }
        }
        stats
    }

    /// All stretches of all regions, by rising place: for drawing, and for checking.
    pub fn map(&self) -> impl Iterator<Item = Stretch> + '_ {
        let regions = core::iter::successors(self.core.first_region(), |&region| {
            self.core.next_region(region)
        });
        let nodes = regions.flat_map(|region| {
            core::iter::successors(self.core.lowest(region), |&node| self.core.next(node))
        });
        nodes.map(|node| Stretch {
            place: self.core.place(node),
            len: self.core.len(node),
            segment: (!self.core.is_free(node)).then(|| self.mapped(self.core.tag(node))),
        })
    }

    fn mapped(&self, index: u32) -> Mapped {
        Mapped {
            handle: self.descriptors.handle(index),
            limit: self.descriptors.limit(index),
            permissions: self.descriptors.permissions(index),
            pinned: !self.pins[index as usize].is_free(),
        }
    }
}
