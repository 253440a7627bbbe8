//! Everything about a trace in figures.

mod display;

use super::live::LiveSet;
use super::{Event, Op, Reader};
use crate::error::{Failure, Result};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What [`info()`] finds out; [`std::fmt::Display`] makes it a text of several lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Info {
    /// The file's name.
    pub name: String,
    /// Its format and version in words.
    pub format: String,
    /// Why the figures are of a part only, where the file was cut off.
    pub cut_off: Option<String>,
    /// The recorded program's command line.
    pub program: String,
    /// How it was recorded.
    pub origin: String,
    /// Other notes in the file.
    pub notes: Vec<(String, String)>,
    /// Resolution of the times in nanoseconds.
    pub nanos_per_tick: u64,
    /// From the start of the recording to the latest event.
    pub duration_nanos: u64,
    /// Events by kind.
    pub counts: Counts,
    /// Threads that appear in any way.
    pub threads: u64,
    /// Most threads alive at a time, each from its first event to its exit.
    pub threads_alive_peak: u64,
    /// Frees of a block that another thread allocated.
    pub cross_frees: u64,
    /// Reallocs of a block that another thread allocated.
    pub cross_reallocs: u64,
    /// Sizes asked for by allocations.
    pub sizes: Option<Percentiles>,
    /// Alignments asked for, by rising alignment, the entry points that have none first.
    pub alignments: Vec<AlignmentShare>,
    /// Records from a block's allocation to its free, of freed blocks.
    pub lifetime_records: Option<Percentiles>,
    /// The same in nanoseconds.
    pub lifetime_nanos: Option<Percentiles>,
    /// Greatest sum of the sizes of live blocks.
    pub peak_bytes: u64,
    /// The record, from 0, after which it is first reached.
    pub peak_record: u64,
    /// Live blocks at that record.
    pub peak_bytes_blocks: u64,
    /// Greatest number of live blocks at any record.
    pub peak_blocks: u64,
    /// Bytes never freed.
    pub left_bytes: u64,
    /// Blocks never freed.
    pub left_blocks: u64,
}

/// Events by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub events: u64,
    /// Allocations, zeroed or not.
    pub allocate: u64,
    /// Of these, zeroed ones.
    pub zeroed: u64,
    /// Reallocs.
    pub reallocate: u64,
    /// Frees.
    pub free: u64,
    /// Starts of a thread, as seen by the thread that starts it.
    pub spawn: u64,
    /// Starts of a thread, as seen by itself.
    pub start: u64,
    /// Ends of a thread.
    pub exit: u64,
    /// Waits for a thread's end.
    pub join: u64,
}

/// Order statistics, right to three digits; the greatest is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    /// The median.
    pub p50: u64,
    /// Nine in ten are no greater.
    pub p90: u64,
    /// 99 in 100 are no greater.
    pub p99: u64,
    /// The greatest.
    pub max: u64,
}

/// How often one alignment was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlignmentShare {
    /// Its binary logarithm; `None` where the entry point has no alignment.
    pub align_log2: Option<u8>,
    /// Allocations.
    pub count: u64,
}

/// Reads a trace to its end. Memory is bounded by the live blocks and the threads.
///
/// # Errors
/// Where the trace is damaged or breaks the contract that its events keep.
pub fn info(mut reader: Reader) -> Result<Info> {
    let mut tally = Tally::new();
    let name = reader.name().to_owned();
    for event in &mut reader {
        let event = event?;
        tally.add(&event).map_err(|flaw| {
            Failure::input(format!(
                "{name} is damaged: event {} (seq {}, thread {}): {flaw}; record it again",
                tally.live.totals().events,
                event.seq,
                event.thread.0
            ))
        })?;
    }
    let meta = reader.meta();
    Ok(Info {
        name: reader.name().into(),
        format: reader.format_version(),
        cut_off: reader.cut_off(),
        program: meta.program.clone(),
        origin: meta.origin.clone(),
        notes: meta.notes.clone(),
        nanos_per_tick: meta.nanos_per_tick,
        ..tally.done()
    })
}

