//! One workload on one subject: the commands `replay` and `map`.

use super::arm::Arm;
use super::grid::{empty, ideal};
use super::memory::Look;
use super::plan::{IDEAL, one};
use super::process::Stopped;
use super::quiet::VOID_STALL;
use super::turns::Turns;
use super::workload::{At, Prepared, Workload};
use super::{callgrind, check, memory, time};
use crate::child::Touch;
use crate::error::{Failure, Result};
use crate::results::statistics::median;
use crate::results::{Checkpoint, HeapMap, Outcome, Row, Threads, TimeRow};

/// What `replay` does.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// A trace file or a built-in workload.
    pub workload: String,
    /// The subject's name.
    pub subject: String,
    /// How to replay; the workload's own way if not said.
    pub threads: Option<Threads>,
    /// Replay under the judge instead of measuring.
    pub check: bool,
    /// Count instructions too.
    pub instructions: bool,
    /// Timed repetitions.
    pub repeat: usize,
    /// Stops of the memory pass.
    pub checkpoints: usize,
    /// What is written into new blocks.
    pub touch: Touch,
    /// Whether to probe what the free memory at the peak can serve.
    pub absorption: bool,
    /// Whether to wait ten seconds once all is freed.
    pub ten_seconds: bool,
}

/// Replays one workload on one subject.
///
/// # Errors
///
/// When the words are unusable; a crash or a violation is the row's outcome.
pub fn replay(options: &ReplayOptions) -> Result<Row> {
    let workload = Workload::find(&options.workload, options.threads)?;
    // Before the scripts, so that a subject that cannot be had is told at once.
    let arm = Some(&options.subject).filter(|name| *name != IDEAL).map(|name| one(name));
    let arm = arm.transpose()?;
    steady_addresses();
    let work = workload.prepare(options.checkpoints)?;
    if work.is_kernel() && (options.check || options.subject == IDEAL) {
        return Err(workload.not_replayed());
    }
    let Some(arm) = arm else { return Ok(ideal(&work)) };
    let mut row = empty(&arm, &work);
    row.outcome = match fill(&mut row, options, &arm, &work) {
        Ok(outcome) => outcome,
        Err(Stopped::Row(outcome)) => outcome,
        Err(Stopped::Run(failure)) => return Err(failure),
    };
    Ok(row)
}

fn fill(
    row: &mut Row,
    options: &ReplayOptions,
    arm: &Arm,
    work: &Prepared,
) -> Result<Outcome, Stopped> {
    if options.check {
        return check::check(arm, &work.plain);
    }
    let mut samples = Vec::new();
    let mut stalls = Vec::new();
    for _ in 0..options.repeat {
        let sample = time::sample(arm, &work.plain, options.touch)?;
        samples.push(sample.nanos);
        stalls.extend(sample.stall_share);
        row.harness_calls = row.harness_calls.max(Some(sample.heap_calls));
    }
    let stall_share = median(stalls);
    row.time = median(samples.clone()).map(|median| TimeRow {
        median,
        samples,
        to_system: None,
        stall_share,
        void: stall_share.is_some_and(|share| share > VOID_STALL),
        disturbed: None,
        peak: None,
    });
    if !work.is_kernel() {
        let look = Look {
            touch: options.touch,
            absorption: options.absorption,
            ten_seconds: options.ten_seconds,
        };
        row.memory = Some(measure(arm, work, look)?);
    }
    if options.instructions {
        match callgrind::instructions(arm, &work.plain, options.touch) {
            Ok(count) => row.instructions = Some(count),
            Err(Stopped::Row(Outcome::NotAvailable { reason })) => {
                row.instructions_missing = Some(reason);
            }
            Err(other) => return Err(other),
        }
    }
    Ok(Outcome::Ok)
}

/// The memory of one arm, against the no-op child's.
fn measure(
    arm: &Arm,
    work: &Prepared,
    look: impl Into<Look>,
) -> Result<crate::results::MemoryRow, Stopped> {
    let look = look.into();
    let turns = Turns::new();
    let noop = one("noop")?;
    let (row, floor) = memory::measure(&noop, work, look, None, &turns)?;
    if arm.subject == "noop" {
        return Ok(row);
    }
    Ok(memory::measure(arm, work, look, Some(&floor), &turns)?.0)
}

/// What `map` does.
#[derive(Clone, Debug)]
pub struct MapOptions {
    /// A trace file or a built-in workload.
    pub workload: String,
    /// The subject's name.
    pub subject: String,
    /// How to replay; the workload's own way if not said.
    pub threads: Option<Threads>,
    /// Where in the trace.
    pub at: At,
    /// What is written into new blocks.
    pub touch: Touch,
    /// Whether to probe what the free memory there can serve.
    pub absorption: bool,
}

/// The heap of one subject at one place of a workload: its map, the checkpoint, its row.
///
/// # Errors
///
/// When the words are unusable or the subject crashes.
pub fn map(options: &MapOptions) -> Result<(HeapMap, Checkpoint, Row)> {
    let mut row = map_row(options)?;
    let memory = row.memory.as_mut();
    match memory.and_then(|memory| memory.maps.pop().zip(memory.checkpoints.pop())) {
        Some((map, checkpoint)) => Ok((map, checkpoint, row)),
        None => Err(Failure::input(format!("{} has no record to stop at", options.workload))),
    }
}

/// The row of one subject whose only checkpoint is at one place of a workload.
pub(crate) fn map_row(options: &MapOptions) -> Result<Row> {
    if options.subject == IDEAL {
        return Err(Failure::input("ideal is computed and has no heap: name another subject"));
    }
    let workload = Workload::find(&options.workload, options.threads)?;
    let arm = one(&options.subject)?;
    steady_addresses();
    let work = workload.prepare_at(options.at)?;
    let mut row = empty(&arm, &work);
    let look = Look { absorption: options.absorption, ..options.touch.into() };
    row.memory = Some(match measure(&arm, &work, look) {
        Ok(memory) => memory,
        Err(Stopped::Run(failure)) => return Err(failure),
        Err(Stopped::Row(outcome)) => {
            let name = &options.subject;
            return Err(Failure::subject(match outcome {
                Outcome::Crashed { how, record: Some(record) } => {
                    format!("{name} {how} at record {record}")
                }
                Outcome::Crashed { how, record: None } => format!("{name} {how}"),
                other => format!("{name} cannot be measured: {other:?}"),
            }));
        }
    });
    Ok(row)
}

/// Switches address randomisation off for the children, so that two runs give the same addresses.
pub(crate) fn steady_addresses() {
    // SAFETY: changes the personality of this process only; children inherit it.
    unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
}
