//! What a parent tells its child, and what it is told in return: both JSON.

use super::Scenario;
use serde::{Deserialize, Serialize};

/// What the value of the child's variable begins with; the job follows.
pub(super) const JOB: &str = "footprint ";

/// What a child is to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) scenario: Scenario,
    /// Multiplies bytes, rounds and times; 1 outside tests.
    pub(crate) scale: f64,
    /// How long a soak lasts.
    pub(crate) minutes: f64,
    /// Ends at idle: System's child, for the base.
    pub(crate) base: bool,
    /// Samples where the scenario itself would not.
    pub(crate) curve: bool,
}

impl Job {
    /// A count, at least `least`, on the job's scale.
    pub(super) fn scaled(&self, count: usize, least: usize) -> usize {
        ((count as f64 * self.scale).ceil() as usize).max(least)
    }

    /// A time on the job's scale.
    pub(super) fn time(&self, millis: u64) -> std::time::Duration {
        std::time::Duration::from_secs_f64(millis as f64 / 1e3 * self.scale)
    }
}

/// A sample of a child's memory. Zero bytes are a valid value of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Where on the scenario's axis.
    pub(crate) at: f64,
    /// Private dirty bytes of the whole process.
    pub(crate) dirty: u64,
    /// Bytes of live blocks.
    pub(crate) live: u64,
}

/// One round of a scenario that is timed by the round. Zero bytes are a valid value of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) nanos: u64,
    /// Minor faults.
    pub(crate) faults: u64,
}

/// What a child found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Private dirty bytes when one small block was allocated and freed.
    pub(crate) idle: u64,
    /// Private dirty bytes at named points.
    pub(crate) points: Vec<(String, u64)>,
    /// Everything else, by name.
    pub(crate) values: Vec<(String, f64)>,
    pub(crate) curve: Vec<Sample>,
    pub(crate) rounds: Vec<Round>,
}

impl Measured {
    /// The private dirty bytes at a point.
    pub(super) fn point(&self, name: &str) -> Option<u64> {
        self.points.iter().find(|(found, _)| found == name).map(|(_, bytes)| *bytes)
    }

    /// A value.
    pub(super) fn value(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(found, _)| found == name).map(|(_, value)| *value)
    }
}
