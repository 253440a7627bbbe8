//! When a figure is beyond its limit.

use super::baseline::{Measured, Metric};
use crate::results::statistics::median;
use crate::results::{Interval, Threads};
use serde::Serialize;

/// How much worse is a breach, as a share of the baseline's figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Of bytes.
    pub memory: f64,
    /// Of instructions.
    pub instructions: f64,
}

impl Default for Limits {
    /// Half a percent: replay on one thread repeats to the byte.
    fn default() -> Self {
        Self { memory: 0.005, instructions: 0.005 }
    }
}

/// Bytes that may stay when all is freed besides what did before: a few pages more are no news.
const DRAINED: f64 = 65_536.0;

/// One figure beside the baseline's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The subject.
    pub subject: String,
    /// The workload.
    pub workload: String,
    /// How it was replayed.
    pub threads: Threads,
    /// What was measured.
    pub metric: Metric,
    /// The baseline's median.
    pub old: f64,
    /// The median now.
    pub new: f64,
    /// New over old, paired in the order of running; `None` where the old one is nothing.
    pub ratio: Option<Interval>,
    /// The median ratio above which it is a breach.
    pub limit: f64,
    /// Whether it is one.
    pub breach: bool,
}

/// Every figure that both rows have.
///
/// A breach is a median ratio beyond the limit whose whole interval is above 1. Where there are too
/// few samples for an interval the ratio alone decides. `drained` may be some pages more besides.
///
/// ```
/// use strata_bench::run::gate::{Figure, Limits, Measured, Metric, judge};
/// use strata_bench::results::{Mode, Threads, Workload};
///
/// let row = |bytes: f64| Measured {
///     alloc: "my".into(),
///     replayed: "my.trace".into(),
///     subject: Default::default(),
///     mode: Mode::Explicit,
///     profile: "release".into(),
///     workload: Workload {
///         name: "my".into(),
///         threads: Threads::Serial,
///         operations: 1,
///         recorded_threads: 1,
///         family: None,
///     },
///     touch: 2,
///     checkpoints: 1,
///     figures: vec![Figure { metric: Metric::PeakResident, samples: vec![bytes; 20] }],
/// };
/// let breach = |bytes: f64| judge(&row(1000.0), &row(bytes), Limits::default())[0].breach;
/// assert!(breach(1010.0) && !breach(1004.0) && !breach(900.0));
/// ```
pub fn judge(old: &Measured, new: &Measured, limits: Limits) -> Vec<Verdict> {
    let mut found = Vec::new();
    for figure in &new.figures {
        let metric = figure.metric;
        let Some(base) = old.figures.iter().find(|base| base.metric == metric) else { continue };
        let medians = median(base.samples.clone()).zip(median(figure.samples.clone()));
        let Some((before, now)) = medians else { continue };
        let share =
            if metric == Metric::Instructions { limits.instructions } else { limits.memory };
        let pairs = base.samples.iter().zip(&figure.samples);
        let ratio = (before > 0.0)
            .then(|| pairs.filter(|(old, _)| **old > 0.0).map(|(old, new)| new / old).collect())
            .and_then(Interval::of);
        let beyond = now > before * (1.0 + share);
        let surely = ratio.is_none_or(|ratio| {
            ratio.median > 1.0 + share && ratio.low.is_none_or(|low| low > 1.0)
        });
        let told = metric != Metric::Drained || now - before > DRAINED;
        found.push(Verdict {
            subject: new.subject.name.clone(),
            workload: new.workload.name.clone(),
            threads: new.workload.threads,
            metric,
            old: before,
            new: now,
            ratio,
            limit: 1.0 + share,
            breach: beyond && surely && told,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Mode, Workload};
    use crate::run::gate::Figure;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn row(metric: Metric, samples: Vec<f64>) -> Measured {
        Measured {
            alloc: "a".into(),
            replayed: "w".into(),
            subject: crate::subject::Description::default(),
            mode: Mode::Explicit,
            profile: String::new(),
            workload: Workload {
                name: "w".into(),
                threads: Threads::Serial,
                operations: 1,
                recorded_threads: 1,
                family: None,
            },
            touch: 2,
            checkpoints: 1,
            figures: vec![Figure { metric, samples }],
        }
    }

    fn breach(metric: Metric, old: &[f64], new: &[f64]) -> bool {
        let (old, new) = (row(metric, old.to_vec()), row(metric, new.to_vec()));
        judge(&old, &new, Limits::default())[0].breach
    }

    #[test]
    fn what_is_drained_may_be_some_pages_more() {
        assert!(!breach(Metric::Drained, &[0.0], &[65_536.0]));
        assert!(breach(Metric::Drained, &[0.0], &[65_537.0]));
        assert!(breach(Metric::PeakResident, &[1000.0], &[1006.0]));
        assert!(!breach(Metric::PeakResident, &[1000.0], &[1004.0]));
        assert!(breach(Metric::Instructions, &[10.0], &[10.1]));
    }

    #[test]
    fn a_planted_percent_is_found_among_noise_and_noise_alone_is_not() {
        // One row whose memory strays by ±2% from child to child, as threads make it.
        let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut samples = |scale: f64| -> Vec<f64> {
            (0..20).map(|_| scale * (1e7 + random.random_range(-2e5..2e5))).collect()
        };
        let alarms =
            (0..100).filter(|_| breach(Metric::PeakResident, &samples(1.0), &samples(1.0))).count();
        assert!(alarms <= 9, "{alarms} false alarms of 100");
        // What repeats is found whatever the percent is a percent of.
        assert!(breach(Metric::PeakResident, &[1e7; 20], &[1.01e7; 20]));
        let small = |scale: f64| -> Vec<f64> {
            (0..20).map(|place| scale * (1e7 + f64::from(place % 5) * 1e4)).collect()
        };
        assert!(breach(Metric::PeakResident, &small(1.0), &small(1.01)));
    }
}
