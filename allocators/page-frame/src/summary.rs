//! Which trees have free huge frames, in two bits a tree: a search skips 64 trees in one step.
//!
//! | USED | FULL | the tree |
//! |---|---|---|
//! | 0 | 0 | is all free |
//! | 1 | 0 | has a free huge frame, or is as it was when a search went by last |
//! | 1 | 1 | has none |
//!
//! The two words of 64 trees lie side by side. Whoever begins a tree sets USED, and whoever frees one
//! of its huge frames clears FULL; only a search that comes by clears USED and sets FULL, so that one
//! who takes and frees the same huge frame over and over changes no bit. Like the index these
//! are hints: two changes at once, or a thread that stopped for ever, may leave a bit wrong until the
//! next change, and all entries are looked at before a request fails.

use core::ops::Range;

use strata_core::sync::{AtomicU64, Ordering};

use crate::tables::Tables;

/// Trees of one word.
pub(crate) const TREES: usize = 64;
/// Words of so many trees.
pub(crate) const WORDS: usize = 2;

const USED: usize = 0;
const FULL: usize = 1;

impl Tables<'_> {
    #[inline]
    fn summary_word(&self, tree: usize, which: usize) -> &AtomicU64 {
        &self.summary[tree / TREES * WORDS + which]
    }

    /// Says that a free huge frame of a tree is used now.
    #[inline]
    pub(crate) fn note_begun(&self, tree: usize) {
        let bit = 1 << (tree % TREES);
        let used = self.summary_word(tree, USED);
        // Relaxed, both: hints, mostly as they are wanted.
        if used.load(Ordering::Relaxed) & bit == 0 {
            used.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Says that a huge frame of a tree has become free.
    #[inline]
    pub(crate) fn note_freed(&self, tree: usize) {
        let bit = 1 << (tree % TREES);
        let full = self.summary_word(tree, FULL);
        // Relaxed, both: as in `note_begun`.
        if full.load(Ordering::Relaxed) & bit != 0 {
            full.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// The trees of a group of 64 from `from` to `end` that may have free huge frames: those that are
    /// in use, and those that are all free.
    #[inline]
    pub(crate) fn summary(&self, group: usize, from: usize, end: usize) -> (u64, u64) {
        // Relaxed: a hint.
        let word = |which: usize| self.summary[group * WORDS + which].load(Ordering::Relaxed);
        let first = group * TREES;
        let mask = below(end, first) & !below(from, first);
        let (used, full) = (word(USED), word(FULL));
        (used & !full & mask, !used & mask)
    }

    /// The trees of a range that may have free huge frames, in ascending order; with `begun` only those
    /// that are in use.
    pub(crate) fn may_have(&self, trees: Range<usize>, begun: bool) -> impl Iterator<Item = usize> {
        (trees.start / TREES..trees.end.div_ceil(TREES)).flat_map(move |group| {
            let (used, free) = self.summary(group, trees.start, trees.end);
            let mut bits = if begun { used } else { used | free };
            core::iter::from_fn(move || {
                let tree = group * TREES + bits.trailing_zeros() as usize;
                let found = (bits != 0).then_some(tree);
                bits &= bits.wrapping_sub(1);
                found
            })
        })
    }

    /// Brings the bits of a tree up to date.
    ///
    /// Whoever finds that the entries have moved on since he read them begins anew, as in
    /// [`index`](Self::index).
    #[cold]
    pub(crate) fn sum_up(&self, tree: usize) {
        let bit = 1 << (tree % TREES);
        let count = self.huge_in(tree);
        let wanted = || {
            let used = self.tree(tree).used;
            [used > 0, used >= count]
        };
        loop {
            let now = wanted();
            for (which, on) in now.into_iter().enumerate() {
                let word = self.summary_word(tree, which);
                // Relaxed: a look; AcqRel: no partner is relied on, see above.
                match (on, word.load(Ordering::Relaxed) & bit != 0) {
                    (true, false) => drop(word.fetch_or(bit, Ordering::AcqRel)),
                    (false, true) => drop(word.fetch_and(!bit, Ordering::AcqRel)),
                    _ => {}
                }
            }
            if wanted() == now {
                return;
            }
        }
    }

    /// Whether a search finds a tree if it has a free huge frame, and takes it for free only if it is.
    /// Nobody is at work.
    pub(crate) fn is_summed_up(&self, tree: usize) -> bool {
        let is = |which: usize| {
            self.summary_word(tree, which).load(Ordering::Relaxed) >> (tree % TREES) & 1 == 1
        };
        let used = self.tree(tree).used;
        let full = used == self.huge_in(tree);
        (is(USED) || used == 0) && (!is(FULL) || full)
    }
}

/// The bits of the trees of a group that lie below `end`.
#[inline]
const fn below(end: usize, first: usize) -> u64 {
    match end.saturating_sub(first) {
        0 => 0,
        64.. => u64::MAX,
        count => u64::MAX >> (64 - count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_ends_where_the_range_ends() {
        assert_eq!([below(63, 64), below(64, 64), below(65, 64)], [0, 0, 1]);
        assert_eq!([below(127, 64), below(128, 64), below(500, 64)], [u64::MAX >> 1, !0, !0]);
    }
}
