//! The heap's figures for the program's monitoring, by whatever recorder of the crate `metrics` it has.

use std::string::ToString;
use std::vec::Vec;

use metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder, Unit, with_recorder};
use strata_core::ByteCount;

use crate::class::CLASSES;
use crate::{ClassReport, MemoryUsage, Report, SegregatedAlloc};

/// The process heap's figures as gauges and counters of the crate `metrics`, told when the program says so:
/// nothing here has a thread or a timer.
///
/// | gauge | is |
/// |---|---|
/// | `strata_heap_requested_bytes` | what the program asked for and has not freed; with the feature `stats` |
/// | `strata_heap_allocated_bytes` | the blocks that it got for them |
/// | `strata_heap_active_bytes` | spans and large blocks, whole |
/// | `strata_heap_purged_bytes` | of those, pages that were never touched or were given back |
/// | `strata_heap_cached_bytes` | what is kept without a block |
/// | `strata_heap_metadata_bytes` | the heap's own tables |
/// | `strata_heap_committed_bytes` | what the system backs: active without purged, cached and metadata |
/// | `strata_heap_reserved_bytes` | address space |
/// | `strata_heap_holes_bytes` | free blocks on pages that taken blocks hold |
/// | `strata_heap_stocked_bytes` | blocks that threads keep ready, large ones too |
/// | `strata_heap_large_bytes` | blocks above the classes, those that threads keep ready included |
/// | `strata_heap_large_blocks` | how many these are |
/// | `strata_heap_spans` | spans of all classes |
/// | `strata_heap_budget_bytes` | what may be kept without a live block |
/// | `strata_heap_learned_bytes` | the part of the budget that the program taught |
/// | `strata_heap_internal_fragmentation` | 0 to 1, of the blocks what nobody asked for; with the feature `stats` |
/// | `strata_heap_external_fragmentation` | 0 to 1, of pages with taken blocks of classes what is holes |
/// | `strata_process_resident_bytes` | resident memory of the process |
/// | `strata_process_external_bytes` | of it, what is not the heap's, at least |
/// | `strata_process_limit_bytes` | the least limit of its control group and those above |
/// | `strata_process_high_bytes` | the least `memory.high` of these |
/// | `strata_process_group_bytes` | what its control group takes |
///
/// | counter | counts |
/// |---|---|
/// | `strata_heap_purges_total` | purges, each a call of the system's |
/// | `strata_heap_given_back_bytes_total` | bytes of them |
/// | `strata_process_minor_faults_total` | page faults that needed no file |
/// | `strata_process_major_faults_total` | those that did |
///
/// | gauge of each class, [`with_classes`](Self::with_classes) | is |
/// |---|---|
/// | `strata_heap_class_live_blocks` | blocks that the program has |
/// | `strata_heap_class_stocked_blocks` | blocks that threads keep ready |
/// | `strata_heap_class_spans` | spans |
/// | `strata_heap_class_holes_bytes` | free blocks on pages that taken blocks hold |
///
/// A figure that is not kept or not told, such as a limit where there is none, has no gauge; a gauge whose figure
/// goes away reads NaN from then on.
///
/// The recorder is called while the heap is at rest, with no lock of it held: it may allocate, and call the heap as
/// any code may.
///
/// ```
/// use strata_segregated::Gauges;
///
/// // … install a recorder first: here there is none, and nothing happens …
/// let mut gauges = Gauges::new();
/// gauges.publish(); // and again whenever the program's interval has passed
/// ```
#[derive(Debug)]
pub struct Gauges {
    gauges: [Option<Gauge>; GAUGES.len()],
    counters: [Option<Counter>; COUNTERS.len()],
    /// By class, where they are wished for.
    classes: Vec<[Option<Gauge>; OF_CLASS.len()]>,
}

/// Where the figures come from.
struct Seen {
    report: Report,
    usage: MemoryUsage,
}

/// A figure of its source: its name, its unit, what it is.
struct Figure<S, V> {
    name: &'static str,
    unit: Unit,
    is: &'static str,
    of: fn(&S) -> Option<V>,
}

impl<S, V> Figure<S, V> {
    const fn new(
        name: &'static str,
        unit: Unit,
        is: &'static str,
        of: fn(&S) -> Option<V>,
    ) -> Self {
        Self { name, unit, is, of }
    }
}

fn bytes(figure: Option<ByteCount>) -> Option<f64> {
    figure.map(|bytes| bytes.get() as f64)
}

