//! One job: a workload on a fresh pool.

use super::subject::Held;
use super::{PoolSubject, cross, idle, judge, time};
use crate::interleaved::{Phase, guarded};
use serde::{Deserialize, Serialize};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// One block taken and given back, over and over.
    Pair,
    /// The same, and random replacement, with 2000 blocks held.
    Held,
    /// 1000 blocks taken, then given back.
    Batch,
    /// One thread takes, another gives back.
    Cross,
    /// What is kept after a burst.
    Idle,
    /// What blocks cost beyond their bytes.
    Waste,
    /// Every block's place and contents verified.
    Check,
}

impl Workload {
    /// The name in words and tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Held => "held",
            Self::Batch => "batch",
            Self::Cross => "cross",
            Self::Idle => "idle",
            Self::Waste => "waste",
            Self::Check => "check",
        }
    }

    /// What it does, in a line.
    pub(crate) const fn explain(self) -> &'static str {
        match self {
            Self::Pair => "one block of 64 B taken and given back",
            Self::Held => "the same, and a random block replaced, while 2000 are held",
            Self::Batch => "1000 blocks taken, then given back in their order; ns a block",
            Self::Cross => "one thread takes, another gives back; ns a block",
            Self::Idle => {
                "blocks that stay, a burst given back at random; bytes kept of the system's memory"
            }
            Self::Waste => {
                "% of the blocks' bytes that the system's memory has on top; % not reused"
            }
            Self::Check => "every block's place and contents verified",
        }
    }

    /// Whether several threads do it beside each other.
    pub(crate) const fn scales(self) -> bool {
        matches!(self, Self::Pair | Self::Held)
    }
}

/// What one job is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub(crate) workload: Workload,
    pub(crate) threads: usize,
    /// Calls under the clock for each thread and kind, about; calls of `check`.
    pub(crate) operations: usize,
    /// Blocks of a burst.
    pub(crate) burst: usize,
    pub(crate) seed: u64,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "of")]
pub enum Measured {
    /// Nanoseconds a call, as each thread has them.
    Time {
        /// Of each kind of call.
        nanos: Vec<Phase>,
    },
    /// Figures of memory.
    Memory {
        /// In the order of the table.
        figures: Vec<Figure>,
    },
    /// What the judge saw.
    Check(Found),
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is of.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// `None` where the pool has none.
    pub value: Option<f64>,
}

/// What a figure is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Parts of a hundred.
    Percent,
}

/// What the judge saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Blocks handed out.
    pub blocks: u64,
    /// Blocks that somebody had at that time.
    pub twice: u64,
    /// Blocks that held something else than what was written.
    pub changed: u64,
    /// Blocks that were not aligned.
    pub misaligned: u64,
    /// What its own check said, where it found something.
    pub invalid: Option<String>,
}

impl Found {
    /// Whether all was as it must be.
    pub fn sound(&self) -> bool {
        self.twice + self.changed + self.misaligned == 0 && self.invalid.is_none()
    }

    /// What was wrong, in words.
    pub(crate) fn words(&self) -> String {
        let counts = [
            (self.twice, "blocks handed out twice"),
            (self.changed, "blocks with changed contents"),
            (self.misaligned, "blocks misaligned"),
        ];
        let told = counts.iter().filter(|(count, _)| *count > 0);
        let mut words: Vec<String> = told.map(|(count, word)| format!("{count} {word}")).collect();
        words.extend(self.invalid.clone());
        words.join(", ")
    }
}

/// Begins the words of a job that asks for more than the pool offers.
pub(super) const CANNOT: &str = "it cannot";

/// Blocks that a pool must have for a job.
pub(super) fn pool<P: PoolSubject>(capacity: usize) -> Result<P, String> {
    if capacity > P::MOST {
        return Err(format!("{CANNOT} have {capacity} blocks"));
    }
    P::new(capacity).ok_or_else(|| format!("no pool of {capacity} blocks"))
}

/// Runs a job on a pool for one thread. For [`Entry`](super::Entry) alone.
///
/// # Errors
///
/// Why there is no figure, in words: the pool cannot do it, or gave up.
#[doc(hidden)]
pub fn enter<P: PoolSubject>(job: &Job) -> Result<Measured, String> {
    guarded(|| {
        if !P::FREES && !matches!(job.workload, Workload::Batch | Workload::Waste) {
            return Err(format!("{CANNOT} take single blocks back"));
        }
        match job.workload {
            _ if job.threads > 1 => Err(format!("{CANNOT} be shared")),
            Workload::Cross => Err(format!("{CANNOT} be shared")),
            Workload::Pair => time::alone::<P>(job, time::pair::<P>),
            Workload::Held => time::alone::<P>(job, time::held::<P>),
            Workload::Batch => time::alone::<P>(job, time::batch::<P>),
            Workload::Idle => idle::idle::<P>(job),
            Workload::Waste => idle::waste::<P>(job),
            Workload::Check => judge::alone::<P>(job),
        }
    })
}

/// Runs a job on a pool that threads share. For [`Entry`](super::Entry) alone.
///
/// # Errors
///
/// As for [`enter`].
#[doc(hidden)]
pub fn enter_shared<P: PoolSubject + Sync>(job: &Job) -> Result<Measured, String>
where
    for<'a> Held<'a, P>: Send,
{
    match job.workload {
        Workload::Pair if job.threads > 1 => time::together::<P>(job, time::pair::<P>),
        Workload::Held if job.threads > 1 => time::together::<P>(job, time::held::<P>),
        Workload::Cross => cross::run::<P>(job),
        Workload::Check => guarded(|| judge::together::<P>(job)),
        _ => enter::<P>(job),
    }
}
