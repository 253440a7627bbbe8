//! The passes that need the machine to themselves: time and latency, one child after the other, and
//! kernels in sittings.

use super::arm::Arm;
use super::grid::{Grid, empty, settle};
use super::plan::RunOptions;
use super::progress::Progress;
use super::sitting::{Terms, Usual, sit};
use super::suite::SEED;
use super::time;
use crate::error::Result;
use crate::results::families::NOISE;
use crate::results::statistics::{mean, median};
use crate::results::{Interval, Mode, Outcome, TimeRow};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::time::{Duration, Instant};

/// Above this share of waiting a threaded time, though it is processor time less the waiting, is
/// void: almost nothing of it was the subject's.
pub(super) const VOID_STALL: f64 = 0.95;

impl Grid<'_> {
    /// The timing pass: `pairs` rounds over all arms and the A/A arm, workload by workload.
    pub(super) fn time(&mut self, options: &RunOptions, pairs: usize) -> Result<()> {
        let per_work = self.arms.iter().filter(|arm| Grid::timed(arm)).count() + 1;
        let progress = Progress::new("time", self.works.len() * pairs * per_work);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        let mut usual = Usual::default();
        for work in 0..self.works.len() {
            if self.works[work].is_kernel() {
                self.time_kernel(work, options, pairs, &mut random, &mut usual, &progress)?;
                continue;
            }
            let script = &self.works[work].plain;
            let mut standing = self.standing(work, Grid::timed);
            // The A/A arm is System's index once more, past the end.
            let again = self.arms.len();
            if standing.iter().any(|&arm| self.arms[arm].is_base()) {
                standing.push(again);
            }
            let system = self.arms.iter().position(Arm::is_base);
            let mut samples: Vec<Vec<time::Sample>> = vec![Vec::new(); again + 1];
            let mut order = standing.clone();
            for pair in 0..pairs {
                // Forwards and backwards in turn (A B C | C B A), each two in a new order.
                if pair % 2 == 0 {
                    order.shuffle(&mut random);
                } else {
                    order.reverse();
                }
                for &index in &order {
                    let arm = match self.arms.get(index).or(system.map(|s| &self.arms[s])) {
                        Some(arm) if self.row_stands(work, index) => arm,
                        _ => continue,
                    };
                    progress.at(format!("{} {}", self.works[work].facts.name, arm.label()));
                    match settle(time::sample(arm, script, options.touch))? {
                        Ok(sample) => samples[index].push(sample),
                        Err(outcome) if index < again => {
                            self.rows[work][index].outcome = outcome;
                        }
                        Err(_) => {}
                    }
                    progress.done();
                }
            }
            self.keep_times(work, &samples, system);
        }
        progress.finish();
        Ok(())
    }

    /// The timing of a kernel.
    fn time_kernel(
        &mut self,
        work: usize,
        options: &RunOptions,
        pairs: usize,
        random: &mut Xoshiro256PlusPlus,
        usual: &mut Usual,
        progress: &Progress,
    ) -> Result<()> {
        let prepared = &self.works[work];
        let Some(order) = prepared.plain.kernel else { return Ok(()) };
        let terms = Terms::of(order);
        let again = self.arms.len();
        // The judged subject against itself; System where none is judged.
        let named = |arm: &Arm| options.versus.as_ref() == Some(&arm.description.name);
        let system = self.arms.iter().position(Arm::is_base);
        let one = self.arms.iter().position(named).or(system);
        let mut samples: Vec<Vec<time::Sample>> = vec![Vec::new(); again + 1];
        let mut plan = Plan::new(pairs, options.until_steady());
        let steady = |samples: &[Vec<time::Sample>]| {
            one.is_none_or(|one| !strays(&samples[one], &samples[again]))
        };
        while plan.goes_on(|| steady(&samples)) {
            // The A/A arm is that index once more, past the end.
            let mut seats = self.standing(work, Grid::timed);
            if one.is_some_and(|one| seats.contains(&one)) {
                seats.push(again);
            }
            seats.shuffle(random);
            let arm = |index: usize| self.arms.get(index).or(one.map(|one| &self.arms[one]));
            let arms: Vec<&Arm> = seats.iter().filter_map(|&index| arm(index)).collect();
            progress.at(format!("{} sitting {}", prepared.facts.name, plan.begun));
            for (index, found) in seats.into_iter().zip(sit(&arms, &prepared.plain, terms, usual)) {
                match settle(found)? {
                    Ok(sample) => samples[index].push(sample),
                    Err(outcome) if index < again => self.rows[work][index].outcome = outcome,
                    Err(_) => {}
                }
                progress.done();
            }
        }
        self.keep_times(work, &samples, one);
        Ok(())
    }

    fn row_stands(&self, work: usize, index: usize) -> bool {
        self.rows[work].get(index).is_none_or(|row| row.outcome == Outcome::Ok)
    }

    /// `twice` is the arm that the A/A arm is once more.
    fn keep_times(&mut self, work: usize, samples: &[Vec<time::Sample>], twice: Option<usize>) {
        let nanos = |index: usize| -> Vec<f64> {
            samples.get(index).into_iter().flatten().map(|sample| sample.nanos).collect()
        };
        let row = |index: usize, base: Option<usize>| {
            let own = nanos(index);
            let ratios: Vec<f64> =
                base.map(nanos).into_iter().flatten().zip(&own).map(|(b, o)| o / b).collect();
            let stall = samples[index].iter().filter_map(|sample| sample.stall_share);
            let stall_share = median(stall.collect());
            let disturbed = samples[index].iter().filter_map(|sample| sample.disturbed);
            let peaks = samples[index].iter().filter_map(|sample| sample.peak);
            Some(TimeRow {
                median: median(own.clone())?,
                samples: own,
                disturbed: mean(disturbed),
                peak: median(peaks.map(|bytes| bytes as f64).collect()).map(|bytes| bytes as u64),
                to_system: Interval::of(ratios),
                void: stall_share.is_some_and(|share| share > VOID_STALL),
                stall_share,
            })
        };
        for (index, arm) in self.arms.iter().enumerate() {
            self.rows[work][index].time = row(index, self.base(arm));
            let calls = samples[index].iter().map(|sample| sample.heap_calls).max();
            let counted = arm.mode != Mode::Global;
            self.rows[work][index].harness_calls = calls.filter(|_| counted);
        }
        if let Some(twice) = twice
            && let Some(time) = row(self.arms.len(), Some(twice))
        {
            let mut again = empty(&self.arms[twice], &self.works[work]);
            again.a_a = true;
            again.time = Some(time);
            self.again[work] = Some(again);
        }
    }

    /// The latency pass: one child a row.
    pub(super) fn latency(&mut self, options: &RunOptions) -> Result<()> {
        let replayed = |work: &usize| !self.works[*work].is_kernel();
        let replayed: Vec<_> = (0..self.works.len()).filter(replayed).collect();
        let progress = Progress::new("latency", replayed.len() * self.arms.len());
        for work in replayed {
            for index in self.standing(work, Grid::timed) {
                let arm = &self.arms[index];
                progress.at(self.label(work, index));
                let script = &self.works[work].plain;
                match settle(time::latency(arm, script, options.touch))? {
                    Ok((bands, timer)) => {
                        self.rows[work][index].latency = bands;
                        self.rows[work][index].timer_ns = Some(timer);
                    }
                    Err(outcome) => self.rows[work][index].outcome = outcome,
                }
                progress.done();
            }
        }
        progress.finish();
        Ok(())
    }
}

