//! What is told of one allocator in one workload.

use super::indexes::Indexes;
use super::job::{Map, Overlap, Workload};
use crate::interleaved::{Standing, Time};
use crate::results::{Interval, LatencyBand};
use serde::{Deserialize, Serialize};

/// A line of the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) workload: Workload,
    pub(crate) order: u8,
    /// The order of the other threads, in `overlap`.
    pub(crate) other: Option<u8>,
    pub(crate) threads: usize,
    /// Frames of the zone.
    pub(crate) frames: usize,
    #[serde(flatten)]
    pub(crate) of: Standing,
    pub(crate) times: Vec<Time>,
    pub(crate) latency: Vec<Latency>,
    pub(crate) fragment: Option<Fragment>,
    pub(crate) overlap: Option<Overlap>,
}

/// Single calls: medians over the runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) band: LatencyBand,
    /// What reading the timer costs, which was taken off.
    pub(crate) timer_ns: f64,
    /// The 99.9th percentile over the base's in the same pair.
    pub(crate) p999_to_base: Option<Interval>,
}

/// Whole huge frames: the run that ends in the median of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fragment {
    /// After each round, the first before any.
    pub(crate) free_huge: Vec<usize>,
    /// After the last round, of every run.
    pub(crate) ends: Vec<usize>,
    pub(crate) huge: usize,
    pub(crate) ideal: usize,
    pub(crate) maps: Vec<Map>,
    /// Linux's figures after the last round.
    pub(crate) indexes: Indexes,
}

impl Row {
    /// What is wrong with the allocator, in words; nothing of what is only absent.
    pub(crate) fn fault(&self) -> Option<String> {
        let place = match self.other {
            Some(other) => format!("orders {} and {other}", self.order),
            None => format!("order {}", self.order),
        };
        let what = match (&self.of.failed, &self.overlap) {
            (Some(how), _) => how.clone(),
            (None, Some(found)) if !found.exact() => {
                let mut words = Vec::new();
                for (count, word) in [
                    (found.overlaps, "frames handed out twice"),
                    (found.misplaced, "blocks misplaced"),
                    (found.refused, "blocks not taken back"),
                ] {
                    if count > 0 {
                        words.push(format!("{count} {word}"));
                    }
                }
                for (off, word) in [(found.frames_off, "free frames"), (found.huge_off, "huge")] {
                    if let Some(off) = off.filter(|&off| off != 0) {
                        words.push(format!("its count of {word} off by {off}"));
                    }
                }
                words.extend(found.invalid.clone());
                words.join(", ")
            }
            _ => return None,
        };
        Some(format!("{} on {}, {place}: {what}", self.of.label(), self.workload.name()))
    }
}
