//! The distance of neighbouring blocks of one layout, found by allocating a run of them.
//!
//! In a child of its own, so that the blocks are cut from fresh memory and nothing measured is
//! disturbed.

use super::control::Table;
use crate::subject::Subject;
use std::alloc::Layout;
use std::sync::atomic::Ordering::Relaxed;

/// Blocks in a run.
const RUN: usize = 24;
/// Bytes that a run of more than the fewest blocks may take.
const RUN_BYTES: usize = 1 << 20;
/// Blocks in a run of large ones.
const FEWEST: usize = 4;

/// Fills in stride and usable size of every layout in the table.
pub(super) fn measure<S: Subject>(subject: &S, table: &Table) {
    let mut run: Vec<*mut u8> = Vec::with_capacity(RUN);
    let mut gaps: Vec<usize> = Vec::with_capacity(RUN);
    for fact in table.layouts() {
        let bytes = fact.bytes.load(Relaxed) as usize;
        let align = 1_usize << fact.align_log2.load(Relaxed);
        let Ok(layout) = Layout::from_size_align(bytes, align) else { continue };
        for _ in 0..(RUN_BYTES / bytes).clamp(FEWEST, RUN) {
            // SAFETY: sizes of scripts are at least 1.
            let block = unsafe { subject.alloc(layout) };
            if block.is_null() {
                break;
            }
            run.push(block);
        }
        if let Some(&first) = run.first() {
            // SAFETY: the block is live and has this layout.
            let usable = unsafe { subject.usable_size(first, layout) };
            fact.usable.store(usable.unwrap_or(0) as u64, Relaxed);
        }
        run.sort_unstable();
        gaps.clear();
        gaps.extend(run.windows(2).map(|pair| pair[1].addr() - pair[0].addr()));
        fact.stride.store(mode(&mut gaps).unwrap_or(0) as u64, Relaxed);
        for block in run.drain(..) {
            // SAFETY: the block is live and has this layout.
            unsafe { subject.dealloc(block, layout) };
        }
    }
}

/// The most frequent value, if it makes up half of them.
fn mode(values: &mut [usize]) -> Option<usize> {
    values.sort_unstable();
    let (mut best, mut best_count) = (0, 0);
    for run in values.chunk_by(|a, b| a == b) {
        if run.len() > best_count {
            (best, best_count) = (run[0], run.len());
        }
    }
    (best_count > 0 && best_count * 2 >= values.len()).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::mode;

    #[test]
    fn a_mode_needs_half_of_the_values() {
        assert_eq!(mode(&mut [32, 32, 32, 4096]), Some(32));
        assert_eq!(mode(&mut [16, 48, 80]), None);
        assert_eq!(mode(&mut []), None);
    }
}
