//! One job: a workload on a fresh allocator.

use super::ground::Ground;
use super::heap::Heap;
use super::{
    RegionSubject, compact, fill, holes, judge, latency, overhead, robson, time, translate,
};
use crate::interleaved::{Phase, guarded};
use crate::results::LatencyBand;
use serde::{Deserialize, Serialize};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// Blocks of random sizes until the first one that fails.
    Fill,
    /// The same, 20 random blocks given back after each failure.
    Efficiency,
    /// Many small blocks, a random part given back, then large ones.
    Phase,
    /// Every second block given back, then blocks of twice the size.
    Checkerboard,
    /// Robson's adversary.
    Robson,
    /// What a block costs beyond its bytes.
    Overhead,
    /// One block taken and given back, over and over.
    Pair,
    /// A random block of a live set replaced.
    Churn,
    /// The same, every call timed.
    Latency,
    /// Blocks moved together.
    Compact,
    /// Handles turned into addresses.
    Translate,
    /// Every block's place and contents verified.
    Check,
}

impl Workload {
    /// The name in words and tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fill => "fill",
            Self::Efficiency => "efficiency",
            Self::Phase => "phase",
            Self::Checkerboard => "checkerboard",
            Self::Robson => "robson",
            Self::Overhead => "overhead",
            Self::Pair => "pair",
            Self::Churn => "churn",
            Self::Latency => "latency",
            Self::Compact => "compact",
            Self::Translate => "translate",
            Self::Check => "check",
        }
    }

    /// What it does, in a line.
    pub(crate) const fn explain(self) -> &'static str {
        match self {
            Self::Fill => "blocks of random sizes until the first one that fails; % of the region",
            Self::Efficiency => {
                "random sizes to a failure, then 20 given back, 200 times; % of the region requested"
            }
            Self::Phase => {
                "blocks of 16–256 B, a random part given back, then 1–4 KiB; % of it served"
            }
            Self::Checkerboard => {
                "every second block of 1 KiB given back, then 2 KiB; % of it served; largest at the end"
            }
            Self::Robson => "the least region, × what is live at most, in which his adversary ends",
            Self::Overhead => "distance of neighbours less their bytes, B",
            Self::Pair => "one block of 64 B taken and given back, alone and among a live set",
            Self::Churn => "a random block of a live set replaced by one of a random size",
            Self::Latency => "the same, every call timed",
            Self::Compact => "random blocks given back, then the others moved together",
            Self::Translate => {
                "a byte of random blocks by handle, beside slotmap's get of slices of the same blocks"
            }
            Self::Check => "every block's place and contents verified",
        }
    }

    /// Whether its figures are times, which several sizes are measured of.
    pub(crate) const fn has_sizes(self) -> bool {
        matches!(self, Self::Churn | Self::Latency)
    }
}

/// What one job is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub(crate) workload: Workload,
    /// Bytes of the region where space is measured.
    pub(crate) region: usize,
    /// The greatest size.
    pub(crate) greatest: u32,
    /// Blocks that churn holds.
    pub(crate) live: usize,
    /// Calls under the clock, about.
    pub(crate) operations: usize,
    /// Failures of `efficiency`.
    pub(crate) failures: usize,
    pub(crate) seed: u64,
}

impl Job {
    /// The region of a churn: what is live fills half of it at most.
    pub(super) fn roomy(&self) -> usize {
        (self.live * (self.greatest as usize / 2 + 16) * 2).next_power_of_two().max(1 << 16)
    }

    /// The longest region that any allocator of the job is given.
    pub(crate) fn ground(&self) -> usize {
        match self.workload {
            Workload::Robson => robson::MOST,
            Workload::Pair | Workload::Churn | Workload::Latency => self.roomy(),
            Workload::Translate => translate::region(self),
            _ => self.region,
        }
    }
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "of")]
pub enum Measured {
    /// Nanoseconds a call.
    Time {
        /// Of each kind of call.
        nanos: Vec<Phase>,
    },
    /// Single calls, less what reading the timer costs in the median.
    Latency {
        /// `allocate` and `free`.
        bands: Vec<LatencyBand>,
        /// What was taken off.
        timer_ns: f64,
    },
    /// Figures of space, with maps where some were drawn.
    Space {
        /// In the order of the table.
        figures: Vec<Figure>,
        /// The region at named points.
        maps: Vec<Map>,
    },
    /// What the judge saw.
    Check(Found),
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is of.
    pub name: String,
    /// Percent, bytes, microseconds or a ratio, as the workload says.
    pub value: f64,
}

