//! Figures with a limit.

use super::grid;
use crate::results::{Interval, words};
use comfy_table::Table;
use serde::{Deserialize, Serialize};

/// What a figure may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn keeps(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }

    /// In words, for example `≤ 0.85`.
    fn words(self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most}"),
            Self::AtLeast(least) => format!("≥ {least}"),
        }
    }
}

/// What follows from a gate's interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// The whole interval keeps the bound.
    Pass,
    /// The whole interval breaks it.
    Fail,
    /// The interval lies on both sides, or the noise is too great: to be run again.
    Open,
    /// There is no interval.
    Unknown,
}

impl Verdict {
    /// Of an interval; a figure that is the same in every run has both its ends.
    pub(crate) fn of(interval: Option<&Interval>, bound: Bound) -> Self {
        let Some((low, high)) = interval.and_then(|interval| interval.low.zip(interval.high))
        else {
            return Self::Unknown;
        };
        match (bound.keeps(low), bound.keeps(high)) {
            (true, true) => Self::Pass,
            (false, false) => Self::Fail,
            _ => Self::Open,
        }
    }

    /// The same, where the A/A arm's ratio must lie within `noise` of 1.
    pub(crate) fn beside(
        interval: Option<&Interval>,
        a_a: Option<&Interval>,
        noise: f64,
        bound: Bound,
    ) -> Self {
        let Some((low, high)) = a_a.and_then(|a_a| a_a.low.zip(a_a.high)) else {
            return Self::Unknown;
        };
        match Self::of(interval, bound) {
            Self::Pass | Self::Fail if low < 1.0 - noise || high > 1.0 + noise => Self::Open,
            verdict => verdict,
        }
    }

    /// In a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Open => "open: again",
            Self::Unknown => words::ABSENT,
        }
    }
}

/// A figure of one allocator with its limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gate {
    /// The figure, for example `churn ≤ 1000 B ÷ talc`.
    pub(crate) name: String,
    pub(crate) value: Option<Interval>,
    /// The base's own noise, where the figure is a ratio of times.
    pub(crate) a_a: Option<Interval>,
    pub(crate) bound: Bound,
    pub(crate) verdict: Verdict,
}

impl Gate {
    /// A ratio of times, held against the A/A arm: two thirds of what the gate allows may be noise.
    pub(crate) fn of_times(
        name: String,
        ratios: Option<Vec<f64>>,
        a_a: Option<Interval>,
        bound: Bound,
    ) -> Self {
        let (Bound::AtMost(limit) | Bound::AtLeast(limit)) = bound;
        let noise = ((1.0 - limit).abs() * 2.0 / 3.0).max(0.03);
        let value = ratios.and_then(Interval::of);
        let verdict = Verdict::beside(value.as_ref(), a_a.as_ref(), noise, bound);
        Self { name, value, a_a, bound, verdict }
    }

    /// A figure that no noise is in.
    pub(crate) fn of_figures(name: String, values: Option<Vec<f64>>, bound: Bound) -> Self {
        let same = |values: &Vec<f64>| values.windows(2).all(|pair| pair[0] == pair[1]);
        let value = values.and_then(|values| match values.first().copied() {
            Some(one) if same(&values) => {
                let pairs = values.len();
                Some(Interval { median: one, low: Some(one), high: Some(one), pairs })
            }
            _ => Interval::of(values),
        });
        let verdict = Verdict::of(value.as_ref(), bound);
        Self { name, value, a_a: None, bound, verdict }
    }
}

/// The gates of all rows, by their allocators' names.
pub(crate) fn gates_table<'a>(gates: impl Iterator<Item = (String, &'a Gate)>) -> Option<Table> {
    let heads = ["gate", "bound", "found (95%)", "A/A (95%)", ""].map(str::to_owned);
    let mut table = grid::fresh(heads.to_vec());
    let mut any = false;
    for (label, gate) in gates {
        any = true;
        grid::add(
            &mut table,
            label,
            vec![
                gate.name.clone(),
                gate.bound.words(),
                found(gate.value.as_ref()),
                found(gate.a_a.as_ref()),
                gate.verdict.word().to_owned(),
            ],
        );
    }
    any.then_some(table)
}

/// To a thousandth, since some limits are given in tenths of a percent.
fn found(value: Option<&Interval>) -> String {
    words::or_absent(value, |value| match (value.low, value.high) {
        (Some(low), Some(high)) if low == high => format!("{low:.3}"),
        (Some(low), Some(high)) => format!("{:.3} [{low:.3}–{high:.3}]", value.median),
        _ => format!("{:.3}", value.median),
    })
}

/// The gates that fail, in words.
pub(crate) fn missed<'a>(gates: impl Iterator<Item = (String, &'a Gate)>) -> Vec<String> {
    let failed = gates.filter(|(_, gate)| gate.verdict == Verdict::Fail);
    let words = |(label, gate): (String, &Gate)| {
        let (name, bound) = (&gate.name, gate.bound.words());
        format!("{label}: {name} is {}, gate {bound}", found(gate.value.as_ref()))
    };
    failed.map(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: f64, high: f64) -> Interval {
        Interval { median: f64::midpoint(low, high), low: Some(low), high: Some(high), pairs: 9 }
    }

    #[test]
    fn a_whole_interval_decides_and_a_noisy_a_a_does_not() {
        let (quiet, noisy) = (interval(0.97, 1.03), interval(0.96, 1.01));
        let of = |low, high, a_a| {
            Verdict::beside(Some(&interval(low, high)), Some(&a_a), 0.0334, Bound::AtLeast(0.95))
        };
        assert_eq!(of(0.95, 1.2, quiet), Verdict::Pass);
        assert_eq!(of(0.94, 1.2, quiet), Verdict::Open);
        assert_eq!(of(0.5, 0.94, quiet), Verdict::Fail);
        assert_eq!(of(1.0, 1.1, noisy), Verdict::Open);
        assert_eq!(Verdict::of(None, Bound::AtMost(1.0)), Verdict::Unknown);
        assert_eq!(Verdict::of(Some(&interval(0.5, 0.8)), Bound::AtMost(0.85)), Verdict::Pass);
    }

    #[test]
    fn one_figure_in_every_run_is_its_own_interval() {
        let gate = |values| Gate::of_figures("share".into(), Some(values), Bound::AtLeast(1.0));
        assert_eq!(gate(vec![1.0]).verdict, Verdict::Pass);
        assert_eq!(gate(vec![0.9, 0.9]).verdict, Verdict::Fail);
        assert_eq!(gate(vec![1.1, 1.2]).verdict, Verdict::Unknown);
        let gates = [gate(vec![0.5])];
        let missed = missed(gates.iter().map(|gate| ("a".to_owned(), gate)));
        assert_eq!(missed, ["a: share is 0.500, gate ≥ 1"]);
    }
}
