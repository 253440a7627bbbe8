//! What a child does while every thread stands still: answers for its parent, and draining.

use super::channel::{Word, say};
use super::control::{TEXT, Table, put_figures};
use crate::check::Checker;
use crate::subject::Subject;
use std::alloc::Layout;
use std::sync::atomic::Ordering::Relaxed;

/// Small blocks of the pairs that follow the idle second.
const PAIR_BYTES: [usize; 4] = [16, 32, 64, 128];

/// The layout of the block in a slot.
fn layout(packed: u64) -> Layout {
    let (bytes, align_log2) = (packed & ((1 << 56) - 1), packed >> 56);
    // SAFETY: the table holds what a valid layout was made of.
    unsafe { Layout::from_size_align_unchecked(bytes as usize, 1 << align_log2) }
}

/// Fills in usable sizes, the subject's own figures and its free ranges.
pub(super) fn prepare<S: Subject>(subject: &S, table: &Table) {
    let control = table.control();
    let mut has_usable = true;
    for ((block, size), usable) in table.blocks().iter().zip(table.sizes()).zip(table.usable()) {
        let address = block.load(Relaxed) as usize;
        if address == 0 || !has_usable {
            continue;
        }
        let block = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: the slot's block is live: every thread stands still and freed slots hold 0.
        match unsafe { subject.usable_size(block, layout(size.load(Relaxed))) } {
            Some(bytes) => usable.store(bytes as u64, Relaxed),
            None => has_usable = false,
        }
    }
    control.has_usable.store(u32::from(has_usable), Relaxed);
    put_figures(control, &subject.figures());
    let (mut total, mut largest) = (0_u64, 0_u64);
    let known = subject.for_each_free_range(&mut |range| {
        let bytes = (range.end - range.start) as u64;
        total += bytes;
        largest = largest.max(bytes);
    });
    control.has_free_ranges.store(u32::from(known), Relaxed);
    control.free_bytes.store(total, Relaxed);
    control.largest_free.store(largest, Relaxed);
}

/// Frees every block, and stops where the residue is read.
pub(super) fn drain<S: Subject>(subject: &S, table: &Table) -> std::io::Result<()> {
    for (block, size) in table.blocks().iter().zip(table.sizes()) {
        let address = block.swap(0, Relaxed) as usize;
        if address != 0 {
            let block = std::ptr::with_exposed_provenance_mut(address);
            // SAFETY: the block was live, with this layout; the slot forgets it.
            unsafe { subject.dealloc(block, layout(size.load(Relaxed))) };
        }
    }
    put_figures(table.control(), &subject.figures());
    say(Word::Drained, 0)?;
    for pair in 0..1000 {
        let bytes = PAIR_BYTES[pair % PAIR_BYTES.len()];
        let Ok(layout) = Layout::from_size_align(bytes, 16) else { continue };
        // SAFETY: the size is not 0; the block is freed once, with its layout.
        unsafe {
            let block = subject.alloc(layout);
            if !block.is_null() {
                if S::TOUCHABLE {
                    block.write(1);
                }
                subject.dealloc(block, layout);
            }
        }
    }
    say(Word::Paired, 0)?;
    let purged = subject.purge();
    say(Word::Purged, u32::from(purged)).map(drop)
}

/// Leaves the judge's findings, as JSON, in the table's text.
pub(super) fn report(table: &Table, judge: &Checker) {
    // SAFETY: every block that the judge knows of was handed out by the subject and not freed: all
    // operations went through the judge, and no thread is inside one.
    let mut violations = unsafe { judge.finish() };
    let text = loop {
        let text = serde_json::to_string(&violations).unwrap_or_default();
        if text.len() <= TEXT {
            break text;
        }
        violations.pop();
    };
    for (cell, byte) in table.text().iter().zip(text.bytes()) {
        cell.store(byte, Relaxed);
    }
    table.control().text_bytes.store(text.len() as u64, Relaxed);
}
