//! The laws of a heap's figures: each of the statistics, and what the report adds up to.

use strata_core::Stats;
use strata_segregated::Report;

/// Panics where a law of the statistics does not hold.
pub(super) fn hold_of(stats: &Stats) {
    assert_eq!(stats.check_laws(), Ok(()), "{stats:?}");
}

/// Panics where the report contradicts itself, or the statistics that were read at the same moment.
pub(super) fn hold_of_report(report: &Report, stats: &Stats) {
    assert_eq!(report.stats, *stats, "two readings of a heap at rest");
    let mut in_blocks = 0;
    for class in report.classes.iter().filter(|class| class.spans != 0 || class.taken != 0) {
        assert!(class.stocked <= class.taken && class.taken <= class.capacity, "{class:?}");
        assert_eq!(class.occupancy.iter().sum::<usize>(), class.spans, "{class:?}");
        in_blocks += class.allocated().get();
    }
    let large = &report.large;
    let in_large = large.run_bytes + large.chunk_bytes;
    assert!(large.slotted <= in_large, "{large:?}");
    let sum = in_blocks + in_large - large.slotted;
    assert_eq!(Some(sum), stats.allocated.map(|bytes| bytes.0), "all classes and large blocks");
    // A block for a request of no bytes is nothing but rounding.
    let within = |part: Option<f64>| part.is_none_or(|part| (0.0..=1.0).contains(&part));
    assert!(within(report.external_fragmentation()) && within(report.internal_fragmentation()));
}
