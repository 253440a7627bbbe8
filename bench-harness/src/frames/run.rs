//! Which jobs, in which order, and what they say together.

mod timed;

use super::job::{Job, Measured, NO_ORDER, Workload};
use super::row::{Fragment, Latency, Row};
use super::{Entry, HUGE, SCHEMA};
use crate::error::{Failure, Result};
use crate::results::statistics::median;
use crate::results::{Header, Interval};
use crate::run::{Progress, header};
use crate::subject::Description;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) workloads: Vec<Workload>,
    /// By name; empty for all.
    pub(crate) subjects: Vec<String>,
    /// Whom ratios are to; the first one without it.
    pub(crate) versus: Option<String>,
    pub(crate) orders: Vec<u8>,
    pub(crate) threads: Vec<usize>,
    /// Frames of the zone.
    pub(crate) zone: usize,
    pub(crate) pairs: usize,
    pub(crate) operations: usize,
    pub(crate) handed: u64,
    pub(crate) rounds: usize,
    pub(crate) maps: Vec<usize>,
    pub(crate) seed: u64,
    /// The words of the command.
    pub(crate) command: String,
}

/// An allocator with its place in the comparison.
#[derive(Clone, Debug)]
struct Arm {
    entry: Entry,
    description: Description,
    a_a: bool,
}

/// The control's name.
const CONTROL: &str = "private-arrays";

/// Runs every workload on every allocator.
pub(crate) fn run(entries: &[Entry], options: &Options) -> Result<(Header, Vec<Row>)> {
    let arms = arms(entries, options)?;
    let mut header = header(options.command.clone(), Vec::new());
    header.schema = SCHEMA.into();
    header.provenance.push(("seed".into(), options.seed.to_string()));
    header.provenance.push(("profile".into(), profile().into()));
    let progress = Progress::new("frames", options.workloads.len() * options.orders.len());
    let mut rows = Vec::new();
    for &workload in &options.workloads {
        if workload == Workload::Overlap {
            rows.extend(overlaps(&arms, options, &progress));
            continue;
        }
        for &order in &options.orders {
            progress.at(format!("{} of order {order}", workload.name()));
            let jobs = Jobs { arms: &arms, options, workload, order };
            rows.extend(match workload {
                Workload::Fragment => jobs.fragment(),
                Workload::Latency => jobs.latency(),
                _ => jobs.timed(),
            });
            progress.done();
        }
    }
    progress.finish();
    Ok((header, rows))
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "optimised" }
}

/// The allocators in order: the base, the others, the base again, the control.
fn arms(entries: &[Entry], options: &Options) -> Result<Vec<Arm>> {
    let arm = |entry: &Entry| Arm { entry: *entry, description: (entry.describe)(), a_a: false };
    let all: Vec<Arm> = entries.iter().map(arm).collect();
    let names = || all.iter().map(|arm| arm.description.name.as_str()).collect::<Vec<_>>();
    let find = |name: &String| {
        let found = all.iter().find(|arm| arm.description.name == *name).cloned();
        found.ok_or_else(|| {
            let known = names().join(", ");
            Failure::input(format!("no frame allocator is called {name}; there are {known}"))
        })
    };
    let mut chosen = match options.subjects.as_slice() {
        [] => all.clone(),
        names => names.iter().map(find).collect::<Result<_>>()?,
    };
    let base = match &options.versus {
        Some(name) => find(name)?,
        None => chosen[0].clone(),
    };
    chosen.retain(|arm| arm.description.name != base.description.name);
    chosen.retain(|arm| arm.description.name != CONTROL);
    chosen.insert(0, base.clone());
    chosen.push(Arm { a_a: true, ..base });
    chosen.extend(all.iter().find(|arm| arm.description.name == CONTROL).cloned());
    Ok(chosen)
}

/// The jobs of one workload at one order.
struct Jobs<'a> {
    arms: &'a [Arm],
    options: &'a Options,
    workload: Workload,
    order: u8,
}