/// Bytes of blocks in stocks.
fn stocked(report: &Report) -> usize {
    let of_classes = report.classes.iter().map(|class| class.stocked * class.block_len);
    of_classes.sum::<usize>() + report.large.slotted
}

fn spans(report: &Report) -> usize {
    report.classes.iter().map(|class| class.spans).sum()
}

use Unit::{Bytes, Count};

/// The gauges. Fragmentation is a part of a whole, and its unit a count of one.
#[rustfmt::skip]
const GAUGES: [Figure<Seen, f64>; 22] = [
    Figure::new("strata_heap_requested_bytes", Bytes, "Asked for and not freed", |seen| bytes(seen.report.stats.requested)),
    Figure::new("strata_heap_allocated_bytes", Bytes, "Blocks of the program", |seen| bytes(seen.report.stats.allocated)),
    Figure::new("strata_heap_active_bytes", Bytes, "Spans and large blocks, whole", |seen| bytes(seen.report.stats.active)),
    Figure::new("strata_heap_purged_bytes", Bytes, "Pages without contents in active", |seen| bytes(seen.report.stats.purged)),
    Figure::new("strata_heap_cached_bytes", Bytes, "Kept without a block", |seen| bytes(seen.report.stats.cached)),
    Figure::new("strata_heap_metadata_bytes", Bytes, "The heap's own tables", |seen| bytes(seen.report.stats.metadata)),
    Figure::new("strata_heap_committed_bytes", Bytes, "Backed by the system", |seen| bytes(seen.report.stats.committed)),
    Figure::new("strata_heap_reserved_bytes", Bytes, "Address space", |seen| bytes(seen.report.stats.reserved)),
    Figure::new("strata_heap_holes_bytes", Bytes, "Free blocks on pages with taken ones", |seen| bytes(Some(seen.report.holes()))),
    Figure::new("strata_heap_stocked_bytes", Bytes, "Blocks that threads keep ready", |seen| Some(stocked(&seen.report) as f64)),
    Figure::new("strata_heap_large_bytes", Bytes, "Blocks above the classes", |seen| Some((seen.report.large.run_bytes + seen.report.large.chunk_bytes) as f64)),
    Figure::new("strata_heap_large_blocks", Count, "Blocks above the classes", |seen| Some((seen.report.large.runs + seen.report.large.chunks) as f64)),
    Figure::new("strata_heap_spans", Count, "Spans of all classes", |seen| Some(spans(&seen.report) as f64)),
    Figure::new("strata_heap_budget_bytes", Bytes, "May be kept without a live block", |seen| bytes(seen.report.budget)),
    Figure::new("strata_heap_learned_bytes", Bytes, "Part of the budget that the program taught", |seen| bytes(Some(seen.report.learned))),
    Figure::new("strata_heap_internal_fragmentation", Count, "Part of the blocks that nobody asked for", |seen| seen.report.internal_fragmentation()),
    Figure::new("strata_heap_external_fragmentation", Count, "Part of pages with taken blocks that is holes", |seen| seen.report.external_fragmentation()),
    Figure::new("strata_process_resident_bytes", Bytes, "Resident memory", |seen| bytes(seen.usage.rss)),
    Figure::new("strata_process_external_bytes", Bytes, "Resident memory that is not the heap's", |seen| bytes(seen.usage.external)),
    Figure::new("strata_process_limit_bytes", Bytes, "Least limit of the control groups", |seen| bytes(seen.usage.limit)),
    Figure::new("strata_process_high_bytes", Bytes, "Least memory.high of the control groups", |seen| bytes(seen.usage.high)),
    Figure::new("strata_process_group_bytes", Bytes, "What the control group takes", |seen| bytes(seen.usage.group_used)),
];

#[rustfmt::skip]
const COUNTERS: [Figure<Seen, u64>; 4] = [
    Figure::new("strata_heap_purges_total", Count, "Purges", |seen| Some(seen.report.given_back?.purges as u64)),
    Figure::new("strata_heap_given_back_bytes_total", Bytes, "Bytes of purges", |seen| Some(seen.report.given_back?.purged as u64)),
    Figure::new("strata_process_minor_faults_total", Count, "Page faults without a file", |seen| Some(seen.usage.faults?[0])),
    Figure::new("strata_process_major_faults_total", Count, "Page faults with a file", |seen| Some(seen.usage.faults?[1])),
];

