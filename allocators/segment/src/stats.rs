//! Figures of segments, and what they say about fragmentation.

use strata_core::{ByteCount, Stats};

use crate::Segments;
use crate::metadata::{InBand, Metadata, SegmentState, UNIT_BITS};
use crate::policy::Policy;

/// Ranges of lengths that free segments are counted in.
const ROWS: usize = UNIT_BITS as usize;

/// A reading: lengths in bytes in band, headers included, and in the caller's measure out of band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentStats {
    /// Of all regions, without their records.
    pub total: u64,
    /// In used segments.
    pub used: u64,
    /// In free segments, quick ones included.
    pub free: u64,
    /// In quick segments: free, but not joined with their neighbours.
    pub quick: u64,
    /// The longest free segment.
    pub largest_free: u64,
    /// How many are used.
    pub used_segments: u64,
    /// How many are free, quick ones included.
    pub free_segments: u64,
    unit_shift: u32,
    rows: [u64; ROWS],
}

impl SegmentStats {
    /// Free segments, quick ones included, of `2^row` units to twice as many less one.
    pub fn free_in_row(&self, row: usize) -> u64 {
        self.rows.get(row).copied().unwrap_or(0)
    }

    /// The rows that [`free_in_row`](Self::free_in_row) has: each one's least length, and how many free
    /// segments it has.
    pub fn histogram(&self) -> impl Iterator<Item = (u64, u64)> {
        let shift = self.unit_shift;
        self.rows
            .into_iter()
            .enumerate()
            .map(move |(row, count)| (1 << (row as u32 + shift), count))
    }

    /// How scattered free segments are, from 0 to 1: 1 - largest / total free. 0 where nothing is free.
    ///
    /// ```
    /// use strata_segment::{Entry, GoodFit, OutOfBand, Segments};
    /// let mut segments: Segments<GoodFit<0>, _> = Segments::out_of_band([Entry::EMPTY; 8], 1);
    /// segments.add_range(0, 100)?;
    /// let ids = [10, 20, 30, 40].map(|len| segments.allocate_range(len, 1).unwrap());
    /// segments.free(ids[0])?;
    /// segments.free(ids[2])?;
    /// assert_eq!(segments.stats().fragmentation(), 0.25); // 1 - 30 / 40
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fragmentation(&self) -> f64 {
        if self.free == 0 {
            return 0.0;
        }
        1.0 - self.largest_free as f64 / self.free as f64
    }
}

impl<P: Policy, M: Metadata> Segments<P, M> {
    /// All that is free, quick segments included. O(quick lists), a constant.
    pub fn total_free(&self) -> u64 {
        (self.free + self.policy.quick_units()) << self.meta.unit_shift()
    }

    /// The longest free segment, zero where there is none; quick ones are not looked at. At most a pass
    /// over the longest class of [`GoodFit`](crate::GoodFit), O(depth) or O(1) otherwise.
    pub fn largest_free(&self) -> u64 {
        u64::from(self.policy.largest(&self.meta)) << self.meta.unit_shift()
    }

    /// All figures. O(segments).
    pub fn stats(&self) -> SegmentStats {
        let mut stats = SegmentStats {
            total: self.total << self.meta.unit_shift(),
            used: 0,
            free: 0,
            quick: 0,
            largest_free: 0,
            used_segments: 0,
            free_segments: 0,
            unit_shift: self.meta.unit_shift(),
            rows: [0; ROWS],
        };
        for seen in self.walk() {
            if seen.state == SegmentState::Used {
                stats.used += seen.len;
                stats.used_segments += 1;
                continue;
            }
            stats.free += seen.len;
            stats.free_segments += 1;
            stats.largest_free = stats.largest_free.max(seen.len);
            if seen.state == SegmentState::Quick {
                stats.quick += seen.len;
            }
            let units = seen.len >> self.meta.unit_shift();
            if let Some(row) = self.rows_of(units) {
                stats.rows[row] += 1;
            }
        }
        stats
    }

    fn rows_of(&self, units: u64) -> Option<usize> {
        units.checked_ilog2().map(|row| row as usize).filter(|&row| row < ROWS)
    }
}

impl<P: Policy> Segments<P, InBand> {
    /// The figures that all layers of the suite share. Headers are within allocated, as rounding is; what
    /// the caller asked for is not kept. O(quick lists + regions).
    pub fn shared_stats(&self) -> Stats {
        let records = self.region_ids().count() * crate::metadata::UNIT;
        let bytes = |units: u64| ByteCount(units as usize * crate::metadata::UNIT);
        let free = self.free + self.policy.quick_units();
        let used = bytes(self.total - free);
        Stats {
            allocated: Some(used),
            active: Some(used),
            purged: Some(ByteCount::ZERO),
            cached: Some(bytes(free)),
            metadata: Some(ByteCount(records)),
            committed: Some(bytes(self.total) + ByteCount(records)),
            ..Stats::default()
        }
    }
}
