//! Which jobs, in which order, and what they say together.

use super::job::{Job, Measured, NO_ORDER, Workload};
use super::row::{Fragment, Latency, Row};
use super::{Entry, HUGE, SCHEMA};
use crate::error::Result;
use crate::interleaved::{self, Standing, Timings, Wanted, begin, interleave, median_band, ratios};
use crate::results::{Header, Interval, LatencyBand};
use crate::run::Progress;

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

type Arm = interleaved::Arm<Entry>;

/// The control's name.
const CONTROL: &str = "private-arrays";

/// Runs every workload on every allocator.
pub(crate) fn run(entries: &[Entry], options: &Options) -> Result<(Header, Vec<Row>)> {
    let wanted = Wanted {
        what: "frame allocator",
        subjects: &options.subjects,
        versus: options.versus.as_deref(),
        control: CONTROL,
    };
    let Options { seed, command, .. } = options;
    let (arms, header) = begin(entries, &wanted, SCHEMA, *seed, command)?;
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
                    Err(how) => row.of.put_down(how, NO_ORDER),
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
                Measured::Fragment { free_huge, huge, ideal, maps, indexes } => {
                    Some(Fragment { free_huge, ends: Vec::new(), huge, ideal, maps, indexes })
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
                    Err(how) => row.of.put_down(how, NO_ORDER),
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

    /// What `pick` takes from each arm's runs.
    fn runs<T>(
        &self,
        threads: usize,
        pick: impl Fn(Measured) -> Option<T>,
    ) -> Vec<Result<Vec<T>, String>> {
        let found = interleave(self.arms.len(), self.options.pairs, |place, run| {
            (self.arms[place].entry.enter)(&self.job(threads, run)).map(&pick)
        });
        found.into_iter().map(|runs| Ok(runs?.into_iter().flatten().collect())).collect()
    }

    /// Every pair of every arm at every number of threads.
    fn timed(&self) -> Vec<Row> {
        let control = self.arms.iter().position(|arm| arm.is(CONTROL));
        let Options { threads, pairs, .. } = self.options;
        let timings =
            Timings::of(self.arms.len(), control, threads, *pairs, |place, n, pair| match (self
                .arms[place]
                .entry
                .enter)(
                &self.job(n, pair),
            )? {
                Measured::Time { nanos } => Ok(nanos),
                _ => Ok(Vec::new()),
            });
        let mut rows = Vec::new();
        for &threads in threads {
            for (place, arm) in self.arms.iter().enumerate() {
                let mut row = self.row(arm, threads);
                match timings.times(place, threads) {
                    Ok(times) => row.times = times,
                    Err(how) => row.of.put_down(how, NO_ORDER),
                }
                rows.push(row);
            }
        }
        rows
    }
}

fn empty_row(workload: Workload, order: u8, threads: usize, frames: usize, arm: &Arm) -> Row {
    Row {
        workload,
        order,
        other: None,
        threads,
        frames,
        of: Standing::of(arm),
        times: Vec::new(),
        latency: Vec::new(),
        fragment: None,
        overlap: None,
    }
}

type Bands = (Vec<LatencyBand>, f64);

/// The medians of one kind of call.
fn latency(runs: &[Bands], base: &[Bands], kind: usize) -> Option<Latency> {
    let of = |(bands, _): &'_ Bands| bands.get(kind).map(|band| band.p999);
    let tails = |runs: &[Bands]| runs.iter().filter_map(of).collect::<Vec<_>>();
    let ratios = ratios(&tails(runs), &tails(base)).into_iter().filter(|ratio| ratio.is_finite());
    Some(Latency {
        band: median_band(runs.iter().filter_map(|(bands, _)| bands.get(kind)))?,
        timer_ns: runs.first()?.1,
        p999_to_base: Interval::of(ratios.collect()),
    })
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
                    Err(how) => row.of.put_down(how, NO_ORDER),
                }
                rows.push(row);
            }
        }
        progress.done();
    }
    rows
}