impl Jobs<'_> {
    fn job(&self, threads: usize, run: usize) -> Job {
        Job {
            workload: self.workload,
            frames: self.options.zone,
            threads,
            order: self.order,
            other: self.order,
            operations: self.options.operations,
            handed: self.options.handed,
            rounds: self.options.rounds,
            maps: self.options.maps.clone(),
            seed: self.options.seed + run as u64,
        }
    }

    fn row(&self, arm: &Arm, threads: usize) -> Row {
        empty_row(self.workload, self.order, threads, self.options.zone, arm)
    }

    /// Single calls: every run of every arm, then medians.
    fn latency(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for &threads in &self.options.threads {
            let runs = self.runs(threads, |measured| match measured {
                Measured::Latency { bands, timer_ns } => Some((bands, timer_ns)),
                _ => None,
            });
            let base = runs[0].as_ref().ok().cloned().unwrap_or_default();
            for (arm, runs) in self.arms.iter().zip(runs) {
                let mut row = self.row(arm, threads);
                match runs {
                    Err(how) => put_down(&mut row, how),
                    Ok(runs) => {
                        row.latency =
                            (0..2).filter_map(|kind| latency(&runs, &base, kind)).collect();
                    }
                }
                rows.push(row);
            }
        }
        rows
    }

    /// Whole huge frames: the run with the median end.
    fn fragment(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for &threads in &self.options.threads {
            let runs = self.runs(threads, |measured| match measured {
                Measured::Fragment { free_huge, huge, ideal, maps } => {
                    Some(Fragment { free_huge, ends: Vec::new(), huge, ideal, maps })
                }
                _ => None,
            });
            for (arm, runs) in self.arms.iter().zip(runs) {
                // An array and the base once more say nothing of placement.
                if arm.a_a || arm.description.name == CONTROL {
                    continue;
                }
                let mut row = self.row(arm, threads);
                match runs {
                    Err(how) => put_down(&mut row, how),
                    Ok(mut runs) => {
                        let end = |run: &Fragment| run.free_huge.last().copied().unwrap_or(0);
                        let ends = runs.iter().map(end).collect();
                        runs.sort_by_key(end);
                        let middle = (!runs.is_empty()).then(|| runs.swap_remove(runs.len() / 2));
                        row.fragment = middle.map(|run| Fragment { ends, ..run });
                    }
                }
                rows.push(row);
            }
        }
        rows
    }

    /// What `pick` takes from each arm's runs, interleaved; an arm that failed once runs no more.
    fn runs<T>(
        &self,
        threads: usize,
        pick: impl Fn(Measured) -> Option<T>,
    ) -> Vec<Result<Vec<T>, String>> {
        let mut found: Vec<_> = self.arms.iter().map(|_| Ok(Vec::new())).collect();
        for run in 0..self.options.pairs {
            for place in turns(self.arms.len(), run) {
                let arm = &self.arms[place];
                if let Ok(runs) = &mut found[place] {
                    match (arm.entry.enter)(&self.job(threads, run)) {
                        Ok(measured) => runs.extend(pick(measured)),
                        Err(how) => found[place] = Err(how),
                    }
                }
            }
        }
        found
    }
}

/// The order of the arms in a run: forwards and backwards by turns.
fn turns(arms: usize, run: usize) -> Vec<usize> {
    if run.is_multiple_of(2) { (0..arms).collect() } else { (0..arms).rev().collect() }
}

fn empty_row(workload: Workload, order: u8, threads: usize, frames: usize, arm: &Arm) -> Row {
    Row {
        workload,
        order,
        other: None,
        threads,
        frames,
        subject: arm.description.clone(),
        a_a: arm.a_a,
        absent: None,
        failed: None,
        times: Vec::new(),
        latency: Vec::new(),
        fragment: None,
        overlap: None,
    }
}

/// Notes why there is no figure.
fn put_down(row: &mut Row, how: String) {
    if how.starts_with(NO_ORDER) { row.absent = Some(how) } else { row.failed = Some(how) }
}

type Bands = (Vec<crate::results::LatencyBand>, f64);

/// The medians of one kind of call.
fn latency(runs: &[Bands], base: &[Bands], kind: usize) -> Option<Latency> {
    let of = |figure: fn(&crate::results::LatencyBand) -> f64| {
        median(runs.iter().filter_map(|(bands, _)| bands.get(kind).map(figure)).collect())
    };
    let mut band = runs.first()?.0.get(kind)?.clone();
    band.samples *= runs.len() as u64;
    (band.p50, band.p99) = (of(|band| band.p50)?, of(|band| band.p99)?);
    (band.p999, band.max) = (of(|band| band.p999)?, of(|band| band.max)?);
    let ratios = runs.iter().zip(base).filter_map(|((own, _), (base, _))| {
        let ratio = own.get(kind)?.p999 / base.get(kind)?.p999;
        ratio.is_finite().then_some(ratio)
    });
    Some(Latency { band, timer_ns: runs.first()?.1, p999_to_base: Interval::of(ratios.collect()) })
}

/// Every pair of orders on every allocator, with as many threads as there are at most.
fn overlaps(arms: &[Arm], options: &Options, progress: &Progress) -> Vec<Row> {
    let threads = options.threads.iter().copied().max().unwrap_or(2).max(2);
    // The control has nothing to show here: it takes part where it is named.
    let named = |arm: &&Arm| {
        let name = &arm.description.name;
        !arm.a_a && (name != CONTROL || options.subjects.contains(name))
    };
    let mut rows = Vec::new();
    for (place, &order) in options.orders.iter().enumerate() {
        for &other in &options.orders[place..] {
            progress.at(format!("overlap of orders {order} and {other}"));
            for arm in arms.iter().filter(named) {
                // Small, so that claims meet; large enough for some blocks of each order.
                let frames = (64 * HUGE).max(4 << order.max(other));
                let jobs = Jobs { arms, options, workload: Workload::Overlap, order };
                let job = Job { frames, other, ..jobs.job(threads, 0) };
                let mut row = empty_row(Workload::Overlap, order, threads, frames, arm);
                row.other = Some(other);
                match (arm.entry.enter)(&job) {
                    Ok(Measured::Overlap(found)) => row.overlap = Some(found),
                    Ok(_) => {}
                    Err(how) => put_down(&mut row, how),
                }
                rows.push(row);
            }
        }
        progress.done();
    }
    rows
}
