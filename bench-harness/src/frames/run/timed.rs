//! Times: pairs, ratios and scaling.

use super::{CONTROL, Jobs, put_down, turns};
use crate::frames::job::Measured;
use crate::frames::row::{Row, Time};
use crate::results::Interval;
use crate::results::statistics::median;
use std::collections::HashMap;

/// One arm at one number of threads: nanoseconds of each kind of call, one value a pair.
#[derive(Clone, Debug, Default)]
struct Series {
    calls: Vec<(String, Vec<f64>)>,
    failed: Option<String>,
}

impl Series {
    fn add(&mut self, outcome: Result<Measured, String>) {
        match outcome {
            Ok(Measured::Time { nanos }) => {
                for phase in nanos {
                    match self.calls.iter_mut().find(|(name, _)| *name == phase.name) {
                        Some((_, samples)) => samples.push(phase.nanos),
                        None => self.calls.push((phase.name, vec![phase.nanos])),
                    }
                }
            }
            Ok(_) => {}
            Err(how) => self.failed = Some(how),
        }
    }

    fn samples(&self, call: &str) -> Option<&[f64]> {
        let found = self.calls.iter().find(|(name, _)| name == call);
        found.map(|(_, samples)| samples.as_slice())
    }
}

impl Jobs<'_> {
    /// Every pair of every arm at every number of threads.
    pub(super) fn timed(&self) -> Vec<Row> {
        let mut all: HashMap<(usize, usize), Series> = HashMap::new();
        for pair in 0..self.options.pairs {
            for place in turns(self.arms.len(), pair) {
                for &threads in &self.options.threads {
                    let series = all.entry((place, threads)).or_default();
                    if series.failed.is_none() {
                        series.add((self.arms[place].entry.enter)(&self.job(threads, pair)));
                    }
                }
            }
        }
        let control = self.arms.iter().position(|arm| arm.description.name == CONTROL);
        let mut rows = Vec::new();
        for &threads in &self.options.threads {
            for (place, arm) in self.arms.iter().enumerate() {
                let series = &all[&(place, threads)];
                let mut row = self.row(arm, threads);
                if let Some(how) = &series.failed {
                    put_down(&mut row, how.clone());
                    rows.push(row);
                    continue;
                }
                let at = |place: usize, threads: usize, call: &str| {
                    all.get(&(place, threads)).and_then(|series| series.samples(call))
                };
                for (call, samples) in &series.calls {
                    let base = at(0, threads, call);
                    let alone = at(place, 1, call).filter(|_| threads > 1);
                    let scaling = alone.map(|alone| scaling_of(alone, samples, threads));
                    let control = control.and_then(|place| {
                        Some(scaling_of(at(place, 1, call)?, at(place, threads, call)?, threads))
                    });
                    let to_control = scaling.as_deref().zip(control.as_deref());
                    row.times.push(Time {
                        call: call.clone(),
                        median: median(samples.clone()).unwrap_or(f64::NAN),
                        // Throughput: the other's nanoseconds over one's own.
                        to_base: base.and_then(|base| Interval::of(ratios(base, samples))),
                        to_control: to_control
                            .and_then(|(own, control)| Interval::of(ratios(own, control))),
                        scaling: scaling.and_then(Interval::of),
                        samples: samples.clone(),
                    });
                }
                rows.push(row);
            }
        }
        rows
    }
}

fn ratios(over: &[f64], under: &[f64]) -> Vec<f64> {
    over.iter().zip(under).map(|(over, under)| over / under).collect()
}

/// Throughput of all threads together over that of one alone, pair by pair.
fn scaling_of(alone: &[f64], together: &[f64], threads: usize) -> Vec<f64> {
    ratios(alone, together).into_iter().map(|ratio| ratio * threads as f64).collect()
}
