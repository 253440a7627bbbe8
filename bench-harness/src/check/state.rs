//! The rules of the judge, on one thread: the lock is in `checker`.
//!
//! One call is at most one violation, the first of: refused, outside the regions, misaligned,
//! overlapping, usable bytes, dirty zeroes or lost content. Whatever a violation made uncertain is
//! quarantined or cut back, so that it is not reported again as something else.

use super::block::{Block, Slot, addresses};
use super::checker::{At, Limits};
use super::content::{self, Extent};
use super::ledger::Ledger;
use super::violation::{Kind, Violation};
use std::alloc::Layout;
use std::collections::BTreeMap;

/// How many violations are kept; the rest are counted.
const KEPT: usize = 16;

/// How a block came to where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It was allocated, or a realloc moved it.
    New,
    /// A realloc kept its address.
    Grown,
}

/// Everything the checker knows.
#[derive(Debug)]
pub(super) struct State {
    limits: Limits,
    ledger: Ledger,
    /// The address of the block that each thread is freeing. Not kept in the slot, which another
    /// thread may have been given before the freeing one reports back.
    freeing: BTreeMap<u32, usize>,
    contents: u64,
    latest: At,
    kept: Vec<Violation>,
    count: usize,
}

impl State {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            ledger: Ledger::default(),
            freeing: BTreeMap::new(),
            contents: 0,
            latest: At { record: 0, thread: 0 },
            kept: Vec::new(),
            count: 0,
        }
    }

    pub(super) fn violations(&self) -> usize {
        self.count
    }

    pub(super) fn first_violations(&self) -> Vec<Violation> {
        self.kept.clone()
    }

    fn report(&mut self, kind: Kind, at: At, detail: String) {
        self.count += 1;
        if self.kept.len() < KEPT {
            self.kept.push(Violation { kind, record: at.record, thread: at.thread, detail });
        }
    }

    fn new_seed(&mut self) -> u64 {
        self.contents += 1;
        content::seed(self.contents)
    }

    /// # Safety
    ///
    /// As for [`super::Checker::allocated`].
    pub(super) unsafe fn allocated(
        &mut self,
        at: At,
        slot: u32,
        ptr: *mut u8,
        layout: Layout,
        zeroed: bool,
        usable: Option<usize>,
    ) {
        self.latest = at;
        self.ledger.set(slot, Slot::Empty);
        if ptr.is_null() {
            let (size, align) = (layout.size(), layout.align());
            let detail = format!("{size} bytes aligned to {align} were refused");
            return self.report(Kind::Refused, at, detail);
        }
        let before = self.count;
        let seed = self.new_seed();
        let extent = Extent::new(layout.size(), layout.size(), seed);
        let block = Block { ptr, extent, align: layout.align(), born: at, sound: at.record };
        let Some(block) = self.settle(at, slot, block, usable, Came::New) else { return };
        if zeroed && self.count == before {
            // SAFETY: obligations 1 and 2: `settle` found no fault, so the bytes are the block's.
            if let Some(offset) = unsafe { content::nonzero(ptr, layout.size()) } {
                let detail = format!("byte {offset} of zeroed {} is not zero", block.words());
                self.report(Kind::DirtyZeroed, at, detail);
            }
        }
        // SAFETY: obligation 2: the block meets no other, and its bytes may be written.
        unsafe { self.claim(at, slot, block, 0) };
    }

    /// # Safety
    ///
    /// As for [`super::Checker::freeing`].
    pub(super) unsafe fn freeing(&mut self, at: At, slot: u32) {
        self.latest = at;
        let Slot::Live(block) = self.ledger.set(slot, Slot::Empty) else { return };
        self.freeing.insert(at.thread, block.start());
        // SAFETY: obligation 1: the block is still live, and only this checker uses its bytes.
        match unsafe { block.extent.changed(block.ptr) } {
            Some(offset) => self.report_change(at, block, offset),
            // SAFETY: as above. A block found harmed may be another's by now: that one is left.
            None => unsafe { block.extent.scribble(block.ptr) },
        }
    }

    /// # Safety
    ///
    /// As for [`super::Checker::freed`].
    pub(super) unsafe fn freed(&mut self, at: At, _slot: u32) {
        if let Some(start) = self.freeing.remove(&at.thread) {
            // SAFETY: obligation 1.
            unsafe { self.look_around(at, start) };
        }
        if let Some((slot, block)) = self.ledger.rotate() {
            // SAFETY: obligation 1.
            unsafe { self.look_at_edges(at, slot, block) };
        }
    }

    /// # Safety
    ///
    /// As for [`super::Checker::reallocating`].
    pub(super) unsafe fn reallocating(&mut self, at: At, slot: u32, new_size: usize) {
        self.latest = at;
        let Slot::Live(mut block) = self.ledger.get(slot) else { return };
        // SAFETY: obligation 1: the block is still live, and only this checker uses its bytes.
        let changed = unsafe { block.extent.changed(block.ptr) };
        if let Some(offset) = changed {
            self.report_change(at, block, offset);
            if offset < block.extent.asked {
                self.ledger.set(slot, Slot::Quarantined);
                return;
            }
            block.extent.cut();
        }
        if new_size < block.extent.asked {
            // SAFETY: as above; `new_size` is below `asked`.
            unsafe { block.extent.fill_tail(block.ptr, new_size) };
        }
        self.ledger.set(slot, Slot::Moving(block));
    }

    /// # Safety
    ///
    /// As for [`super::Checker::reallocated`].
    pub(super) unsafe fn reallocated(
        &mut self,
        at: At,
        slot: u32,
        ptr: *mut u8,
        new_size: usize,
        usable: Option<usize>,
    ) {
        self.latest = at;
        let Slot::Moving(old) = self.ledger.get(slot) else { return };
        if ptr.is_null() {
            let detail = format!("growing or shrinking {} to {new_size} was refused", old.words());
            self.report(Kind::Refused, at, detail);
            if let Some(old) = self.settle(at, slot, old, Some(old.extent.filled), Came::Grown) {
                // SAFETY: a realloc that refuses leaves the block as it was, live and ours, and
                // `settle` found that it meets no other.
                unsafe { self.moved(at, slot, old, old) };
            }
            return;
        }
        let extent = Extent::new(new_size, new_size, old.extent.seed);
        let new = Block { ptr, extent, born: at, sound: at.record, ..old };
        let came = if ptr == old.ptr { Came::Grown } else { Came::New };
        if let Some(new) = self.settle(at, slot, new, usable, came) {
            // SAFETY: obligations 1 and 2; `settle` found that the block meets no other.
            unsafe { self.moved(at, slot, old, new) };
        }
    }

    /// Verifies that `new` holds the prefix of `old`, and claims it.
    ///
    /// # Safety
    ///
    /// 1. The bytes of `new` may be read and written, and meet no other live block.
    unsafe fn moved(&mut self, at: At, slot: u32, old: Block, mut new: Block) {
        let prefix = old.extent.asked.min(new.extent.asked);
        // SAFETY: obligation 1; `prefix` is within the new block.
        let lost = unsafe { old.extent.prefix(prefix).changed(new.ptr) };
        let mut kept = prefix;
        if new.ptr != old.ptr {
            // The old place still holds the old words, and could pass for a copy of them if the
            // block came back to it.
            new.extent = Extent::new(new.extent.asked, new.extent.filled, self.new_seed());
            kept = 0;
        }
        if let Some(offset) = lost {
            let (from, to) = (old.words(), new.words());
            let detail = format!("byte {offset} of {prefix} to keep was lost from {from} to {to}");
            self.report(Kind::ReallocLost, at, detail);
            kept = 0;
        }
        // SAFETY: obligation 1.
        unsafe { self.claim(at, slot, new, kept) };
    }

    /// Judges where a block is and what it promises. `None` where it can not be used: it has been
    /// quarantined, with those it meets.
    fn settle(
        &mut self,
        at: At,
        slot: u32,
        mut block: Block,
        usable: Option<usize>,
        came: Came,
    ) -> Option<Block> {
        let asked = block.asked();
        if let Some(regions) = &self.limits.regions
            && !regions.iter().any(|region| region.start <= asked.start && asked.end <= region.end)
        {
            let detail = format!("{} lies outside the declared regions", block.words());
            self.report(Kind::OutsideRegion, at, detail);
            self.ledger.set(slot, Slot::Quarantined);
            return None;
        }
        let misaligned = !asked.start.is_multiple_of(block.align);
        if misaligned {
            let detail = format!("{} is not aligned to {}", block.words(), block.align);
            self.report(Kind::Misaligned, at, detail);
        }
        let met = self.ledger.meeting(asked.clone());
        if let Some((_, first)) = met.first() {
            if !misaligned {
                let twice = first.start() == asked.start && first.born.thread != at.thread;
                let kind = match came {
                    Came::Grown => Kind::ReallocOverlap,
                    Came::New if twice => Kind::SameBlockTwice,
                    Came::New => Kind::Overlap,
                };
                let shared = asked.start.max(first.start())..asked.end.min(first.asked().end);
                let (words, other, born) = (block.words(), first.words(), first.born);
                let detail = format!(
                    "{words} shares {} with {other}, live since record {} of thread {}",
                    addresses(shared),
                    born.record,
                    born.thread,
                );
                self.report(kind, at, detail);
            }
            self.ledger.set(slot, Slot::Quarantined);
            for (other, _) in met {
                self.ledger.set(other, Slot::Quarantined);
            }
            return None;
        }
        let filled = self.usable(at, &block, usable.filter(|_| self.limits.has_usable));
        block.extent = Extent::new(block.extent.asked, filled, block.extent.seed);
        Some(block)
    }

    /// Judges the usable bytes of a block and of the one before it; how many to fill.
    fn usable(&mut self, at: At, block: &Block, usable: Option<usize>) -> usize {
        let start = block.start();
        if let Some((slot, before)) = self.ledger.before(start)
            && before.filled_end() > start
        {
            let detail = format!(
                "{} promised usable bytes up to {:#x}, which reach into {} of record {}",
                before.words(),
                before.filled_end(),
                block.words(),
                at.record,
            );
            // The promise was the fault, so it is the promising call that is named.
            self.report(Kind::UsableOverlap, before.born, detail);
            if let Some(before) = self.ledger.live_mut(slot) {
                before.extent.cut();
            }
        }
        let asked = block.extent.asked;
        let Some(usable) = usable else { return asked };
        if usable < asked {
            let detail = format!("{} has only {usable} usable bytes", block.words());
            self.report(Kind::UsableTooSmall, at, detail);
            return asked;
        }
        let end = start.saturating_add(usable);
        if let Some((_, after)) = self.ledger.after(start)
            && after.start() < end
        {
            let (own, other) = (block.words(), after.words());
            let detail = format!("the {usable} usable bytes of {own} reach into live {other}");
            self.report(Kind::UsableOverlap, at, detail);
            return asked;
        }
        usable
    }

    /// Fills a settled block, makes it live and looks at its neighbours.
    ///
    /// # Safety
    ///
    /// 1. The bytes of `block` may be written, and meet no other live block.
    /// 2. The memory of every live block is still mapped.
    unsafe fn claim(&mut self, at: At, slot: u32, block: Block, kept: usize) {
        // SAFETY: obligation 1.
        unsafe { block.extent.fill(block.ptr, kept) };
        self.ledger.set(slot, Slot::Live(Block { sound: at.record, ..block }));
        // SAFETY: obligation 2.
        unsafe { self.look_around(at, block.start()) };
    }

    /// Verifies the edges of the live blocks on both sides of `start`.
    ///
    /// # Safety
    ///
    /// 1. The memory of every live block is still mapped.
    unsafe fn look_around(&mut self, at: At, start: usize) {
        let before = start.checked_sub(1).and_then(|address| self.ledger.before(address));
        for (slot, block) in before.into_iter().chain(self.ledger.after(start)) {
            // SAFETY: obligation 1.
            unsafe { self.look_at_edges(at, slot, block) };
        }
    }

    /// Verifies the edges of one live block.
    ///
    /// # Safety
    ///
    /// 1. Its memory is still mapped.
    unsafe fn look_at_edges(&mut self, at: At, slot: u32, block: Block) {
        // SAFETY: obligation 1; a live block's content is only written under the lock we are in.
        match unsafe { block.extent.edges_changed(block.ptr) } {
            Some(offset) => self.harmed(at, slot, block, offset),
            None => {
                if let Some(block) = self.ledger.live_mut(slot) {
                    block.sound = at.record;
                }
            }
        }
    }

    /// Verifies the whole content of every live block.
    ///
    /// # Safety
    ///
    /// As for [`super::Checker::finish`].
    pub(super) unsafe fn verify_all(&mut self) {
        let at = self.latest;
        for slot in self.ledger.live_slots() {
            let Slot::Live(block) = self.ledger.get(slot) else { continue };
            // SAFETY: obligation 1; a live block's content is only written under our lock.
            if let Some(offset) = unsafe { block.extent.changed(block.ptr) } {
                self.harmed(at, slot, block, offset);
            }
        }
    }

    /// Reports a live block's changed byte and stops trusting what it is in.
    fn harmed(&mut self, at: At, slot: u32, block: Block, offset: usize) {
        self.report_change(at, block, offset);
        if offset < block.extent.asked {
            self.ledger.set(slot, Slot::Quarantined);
        } else if let Some(block) = self.ledger.live_mut(slot) {
            block.extent.cut();
        }
    }

    /// Reports a changed byte: of a block that was written, or of bytes that were never its own.
    fn report_change(&mut self, at: At, block: Block, offset: usize) {
        let Block { born, sound, .. } = block;
        let words = block.words();
        if offset < block.extent.asked {
            let detail = format!(
                "byte {offset} of {words}, allocated at record {} of thread {}, was changed; \
                 it was sound at record {sound}",
                born.record, born.thread,
            );
            self.report(Kind::NeighbourWritten, at, detail);
        } else {
            let detail = format!(
                "byte {offset} of {words} was promised as usable and changed by record {}",
                at.record,
            );
            self.report(Kind::UsableOverlap, born, detail);
        }
    }
}
