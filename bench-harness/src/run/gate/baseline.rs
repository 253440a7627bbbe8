//! A baseline as a file: a header, and a line for each row with all samples of its figures.

use crate::error::{Context, Failure, Result};
use crate::results::{Header, Mode, Workload, jsonl};
use crate::subject::Description;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of the file's form; a reader refuses another.
pub(crate) const SCHEMA: &str = "strata-bench/gate/1";

/// What a gate looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Bytes resident where most is live.
    PeakResident,
    /// The most that was resident at any checkpoint.
    GreatestResident,
    /// Bytes resident, the mean over the checkpoints.
    MeanResident,
    /// Bytes resident when every block is freed.
    Drained,
    /// Instructions an operation.
    Instructions,
}

impl Metric {
    /// For tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::PeakResident => "peak resident",
            Self::GreatestResident => "greatest resident",
            Self::MeanResident => "mean resident",
            Self::Drained => "drained",
            Self::Instructions => "instructions",
        }
    }
}

/// All samples of one metric, in the order of running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Which.
    pub metric: Metric,
    /// One value a child.
    pub samples: Vec<f64>,
}

/// One row: a subject on a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// How the subject was named in the command.
    pub alloc: String,
    /// How the workload was named in the command.
    pub replayed: String,
    /// The subject.
    pub subject: Description,
    /// How it was linked.
    pub mode: Mode,
    /// The cargo profile of its executable.
    pub profile: String,
    /// The workload.
    pub workload: Workload,
    /// What was written into new blocks: 0 nothing, 1 the first bytes, 2 each page, 3 all.
    pub touch: u32,
    /// Stops of a memory pass.
    pub checkpoints: usize,
    /// The figures that could be had.
    pub figures: Vec<Figure>,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Command, date, machine.
    pub header: Header,
    /// The rows.
    pub rows: Vec<Measured>,
}

impl Baseline {
    /// Writes it, replacing an older one of that name.
    ///
    /// # Errors
    ///
    /// [`Failure::input`] naming the file, where its folder cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        jsonl::write_whole(path, |to| jsonl::lines(to, &self.header, &self.rows))
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Failure::input`] in one line: the file cannot be read, is none, or has a damaged line.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).context(|| format!("cannot read {shown}"))?;
        let mut lines = text.lines().enumerate();
        let first = lines.next().map_or("", |(_, line)| line);
        let foreign = |why: &str| {
            Failure::input(format!(
                "{shown} {why}: make a baseline with `strata-bench gate {shown} --record`"
            ))
        };
        let header: Header =
            serde_json::from_str(first).map_err(|_| foreign("is no baseline of strata-bench"))?;
        if header.schema != SCHEMA {
            return Err(foreign(&format!("has schema {:?}, not {SCHEMA:?}", header.schema)));
        }
        let mut rows = Vec::new();
        for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            rows.push(serde_json::from_str(line).map_err(|error| {
                Failure::input(format!("{shown}: line {} is damaged ({error})", index + 1))
            })?);
        }
        if rows.is_empty() {
            return Err(foreign("has no row"));
        }
        Ok(Self { header, rows })
    }
}
