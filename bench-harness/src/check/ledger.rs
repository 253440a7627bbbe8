//! The live blocks, by slot and in the order of their addresses.

use super::block::{Block, Slot};
use std::collections::BTreeMap;
use std::ops::Range;

/// The live blocks.
///
/// # Invariants
///
/// 1. `by_start` holds exactly the starts of the slots that are [`Slot::Live`].
/// 2. The filled bytes of live blocks are disjoint.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    slots: Vec<Slot>,
    by_start: BTreeMap<usize, u32>,
    cursor: usize,
}

impl Ledger {
    /// What `slot` holds.
    pub(super) fn get(&self, slot: u32) -> Slot {
        self.slots.get(slot as usize).copied().unwrap_or_default()
    }

    /// The live block in `slot`, to note something about it. Its start must stay.
    pub(super) fn live_mut(&mut self, slot: u32) -> Option<&mut Block> {
        match self.slots.get_mut(slot as usize) {
            Some(Slot::Live(block)) => Some(block),
            _ => None,
        }
    }

    /// Puts `new` into `slot`, keeping the order of addresses in step, and answers what was there.
    pub(super) fn set(&mut self, slot: u32, new: Slot) -> Slot {
        let index = slot as usize;
        if index >= self.slots.len() {
            self.slots.resize(index + 1, Slot::Empty);
        }
        let old = std::mem::replace(&mut self.slots[index], new);
        if let Slot::Live(block) = old {
            self.by_start.remove(&block.start());
        }
        if let Slot::Live(block) = new {
            let replaced = self.by_start.insert(block.start(), slot);
            debug_assert!(replaced.is_none(), "two live blocks with one address");
        }
        old
    }

    /// The nearest live block that begins at or before `address`.
    pub(super) fn before(&self, address: usize) -> Option<(u32, Block)> {
        self.by_start.range(..=address).next_back().map(|(_, &slot)| self.known(slot))
    }

    /// The nearest live block that begins after `address`.
    pub(super) fn after(&self, address: usize) -> Option<(u32, Block)> {
        let after = (std::ops::Bound::Excluded(address), std::ops::Bound::Unbounded);
        self.by_start.range(after).next().map(|(_, &slot)| self.known(slot))
    }

    /// The live blocks whose asked bytes meet `range`.
    pub(super) fn meeting(&self, range: Range<usize>) -> Vec<(u32, Block)> {
        // By invariant 2 only the nearest one that begins before the range can reach into it.
        let before = self.before(range.start).filter(|(_, block)| block.asked().end > range.start);
        let from = range.start.saturating_add(1);
        let inside =
            self.by_start.range(from..range.end.max(from)).map(|(_, &slot)| self.known(slot));
        before.into_iter().chain(inside).collect()
    }

    /// Another live block at each call, until all have had their turn.
    pub(super) fn rotate(&mut self) -> Option<(u32, Block)> {
        // Looks at a few slots only: most are live, and a call has to stay cheap.
        for _ in 0..4.min(self.slots.len()) {
            self.cursor = (self.cursor + 1) % self.slots.len();
            if let Slot::Live(block) = self.slots[self.cursor] {
                return Some((self.cursor as u32, block));
            }
        }
        None
    }

    /// The slots of all live blocks, in the order of their addresses.
    pub(super) fn live_slots(&self) -> Vec<u32> {
        self.by_start.values().copied().collect()
    }

    fn known(&self, slot: u32) -> (u32, Block) {
        match self.slots[slot as usize] {
            Slot::Live(block) => (slot, block),
            _ => unreachable!("by_start names slots that are live"),
        }
    }
}
