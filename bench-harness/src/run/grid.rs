//! All rows of a run, by workload and arm.

use super::arm::Arm;
use super::memory;
use super::plan::IDEAL;
use super::process::Stopped;
use super::workload::Prepared;
use crate::error::Result;
use crate::results::{Mode, Outcome, Row};
use crate::subject::Description;

/// All rows, by workload and arm.
pub(super) struct Grid<'a> {
    pub(super) arms: &'a [Arm],
    pub(super) works: &'a [Prepared],
    pub(super) rows: Vec<Vec<Row>>,
    /// The A/A arm: System once more, by workload.
    pub(super) again: Vec<Option<Row>>,
}

impl<'a> Grid<'a> {
    /// Empty rows for every arm on every workload.
    pub(super) fn new(arms: &'a [Arm], works: &'a [Prepared]) -> Self {
        let rows = works.iter().map(|work| arms.iter().map(|arm| empty(arm, work)).collect());
        Self { arms, works, rows: rows.collect(), again: works.iter().map(|_| None).collect() }
    }

    /// The arm whose times an arm's are divided by: System, in the same mode where there is one.
    pub(super) fn base(&self, arm: &Arm) -> Option<usize> {
        let same = |a: &Arm| a.is_base() && a.mode == arm.mode && a.profile == arm.profile;
        self.arms
            .iter()
            .position(same)
            .or_else(|| self.arms.iter().position(|a| a.is_base() && a.mode == Mode::Explicit))
    }

    /// Each arm's index, with whether a row of it still stands.
    pub(super) fn standing(&self, work: usize, wanted: impl Fn(&Arm) -> bool) -> Vec<usize> {
        (0..self.arms.len())
            .filter(|&arm| wanted(&self.arms[arm]) && self.rows[work][arm].outcome == Outcome::Ok)
            .collect()
    }

    /// Whether an arm is timed: competitors and the no-op.
    pub(super) fn timed(arm: &Arm) -> bool {
        !arm.description.calibration || arm.subject == "noop"
    }

    /// What a person reads of a child under way.
    pub(super) fn label(&self, work: usize, arm: usize) -> String {
        format!("{} {}", self.works[work].facts.name, self.arms[arm].label())
    }

    /// All rows, by workload, then arm.
    pub(super) fn finish(self, with_ideal: bool) -> Vec<Row> {
        let mut rows = Vec::new();
        for ((work, arms), again) in self.works.iter().zip(self.rows).zip(self.again) {
            rows.extend(arms);
            rows.extend(again);
            if with_ideal && !work.is_kernel() {
                rows.push(ideal(work));
            }
        }
        rows
    }
}

/// Tells a row's end from the run's.
pub(super) fn settle<T>(
    result: std::result::Result<T, Stopped>,
) -> Result<std::result::Result<T, Outcome>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Stopped::Row(outcome)) => Ok(Err(outcome)),
        Err(Stopped::Run(failure)) => Err(failure),
    }
}

pub(super) fn empty(arm: &Arm, work: &Prepared) -> Row {
    Row {
        subject: arm.description.clone(),
        mode: arm.mode,
        profile: arm.profile.clone(),
        workload: work.facts.clone(),
        a_a: false,
        outcome: Outcome::Ok,
        time: None,
        memory: None,
        latency: Vec::new(),
        timer_ns: None,
        instructions: None,
        instructions_missing: None,
        harness_calls: None,
    }
}

pub(super) fn ideal(work: &Prepared) -> Row {
    let description = Description {
        name: IDEAL.into(),
        version: "computed: perfect compaction".into(),
        calibration: true,
        ..Description::default()
    };
    Row {
        subject: description,
        mode: Mode::Computed,
        profile: String::new(),
        workload: work.facts.clone(),
        a_a: false,
        outcome: Outcome::Ok,
        time: None,
        memory: Some(memory::ideal(work)),
        latency: Vec::new(),
        timer_ns: None,
        instructions: None,
        instructions_missing: None,
        harness_calls: None,
    }
}