/// How many sittings there are: so many, and as many again, while the A/A arm strays and there is
/// time. A subject against itself strays upwards as often as downwards, so that this favours nobody;
/// and looking seldom leaves little to luck.
#[derive(Clone, Copy, Debug)]
struct Plan {
    start: Instant,
    length: Duration,
    least: usize,
    planned: usize,
    begun: usize,
}

impl Plan {
    fn new(pairs: usize, length: Duration) -> Self {
        Self { start: Instant::now(), length, least: pairs, planned: pairs, begun: 0 }
    }

    /// Whether there is another sitting, which then has begun.
    fn goes_on(&mut self, steady: impl FnOnce() -> bool) -> bool {
        let in_time = self.start.elapsed() < self.length;
        let late = self.begun >= self.least && !in_time;
        if self.least == 0 || late || self.begun == self.planned && steady() {
            return false;
        }
        if self.begun == self.planned {
            self.planned *= 2;
        }
        self.begun += 1;
        true
    }
}

/// Whether two arms that are one stray from each other.
fn strays(one: &[time::Sample], again: &[time::Sample]) -> bool {
    let ratios = one.iter().zip(again).map(|(one, again)| again.nanos / one.nanos).collect();
    let ends = Interval::of(ratios).and_then(|interval| interval.low.zip(interval.high));
    ends.is_some_and(|(low, high)| low < 1.0 - NOISE || high > 1.0 + NOISE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sittings(pairs: usize, seconds: u64, steady_after: usize) -> usize {
        let mut plan = Plan::new(pairs, Duration::from_secs(seconds));
        let mut done = 0;
        while done < 10_000 && plan.goes_on(|| done >= steady_after) {
            done += 1;
        }
        assert_eq!(plan.begun, done);
        done
    }

    #[test]
    fn sittings_double_until_the_arm_is_steady_or_there_is_no_time() {
        assert_eq!(sittings(12, 3600, 0), 12);
        assert_eq!(sittings(12, 3600, 13), 24);
        assert_eq!(sittings(12, 3600, 90), 96);
        assert_eq!(sittings(12, 0, 90), 12);
        assert_eq!(sittings(0, 3600, 90), 0);
        assert_eq!(sittings(5, 3600, usize::MAX), 10_000);
    }

    #[test]
    fn an_arm_strays_with_either_end() {
        let sample = |nanos| time::Sample {
            nanos,
            stall_share: None,
            heap_calls: 0,
            disturbed: Some(0.0),
            peak: None,
        };
        let all = |nanos: [f64; 6]| nanos.map(sample).to_vec();
        let one = all([10.0; 6]);
        assert!(!strays(&one, &all([10.0, 10.1, 9.9, 10.0, 10.05, 9.95])));
        assert!(strays(&one, &all([10.0, 10.3, 9.9, 10.0, 10.05, 9.95])));
        assert!(strays(&one, &all([10.0, 10.1, 9.7, 10.0, 10.05, 9.95])));
        // Fewer than six have no interval to be judged by.
        assert!(!strays(&one[..5], &all([20.0; 6])[..5]));
    }
}