/// Those of each class; `None` before it has spans.
#[rustfmt::skip]
const OF_CLASS: [Figure<ClassReport, f64>; 4] = [
    Figure::new("strata_heap_class_live_blocks", Count, "Blocks of the program", |class| Some(class.live() as f64)),
    Figure::new("strata_heap_class_stocked_blocks", Count, "Blocks that threads keep ready", |class| Some(class.stocked as f64)),
    Figure::new("strata_heap_class_spans", Count, "Spans", |class| Some(class.spans as f64)),
    Figure::new("strata_heap_class_holes_bytes", Bytes, "Free blocks on pages with taken ones", |class| Some(class.holes as f64)),
];

const META: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// Describes gauges.
fn describe<S>(recorder: &dyn Recorder, figures: &[Figure<S, f64>]) {
    for of in figures {
        recorder.describe_gauge(of.name.into(), Some(of.unit), of.is.into());
    }
}

/// Sets a gauge that is there, or has it registered.
fn set(gauge: &mut Option<Gauge>, figure: Option<f64>, key: impl FnOnce() -> Key) {
    match (figure, &gauge) {
        (Some(figure), _) => gauge
            .get_or_insert_with(|| with_recorder(|all| all.register_gauge(&key(), &META)))
            .set(figure),
        (None, Some(gone)) => gone.set(f64::NAN),
        (None, None) => {}
    }
}

impl Gauges {
    /// Describes all gauges and counters to the recorder that is installed now; they stay that recorder's.
    pub fn new() -> Self {
        with_recorder(|recorder| {
            describe(recorder, &GAUGES);
            for of in &COUNTERS {
                recorder.describe_counter(of.name.into(), Some(of.unit), of.is.into());
            }
        });
        let gauges = [const { None }; GAUGES.len()];
        Self { gauges, counters: [const { None }; COUNTERS.len()], classes: Vec::new() }
    }

    /// Has gauges of each class that has or had spans, too, with the label `block_len`: some hundred series.
    pub fn with_classes(mut self) -> Self {
        with_recorder(|recorder| describe(recorder, &OF_CLASS));
        self.classes.resize_with(CLASSES, || [const { None }; OF_CLASS.len()]);
        self
    }

    /// Reads all figures and tells them. Other threads may go on.
    ///
    /// It reads a [report](SegregatedAlloc::report) and some files of the system's
    /// ([`memory_usage`](SegregatedAlloc::memory_usage)): O(frames in use), for every second rather than every
    /// request. Not in a signal handler.
    pub fn publish(&mut self) {
        let heap = SegregatedAlloc::new();
        let seen = Seen { report: heap.report(), usage: heap.memory_usage() };
        for (of, gauge) in GAUGES.iter().zip(&mut self.gauges) {
            set(gauge, (of.of)(&seen), || Key::from_static_name(of.name));
        }
        for (of, counter) in COUNTERS.iter().zip(&mut self.counters) {
            let Some(count) = (of.of)(&seen) else { continue };
            let key = || Key::from_static_name(of.name);
            counter
                .get_or_insert_with(|| with_recorder(|all| all.register_counter(&key(), &META)))
                .absolute(count);
        }
        for (class, gauges) in seen.report.classes.iter().zip(&mut self.classes) {
            for (of, gauge) in OF_CLASS.iter().zip(gauges) {
                if class.spans != 0 || gauge.is_some() {
                    let label = || Label::new("block_len", class.block_len.to_string());
                    let key = || Key::from_parts(of.name, std::vec![label()]);
                    set(gauge, (of.of)(class), key);
                }
            }
        }
    }
}

impl Default for Gauges {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_documented_and_says_its_unit() {
        let docs = include_str!("gauges.rs");
        let gauges = GAUGES.iter().map(|of| (of.name, of.unit));
        let of_class = OF_CLASS.iter().map(|of| (of.name, of.unit));
        let counters = COUNTERS.iter().map(|of| (of.name, of.unit));
        for (name, unit) in gauges.chain(of_class).chain(counters) {
            assert!(docs.contains(&["/// | `", name, "` |"].concat()), "{name}");
            assert_eq!(name.contains("_bytes"), unit == Bytes, "{name}");
            assert_eq!(
                name.ends_with("_total"),
                COUNTERS.iter().any(|of| of.name == name),
                "{name}"
            );
        }
    }
}
