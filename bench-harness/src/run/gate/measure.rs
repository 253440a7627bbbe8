//! Measuring the rows of a gate: memory passes that need no quiet machine, several at once, and
//! instruction counts.

use super::baseline::{Baseline, Figure, Measured, Metric, SCHEMA};
use super::judge::{Limits, Verdict, judge};
use crate::child::Touch;
use crate::error::{Failure, Result};
use crate::results::{Header, MemoryRow, Outcome};
use crate::run::arm::Arm;
use crate::run::memory::{self, Floor, Idle};
use crate::run::plan::{IDEAL, arms, one, workloads};
use crate::run::process::Stopped;
use crate::run::progress::Progress;
use crate::run::single::steady_addresses;
use crate::run::workload::{Prepared, Workload};
use crate::run::{Suite, callgrind, header};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What `gate` measures.
#[derive(Clone, Debug)]
pub struct GateOptions {
    /// Subjects by name or `lib:PATH.so`; without names, all that are linked here and no calibration
    /// subjects (of a baseline: all of its rows).
    pub subjects: Vec<String>,
    /// Workloads by name or trace file; without names, all that are replayed on one thread (of a
    /// baseline: all of its rows).
    pub workloads: Vec<String>,
    /// Children of each row at most: what repeats to the byte six times is believed.
    pub pairs: usize,
    /// Stops of a memory pass.
    pub checkpoints: usize,
    /// What is written into new blocks.
    pub touch: Touch,
    /// Whether to count instructions too.
    pub instructions: bool,
    /// The words of the command.
    pub command: String,
}

/// Equal children after which a row is taken to repeat; fewer have no interval.
const REPEATS: usize = 6;

/// Measures every row and makes a baseline of them.
///
/// # Errors
///
/// [`Failure::input`] where the words are unusable; [`Failure::subject`] where a subject crashes.
pub fn record(options: &GateOptions) -> Result<Baseline> {
    steady_addresses();
    let names: Vec<String> = match options.subjects.as_slice() {
        [] => {
            let named = |arm: Arm| (!arm.description.calibration).then_some(arm.description.name);
            arms(&[], Suite::Quick)?.into_iter().filter_map(named).collect()
        }
        some => some.to_vec(),
    };
    let serial = |workload: &Workload| workload.threads == crate::results::Threads::Serial;
    let plans: Vec<(String, Workload)> = match options.workloads.as_slice() {
        [] => {
            let all = workloads(&[])?.into_iter().filter(serial);
            all.map(|workload| (workload.name.clone(), workload)).collect()
        }
        some => {
            let named = |name: &String| {
                let found = workloads(std::slice::from_ref(name))?;
                Ok(found.into_iter().map(|workload| (name.clone(), workload)).collect::<Vec<_>>())
            };
            some.iter().map(named).collect::<Result<Vec<_>>>()?.concat()
        }
    };
    let subjects = names.iter().map(|name| Ok((name.clone(), subject(name)?)));
    let subjects = subjects.collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    let progress = Progress::new("gate", plans.len() * subjects.len());
    for (replayed, plan) in &plans {
        let work = prepared(plan, options.checkpoints)?;
        for (alloc, arm) in &subjects {
            progress.at(format!("{} {}", plan.name, arm.label()));
            let figures = measure(arm, &work, options.touch, options)?;
            rows.push(Measured {
                alloc: alloc.clone(),
                replayed: replayed.clone(),
                subject: arm.description.clone(),
                mode: arm.mode,
                profile: arm.profile.clone(),
                workload: work.facts.clone(),
                touch: options.touch as u32,
                checkpoints: options.checkpoints,
                figures,
            });
            progress.done();
        }
    }
    progress.finish();
    Ok(Baseline { header: own_header(options), rows })
}

/// Measures the rows of a baseline again, those that the options name where they name some, and
/// judges them.
///
/// # Errors
///
/// As [`record`], and [`Failure::input`] where no row is left, or a workload is not what it was.
pub fn against(
    baseline: &Baseline,
    options: &GateOptions,
    limits: Limits,
) -> Result<(Baseline, Vec<Verdict>)> {
    steady_addresses();
    let wanted = |names: &[String], name: &str, other: &str| {
        names.is_empty() || names.iter().any(|wanted| wanted == name || wanted == other)
    };
    let chosen: Vec<&Measured> = baseline
        .rows
        .iter()
        .filter(|row| wanted(&options.subjects, &row.alloc, &row.subject.name))
        .filter(|row| wanted(&options.workloads, &row.replayed, &row.workload.name))
        .collect();
    if chosen.is_empty() {
        return Err(Failure::input("the baseline has no row of what was asked for"));
    }
    let (mut rows, mut verdicts) = (Vec::new(), Vec::new());
    let progress = Progress::new("gate", chosen.len());
    for old in chosen {
        progress.at(format!("{} {}", old.workload.name, old.alloc));
        let plan = Workload::find(&old.replayed, Some(old.workload.threads))?;
        let work = prepared(&plan, old.checkpoints)?;
        if work.facts != old.workload {
            return Err(Failure::input(format!(
                "{} is not what it was when the baseline was made ({} operations, now {}): make it \
                 again with --record",
                old.replayed, old.workload.operations, work.facts.operations
            )));
        }
        let arm = subject(&old.alloc)?;
        let counted = old.figures.iter().any(|figure| figure.metric == Metric::Instructions);
        let asked =
            GateOptions { instructions: options.instructions && counted, ..options.clone() };
        let touch = Touch::of(old.touch).ok_or_else(|| {
            Failure::input(format!("the baseline has a row of unknown touch {}", old.touch))
        })?;
        let figures = measure(&arm, &work, touch, &asked)?;
        let new = Measured {
            subject: arm.description.clone(),
            mode: arm.mode,
            profile: arm.profile.clone(),
            figures,
            ..old.clone()
        };
        verdicts.extend(judge(old, &new, limits));
        rows.push(new);
        progress.done();
    }
    progress.finish();
    Ok((Baseline { header: own_header(options), rows }, verdicts))
}

