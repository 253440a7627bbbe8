//! What is told of one subject in one scenario.

use super::Scenario;
use super::job::Round;
use crate::results::{Mode, words};
use crate::subject::Description;
use serde::{Deserialize, Serialize};

/// A line of the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) scenario: Scenario,
    pub(crate) subject: Description,
    pub(crate) mode: Mode,
    pub(crate) profile: String,
    /// Children whose figures these are the medians of.
    pub(crate) runs: usize,
    /// How it failed, where it did.
    pub(crate) failed: Option<String>,
    pub(crate) figures: Vec<Figure>,
    /// What the curve runs over.
    pub(crate) axis: String,
    pub(crate) curve: Vec<Place>,
    /// The first child's.
    pub(crate) rounds: Vec<Round>,
}

/// A place of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) at: f64,
    /// Private dirty bytes beyond System's at idle.
    pub(crate) dirty: i64,
    /// Bytes of live blocks.
    pub(crate) live: u64,
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    Bytes,
    Ratio,
    /// Of one.
    Share,
    Nanos,
    Count,
    MebibytesPerMinute,
}

/// The gate of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// A named figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    /// Absent where it has no meaning.
    pub(crate) value: Option<f64>,
    pub(crate) limit: Option<Limit>,
    /// Whether it keeps its limit, where it has one.
    pub(crate) pass: Option<bool>,
}

impl Figure {
    pub(crate) fn new(name: &str, unit: Unit, value: Option<f64>) -> Self {
        let value = value.filter(|value| value.is_finite());
        Self { name: name.into(), unit, value, limit: None, pass: None }
    }

    /// The same under a gate.
    pub(crate) fn limited(self, limit: Limit) -> Self {
        let pass = self.value.map(|value| limit.holds(value));
        Self { limit: Some(limit), pass, ..self }
    }

    /// Its value for a person.
    pub(crate) fn shown(&self) -> String {
        words::or_absent(self.value, |value| self.unit.shown(value))
    }

    /// Its gate for a person; empty where it has none.
    pub(crate) fn gate(&self) -> String {
        match self.limit {
            None => String::new(),
            Some(Limit::AtMost(most)) => format!("≤ {}", self.unit.shown(most)),
            Some(Limit::AtLeast(least)) => format!("≥ {}", self.unit.shown(least)),
        }
    }
}

impl Limit {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl Unit {
    fn shown(self, value: f64) -> String {
        match self {
            Self::Bytes if value < 0.0 => format!("−{}", words::bytes(-value as u64)),
            Self::Bytes => words::bytes(value as u64),
            Self::Ratio => format!("{value:.3}"),
            Self::Share => format!("{}%", words::percent(value)),
            Self::Nanos => words::time(value),
            Self::Count => format!("{value:.0}"),
            Self::MebibytesPerMinute => format!("{value:.3} MiB/min"),
        }
    }
}

impl Row {
    /// The subject's name, with its mode where that is not the usual one.
    pub(super) fn label(&self) -> String {
        self.mode.label(&self.subject)
    }
}

/// The figures that miss their gates, in words, of `subject` or, without one, of every subject that
/// is neither System nor a calibration subject.
pub(crate) fn judged(rows: &[Row], subject: Option<&str>) -> Vec<String> {
    let meant = |row: &&Row| row.subject.is_judged(subject);
    let missed = |row: &Row| {
        let words = |figure: &Figure| {
            let (scenario, label, name) = (row.scenario.name(), row.label(), &figure.name);
            format!("{label} on {scenario}: {name} {}, gate {}", figure.shown(), figure.gate())
        };
        let misses = row.figures.iter().filter(|figure| figure.pass == Some(false));
        misses.map(words).collect::<Vec<_>>()
    };
    rows.iter().filter(meant).flat_map(missed).collect()
}
