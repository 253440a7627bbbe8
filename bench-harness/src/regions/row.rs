//! What is told of one allocator in one workload.

use super::job::{Figure, Found, Map, Workload};
use crate::interleaved::{Gate, Standing, Time};
use crate::results::{Interval, LatencyBand};
use serde::{Deserialize, Serialize};

/// A line of the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) workload: Workload,
    /// Bytes of the longest block.
    pub(crate) greatest: u32,
    /// Bytes of the region.
    pub(crate) region: usize,
    #[serde(flatten)]
    pub(crate) of: Standing,
    pub(crate) times: Vec<Time>,
    pub(crate) latency: Vec<Latency>,
    pub(crate) space: Vec<Space>,
    pub(crate) maps: Vec<Map>,
    pub(crate) found: Option<Found>,
    pub(crate) gates: Vec<Gate>,
}

/// Single calls: medians over the runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) band: LatencyBand,
    /// The 99.9th percentile of every run.
    pub(crate) tails: Vec<f64>,
    /// What reading the timer costs, which was taken off.
    pub(crate) timer_ns: f64,
}

/// A figure of space over all runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Space {
    pub(crate) name: String,
    /// One value a run, each of which has a seed of its own.
    pub(crate) samples: Vec<f64>,
    pub(crate) median: f64,
}

impl Space {
    /// Of the same figures of several runs.
    pub(super) fn of(runs: &[Vec<Figure>]) -> Vec<Self> {
        let Some(first) = runs.first() else { return Vec::new() };
        let space = |(index, figure): (usize, &Figure)| {
            let samples: Vec<f64> =
                runs.iter().filter_map(|run| Some(run.get(index)?.value)).collect();
            let median = Interval::of(samples.clone()).map_or(f64::NAN, |found| found.median);
            Self { name: figure.name.clone(), samples, median }
        };
        first.iter().enumerate().map(space).collect()
    }
}

impl Row {
    /// The workload in words, with what is particular of it.
    pub(crate) fn title(&self) -> String {
        match self.workload {
            workload if workload.has_sizes() => {
                format!("{} ≤ {} B", workload.name(), self.greatest)
            }
            workload => workload.name().to_owned(),
        }
    }

    /// What is wrong with the allocator, in words; nothing of what is only absent.
    pub(crate) fn fault(&self) -> Option<String> {
        let what = match (&self.of.failed, &self.found) {
            (Some(how), _) => how.clone(),
            (None, Some(found)) if !found.sound() => found.words(),
            _ => return None,
        };
        Some(format!("{} on {}: {what}", self.of.label(), self.title()))
    }

    /// The values of a figure, one a run.
    pub(super) fn figure(&self, name: &str) -> Option<&[f64]> {
        let found = self.space.iter().find(|space| space.name == name);
        found.map(|space| space.samples.as_slice())
    }
}
