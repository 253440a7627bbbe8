//! From what children counted to scaling, ratios and gates.

use super::job::{Measured, Round};
use super::row::{Count, Gate};
use crate::interleaved::{Bound, Verdict};
use crate::results::Interval;
use crate::results::statistics::median;

/// Two threads do at least so much of what two processes do, and scale at least so well by the
/// control's scaling.
pub(super) const TWO: f64 = 0.95;
/// The most threads do at least so much of what two do.
pub(super) const MANY: f64 = 0.9;

/// A value of every round.
type Of<'a> = &'a dyn Fn(&Round) -> f64;

/// The median over each sitting's rounds, by sittings.
fn sittings(all: &[Measured], of: Of<'_>) -> Vec<f64> {
    let sitting = |measured: &Measured| median(measured.rounds.iter().map(of).collect());
    all.iter().filter_map(sitting).filter(|value| value.is_finite()).collect()
}

fn interval(all: &[Measured], of: Of<'_>) -> Option<Interval> {
    Interval::of(sittings(all, of))
}

/// Every count of threads; `threads` begins with 1.
pub(super) fn counts(threads: &[usize], all: &[Measured]) -> Vec<Count> {
    let count = |(index, &threads): (usize, &usize)| {
        let scaling = |arm: fn(&Round) -> &[f64]| {
            interval(all, &move |round| arm(round)[index] / arm(round)[0]).filter(|_| index > 0)
        };
        Count {
            threads,
            pairs: median(sittings(all, &|round| round.subject[index])),
            scaling: scaling(|round| &round.subject),
            control: scaling(|round| &round.control),
        }
    };
    threads.iter().enumerate().map(count).collect()
}

/// The gates, of the counts that are there; `noise` multiplies how far the control may stray.
pub(super) fn gates(threads: &[usize], all: &[Measured], noise: f64) -> Vec<Gate> {
    let place = |count: usize| threads.iter().position(|&threads| threads == count);
    let (Some(one), Some(two)) = (place(1), place(2)) else { return Vec::new() };
    let gate = |name: String, of: Of<'_>, again: Of<'_>, least| {
        let (ratio, a_a) = (interval(all, of), interval(all, again));
        // Two thirds of what a gate allows, as with kernels.
        let allowed = noise * (1.0 - least) * 2.0 / 3.0;
        let bound = Bound::AtLeast(least);
        let verdict = Verdict::beside(ratio.as_ref(), a_a.as_ref(), allowed, bound);
        Gate { name, ratio, a_a, least, verdict }
    };
    let scaling = |arm: &[f64]| arm[two] / arm[one];
    let mut gates = vec![
        gate(
            "2 threads to 2 processes".into(),
            &|round| round.subject[two] / round.apart,
            &|round| round.again[two] / round.control[two],
            TWO,
        ),
        gate(
            "2 to 1, by the control's".into(),
            &|round| scaling(&round.subject) / scaling(&round.control),
            &|round| scaling(&round.again) / scaling(&round.control),
            TWO,
        ),
    ];
    if let Some((most, &count)) = threads.iter().enumerate().max_by_key(|(_, count)| **count)
        && count > 2
    {
        let kept = move |arm: &[f64]| arm[most] / arm[two];
        gates.push(gate(
            format!("{count} to 2"),
            &|round| kept(&round.subject),
            &|round| kept(&round.again) / kept(&round.control),
            MANY,
        ));
    }
    gates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(subject: [f64; 3], control: [f64; 3]) -> Round {
        let (subject, control) = (subject.to_vec(), control.to_vec());
        Round { apart: subject[1] * 1.25, subject, again: control.clone(), control }
    }

    #[test]
    fn a_subject_is_measured_by_the_machine_it_runs_on() {
        // The machine's second processor is half as fast, and the subject's threads lose nothing
        // more; with many threads the subject loses a fifth, the machine nothing. Processes do more
        // than threads by a quarter.
        let sitting = |speed: f64| Measured {
            rounds: vec![round([2.0 * speed, 3.0 * speed, 2.4 * speed], [5.0, 7.5, 7.5]); 3],
        };
        let all: Vec<_> = (1..=9).map(|speed| sitting(f64::from(speed))).collect();
        let counts = counts(&[1, 2, 64], &all);
        assert_eq!(counts[0].scaling, None);
        assert_eq!(counts[1].scaling.map(|scaling| scaling.median), Some(1.5));
        assert_eq!(counts[2].pairs, Some(12.0));
        let gates = gates(&[1, 2, 64], &all, 1.0);
        let found = |gate: &Gate| (gate.ratio.map(|ratio| ratio.median), gate.verdict);
        assert_eq!(found(&gates[0]), (Some(0.8), Verdict::Fail));
        assert_eq!(found(&gates[1]), (Some(1.0), Verdict::Pass));
        let (many, verdict) = found(&gates[2]);
        assert!((many.unwrap() - 0.8).abs() < 1e-9 && verdict == Verdict::Fail);
        assert_eq!(gates[2].name, "64 to 2");
    }

    #[test]
    fn one_disturbed_round_of_a_sitting_changes_nothing() {
        let mut disturbed = Measured { rounds: vec![round([1.0, 2.0, 2.0], [1.0, 2.0, 2.0]); 5] };
        disturbed.rounds[2] = round([1.0, 0.1, 0.1], [1.0, 2.0, 2.0]);
        let gates = gates(&[1, 2, 64], &vec![disturbed; 9], 1.0);
        assert!(gates[1..].iter().all(|gate| gate.verdict == Verdict::Pass));
    }

    #[test]
    fn few_sittings_have_no_verdict() {
        let all = vec![Measured { rounds: vec![round([1.0, 2.0, 2.0], [1.0, 2.0, 2.0])] }; 5];
        assert!(gates(&[1, 2, 64], &all, 1.0).iter().all(|gate| gate.verdict == Verdict::Unknown));
        assert!(gates(&[1, 4], &all, 1.0).is_empty());
    }
}
