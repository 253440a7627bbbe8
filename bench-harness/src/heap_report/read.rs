//! A report as the program wrote it, and whether it adds up.

use crate::error::{Context, Failure, Result};
use crate::mem::Heap;
use crate::results::words;
use serde::Deserialize;
use std::io::Read;
use std::path::Path;

/// Parts of [`Class::occupancy`].
pub(super) const PARTS: usize = 10;
/// A report has some kilobytes; what is much longer is none.
const LONGEST: u64 = 16 << 20;
/// More than a process can address.
const MOST: u64 = 1 << 57;

/// A heap from above, as `report().json()` of strata-segregated has it. Figures are bytes or counts; what the
/// heap does not keep is `None`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct HeapReport {
    /// The sums.
    pub stats: Heap,
    /// Bytes of idle frames of nobody.
    pub idle_frames: u64,
    /// What may be kept without a live block; `None` where that is everything.
    pub budget: Option<u64>,
    /// The part of it that the program taught.
    pub learned: u64,
    /// What went back to the system.
    pub given_back: Option<GivenBack>,
    /// The large blocks.
    pub large: Large,
    /// The classes that have spans.
    pub classes: Vec<Class>,
}

/// Purges, and the bytes of them.
#[allow(missing_docs, reason = "told above")]
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct GivenBack {
    pub purges: u64,
    pub purged: u64,
}

/// The large blocks: runs of frames and chunks of their own.
#[allow(missing_docs, reason = "strata_segregated::LargeReport's words, which are told there")]
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Large {
    pub runs: u64,
    pub run_bytes: u64,
    pub chunks: u64,
    pub chunk_bytes: u64,
    pub slotted: u64,
    pub spare: u64,
}

/// What there is of one class.
#[allow(missing_docs, reason = "strata_segregated::ClassReport's words, which are told there")]
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Class {
    pub block_len: u64,
    pub spans: u64,
    pub capacity: u64,
    pub taken: u64,
    pub stocked: u64,
    pub occupancy: [u64; PARTS],
    pub holes: u64,
    pub idle: u64,
    pub untouched: u64,
}

impl Class {
    /// Blocks that the program has.
    pub fn live(&self) -> u64 {
        self.taken - self.stocked
    }

    /// Bytes of spans: of their blocks, and of their tails as far as they were touched.
    pub(super) fn bytes(&self) -> u64 {
        (self.taken * self.block_len) + self.holes + self.idle + self.untouched
    }

    /// What of it contradicts itself.
    fn fault(&self) -> Option<&'static str> {
        let Self { block_len, spans, capacity, taken, stocked, .. } = *self;
        let most = self.occupancy.iter().chain([&self.holes, &self.idle, &self.untouched]);
        if block_len == 0 {
            Some("has blocks of no bytes")
        } else if capacity.checked_mul(block_len).is_none_or(|bytes| bytes > MOST)
            || most.chain([&spans]).any(|figure| *figure > MOST)
        {
            Some("has more than there can be")
        } else if taken > capacity {
            Some("has more blocks taken than there are")
        } else if stocked > taken {
            Some("has more blocks in stocks than are taken")
        } else if self.occupancy.iter().sum::<u64>() != spans {
            Some("has spans that `occupancy` does not count")
        } else {
            None
        }
    }
}

impl HeapReport {
    /// Reads a file; `-` is the standard input.
    ///
    /// # Errors
    ///
    /// [`Failure::input`] in one line: there is no such file, it is no report, or one that contradicts itself.
    pub fn read(path: &Path) -> Result<Self> {
        let name = if path == Path::new("-") {
            "standard input".into()
        } else {
            path.display().to_string()
        };
        let what = || format!("cannot read {name}");
        let mut bytes = Vec::new();
        if path == Path::new("-") {
            std::io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes).context(what)?;
        } else {
            let file = std::fs::File::open(path).context(what)?;
            file.take(LONGEST + 1).read_to_end(&mut bytes).context(what)?;
        }
        let no_report = |why: String| Failure::input(format!("{name} is no heap report: {why}"));
        if bytes.len() as u64 > LONGEST {
            return Err(no_report(format!("it is longer than {}", words::bytes(LONGEST))));
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(no_report("it is empty".into()));
        }
        let report: Self =
            serde_json::from_slice(&bytes).map_err(|why| no_report(why.to_string()))?;
        match report.fault() {
            None => Ok(report),
            Some(why) => Err(Failure::input(format!("{name} contradicts itself: {why}"))),
        }
    }

    fn fault(&self) -> Option<String> {
        /// Some times what there is.
        const CLASSES: usize = 4096;
        if self.classes.len() > CLASSES {
            return Some(format!("it has {} classes", self.classes.len()));
        }
        let sums = self.stats.figures().into_iter().filter_map(|(_, figure)| figure);
        let Large { runs, run_bytes, chunks, chunk_bytes, slotted, spare } = self.large;
        let large = [runs, run_bytes, chunks, chunk_bytes, slotted, spare, self.idle_frames];
        if sums.chain(large).any(|figure| figure > MOST) {
            return Some("it has more than there can be".into());
        }
        if slotted > run_bytes + chunk_bytes {
            return Some("it has more in slots than in large blocks".into());
        }
        let of = |class: &Class| {
            class.fault().map(|why| format!("the class of {} B {why}", class.block_len))
        };
        self.classes.iter().find_map(of)
    }

    fn sum(&self, of: impl Fn(&Class) -> u64) -> u64 {
        self.classes.iter().map(of).fold(0, u64::saturating_add)
    }

    /// Blocks that the program has.
    pub fn live_blocks(&self) -> u64 {
        self.sum(Class::live) + self.large.runs + self.large.chunks
    }

    /// Bytes of them: `allocated`, where that is told.
    pub fn live_bytes(&self) -> u64 {
        let large = self.large.run_bytes + self.large.chunk_bytes - self.large.slotted;
        self.stats.allocated.unwrap_or_else(|| self.sum(|of| of.live() * of.block_len) + large)
    }

    /// Bytes of blocks that threads keep ready.
    pub fn stocked_bytes(&self) -> u64 {
        self.sum(|of| of.stocked * of.block_len) + self.large.slotted
    }

    /// Bytes of free blocks on pages that taken blocks hold.
    pub fn holes(&self) -> u64 {
        self.sum(|of| of.holes)
    }

    /// Bytes with contents and no block.
    pub fn kept(&self) -> u64 {
        let cached = self.stats.cached.unwrap_or(self.idle_frames + self.large.spare);
        self.sum(|of| of.idle).saturating_add(cached)
    }

    /// The part of the pages with taken blocks of classes that is holes; `None` without blocks.
    pub fn external_fragmentation(&self) -> Option<f64> {
        let taken = self.sum(|of| of.taken * of.block_len);
        (taken != 0).then(|| self.holes() as f64 / (self.holes() as f64 + taken as f64))
    }

    /// The part of the blocks that nobody asked for; `None` where the heap does not count that.
    pub fn internal_fragmentation(&self) -> Option<f64> {
        let (requested, live) = (self.stats.requested?, self.live_bytes());
        (live != 0).then(|| 1.0 - requested.min(live) as f64 / live as f64)
    }
}
