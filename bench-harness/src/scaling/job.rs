//! What a parent tells its child, and what it is told in return: both JSON.

use super::Load;
use serde::{Deserialize, Serialize};

/// What the value of the child's variable begins with; the job follows.
pub(super) const JOB: &str = "scaling ";

/// What a child is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) load: Load,
    /// Counts of threads; each has its window.
    pub(super) threads: Vec<usize>,
    pub(super) rounds: usize,
    /// How long a window is counted.
    pub(super) millis: f64,
    /// Draws the order of windows.
    pub(super) seed: u64,
}

/// One round: pairs (of the control, steps) a second, over all threads, by counts of threads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Round {
    pub(super) subject: Vec<f64>,
    /// Of the subject in two processes of one thread each.
    pub(super) apart: f64,
    pub(super) control: Vec<f64>,
    /// The control once more.
    pub(super) again: Vec<f64>,
}

/// What a child found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) rounds: Vec<Round>,
}
