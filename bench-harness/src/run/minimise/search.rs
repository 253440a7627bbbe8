//! What is looked for, and asking children whether a part of a trace still shows it.

use super::ddmin::ddmin;
use super::events::{blocks, part};
use crate::check::Violation;
use crate::child::Touch;
use crate::error::{Failure, Result};
use crate::results::{Outcome, Threads};
use crate::run::arm::Arm;
use crate::run::gate::NoIdle;
use crate::run::memory;
use crate::run::plan::one;
use crate::run::process::Stopped;
use crate::run::progress::Progress;
use crate::run::single::steady_addresses;
use crate::run::workload::{At, Source, Workload};
use crate::run::{check, time};
use crate::trace::{Event, Meta, Summary, Writer};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a smaller trace still has to show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// The first violation that the judge finds, or the same crash.
    Failure,
    /// At least this share of the whole trace's resident by live bytes at the peak.
    Fragmentation(f64),
}

/// What `minimise` does.
#[derive(Clone, Debug)]
pub struct MinimiseOptions {
    /// A trace file or a built-in workload.
    pub workload: String,
    /// The subject's name.
    pub subject: String,
    /// How to replay; the workload's own way if not said.
    pub threads: Option<Threads>,
    /// What is looked for.
    pub goal: Goal,
    /// How long it is looked for at most.
    pub seconds: f64,
    /// The trace to write; packed where that ends in `.xz`.
    pub out: PathBuf,
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Minimised {
    /// What it shows, in words.
    pub shows: String,
    /// Blocks of the whole trace.
    pub blocks_before: usize,
    /// Blocks that are left.
    pub blocks: usize,
    /// How many parts were tried.
    pub tried: usize,
    /// Whether time ran out before everything was tried.
    pub unfinished: bool,
    /// The trace.
    pub summary: Summary,
}

/// What one replay showed.
#[derive(Clone, Debug, PartialEq)]
enum Shown {
    Nothing,
    /// A crash, by its signal, or a violation, by its kind.
    Failure(String),
    Ratio(f64),
}

/// Makes the smallest trace that it finds in time and writes it.
///
/// # Errors
///
/// [`Failure::input`] where the words are unusable, the whole trace shows nothing, or the file cannot be
/// written.
pub fn minimise(options: &MinimiseOptions) -> Result<Minimised> {
    steady_addresses();
    let workload = Workload::find(&options.workload, options.threads)?;
    let mut events = Vec::new();
    workload.each(|event| {
        events.push(*event);
        Ok(())
    })?;
    let trial =
        Trial { arm: one(&options.subject)?, noop: one("noop")?, workload, goal: options.goal };
    let whole = trial.of(&events)?;
    let (name, load) = (&options.subject, &options.workload);
    let least = match (&whole, options.goal) {
        (Shown::Nothing, Goal::Failure) => {
            return Err(Failure::input(format!(
                "{name} does not fail on {load}: nothing to minimise"
            )));
        }
        (Shown::Ratio(ratio), Goal::Fragmentation(share)) => ratio * share,
        (Shown::Nothing, _) => {
            return Err(Failure::input(format!(
                "{load} has too few live bytes for a ratio to mean anything"
            )));
        }
        (Shown::Failure(how), Goal::Fragmentation(_)) => {
            return Err(Failure::subject(format!("{name} on {load}: {how}")));
        }
        (_, Goal::Failure) => 0.0,
    };
    let end = Instant::now() + Duration::from_secs_f64(options.seconds);
    let progress = Progress::new("minimise", 0);
    let (mut tried, mut unfinished) = (1, false);
    let all = blocks(&events);
    let kept = ddmin(all.clone(), |kept| {
        if Instant::now() >= end {
            unfinished = true;
            return Ok(None);
        }
        tried += 1;
        progress.at(format!("{} of {} blocks", kept.len(), all.len()));
        Ok(Some(match (trial.of(&part(&events, kept))?, &whole) {
            (Shown::Ratio(ratio), Shown::Ratio(_)) => ratio >= least,
            (found, whole) => found == *whole,
        }))
    })?;
    progress.finish();
    let smaller = part(&events, &kept);
    let shows = match trial.of(&smaller)? {
        Shown::Nothing => "nothing: it fails by chance".to_owned(),
        Shown::Failure(how) => how,
        Shown::Ratio(ratio) => format!("{ratio:.3} bytes resident a live byte at the peak"),
    };
    let meta = Meta {
        program: trial.workload.name.clone(),
        origin: format!("minimised for {name}"),
        notes: vec![("shows".into(), shows.clone())],
        ..Meta::default()
    };
    let mut writer = Writer::create(&options.out, meta)?;
    smaller.iter().try_for_each(|event| writer.push(event))?;
    let summary = writer.finish()?;
    Ok(Minimised {
        shows,
        blocks_before: all.len(),
        blocks: kept.len(),
        tried,
        unfinished,
        summary,
    })
}

/// One question, asked of many traces.
struct Trial {
    arm: Arm,
    noop: Arm,
    workload: Workload,
    goal: Goal,
}

impl Trial {
    fn of(&self, events: &[Event]) -> Result<Shown> {
        let source = Source::Events(Arc::from(events));
        let workload = Workload { source, ..self.workload.clone() };
        let found = match self.goal {
            Goal::Failure => self.failure(&workload),
            Goal::Fragmentation(_) => self.ratio(&workload),
        };
        match found {
            Ok(shown) => Ok(shown),
            Err(Stopped::Row(outcome)) => Ok(Shown::Failure(how(&outcome))),
            Err(Stopped::Run(failure)) => Err(failure),
        }
    }

    fn failure(&self, workload: &Workload) -> Result<Shown, Stopped> {
        let work = workload.prepare_at(At::End)?;
        if let Outcome::Corrupted { violations } = check::check(&self.arm, &work.plain)?
            && let Some(Violation { kind, .. }) = violations.first()
        {
            let kind = serde_json::to_string(kind).unwrap_or_default();
            return Ok(Shown::Failure(kind.trim_matches('"').to_owned()));
        }
        // What crashes where nobody judges need not crash under the judge.
        time::sample(&self.arm, &work.plain, Touch::All)?;
        Ok(Shown::Nothing)
    }

    fn ratio(&self, workload: &Workload) -> Result<Shown, Stopped> {
        let work = workload.prepare_at(At::Peak)?;
        let (_, floor) = memory::measure(&self.noop, &work, Touch::Pages, None, &NoIdle)?;
        let (row, _) = memory::measure(&self.arm, &work, Touch::Pages, Some(&floor), &NoIdle)?;
        Ok(row.peak_ratio.map_or(Shown::Nothing, Shown::Ratio))
    }
}

/// A failure without its place, which is another one in a smaller trace.
fn how(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Crashed { how, .. } => how.clone(),
        other => format!("{other:?}"),
    }
}
