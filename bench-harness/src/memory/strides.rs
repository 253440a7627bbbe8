//! What one block of each layout really costs: stride, usable bytes, header.

use crate::child::control::{LayoutFact, Table};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

/// The strides of a subject, by layout, as its stride child found them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strides {
    /// By log2 of the alignment and bytes asked for.
    facts: BTreeMap<(u8, u64), Fact>,
}

#[derive(Clone, Copy, Debug)]
struct Fact {
    /// Modal distance of neighbours, 0 for unknown.
    stride: u64,
    /// By the hook, 0 for unknown.
    usable: u64,
}

/// A header above this and above half of the block is no header: the run was not contiguous.
const PLAUSIBLE: u64 = 128;

impl Strides {
    /// Takes what the child left in its table.
    pub(crate) fn take(table: &Table) -> Self {
        let fact = |fact: &LayoutFact| {
            let key = (fact.align_log2.load(Relaxed) as u8, fact.bytes.load(Relaxed));
            let value =
                Fact { stride: fact.stride.load(Relaxed), usable: fact.usable.load(Relaxed) };
            (key, value)
        };
        Self { facts: table.layouts().iter().map(fact).collect() }
    }

    /// The layout's own facts, or those of the next smaller one of the same alignment: a trace can
    /// have more layouts than are tried.
    fn fact(&self, bytes: u64, align_log2: u8) -> Option<(u64, Fact)> {
        let upto = (align_log2, 0)..=(align_log2, bytes);
        self.facts.range(upto).next_back().map(|(&(_, bytes), &fact)| (bytes, fact))
    }

    /// Header bytes of a block: stride less usable bytes, where the stride is known.
    pub(crate) fn header(&self, bytes: u64, align_log2: u8) -> u64 {
        let Some((_, fact)) = self.fact(bytes, align_log2) else { return 0 };
        let header = fact.stride.saturating_sub(fact.usable);
        let plausible = fact.usable > 0 && header <= PLAUSIBLE.max(fact.usable / 2);
        match align_log2 {
            ..=4 if plausible => header,
            ..=4 => 0,
            // The stride contains what alignment skips: the header is a plain block's.
            _ => self.header(bytes, 4),
        }
    }

    /// The stride as a stand-in for usable bytes, where there is no hook.
    pub(crate) fn inferred(&self, bytes: u64, align_log2: u8) -> u64 {
        let Some((tried, fact)) = self.fact(bytes, align_log2) else { return bytes };
        let plausible = fact.stride >= tried && fact.stride - tried <= PLAUSIBLE.max(tried);
        if plausible { fact.stride.max(bytes) } else { bytes }
    }
}
