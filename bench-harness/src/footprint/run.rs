//! The parent: which children, against which base.

use super::figures::{figures, medians};
use super::job::{Job, Measured, Sample};
use super::process::{Outcome, measure};
use super::row::{Place, Row};
use super::{SCHEMA, Scenario};
use crate::error::{Failure, Result};
use crate::results::{Header, Mode};
use crate::run::{Arm, Progress, Suite, arms, header, steady_addresses};
use std::collections::HashMap;
use std::path::PathBuf;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) scenarios: Vec<Scenario>,
    /// Subjects by name; empty for those that this executable links.
    pub(crate) subjects: Vec<String>,
    /// Children of each row.
    pub(crate) runs: usize,
    pub(crate) minutes: f64,
    pub(crate) scale: f64,
    /// Whether curves are wanted that cost a child of their own.
    pub(crate) curves: bool,
    /// The words of the command.
    pub(crate) command: String,
}

/// Runs every scenario on every subject.
pub(crate) fn run(options: &Options) -> Result<(Header, Vec<Row>)> {
    let arms = chosen(&options.subjects)?;
    written_back(&arms);
    steady_addresses();
    let mut header = header(options.command.clone(), Vec::new());
    header.schema = SCHEMA.into();
    let progress = Progress::new("footprint", options.scenarios.len() * arms.len());
    let mut rows = Vec::new();
    for &scenario in &options.scenarios {
        let mut bases = Bases::default();
        for arm in &arms {
            progress.at(format!("{} {}", scenario.name(), arm.label()));
            let (scale, minutes) = (options.scale, options.minutes);
            // Only a soak is told how long to last.
            let minutes = if scenario == Scenario::Soak { minutes } else { 0.0 };
            let job = Job { scenario, scale, minutes, base: false, curve: false };
            let base = bases.of(&base_of(arm, &arms), &job)?;
            rows.push(row(arm, &job, base, options)?);
            progress.done();
        }
    }
    progress.finish();
    Ok((header, rows))
}

/// The subjects; the no-op, which has nothing to show, only by name.
fn chosen(names: &[String]) -> Result<Vec<Arm>> {
    if let Some(name) = names.iter().find(|name| *name == "ideal") {
        return Err(Failure::input(format!("{name} is computed and has no process to look into")));
    }
    let named = names.iter().any(|name| name == "noop");
    let mut arms = arms(names, Suite::Quick)?;
    arms.retain(|arm| arm.subject != "noop" || named);
    Ok(arms)
}

/// Has the system write executables and libraries back to their disk: the text of one that was just
/// built is dirty until then, and private to the one process that touches a page of it. Where that
/// cannot be, the base takes most of it off.
fn written_back(arms: &[Arm]) {
    for file in arms.iter().flat_map(|arm| [Some(&arm.executable), arm.preload.as_ref()]).flatten()
    {
        let _ = std::fs::File::open(file).and_then(|file| file.sync_all());
    }
}

/// The arm whose idle child is the base of another's: System in the same executable, or as the
/// global allocator of its own where every allocation of the executable goes to the subject.
fn base_of(arm: &Arm, arms: &[Arm]) -> Arm {
    let found = match arm.mode {
        Mode::Global => arms.iter().find(|one| one.mode == Mode::Global && one.is_base()),
        _ => None,
    };
    let own = || arms.iter().find(|one| one.is_base()).unwrap_or(arm);
    let mut base = found.unwrap_or_else(own).clone();
    if arm.mode == Mode::Explicit {
        base.executable.clone_from(&arm.executable);
    }
    base
}

/// System's idle bytes by executable, in one scenario.
#[derive(Default)]
struct Bases(HashMap<PathBuf, u64>);

impl Bases {
    fn of(&mut self, system: &Arm, job: &Job) -> Result<u64> {
        if let Some(found) = self.0.get(&system.executable) {
            return Ok(*found);
        }
        let job = Job { base: true, minutes: 0.0, ..*job };
        let idle = match measure(system, &job)? {
            Ok(measured) => measured.idle,
            Err(how) => {
                let (name, scenario) = (system.executable.display(), job.scenario.name());
                return Err(Failure::subject(format!("system in {name} on {scenario}: {how}")));
            }
        };
        self.0.insert(system.executable.clone(), idle);
        Ok(idle)
    }
}

fn row(arm: &Arm, job: &Job, base: u64, options: &Options) -> Result<Row> {
    let mut row = Row {
        scenario: job.scenario,
        subject: arm.description.clone(),
        mode: arm.mode,
        profile: arm.profile.clone(),
        runs: options.runs,
        failed: None,
        figures: Vec::new(),
        axis: job.scenario.axis().into(),
        curve: Vec::new(),
        rounds: Vec::new(),
    };
    let place = |sample: &Sample| Place {
        at: sample.at,
        dirty: sample.dirty as i64 - base as i64,
        live: sample.live,
    };
    let mut found: Vec<Measured> = Vec::new();
    for _ in 0..options.runs {
        if !keep(measure(arm, job)?, &mut row, &mut found) {
            return Ok(row);
        }
    }
    let all: Vec<_> = found.iter().map(|measured| figures(job, measured, base)).collect();
    row.figures = medians(&all);
    let Some(first) = found.first() else { return Ok(row) };
    row.rounds.clone_from(&first.rounds);
    row.curve = first.curve.iter().map(place).collect();
    if options.curves && !job.scenario.samples_itself() && job.scenario != Scenario::Idle {
        let job = Job { curve: true, ..*job };
        if keep(measure(arm, &job)?, &mut row, &mut found) {
            row.curve = found.last().iter().flat_map(|m| &m.curve).map(place).collect();
        }
    }
    Ok(row)
}

/// Keeps what a child found, or why it found nothing; whether it is the former.
fn keep(outcome: Outcome, row: &mut Row, found: &mut Vec<Measured>) -> bool {
    match outcome {
        Ok(measured) => found.push(measured),
        Err(how) => row.failed = Some(how),
    }
    row.failed.is_none()
}