/// The figures as they grow.
struct Tally {
    live: LiveSet,
    info: Info,
    sizes: Distribution,
    lifetime_records: Distribution,
    lifetime_nanos: Distribution,
    alive: HashSet<u32>,
    /// Allocations by binary logarithm of the alignment; the last entry is of those without.
    alignments: [u64; 65],
}

impl Tally {
    fn new() -> Self {
        Self {
            live: LiveSet::new(),
            info: Info::default(),
            sizes: Distribution::new(),
            lifetime_records: Distribution::new(),
            lifetime_nanos: Distribution::new(),
            alive: HashSet::new(),
            alignments: [0; 65],
        }
    }

    fn add(&mut self, event: &Event) -> Result<(), String> {
        let record = self.live.totals().events;
        let before = self.live.apply(event)?;
        let Counts { events, allocate, zeroed, reallocate, free, spawn, start, exit, join } =
            &mut self.info.counts;
        *events += 1;
        self.alive.insert(event.thread.0);
        self.info.threads_alive_peak = self.info.threads_alive_peak.max(self.alive.len() as u64);
        match event.op {
            Op::Allocate { size, align_log2, zeroed: is_zeroed, .. } => {
                *allocate += 1;
                *zeroed += u64::from(is_zeroed);
                self.sizes.add(size);
                self.alignments[align_log2.map_or(64, usize::from)] += 1;
                self.info.peak_blocks = self.info.peak_blocks.max(self.live.len() as u64);
            }
            Op::Reallocate { block, .. } => {
                *reallocate += 1;
                self.info.cross_reallocs += u64::from(block.thread != event.thread);
            }
            Op::Free { block } => {
                *free += 1;
                self.info.cross_frees += u64::from(block.thread != event.thread);
                if let Some(block) = before {
                    self.lifetime_records.add(record - block.born_record);
                    self.lifetime_nanos.add(event.nanos.saturating_sub(block.born_nanos));
                }
            }
            Op::Spawn { .. } => *spawn += 1,
            Op::Start => *start += 1,
            Op::Exit => {
                *exit += 1;
                self.alive.remove(&event.thread.0);
            }
            Op::Join { .. } => *join += 1,
        }
        Ok(())
    }

    fn done(self) -> Info {
        let totals = self.live.totals();
        let order = std::iter::once(64).chain(0..64);
        let alignments = order.filter(|log2| self.alignments[*log2] > 0).map(|log2| {
            let align_log2 = (log2 < 64).then_some(log2 as u8);
            AlignmentShare { align_log2, count: self.alignments[log2] }
        });
        Info {
            duration_nanos: totals.duration_nanos,
            threads: u64::from(totals.threads),
            sizes: self.sizes.percentiles(),
            alignments: alignments.collect(),
            lifetime_records: self.lifetime_records.percentiles(),
            lifetime_nanos: self.lifetime_nanos.percentiles(),
            peak_bytes: totals.peak_bytes,
            peak_record: totals.peak_record,
            peak_bytes_blocks: totals.peak_blocks,
            left_bytes: self.live.bytes(),
            left_blocks: self.live.len() as u64,
            ..self.info
        }
    }
}

/// A histogram that keeps its greatest value exactly.
struct Distribution {
    histogram: Histogram<u64>,
    max: u64,
}

impl Distribution {
    /// Greater values count as this; nothing real is greater.
    const REACH: u64 = 1 << 60;

    fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, Self::REACH, 3).expect("bounds are allowed");
        Self { histogram, max: 0 }
    }

    fn add(&mut self, value: u64) {
        self.histogram.saturating_record(value);
        self.max = self.max.max(value);
    }

    fn percentiles(&self) -> Option<Percentiles> {
        let at = |q| self.histogram.lowest_equivalent(self.histogram.value_at_quantile(q));
        (!self.histogram.is_empty()).then(|| Percentiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: self.max,
        })
    }
}
