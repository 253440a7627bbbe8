//! One job: a workload on a fresh allocator, at one order and one number of threads.

use super::FrameSubject;
use super::indexes::Indexes;
use super::{bulk, fragment, latency, overlap, random, repeat};
use crate::interleaved::Phase;
use crate::results::LatencyBand;
use serde::{Deserialize, Serialize};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// Half of the zone taken, then given back, the newest first.
    Bulk,
    /// One block taken and given back, over and over, half of the zone being in use.
    Repeat,
    /// Blocks given back in random order to a full zone until it is half full, then taken from it.
    Random,
    /// A random block replaced, half of the zone being in use at random; every call timed.
    Latency,
    /// Half of the zone in use at random, a tenth of it replaced each round: whole huge frames.
    Fragment,
    /// Every frame handed out held against a table of owners.
    Overlap,
}

impl Workload {
    /// The name in words and tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Repeat => "repeat",
            Self::Random => "random",
            Self::Latency => "latency",
            Self::Fragment => "fragment",
            Self::Overlap => "overlap",
        }
    }

    /// What it does, in a line.
    pub(crate) const fn explain(self) -> &'static str {
        match self {
            Self::Bulk => "half of the zone taken, then given back, newest first",
            Self::Repeat => "one block taken and given back, half of the zone in use",
            Self::Random => {
                "blocks put in random order until half is free, then a quarter of the zone got"
            }
            Self::Latency => "a random block replaced, half of the zone in use at random",
            Self::Fragment => "half in use at random, a tenth of it replaced each round",
            Self::Overlap => "every frame handed out held against a table of owners",
        }
    }
}

/// What one job is told.
#[derive(Clone, Debug)]
pub struct Job {
    pub(crate) workload: Workload,
    /// Frames of the zone, a multiple of 512.
    pub(crate) frames: usize,
    pub(crate) threads: usize,
    pub(crate) order: u8,
    /// The order of the other threads, in `overlap`.
    pub(crate) other: u8,
    /// Calls under the clock for each thread and kind, about.
    pub(crate) operations: usize,
    /// Frames that `overlap` has handed out before it ends.
    pub(crate) handed: u64,
    /// Rounds of `fragment`.
    pub(crate) rounds: usize,
    /// The rounds of `fragment` after which the map is kept.
    pub(crate) maps: Vec<usize>,
    pub(crate) seed: u64,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "of")]
pub enum Measured {
    /// Nanoseconds a call, as each thread has them: the window over one thread's calls.
    Time {
        /// Of each kind of call.
        nanos: Vec<Phase>,
    },
    /// Single calls, less what reading the timer costs in the median.
    Latency {
        /// `get` and `put`.
        bands: Vec<LatencyBand>,
        /// What was taken off.
        timer_ns: f64,
    },
    /// Huge frames without a frame in use.
    Fragment {
        /// After each round, the first before any.
        free_huge: Vec<usize>,
        /// Those of the zone.
        huge: usize,
        /// The most that there could be.
        ideal: usize,
        /// Frames in use of each huge frame, after the chosen rounds.
        maps: Vec<Map>,
        /// Linux's figures after the last round.
        indexes: Indexes,
    },
    /// Who held what.
    Overlap(Overlap),
}

/// A zone after a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// The round.
    pub round: usize,
    /// Frames in use of each huge frame.
    pub used: Vec<u16>,
}

/// What the table of owners saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// Frames handed out.
    pub handed: u64,
    /// Of them, frames that somebody had at that time.
    pub overlaps: u64,
    /// Blocks that were misaligned or left the zone.
    pub misplaced: u64,
    /// Calls that gave back a block in vain.
    pub refused: u64,
    /// Calls that got nothing.
    pub empty: u64,
    /// Free frames and free huge frames that the allocator counts at the end, less those that there
    /// are; `None` where it counts none.
    pub frames_off: Option<i64>,
    /// As above.
    pub huge_off: Option<i64>,
    /// What its own check said, where it found something.
    pub invalid: Option<String>,
}

impl Overlap {
    /// Whether all was as it must be.
    pub fn exact(&self) -> bool {
        self.overlaps + self.misplaced + self.refused == 0
            && self.frames_off.unwrap_or(0) == 0
            && self.huge_off.unwrap_or(0) == 0
            && self.invalid.is_none()
    }
}

/// Runs a job on the allocator `F`. For [`Entry`](super::Entry) alone.
///
/// # Errors
///
/// Why there is no figure, in words: the order is too great, or the allocator gave up.
#[doc(hidden)]
pub fn enter<F: FrameSubject>(job: &Job) -> Result<Measured, String> {
    let subject = F::new(job.frames, job.threads);
    let subject = subject.ok_or_else(|| format!("no zone of {} frames", job.frames))?;
    let order = job.order.max(job.other);
    if order > subject.max_order() || 1 << order > job.frames {
        return Err(format!("{NO_ORDER} {order}"));
    }
    match job.workload {
        Workload::Bulk => bulk::run(&subject, job),
        Workload::Repeat => repeat::run(&subject, job),
        Workload::Random => random::run(&subject, job),
        Workload::Latency => latency::run(&subject, job),
        Workload::Fragment => fragment::run(&subject, job),
        Workload::Overlap => overlap::run(&subject, job),
    }
}

/// Begins the words of a job that asks for more than the allocator offers.
pub(super) const NO_ORDER: &str = "it has no order";
