//! A heap from above: each class, the large blocks, what is kept and what went back.

mod collect;
mod json;
mod text;

use core::fmt;

use strata_core::{ByteCount, Stats};

use crate::class::CLASSES;

/// Parts of [`ClassReport::occupancy`].
const PARTS: usize = 10;

/// What there is of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassReport {
    /// Bytes of a block.
    pub block_len: usize,
    /// Spans.
    pub spans: usize,
    /// Blocks of them, used and free.
    pub capacity: usize,
    /// Blocks that are out of their spans: the program's, and those in stocks.
    pub taken: usize,
    /// Of these, blocks in stocks of threads: about, while other threads go on.
    pub stocked: usize,
    /// Spans by how many of their blocks are taken: none to a tenth, to two tenths, and so on; all at the end.
    pub occupancy: [usize; PARTS],
    /// Bytes of free blocks on pages that taken blocks hold, and of the tails of spans.
    pub holes: usize,
    /// Bytes of pages with contents and no taken block.
    pub idle: usize,
    /// Bytes of pages that were never touched or given back.
    pub untouched: usize,
}

impl ClassReport {
    /// Blocks that the program has.
    pub fn live(&self) -> usize {
        self.taken.saturating_sub(self.stocked)
    }

    /// Bytes of the blocks that the program has.
    pub fn allocated(&self) -> ByteCount {
        ByteCount(self.live() * self.block_len)
    }
}

/// The large blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LargeReport {
    /// Blocks that are runs of frames, up to 1 MiB, those in threads' slots included; and their bytes.
    pub runs: usize,
    /// See `runs`.
    pub run_bytes: usize,
    /// Blocks that are chunks of their own, and their bytes.
    pub chunks: usize,
    /// See `chunks`.
    pub chunk_bytes: usize,
    /// Bytes of large blocks in threads' slots, free for the next one of their length.
    pub slotted: usize,
    /// Bytes with contents in chunks that wait for a block, and behind blocks.
    pub spare: usize,
}

/// What went back to the system, and what the program made it bring again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenBack {
    /// Purges, each a call of the system's.
    pub purges: usize,
    /// Bytes of them.
    pub purged: usize,
}

/// A heap from above. It prints as text, and by [`json`](Self::json) as JSON.
///
/// Made without allocating; of some kilobytes.
#[derive(Clone, Debug)]
pub struct Report {
    /// The sums.
    pub stats: Stats,
    /// The classes, by their number.
    pub classes: [ClassReport; CLASSES],
    /// The large blocks.
    pub large: LargeReport,
    /// Bytes of idle frames in the ground: with contents, and of nobody.
    pub idle_frames: usize,
    /// What may be kept without a live block; `None` where that is everything.
    pub budget: Option<ByteCount>,
    /// The part of it that the program taught: what is above the floor.
    pub learned: ByteCount,
    /// What went back; `None` of a heap whose source does not count.
    pub given_back: Option<GivenBack>,
}

impl Report {
    /// Bytes of free blocks on pages that taken blocks hold.
    pub fn holes(&self) -> ByteCount {
        ByteCount(self.classes.iter().map(|class| class.holes).sum())
    }

    /// The part of the blocks that nobody asked for, `1 - requested / allocated`; `None` without requested
    /// bytes (the feature `stats`), or without blocks.
    pub fn internal_fragmentation(&self) -> Option<f64> {
        let (requested, allocated) = (self.stats.requested?.get(), self.stats.allocated?.get());
        (allocated != 0).then(|| 1.0 - requested as f64 / allocated as f64)
    }

    /// The part of the pages that taken blocks of classes hold which is holes, `holes / (holes + taken)`;
    /// `None` without blocks.
    pub fn external_fragmentation(&self) -> Option<f64> {
        let taken: usize = self.classes.iter().map(|class| class.taken * class.block_len).sum();
        let holes = self.holes().get();
        (taken != 0).then(|| holes as f64 / (holes + taken) as f64)
    }

    /// The report as one object of JSON. Its keys are the names of the fields here; figures that are not kept are `null`.
    pub fn json(&self) -> impl fmt::Display + '_ {
        json::Json(self)
    }
}
