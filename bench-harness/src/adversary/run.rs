//! The parent: a child for each part of each program on each subject.

use super::job::{JOB, Job, Measured};
use super::row::Row;
use super::{Program, SCHEMA};
use crate::error::{Failure, Result};
use crate::footprint::answer;
use crate::results::Header;
use crate::run::{Arm, Progress, Suite, arms, header, one, steady_addresses};
use std::time::Duration;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) programs: Vec<Program>,
    /// Subjects by name; empty for those that this executable links.
    pub(crate) subjects: Vec<String>,
    /// Bytes that are live at most, about.
    pub(crate) live: usize,
    pub(crate) seconds: f64,
    pub(crate) seed: u64,
    /// The words of the command.
    pub(crate) command: String,
}

/// Runs every program on every subject.
pub(crate) fn run(options: &Options) -> Result<(Header, Vec<Row>)> {
    let arms = chosen(&options.subjects)?;
    steady_addresses();
    let facts = vec![
        ("live bytes".into(), options.live.to_string()),
        ("seed".into(), options.seed.to_string()),
        ("address randomisation".into(), "off".into()),
    ];
    let mut header = header(options.command.clone(), facts);
    header.schema = SCHEMA.into();
    let progress = Progress::new("adversary", options.programs.len() * arms.len());
    let mut rows = Vec::new();
    for &program in &options.programs {
        for arm in &arms {
            progress.at(format!("{} {}", program.name(), arm.label()));
            rows.push(row(arm, program, options)?);
            progress.done();
        }
    }
    progress.finish();
    Ok((header, rows))
}

/// The subjects in the order of their names; all that are linked and no calibration without names.
fn chosen(names: &[String]) -> Result<Vec<Arm>> {
    if let Some(name) = names.iter().find(|name| ["ideal", "noop"].contains(&name.as_str())) {
        return Err(Failure::input(format!("{name} has no memory to waste: name another")));
    }
    if names.is_empty() {
        let mut all = arms(&[], Suite::Quick)?;
        all.retain(|arm| !arm.description.calibration);
        return Ok(all);
    }
    names.iter().map(|name| one(name)).collect()
}

fn row(arm: &Arm, program: Program, options: &Options) -> Result<Row> {
    let mut row = Row {
        program,
        subject: arm.description.clone(),
        mode: arm.mode,
        profile: arm.profile.clone(),
        live: options.live,
        failed: None,
        figures: Vec::new(),
    };
    for &part in program.parts() {
        let (live, seed, seconds) = (options.live, options.seed, options.seconds);
        let words = serde_json::to_string(&Job { program, live, part, seed, seconds });
        let words = format!("{JOB}{}", words.unwrap_or_default());
        match answer::<Measured>(arm, &words, Duration::from_secs_f64(seconds))? {
            Ok(found) => row.figures.extend(found.figures),
            Err(how) => {
                row.failed = Some(how);
                break;
            }
        }
    }
    Ok(row)
}
