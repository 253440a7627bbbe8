//! Two executables against each other in one run, or two stored results where that is meaningful.

use super::arm::{Arm, arms};
use super::plan::workloads;
use super::process::Stopped;
use super::progress::Progress;
use super::time;
use crate::child::Touch;
use crate::error::{Failure, Result};
use crate::results::statistics::geometric_mean;
use crate::results::{Interval, Row, Threads};
use serde::Serialize;
use std::path::PathBuf;

/// What `compare` does.
#[derive(Clone, Debug)]
pub struct CompareOptions {
    /// The executable to compare with.
    pub old: PathBuf,
    /// The executable to judge.
    pub new: PathBuf,
    /// Subjects by name; empty for all that both have and that are no calibration subjects.
    pub subjects: Vec<String>,
    /// Workloads; empty for all.
    pub workloads: Vec<String>,
    /// Pairs.
    pub pairs: usize,
    /// A ratio above 1 + this, with its whole interval above 1, is a regression.
    pub tolerance: f64,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The subject.
    pub subject: String,
    /// The workload.
    pub workload: String,
    /// How it was replayed.
    pub threads: Threads,
    /// What is compared: `time`, `peak resident`, `instructions`.
    pub metric: String,
    /// New over old.
    pub ratio: Interval,
    /// Old over old in the same run: what the machine's noise alone gives.
    pub a_a: Option<Interval>,
    /// Whether it is a regression.
    pub regression: bool,
}

/// Runs both executables, interleaved, with an A/A arm.
///
/// # Errors
///
/// When one of them cannot be run or they have no subject in common.
pub fn compare(options: &CompareOptions) -> Result<Vec<Compared>> {
    let (old, new) = (arms(&options.old)?, arms(&options.new)?);
    let wanted = |arm: &Arm| match options.subjects.as_slice() {
        [] => !arm.description.calibration,
        names => names.contains(&arm.description.name),
    };
    let both: Vec<(Arm, Arm)> = old
        .into_iter()
        .filter(wanted)
        .filter_map(|old| {
            let new = new.iter().find(|new| new.subject == old.subject)?;
            Some((old, new.clone()))
        })
        .collect();
    if both.is_empty() {
        return Err(Failure::input(format!(
            "{} and {} have no subject in common that was asked for",
            options.old.display(),
            options.new.display()
        )));
    }
    super::single::steady_addresses();
    let plans = workloads(&options.workloads)?;
    let progress = Progress::new("compare", plans.len() * both.len());
    let mut found = Vec::new();
    for plan in &plans {
        let work = plan.prepare(2)?;
        for (old, new) in &both {
            progress.at(format!("{} {}", plan.name, old.label()));
            let (mut ratios, mut same) = (Vec::new(), Vec::new());
            for pair in 0..options.pairs {
                // A B A, then A A B, …: the new one stands in every place equally often.
                let mut nanos = [0.0; 3];
                for place in 0..3 {
                    let which = (place + pair) % 3;
                    let arm = if which == 1 { new } else { old };
                    nanos[which] = match time::sample(arm, &work.plain, Touch::Pages) {
                        Ok(sample) => sample.nanos,
                        Err(Stopped::Run(failure)) => return Err(failure),
                        Err(Stopped::Row(outcome)) => {
                            let name = arm.label();
                            let what = format!("{name} on {}: {outcome:?}", plan.name);
                            return Err(Failure::subject(what));
                        }
                    };
                }
                ratios.push(nanos[1] / nanos[0]);
                same.push(nanos[2] / nanos[0]);
            }
            progress.done();
            if let Some(ratio) = Interval::of(ratios) {
                found.push(Compared {
                    subject: old.description.name.clone(),
                    workload: plan.name.clone(),
                    threads: plan.threads,
                    metric: "time".into(),
                    ratio,
                    a_a: Interval::of(same),
                    regression: worse(&ratio, options.tolerance),
                });
            }
        }
    }
    progress.finish();
    Ok(found)
}

fn worse(ratio: &Interval, tolerance: f64) -> bool {
    ratio.median > 1.0 + tolerance && ratio.low.is_some_and(|low| low > 1.0)
}

/// Compares stored results: memory and instructions, which repeat; never time, which does not.
///
/// # Errors
///
/// When the two have no row in common.
pub fn compare_stored(old: &[Row], new: &[Row], tolerance: f64) -> Result<Vec<Compared>> {
    let mut found = Vec::new();
    for new in new.iter().filter(|row| !row.a_a) {
        let same = |old: &&Row| {
            !old.a_a
                && old.subject.name == new.subject.name
                && old.mode == new.mode
                && old.workload.name == new.workload.name
                && old.workload.threads == new.workload.threads
        };
        let Some(old) = old.iter().find(same) else { continue };
        let peak = |row: &Row| {
            let memory = row.memory.as_ref()?;
            Some(memory.checkpoints.get(memory.peak)?.resident as f64)
        };
        let metrics = [
            ("peak resident", peak(old), peak(new)),
            ("instructions", old.instructions, new.instructions),
        ];
        for (metric, old, figure) in metrics {
            if let (Some(old), Some(figure)) = (old, figure)
                && old > 0.0
            {
                let median = figure / old;
                let ratio = Interval { median, low: None, high: None, pairs: 1 };
                found.push(Compared {
                    subject: new.subject.name.clone(),
                    workload: new.workload.name.clone(),
                    threads: new.workload.threads,
                    metric: metric.into(),
                    ratio,
                    a_a: None,
                    regression: median > 1.0 + tolerance,
                });
            }
        }
    }
    if found.is_empty() {
        return Err(Failure::input(
            "the two results have no memory or instruction figure of the same subject and workload",
        ));
    }
    Ok(found)
}

/// A table of comparisons, and the geometric mean of each metric.
pub(crate) fn table(found: &[Compared]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    let show = |interval: &Interval| match (interval.low, interval.high) {
        (Some(low), Some(high)) => format!("{:.3} [{low:.3}, {high:.3}]", interval.median),
        _ => format!("{:.3} [n/a]", interval.median),
    };
    let mut rows = comfy_table::Table::new();
    rows.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    rows.set_header(["workload", "threads", "subject", "metric", "new / old (95%)", "A/A", ""]);
    for one in found {
        rows.add_row([
            one.workload.clone(),
            format!("{:?}", one.threads).to_lowercase(),
            one.subject.clone(),
            one.metric.clone(),
            show(&one.ratio),
            one.a_a.as_ref().map_or("n/a".into(), show),
            if one.regression { "REGRESSION".into() } else { String::new() },
        ]);
    }
    let _ = writeln!(text, "{rows}");
    for metric in ["time", "peak resident", "instructions"] {
        let of = found.iter().filter(|one| one.metric == metric);
        if let Some(mean) = geometric_mean(of.map(|one| one.ratio.median)) {
            let _ = writeln!(text, "{metric}: geometric mean of new / old {mean:.3}");
        }
    }
    text
}
