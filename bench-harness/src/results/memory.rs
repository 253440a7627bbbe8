//! The memory half of a row.

use crate::subject::OwnFigures;
use serde::{Deserialize, Serialize};

/// Where the resident bytes of a heap are; the terms sum to the heap's resident bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waterfall {
    /// Bytes that the program asked for, resident.
    pub live: u64,
    /// Usable minus asked, resident. Includes block headers where `headers` is `None`.
    pub rounding: u64,
    /// Stride minus usable, resident; `None` where no usable size tells it from rounding.
    pub headers: Option<u64>,
    /// Free bytes in pages that a live block pins.
    pub holes: u64,
    /// Resident pages that held blocks once and hold none now.
    pub kept: u64,
    /// Resident pages that never held a block, and the subject's static data.
    pub metadata: u64,
}

/// Gaps between live blocks: external fragmentation as seen from outside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gaps {
    /// Bytes in gaps between neighbouring live blocks of one contiguous resident range.
    pub total: u64,
    /// The largest gap.
    pub largest: u64,
    /// 1 − largest / total.
    pub fragmentation: Option<f64>,
    /// (upper bound of the gap in bytes, number of gaps, bytes in them), by powers of two.
    pub histogram: Vec<(u64, u64, u64)>,
}

/// A reading at one point of the trace, with every thread stopped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Records replayed so far.
    pub record: u64,
    /// `peak` at the record of greatest live bytes, `end` after the last record.
    pub label: Option<String>,
    /// Bytes asked for by live blocks.
    pub live_bytes: u64,
    /// Live blocks.
    pub live_blocks: u64,
    /// Live bytes that are not resident, not part of the waterfall.
    pub live_untouched: u64,
    /// Usable bytes of live blocks, by the hook; `None` without it.
    pub usable_bytes: Option<u64>,
    /// Header bytes of live blocks (stride − usable, not clipped to resident pages).
    pub header_bytes: Option<u64>,
    /// Bytes of pages that hold at least one live byte: the floor at 4 KiB pages.
    pub pinned_bytes: u64,
    /// The same with 2 MiB pages: the huge-page floor.
    pub pinned_huge_bytes: u64,
    /// Resident heap bytes: sum of the waterfall, by the page scan.
    pub resident: u64,
    /// The kernel's figure for the same: the child's Anonymous minus the no-op child's, both less
    /// the stacks of replaying threads.
    pub kernel: i64,
    /// Of these, freed lazily and still counted until memory is short.
    pub lazy_free: u64,
    /// Of these, on transparent huge pages.
    pub huge: u64,
    /// Live bytes that are on transparent huge pages.
    #[serde(default)]
    pub huge_live: u64,
    /// The kernel's figure with each page divided by the processes that map it, less the no-op
    /// child's; 0 where the kernel does not tell.
    #[serde(default)]
    pub proportional: u64,
    /// Bytes of page tables beyond the no-op child's.
    #[serde(default)]
    pub page_tables: u64,
    /// The split.
    pub waterfall: Waterfall,
    /// Number of pinned pages by tenths of live bytes in the page (0–10%, …, 90–100%).
    pub occupancy: [u64; 10],
    /// Mean over the pinned pages of the binary entropy of the share that is live: 0 where pages are full
    /// or empty, 1 where all are half full, which is worst to purge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// The subject's own figures.
    pub own: OwnFigures,
}

/// What blocks of one band of sizes pin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassShare {
    /// The largest size of the band, a power of two; the smallest is above half of it.
    pub upto: u64,
    /// Live blocks.
    pub blocks: u64,
    /// Bytes that they were asked for.
    pub live: u64,
    /// Resident pages that hold more bytes of this band than of any other.
    pub pages: u64,
    /// Bytes of those pages that belong to no live block.
    pub holes: u64,
}

/// What the free memory at the peak can serve, size by size: external fragmentation as a program
/// feels it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absorption {
    /// Resident bytes in no live block: what the subject says is free, or holes and kept pages.
    pub free: u64,
    /// The curve, the smallest size first; empty where there is none.
    pub points: Vec<Absorbed>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// A point of the curve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absorbed {
    /// Bytes of the blocks asked for.
    pub size: u64,
    /// Bytes of them that were served until the subject refused or took more than 64 KiB (or a block)
    /// of fresh memory.
    pub served: Option<u64>,
    /// The usual distance of a block to the next; `None` of fewer than two.
    pub stride: Option<u64>,
    /// Σ ⌊range / stride⌋ · size over the ranges that the subject says are free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_ranges: Option<u64>,
    /// Why `served` is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

impl Absorption {
    /// A curve that could not be had.
    pub(crate) fn missing(why: &str) -> Self {
        Self { missing: Some(why.into()), ..Self::default() }
    }
}

/// What stays resident after every block is freed, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Residue {
    /// At once.
    pub at_once: u64,
    /// After one second without a call.
    pub after_idle: Option<u64>,
    /// After ten seconds without a call, where that was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ten: Option<u64>,
    /// After 1000 more pairs of small blocks.
    pub after_pairs: Option<u64>,
    /// After the purge hook; `None` without one.
    pub after_purge: Option<u64>,
}

