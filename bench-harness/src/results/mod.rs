//! What a run found: the schema of `results.jsonl`, one [`Row`] a line after one [`Header`].
//!
//! A figure without meaning is `None` (printed "n/a"), never zero. Sizes are bytes.

pub mod export;
pub mod families;
pub(crate) mod figures;
pub(crate) mod grid;
pub mod jsonl;
pub mod kernels;
mod memory;
pub mod statistics;
pub mod table;
pub(crate) mod words;

pub use memory::{
    Absorbed, Absorption, Checkpoint, ClassShare, Gaps, HeapMap, HeapTile, JohnstoneWilson,
    MemoryRow, Residue, Waterfall,
};

use crate::check::Violation;
use crate::subject::Description;
use serde::{Deserialize, Serialize};

/// The version of the schema; a reader refuses another major number.
pub const SCHEMA: &str = "strata-bench/1";

/// The first line of a results file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// The exact command line that repeats the run.
    pub command: String,
    /// UTC date and time, ISO 8601.
    pub date: String,
    /// `strata-bench`'s version.
    pub version: String,
    /// Facts about the machine and the run, as ordered name and value (kernel, processor, cores,
    /// memory, THP mode, governor, seed, load average at the start, …).
    pub provenance: Vec<(String, String)>,
    /// What the kernels of the run say together, where it had some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernels: Option<families::Kernels>,
}

/// How the subject was linked into the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Called explicitly; the child's own `#[global_allocator]` is another.
    Explicit,
    /// The subject is the process's `#[global_allocator]`.
    Global,
    /// Preloaded as the C library's malloc; the child calls System.
    Preload,
    /// Computed, not run.
    Computed,
}

impl Mode {
    /// A subject's name, with the mode where that is not the usual one.
    pub(crate) fn label(self, subject: &Description) -> String {
        match self {
            Self::Global => format!("{} (global)", subject.name),
            _ => subject.name.clone(),
        }
    }
}

/// How threads of the trace were replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Threads {
    /// One thread follows the recorded global order.
    Serial,
    /// Each recorded thread is a thread.
    Recorded,
}

/// A workload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Workload {
    /// The trace's or synthetic load's name, for example `jq-group`; a kernel's begins with
    /// `kernel:`.
    pub name: String,
    /// How it was replayed.
    pub threads: Threads,
    /// Operations replayed; pairs of an allocation and a free for a kernel.
    pub operations: u64,
    /// Threads of the recorded program.
    pub recorded_threads: u32,
    /// The family of a kernel; `None` for what is replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
}

/// A median with its order-statistic 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Median of the paired ratios.
    pub median: f64,
    /// Lower end; `None` with fewer than 6 pairs.
    pub low: Option<f64>,
    /// Upper end; `None` with fewer than 6 pairs.
    pub high: Option<f64>,
    /// How many pairs.
    pub pairs: usize,
}

/// Time of one subject on one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeRow {
    /// Nanoseconds an operation (a pair, of a kernel), one value a repetition, in order of running.
    /// Serial replay and kernels: on the clock. Threaded replay: processor time of all threads, less what they spent waiting for one
    /// another's blocks, so that more threads than processors do not count.
    pub samples: Vec<f64>,
    /// Their median.
    pub median: f64,
    /// Paired ratio to System in the same run; of the A/A arm, to the subject that it is once more.
    pub to_system: Option<Interval>,
    /// Share of the threads' time on the clock spent waiting for other threads' blocks (threaded
    /// replay).
    pub stall_share: Option<f64>,
    /// Whether `stall_share` is so high (above 95%) that the figure is void.
    pub void: bool,
    /// Share of a kernel's windows in which others were at work, however often they were repeated;
    /// `None` for what is replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disturbed: Option<f64>,
    /// Bytes that the process had resident at its peak, the harness's own with them, where a kernel is
    /// about them; the median over the repetitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<u64>,
}

/// Sampled latency of one operation in one band of sizes, nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyBand {
    /// `allocate`, `zeroed`, `reallocate` or `free`.
    pub operation: String,
    /// Sizes in words, for example `65 B – 1 KiB`.
    pub band: String,
    /// How many samples.
    pub samples: u64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest.
    pub max: f64,
}

/// How a row ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// As it should.
    #[default]
    Ok,
    /// The child died.
    Crashed {
        /// Signal or exit status in words.
        how: String,
        /// The last record begun, where known.
        record: Option<u64>,
    },
    /// Checked replay found violations (the first ones).
    Corrupted {
        /// At most 16.
        violations: Vec<Violation>,
    },
    /// The row could not be measured here; why.
    NotAvailable {
        /// In words.
        reason: String,
    },
}

/// All that a run found of one subject on one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The subject.
    pub subject: Description,
    /// How it was linked.
    pub mode: Mode,
    /// The cargo profile of its executable: `release`, `fat`, `debug`.
    pub profile: String,
    /// The workload.
    pub workload: Workload,
    /// Marks the A/A arm: System against itself, or, on a kernel, the subject that is judged.
    pub a_a: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Timing pass.
    pub time: Option<TimeRow>,
    /// Memory pass.
    pub memory: Option<MemoryRow>,
    /// Latency pass; empty where it was not asked for.
    pub latency: Vec<LatencyBand>,
    /// Cost of reading the timer, in nanoseconds, contained in every latency.
    pub timer_ns: Option<f64>,
    /// Instructions an operation by callgrind.
    pub instructions: Option<f64>,
    /// Why there is no instruction figure, where it was asked for.
    pub instructions_missing: Option<String>,
    /// Calls that the harness made to its own heap inside the window (0 by design).
    pub harness_calls: Option<u64>,
}
