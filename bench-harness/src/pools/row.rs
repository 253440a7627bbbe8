//! What is told of one pool in one workload.

use super::job::{Figure, Found, Workload};
use crate::interleaved::{Gate, Standing, Time};
use serde::{Deserialize, Serialize};

/// A line of the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) workload: Workload,
    pub(crate) threads: usize,
    #[serde(flatten)]
    pub(crate) of: Standing,
    pub(crate) times: Vec<Time>,
    /// Of the run with the median of the figure that a gate looks at.
    pub(crate) figures: Vec<Figure>,
    pub(crate) found: Option<Found>,
    pub(crate) gates: Vec<Gate>,
}

impl Row {
    /// What is wrong with the pool, in words; nothing of what is only absent.
    pub(crate) fn fault(&self) -> Option<String> {
        let what = match (&self.of.failed, &self.found) {
            (Some(how), _) => how.clone(),
            (None, Some(found)) if !found.sound() => found.words(),
            _ => return None,
        };
        Some(format!("{} on {}: {what}", self.of.label(), self.workload.name()))
    }

    /// % of the blocks' bytes that the system's memory has on top of them, of a full pool.
    pub(crate) fn on_top(&self) -> Option<f64> {
        self.figure(super::idle::ON_TOP)
    }

    /// A figure of memory by its name.
    pub(super) fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name)?.value
    }
}
