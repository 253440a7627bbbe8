//! The parent: sittings of children, one child after the other.

use super::crew::MOST;
use super::figures::{counts, gates};
use super::job::{JOB, Job, Measured};
use super::row::Row;
use super::{Load, SCHEMA};
use crate::error::Result;
use crate::footprint::answer;
use crate::results::Header;
use crate::run::{Arm, Others, Progress, Suite, arms, header, steady_addresses};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::time::Duration;

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) loads: Vec<Load>,
    /// Subjects by name; empty for those that this executable links.
    pub(crate) subjects: Vec<String>,
    /// Counts of threads; empty for 1, 2, twice the processors, 64.
    pub(crate) threads: Vec<usize>,
    pub(crate) sittings: usize,
    /// Rounds of a sitting.
    pub(crate) rounds: usize,
    /// How long a window is counted.
    pub(crate) millis: f64,
    /// How often a sitting is repeated at most because others were at work meanwhile.
    pub(crate) again: usize,
    /// Multiplies how far the control may stray from itself where a row is judged.
    pub(crate) noise: f64,
    /// The words of the command.
    pub(crate) command: String,
}

/// A sitting in which others took more than this share of the processors' time is repeated.
const DISTURBED: f64 = 0.04;

/// Orders are drawn from this.
const SEED: u64 = 1;

/// Runs every load on every subject.
pub(crate) fn run(options: &Options) -> Result<(Header, Vec<Row>)> {
    let mut arms = arms(&options.subjects, Suite::Quick)?;
    // The no-op's loads are arrays without an allocator, as the control is: only by name.
    let named = options.subjects.iter().any(|name| name == "noop");
    arms.retain(|arm| {
        (arm.subject != "noop" || named) && (!arm.description.calibration || named_of(arm, options))
    });
    steady_addresses();
    let threads = threads(&options.threads);
    let mut header = header(options.command.clone(), facts(options, &threads));
    header.schema = SCHEMA.into();
    let steps = options.loads.len() * options.sittings * arms.len();
    let progress = Progress::new("scaling", steps);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut rows = Vec::new();
    for &load in &options.loads {
        let mut found: Vec<Found> = vec![Found::default(); arms.len()];
        let mut order: Vec<usize> = (0..arms.len()).collect();
        for sitting in 0..options.sittings {
            order.shuffle(&mut random);
            for &index in &order {
                let arm = &arms[index];
                progress.at(format!("{} {}", load.name(), arm.label()));
                let (rounds, millis) = (options.rounds, options.millis);
                let seed = SEED + sitting as u64;
                let job = Job { load, threads: threads.clone(), rounds, millis, seed };
                found[index].sit(arm, &job, options.again)?;
                progress.done();
            }
        }
        for (arm, found) in arms.iter().zip(found) {
            let judged = gates(&threads, &found.all, options.noise);
            rows.push(Row {
                load,
                subject: arm.description.clone(),
                mode: arm.mode,
                profile: arm.profile.clone(),
                counts: counts(&threads, &found.all),
                gates: if found.failed.is_none() { judged } else { Vec::new() },
                disturbed: found.disturbed,
                failed: found.failed,
            });
        }
    }
    progress.finish();
    Ok((header, rows))
}

/// What the sittings of an arm found.
#[derive(Clone, Debug, Default)]
struct Found {
    all: Vec<Measured>,
    /// Sittings that stayed disturbed however often they were repeated.
    disturbed: usize,
    failed: Option<String>,
}

impl Found {
    /// One sitting, once more where others were at work meanwhile.
    fn sit(&mut self, arm: &Arm, job: &Job, again: usize) -> Result<()> {
        for again in (0..=again).rev() {
            if self.failed.is_some() {
                return Ok(());
            }
            let others = Others::begin();
            match measure(arm, job)? {
                Err(how) => self.failed = Some(how),
                Ok(measured) => {
                    let share = others.and_then(|others| others.share()).unwrap_or(0.0);
                    if share > DISTURBED && again > 0 {
                        continue;
                    }
                    self.disturbed += usize::from(share > DISTURBED);
                    self.all.push(measured);
                }
            }
            return Ok(());
        }
        Ok(())
    }
}

fn named_of(arm: &Arm, options: &Options) -> bool {
    options.subjects.contains(&arm.description.name)
}

fn facts(options: &Options, threads: &[usize]) -> Vec<(String, String)> {
    let counts: Vec<_> = threads.iter().map(ToString::to_string).collect();
    vec![
        ("threads".into(), counts.join(", ")),
        ("sittings".into(), options.sittings.to_string()),
        ("rounds of a sitting".into(), options.rounds.to_string()),
        ("milliseconds of a window".into(), options.millis.to_string()),
        ("seed".into(), SEED.to_string()),
    ]
}

/// The counts of threads in order, 1 and 2 among them: without these there is nothing to divide by.
fn threads(asked: &[usize]) -> Vec<usize> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let usual = [2 * processors, MOST];
    let asked = if asked.is_empty() { &usual[..] } else { asked };
    let mut all: Vec<usize> = [1, 2].iter().chain(asked).map(|&n| n.clamp(1, MOST)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// What a child counted, or how it failed, in words.
fn measure(arm: &Arm, job: &Job) -> Result<std::result::Result<Measured, String>> {
    let windows = ((3 * job.threads.len() + 1) * (job.rounds + 1)) as f64;
    let words = serde_json::to_string(job).unwrap_or_default();
    answer(arm, &format!("{JOB}{words}"), Duration::from_secs_f64(windows * job.millis / 500.0))
}

#[cfg(test)]
mod tests {
    use super::threads;

    #[test]
    fn one_and_two_threads_are_always_there_and_none_twice() {
        assert_eq!(threads(&[2, 900, 3, 3]), [1, 2, 3, 64]);
        assert!(threads(&[]).starts_with(&[1, 2]) && threads(&[]).ends_with(&[64]));
    }
}
