//! What is told of one subject under one load.

use super::Load;
use crate::interleaved::Verdict;
use crate::results::{Interval, Mode};
use crate::subject::Description;
use serde::{Deserialize, Serialize};

/// A line of the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) load: Load,
    pub(crate) subject: Description,
    pub(crate) mode: Mode,
    pub(crate) profile: String,
    /// How it failed, where it did.
    pub(crate) failed: Option<String>,
    /// Sittings in which others were at work, however often they were repeated.
    pub(crate) disturbed: usize,
    pub(crate) counts: Vec<Count>,
    pub(crate) gates: Vec<Gate>,
}

/// So many threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) threads: usize,
    /// Pairs a second of all threads, the median over sittings.
    pub(crate) pairs: Option<f64>,
    /// By what one thread does.
    pub(crate) scaling: Option<Interval>,
    /// The same of the control.
    pub(crate) control: Option<Interval>,
}

/// A ratio with a least value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gate {
    pub(crate) name: String,
    pub(crate) ratio: Option<Interval>,
    /// The control in the subject's place.
    pub(crate) a_a: Option<Interval>,
    pub(crate) least: f64,
    pub(crate) verdict: Verdict,
}

impl Row {
    /// The subject's name, with its mode where that is not the usual one.
    pub(super) fn label(&self) -> String {
        self.mode.label(&self.subject)
    }
}

/// The gates that fail, in words, of `subject` or, without one, of every subject that is neither
/// System nor a calibration subject.
pub(crate) fn judged(rows: &[Row], subject: Option<&str>) -> Vec<String> {
    let meant = |row: &&Row| row.subject.is_judged(subject);
    let failed = |row: &Row| {
        let words = |gate: &Gate| {
            let median = gate.ratio.map_or(f64::NAN, |ratio| ratio.median);
            let (label, load, name, least) = (row.label(), row.load.name(), &gate.name, gate.least);
            format!("{label} under {load}: {name} {median:.3}, gate ≥ {least}")
        };
        let failures = row.gates.iter().filter(|gate| gate.verdict == Verdict::Fail);
        failures.map(words).collect::<Vec<_>>()
    };
    rows.iter().filter(meant).flat_map(failed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: f64, high: f64) -> Interval {
        Interval { median: f64::midpoint(low, high), low: Some(low), high: Some(high), pairs: 9 }
    }

    #[test]
    fn who_is_named_is_judged_and_else_every_competitor_but_system() {
        let row = |name: &str, verdict, calibration| Row {
            load: Load::Pairs,
            subject: Description { name: name.into(), calibration, ..Description::default() },
            mode: Mode::Explicit,
            profile: "release".into(),
            failed: None,
            disturbed: 0,
            counts: Vec::new(),
            gates: vec![Gate {
                name: "2 to 1".into(),
                ratio: Some(interval(0.4, 0.6)),
                a_a: None,
                least: 0.95,
                verdict,
            }],
        };
        let rows = [
            row("system", Verdict::Fail, false),
            row("noop", Verdict::Fail, true),
            row("locked", Verdict::Fail, false),
            row("noisy", Verdict::Open, false),
        ];
        assert_eq!(judged(&rows, None), ["locked under pairs: 2 to 1 0.500, gate ≥ 0.95"]);
        assert_eq!(judged(&rows, Some("system")).len(), 1);
        assert!(judged(&rows, Some("noisy")).is_empty());
    }
}
