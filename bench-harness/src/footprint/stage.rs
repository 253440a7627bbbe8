//! The child's side: the entry, and what every scenario does its readings with.

use super::blocks::{Block, table};
use super::dirty::private_dirty;
use super::job::{JOB, Job, Measured, Round, Sample};
use super::{Scenario, flow, rounds, spike};
use crate::child::channel::UNUSABLE;
use crate::subject::Subject;
use std::io;
use std::io::Write;

/// Samples that fit: an hour of one a second.
const SAMPLES: usize = 1 << 12;
/// Named points and named values that fit.
const NAMED: usize = 8;
/// Rounds that fit.
const ROUNDS: usize = 64;

/// Runs the footprint job that this process was started for, on `subject`; the exit status. `None`
/// in every other process.
pub(crate) fn enter<S: Subject>(subject: &'static S) -> Option<i32> {
    let value = std::env::var(crate::heap::CHILD_VARIABLE.to_str().ok()?).ok()?;
    let job = value.strip_prefix(JOB)?;
    let outcome = serde_json::from_str(job).map_err(io::Error::other).and_then(|job| {
        let measured = play(subject, job)?;
        let text = serde_json::to_string(&measured)?;
        io::stdout().write_all(text.as_bytes())
    });
    Some(match outcome {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("strata-bench child: {error}");
            UNUSABLE
        }
    })
}

fn play<S: Subject>(subject: &'static S, job: Job) -> io::Result<Measured> {
    let mut stage = Stage::new(subject, job)?;
    let stage = &mut stage;
    match job.scenario {
        Scenario::Idle => stage.begin().map(drop),
        Scenario::Mixed => spike::mixed_in_order(stage),
        Scenario::MixedShuffled => spike::mixed_shuffled(stage),
        Scenario::Spike64 => spike::equal(stage),
        Scenario::Random90 => spike::random(stage),
        Scenario::ThreadChurn => rounds::thread_churn(stage),
        Scenario::Batches8k => rounds::batches(stage),
        Scenario::Cyclic => rounds::cyclic(stage),
        Scenario::FreeOnly => flow::free_only(stage),
        Scenario::Soak => flow::soak(stage),
    }?;
    Ok(stage.measured())
}

/// What a scenario plays on.
///
/// Nothing of it is allocated once the scenario has begun: where the subject is the global
/// allocator, that would be the subject's.
pub(super) struct Stage<S: 'static> {
    pub(super) subject: &'static S,
    pub(super) job: Job,
    idle: u64,
    points: Named<u64>,
    values: Named<f64>,
    samples: Listed<Sample>,
    rounds: Listed<Round>,
}

type Named<T> = [Option<(&'static str, T)>; NAMED];

/// A table filled from its start.
struct Listed<T: 'static> {
    table: &'static mut [T],
    used: usize,
}

impl<T: Copy> Listed<T> {
    /// Adds one more where there is room.
    fn push(&mut self, one: T) {
        if let Some(place) = self.table.get_mut(self.used) {
            *place = one;
            self.used += 1;
        }
    }

    fn to_vec(&self) -> Vec<T> {
        self.table[..self.used].to_vec()
    }
}

impl<S: Subject> Stage<S> {
    fn new(subject: &'static S, job: Job) -> io::Result<Self> {
        Ok(Self {
            subject,
            job,
            idle: 0,
            points: [None; NAMED],
            values: [None; NAMED],
            samples: Listed { table: table(SAMPLES)?, used: 0 },
            rounds: Listed { table: table(ROUNDS)?, used: 0 },
        })
    }

    /// Ends the preparations: everything of the harness is mapped and touched. Serves the first
    /// block and reads what the process has at idle. False where that was all that was asked.
    pub(super) fn begin(&mut self) -> io::Result<bool> {
        touch_stack();
        private_dirty()?;
        let block = Block::allocate(self.subject, 64, 1);
        // SAFETY: 1. it was just allocated.
        unsafe { block.free(self.subject) };
        self.idle = private_dirty()?;
        Ok(!self.job.base)
    }

    /// Reads at a named point.
    pub(super) fn point(&mut self, name: &'static str) -> io::Result<()> {
        let dirty = private_dirty()?;
        put(&mut self.points, name, dirty);
        Ok(())
    }

    /// Notes a value.
    pub(super) fn value(&mut self, name: &'static str, value: f64) {
        put(&mut self.values, name, value);
    }

    /// Reads a sample of the curve, in scenarios whose figures depend on it.
    pub(super) fn sample(&mut self, at: f64, live: u64) -> io::Result<()> {
        self.samples.push(Sample { at, dirty: private_dirty()?, live });
        Ok(())
    }

    /// Reads a sample of the curve where this child is there for the curve.
    pub(super) fn glance(&mut self, at: f64, live: u64) -> io::Result<()> {
        if self.job.curve { self.sample(at, live) } else { Ok(()) }
    }

    /// Notes a round.
    pub(super) fn round(&mut self, nanos: u64, faults: u64) {
        self.rounds.push(Round { nanos, faults });
    }

    fn measured(&self) -> Measured {
        Measured {
            idle: self.idle,
            points: listed(&self.points),
            values: listed(&self.values),
            curve: self.samples.to_vec(),
            rounds: self.rounds.to_vec(),
        }
    }
}

/// Touches more of the stack than anything later does.
#[inline(never)]
fn touch_stack() {
    let deep = [1_u8; 512 << 10];
    std::hint::black_box(&deep);
}

fn put<T>(into: &mut Named<T>, name: &'static str, value: T) {
    if let Some(place) = into.iter_mut().find(|place| place.is_none()) {
        *place = Some((name, value));
    }
}

fn listed<T: Copy>(named: &Named<T>) -> Vec<(String, T)> {
    named.iter().flatten().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}