/// 2 MiB of the heap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeapTile {
    /// Bytes from the first tile (tiles without a resident page are left out).
    pub offset: u64,
    /// One digit a 4 KiB page: 0 not resident, 1 resident and never held a block,
    /// 2 resident and empty, 3..=12 resident and at least (digit − 3) tenths live.
    pub pages: Vec<u8>,
    /// Whether the kernel backs it by a huge page.
    pub huge: bool,
}

/// The heap as a picture's data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeapMap {
    /// Which checkpoint: an index into [`MemoryRow::checkpoints`].
    pub checkpoint: usize,
    /// The tiles, by address.
    pub tiles: Vec<HeapTile>,
}

/// The memory pass of one subject on one workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryRow {
    /// By record.
    pub checkpoints: Vec<Checkpoint>,
    /// Index of the checkpoint at the record of greatest live bytes.
    pub peak: usize,
    /// Resident / live at that record.
    pub peak_ratio: Option<f64>,
    /// (Resident − lazily freed) / live at that record.
    pub peak_ratio_less_lazy: Option<f64>,
    /// Mean resident / mean live over the checkpoints. Johnstone and Wilson's first measure is the
    /// mean of the quotients instead, which the few places with almost nothing live decide.
    pub mean_ratio: Option<f64>,
    /// Greatest resident / greatest live (their fourth).
    pub max_ratio: Option<f64>,
    /// 1 − asked / usable at the peak, exact or by stride.
    pub internal: Option<f64>,
    /// Whether `internal` rests on the usable-size hook (exact) or on strides (inferred).
    pub internal_exact: bool,
    /// Gaps at the peak.
    pub gaps: Option<Gaps>,
    /// Which sizes pin what at the peak, the smallest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassShare>,
    /// 1 − largest free / total free, exact, for subjects that show their free ranges.
    pub external_exact: Option<f64>,
    /// What the free memory at the peak can serve, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absorption: Option<Absorption>,
    /// After draining.
    pub residue: Option<Residue>,
    /// Heap pictures (at the peak, at the end).
    pub maps: Vec<HeapMap>,
    /// Page size in bytes.
    pub page_bytes: u64,
    /// Whether repeated serial passes gave the same live, usable, header and pinned bytes at every
    /// checkpoint; `None` where there was one pass only.
    #[serde(default)]
    pub deterministic: Option<bool>,
}

/// Johnstone and Wilson's four measures ("The memory fragmentation problem: solved?", ISMM 1998), over
/// the checkpoints: bytes resident for a live one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JohnstoneWilson {
    /// 1: the mean of the quotients.
    pub mean: Option<f64>,
    /// 2: where most is live.
    pub most_live: Option<f64>,
    /// 3: where most is resident.
    pub most_resident: Option<f64>,
    /// 4: greatest resident by greatest live, which may lie apart.
    pub greatest: Option<f64>,
}

impl Checkpoint {
    /// Share of the resident bytes that is on huge pages; `None` where nothing is resident.
    pub fn huge_coverage(&self) -> Option<f64> {
        let kernel = u64::try_from(self.kernel).ok().filter(|&bytes| bytes > 0)?;
        Some((self.huge as f64 / kernel as f64).min(1.0))
    }
}

impl MemoryRow {
    /// Below so many live bytes a ratio to them tells of the page size, not of the allocator.
    pub(crate) const MEANINGFUL: u64 = 64 * 4096;

    /// The four measures of Johnstone and Wilson; checkpoints with less than 256 KiB live do not count
    /// for the first.
    pub fn johnstone_wilson(&self) -> JohnstoneWilson {
        // Of the no-op only the harness's own memory is known.
        if self.max_ratio.is_none() {
            return JohnstoneWilson::default();
        }
        let quotient = |at: &Checkpoint| {
            let live = at.live_bytes;
            (live >= Self::MEANINGFUL).then(|| at.resident as f64 / live as f64)
        };
        let quotients: Vec<f64> = self.checkpoints.iter().filter_map(quotient).collect();
        let most = |of: fn(&Checkpoint) -> u64| self.checkpoints.iter().max_by_key(|at| of(at));
        JohnstoneWilson {
            mean: crate::results::statistics::mean(quotients),
            most_live: self.checkpoints.get(self.peak).and_then(quotient),
            most_resident: most(|at| at.resident).and_then(quotient),
            greatest: self.max_ratio,
        }
    }

    /// Whether two passes agree in all that a serial replay of a deterministic subject repeats.
    pub fn agrees(&self, other: &Self) -> bool {
        let figures = |c: &Checkpoint| {
            (c.record, c.live_bytes, c.usable_bytes, c.header_bytes, c.pinned_bytes)
        };
        let own = self.checkpoints.iter().map(figures);
        own.eq(other.checkpoints.iter().map(figures))
    }
}
