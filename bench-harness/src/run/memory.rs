//! The memory pass: a child that stops at every checkpoint, and what its parent reads there.

use super::arm::Arm;
use super::process::{Job, Running, Stopped};
use super::workload::Prepared;
use crate::child::Touch;
use crate::child::channel::{PROBE, Word};
use crate::child::control::Pass;
use crate::error::Context;
use crate::memory::scan::Scanner;
use crate::memory::strides::Strides;
use crate::memory::{Baseline, Reading, absorption, classes, gaps, heap_map, read};
use crate::results::{Absorption, Checkpoint, MemoryRow, Residue, Threads, Waterfall};
use crate::script::Script;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Readings of the no-op child, by stop: checkpoints first, then the three of draining.
#[derive(Clone, Debug, Default)]
pub(crate) struct Floor {
    stops: Vec<Baseline>,
}

/// Finds the strides of a subject's layouts.
pub(crate) fn strides(arm: &Arm, script: &Script) -> Result<Strides, Stopped> {
    let job =
        Job { pass: Pass::Stride, touch: Touch::None, repeat: 1, processor: -1, asked: false };
    let table = Running::start(arm, script, job)?.through()?;
    Ok(Strides::take(&table))
}

/// What a memory pass looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// What is written into new blocks.
    pub(crate) touch: Touch,
    /// Whether to probe at the peak what the free memory can serve; serial replays only.
    pub(crate) absorption: bool,
    /// Whether to wait ten seconds once all is freed.
    pub(crate) ten_seconds: bool,
}

impl From<Touch> for Look {
    fn from(touch: Touch) -> Self {
        Self { touch, absorption: false, ten_seconds: false }
    }
}

/// Runs `quietly` while nothing of this child needs a processor.
pub(crate) trait Idle {
    /// Calls `quietly` with the processor given up meanwhile.
    fn idle(&self, quietly: &mut dyn FnMut());
}

/// One memory pass. Without a `floor` the child's own reading before its first call is taken off
/// instead, which is how the no-op subject is read; the new floor is returned.
pub(crate) fn measure(
    arm: &Arm,
    work: &Prepared,
    look: impl Into<Look>,
    floor: Option<&Floor>,
    turn: &impl Idle,
) -> Result<(MemoryRow, Floor), Stopped> {
    let look = look.into();
    let touch = look.touch;
    let strides = strides(arm, &work.stops)?;
    let job = Job { pass: Pass::Memory, touch, repeat: 1, processor: -1, asked: false };
    let mut child = Running::start(arm, &work.stops, job)?;
    child.expect(Word::Ready)?;
    let failed = || "cannot read the memory of a child (is /proc mounted and readable?)".to_owned();
    let mut scanner = Scanner::new(child.pid()).context(failed)?;
    let control = child.table.control();
    scanner.leave_out(control.stacks_start.load(Relaxed), control.stacks_end.load(Relaxed));
    let first = Baseline::now(&mut scanner).context(failed)?;
    let mut stops = Vec::new();
    let mut row = MemoryRow { peak: work.peak, page_bytes: 4096, ..MemoryRow::default() };
    let last = work.stops.expected.len() - 1;
    child.answer();
    for (index, expected) in work.stops.expected.iter().enumerate() {
        child.expect(Word::Checkpoint)?;
        let baseline = floor.map_or(first, |floor| floor.stops[index]);
        let mut reading = read(&mut scanner, &child.table, &strides, baseline).context(failed)?;
        stops.push(reading.total);
        reading.checkpoint.record = expected.record;
        reading.checkpoint.label = label(index, work.peak, last);
        if index == work.peak {
            at_peak(&mut row, &reading, &scanner, &child).context(failed)?;
            if look.absorption && floor.is_some() {
                row.absorption = Some(absorbed(&mut child, work, &reading)?);
            }
        }
        if index == work.peak || index == last {
            row.maps.push(heap_map(&reading, child.table.history(), index));
        }
        row.checkpoints.push(reading.checkpoint);
        child.answer();
    }
    let mut residue = Residue::default();
    for stage in 0..3 {
        let supported = child.expect([Word::Drained, Word::Paired, Word::Purged][stage])? == 1;
        let now = Baseline::now(&mut scanner).context(failed)?;
        let baseline = floor.map_or(first, |floor| floor.stops[work.stops.expected.len() + stage]);
        let left = |now: Baseline| now.scanned.saturating_sub(baseline.scanned);
        match stage {
            0 => {
                residue.at_once = left(now);
                let mut after = |seconds| {
                    turn.idle(&mut || std::thread::sleep(Duration::from_secs(seconds)));
                    Baseline::now(&mut scanner).context(failed).map(left)
                };
                residue.after_idle = Some(after(1)?);
                residue.after_ten = look.ten_seconds.then(|| after(9)).transpose()?;
            }
            1 => residue.after_pairs = Some(left(now)),
            _ => residue.after_purge = supported.then(|| left(now)),
        }
        stops.push(now);
        child.answer();
    }
    child.expect(Word::Finished)?;
    child.finish()?;
    row.residue = Some(residue);
    // Of the no-op child only the harness's own memory is read: no ratio to live bytes means anything.
    if floor.is_some() {
        ratios(&mut row);
    } else {
        (row.internal, row.gaps, row.internal_exact) = (None, None, false);
        row.classes.clear();
    }
    Ok((row, Floor { stops }))
}

