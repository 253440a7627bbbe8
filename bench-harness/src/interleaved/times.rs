//! Times: pairs, ratios and scaling.

use super::arms::turns;
use crate::results::Interval;
use crate::results::statistics::median;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Nanoseconds of one kind of call in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// `get`, `put`, `pair`, ….
    pub name: String,
    /// Nanoseconds a call, as each thread has them.
    pub nanos: f64,
}

/// Nanoseconds of one kind of call, over all runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Time {
    /// As [`Phase::name`].
    pub(crate) call: String,
    /// As each thread has it, one value a pair, in order of running.
    pub(crate) samples: Vec<f64>,
    pub(crate) median: f64,
    /// Throughput over the base's in the same pair.
    pub(crate) to_base: Option<Interval>,
    /// Throughput over that of one thread in the same pair.
    pub(crate) scaling: Option<Interval>,
    /// `scaling` over that of the control in the same pair.
    pub(crate) to_control: Option<Interval>,
}

/// One arm at one number of threads: one value a pair of each kind of call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    calls: Vec<(String, Vec<f64>)>,
    failed: Option<String>,
}

impl Series {
    fn add(&mut self, outcome: Result<Vec<Phase>, String>) {
        match outcome {
            Ok(phases) => {
                for phase in phases {
                    match self.calls.iter_mut().find(|(name, _)| *name == phase.name) {
                        Some((_, samples)) => samples.push(phase.nanos),
                        None => self.calls.push((phase.name, vec![phase.nanos])),
                    }
                }
            }
            Err(how) => self.failed = Some(how),
        }
    }
}

/// Every pair of every arm at every number of threads.
#[derive(Clone, Debug)]
pub(crate) struct Timings {
    all: HashMap<(usize, usize), Series>,
    /// The place of the arm that others' scaling is held against.
    control: Option<usize>,
}

impl Timings {
    /// Runs `job(place, threads, pair)` in turns; an arm that failed once runs no more.
    pub(crate) fn of(
        arms: usize,
        control: Option<usize>,
        threads: &[usize],
        pairs: usize,
        mut job: impl FnMut(usize, usize, usize) -> Result<Vec<Phase>, String>,
    ) -> Self {
        let mut all: HashMap<(usize, usize), Series> = HashMap::new();
        for pair in 0..pairs {
            for place in turns(arms, pair) {
                for &threads in threads {
                    let series = all.entry((place, threads)).or_default();
                    if series.failed.is_none() {
                        series.add(job(place, threads, pair));
                    }
                }
            }
        }
        Self { all, control }
    }

    /// One value a pair.
    pub(crate) fn samples(&self, place: usize, threads: usize, call: &str) -> Option<&[f64]> {
        let series = self.all.get(&(place, threads)).filter(|series| series.failed.is_none())?;
        let found = series.calls.iter().find(|(name, _)| name == call);
        found.map(|(_, samples)| samples.as_slice())
    }

    /// Throughput of all threads over that of one, pair by pair.
    fn scaling(&self, place: usize, threads: usize, call: &str) -> Option<Vec<f64>> {
        let alone = self.samples(place, 1, call).filter(|_| threads > 1)?;
        let together = self.samples(place, threads, call)?;
        Some(ratios(alone, together).into_iter().map(|ratio| ratio * threads as f64).collect())
    }

    /// Scaling over the control's, pair by pair.
    pub(crate) fn to_control(&self, place: usize, threads: usize, call: &str) -> Option<Vec<f64>> {
        let own = self.scaling(place, threads, call)?;
        Some(ratios(&own, &self.scaling(self.control?, threads, call)?))
    }

    /// The arm of `among` with the least median.
    pub(crate) fn fastest(
        &self,
        among: impl IntoIterator<Item = usize>,
        threads: usize,
        call: &str,
    ) -> Option<usize> {
        let timed = among.into_iter().filter_map(|place| {
            Some((place, median(self.samples(place, threads, call)?.to_vec())?))
        });
        timed.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(place, _)| place)
    }

    /// Every kind of call of an arm; `Err` with how it failed.
    pub(crate) fn times(&self, place: usize, threads: usize) -> Result<Vec<Time>, String> {
        let Some(series) = self.all.get(&(place, threads)) else { return Ok(Vec::new()) };
        if let Some(how) = &series.failed {
            return Err(how.clone());
        }
        let time = |(call, samples): &(String, Vec<f64>)| Time {
            call: call.clone(),
            median: median(samples.clone()).unwrap_or(f64::NAN),
            // Throughput: the other's nanoseconds over one's own.
            to_base: self
                .samples(0, threads, call)
                .and_then(|base| Interval::of(ratios(base, samples))),
            to_control: self.to_control(place, threads, call).and_then(Interval::of),
            scaling: self.scaling(place, threads, call).and_then(Interval::of),
            samples: samples.clone(),
        };
        Ok(series.calls.iter().map(time).collect())
    }
}

/// One over the other, pair by pair.
pub(crate) fn ratios(over: &[f64], under: &[f64]) -> Vec<f64> {
    over.iter().zip(under).map(|(over, under)| over / under).collect()
}

/// Nanoseconds a call of one kind: in each round the slowest thread counts. When threads started is
/// left out of it, which matters where a window is short.
pub(crate) fn per_call<const KINDS: usize>(
    threads: &[Vec<[u64; KINDS]>],
    kind: usize,
    calls: usize,
    name: &str,
) -> Phase {
    let rounds = threads.first().map_or(0, Vec::len);
    let slowest = |round: usize| threads.iter().map(|nanos| nanos[round][kind]).max().unwrap_or(0);
    let nanos: u64 = (0..rounds).map(slowest).sum();
    Phase { name: name.into(), nanos: nanos as f64 / calls.max(1) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_within_a_pair_and_scaling_is_by_the_control() {
        // Two arms and a control; the machine is twice as slow in every second pair, and two
        // threads take half as long again: the first arm's twice as long.
        let timings = Timings::of(3, Some(2), &[1, 2], 8, |place, threads, pair| {
            let slow = [1.0, 2.0][pair % 2] * [1.0, 1.5][threads - 1];
            let own = [10.0, 5.0, 1.0][place] * if place == 0 && threads == 2 { 2.0 } else { 1.0 };
            Ok(vec![Phase { name: "pair".into(), nanos: own * slow }])
        });
        let time = |place, threads| timings.times(place, threads).unwrap().remove(0);
        assert_eq!(time(1, 1).to_base.unwrap().low, Some(2.0));
        assert_eq!(time(1, 2).to_control.unwrap().median, 1.0);
        assert!((time(0, 2).to_control.unwrap().median - 0.5).abs() < 1e-9);
        assert_eq!(time(0, 1).scaling, None);
        assert_eq!(timings.fastest([0, 1], 1, "pair"), Some(1));
    }

    #[test]
    fn who_failed_has_no_times() {
        let timings = Timings::of(1, None, &[1], 3, |_, _, pair| match pair {
            1 => Err("gone".to_owned()),
            _ => Ok(vec![Phase { name: "pair".into(), nanos: 1.0 }]),
        });
        assert_eq!(timings.times(0, 1).unwrap_err(), "gone");
        assert_eq!(timings.samples(0, 1, "pair"), None);
    }
}
