//! From what a child read to figures with gates.

use super::Scenario;
use super::job::{Job, Measured, Sample};
use super::row::{Figure, Limit, Unit};
use crate::results::statistics::median;

const MIB: f64 = (1 << 20) as f64;

/// What may stay of a spike at once, beside 1.15 times what is live: nothing is.
const LEFT: Limit = Limit::AtMost(4.0 * MIB);

/// The figures of a scenario; `base` is what System's child has at idle.
pub(super) fn figures(job: &Job, measured: &Measured, base: u64) -> Vec<Figure> {
    let over = |bytes: u64| bytes as f64 - base as f64;
    let point = |name: &str| measured.point(name).map(over);
    let value = |name: &str| measured.value(name);
    let ratio = |a: Option<f64>, b: Option<f64>| Some(a? / b?);
    let bytes = |name: &str, value| Figure::new(name, Unit::Bytes, value);
    let calls = || {
        [
            Figure::new("allocate", Unit::Nanos, value("allocate")),
            Figure::new("free", Unit::Nanos, value("free")),
        ]
    };
    let idle = bytes("idle", Some(over(measured.idle)));
    let at_full =
        Figure::new("full/requested", Unit::Ratio, ratio(point("full"), value("requested")));
    match job.scenario {
        Scenario::Idle => vec![idle.limited(Limit::AtMost(128.0 * 1024.0))],
        Scenario::Mixed | Scenario::MixedShuffled => {
            let mut all = vec![
                at_full.limited(Limit::AtMost(1.05)),
                bytes("left", point("freed")).limited(LEFT),
            ];
            all.extend(calls());
            all
        }
        Scenario::Spike64 => {
            let mut all = vec![at_full, bytes("left", point("freed")).limited(LEFT)];
            all.extend(calls());
            all
        }
        Scenario::Random90 => {
            let back = ratio(value("back"), value("free pages"));
            let given =
                ratio(point("full").zip(point("freed")).map(|(a, b)| a - b), value("free pages"));
            let mut all = vec![
                bytes("live", value("live")),
                bytes("left", point("freed")),
                bytes("free pages", value("free pages")),
                Figure::new("back", Unit::Share, back).limited(Limit::AtLeast(0.9)),
                Figure::new("by dirty", Unit::Share, given),
            ];
            all.extend(calls());
            all
        }
        Scenario::ThreadChurn => {
            vec![idle, bytes("end", point("end")).limited(Limit::AtMost(5.0 * MIB))]
        }
        Scenario::Batches8k => batches(measured, point("end")),
        Scenario::Cyclic => {
            let stopped = bytes("stopped", point("stopped"));
            let limit = value("load").map_or(LEFT, |load| Limit::AtMost(load + 4.0 * MIB));
            vec![
                bytes("peak", most(&measured.curve, |sample| over(sample.dirty))),
                stopped.limited(limit),
                bytes("later", point("later")),
            ]
        }
        Scenario::FreeOnly => free_only(measured, over, point("end")),
        Scenario::Soak => {
            let by_minute = |bytes: f64| bytes * 60_000.0 / MIB;
            let late = late(&measured.curve, 0.2);
            let slope_of = |of: fn(&Sample) -> f64| slope(late, of).map(by_minute);
            // What is live goes up and down with the pools: how much of a slope is that.
            let live = slope_of(|sample| sample.live as f64);
            let slope = slope_of(|sample| sample.dirty as f64);
            vec![
                bytes("peak", most(&measured.curve, |sample| over(sample.dirty))),
                bytes("most live", most(&measured.curve, |sample| sample.live as f64)),
                Figure::new("slope", Unit::MebibytesPerMinute, slope).limited(Limit::AtMost(0.1)),
                Figure::new("live's slope", Unit::MebibytesPerMinute, live),
                bytes("end", point("end")),
            ]
        }
    }
}