impl Figure {
    pub(super) fn new(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value }
    }

    /// `part` of `whole` in percent.
    pub(super) fn percent(name: impl Into<String>, part: usize, whole: usize) -> Self {
        Self::new(name, part as f64 * 100.0 / whole.max(1) as f64)
    }
}

/// A region at a point of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// `before`, `during` or `after`.
    pub point: String,
    /// Bytes in use of each cell, of 256 parts.
    pub used: Vec<u16>,
    /// Bytes of a cell.
    pub cell: usize,
}

/// Cells of a map.
pub(super) const CELLS: usize = 2048;

impl Map {
    pub(super) fn of<R: RegionSubject>(point: &str, heap: &Heap<'_, R>, region: usize) -> Self {
        let cells = CELLS.min(region / 64).max(1);
        let (point, used) = (point.to_owned(), heap.map(region, cells));
        Self { point, used, cell: region.div_ceil(cells) }
    }
}

/// What the judge saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Blocks handed out.
    pub blocks: u64,
    /// Blocks that lay on another one.
    pub overlaps: u64,
    /// Blocks that held something else than what was written.
    pub changed: u64,
    /// Blocks that began at no multiple of their alignment.
    pub misaligned: u64,
    /// Blocks that left the region.
    pub outside: u64,
    /// Bytes that were not to be had again when all was given back.
    pub lost: u64,
    /// Free bytes changed, although the allocator says that it writes nothing.
    pub written: bool,
    /// What its own check said, where it found something.
    pub invalid: Option<String>,
}

impl Found {
    /// Whether all was as it must be.
    pub fn sound(&self) -> bool {
        self.overlaps + self.changed + self.misaligned + self.outside + self.lost == 0
            && !self.written
            && self.invalid.is_none()
    }

    /// What was wrong, in words.
    pub(crate) fn words(&self) -> String {
        let counts = [
            (self.overlaps, "blocks on others"),
            (self.changed, "blocks with changed contents"),
            (self.misaligned, "blocks misaligned"),
            (self.outside, "blocks outside"),
            (self.lost, "bytes lost at the end"),
            (u64::from(self.written), "write into the region"),
        ];
        let told = counts.iter().filter(|(count, _)| *count > 0);
        let mut words: Vec<String> = told.map(|(count, word)| format!("{count} {word}")).collect();
        words.extend(self.invalid.clone());
        words.join(", ")
    }
}

/// Begins the words of a job that asks for more than the allocator offers.
pub(super) const CANNOT: &str = "it cannot";

/// Runs a job on the allocator `R`. For [`Entry`](super::Entry) alone.
///
/// # Errors
///
/// Why there is no figure, in words: the allocator cannot do it, or gave up.
#[doc(hidden)]
pub fn enter<R: RegionSubject>(ground: &Ground, job: &Job) -> Result<Measured, String> {
    guarded(|| match job.workload {
        Workload::Fill => fill::fill::<R>(ground, job),
        Workload::Efficiency => fill::efficiency::<R>(ground, job),
        Workload::Phase => holes::phase::<R>(ground, job),
        Workload::Checkerboard => holes::checkerboard::<R>(ground, job),
        Workload::Robson => robson::run::<R>(ground),
        Workload::Overhead => overhead::run::<R>(ground, job),
        Workload::Pair => time::pair::<R>(ground, job),
        Workload::Churn => time::churn::<R>(ground, job),
        Workload::Latency => latency::run::<R>(ground, job),
        Workload::Compact => compact::run::<R>(ground, job),
        Workload::Translate => translate::run::<R>(ground, job),
        Workload::Check => judge::run::<R>(ground, job),
    })
}
