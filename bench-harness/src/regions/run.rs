//! Which jobs, in which order, and what they say together.

use super::ground::Ground;
use super::job::{CANNOT, Job, Measured, Workload};
use super::row::{Latency, Row, Space};
use super::{Entry, SCHEMA, gates};
use crate::error::{Context, Result};
use crate::interleaved::{
    self, Contender, Standing, Timings, Wanted, answer, aside, begin, interleave, median_band,
};
use crate::results::{Header, LatencyBand};
use crate::run::Progress;
use std::process::ExitCode;

/// The command's name, also between the processes of one run.
pub(crate) const COMMAND: &str = "regions";

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) workloads: Vec<Workload>,
    /// By name; empty for all.
    pub(crate) subjects: Vec<String>,
    /// Whom ratios are to; the first one without it.
    pub(crate) versus: Option<String>,
    /// Bytes of the region where space is measured.
    pub(crate) region: usize,
    /// The greatest sizes of churn and latency; the last is also that of the others.
    pub(crate) sizes: Vec<u32>,
    pub(crate) live: usize,
    pub(crate) pairs: usize,
    pub(crate) operations: usize,
    pub(crate) failures: usize,
    pub(crate) seed: u64,
    /// The words of the command.
    pub(crate) command: String,
}

pub(super) type Arm = interleaved::Arm<Entry>;

/// The control's name.
pub(super) const CONTROL: &str = "fixed-slots";

/// Runs every workload on every allocator.
pub(crate) fn run(entries: &[Entry], options: &Options) -> Result<(Header, Vec<Row>)> {
    let wanted = Wanted {
        what: "allocator of regions",
        subjects: &options.subjects,
        versus: options.versus.as_deref(),
        control: CONTROL,
    };
    let Options { seed, command, .. } = options;
    let (arms, header) = begin(entries, &wanted, SCHEMA, *seed, command)?;
    let progress = Progress::new(COMMAND, options.workloads.len());
    let mut rows = Vec::new();
    for &workload in &options.workloads {
        let greatest = options.sizes.iter().copied().max().unwrap_or(1);
        let sizes = if workload.has_sizes() { &options.sizes[..] } else { &[greatest] };
        for &greatest in sizes {
            progress.at(format!("{} of blocks up to {greatest} B", workload.name()));
            let jobs = Jobs { arms: &arms, options, workload, greatest };
            rows.extend(jobs.rows()?);
        }
        progress.done();
    }
    progress.finish();
    gates::across(&arms, &mut rows);
    Ok((header, rows))
}

/// A job in a process of its own: `words` are the allocator's name and the job.
pub(crate) fn side(entries: &[Entry], name: &str, job: &str) -> ExitCode {
    answer(job, |job: &Job| {
        let found = entries.iter().find(|entry| entry.description().name == name);
        let entry = found.ok_or_else(|| format!("no allocator of regions is called {name}"))?;
        let ground = Ground::new(job.ground()).map_err(|error| error.to_string())?;
        (entry.enter)(&ground, job)
    })
}

/// The jobs of one workload at one greatest size.
struct Jobs<'a> {
    arms: &'a [Arm],
    options: &'a Options,
    workload: Workload,
    greatest: u32,
}