/// Rounds from the third on: their faults, what these cost, their time by the fastest one's.
fn batches(measured: &Measured, end: Option<f64>) -> Vec<Figure> {
    let rounds = &measured.rounds;
    let steady = rounds.get(2..).unwrap_or_default();
    let sum = |of: fn(&super::job::Round) -> u64| steady.iter().map(of).sum::<u64>() as f64;
    let (faults, nanos) = (sum(|round| round.faults), sum(|round| round.nanos));
    let fastest = rounds.iter().map(|round| round.nanos).min().unwrap_or(0) as f64;
    let usual = median(steady.iter().map(|round| round.nanos as f64).collect());
    let share = measured.value("page").map(|cost| (faults * cost / nanos).min(1.0));
    let greatest = steady.iter().map(|round| round.faults).max();
    vec![
        Figure::new("faults a round", Unit::Count, Some(faults / steady.len() as f64)),
        Figure::new("most faults", Unit::Count, greatest.map(|faults| faults as f64)),
        Figure::new("time", Unit::Nanos, usual),
        Figure::new("by fastest", Unit::Ratio, usual.map(|usual| usual / fastest)),
        Figure::new("faults' share", Unit::Share, share).limited(Limit::AtMost(0.05)),
        Figure::new("left", Unit::Bytes, end),
    ]
}

/// What is held beyond the live blocks, and whether it grows from the first half to the second.
fn free_only(measured: &Measured, over: impl Fn(u64) -> f64, end: Option<f64>) -> Vec<Figure> {
    let curve = &measured.curve;
    let extra = |sample: &Sample| over(sample.dirty) - sample.live as f64;
    let (first, second) = curve.split_at(curve.len() / 2);
    let halves = most(first, extra).zip(most(second, extra));
    let growth = halves.map(|(first, second)| second - first);
    let bytes = |name: &str, value| Figure::new(name, Unit::Bytes, value);
    vec![
        bytes("most live", most(curve, |sample| sample.live as f64)),
        bytes("most over live", most(curve, extra)),
        // Once more what may be live at most is a warm allocator, more is a leak.
        bytes("growth", growth).limited(Limit::AtMost(16.0 * MIB)),
        bytes("end", end),
    ]
}

fn most(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Option<f64> {
    samples.iter().map(of).max_by(f64::total_cmp)
}

/// The samples without the first `share` of the axis.
fn late(samples: &[Sample], share: f64) -> &[Sample] {
    let end = samples.last().map_or(0.0, |sample| sample.at);
    &samples[samples.partition_point(|sample| sample.at < end * share)..]
}

/// The slope of the least-squares line through what `of` tells, in bytes by unit of the axis.
fn slope(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Option<f64> {
    let count = samples.len() as f64;
    let at = samples.iter().map(|sample| sample.at).sum::<f64>() / count;
    let bytes = samples.iter().map(&of).sum::<f64>() / count;
    let (mut both, mut square) = (0.0, 0.0);
    for sample in samples {
        both += (sample.at - at) * (of(sample) - bytes);
        square += (sample.at - at).powi(2);
    }
    (samples.len() > 2 && square > 0.0).then(|| both / square)
}

/// Figure by figure the median over runs.
pub(super) fn medians(runs: &[Vec<Figure>]) -> Vec<Figure> {
    let Some(first) = runs.first() else { return Vec::new() };
    let middle = |index: usize, figure: &Figure| {
        let values = runs.iter().filter_map(|run| run[index].value).collect();
        let own = Figure::new(&figure.name, figure.unit, median(values));
        figure.limit.map_or(own.clone(), |limit| own.limited(limit))
    };
    first.iter().enumerate().map(|(index, figure)| middle(index, figure)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_a_line_is_its_own_whatever_came_before() {
        let sample = |at: f64| Sample { at, dirty: 1000 + 5 * at as u64, live: 0 };
        let mut samples: Vec<Sample> = (0..=100).map(|at| sample(f64::from(at))).collect();
        samples[3].dirty = 1 << 40;
        assert_eq!(late(&samples, 0.2).len(), 81);
        assert!(
            (slope(late(&samples, 0.2), |sample| sample.dirty as f64).unwrap() - 5.0).abs() < 1e-9
        );
        assert_eq!(slope(&samples[..1], |sample| sample.dirty as f64), None);
    }

    #[test]
    fn a_median_keeps_its_gate() {
        let of = |value| Figure::new("left", Unit::Bytes, Some(value)).limited(LEFT);
        let all = medians(&[vec![of(1.0)], vec![of(9e9)], vec![of(3.0)]]);
        assert_eq!((all[0].value, all[0].pass), (Some(3.0), Some(true)));
        assert_eq!(of(9e9).pass, Some(false));
    }
}
