//! What must be true of a workload's memory, computed from its events alone.

use std::collections::HashMap;
use strata_bench::trace::{BlockId, Event, Op};

/// The layout that a block is replayed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) bytes: u64,
    pub(crate) align: u64,
}

impl Asked {
    /// A request of a recorded program: no bytes count as one, and an entry point without an
    /// alignment gives what `malloc` gives.
    fn new(size: u64, align_log2: Option<u8>) -> Self {
        let bytes = size.max(1);
        Self { bytes, align: 1 << align_log2.unwrap_or(if bytes > 8 { 4 } else { 3 }) }
    }

    /// Bytes in whole granules of 16.
    pub(crate) fn granules(self) -> u64 {
        self.bytes.next_multiple_of(16)
    }

    /// Bytes of the power of two that holds them, 16 at least.
    pub(crate) fn power(self) -> u64 {
        self.bytes.max(self.align).max(16).next_power_of_two()
    }
}

/// The live blocks after some records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) live: HashMap<BlockId, Asked>,
    pub(crate) records: u64,
    /// Granule bytes of every block that was allocated, and of every one that grew or shrank to
    /// another number of granules once more.
    granules_ever: u64,
    /// Where a region that is only ever cut from its start would be cut next.
    top: u64,
    /// Bytes that were skipped there for alignment.
    pub(crate) skipped: u64,
    /// How many bytes could be skipped at most, in another order of the same cuts.
    pub(crate) skipped_at_most: u64,
}

impl Model {
    fn cut(&mut self, asked: Asked) {
        let align = asked.align.max(16);
        let start = self.top.next_multiple_of(align);
        self.skipped += start - self.top;
        self.skipped_at_most += align - 16;
        self.top = start + asked.granules();
        self.granules_ever += asked.granules();
    }

    /// After one more record.
    pub(crate) fn push(&mut self, event: &Event) {
        self.records += 1;
        match event.op {
            Op::Allocate { block, size, align_log2, .. } => {
                let asked = Asked::new(size, align_log2);
                self.cut(asked);
                self.live.insert(block, asked);
            }
            Op::Reallocate { block, size, .. } => {
                let old = self.live[&block];
                let new = Asked { bytes: size.max(1), ..old };
                if new.granules() != old.granules() {
                    self.cut(new);
                }
                self.live.insert(block, new);
            }
            Op::Free { block } => {
                self.live.remove(&block).expect("live");
            }
            _ => {}
        }
    }

    fn sum(&self, of: impl Fn(Asked) -> u64) -> u64 {
        self.live.values().map(|&asked| of(asked)).sum()
    }

    /// Bytes asked for.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.sum(|asked| asked.bytes)
    }

    /// What rounding to powers of two adds.
    pub(crate) fn power_rounding(&self) -> u64 {
        self.sum(|asked| asked.power() - asked.bytes)
    }

    /// What rounding to granules of 16 adds.
    pub(crate) fn granule_rounding(&self) -> u64 {
        self.sum(|asked| asked.granules() - asked.bytes)
    }

    /// Granule bytes of blocks that are gone.
    pub(crate) fn freed_granules(&self) -> u64 {
        self.granules_ever - self.sum(Asked::granules)
    }
}

/// The model after each of `records`, which ascend.
pub(crate) fn at_records(events: &[Event], records: &[u64]) -> Vec<Model> {
    let mut model = Model::default();
    let mut found = Vec::new();
    let mut wanted = records.iter().copied().peekable();
    for event in events {
        model.push(event);
        while wanted.next_if_eq(&model.records).is_some() {
            found.push(model.clone());
        }
    }
    assert_eq!(found.len(), records.len(), "every checkpoint is a place of the trace");
    found
}