impl Jobs<'_> {
    fn job(&self, run: usize) -> Job {
        Job {
            workload: self.workload,
            region: self.options.region,
            greatest: self.greatest,
            live: self.options.live,
            operations: self.options.operations,
            failures: self.options.failures,
            seed: self.options.seed + run as u64,
        }
    }

    fn row(&self, arm: &Arm) -> Row {
        Row {
            workload: self.workload,
            greatest: self.greatest,
            region: self.job(0).ground(),
            of: Standing::of(arm),
            times: Vec::new(),
            latency: Vec::new(),
            space: Vec::new(),
            maps: Vec::new(),
            found: None,
            gates: Vec::new(),
        }
    }

    fn rows(&self) -> Result<Vec<Row>> {
        if self.workload == Workload::Check {
            return Ok(self.checked());
        }
        // One warm range of addresses for all of them, one after the other.
        let ground = Ground::new(self.job(0).ground());
        let ground = ground.context(|| "cannot map memory for regions".into())?;
        Ok(match self.workload {
            Workload::Pair | Workload::Churn | Workload::Translate => self.timed(&ground),
            Workload::Latency => self.latency(&ground),
            _ => self.space(&ground),
        })
    }

    fn timed(&self, ground: &Ground) -> Vec<Row> {
        let arms = self.arms;
        let control = arms.iter().position(|arm| arm.is(CONTROL));
        let timings =
            Timings::of(arms.len(), control, &[1], self.options.pairs, |place, _, pair| {
                match (arms[place].entry.enter)(ground, &self.job(pair))? {
                    Measured::Time { nanos } => Ok(nanos),
                    _ => Ok(Vec::new()),
                }
            });
        let mut rows = Vec::new();
        for (place, arm) in arms.iter().enumerate() {
            let mut row = self.row(arm);
            match timings.times(place, 1) {
                Ok(times) => row.times = times,
                Err(how) => row.of.put_down(how, CANNOT),
            }
            row.gates = gates::of_times(arms, place, &row, &timings);
            rows.push(row);
        }
        rows
    }

    fn latency(&self, ground: &Ground) -> Vec<Row> {
        let runs = interleave(self.arms.len(), self.options.pairs, |place, run| {
            match (self.arms[place].entry.enter)(ground, &self.job(run))? {
                Measured::Latency { bands, timer_ns } => Ok((bands, timer_ns)),
                _ => Err("no latency".to_owned()),
            }
        });
        let row = |(arm, runs): (&Arm, Result<Vec<Bands>, String>)| {
            let mut row = self.row(arm);
            match runs {
                Err(how) => row.of.put_down(how, CANNOT),
                Ok(runs) => {
                    let kind = |kind: usize| {
                        let bands = runs.iter().filter_map(|run: &Bands| run.0.get(kind));
                        Some(Latency {
                            band: median_band(bands.clone())?,
                            tails: bands.map(|band| band.p999).collect(),
                            timer_ns: runs.first().map_or(f64::NAN, |run| run.1),
                        })
                    };
                    row.latency = (0..2).filter_map(kind).collect();
                }
            }
            row
        };
        let mut rows: Vec<Row> = self.arms.iter().zip(runs).map(row).collect();
        gates::of_latency(self.arms, &mut rows);
        rows
    }

    fn space(&self, ground: &Ground) -> Vec<Row> {
        // The adversary has no seed.
        let runs = if self.workload == Workload::Robson { 1 } else { self.options.pairs };
        let mut rows = Vec::new();
        for arm in self.arms {
            // The base once more would only say the same: nothing here is a time.
            if arm.a_a {
                continue;
            }
            let mut row = self.row(arm);
            let mut figures = Vec::new();
            for run in 0..runs {
                match (arm.entry.enter)(ground, &self.job(run)) {
                    Ok(Measured::Space { figures: found, maps }) => {
                        figures.push(found);
                        if run == 0 {
                            row.maps = maps;
                        }
                    }
                    Ok(_) => {}
                    Err(how) => {
                        row.of.put_down(how, CANNOT);
                        break;
                    }
                }
            }
            row.space = Space::of(&figures);
            rows.push(row);
        }
        rows
    }

    /// The judge: what it finds may end the process that it looks into.
    fn checked(&self) -> Vec<Row> {
        // The control is no allocator.
        let judged = |arm: &&Arm| !arm.a_a && !arm.is(CONTROL);
        let row = |arm: &Arm| {
            let mut row = self.row(arm);
            match aside(COMMAND, &arm.description.name, &self.job(0)) {
                Ok(Measured::Check(found)) => row.found = Some(found),
                Ok(_) => {}
                Err(how) => row.of.put_down(how, CANNOT),
            }
            row
        };
        self.arms.iter().filter(judged).map(row).collect()
    }
}

/// Single calls of one run, and what the timer costs.
type Bands = (Vec<LatencyBand>, f64);