/// As many passes as `runs` says of a serial workload, one of others: the first one's figures, and
/// whether the others repeat them.
pub(crate) fn measure_repeatedly(
    arm: &Arm,
    work: &Prepared,
    look: Look,
    floor: Option<&Floor>,
    turn: &impl Idle,
    runs: usize,
) -> Result<(MemoryRow, Floor), Stopped> {
    let (mut row, own) = measure(arm, work, look, floor, turn)?;
    if work.facts.threads == Threads::Serial {
        for _ in 1..runs {
            let (again, _) = measure(arm, work, look.touch, floor, turn)?;
            row.deterministic = Some(row.deterministic.unwrap_or(true) && row.agrees(&again));
        }
    }
    Ok((row, own))
}

fn label(index: usize, peak: usize, last: usize) -> Option<String> {
    match () {
        () if index == peak => Some("peak".into()),
        () if index == last => Some("end".into()),
        () => None,
    }
}

/// Has the child, which stands at a checkpoint, probe its free memory.
fn absorbed(
    child: &mut Running,
    work: &Prepared,
    reading: &Reading,
) -> Result<Absorption, Stopped> {
    if work.facts.threads != Threads::Serial {
        return Ok(Absorption::missing("other threads' caches are out of a forked child's reach"));
    }
    let resident = child.table.resident();
    for index in 0..reading.pages.len() {
        resident.mark(reading.pages.number(index) as usize * 4096, 4096);
    }
    child.say(PROBE);
    child.expect(Word::Probed)?;
    Ok(absorption(child.table.control(), &reading.checkpoint))
}

fn at_peak(
    row: &mut MemoryRow,
    reading: &Reading,
    scanner: &Scanner,
    child: &Running,
) -> std::io::Result<()> {
    row.gaps = Some(gaps(&reading.blocks, &scanner.mappings()?));
    row.classes = classes(reading);
    let control = child.table.control();
    if control.has_free_ranges.load(Relaxed) == 1 {
        let (total, largest) =
            (control.free_bytes.load(Relaxed), control.largest_free.load(Relaxed));
        row.external_exact = (total > 0).then(|| 1.0 - largest as f64 / total as f64);
    }
    row.internal_exact = control.has_usable.load(Relaxed) == 1;
    let usable: u64 = reading.blocks.iter().map(|block| block.usable).sum();
    row.internal = (usable > 0).then(|| 1.0 - reading.checkpoint.live_bytes as f64 / usable as f64);
    Ok(())
}

/// Fills in the ratios from the checkpoints.
pub(crate) fn ratios(row: &mut MemoryRow) {
    let over =
        |bytes: u64, live: u64| (live >= MemoryRow::MEANINGFUL).then(|| bytes as f64 / live as f64);
    if let Some(peak) = row.checkpoints.get(row.peak) {
        row.peak_ratio = over(peak.resident, peak.live_bytes);
        row.peak_ratio_less_lazy =
            over(peak.resident.saturating_sub(peak.lazy_free), peak.live_bytes);
    }
    let sum = |of: fn(&Checkpoint) -> u64| row.checkpoints.iter().map(of).sum::<u64>();
    let greatest = |of: fn(&Checkpoint) -> u64| row.checkpoints.iter().map(of).max().unwrap_or(0);
    let live = greatest(|c| c.live_bytes);
    row.max_ratio = over(greatest(|c| c.resident), live);
    row.mean_ratio =
        row.max_ratio.map(|_| sum(|c| c.resident) as f64 / sum(|c| c.live_bytes).max(1) as f64);
}

/// The computed ideal: perfect compaction, every live byte resident, rounded up to a page.
pub(crate) fn ideal(work: &Prepared) -> MemoryRow {
    let last = work.stops.expected.len() - 1;
    let checkpoints = work.stops.expected.iter().enumerate().map(|(index, expected)| {
        let live = expected.live_bytes;
        let resident = live.next_multiple_of(4096);
        let full = resident / 4096;
        Checkpoint {
            record: expected.record,
            label: label(index, work.peak, last),
            live_bytes: live,
            live_blocks: expected.live_blocks,
            usable_bytes: Some(live),
            header_bytes: Some(0),
            pinned_bytes: resident,
            pinned_huge_bytes: live.next_multiple_of(2 << 20),
            resident,
            kernel: resident as i64,
            waterfall: Waterfall {
                live,
                rounding: resident - live,
                headers: Some(0),
                ..Waterfall::default()
            },
            proportional: resident,
            occupancy: [0, 0, 0, 0, 0, 0, 0, 0, 0, full],
            ..Checkpoint::default()
        }
    });
    let mut row = MemoryRow {
        checkpoints: checkpoints.collect(),
        peak: work.peak,
        internal: Some(0.0),
        internal_exact: true,
        residue: Some(Residue {
            at_once: 0,
            after_idle: Some(0),
            after_ten: Some(0),
            after_pairs: Some(0),
            after_purge: Some(0),
        }),
        page_bytes: 4096,
        ..MemoryRow::default()
    };
    ratios(&mut row);
    row
}