fn own_header(options: &GateOptions) -> Header {
    let facts = vec![("pairs".to_owned(), options.pairs.to_string())];
    Header { schema: SCHEMA.into(), ..header(options.command.clone(), facts) }
}

fn subject(name: &str) -> Result<Arm> {
    if name == IDEAL {
        return Err(Failure::input("ideal is computed and cannot get worse: name another subject"));
    }
    one(name)
}

fn prepared(plan: &Workload, checkpoints: usize) -> Result<Prepared> {
    let work = plan.prepare(checkpoints)?;
    if work.is_kernel() { Err(plan.not_replayed()) } else { Ok(work) }
}

/// Of a memory pass that looks at what is left at once, and has no time for what is left later.
pub(crate) struct NoIdle;

impl Idle for NoIdle {
    fn idle(&self, _quietly: &mut dyn FnMut()) {}
}

/// All figures of one row.
fn measure(arm: &Arm, work: &Prepared, touch: Touch, options: &GateOptions) -> Result<Vec<Figure>> {
    let told = |stopped| told(stopped, arm, work);
    let floor = match arm.subject.as_str() {
        "noop" => None,
        _ => {
            let noop = one("noop")?;
            Some(memory::measure(&noop, work, touch, None, &NoIdle).map_err(told)?.1)
        }
    };
    let passes = passes(arm, work, touch, floor.as_ref(), options.pairs.max(1)).map_err(told)?;
    let samples = |metric, of: fn(&MemoryRow) -> f64| Figure {
        metric,
        samples: passes.iter().map(of).collect(),
    };
    let mut figures = vec![
        samples(Metric::PeakResident, |row| {
            row.checkpoints.get(row.peak).map_or(0.0, |at| at.resident as f64)
        }),
        samples(Metric::GreatestResident, |row| {
            row.checkpoints.iter().map(|at| at.resident).max().unwrap_or(0) as f64
        }),
        samples(Metric::MeanResident, |row| {
            let sum: u64 = row.checkpoints.iter().map(|at| at.resident).sum();
            sum as f64 / row.checkpoints.len().max(1) as f64
        }),
        samples(Metric::Drained, |row| row.residue.map_or(0.0, |left| left.at_once as f64)),
    ];
    if options.instructions {
        match callgrind::instructions(arm, &work.plain, touch) {
            Ok(count) => {
                figures.push(Figure { metric: Metric::Instructions, samples: vec![count] });
            }
            // Without valgrind, and for threads, there is no count: the gate says so by its absence.
            Err(Stopped::Row(Outcome::NotAvailable { .. })) => {}
            Err(other) => return Err(told(other)),
        }
    }
    Ok(figures)
}

/// Memory passes in the order of their numbers, several at once, until enough agree to the byte.
fn passes(
    arm: &Arm,
    work: &Prepared,
    touch: Touch,
    floor: Option<&Floor>,
    pairs: usize,
) -> Result<Vec<MemoryRow>, Stopped> {
    let pass = || memory::measure(arm, work, touch, floor, &NoIdle).map(|found| found.0);
    let mut found = several(REPEATS.min(pairs), &pass)?;
    let resident = |row: &MemoryRow| -> Vec<u64> {
        let left = row.residue.map_or(0, |left| left.at_once);
        row.checkpoints.iter().map(|at| at.resident).chain([left]).collect()
    };
    let repeats = found.iter().all(|row| resident(row) == resident(&found[0]));
    if found.len() < pairs && !(repeats && found.len() >= REPEATS) {
        found.extend(several(pairs - found.len(), &pass)?);
    }
    Ok(found)
}

/// `count` results, from as many threads as there are processors.
fn several<T: Send>(
    count: usize,
    one: &(impl Fn() -> Result<T, Stopped> + Sync),
) -> Result<Vec<T>, Stopped> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(|| {
                loop {
                    // Relaxed: only the number itself matters; results are ordered by the lock.
                    let index = next.fetch_add(1, Relaxed);
                    if index >= count {
                        break;
                    }
                    let result = one();
                    if let Ok(mut found) = found.lock() {
                        found.push((index, result));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by_key(|(index, _)| *index);
    if found.len() < count {
        return Err(Failure::input("a thread of the gate panicked").into());
    }
    found.into_iter().map(|(_, result)| result).collect()
}

/// A child's end as the command's: a crash is a subject's fault.
fn told(stopped: Stopped, arm: &Arm, work: &Prepared) -> Failure {
    match stopped {
        Stopped::Run(failure) => failure,
        Stopped::Row(outcome) => {
            let (name, load) = (arm.label(), &work.facts.name);
            Failure::subject(match outcome {
                Outcome::Crashed { how, record: Some(record) } => {
                    format!("{name} on {load} {how} at record {record}")
                }
                Outcome::Crashed { how, record: None } => format!("{name} on {load} {how}"),
                other => format!("{name} on {load} cannot be measured: {other:?}"),
            })
        }
    }
}
