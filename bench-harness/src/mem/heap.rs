//! Heaps that tell of themselves, beside what the system tells: a library call for applications.

use super::kernel::Kernel;
use super::process::{Process, Usage};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use strata_core::{ByteCount, Stats};

/// One heap's figures in bytes, in the suite's words; one that it does not keep is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heap {
    /// What the program calls it; empty where it was not told.
    #[serde(default)]
    pub name: String,
    /// Asked for and not freed.
    pub requested: Option<u64>,
    /// In live blocks.
    pub allocated: Option<u64>,
    /// In pages, frames or segments with live blocks.
    pub active: Option<u64>,
    /// Given back within active.
    pub purged: Option<u64>,
    /// Kept ready without a live block.
    pub cached: Option<u64>,
    /// Its own tables.
    pub metadata: Option<u64>,
    /// Backed or promised by the system.
    pub committed: Option<u64>,
    /// Of address space.
    pub reserved: Option<u64>,
}

impl Heap {
    /// From the statistics that every heap of the suite answers.
    pub fn new(name: impl Into<String>, stats: &Stats) -> Self {
        let of = |count: Option<ByteCount>| count.map(|ByteCount(bytes)| bytes as u64);
        Self {
            name: name.into(),
            requested: of(stats.requested),
            allocated: of(stats.allocated),
            active: of(stats.active),
            purged: of(stats.purged),
            cached: of(stats.cached),
            metadata: of(stats.metadata),
            committed: of(stats.committed),
            reserved: of(stats.reserved),
        }
    }

    /// The figures with their names, in the order of tables.
    pub fn figures(&self) -> [(&'static str, Option<u64>); 8] {
        [
            ("requested", self.requested),
            ("allocated", self.allocated),
            ("active", self.active),
            ("purged", self.purged),
            ("cached", self.cached),
            ("metadata", self.metadata),
            ("committed", self.committed),
            ("reserved", self.reserved),
        ]
    }
}

/// Node's `process.memoryUsage()` of this process: some twenty microseconds, two small files.
///
/// # Errors
///
/// [`Failure::input`](crate::error::Failure::input) where `/proc` is not mounted.
///
/// ```
/// let usage = strata_bench::mem::memory_usage()?;
/// assert!(usage.external <= usage.rss);
/// # Ok::<(), strata_bench::error::Failure>(())
/// ```
pub fn memory_usage() -> Result<Usage> {
    Ok(Process::of(&Kernel::here(), std::process::id())?.usage)
}

/// The same, where the heaps of the program tell what they hold: `heapTotal` is what they have
/// committed, `heapUsed` what is in live blocks, `external` all else that is resident.
///
/// # Errors
///
/// As [`memory_usage`].
///
/// ```
/// use strata_bench::mem::{Heap, memory_usage_with};
/// use strata_core::{ByteCount, Stats};
///
/// // Of a program whose allocator is the suite's: `ALLOC.stats()`.
/// let stats = Stats {
///     allocated: Some(ByteCount(3000)),
///     committed: Some(ByteCount(4096)),
///     ..Stats::default()
/// };
/// let usage = memory_usage_with(&[Heap::new("process heap", &stats)])?;
/// assert_eq!((usage.heap_total, usage.heap_used), (4096, 3000));
/// # Ok::<(), strata_bench::error::Failure>(())
/// ```
pub fn memory_usage_with(heaps: &[Heap]) -> Result<Usage> {
    Ok(told_by(memory_usage()?, heaps))
}

/// Puts the heaps' own word in the place of what is seen from outside.
pub(super) fn told_by(usage: Usage, heaps: &[Heap]) -> Usage {
    if heaps.is_empty() {
        return usage;
    }
    let sum = |of: fn(&Heap) -> Option<u64>| heaps.iter().filter_map(of).sum::<u64>();
    let heap_total = sum(|heap| heap.committed);
    Usage {
        heap_total,
        heap_used: sum(|heap| heap.allocated),
        external: usage.rss.saturating_sub(heap_total),
        ..usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heaps_add_up_and_what_they_do_not_keep_is_absent() {
        let stats = |allocated, committed| Stats {
            allocated: Some(ByteCount(allocated)),
            committed: Some(ByteCount(committed)),
            ..Stats::default()
        };
        let heaps = [Heap::new("a", &stats(10, 100)), Heap::new("b", &stats(20, 200))];
        let usage = told_by(Usage { rss: 1000, array_buffers: 7, ..Usage::default() }, &heaps);
        assert_eq!((usage.heap_total, usage.heap_used, usage.external), (300, 30, 700));
        assert_eq!((usage.rss, usage.array_buffers), (1000, 7));
        assert_eq!(heaps[0].figures()[0], ("requested", None));
        let alone = Usage { rss: 5, heap_total: 4, ..Usage::default() };
        assert_eq!(told_by(alone, &[]), alone);
    }
}
