//! Which jobs, in which order, and what they say together.

use super::job::{CANNOT, Figure, Job, Measured, Workload};
use super::row::Row;
use super::{Entry, SCHEMA, gates};
use crate::error::Result;
use crate::interleaved::{self, Contender, Standing, Timings, Wanted, answer, aside, begin};
use crate::results::Header;
use crate::results::statistics::median;
use crate::run::Progress;
use std::process::ExitCode;

/// The command's name, also between the processes of one run.
pub(crate) const COMMAND: &str = "pools";

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) workloads: Vec<Workload>,
    /// By name; empty for all.
    pub(crate) subjects: Vec<String>,
    /// Whom ratios are to; the first one without it.
    pub(crate) versus: Option<String>,
    pub(crate) threads: Vec<usize>,
    pub(crate) pairs: usize,
    pub(crate) operations: usize,
    pub(crate) burst: usize,
    pub(crate) seed: u64,
    /// The words of the command.
    pub(crate) command: String,
}

pub(super) type Arm = interleaved::Arm<Entry>;

/// The control's name.
const CONTROL: &str = "private-arrays";
/// The lower bound's name.
pub(super) const LIST: &str = "raw-list";

/// Processes of which the median is told of memory.
const READINGS: usize = 3;

/// Runs every workload on every pool.
pub(crate) fn run(entries: &[Entry], options: &Options) -> Result<(Header, Vec<Row>)> {
    let wanted = Wanted {
        what: "pool",
        subjects: &options.subjects,
        versus: options.versus.as_deref(),
        control: CONTROL,
    };
    let Options { seed, command, .. } = options;
    let (arms, header) = begin(entries, &wanted, SCHEMA, *seed, command)?;
    let progress = Progress::new(COMMAND, options.workloads.len());
    let mut rows = Vec::new();
    for &workload in &options.workloads {
        progress.at(workload.name().to_owned());
        let jobs = Jobs { arms: &arms, options, workload };
        rows.extend(match workload {
            Workload::Idle | Workload::Waste | Workload::Check => jobs.apart(),
            _ => jobs.timed(),
        });
        progress.done();
    }
    progress.finish();
    Ok((header, rows))
}

/// A job in a process of its own.
pub(crate) fn side(entries: &[Entry], name: &str, job: &str) -> ExitCode {
    answer(job, |job: &Job| {
        let found = entries.iter().find(|entry| entry.description().name == name);
        let entry = found.ok_or_else(|| format!("no pool is called {name}"))?;
        (entry.enter)(job)
    })
}

/// The jobs of one workload.
struct Jobs<'a> {
    arms: &'a [Arm],
    options: &'a Options,
    workload: Workload,
}

impl Jobs<'_> {
    fn job(&self, threads: usize, run: usize) -> Job {
        Job {
            workload: self.workload,
            threads,
            operations: self.options.operations,
            burst: self.options.burst,
            seed: self.options.seed + run as u64,
        }
    }

    fn row(&self, arm: &Arm, threads: usize) -> Row {
        Row {
            workload: self.workload,
            threads,
            of: Standing::of(arm),
            times: Vec::new(),
            figures: Vec::new(),
            found: None,
            gates: Vec::new(),
        }
    }

    fn timed(&self) -> Vec<Row> {
        let arms = self.arms;
        let threads = if self.workload.scales() { &self.options.threads[..] } else { &[1] };
        let control = arms.iter().position(|arm| arm.is(CONTROL));
        let pairs = self.options.pairs;
        let timings =
            Timings::of(arms.len(), control, threads, pairs, |place, threads, pair| match (arms
                [place]
                .entry
                .enter)(
                &self.job(threads, pair),
            )? {
                Measured::Time { nanos } => Ok(nanos),
                _ => Ok(Vec::new()),
            });
        let mut rows = Vec::new();
        for &threads in threads {
            for (place, arm) in arms.iter().enumerate() {
                let mut row = self.row(arm, threads);
                match timings.times(place, threads) {
                    Ok(times) => row.times = times,
                    Err(how) => row.of.put_down(how, CANNOT),
                }
                row.gates = gates::of_times(arms, place, &row, &timings);
                rows.push(row);
            }
        }
        rows
    }

    /// Each arm in processes of its own: its memory alone is looked at, and it may die of its faults.
    fn apart(&self) -> Vec<Row> {
        let readings = if self.workload == Workload::Check { 1 } else { READINGS };
        // The base once more would say the same, and the control is no pool.
        let looked_at = |arm: &&Arm| !arm.a_a && !arm.is(CONTROL);
        let row = |arm: &Arm| {
            let mut row = self.row(arm, if arm.entry.shared { 2 } else { 1 });
            let mut runs = Vec::new();
            for run in 0..readings {
                // Memory is looked at with one thread, whoever could share it.
                match aside(COMMAND, &arm.description.name, &self.job(1, run)) {
                    Ok(Measured::Memory { figures }) => runs.push(figures),
                    Ok(Measured::Check(found)) => row.found = Some(found),
                    Ok(Measured::Time { .. }) => {}
                    Err(how) => {
                        row.of.put_down(how, CANNOT);
                        break;
                    }
                }
            }
            row.figures = medians(&runs);
            row.gates = gates::of_memory(arm, &row);
            row
        };
        self.arms.iter().filter(looked_at).map(row).collect()
    }
}

/// The median of each figure; absent where it is in a run.
fn medians(runs: &[Vec<Figure>]) -> Vec<Figure> {
    let Some(first) = runs.first() else { return Vec::new() };
    let figure = |(index, figure): (usize, &Figure)| {
        let values: Option<Vec<f64>> = runs.iter().map(|run| run.get(index)?.value).collect();
        Figure { value: values.and_then(median), ..figure.clone() }
    };
    first.iter().enumerate().map(figure).collect()
}
