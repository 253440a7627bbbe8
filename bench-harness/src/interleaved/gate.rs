//! Figures with a limit.

use crate::results::{Interval, words};
use serde::{Deserialize, Serialize};

/// What a figure may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bound {
    #[allow(dead_code, reason = "no gate of scaling has a greatest value")]
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
}
